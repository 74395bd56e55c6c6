import { type KubeObject, type PodSpec, without, withPodSpec } from '../../lib/objects.ts'
import type { Transform } from './rule.ts'

/** What is required of nodes and neighbours is preferred instead: one node has to do. */
export const affinityPreferred: Transform = onPods((pod) => {
  const affinity = pod['affinity'] as Readonly<Record<string, Affinity | undefined>> | undefined
  if (!affinity || !Object.values(affinity).some((sort) => sort?.[required])) return pod
  const sorts = Object.entries(affinity).map(([name, sort]) => [name, sort && preferredOf(name, sort)])
  return { ...pod, affinity: Object.fromEntries(sorts) }
})

const required = 'requiredDuringSchedulingIgnoredDuringExecution'
const preferred = 'preferredDuringSchedulingIgnoredDuringExecution'

interface Affinity {
  readonly [required]?: readonly object[] | { readonly nodeSelectorTerms: readonly object[] }
  readonly [preferred]?: readonly object[]
}

function preferredOf(name: string, { [required]: terms, ...rest }: Affinity): Affinity {
  if (!terms) return rest
  const field = name === 'nodeAffinity' ? 'preference' : 'podAffinityTerm'
  const wished = ('nodeSelectorTerms' in terms ? terms.nodeSelectorTerms : terms).map((term) => ({ weight: 100, [field]: term }))
  return { ...rest, [preferred]: [...(rest[preferred] ?? []), ...wished] }
}

/** Pods that cannot be spread over nodes or zones are scheduled anyway. */
export const spreadPreferred: Transform = onPods((pod) => {
  const constraints = pod['topologySpreadConstraints'] as readonly { readonly whenUnsatisfiable?: string }[] | undefined
  if (!constraints?.some(({ whenUnsatisfiable }) => whenUnsatisfiable !== 'ScheduleAnyway')) return pod
  // only what has to be met may ask for a number of domains
  const relaxed = constraints.map(
    ({ minDomains: _, ...rest }: { readonly minDomains?: number; readonly whenUnsatisfiable?: string }) => ({
      ...rest,
      whenUnsatisfiable: 'ScheduleAnyway',
    }),
  )
  return { ...pod, topologySpreadConstraints: relaxed }
})

/** Pods that do not ask for a node by its labels or its name; what every node of a laptop is stays. */
export const withoutNodeChoice: Transform = onPods((pod) => {
  const { nodeSelector, nodeName, ...rest } = pod as PodSpec & { readonly nodeSelector?: object }
  const kept = Object.entries(nodeSelector ?? {}).filter(([label]) => /^kubernetes\.io\/(os|arch)$/.test(label))
  if (nodeName === undefined && kept.length === Object.keys(nodeSelector ?? {}).length) return pod
  return { ...rest, ...(kept.length > 0 && { nodeSelector: Object.fromEntries(kept) }) }
})

/** Pods that tolerate no taints. A DaemonSet's say which nodes it is for. */
export const withoutTolerations: Transform = onPods((pod, { kind }) => (kind === 'DaemonSet' ? pod : without(pod, 'tolerations')))

/** Pods without a priority class, which a new cluster has not, but for the system's own. */
export const withoutPriority: Transform = onPods((pod) => {
  const name = pod['priorityClassName']
  return typeof name === 'string' && name.startsWith('system-') ? pod : without(without(pod, 'priorityClassName'), 'priority')
})

/** Pods of the usual runtime and scheduler. */
export const withoutRuntime: Transform = onPods((pod) => {
  const usual = without(pod, 'runtimeClassName')
  return pod['schedulerName'] === 'default-scheduler' ? usual : without(usual, 'schedulerName')
})

function onPods(change: (pod: PodSpec, object: KubeObject) => PodSpec): Transform {
  return (object) => withPodSpec(object, (pod) => change(pod, object))
}
