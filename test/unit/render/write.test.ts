import { expect, test } from 'vitest'
import { readManifests } from '../../../src/render/read.ts'
import { yamlOf } from '../../../src/render/write.ts'
import { corpus } from '../../fixtures/corpus.ts'

async function readAgain(text: string): Promise<unknown> {
  const { manifests, problems } = await readManifests(Buffer.from(text), 'a.yaml')
  expect(problems.map(({ message }) => message)).toEqual([])
  return JSON.parse(JSON.stringify(manifests.map(({ object }) => object)))
}

test('objects are written as people write them', () => {
  const object = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', annotations: { note: 'öne\n\n  two\n', last: 'a\nb' } },
    spec: {
      replicas: 2,
      left: undefined,
      containers: [{ name: 'main', args: ['--port=80', 'a: b', '$(HOME)', ''] }, { env: [] }],
    },
    empty: {},
    nested: [[1, [true]], null, ['a\nb\n']],
  }
  expect(yamlOf(object)).toBe(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations:
    note: |
      öne

        two
    last: |-
      a
      b
spec:
  replicas: 2
  containers:
    - name: main
      args:
        - --port=80
        - "a: b"
        - $(HOME)
        - ""
    - env: []
empty: {}
nested:
  - - 1
    - - true
  - null
  - - |
      a
      b
`)
})

test('every trap of the corpus is read again as it was', async () => {
  for (const { name, bytes } of corpus()) {
    const { manifests } = await readManifests(bytes, name)
    const objects = manifests.map(({ object }) => object)
    expect(await readAgain(objects.map(yamlOf).join('---\n')), name).toEqual(JSON.parse(JSON.stringify(objects)))
  }
})

// yes and 1_000 are no texts for kubectl, which reads YAML 1.1
const whole = [
  'yes',
  'No',
  'on',
  'y',
  'null',
  '~',
  '',
  '1_000',
  '0b11',
  '0o14',
  '012',
  '0x1F',
  '.5',
  '1e3',
  '.inf',
  '+1_0',
  '<<',
  '=',
  '2001-01-01',
]
const pieces = [
  'a',
  ' ',
  '\n',
  '\t',
  '\r',
  ':',
  ': ',
  ' #',
  '#',
  '- ',
  '-',
  '---',
  '\n---\n',
  '...',
  '"',
  "'",
  '\\',
  '*',
  '&',
  '!',
  '%',
  '@',
  '`',
  '|',
  '>',
  '?',
  '{',
  '[',
  ',',
  '0',
  '1',
  'é',
  '\u0085',
  '\u2028',
  '\ufeff',
  '\0',
  '\u007f',
  '😀',
  '$',
  '=',
  '~',
  'y',
  '.',
  '_',
]

test('whatever its texts are, an object is read again as it was', async () => {
  let state = 7
  const upTo = (most: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * most)
  }
  const made = Array.from({ length: 6000 }, () => Array.from({ length: 1 + upTo(6) }, () => pieces[upTo(pieces.length)]).join(''))
  for (const text of [...whole, ...made]) {
    const object = {
      apiVersion: 'v1',
      kind: 'A',
      metadata: { name: 'a' },
      spec: [{ [text]: text, b: [text, [text]] }, text],
      [`x${text}`]: 1,
    }
    expect(await readAgain(`${yamlOf(object)}---\n${yamlOf(object)}`), JSON.stringify(text)).toEqual([object, object])
  }
})
