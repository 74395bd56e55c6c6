import type { KubeObject } from '../../lib/objects.ts'
import { amountOf } from '../../lib/quantity.ts'
import { specOf, statusOf } from './pod.ts'

/** A taint of a node. */
export interface Taint {
  readonly key: string
  readonly value?: string
  readonly effect: string
  readonly timeAdded?: string
}

/** A requirement on labels, of nodes or of pods. */
export interface Requirement {
  readonly key: string
  readonly operator: string
  readonly values?: readonly string[]
}

/** Alternatives of a node affinity. */
interface NodeSelectorTerm {
  readonly matchExpressions?: readonly Requirement[]
  readonly matchFields?: readonly Requirement[]
}

/** What a selector of pods asks for. */
export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>
  readonly matchExpressions?: readonly Requirement[]
}

/** Why one node does not take a pod, by what both say. */
export type Misfit =
  | { readonly filter: 'unschedulable' }
  | { readonly filter: 'taint'; readonly taint: Taint }
  | { readonly filter: 'node-affinity' }
  | { readonly filter: 'ports'; readonly port: HostPort; readonly heldBy: KubeObject }
  | { readonly filter: 'too-many-pods' }
  | { readonly filter: 'resource'; readonly resource: string }

/** A port of the node that a container takes. */
export interface HostPort {
  readonly port: number
  readonly protocol: string
  readonly address: string
}

interface NodeSpec {
  readonly unschedulable?: boolean
  readonly taints?: readonly Taint[]
}

/** What keeps a pod from a node, in the scheduler's order. `others`: pods that take up something of the node. */
export function misfitsOf(pod: KubeObject, node: KubeObject, others: readonly KubeObject[]): readonly Misfit[] {
  const { taints } = nodeSpecOf(node)
  const here = others.filter((other) => isOn(other, node))
  const found: Misfit[] = []
  if (isCordoned(node) && !tolerates(pod, cordon)) found.push({ filter: 'unschedulable' })
  for (const taint of taints ?? [])
    if (taint.key !== cordon.key && keepsAway(taint) && !tolerates(pod, taint)) found.push({ filter: 'taint', taint })
  if (!fitsNode(pod, node)) found.push({ filter: 'node-affinity' })
  for (const port of hostPortsOf(pod)) {
    const heldBy = here.find((other) => hostPortsOf(other).some((held) => clash(port, held)))
    if (heldBy) found.push({ filter: 'ports', port, heldBy })
  }
  if (here.length + 1 > allocatableOf(node, 'pods')) found.push({ filter: 'too-many-pods' })
  for (const [resource, asked] of requestsOf(pod))
    if (asked > 0 && asked > freeOf(node, resource, here) + 1e-9) found.push({ filter: 'resource', resource })
  return found
}

const cordon: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }

/** Whether a node was cordoned. */
export function isCordoned(node: KubeObject): boolean {
  return nodeSpecOf(node).unschedulable === true
}

function nodeSpecOf(node: KubeObject): NodeSpec {
  return (node['spec'] ?? {}) as NodeSpec
}

/** Taints of a node. */
export function taintsOf(node: KubeObject): readonly Taint[] {
  return nodeSpecOf(node).taints ?? []
}

/** Whether a pod takes up something of a node. */
export function isOn(pod: KubeObject, node: KubeObject): boolean {
  const { phase } = statusOf(pod)
  return specOf(pod)['nodeName'] === node.metadata.name && phase !== 'Succeeded' && phase !== 'Failed'
}

function keepsAway({ effect }: Taint): boolean {
  return effect === 'NoSchedule' || effect === 'NoExecute'
}

/** @see https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#concepts */
function tolerates(pod: KubeObject, taint: Taint): boolean {
  const tolerations = (specOf(pod)['tolerations'] ?? []) as readonly {
    readonly key?: string
    readonly operator?: string
    readonly value?: string
    readonly effect?: string
  }[]
  return tolerations.some(({ key = '', operator = 'Equal', value = '', effect = '' }) => {
    if (effect !== '' && effect !== taint.effect) return false
    if (operator === 'Exists') return key === '' || key === taint.key
    return key === taint.key && value === (taint.value ?? '')
  })
}

/** Whether a node has the labels that a pod's nodeSelector and required node affinity ask for. */
export function fitsNode(pod: KubeObject, node: KubeObject): boolean {
  const labels = node.metadata.labels ?? {}
  const wanted = Object.entries(nodeSelectorOf(pod))
  if (!wanted.every(([key, value]) => labels[key] === value)) return false
  const terms = nodeTermsOf(pod)
  return terms === undefined || fitsTerms(terms, node)
}

/** Labels that a pod's nodeSelector asks for. */
export function nodeSelectorOf(pod: KubeObject): Readonly<Record<string, string>> {
  return (specOf(pod)['nodeSelector'] ?? {}) as Readonly<Record<string, string>>
}

