import type { Kube } from '../kube/kube.ts'
import { type KubeObject, nameOf, type PodSpec } from '../lib/objects.ts'
import { Scope } from '../lib/scope.ts'
import type { Step } from '../lib/step.ts'
import {
  type ContainerStatus,
  containersOf,
  type NotReady,
  podTrouble,
  problemOf,
  statusOf,
  troubleInWarnings,
  type Warning,
} from './diagnosis/diagnosis.ts'
import { endpointSlices, servicesOf, withoutEndpoint } from './endpoints.ts'
import type { Followed, Live } from './live.ts'
import { Nudge } from './nudge.ts'
import { hasSucceeded, rollout, wantedPods } from './rollout.ts'
import { Waits } from './waits.ts'

/** How often a standstill is looked at again, though nothing changed: some troubles are told from their age. In ms. */
const recheckMs = 5000
/** A program without a probe counts as ready when it was seen running for so long: one that ends at once was never ready. In ms. */
const settleMs = 2000
/** … or when it has run for so long, seen or not: the kubelet tells late of one that has ended, on a busy machine later still. In ms. */
const settledMs = 15_000
/** How soon pods are looked for again that are counted but not yet told of, in ms. */
const untoldMs = 200
/** From so many restarts on nothing else can be what a program waits for. */
const restartsWhateverElse = 4
/** Tries of a Job until time is no longer believed to mend it. */
const triesOfJob = 3

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

