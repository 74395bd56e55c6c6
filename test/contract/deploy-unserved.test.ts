import { afterEach, beforeEach, expect, test } from 'vitest'
import type { KubeObject } from '../../src/lib/objects.ts'
import { useProject } from './program.ts'

// What is said of objects that only a controller makes work, in a cluster that devkit did not make.

const id = `t-unserved-${process.pid}`
const ours = useProject(id)
const className = `${id}-class`

const ingress = (name: string, spec: object = {}): KubeObject => ({
  ...{ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name } },
  spec: { ...spec, defaultBackend: { service: { name: 'web', port: { number: 80 } } } },
})
const service = (type: string): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' } },
  spec: { type, ports: [{ port: 80 }] },
})
const lacks = (object: string, controller: string): string =>
  `k8s/all.yaml:1: ${object}: the cluster has no ${controller}; it is applied all the same, and not waited for.`

const removeClass = (): unknown => ours.rig.kubectl(['delete', 'ingressclass', className, '--ignore-not-found'])
beforeEach(removeClass)
afterEach(removeClass)

/** What `up` says of the manifests as they are. */
async function told(...objects: readonly KubeObject[]): Promise<readonly string[]> {
  ours.project.write(...objects)
  const { code, problems } = await ours.project.run(['up', '--profile', 'production'])
  expect(code).toBe(0)
  expect(new Set(problems.map((problem) => problem.code))).toEqual(new Set(problems.length > 0 ? ['RENDER-206'] : []))
  return problems.map(({ message }) => message)
}

test('Ingresses whose class is not there are told once, and no longer when it is', async () => {
  const classed = { ingressClassName: className }
  const all = [ingress('one', classed), ingress('two', classed), service('ClusterIP')]
  expect(await told(...all)).toEqual([lacks('Ingress/one and 1 more', `ingress controller of the class ${className}`)])
  const made = { apiVersion: 'networking.k8s.io/v1', kind: 'IngressClass', metadata: { name: className } }
  ours.rig.kubectl(['apply', '-f', '-'], JSON.stringify({ ...made, spec: { controller: 'unserved.devkit.test/none' } }))
  expect(await told(...all)).toEqual([])
}, 60_000)

test('a LoadBalancer that nothing gives an address is told, one that has one is not', async () => {
  expect(await told(service('LoadBalancer'))).toEqual([lacks('Service/web', 'load balancer')])
  const status = JSON.stringify({ status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } } })
  ours.rig.kubectl(['patch', 'service/web', '-n', id, '--subresource=status', '--type=merge', '-p', status])
  expect(await told(service('LoadBalancer'))).toEqual([])
}, 60_000)
