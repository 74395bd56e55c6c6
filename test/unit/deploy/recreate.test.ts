import { expect, test } from 'vitest'
import { fits, recreationFor, unheaded } from '../../../src/deploy/recreate.ts'
import { ApiFailure } from '../../../src/kube/kube.ts'
import type { KubeObject } from '../../../src/lib/objects.ts'

// What the API server says here it said to test/contract/deploy-recreate.test.ts.

const object = (apiVersion: string, kind: string, spec: object = {}, status: object = {}): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name: 'one', namespace: 'shop' },
  spec,
  status,
})
const refused = (...causes: ApiFailure['causes'][number][]) => new ApiFailure(422, 'Invalid', 'it is invalid', causes)
const immutable = {
  reason: 'FieldValueInvalid',
  message: 'Invalid value: {"app":"two"}: field is immutable',
  field: 'spec.selector',
}
const set = {
  reason: 'FieldValueForbidden',
  message: "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals' are forbidden",
  field: 'spec',
}
const required = { reason: 'FieldValueRequired', message: 'Required value', field: 'spec.template.spec.containers' }

test.each([
  ['apps/v1', 'Deployment', { strategy: { type: 'Recreate' } }, immutable, { how: 'replace', propagation: 'Foreground' }],
  ['apps/v1', 'Deployment', {}, immutable, { how: 'replace', propagation: 'Background', fields: ['spec.selector'] }],
  ['batch/v1', 'Job', {}, immutable, { how: 'replace' }],
  ['apps/v1', 'StatefulSet', {}, set, { how: 'orphan', fields: ['spec'] }],
  ['v1', 'PersistentVolumeClaim', {}, set, { how: 'lose', what: expect.stringContaining('all that is in its volume') }],
  ['databases.example.com/v1', 'Deployment', {}, immutable, { how: 'lose' }],
  ['apiextensions.k8s.io/v1', 'CustomResourceDefinition', {}, immutable, { how: 'refuse' }],
])('%s %s: what making it anew means', (apiVersion, kind, spec, cause, wanted) => {
  expect(recreationFor(object(apiVersion, kind), object(apiVersion, kind, spec), refused(cause))).toMatchObject(wanted)
})

test('a volume that is bound is not offered', () => {
  const volume = (phase: string) => object('v1', 'PersistentVolume', { claimRef: { namespace: 'shop', name: 'data' } }, { phase })
  const how = (phase: string) => recreationFor(volume(phase), volume(phase), refused(immutable))?.how
  expect([how('Bound'), how('Available')]).toEqual(['refuse', 'lose'])
})

test('nothing is made anew for what would be refused anyway', () => {
  const one = object('apps/v1', 'Deployment')
  expect(recreationFor(one, one, refused(immutable, required))).toBeUndefined()
  expect(recreationFor(one, one, refused(required))).toBeUndefined()
  expect(recreationFor(one, one, new ApiFailure(409, 'Conflict', 'field is immutable'))).toBeUndefined()
})

test('a Service without cluster IP gets one by being made anew, unless it needs none', () => {
  const headless = object('v1', 'Service', { clusterIP: 'None' })
  expect(unheaded(headless, object('v1', 'Service'))).toMatchObject({ how: 'replace' })
  expect(unheaded(headless, headless)).toBeUndefined()
  expect(unheaded(headless, object('v1', 'Service', { type: 'ExternalName' }))).toBeUndefined()
  expect(unheaded(object('v1', 'Service', { clusterIP: '10.0.0.1' }), object('v1', 'Service'))).toBeUndefined()
})

test('a StatefulSet takes over a pod that it selects, with its name in the network and its volumes', () => {
  const claim = (name: string) => ({ metadata: { name } })
  const pod: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'db-0', labels: { app: 'db', other: 'x' } },
    spec: { subdomain: 'db', volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data-db-0' } }] },
  }
  const spec = { serviceName: 'db', selector: { matchLabels: { app: 'db' } }, volumeClaimTemplates: [claim('data')] }
  const isFit = (over: object) => fits(pod, object('apps/v1', 'StatefulSet', { ...spec, ...over }))
  expect(isFit({})).toBe(true)
  expect(isFit({ volumeClaimTemplates: [] })).toBe(true)
  expect(isFit({ selector: { matchLabels: { app: 'other' } } })).toBe(false)
  expect(isFit({ serviceName: 'other' })).toBe(false)
  expect(isFit({ volumeClaimTemplates: [claim('data'), claim('more')] })).toBe(false)
})
