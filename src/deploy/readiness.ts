import type { Kube } from '../kube/kube.ts'
import type { KubeObject } from '../lib/objects.ts'
import type { Step } from '../lib/step.ts'
import { type Condition, type NotReady, podTrouble, problemOf, statusOf } from './diagnosis/diagnosis.ts'
import type { Live } from './live.ts'

/** How often a standstill is looked at without an event: what is unschedulable may stay silent. */
const recheckMs = 5000

export interface Awaited {
  /** `Kind/name`. */
  readonly workload: string
  /** The workload as it was applied: what is older than that says nothing about it. */
  readonly applied: KubeObject
  readonly namespace: string
  readonly service: string | undefined
  /** How long to wait, in ms. */
  readonly timeoutMs: number
}

/** Resolves when the workload's rollout is done and its pods are ready. @throws READY-101 … READY-106 as soon as time can't mend it */
export async function untilReady(
  kube: Kube,
  live: Live,
  { workload, applied, namespace, service, timeoutMs }: Awaited,
  step: Step,
): Promise<void> {
  const began = Date.now()
  const nudge = new AbortController()
  const timers = [setTimeout(() => nudge.abort(), timeoutMs)]
  let last = 'nothing is known of it'
  const look = (): 'ready' | NotReady | undefined => {
    const object = live.get(workload)
    if (!object || isOlder(object, applied)) return undefined
    const pods = live.podsOf(object)
    const state = rollout(object)
    if (state === 'ready') return 'ready'
    last = state.waiting
    if (state.failed) return { reason: 'job-failed', pod: pods[0]?.metadata.name, container: undefined, said: state.waiting }
    return pods[0] && podTrouble(pods[0], Date.now())
  }
  try {
    for (;;) {
      const round = AbortSignal.any([step.signal, nudge.signal, AbortSignal.timeout(recheckMs)])
      const found = await live.until(look, round).catch((thrown: unknown) => {
        step.signal.throwIfAborted()
        if (!round.aborted) throw thrown
        return look()
      })
      if (found === 'ready') return
      const tooSlow: NotReady | undefined =
        Date.now() - began >= timeoutMs ? { reason: 'too-slow', ...firstContainer(live, workload), said: last } : undefined
      const why = found ?? tooSlow
      if (why) throw problemOf(why, workload, service, await lastLines(kube, live, namespace, why, step.signal))
    }
  } finally {
    for (const timer of timers) clearTimeout(timer)
  }
}

/** Whether a watch has not yet told of what was applied. */
function isOlder(seen: KubeObject, { metadata }: KubeObject): boolean {
  return seen.metadata.uid !== metadata.uid || (seen.metadata.generation ?? 0) < (metadata.generation ?? 0)
}

type Rollout = 'ready' | { readonly waiting: string; readonly failed?: boolean }

/** @see https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#complete-deployment */
export function rollout(object: KubeObject): Rollout {
  const spec = (object['spec'] ?? {}) as { readonly replicas?: number }
  const status = (object['status'] ?? {}) as Readonly<Record<string, number | string | undefined>> & {
    readonly conditions?: readonly Condition[]
  }
  const number = (name: string): number => Number(status[name] ?? 0)
  if (object.kind === 'Job') {
    const condition = status.conditions?.find(
      ({ status: set, type }) => set === 'True' && (type === 'Complete' || type === 'Failed'),
    )
    if (condition?.type === 'Complete') return 'ready'
    return condition ? { waiting: condition.message ?? condition.reason ?? 'it failed', failed: true } : { waiting: 'it runs' }
  }
  if (object.kind === 'CronJob') return 'ready'
  if (object.kind === 'Pod')
    return status.conditions?.some(({ type, status: set }) => type === 'Ready' && set === 'True')
      ? 'ready'
      : { waiting: 'its pod is not ready' }
  if (number('observedGeneration') < (object.metadata.generation ?? 0))
    return { waiting: 'its controller has not seen the change' }
  const wanted = object.kind === 'DaemonSet' ? number('desiredNumberScheduled') : (spec.replicas ?? 1)
  const updated = number(object.kind === 'DaemonSet' ? 'updatedNumberScheduled' : 'updatedReplicas')
  const ready = number(
    object.kind === 'DaemonSet' ? 'numberAvailable' : object.kind === 'StatefulSet' ? 'readyReplicas' : 'availableReplicas',
  )
  if (updated < wanted) return { waiting: `${updated} of ${wanted} pods are of the new rollout` }
  if (object.kind === 'Deployment' && number('replicas') > updated) return { waiting: 'pods of the old rollout are still there' }
  if (object.kind === 'StatefulSet' && status['currentRevision'] !== status['updateRevision'] && wanted > 0)
    return { waiting: 'pods of the old rollout are still there' }
  return ready >= wanted ? 'ready' : { waiting: `${ready} of ${wanted} pods are ready` }
}

function firstContainer(live: Live, workload: string): { pod: string | undefined; container: string | undefined } {
  const object = live.get(workload)
  const pod = object && live.podsOf(object)[0]
  const container = pod && (statusOf(pod).containerStatuses ?? []).find(({ ready }) => !ready)?.name
  return { pod: pod?.metadata.name, container }
}

async function lastLines(
  kube: Kube,
  live: Live,
  namespace: string,
  why: NotReady,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (why.pod === undefined || why.reason === 'image' || why.reason === 'not-created' || why.reason === 'unschedulable') return []
  const spec = live.get(`Pod/${why.pod}`)?.['spec'] as { readonly containers?: readonly { readonly name: string }[] } | undefined
  const container = why.container ?? spec?.containers?.[0]?.name
  if (container === undefined) return []
  // the instance that ended says more than the one that is about to begin
  for (const previous of why.reason === 'crash-loop' ? [true, false] : [false, true]) {
    const lines: string[] = []
    try {
      for await (const { line } of kube.logs({ namespace, pod: why.pod, container, previous, tailLines: 20 }, signal))
        lines.push(line)
    } catch {
      signal.throwIfAborted()
    }
    if (lines.length > 0) return lines
  }
  return []
}
