import { afterAll, beforeAll, expect, test } from 'vitest'
import { applyManifest, checkManifests, ownLabels } from '../../src/deploy/apply.ts'
import { checkBySchema } from '../../src/deploy/crd-schema.ts'
import { observe } from '../../src/deploy/observed.ts'
import type { KubeObject, Manifest } from '../../src/lib/objects.ts'
import { type ApiRig, openApiRig } from './api-rig.ts'

// Kinds and namespaces that come in the same run as objects of them.

let rig: ApiRig
let namespace: string
const kind = `Lamp${process.pid}`
const [plural, group] = [`${kind.toLowerCase()}s`, 'kinds.devkit.test']
const labels = ownLabels('t-kinds', 'default')

beforeAll(async () => {
  rig = await openApiRig()
  namespace = rig.namespace(`t-kinds-${process.pid}`)
}, 120_000)
afterAll(async () => {
  rig?.kubectl(['delete', 'crd', `${plural}.${group}`, '--ignore-not-found'])
  await rig?.[Symbol.asyncDispose]()
})

const spec = {
  type: 'object',
  required: ['colour', 'mode'],
  properties: {
    colour: { type: 'string', enum: ['warm', 'cold'] },
    mode: { type: 'string', default: 'on' },
    watts: { type: 'integer', minimum: 0, exclusiveMinimum: true },
    share: { type: 'number', maximum: 1 },
    at: { type: 'string', nullable: true },
    name: { type: 'string', pattern: '^[a-z]+$', maxLength: 3 },
    port: { 'x-kubernetes-int-or-string': true },
    free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    empty: { type: 'object' },
    texts: { type: 'object', additionalProperties: { type: 'string' } },
    set: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
    pod: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
    one: {
      type: 'object',
      properties: { a: { type: 'string' }, b: { type: 'string' } },
      oneOf: [{ required: ['a'] }, { required: ['b'] }],
    },
  },
}
const schema = { openAPIV3Schema: { type: 'object', properties: { spec } } }
const definition: KubeObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.${group}` },
  spec: {
    group,
    names: { kind, plural, singular: kind.toLowerCase() },
    scope: 'Namespaced',
    versions: [{ name: 'v1', served: true, storage: true, schema }],
  },
}
const manifest = (object: KubeObject): Manifest => ({ object, origin: { file: 'k8s/lamp.yaml', line: 1 } })
const lamp = (name: string, fields: object, metadata: object = {}): Manifest =>
  manifest({ apiVersion: `${group}/v1`, kind, metadata: { name, namespace, ...metadata }, spec: { colour: 'warm', ...fields } })

/** What `up` does before it waits. */
async function run(manifests: readonly Manifest[]): Promise<readonly string[]> {
  const observed = await observe(rig.kube, manifests, rig.signal)
  const { unchecked } = await checkManifests(rig.kube, manifests, { labels, namespace, observed }, rig.signal)
  for (const one of manifests) await applyManifest(rig.kube, one, { labels, observed }, rig.signal)
  return unchecked
}

test('an object of a kind that comes in the same run is checked before the first write, and works in that run', async () => {
  const broken = manifest({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'other', namespace }, dta: {} })
  await expect(run([manifest(definition), lamp('desk', { wats: 1 }), broken])).rejects.toMatchObject({
    code: 'APPLY-101',
    message: expect.stringMatching(
      /^2 objects are refused:\n.*ConfigMap\/other: dta: unknown field; did you mean 'data'\?\n.*Lamp\d+\/desk: spec\.wats: unknown field; did you mean 'watts'\?$/,
    ),
  })
  expect(rig.kubectl(['get', 'crd', `${plural}.${group}`, '--ignore-not-found'])).toBe('')
  expect(await run([manifest(definition), lamp('desk', { watts: 1 })])).toEqual([
    `${kind}/desk: checked by the schema of CustomResourceDefinition/${plural}.${group}, without admission`,
  ])
  expect(rig.kubectl(['get', plural, 'desk', '-n', namespace, '-o', 'jsonpath={.spec.watts}'])).toBe('1')
  // from then on the server itself is asked
  expect(await run([manifest(definition), lamp('desk', { watts: 2 })])).toEqual([])
}, 60_000)

test('the schema says what the server says', async () => {
  await run([manifest(definition)])
  const cases: readonly object[] = [
    {},
    ...[{ colour: 'blue' }, { colour: null }, { mode: null }, { mode: 1 }],
    ...[{ watts: 0 }, { watts: 1 }, { watts: 1.5 }, { watts: '1' }, { share: 1 }, { share: 1.1 }, { share: 0.5 }],
    ...[{ at: null }, { at: 'x' }, { name: null }, { name: 'abc' }, { name: 'ABC' }, { name: 'abcd' }],
    ...[{ port: 80 }, { port: 'http' }, { port: 1.5 }, { port: true }],
    ...[{ free: { any: { thing: [1] } } }, { empty: {} }, { empty: { a: 1 } }, { texts: { a: 'b' } }, { texts: { a: 1 } }],
    ...[{ set: ['a', 'b'] }, { set: ['a', 1] }, { one: { a: 'x' } }, { one: {} }, { one: { a: 'x', b: 'y' } }],
    ...[{ pod: { kind: 'Pod' } }, { pod: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' }, spec: {} } }],
    { pod: { apiVersion: 'v1', kind: 'Pod', metadata: { nme: 'x' } } },
  ]
  const objects = [
    ...cases.map((fields, index) => lamp(`case-${index}`, fields)),
    lamp('labelled', {}, { labels: { a: 1 } }),
    lamp('misspelt', {}, { anotations: {} }),
    lamp('written', {}, { creationTimestamp: null, annotations: null }),
  ]
  const accepts = async (one: Manifest): Promise<boolean> =>
    rig.kube.apply(one.object, rig.signal, { dryRun: true }).then(
      () => true,
      () => false,
    )
  for (const one of objects) {
    const { problems } = await checkBySchema([one], [definition])
    const said = JSON.stringify([one.object.metadata, one.object['spec'], problems.map(({ message }) => message)])
    expect.soft(problems.length === 0, said).toBe(await accepts(one))
  }
}, 60_000)

test('an object whose namespace comes in the same run is checked before the first write', async () => {
  const second = `${namespace}-second`
  const of = (rest: object): readonly Manifest[] => [
    manifest({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: second } }),
    manifest({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', namespace: second }, ...rest }),
  ]
  try {
    await expect(run(of({ dta: {} }))).rejects.toMatchObject({ code: 'APPLY-101', message: expect.stringContaining("'data'") })
    expect(rig.kubectl(['get', 'namespace', second, '--ignore-not-found'])).toBe('')
    expect(await run(of({ data: { a: 'b' } }))).toEqual([])
  } finally {
    rig.kubectl(['delete', 'namespace', second, '--ignore-not-found', '--wait=false'])
  }
}, 60_000)
