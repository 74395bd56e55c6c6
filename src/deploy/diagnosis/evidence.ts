import type { KindRef, Kube } from '../../kube/kube.ts'
import { servicesIn } from '../../lib/hosts.ts'
import { type KubeObject, nameOf, podSpecOf } from '../../lib/objects.ts'
import type { Scope } from '../../lib/scope.ts'
import { servicesOf } from '../endpoints.ts'
import type { Followed, Live } from '../live.ts'
import { rollout } from '../rollout.ts'
import { diagnose, isFailure } from './diagnose.ts'
import type { End, Facts, Happening, Patient, Warning } from './facts.ts'
import { type ContainerStatus, containersOf, lastEnd, type Terminated, timeOf } from './pod.ts'
import type { ContainerRef, Verdict } from './verdict.ts'

/** Lines that are read of a container that ended, at most. */
const tailLines = 20
/** Ends that are kept, of all containers together. */
const keptEnds = 500
/** How long an answer about a pod that runs is believed, in ms. */
const freshMs = 3000
/** What a workload may be waiting for without saying so. */
const mayBeNeeded = ['Deployment', 'StatefulSet', 'DaemonSet', 'Job']

/** What of an environment the cluster does not know. */
export interface Surroundings {
  readonly namespace: string
  /** All that is to be there, as `Kind/name`. */
  readonly workloads?: readonly string[]
  /** Workloads (`Kind/name`) that one needs by the config and the manifests. */
  readonly needs?: (workload: string) => readonly string[]
  /** What was, or is to be, applied. */
  readonly manifests?: readonly KubeObject[]
  /** Where an object (`Kind/name`), or a field of it, is written: `k8s/web.yaml:12`. */
  readonly placeOf?: (object: string, path?: readonly (string | number)[]) => string | undefined
}

/** What a look at a workload gave. `againInMs`: when it may look different though nothing changed. */
export interface Look {
  readonly verdict: Verdict | undefined
  readonly againInMs: number | undefined
}

/** An end whose lines are being read. */
interface Gathered extends End {
  /** Of its pod, and of what controls that. */
  readonly uid: string | undefined
  readonly owner: string | undefined
  readonly read: Promise<void>
  tail: readonly string[] | undefined
}

/** What was asked of a pod that runs. `at`: when it was answered, in ms since the epoch; undefined while it is not. */
interface Asked<T> {
  answer: T | undefined
  at: number | undefined
  readonly asking: Promise<void>
}

/** Gathers what diagnosis goes by, as long as `scope` is open: beside what is live anyway, only what a rule asks for. */
export class Evidence {
  readonly #kube: Kube
  readonly #live: Live
  readonly #around: Surroundings
  readonly #scope: Scope
  readonly #followed = new Map<string, Followed>()
  readonly #asked = new Map<string, Asked<unknown>>()
  /** Newest first. */
  #ends: readonly Gathered[] = []

