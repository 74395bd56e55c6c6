import { expect, test } from 'vitest'
import type { PatchOperation } from '../../../src/config/profile-schema.ts'
import { patched } from '../../../src/render/transforms/json-patch.ts'
import { merged } from '../../../src/render/transforms/strategic-merge.ts'

const op = (name: PatchOperation['op'], path: string, rest: object = {}): PatchOperation => ({ op: name, path, ...rest })

test.each<[string, unknown, readonly PatchOperation[], unknown]>([
  ['add to a map', { a: 1 }, [op('add', '/b', { value: { c: 2 } })], { a: 1, b: { c: 2 } }],
  ['add over what is there', { a: 1 }, [op('add', '/a', { value: 2 })], { a: 2 }],
  ['add into a list', { a: [1, 3] }, [op('add', '/a/1', { value: 2 }), op('add', '/a/-', { value: 4 })], { a: [1, 2, 3, 4] }],
  ['add at the end by number', { a: [1] }, [op('add', '/a/1', { value: 2 })], { a: [1, 2] }],
  ['replace the whole', { a: 1 }, [op('replace', '', { value: { b: 2 } })], { b: 2 }],
  ['replace with null', { a: [1, 2] }, [op('replace', '/a/0', { value: null })], { a: [null, 2] }],
  ['remove', { a: [1, 2], b: 1 }, [op('remove', '/a/0'), op('remove', '/b')], { a: [2] }],
  ['move', { a: { b: 1 } }, [op('move', '/c', { from: '/a/b' })], { a: {}, c: 1 }],
  [
    'copy',
    { a: { b: 1 } },
    [op('copy', '/c', { from: '/a' }), op('add', '/c/d', { value: 2 })],
    { a: { b: 1 }, c: { b: 1, d: 2 } },
  ],
  ['test', { a: { b: [1] } }, [op('test', '/a', { value: { b: [1] } })], { a: { b: [1] } }],
  ['quoted names', { 'a/b': 1, 'm~n': 2 }, [op('replace', '/a~1b', { value: 3 }), op('remove', '/m~0n')], { 'a/b': 3 }],
])('JSON Patch: %s', (_, before, operations, after) => {
  const copy = structuredClone(before)
  expect(patched(before, operations)).toEqual(after)
  expect(before).toEqual(copy)
})

test.each<[string, readonly PatchOperation[], string]>([
  ['remove what is not there', [op('remove', '/b')], 'there is no /b'],
  ['replace what is not there', [op('replace', '/a/5', { value: 1 })], 'there is no /a/5'],
  ['add below what is not there', [op('add', '/b/c', { value: 1 })], 'there is no /b/c'],
  ['add beyond the end', [op('add', '/a/3', { value: 1 })], 'there is no /a/3'],
  ['add below a word', [op('add', '/a/0/c', { value: 1 })], 'there is no /a/0/c'],
  ['what every object has', [op('remove', '/constructor')], 'there is no /constructor'],
  ['a test that fails', [op('test', '/a/0', { value: 2 })], '/a/0 is 1'],
])('JSON Patch does not %s', (_, operations, message) => {
  expect(() => patched({ a: [1, 2] }, operations)).toThrow(message)
})

const list = (...names: readonly string[]): readonly object[] => names.map((name) => ({ name, image: `${name}:1` }))

test.each<[string, unknown, unknown, unknown]>([
  ['names one by one, null takes out', { a: 1, b: { c: 1, d: 2 } }, { b: { c: null, e: 3 } }, { a: 1, b: { d: 2, e: 3 } }],
  [
    'items by what tells them apart',
    { containers: list('a', 'b') },
    { containers: [{ name: 'b', image: 'b:2' }, { name: 'c' }] },
    { containers: [...list('a'), { name: 'b', image: 'b:2' }, { name: 'c' }] },
  ],
  ['an item that goes', { env: list('a', 'b') }, { env: [{ name: 'a', $patch: 'delete' }] }, { env: list('b') }],
  ['a list that is replaced', { env: list('a', 'b') }, { env: [{ $patch: 'replace' }, { name: 'c' }] }, { env: [{ name: 'c' }] }],
  ['a map that is replaced', { a: { b: 1 } }, { a: { $patch: 'replace', c: 2 } }, { a: { c: 2 } }],
  ['a map that goes', { a: { b: 1 }, d: 1 }, { a: { $patch: 'delete' } }, { d: 1 }],
  ['a list of words as a whole', { args: ['a', 'b'] }, { args: ['c'] }, { args: ['c'] }],
  ['a list that has no key as a whole', { rules: [{ host: 'a' }] }, { rules: [{ host: 'b' }] }, { rules: [{ host: 'b' }] }],
  [
    'ports of a container',
    { ports: [{ containerPort: 80, name: 'a' }] },
    { ports: [{ containerPort: 80, name: 'b' }] },
    { ports: [{ containerPort: 80, name: 'b' }] },
  ],
  [
    'ports of a Service',
    { ports: [{ port: 80, targetPort: 1 }] },
    { ports: [{ port: 81 }] },
    { ports: [{ port: 80, targetPort: 1 }, { port: 81 }] },
  ],
  [
    'what is new without words for what was',
    { a: 1 },
    { b: { c: null, d: [{ $patch: 'delete', name: 'x' }] } },
    { a: 1, b: { d: [] } },
  ],
])('strategic merge: %s', (_, under, over, after) => {
  const copy = structuredClone(under)
  expect(merged(under, over)).toEqual(after)
  expect(under).toEqual(copy)
})
