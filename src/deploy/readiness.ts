import { type KubeObject, nameOf, type PodSpec } from '../lib/objects.ts'
import type { Step } from '../lib/step.ts'
import { isFailure } from './diagnosis/diagnose.ts'
import type { Evidence } from './diagnosis/evidence.ts'
import { containersOf, statusOf } from './diagnosis/pod.ts'
import { problemOf, type Verdict, withWaiters } from './diagnosis/verdict.ts'
import { endpointSlices, servicesOf, withoutEndpoint } from './endpoints.ts'
import type { Followed, Live } from './live.ts'
import { Nudge } from './nudge.ts'
import { hasSucceeded, rollout, wantedPods } from './rollout.ts'
import { Waits } from './waits.ts'

/** How often a standstill is looked at again, though nothing changed: some troubles are told from their age. In ms. */
export const recheckMs = 5000
/** A program without a probe counts as ready when it was seen running for so long: one that ends at once was never ready. In ms. */
const settleMs = 2000
/** … or when it has run for so long, seen or not: the kubelet tells late of one that has ended, on a busy machine later still. In ms. */
const settledMs = 15_000
/** How soon pods are looked for again that are counted but not yet told of, in ms. */
const untoldMs = 200

export interface Awaited {
  /** `Kind/name`. */
  readonly workload: string
  /** The workload as it was applied: what is older than that says nothing about it. */
  readonly applied: KubeObject
  readonly namespace: string
  readonly service: string | undefined
  /** The Services that were applied; those that lead to its pods have to do so before it counts as ready. */
  readonly services?: readonly KubeObject[]
  /** How long to wait, in ms. */
  readonly timeoutMs: number
}

/** Resolves when the workload's rollout is done, its pods are ready and its Services lead to them. @throws READY-… as soon as time can't mend it */
export async function untilReady(live: Live, evidence: Evidence, awaited: Awaited, step: Step): Promise<void> {
  const { workload, applied, namespace, service, services = [], timeoutMs } = awaited
  // it runs when its time comes: no watch follows it, and nothing of it is awaited
  if (applied.kind === 'CronJob') return
  const deadline = Date.now() + timeoutMs
  let last = 'nothing is known of it'
  const waits = new Waits(workload, step)
  using again = new Nudge()
  const firstSeen = new Map<string, number>()
  await using ways = followWays(live, namespace, servicesOf(applied, services))
  let warning: Verdict | undefined
  const look = (): 'ready' | Verdict | undefined => {
    warning = undefined
    const object = live.get(workload)
    if (!object || isOlder(object, applied)) return undefined
    const state = rollout(object, { pods: live.everyPodOf(object) })
    if (state === 'ready') {
      const staying = live.podsOf(object)
      const settlesInMs = settlesIn(object, staying, firstSeen)
      if (settlesInMs !== undefined) again.in(settlesInMs)
      const unserved = wantedPods(object) > 0 && !hasSucceeded(object) ? ways.lacking(staying) : undefined
      if (settlesInMs === undefined && !unserved) return 'ready'
      last = unserved ? `${unserved} has none of its pods as an endpoint` : 'its containers have only just started'
      return unserved ? diagnosed(object) : undefined
    }
    last = state.waiting
    return diagnosed(object)
  }
  const diagnosed = (object: KubeObject): Verdict | undefined => {
    const { verdict, againInMs } = evidence.lookAt(object)
    if (againInMs !== undefined) again.in(againInMs)
    if (verdict && isFailure(verdict)) return verdict
    warning = verdict
    if (verdict?.waitsFor) last = `for ${verdict.waitsFor.join(', ')}`
    return undefined
  }
  for (;;) {
    again.in(Math.min(recheckMs, Math.max(0, deadline - Date.now())))
    again.in(waits.dueInMs ?? recheckMs)
    const round = AbortSignal.any([step.signal, again.signal])
    const lookAndTell = (): ReturnType<typeof look> => {
      const found = look()
      if (found === undefined) waits.because(last)
      return found
    }
    const found = await live.until(lookAndTell, round).catch((thrown: unknown) => {
      step.signal.throwIfAborted()
      if (!round.aborted) throw thrown
      return lookAndTell()
    })
    if (found === 'ready') return
    const why = found ?? (Date.now() >= deadline ? tooSlow(live, awaited, last, warning) : undefined)
    if (!why) continue
    const told = withWaiters(why, evidence.waitersFor(workload))
    throw problemOf(told, { workload, service, lines: await evidence.linesOf(why, step.signal) })
  }
}

interface Ways extends AsyncDisposable {
  /** `Service/name` of a Service that leads to none of the pods. */
  lacking(pods: readonly KubeObject[]): string | undefined
}

/** Follows what Services lead to; who has none follows nothing. */
function followWays(live: Live, namespace: string, services: readonly KubeObject[]): Ways {
  const slices: Followed | undefined = services.length > 0 ? live.follow({ ...endpointSlices, namespace }) : undefined
  return {
    lacking(pods) {
      // who may not look at endpoints is not held up by them
      if (!slices || slices.isRefused) return undefined
      const lacking = withoutEndpoint(services, slices.objects ?? [], pods)
      return lacking && nameOf(lacking)
    },
    [Symbol.asyncDispose]: async () => slices?.[Symbol.asyncDispose](),
  }
}

/** How long until every container without a probe has run long enough, in ms; undefined when all have. `firstSeen`: container id → when. */
function settlesIn(object: KubeObject, pods: readonly KubeObject[], firstSeen: Map<string, number>): number | undefined {
  if (object.kind === 'Job' || hasSucceeded(object)) return undefined
  // the pods that its controller counts, but their watch has not yet told of
  if (pods.length === 0 && wantedPods(object) > 0) return untoldMs
  const now = Date.now()
  const waits = pods.flatMap((pod) => {
    const spec = pod['spec'] as PodSpec | undefined
    return (statusOf(pod).containerStatuses ?? []).map(({ name, state, containerID = '' }) => {
      const container = spec?.containers.find((one) => one.name === name)
      if (container?.['readinessProbe']) return 0
      if (!state?.running) return settleMs
      const seen = firstSeen.get(containerID) ?? now
      firstSeen.set(containerID, seen)
      return Math.min(seen + settleMs, Date.parse(state.running.startedAt ?? '') + settledMs || Number.POSITIVE_INFINITY) - now
    })
  })
  const longest = Math.max(0, ...waits)
  return longest > 0 ? longest : undefined
}

function tooSlow(live: Live, { workload }: Awaited, said: string, warning: Verdict | undefined): Verdict {
  const object = live.get(workload)
  const pod = object && live.currentPodsOf(object)[0]
  const container = pod && containersOf(pod).find(({ ready, state }) => !ready && !state?.terminated)?.name
  return {
    code: 'READY-102',
    severity: 'failure',
    message: `${workload} is not ready in time: ${said}.${warning ? ` ${warning.message}` : ''}`,
    hint: warning?.hint ?? 'Read its last lines and its probes; `--timeout` waits longer.',
    ...(warning?.evidence && { evidence: warning.evidence }),
    ...(warning?.lines ? { lines: warning.lines } : pod && container && { lines: { pod: pod.metadata.name, container } }),
    since: Date.now(),
  }
}

/** Whether a watch has not yet told of what was applied. */
export function isOlder(seen: KubeObject, { metadata }: KubeObject): boolean {
  return seen.metadata.uid !== metadata.uid || (seen.metadata.generation ?? 0) < (metadata.generation ?? 0)
}
