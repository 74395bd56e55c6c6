import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Manifest } from '../../../src/lib/objects.ts'
import { template } from '../../../src/render/template.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'devkit-template-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function render(text: string, parameters: Readonly<Record<string, string>> = {}, invents = true): Promise<readonly Manifest[]> {
  writeFileSync(join(directory, 'a.yaml'), text)
  const input = { directory, namespace: 'shop', kubernetes: '1.34', apiVersions: [], invents }
  return template.render({ template: { file: 'a.yaml', parameters } }, input, { signal: new AbortController().signal })
}

const head = 'apiVersion: template.openshift.io/v1\nkind: Template\nmetadata: {name: t}\n'
const map = (data: string, metadata = '{name: a}') =>
  `objects:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: ${metadata}\n  data: ${data}\n`

test('texts take parameters as text, whole values as what they are, and what is no parameter stays', async () => {
  const [a] = await render(
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the language of OpenShift
    `${head}parameters:\n- {name: COUNT, value: 3}\n- {name: W, value: w}\n${map('{text: "${W}-${COUNT}", number: "${{COUNT}}", "${W}key": "${OTHER} $(W) $W", word: "${{W}}"}')}`,
    { W: 'x' },
  )
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the language of OpenShift
  expect(a?.object['data']).toEqual({ text: 'x-3', number: 3, xkey: '${OTHER} $(W) $W', word: 'x' })
})

test('labels of the template are on every object; a namespace that is written out is not taken over, one of a parameter is', async () => {
  const text = `${head}labels: {app: "\${NAME}"}\nparameters:\n- {name: NAME, value: shop}\n`
  const [a] = await render(text + map('{}', '{name: a, namespace: prod, labels: {own: x}}'))
  expect(a?.object.metadata).toEqual({ name: 'a', labels: { own: 'x', app: 'shop' } })
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the language of OpenShift
  const [b] = await render(text + map('{}', '{name: a, namespace: "${NAME}"}'))
  expect(b?.object.metadata.namespace).toBe('shop')
})

test('what is generated fits its expression and is the same in every run, and nowhere where it must not be made up', async () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the language of OpenShift
  const text = `${head}parameters:\n- {name: A, generate: expression, from: 'x[a-c0-1]{8}[\\d]{3}y'}\n- {name: B, generate: expression, from: '[\\w]{40}'}\n${map('{a: "${A}", b: "${B}"}')}`
  const [first] = await render(text)
  const { a, b } = (first?.object['data'] ?? {}) as Record<string, string>
  expect(a).toMatch(/^x[abc01]{8}\d{3}y$/)
  expect(b).toMatch(/^\w{40}$/)
  expect(new Set(b ?? '').size).toBeGreaterThan(10)
  expect((await render(text))[0]?.object).toEqual(first?.object)
  await expect(render(text, {}, false)).rejects.toMatchObject({
    code: 'RENDER-107',
    message: expect.stringMatching(/a\.yaml:5: A .*\na\.yaml:6: B /),
  })
  const [given] = await render(text, { A: '1', B: '2' }, false)
  expect(given?.object['data']).toEqual({ a: '1', b: '2' })
})

test('every parameter that is wrong is told at once, with the nearest right name', async () => {
  const text = `${head}parameters:\n- {name: HOST, required: true}\n- {name: EMPTY}\n- {name: PORT, value: "80"}\n${map('{}')}`
  await expect(render(text, { PORTS: '1' })).rejects.toMatchObject({
    code: 'RENDER-107',
    message: expect.stringMatching(/a\.yaml:5: HOST is required[^\n]*\n[^\n]*PORTS; did you mean PORT\?$/),
  })
})

test('what is no template, and objects in it that are none, are told with their places', async () => {
  await expect(render('apiVersion: v1\nkind: List\nitems: []\n')).rejects.toMatchObject({
    code: 'RENDER-102',
    message: expect.stringContaining('a.yaml:1'),
  })
  await expect(render(`${head}objects:\n- {apiVersion: v1, kind: A, metadata: {name: a}}\n- {kind: B}\n`)).rejects.toMatchObject({
    code: 'RENDER-102',
    message: expect.stringMatching(/^a\.yaml:6: /),
  })
})
