/** A filter of the scheduler that keeps a pod from nodes. */
export type Filter =
  | 'unschedulable'
  | 'node-name'
  | 'taint'
  | 'node-affinity'
  | 'ports'
  | 'resource'
  | 'too-many-pods'
  | 'volume'
  | 'volume-affinity'
  | 'claim'
  | 'topology-spread'
  | 'pod-affinity'
  | 'pod-anti-affinity'
  | 'others-anti-affinity'
  | 'other'

/** What one filter says of some of the nodes. */
export interface Refusal {
  readonly filter: Filter
  /** Nodes that it keeps the pod from; undefined where it is about the pod itself. */
  readonly count: number | undefined
  /** The resource, the taint's key, or what it says. */
  readonly what: string
}

/** What the scheduler says of a pod that no node takes. */
export interface Unschedulable {
  /** Nodes that it looked at. */
  readonly nodes: number
  readonly refusals: readonly Refusal[]
}

/** Beginnings of what the filters say, the taint with its key. */
const sayings: readonly (readonly [RegExp, Filter])[] = [
  [/^Insufficient (\S+)/, 'resource'],
  [/^Too many pods/, 'too-many-pods'],
  [/^node\(s\) were unschedulable/, 'unschedulable'],
  [/^node\(s\) didn't match the requested (?:node name|hostname)/, 'node-name'],
  [/^node\(s\) had (?:untolerated )?taint\(?s?\)? ?\{([^:=}]+)/, 'taint'],
  [/^node\(s\) had untolerated taint/, 'taint'],
  [/^node\(s\) didn't match Pod's node affinity/, 'node-affinity'],
  [/^node\(s\) didn't match node selector/, 'node-affinity'],
  [/^node\(s\) didn't have free ports/, 'ports'],
  [/^node\(s\) (?:had volume node affinity conflict|didn't match PersistentVolume's node affinity)/, 'volume-affinity'],
  [/^node\(s\) had no available volume zone/, 'volume-affinity'],
  [/^node\(s\) didn't match pod topology spread constraints/, 'topology-spread'],
  [/^node\(s\) didn't match pod affinity rules/, 'pod-affinity'],
  [/^node\(s\) didn't match pod anti-affinity rules/, 'pod-anti-affinity'],
  [/^node\(s\) didn't satisfy existing pods anti-affinity rules/, 'others-anti-affinity'],
  [/^(?:pod has unbound immediate PersistentVolumeClaims|persistentvolumeclaim\b)/i, 'claim'],
  [/^node\(s\) (?:didn't find available persistent volumes|unavailable due to one or more pvc)/, 'claim'],
  [/^node\(s\) (?:exceed max volume count|did not have enough free storage|conflict with pod volume)/, 'volume'],
  [/^node\(s\) unavailable due to PersistentVolumeClaim/, 'volume'],
]

/**
 * Reads the message of the condition PodScheduled, such as `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.`; undefined
 * where it is none of the scheduler's. What it says of preemption is left out: it is a consequence.
 * @see https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/types.go for FitError
 */
export function parseUnschedulable(message: string): Unschedulable | undefined {
  if (/^no nodes available/.test(message)) return { nodes: 0, refusals: [] }
  const [, nodes, said] = /^0\/(\d+) nodes are available: ?([\s\S]*)$/.exec(message) ?? []
  if (nodes === undefined || said === undefined) return undefined
  const filters = said
    .replace(/,? ?(?:no new claims to deallocate, ?)?preemption: [\s\S]*$/, '')
    .trim()
    .replace(/\.$/, '')
  // a comma between braces or in a sentence does not begin another filter; one before a number does
  const parts =
    filters === '' ? [] : filters.split(/, (?=\d+ )/).flatMap((part) => part.split(/, (?=pod has unbound|persistentvolumeclaim)/))
  return { nodes: Number(nodes), refusals: parts.map(refusalOf) }
}

function refusalOf(part: string): Refusal {
  const [, count, said = part] = /^(\d+) (.*)$/s.exec(part) ?? []
  const shared = { count: count === undefined ? undefined : Number(count) }
  for (const [pattern, filter] of sayings) {
    const found = pattern.exec(said)
    if (found) return { filter, ...shared, what: (found[1] ?? said).replace(/\.$/, '') }
  }
  return { filter: 'other', ...shared, what: said.replace(/\.$/, '') }
}
