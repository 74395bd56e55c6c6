import { expect, test } from 'vitest'
import type { KubeObject } from '../../../src/lib/objects.ts'
import { checkNamespaces } from '../../../src/render/references.ts'
import { homeOf } from '../../../src/render/transforms/namespace.ts'
import { inputFor, manifestOf, under } from './rig.ts'

const object = (kind: string, rest: object = {}, namespace: string | undefined = 'prod'): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name: 'one', ...(namespace === undefined ? {} : { namespace }) },
  ...rest,
})
const clusterScoped = inputFor({}).clusterScoped
const home = (...objects: readonly KubeObject[]) => homeOf(objects.map(manifestOf), 'shop', clusterScoped)
const moved = (one: KubeObject) => under({}, one, { home: 'prod' })

test('the namespace that everything names is production’s; one that only some name is not', () => {
  const prod: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'prod' } }
  expect(home(prod, object('ConfigMap'), object('Service'))).toBe('prod')
  expect(home(object('ConfigMap'), { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' } })).toBeUndefined()
  expect(home(object('ConfigMap'), object('ConfigMap', {}, 'other'))).toBeUndefined()
  expect(home(object('ConfigMap', {}, 'shop'))).toBeUndefined()
  expect(home()).toBeUndefined()
})

test('what is of a third namespace is told with its place: PLAN-107', () => {
  const manifests = [object('ConfigMap'), object('Service', {}, 'monitoring')].map(manifestOf)
  expect(() => checkNamespaces(manifests, 'shop', undefined)).toThrow(expect.objectContaining({ code: 'PLAN-107' }))
  expect(() => checkNamespaces(manifests.slice(0, 1), 'shop', 'prod')).not.toThrow()
})

test('an object of it, and all that means it, goes into the environment’s', () => {
  expect(moved(object('ConfigMap'))?.metadata.namespace).toBe('shop')
  expect(moved({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'prod' } })?.metadata).toEqual({ name: 'shop' })
  const subjects = (namespace: string) => [{ kind: 'ServiceAccount', name: 'one', namespace }]
  expect(moved(object('RoleBinding', { subjects: subjects('prod') }))).toEqual(
    object('RoleBinding', { subjects: subjects('shop') }, 'shop'),
  )
  const webhooks = (namespace: string) => ({ webhooks: [{ clientConfig: { service: { name: 'one', namespace } } }] })
  expect(moved(object('Hook', webhooks('prod')))).toEqual(object('Hook', webhooks('shop'), 'shop'))
  const policy = (name: string) => ({
    spec: { ingress: [{ from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } } }] }] },
  })
  expect(moved(object('NetworkPolicy', policy('prod')))).toEqual(object('NetworkPolicy', policy('shop'), 'shop'))
  const data = (namespace: string) => ({
    data: { url: `http://db.${namespace}.svc.cluster.local:80,http://a.${namespace}.svc/` },
  })
  expect(moved(object('ConfigMap', data('prod')))).toEqual(object('ConfigMap', data('shop'), 'shop'))
})

test('what only looks like it stays', () => {
  const stays = {
    data: { namespace: 'prod', text: 'db.prod.svcs db.prod prod.svc db.other.svc db.prod.svc-a', list: 'prod' },
    spec: { env: 'prod', names: ['prod'], other: { namespace: 'monitoring' } },
  }
  expect(moved(object('ConfigMap', stays))).toEqual(object('ConfigMap', stays, 'shop'))
  const other = object('ConfigMap', stays, 'shop')
  expect(moved(other)).toBe(other)
})
