import { expect, test } from 'vitest'
import { servicesOf, withoutEndpoint } from '../../../src/deploy/endpoints.ts'
import type { KubeObject } from '../../../src/lib/objects.ts'

const labels = { app: 'web', tier: 'front' }
const workload = (kind: string, apiVersion = 'apps/v1'): KubeObject => ({
  ...{ apiVersion, kind, metadata: { name: 'web', labels } },
  spec: { template: { metadata: { labels }, spec: { containers: [] } }, containers: [] },
})
const service = (name: string, spec: object): KubeObject => ({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec })
const names = (objects: readonly KubeObject[]): readonly string[] => objects.map(({ metadata }) => metadata.name)

test('the Services of a workload are those that select its pods', () => {
  const services = [
    service('web', { selector: { app: 'web' } }),
    service('headless', { clusterIP: 'None', selector: labels }),
    service('other', { selector: { app: 'web', tier: 'back' } }),
    service('by-hand', {}),
    service('elsewhere', { type: 'ExternalName', externalName: 'example.com', selector: labels }),
  ]
  expect(names(servicesOf(workload('Deployment'), services))).toEqual(['web', 'headless'])
  expect(names(servicesOf(workload('Pod', 'v1'), services))).toEqual(['web', 'headless'])
  expect(servicesOf(workload('Job', 'batch/v1'), services)).toEqual([])
  expect(servicesOf(workload('Deployment', 'example.com/v1'), services)).toEqual([])
})

test('a Service leads to a pod when one of its slices has it as a ready endpoint', () => {
  const pod: KubeObject = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web-x', uid: 'u' } }
  const slice = (of: string, endpoints: unknown): KubeObject => ({
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', endpoints },
    metadata: { name: `${of}-x`, labels: { 'kubernetes.io/service-name': of } },
  })
  const lacking = (...slices: readonly KubeObject[]): string | undefined =>
    withoutEndpoint([service('web', {}), service('more', {})], slices, [pod])?.metadata.name
  const leading = slice('more', [{ targetRef: { uid: 'u' } }])
  expect(lacking(leading)).toBe('web')
  expect(lacking(leading, slice('web', null))).toBe('web')
  expect(lacking(leading, slice('web', [{ conditions: { ready: false }, targetRef: { uid: 'u' } }]))).toBe('web')
  expect(lacking(leading, slice('web', [{ conditions: { ready: true }, targetRef: { uid: 'of the pod before' } }]))).toBe('web')
  expect(lacking(leading, slice('web', null), slice('web', [{ conditions: { ready: true }, targetRef: { uid: 'u' } }]))).toBe(
    undefined,
  )
})
