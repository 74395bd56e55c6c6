import { expect, test } from 'vitest'
import { unserved } from '../../../src/deploy/unserved.ts'
import { ApiFailure, type KindRef } from '../../../src/kube/kube.ts'
import type { KubeObject } from '../../../src/lib/objects.ts'

const object = (apiVersion: string, kind: string, name: string, rest: object = {}): KubeObject => ({
  ...{ apiVersion, kind, metadata: { name, namespace: 'n', uid: `uid-of-${name}`, creationTimestamp: '2026-01-01T00:00:00Z' } },
  ...rest,
})
const net = 'networking.k8s.io/v1'
const gatewayApi = 'gateway.networking.k8s.io/v1'
const ingress = (spec: object, annotations?: object): KubeObject => {
  const made = object(net, 'Ingress', 'site', { spec })
  return { ...made, metadata: { ...made.metadata, ...(annotations && { annotations }) } } as KubeObject
}
const gateway = object(gatewayApi, 'Gateway', 'edge', { spec: { gatewayClassName: 'edge' } })
const gatewayClass = (status: string): KubeObject =>
  object(gatewayApi, 'GatewayClass', 'edge', { status: { conditions: [{ type: 'Accepted', status }] } })
const balanced = (rest: object = {}): KubeObject => object('v1', 'Service', 'web', { spec: { type: 'LoadBalancer' }, ...rest })
const address = { status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } } }
const event = object('v1', 'Event', 'said', { involvedObject: { uid: 'uid-of-web' } })

/** What is lacking for manifests in a cluster that has these objects; kinds that are `hidden` may not be listed. */
async function lackingFor(manifests: readonly KubeObject[], cluster: readonly KubeObject[], hidden: readonly string[] = []) {
  const asked: string[] = []
  const kube = {
    get: async ({ kind, name }: { readonly kind: string; readonly name: string }) =>
      cluster.find((one) => one.kind === kind && one.metadata.name === name),
    list: async ({ kind }: KindRef) => {
      asked.push(kind)
      if (hidden.includes(kind)) throw new ApiFailure(403, 'Forbidden', 'no')
      return cluster.filter((one) => one.kind === kind)
    },
  }
  const live = {
    follow: () => {
      throw new Error('what is old is not waited for')
    },
    until: () => Promise.reject(new Error('what is old is not waited for')),
  }
  const all = manifests.map((one) => ({ object: one, origin: { file: 'k8s/all.yaml', line: 1 } }))
  const found = await unserved(kube, live, all, new AbortController().signal)
  return { asked, lacks: found.map(({ manifest, lacks }) => `${manifest.object.metadata.name}: ${lacks}`) }
}

test.each<readonly [what: string, manifests: readonly KubeObject[], cluster: readonly KubeObject[], lacks: readonly string[]]>([
  ['an Ingress, no class at all', [ingress({})], [], ['site: ingress controller']],
  ['an Ingress that names none, a class', [ingress({})], [object(net, 'IngressClass', 'nginx')], []],
  ['its class', [ingress({ ingressClassName: 'nginx' })], [object(net, 'IngressClass', 'nginx')], []],
  [
    'another class',
    [ingress({ ingressClassName: 'alb' })],
    [object(net, 'IngressClass', 'nginx')],
    ['site: ingress controller of the class alb'],
  ],
  ['a class as before there were any', [ingress({}, { 'kubernetes.io/ingress.class': 'nginx' })], [], []],
  ['a Gateway without its class', [gateway], [], ['edge: gateway controller of the class edge']],
  ['one whose class nobody took', [gateway], [gatewayClass('Unknown')], ['edge: gateway controller of the class edge']],
  ['one whose class somebody took', [gateway], [gatewayClass('True')], []],
  ['one that brings its class', [gateway, gatewayClass('Unknown')], [gatewayClass('Unknown')], []],
  ['the Gateway of a mesh', [{ ...gateway, apiVersion: 'networking.istio.io/v1' }], [], []],
  ['a LoadBalancer that nobody looks at', [balanced()], [balanced()], ['web: load balancer']],
  ['one with an address', [balanced()], [balanced(address)], []],
  ['one that something was said of', [balanced()], [balanced(), event], []],
  ['one beside another that has an address', [balanced()], [balanced(), object('v1', 'Service', 'other', address)], []],
  [
    'one that a controller is to take down again',
    [balanced()],
    [balanced({ metadata: { ...balanced().metadata, finalizers: ['service.kubernetes.io/load-balancer-cleanup'] } })],
    [],
  ],
  ['a Service of another type', [object('v1', 'Service', 'web', { spec: {} })], [object('v1', 'Service', 'web')], []],
])('%s', async (_, manifests, cluster, lacks) => {
  expect((await lackingFor(manifests, cluster)).lacks).toEqual(lacks)
})

test('who may not look is told nothing', async () => {
  const manifests = [ingress({}), gateway, balanced()]
  const hidden = ['IngressClass', 'GatewayClass', 'Service']
  expect((await lackingFor(manifests, [balanced()], hidden)).lacks).toEqual([])
})

test('nothing is asked where there is none of them', async () => {
  expect(await lackingFor([object('v1', 'ConfigMap', 'a')], [])).toEqual({ asked: [], lacks: [] })
})