  constructor(kube: Kube, live: Live, around: Surroundings, scope: Scope) {
    this.#kube = kube
    this.#live = live
    this.#around = around
    this.#scope = scope
    const listening = live.onChange(() => this.#gatherEnds())
    scope.defer(async () => {
      listening[Symbol.dispose]()
      await Promise.all([...this.#ends.map(({ read }) => read), ...[...this.#asked.values()].map(({ asking }) => asking)])
    })
    this.#gatherEnds()
  }

  /** Why a workload is not ready, as far as can be told now. */
  lookAt(workload: KubeObject): Look {
    // before its pods are known it looks as if it had none
    if (!this.#live.isListed('Pod')) return { verdict: undefined, againInMs: undefined }
    let againInMs: number | undefined
    const now = Date.now()
    const facts: Facts = {
      ...this.#facts(now),
      hasPassed: (since, ms) => {
        const left = since + ms - now
        if (left > 0) againInMs = Math.min(againInMs ?? left, left)
        return left <= 0
      },
      lacking: (of, hosts) => this.#lacking(of, hosts),
      onTheirWay: (but) => this.#onTheirWay(but),
      isAnythingOnItsWay: (but) => this.#onTheirWay(but).length > 0,
    }
    return { verdict: diagnose(this.#patient(workload, facts)), againInMs }
  }

  /** The last lines of a verdict's container: of the instance that ended, else of the one that runs. */
  async linesOf({ lines }: Verdict, signal: AbortSignal): Promise<readonly string[]> {
    if (!lines) return []
    const ended = this.#ends.filter(({ pod, container }) => pod === lines.pod && container === lines.container)
    await Promise.all(ended.map(({ read }) => read))
    const kept = ended.find(({ tail }) => tail && tail.length > 0)?.tail
    if (lines.previous && kept) return kept
    const running = await this.#read(lines, false, signal)
    return running.length > 0 ? running : (kept ?? (await this.#read(lines, true, signal)))
  }

  /** Workloads (`Kind/name`) that are not ready, or not yet there, and need this one. */
  waitersFor(workload: string): readonly string[] {
    const { needs, workloads = [] } = this.#around
    const isThere = (name: string): boolean => this.#live.get(name) !== undefined
    const later = workloads.filter((name) => !isThere(name) && (needs?.(name) ?? []).includes(workload))
    const unready = mayBeNeeded
      .flatMap((kind) => this.#live.all(kind))
      .filter((other) => rollout(other) !== 'ready' && this.#isWaitingFor(workload, other))
    return [...unready.map(nameOf), ...later].filter((name) => name !== workload)
  }

  #isWaitingFor(name: string, other: KubeObject): boolean {
    const { verdict } = this.lookAt(other)
    // what is wrong with itself nobody else would mend
    if (verdict && isFailure(verdict)) return false
    return [...(verdict?.waitsFor ?? []), ...this.#lacking(other, [])].includes(name)
  }

  /** Resolves when nothing that was asked for is still on its way. */
  async settled(signal: AbortSignal): Promise<void> {
    await this.#live.until(
      () => ([...this.#followed.values()].every((one) => one.objects || one.isRefused) ? true : undefined),
      signal,
    )
    await Promise.all([...this.#ends.map(({ read }) => read), ...[...this.#asked.values()].map(({ asking }) => asking)])
  }

  #patient(workload: KubeObject, facts: Facts): Patient {
    return {
      workload,
      name: nameOf(workload),
      pods: this.#live.currentPodsOf(workload),
      replicaSet: workload.kind === 'Deployment' ? this.#live.newestReplicaSet(workload) : undefined,
      facts,
    }
  }

  #known(kind: KindRef): readonly KubeObject[] | undefined {
    if (this.#live.isListed(kind.kind) && kind.namespace !== undefined) return this.#live.all(kind.kind)
    return this.#follow(kind).objects
  }

  #follow(kind: KindRef): Followed {
    const key = JSON.stringify([kind.apiVersion, kind.kind, kind.namespace, kind.fieldSelector])
    const followed = this.#followed.get(key) ?? this.#scope.use(this.#live.follow(kind))
    this.#followed.set(key, followed)
    return followed
  }

  #events({ metadata: { uid } }: KubeObject, fieldSelector: string): readonly Warning[] {
    const kind: KindRef = { apiVersion: 'v1', kind: 'Event', namespace: this.#around.namespace, fieldSelector }
    const events = (this.#known(kind) ?? []) as readonly KubeWarning[]
    return events
      .filter(({ involvedObject }) => involvedObject?.uid === uid)
      .map(warningOf)
      .toSorted((a, b) => b.at - a.at)
  }

  #happened(reason: string): readonly Happening[] {
    const kind: KindRef = {
      apiVersion: 'v1',
      kind: 'Event',
      namespace: this.#around.namespace,
      fieldSelector: `reason=${reason}`,
    }
    const events = (this.#known(kind) ?? []) as readonly KubeWarning[]
    return events
      .map((event) => ({ ...warningOf(event), kind: event.involvedObject?.kind ?? '', name: event.involvedObject?.name ?? '' }))
      .toSorted((a, b) => b.at - a.at)
  }

  #endsOf(of: Parameters<Facts['ends']>[0]): readonly End[] {
    if ('pod' in of) return this.#ends.filter(({ uid, container }) => uid === of.pod.metadata.uid && container === of.container)
    const { uid } = of.workload.metadata
    const replicaSet = this.#live.newestReplicaSet(of.workload)?.metadata.uid
    return this.#ends.filter((end) => end.owner === uid || end.uid === uid || (replicaSet && end.owner === replicaSet))
  }

  /** What was last answered; asks anew when that is no longer fresh. What nobody answers stays unknown. */
  #answer<T>(key: string, ask: () => Promise<T>): T | undefined {
    const known = this.#asked.get(key) as Asked<T> | undefined
    if (known && (known.at === undefined || Date.now() - known.at < freshMs)) return known.answer
    const asking = async (): Promise<void> => {
      asked.answer = await ask().catch(() => undefined)
      asked.at = Date.now()
      this.#live.lookAgain()
    }
    const asked: Asked<T> = { answer: known?.answer, at: undefined, asking: Promise.resolve().then(asking) }
    this.#asked.set(key, asked)
    return asked.answer
  }

  #openPorts({ metadata: { name: pod, uid } }: KubeObject, ports: readonly number[]): readonly number[] | undefined {
    const { namespace } = this.#around
    return this.#answer(`ports of ${uid}: ${ports}`, () => this.#kube.openPorts({ namespace, pod, ports }, this.#scope.signal))
  }

  #tail({ pod: { metadata }, container }: Parameters<Facts['tail']>[0]): readonly string[] | undefined {
    const ref = { pod: metadata.name, container }
    return this.#answer(`tail of ${metadata.uid} ${container}`, () => this.#read(ref, false, this.#scope.signal))
  }

  /** Keeps how containers end: the next start hides it, and a Job that gives up takes its pods away, and their logs with them. */
  #gatherEnds(): void {
    for (const pod of this.#live.all('Pod'))
      for (const status of containersOf(pod)) {
        const end = lastEnd(status)
        if (end && !this.#ends.some((known) => isSame(known, end, pod, status)))
          this.#ends = [this.#gather(pod, status, end), ...this.#ends.slice(0, keptEnds - 1)]
      }
  }

  #gather(pod: KubeObject, { name: container, state }: ContainerStatus, end: Terminated): Gathered {
    const ref = { pod: pod.metadata.name, container }
    const read = async (): Promise<void> => {
      gathered.tail = await this.#read(ref, !state?.terminated, this.#scope.signal).catch(() => [])
      this.#live.lookAgain()
    }
    const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller)?.uid
    const gathered: Gathered = {
      ...end,
      ...ref,
      uid: pod.metadata.uid,
      owner,
      tail: undefined,
      read: Promise.resolve().then(read),
    }
    return gathered
  }

  async #read({ pod, container }: ContainerRef, previous: boolean, signal: AbortSignal): Promise<readonly string[]> {
    const lines: string[] = []
    try {
      const { namespace } = this.#around
      for await (const { line } of this.#kube.logs({ namespace, pod, container, previous, tailLines }, signal)) lines.push(line)
    } catch {
      signal.throwIfAborted()
    }
    return lines
  }

  /** By the config, and by the Services that its containers' values name. */
  #lacking(workload: KubeObject, hosts: readonly string[]): readonly string[] {
    const name = nameOf(workload)
    const services = this.#known({ apiVersion: 'v1', kind: 'Service', namespace: this.#around.namespace }) ?? []
    const named = new Set([...hosts, ...this.#hostsNamedBy(workload)])
    const others = this.#others(workload)
    const behind = others.filter((other) => servicesOf(other, services).some((service) => named.has(service.metadata.name)))
    const needed = new Set([...(this.#around.needs?.(name) ?? []), ...behind.map(nameOf)])
    const isReady = (other: string): boolean => {
      const object = this.#live.get(other)
      return object !== undefined && rollout(object, { pods: this.#live.everyPodOf(object) }) === 'ready'
    }
    return [...needed].filter((other) => other !== name && !isReady(other))
  }

  #others(but: KubeObject): readonly KubeObject[] {
    return mayBeNeeded.flatMap((kind) => this.#live.all(kind)).filter((other) => other.metadata.uid !== but.metadata.uid)
  }

  #hostsNamedBy(workload: KubeObject): readonly string[] {
    const pod = podSpecOf(workload)
    const values = [...(pod?.containers ?? []), ...(pod?.initContainers ?? [])].flatMap(({ env, command, args }) => [
      ...((env ?? []) as readonly { readonly value?: string }[]).map(({ value }) => value ?? ''),
      ...((command ?? []) as readonly string[]),
      ...((args ?? []) as readonly string[]),
    ])
    return values.flatMap((value) => [value, ...servicesIn(value, this.#around.namespace).map(({ service }) => service)])
  }

  /** What a workload may be waiting for: not what waits for it. */
  #onTheirWay(but: KubeObject): readonly KubeObject[] {
    return this.#others(but).filter((other) => {
      const state = rollout(other)
      if (state === 'ready' || state.failed) return false
      const facts = this.#facts(Date.now())
      // by itself: whom it may be waiting for is not asked back
      if (diagnose(this.#patient(other, facts))?.severity === 'failure') return false
      const lacking: Facts['lacking'] = (of, hosts) => this.#lacking(of, hosts)
      const waiting = diagnose(this.#patient(other, { ...facts, lacking }))?.waitsFor ?? lacking(other, [])
      return !waiting.includes(nameOf(but))
    })
  }

  /** What is known of the cluster, but for what other workloads have to do with it. */
  #facts(now: number): Facts {
    const { namespace, placeOf, manifests = [] } = this.#around
    return {
      ...{ now, namespace },
      known: (apiVersion, kind, where) => this.#known({ apiVersion, kind, namespace: where ? undefined : namespace }),
      manifests,
      notes: (about) => this.#events(about, `involvedObject.kind=${about.kind}`),
      warnings: (about) => this.#events(about, 'type=Warning'),
      kills: (of) => this.#events(of, 'reason=Killing'),
      openPorts: (of, ports) => this.#openPorts(of, ports),
      tail: (of) => this.#tail(of),
      isHidden: (apiVersion, kind, where) =>
        this.#follow({ apiVersion, kind, namespace: where ? undefined : namespace }).isRefused,
      happened: (reason) => this.#happened(reason),
      ends: (of) => this.#endsOf(of),
      hasPassed: (since, ms) => now - since >= ms,
      where: (object, path) => {
        const place = placeOf?.(object, path)
        return place === undefined ? object : `${object} (${place})`
      },
      lacking: () => [],
      onTheirWay: () => [],
      isAnythingOnItsWay: () => false,
    }
  }
}

function isSame(known: Gathered, end: Terminated, pod: KubeObject, { name }: ContainerStatus): boolean {
  return (
    known.uid === pod.metadata.uid &&
    known.container === name &&
    known.finishedAt === end.finishedAt &&
    known.containerID === end.containerID
  )
}

interface KubeWarning extends KubeObject {
  readonly involvedObject?: { readonly uid?: string; readonly kind?: string; readonly name?: string; readonly fieldPath?: string }
  readonly reason?: string
  readonly message?: string
  readonly count?: number | null
  readonly series?: { readonly count?: number; readonly lastObservedTime?: string } | null
  readonly firstTimestamp?: string | null
  readonly lastTimestamp?: string | null
  readonly eventTime?: string | null
}

function warningOf({
  reason = '',
  message = '',
  involvedObject,
  count,
  series,
  firstTimestamp,
  lastTimestamp,
  eventTime,
  metadata,
}: KubeWarning): Warning {
  const from = timeOf(firstTimestamp ?? eventTime ?? metadata.creationTimestamp)
  const at = timeOf(series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? metadata.creationTimestamp)
  // spec.containers{main}
  const container = /\{(.+)\}$/.exec(involvedObject?.fieldPath ?? '')?.[1]
  return { reason, message, container, count: series?.count ?? count ?? 1, from, at }
}
