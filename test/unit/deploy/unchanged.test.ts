import { describe, expect, test } from 'vitest'
import { isUnchanged } from '../../../src/deploy/unchanged.ts'
import type { KubeObject } from '../../../src/lib/objects.ts'

const wanted: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop', labels: { app: 'web' } },
  spec: {
    containers: [
      { name: 'web', image: 'web:1', ports: [{ containerPort: 80 }], resources: { requests: { cpu: '0.5' } } },
      { name: 'side', image: 'side:1' },
    ],
    volumes: [{ name: 'scratch', emptyDir: {} }],
  },
}
const labelsOwned = { 'f:metadata': { 'f:labels': { 'f:app': {} } } }
const owned = {
  ...labelsOwned,
  'f:spec': {
    'f:containers': {
      'k:{"name":"web"}': {
        '.': {},
        'f:name': {},
        'f:image': {},
        'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} } },
        'f:resources': { 'f:requests': { 'f:cpu': {} } },
      },
      'k:{"name":"side"}': { '.': {}, 'f:name': {}, 'f:image': {} },
    },
    'f:volumes': { 'k:{"name":"scratch"}': { '.': {}, 'f:name': {}, 'f:emptyDir': {} } },
  },
}
const entry = { manager: 'devkit', operation: 'Apply', apiVersion: 'v1', fieldsV1: owned }
/** As a server keeps it: with its defaults, and what others have added. */
const live = {
  ...wanted,
  metadata: { ...wanted.metadata, labels: { app: 'web', theirs: 'too' }, uid: 'u', managedFields: [entry] },
  spec: {
    restartPolicy: 'Always',
    containers: [
      {
        name: 'web',
        image: 'web:1',
        imagePullPolicy: 'IfNotPresent',
        ports: [{ containerPort: 80, protocol: 'TCP' }],
        resources: { requests: { cpu: '500m' } },
      },
      { name: 'injected', image: 'proxy:1' },
      { name: 'side', image: 'side:1' },
    ],
    volumes: [{ name: 'scratch', emptyDir: {} }],
  },
  status: { phase: 'Running' },
}

/** A copy in which one thing is different. */
function but<T>(object: T, change: (copy: Any) => void): T {
  const copy = structuredClone(object)
  change(copy)
  return copy
}
// biome-ignore lint/suspicious/noExplicitAny: tests reach into objects of any shape
type Any = any

test('defaults of the server, quantities in another writing and what others have added change nothing', () => {
  expect(isUnchanged(live, wanted)).toBe(true)
})

test('inside of what is owned as one, only the defaults of the server count as nothing', () => {
  const policy = (port: object): KubeObject => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'web', labels: { app: 'web' } },
    spec: { ingress: [{ ports: [port] }] },
  })
  const applied = { ...entry, apiVersion: 'networking.k8s.io/v1', fieldsV1: { ...labelsOwned, 'f:spec': { 'f:ingress': {} } } }
  const there = {
    ...policy({ port: 80, protocol: 'TCP' }),
    metadata: { name: 'web', labels: { app: 'web' }, managedFields: [applied] },
  }
  expect(isUnchanged(there, policy({ port: 80 }))).toBe(true)
  const ranged = { ...policy({ port: 80, endPort: 90, protocol: 'TCP' }), metadata: there.metadata }
  expect(isUnchanged(ranged, policy({ port: 80 }))).toBe(false)
})

describe('the server is asked', () => {
  test.each<[string, (live: Any, wanted: Any) => void]>([
    ['a value that differs', (_, w) => (w.spec.containers[0].image = 'web:2')],
    ['a value that somebody changed', (l) => (l.spec.containers[2].image = 'side:2')],
    ['a quantity that differs', (_, w) => (w.spec.containers[0].resources.requests.cpu = '0.6')],
    ['a field that is new in the manifest', (_, w) => (w.spec.nodeName = 'one')],
    ['a new field that the live object happens to have', (_, w) => (w.spec.restartPolicy = 'Always')],
    ['a field that left the manifest', (_, w) => delete w.spec.containers[1].image],
    ['an item that left the manifest', (_, w) => w.spec.containers.pop()],
    ['an item that is gone from the cluster', (l) => l.spec.containers.pop()],
    ['another order', (_, w) => w.spec.containers.reverse()],
    ['a label that somebody removed', (l) => delete l.metadata.labels.app],
    ['an empty map that somebody filled', (l) => (l.spec.volumes[0].emptyDir = { medium: 'Memory' })],
    ['another port with the same number', (_, w) => (w.spec.containers[0].ports[0].protocol = 'UDP')],
    ['another version of the API', (l) => (l.metadata.managedFields[0].apiVersion = 'v2')],
    ['an object that devkit never applied', (l) => (l.metadata.managedFields[0].manager = 'helm')],
    [
      'an object that kubectl has applied too',
      (l) => l.metadata.managedFields.push({ manager: 'kubectl-client-side-apply', operation: 'Update', fieldsV1: {} }),
    ],
    ['an object on its way out', (l) => (l.metadata.deletionTimestamp = '2026-01-01T00:00:00Z')],
  ])('of %s', (_, change) => {
    const pair = but({ live, wanted }, (copy) => void change(copy.live, copy.wanted))
    expect(isUnchanged(pair.live, pair.wanted)).toBe(false)
  })
})

describe('a text is no quantity, and nobody fills in defaults, where the server keeps what it gets', () => {
  /** Devkit has applied `before` and owns all of `owned`; whether `after` is the same. */
  const isSameAs = (before: KubeObject, after: KubeObject, owned: object): boolean =>
    isUnchanged(
      {
        ...before,
        metadata: {
          ...before.metadata,
          managedFields: [{ ...entry, apiVersion: before.apiVersion, fieldsV1: { ...labelsOwned, ...owned } }],
        },
      },
      after,
    )
  const of = (apiVersion: string, kind: string, rest: object): KubeObject => ({
    apiVersion,
    kind,
    metadata: { name: 'web', labels: { app: 'web' } },
    ...rest,
  })

  test('a key of a ConfigMap', () => {
    const settings = (limits: string): KubeObject => of('v1', 'ConfigMap', { data: { limits } })
    const owned = { 'f:data': { 'f:limits': {} } }
    expect(isSameAs(settings('1'), settings('1'), owned)).toBe(true)
    expect(isSameAs(settings('1000m'), settings('1'), owned)).toBe(false)
  })

  test('a limit of a custom resource', () => {
    const rate = (limit: string): KubeObject => of('example.com/v1', 'Rate', { spec: { limits: { rate: limit } } })
    const owned = { 'f:spec': { 'f:limits': { 'f:rate': {} } } }
    expect(isSameAs(rate('1k'), rate('1k'), owned)).toBe(true)
    expect(isSameAs(rate('1k'), rate('1000'), owned)).toBe(false)
  })

  test('a field that leaves a list of a custom resource', () => {
    const entryWith = (port: object): KubeObject => of('networking.istio.io/v1', 'ServiceEntry', { spec: { ports: [port] } })
    const owned = { 'f:spec': { 'f:ports': {} } }
    expect(isSameAs(entryWith({ number: 80, protocol: 'TCP' }), entryWith({ number: 80, protocol: 'TCP' }), owned)).toBe(true)
    expect(isSameAs(entryWith({ number: 80, protocol: 'TCP' }), entryWith({ number: 80 }), owned)).toBe(false)
  })
})
