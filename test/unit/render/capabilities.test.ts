import { expect, test } from 'vitest'
import type { KubeObject, Manifest } from '../../../src/lib/objects.ts'
import { capabilitiesOf, minorOf } from '../../../src/render/capabilities.ts'
import { isRemoved, oldApi } from '../../../src/render/removed-apis.ts'

const crd = (spec: object): Manifest => ({
  object: {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'a' },
    spec,
  } as KubeObject,
  origin: { file: 'crd.yaml', line: 1 },
})

test('kinds live where a cluster has them, those of a CRD where it says', () => {
  const { isNamespaced } = capabilitiesOf('1.34', [
    crd({ group: 'example.com', scope: 'Cluster', names: { kind: 'Fleet' }, versions: [{ name: 'v1' }, { name: 'v2' }] }),
    crd({ group: 'example.com', scope: 'Namespaced', names: { kind: 'ClusterLink' }, versions: [{ name: 'v1' }] }),
    crd({ versions: [null, 7], names: null }),
  ])
  const where = (name: string): boolean => {
    const slash = name.lastIndexOf('/')
    return isNamespaced({ apiVersion: name.slice(0, slash), kind: name.slice(slash + 1) })
  }
  expect(['v1/ConfigMap', 'apps/v1/Deployment', 'example.com/v1/ClusterLink', 'other.dev/v1/Widget'].map(where)).toEqual(
    Array.from({ length: 4 }, () => true),
  )
  const clusterWide = [
    'v1/Namespace',
    'rbac.authorization.k8s.io/v1/ClusterRole',
    'rbac.authorization.k8s.io/v1beta1/ClusterRole',
    'storage.k8s.io/v1/VolumeAttributesClass',
    'example.com/v2/Fleet',
    // nobody says: by how such kinds are named
    'cert-manager.io/v1/ClusterIssuer',
    'gateway.networking.k8s.io/v1/GatewayClass',
  ]
  expect(clusterWide.filter(where)).toEqual([])
})

test('a version serves what it has, and CRDs add to it', () => {
  const served = (version: string) => new Set(capabilitiesOf(version).apiVersions)
  expect(served('1.33').has('resource.k8s.io/v1')).toBe(false)
  expect(served('1.34').has('resource.k8s.io/v1/DeviceClass')).toBe(true)
  expect(served('1.32').has('networking.k8s.io/v1/ServiceCIDR')).toBe(false)
  expect(served('1.30')).toEqual(served('1.32'))
  expect(served('1.99')).toEqual(served('1.35'))
  const widget = crd({ group: 'example.com', names: { kind: 'Widget' }, versions: [{ name: 'v1' }] })
  expect(capabilitiesOf(undefined, [widget]).apiVersions).toContain('example.com/v1/Widget')
  expect(minorOf('v1.34.10')).toBe(34)
})

test('an old API is told with what takes its place, removed from its version on', () => {
  const ingress = oldApi('extensions/v1beta1', 'Ingress')
  expect(ingress).toMatchObject({ removedIn: '1.22', now: 'networking.k8s.io/v1', also: expect.stringContaining('pathType') })
  expect(['1.21', '1.22', '1.34'].map((version) => ingress && isRemoved(ingress, version))).toEqual([false, true, true])
  const endpoints = oldApi('v1', 'Endpoints')
  expect(endpoints && isRemoved(endpoints, '1.34')).toBe(false)
  expect(oldApi('networking.k8s.io/v1', 'Ingress')).toBeUndefined()
})

test('what takes the place of an old API is served', () => {
  const { isBuiltIn } = capabilitiesOf()
  const table = [
    ['extensions/v1beta1', 'Deployment'],
    ['policy/v1beta1', 'PodDisruptionBudget'],
    ['autoscaling/v2beta2', 'HorizontalPodAutoscaler'],
    ['batch/v1beta1', 'CronJob'],
    ['rbac.authorization.k8s.io/v1beta1', 'ClusterRole'],
  ] as const
  expect(table.filter(([apiVersion, kind]) => !isBuiltIn({ apiVersion: oldApi(apiVersion, kind)?.now ?? '', kind }))).toEqual([])
})
