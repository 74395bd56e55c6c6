import { expect, test } from 'vitest'
import { refsOf, textOf } from '../../../src/deploy/inventory.ts'

const ref = (kind: string, name: string, namespace?: string) => ({ apiVersion: 'v1', kind, name, namespace })

test('what is written down is read as the same objects, those of a kind together', () => {
  const refs = [ref('ConfigMap', 'a', 'shop'), ref('PersistentVolume', 'b'), ref('ConfigMap', 'c with: all', 'shop')]
  expect(refsOf({ version: '2', objects: textOf(refs) }, 'shop')).toEqual([refs[0], refs[2], refs[1]])
})

test('ten thousand objects have room in a ConfigMap', () => {
  const kinds = ['ConfigMap', 'Service', 'Secret', 'Deployment']
  const refs = Array.from({ length: 10_000 }, (_, index) =>
    ref(kinds[index % 4] ?? '', `a-service-of-a-large-shop-${index}`, 'shop'),
  )
  expect(Buffer.byteLength(textOf(refs))).toBeLessThan(500_000)
})

test('what a devkit without a version wrote down is read', () => {
  const refs = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'a', namespace: 'shop' }]
  expect(refsOf({ objects: JSON.stringify(refs) }, 'shop')).toEqual(refs)
  expect(refsOf({}, 'shop')).toEqual([])
})

test.each(['[["v1"', '{}', '[["v1","ConfigMap"]]', '[[1,2,3,4]]'])('what is damaged is told, not guessed: %s', (objects) => {
  expect(() => refsOf({ version: '2', objects }, 'shop')).toThrow(
    expect.objectContaining({
      code: 'APPLY-111',
      hint: expect.stringContaining('kubectl delete configmap devkit-inventory -n shop'),
    }),
  )
})

test('what a newer devkit wrote down is left to it', () => {
  expect(() => refsOf({ version: '3', objects: '?' }, 'shop')).toThrow(
    expect.objectContaining({ code: 'APPLY-111', message: expect.stringContaining('newer devkit') }),
  )
})
