import { isDeepStrictEqual } from 'node:util'
import type { KubeObject } from '../../lib/objects.ts'
import { groupOf } from '../../lib/select.ts'
import type { Transform } from './rule.ts'

type Spec = Readonly<Record<string, unknown>>

/** Names that the outside world reaches the cluster by, wherever they stand in Ingresses, Gateways and their routes, are others. */
export function withHost(from: string, to: string): Transform {
  const moved = (host: string): string => movedHost(host, from, to)
  const field =
    (name: string) =>
    (holder: Spec): Spec =>
      typeof holder[name] === 'string' ? { ...holder, [name]: moved(holder[name]) } : holder
  const list = (holder: Spec, name: string, change: (item: Spec) => Spec): Spec =>
    Array.isArray(holder[name]) ? { ...holder, [name]: (holder[name] as readonly Spec[]).map(change) } : holder
  const names = (holder: Spec, name: string): Spec =>
    Array.isArray(holder[name]) ? { ...holder, [name]: (holder[name] as readonly string[]).map(moved) } : holder
  const ingress = (spec: Spec): Spec => list(list(spec, 'rules', field('host')), 'tls', (tls) => names(tls, 'hosts'))
  const changes: Readonly<Record<string, (spec: Spec) => Spec>> = {
    'networking.k8s.io/Ingress': ingress,
    'extensions/Ingress': ingress,
    'gateway.networking.k8s.io/Gateway': (spec) => list(spec, 'listeners', field('hostname')),
    'gateway.networking.k8s.io/HTTPRoute': (spec) => names(spec, 'hostnames'),
    'gateway.networking.k8s.io/GRPCRoute': (spec) => names(spec, 'hostnames'),
    'gateway.networking.k8s.io/TLSRoute': (spec) => names(spec, 'hostnames'),
  }
  return (object) => {
    const change = changes[`${groupOf(object)}/${object.kind}`]
    const spec = object['spec'] as Spec | undefined
    if (!change || !spec) return object
    const changed = change(spec)
    return isDeepStrictEqual(changed, spec) ? object : { ...object, spec: changed }
  }
}

/** `*.example.com` moves all below it, and keeps what stands before. */
function movedHost(host: string, from: string, to: string): string {
  if (host === from) return to
  const [below, above] = [from, to].map((name) => (name.startsWith('*.') ? name.slice(1) : undefined))
  return below !== undefined && above !== undefined && host.endsWith(below) ? `${host.slice(0, -below.length)}${above}` : host
}

/** What only a Service of a balancer, or of a port of the nodes too, may say. */
const ofBalancers = [
  'loadBalancerIP',
  'loadBalancerClass',
  'loadBalancerSourceRanges',
  'allocateLoadBalancerNodePorts',
  'healthCheckNodePort',
]
const ofNodePorts = ['externalTrafficPolicy']

/** Services of one type are of another, without what that one may not say. */
export function withServiceType(from: string, to: string): Transform {
  return (object: KubeObject) => {
    const spec = object['spec'] as Spec | undefined
    if (object.kind !== 'Service' || groupOf(object) !== '' || spec?.['type'] !== from || from === to) return object
    const refused = [...(to === 'LoadBalancer' ? [] : ofBalancers), ...(to === 'ClusterIP' ? ofNodePorts : [])]
    const kept = Object.fromEntries(Object.entries(spec).filter(([field]) => !refused.includes(field)))
    const ports = (spec['ports'] as readonly { readonly nodePort?: number }[] | undefined)?.map(({ nodePort, ...port }) =>
      nodePort === undefined || to === 'ClusterIP' ? port : { ...port, nodePort },
    )
    return { ...object, spec: { ...kept, type: to, ...(ports && { ports }) } }
  }
}