/** Alternatives of a pod's required node affinity; undefined where it has none. */
export function nodeTermsOf(pod: KubeObject): readonly NodeSelectorTerm[] | undefined {
  const { nodeAffinity } = (specOf(pod)['affinity'] ?? {}) as {
    readonly nodeAffinity?: {
      readonly requiredDuringSchedulingIgnoredDuringExecution?: { readonly nodeSelectorTerms?: readonly NodeSelectorTerm[] }
    }
  }
  return nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms
}

/** Whether one of the alternatives fits a node. */
export function fitsTerms(terms: readonly NodeSelectorTerm[], { metadata }: KubeObject): boolean {
  return terms.some(({ matchExpressions = [], matchFields = [] }) => {
    if (matchExpressions.length + matchFields.length === 0) return false
    return (
      matchExpressions.every((one) => meets(metadata.labels?.[one.key], one)) &&
      matchFields.every((one) => meets(one.key === 'metadata.name' ? metadata.name : undefined, one))
    )
  })
}

/** Whether labels are those that a selector of pods means. */
export function meetsSelector({ matchLabels = {}, matchExpressions = [] }: LabelSelector, { metadata }: KubeObject): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => metadata.labels?.[key] === value) &&
    matchExpressions.every((one) => meets(metadata.labels?.[one.key], one))
  )
}

function meets(value: string | undefined, { operator, values = [] }: Requirement): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0])
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0])
    default:
      return true
  }
}

/** Ports of the node that a pod takes. */
export function hostPortsOf(pod: KubeObject): readonly HostPort[] {
  const { containers, initContainers = [] } = specOf(pod)
  const sidecars = initContainers.filter((one) => one['restartPolicy'] === 'Always')
  return [...containers, ...sidecars].flatMap(({ ports = [] }) =>
    (ports as readonly { readonly hostPort?: number; readonly protocol?: string; readonly hostIP?: string }[]).flatMap(
      ({ hostPort, protocol = 'TCP', hostIP = '' }) =>
        hostPort ? [{ port: hostPort, protocol, address: hostIP === '' ? '0.0.0.0' : hostIP }] : [],
    ),
  )
}

function clash(a: HostPort, b: HostPort): boolean {
  const isEvery = a.address === '0.0.0.0' || b.address === '0.0.0.0'
  return a.port === b.port && a.protocol === b.protocol && (isEvery || a.address === b.address)
}

type Amounts = Readonly<Record<string, string | number>>

/** How much of a resource a node offers, in base units; 0 where it has none. */
export function allocatableOf(node: KubeObject, resource: string): number {
  const { allocatable = {} } = (node['status'] ?? {}) as { readonly allocatable?: Amounts }
  return amountOf(allocatable[resource] ?? 0) ?? 0
}

/** How much of it the pods on a node leave. */
export function freeOf(node: KubeObject, resource: string, pods: readonly KubeObject[]): number {
  const taken = pods.filter((pod) => isOn(pod, node)).reduce((sum, pod) => sum + requestOf(pod, resource), 0)
  return allocatableOf(node, resource) - taken
}

/** What a pod asks for of a resource, in base units. */
export function requestOf(pod: KubeObject, resource: string): number {
  return new Map(requestsOf(pod)).get(resource) ?? 0
}

/**
 * What a pod asks for, in base units: its containers and sidecars together, or an init container if that asks for more.
 * @see https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers
 */
export function requestsOf(pod: KubeObject): readonly (readonly [resource: string, amount: number])[] {
  const { containers, initContainers = [] } = specOf(pod)
  const overhead = (specOf(pod)['overhead'] ?? {}) as Amounts
  const ofPod = requestsIn(specOf(pod))
  const holders = [...containers, ...initContainers].map(requestsIn)
  const resources = new Set([...holders, ofPod, overhead].flatMap((amounts) => Object.keys(amounts)))
  return [...resources].map((resource) => {
    const amountIn = (holder: object): number => amountOf(requestsIn(holder)[resource] ?? 0) ?? 0
    let sidecars = 0
    let starting = 0
    for (const one of initContainers) {
      if (one['restartPolicy'] === 'Always') sidecars += amountIn(one)
      starting = Math.max(starting, sidecars + (one['restartPolicy'] === 'Always' ? 0 : amountIn(one)))
    }
    const running = sidecars + containers.reduce((sum, one) => sum + amountIn(one), 0)
    const asked = resource in ofPod ? amountIn(specOf(pod)) : Math.max(starting, running)
    return [resource, asked + (amountOf(overhead[resource] ?? 0) ?? 0)]
  })
}

function requestsIn(holder: object): Amounts {
  const { resources } = holder as { readonly resources?: { readonly requests?: Amounts } }
  return resources?.requests ?? {}
}