/** Resolves when the workload's rollout is done, its pods are ready and its Services lead to them. @throws READY-101 … READY-106 as soon as time can't mend it */
export async function untilReady(kube: Kube, live: Live, awaited: Awaited, step: Step): Promise<void> {
  const { workload, applied, namespace, service, services = [], timeoutMs } = awaited
  // it runs when its time comes: no watch follows it, and nothing of it is awaited
  if (applied.kind === 'CronJob') return
  const deadline = Date.now() + timeoutMs
  let last = 'nothing is known of it'
  const waits = new Waits(workload, step)
  using again = new Nudge()
  const firstSeen = new Map<string, number>()
  await using following = new Scope()
  let events: Followed | undefined
  const warnings = (): readonly Warning[] => warningsAbout(events?.objects ?? [], live, workload)
  await using ends = keepEnds(kube, live, awaited, step.signal)
  await using ways = followWays(live, namespace, servicesOf(applied, services))
  const look = (): 'ready' | NotReady | undefined => {
    const object = live.get(workload)
    if (!object || isOlder(object, applied)) return undefined
    const pods = live.currentPodsOf(object)
    const state = rollout(object, { pods: live.everyPodOf(object) })
    if (state === 'ready') {
      const staying = live.podsOf(object)
      const settlesInMs = settlesIn(object, staying, firstSeen)
      if (settlesInMs !== undefined) again.in(settlesInMs)
      const unserved = wantedPods(object) > 0 && !hasSucceeded(object) ? ways.lacking(staying) : undefined
      if (settlesInMs === undefined && !unserved) return 'ready'
      last = unserved ? `${unserved} has none of its pods as an endpoint` : 'its containers have only just started'
      return undefined
    }
    last = state.waiting
    if (state.failed) return jobFailed(pods, ends.lastCode(), state.waiting)
    const trouble = pods.map((pod) => podTrouble(pod, Date.now())).find((found) => found !== undefined)
    if (trouble)
      return trouble.reason === 'crash-loop' && mayWaitForOthers(live, workload, trouble.restarts) ? undefined : trouble
    const { failed: tries = 0 } = (object['status'] ?? {}) as { readonly failed?: number }
    if (object.kind === 'Job' && tries >= triesOfJob && !mayWaitForOthers(live, workload, tries))
      return jobFailed(pods, ends.lastCode(), `it failed ${tries} times`)
    return troubleInWarnings(warnings(), pods, Date.now())
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
    const why = found ?? (Date.now() >= deadline ? tooSlow(live, workload, last, warnings()) : undefined)
    if (why) throw problemOf(why, workload, service, await ends.linesOf(why))
    // what is ready soon asks for none
    events ??= following.use(live.follow({ apiVersion: 'v1', kind: 'Event', namespace, fieldSelector: 'type=Warning' }))
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

/** Whether something else is still on its way that a program which ends may be waiting for, such as its database. */
function mayWaitForOthers(live: Live, workload: string, restarts: number): boolean {
  if (restarts >= restartsWhateverElse) return false
  return ['Deployment', 'StatefulSet', 'DaemonSet', 'Job']
    .flatMap((kind) => live.all(kind))
    .some((other) => {
      if (nameOf(other) === workload) return false
      const state = rollout(other)
      return state !== 'ready' && !state.failed && live.currentPodsOf(other).every((pod) => !podTrouble(pod, Date.now()))
    })
}

function jobFailed(pods: readonly KubeObject[], exitCode: number | undefined, said: string): NotReady {
  const hasEndedBadly = ({ state, lastState }: ContainerStatus): boolean =>
    (state?.terminated ?? lastState?.terminated ?? { exitCode: 0 }).exitCode !== 0
  const pod = pods.find((one) => containersOf(one).some(hasEndedBadly)) ?? pods[0]
  const container = pod && containersOf(pod).find(hasEndedBadly)?.name
  return { reason: 'job-failed', pod: pod?.metadata.name, container, exitCode, said: said.replace(/\.$/, '') }
}

function tooSlow(live: Live, workload: string, said: string, warnings: readonly Warning[]): NotReady {
  const object = live.get(workload)
  const pod = object && live.currentPodsOf(object)[0]
  const container = pod && containersOf(pod).find(({ ready, state }) => !ready && !state?.terminated)?.name
  const complaint = warnings.toSorted((a, b) => b.at - a.at)[0]?.message
  return { reason: 'too-slow', pod: pod?.metadata.name, container, said, complaint }
}

interface KubeWarning extends KubeObject {
  readonly involvedObject?: { readonly uid?: string }
  readonly reason?: string
  readonly message?: string
  readonly lastTimestamp?: string | null
  readonly eventTime?: string | null
}

/** Those of the events that are about a workload, its newest ReplicaSet and their pods. */
function warningsAbout(events: readonly KubeWarning[], live: Live, workload: string): readonly Warning[] {
  const object = live.get(workload)
  if (!object) return []
  const about = new Set(
    [object, live.newestReplicaSet(object), ...live.currentPodsOf(object)].map((one) => one?.metadata.uid).filter(Boolean),
  )
  return events
    .filter(({ involvedObject }) => about.has(involvedObject?.uid))
    .map(({ involvedObject, reason = '', message = '', lastTimestamp, eventTime, metadata }) => ({
      about: involvedObject?.uid ?? '',
      reason,
      message,
      at: Date.parse(lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? ''),
    }))
}

/** Whether a watch has not yet told of what was applied. */
export function isOlder(seen: KubeObject, { metadata }: KubeObject): boolean {
  return seen.metadata.uid !== metadata.uid || (seen.metadata.generation ?? 0) < (metadata.generation ?? 0)
}

interface Ends extends AsyncDisposable {
  /** Exit code of the last container that ended badly. */
  lastCode(): number | undefined
  /** Last lines of output that say something about why. */
  linesOf(why: NotReady): Promise<readonly string[]>
}

/** Keeps how containers of a Job end while it is awaited: one that gives up takes its pods away, and their logs with them. */
function keepEnds(kube: Kube, live: Live, { workload, namespace }: Awaited, signal: AbortSignal): Ends {
  const read = async (pod: string, container: string, previous: boolean): Promise<readonly string[]> => {
    const lines: string[] = []
    try {
      for await (const { line } of kube.logs({ namespace, pod, container, previous, tailLines: 20 }, signal)) lines.push(line)
    } catch {
      signal.throwIfAborted()
    }
    return lines
  }
  const kept = new Map<string, Promise<readonly string[]>>()
  let code: number | undefined
  const look = (): void => {
    const object = live.get(workload)
    if (object?.kind !== 'Job') return
    for (const pod of live.everyPodOf(object))
      for (const container of containersOf(pod)) {
        const ended = container.state?.terminated ?? container.lastState?.terminated
        const key = `${pod.metadata.name}/${container.name}/${ended?.finishedAt}`
        if (!ended || ended.exitCode === 0 || kept.has(key)) continue
        code = ended.exitCode
        const previous = container.state?.terminated === undefined
        kept.set(
          key,
          read(pod.metadata.name, container.name, previous).catch(() => []),
        )
      }
  }
  const listening = live.onChange(look)
  look()
  return {
    lastCode: () => code,
    async linesOf(why) {
      if (why.reason !== 'crash-loop' && why.reason !== 'job-failed' && why.reason !== 'too-slow') return []
      if (why.reason === 'job-failed') {
        const all = await Promise.all(kept.values())
        const lines = all.findLast((one) => one.length > 0)
        if (lines) return lines
      }
      if (why.pod === undefined) return []
      const spec = live.get(`Pod/${why.pod}`)?.['spec'] as PodSpec | undefined
      const container = why.container ?? spec?.containers[0]?.name
      if (container === undefined) return []
      // the instance that ended says more than the one that is about to begin
      for (const previous of why.reason === 'crash-loop' ? [true, false] : [false, true]) {
        const lines = await read(why.pod, container, previous)
        if (lines.length > 0) return lines
      }
      return []
    },
    async [Symbol.asyncDispose]() {
      listening[Symbol.dispose]()
      await Promise.all(kept.values())
    },
  }
}
