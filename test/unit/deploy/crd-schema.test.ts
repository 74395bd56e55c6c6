import { expect, test } from 'vitest'
import { checkBySchema } from '../../../src/deploy/crd-schema.ts'
import type { KubeObject, Manifest } from '../../../src/lib/objects.ts'

const definition = (spec: object, more: object = {}): KubeObject => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'lamps.example.com' },
  spec: {
    group: 'example.com',
    names: { kind: 'Lamp' },
    versions: [
      { name: 'v1', served: true, schema: { openAPIV3Schema: { type: 'object', properties: { spec } } }, ...more },
      { name: 'v0', served: false, schema: { openAPIV3Schema: { type: 'object' } } },
    ],
  },
})
const lamp = (spec: unknown, rest: object = {}): Manifest => ({
  object: { apiVersion: 'example.com/v1', kind: 'Lamp', metadata: { name: 'desk' }, spec, ...rest },
  origin: { file: 'k8s/lamp.yaml', line: 1, lineAt: (path) => 10 + path.length },
})
const said = async (schema: object, spec: unknown, rest: object = {}): Promise<readonly string[]> => {
  const { problems } = await checkBySchema([lamp(spec, rest)], [definition(schema)])
  return problems.flatMap(({ message }) => message.replace(/\.$/, '').split('\n'))
}
const of = (properties: object, more: object = {}): object => ({ type: 'object', properties, ...more })
const at = (line: number, rest: string): string => `k8s/lamp.yaml:${line}: Lamp/desk: ${rest}`

test('all that is wrong is told at once, with place, nearest word and the values that would do', async () => {
  const schema = of(
    {
      colour: { type: 'string', enum: ['warm', 'cold'] },
      watts: { type: 'integer', maximum: 100, exclusiveMaximum: true },
      arms: { type: 'array', items: of({ length: { type: 'integer' } }) },
      labels: { type: 'object', additionalProperties: { type: 'string' } },
    },
    { required: ['colour'] },
  )
  const wrong = { watts: 100, arms: [{ length: 1 }, { lenght: 2, length: 'x' }], labels: { 'a/b': 1 } }
  expect(await said(schema, wrong, { metadata: { name: 'desk', label: {} } })).toEqual([
    at(12, 'spec.colour: required, and missing'),
    at(12, 'spec.watts: must be < 100'),
    at(14, "spec.arms[1].lenght: unknown field; did you mean 'length'?"),
    at(14, 'spec.arms[1].length: must be integer'),
    at(13, 'spec.labels.a/b: must be string'),
    at(12, "metadata.label: unknown field; did you mean 'labels'?"),
  ])
  expect(await said(schema, { colour: 'blue' })).toEqual([at(12, 'spec.colour: must be one of warm, cold')])
  expect(await said(schema, { colour: 'warm', watts: 99, arms: [], labels: {} })).toEqual([])
})

test('defaults are laid in before anything is missing, and nothing is laid into the manifest', async () => {
  const schema = of(
    { colour: { type: 'string', default: 'warm' }, at: { type: 'string', nullable: true } },
    { required: ['colour'] },
  )
  const manifest = lamp({ at: null })
  expect(await checkBySchema([manifest], [definition(schema)])).toMatchObject({ problems: [] })
  expect(manifest.object['spec']).toEqual({ at: null })
  expect(await said(schema, { colour: null })).toEqual([])
})

test('what Kubernetes adds to schemas is read as it means it', async () => {
  const port = { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] }
  expect(await said(of({ port }), { port: 80 })).toEqual([])
  expect(await said(of({ port }), { port: 'http' })).toEqual([])
  expect(await said(of({ port }), { port: true })).toHaveLength(2)
  const open = of({ known: of({ a: { type: 'string' } }) }, { 'x-kubernetes-preserve-unknown-fields': true })
  expect(await said(open, { whatever: { is: 1 }, known: { a: 'x' } })).toEqual([])
  expect(await said(open, { known: { b: 'x' } })).toEqual([at(13, "spec.known.b: unknown field; did you mean 'a'?")])
  const embedded = { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true }
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { labels: { a: 'b' } }, spec: {} }
  expect(await said(of({ pod: embedded }), { pod })).toEqual([])
  expect(await said(of({ pod: embedded }), { pod: { kind: 'Pod' } })).toEqual([
    at(13, 'spec.pod.apiVersion: required, and missing'),
  ])
  // a branch of a choice does not close what it names
  const choice = of({ a: { type: 'string' }, b: { type: 'string' } }, { oneOf: [{ required: ['a'] }, { required: ['b'] }] })
  expect(await said(choice, { a: 'x' })).toEqual([])
  expect(await said(choice, {})).toEqual([at(11, 'spec: must match exactly one schema in oneOf')])
  expect(
    await said(of({ set: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } } }), { set: ['a', 'a'] }),
  ).toHaveLength(1)
})

test('what is left to the apply is told, and other kinds are nobody to it', async () => {
  const schema = of({
    name: { type: 'string', pattern: '(?i)^[a-z]+$', 'x-kubernetes-validations': [{ rule: 'self != "x"' }] },
    at: { type: 'string', format: 'date-time', pattern: '^[0-9]' },
    keyed: { type: 'array', 'x-kubernetes-list-type': 'map', items: { type: 'object' } },
  })
  const second = { ...lamp({}), object: { ...lamp({}).object, metadata: { name: 'floor' } } }
  const { unchecked, problems } = await checkBySchema([lamp({ name: 'Å', at: 'x' }), second], [definition(schema)])
  expect(unchecked).toEqual([
    'Lamp/desk, Lamp/floor: checked by the schema of CustomResourceDefinition/lamps.example.com, without admission, ' +
      'rules (x-kubernetes-validations), the pattern (?i)^[a-z]+$, the format date-time, keys of lists',
  ])
  expect(problems).toHaveLength(1)
  const none = { problems: [], unchecked: [] }
  const other = { ...lamp({}), object: { ...lamp({}).object, apiVersion: 'example.com/v0' } }
  expect(await checkBySchema([other], [definition(schema)])).toEqual(none)
  expect(await checkBySchema([lamp({})], [lamp({}).object])).toEqual(none)
})

test('a schema that cannot be read, or that is not there, leaves all to the apply', async () => {
  for (const broken of [of({ a: { type: 'nonsense' } }), of({ a: { multipleOf: 'x' } })])
    expect(await checkBySchema([lamp({ a: 1 })], [definition(broken)])).toEqual({
      problems: [],
      unchecked: [expect.stringContaining('its schema, which cannot be read')],
    })
  const { problems } = await checkBySchema([lamp({ a: 1 })], [definition({}, { schema: undefined })])
  expect(problems).toEqual([])
})
