import { dirname } from 'node:path'
import { statusOf } from '../deploy/diagnosis/pod.ts'
import { delay } from '../lib/async.ts'
import { DevkitError } from '../lib/errors.ts'
import type { Container, KubeObject, PodSpec } from '../lib/objects.ts'
import { Scope } from '../lib/scope.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import { commandOf, isGated, isSupervised, leaseMap, leaseName } from '../render/transforms/supervisor.ts'
import type { ServiceTarget } from '../render/transforms/transforms.ts'
import { inferRestart, type RestartChoice } from '../sync/infer-restart.ts'
import { ledgerFile } from '../sync/ledger.ts'
import { Replica } from '../sync/replica.ts'
import type { ContainerRef } from '../sync/transport.ts'
import { WorkingTree } from '../sync/working-tree.ts'
import { transportOf } from '../toolbox.ts'
import { runIn } from './command.ts'
import { ContainerSession } from './container-session.ts'
import type { EngineRun } from './environment.ts'
import { ImageHeld, imageContents, mappingsOf, mountsOf, runningId, withoutVolumes } from './held.ts'
import { holdLease, inConfigMap, onNode } from './lease.ts'
import { ProblemBook } from './problem-book.ts'
import { leasePlace, targetOf } from './render.ts'
import { problemEvent } from './step.ts'
import { Streams } from './streams.ts'
import type { Running } from './up.ts'

/** How long to wait, at the longest, before a container that could not be entered is entered again, in ms. */
const longestPauseMs = 15_000

/** What sessions cannot do themselves. */
export interface Help {
  /** Builds and rolls out a service whose program can be started anew in no other way. */
  readonly rebuild: (service: string) => void
  /** Brings up what has stopped with the engine. */
  readonly bringUp: () => void
}

/** A synced service and its containers. */
interface Synced {
  readonly plan: ServicePlan
  /** What its containers' sessions depend on: another key, other sessions. */
  readonly key: string
  readonly target: ServiceTarget
  readonly tree: WorkingTree
  /** By container id. */
  readonly sessions: Map<string, ContainerSession>
  readonly refs: Map<string, ContainerRef>
  /** Containers that the API server has told of; the others were seen to start by their node, which is some seconds ahead. */
  readonly confirmed: Set<string>
  /** Containers that another has followed, whatever the API server still says. */
  readonly over: Set<string>
  /** Containers whose session is being made. */
  readonly entering: Set<string>
  /** What images hold, by reference. */
  readonly images: Map<string, Promise<ImageHeld>>
  /** Looks at the working tree go one after the other. */
  reading: Promise<void>
  /** When a pod was replaced for a restart, as `performance.now()`. */
  replacedAt: number | undefined
  /** When it was last told that no restart is possible, in ms since the epoch. */
  refusedAt: number
  /** What was told of the restarts. */
  told: string
}

/**
 * Keeps every running container of the synced services equal to the working tree, whatever happens to them.
 *
 *   a save ───────────► the tree looks at these paths ─┐
 *   a new container ──► image, ledger, probe ──────────┴─► each container's own session sends it what it lacks
 */
export class Sessions {
  readonly #run: EngineRun
  readonly #scope: Scope
  readonly #streams: Streams
  readonly #help: Help
  readonly #services = new Map<string, Synced>()
  readonly #listeners = new Set<() => void>()
  readonly #problems: ProblemBook
  #running: Running | undefined
  #following: Disposable | undefined
  #beating: Promise<unknown> | undefined
  #pruned = false

  constructor(run: EngineRun, scope: Scope, help: Help) {
    this.#run = run
    this.#scope = scope
    this.#help = help
    this.#problems = new ProblemBook(run)
    // ends after the sessions, so that a lease can be taken back
    const streamScope = new Scope()
    this.#streams = new Streams(run, streamScope, {
      transport: () => transportOf(run.parts.tools, this.#state.cluster),
      target: (node) => ({ node, container: this.#state.cluster.containers?.get(node), kube: this.#state.kube }),
      onStart: (container, node) => this.#started(container, node),
      onStopped: () => this.#help.bringUp(),
    })
    scope.defer(async () => {
      this.#following?.[Symbol.dispose]()
      await this.#beating
      await streamScope.close()
      const sessions = [...this.#services.values()].flatMap((service) => [...service.sessions.values()])
      await Promise.all(sessions.map((session) => session.idle()))
      await Promise.all([...this.#services.values()].map(({ reading }) => reading))
    })
  }

  /** Follows this state of the environment from now on; open streams, and sessions that need not change, are kept. */
  attach(running: Running): void {
    if (this.#scope.signal.aborted) return
    this.#running = running
    const { plan, source, live } = running
    for (const [name, service] of this.#services)
      if (!plan.services.some((candidate) => candidate.name === name && candidate.sync.length > 0)) this.#forget(name, service)
    for (const service of plan.services) if (service.sync.length > 0) this.#begin(plan, service, targetOf(source, service))
    this.#beating ??= this.#beat(running)
    this.#following?.[Symbol.dispose]()
    this.#following = live.onChange(() => this.#look())
    this.#look()
  }

  /** Paths (absolute) of the working tree changed. `firstEvent` is in ms since the epoch. */
  changed(service: string, paths: readonly string[], firstEvent: number): void {
    const synced = this.#services.get(service)
    if (!synced) return
    this.#read(synced, async () => this.#mark(synced, await synced.tree.update(paths), firstEvent))
    void this.#wakeCrashed(synced).catch((thrown: unknown) => this.#tell(thrown))
  }

  /** Compares the whole tree of the service with its containers: events may have been lost. */
  reread(service: string): void {
    const synced = this.#services.get(service)
    if (synced) this.#read(synced, async () => this.#mark(synced, await synced.tree.read(), Date.now()))
  }

  /** Resolves when every running container of the service holds the working tree. @throws the signal's reason when it aborts first */
  async synced(service: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      const synced = this.#services.get(service)
      if (!synced) return
      // what changed before is looked at first
      await synced.reading
      const changed = this.#nextChange(signal)
      const current = this.#containers(synced).every(({ id }) => synced.sessions.get(id)?.isCurrent)
      if (current) return
      await changed
    }
  }

  get #state(): Running {
    if (!this.#running) throw new Error('nothing runs yet')
    return this.#running
  }

  #nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#listeners.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.#listeners.add(done)
      signal.addEventListener('abort', done, { once: true })
    })
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener()
  }

  #tell(thrown: unknown): void {
    if (!this.#scope.signal.aborted) this.#run.bus.emit(problemEvent(thrown))
  }

  #begin(plan: Plan, service: ServicePlan, target: ServiceTarget): void {
    const key = JSON.stringify([service.sync, service.build?.context, target, plan.ignore, plan.directory])
    const before = this.#services.get(service.name)
    if (before?.key === key) return
    if (before) this.#forget(service.name, before)
    const tree = new WorkingTree(mappingsOf(plan, service), this.#run.parts.host.files)
    const synced: Synced = {
      plan: service,
      key,
      target,
      tree,
      sessions: new Map(),
      refs: new Map(),
      confirmed: new Set(),
      over: new Set(),
      entering: new Set(),
      images: new Map(),
      reading: Promise.resolve(),
      replacedAt: undefined,
      refusedAt: 0,
      told: '',
    }
    this.#services.set(service.name, synced)
    this.#read(synced, async () => void (await tree.read()))
  }

  #forget(name: string, { sessions }: Synced): void {
    this.#services.delete(name)
    for (const session of sessions.values()) session.stop()
    sessions.clear()
  }

  #read(synced: Synced, look: () => Promise<void>): void {
    synced.reading = synced.reading.then(look).catch((thrown: unknown) => this.#tell(thrown))
  }

  #mark({ sessions }: Synced, numbers: readonly number[], since: number): void {
    if (numbers.length > 0) for (const session of sessions.values()) session.changed(numbers, since)
  }

  #pods({ target }: Synced): readonly KubeObject[] {
    const workload = this.#state.live.get(target.workload)
    return workload ? this.#state.live.podsOf(workload) : []
  }

  #containers(synced: Synced): readonly { readonly pod: KubeObject; readonly id: string }[] {
    return this.#pods(synced).flatMap((pod) => {
      const id = runningId(pod, synced.target.container)
      return id === undefined ? [] : [{ pod, id }]
    })
  }

  /** Containers that are new get a session; those that are gone lose theirs. */
  #look(): void {
    const { live } = this.#state
    for (const synced of this.#services.values()) {
      const containers = this.#containers(synced)
      for (const { pod, id } of containers) {
        if (synced.over.has(id)) continue
        synced.confirmed.add(id)
        this.#meet(synced, pod, id)
      }
      // a pod that is not known yet is not gone
      if (!live.isListed('Pod')) continue
      for (const [id, { pod: name }] of synced.refs) {
        const pod = live.get(`Pod/${name}`)
        const now = pod && runningId(pod, synced.target.container)
        if (pod === undefined || (now !== undefined && now !== id && synced.confirmed.has(id))) this.#drop(synced, id)
      }
    }
    this.#prune()
    this.#notify()
  }

  /** Forgets containers that went while nobody watched, once the pods are known. */
  #prune(): void {
    const { live, plan } = this.#state
    if (this.#pruned || !live.isListed('Pod')) return
    this.#pruned = true
    const ids = live
      .all('Pod')
      .flatMap((pod) => statusOf(pod).containerStatuses ?? [])
      .flatMap(({ containerID }) => containerID?.split('://').at(-1) ?? [])
    const met = [...this.#services.values()].flatMap(({ refs, entering }) => [...refs.keys(), ...entering])
    const known = new Set([...ids, ...met])
    const { files } = this.#run.parts.host
    const remove = async (): Promise<void> => {
      for (const name of await files.namesIn(dirname(this.#ledgerFile('any'))))
        if (!known.has(name.replace(/\.jsonl$/, '')))
          await files.removeFile(ledgerFile(plan.directory, plan.namespace, name.replace(/\.jsonl$/, '')))
    }
    void remove().catch((thrown: unknown) => this.#tell(thrown))
  }

  /** A node tells that a container has started. */
  #started({ id, namespace, pod: podName, name }: ContainerRef, node: string): void {
    if (!this.#running || this.#scope.signal.aborted) return
    for (const synced of this.#services.values()) {
      if (name !== synced.target.container) continue
      const pod = this.#pods(synced).find(({ metadata }) => metadata.name === podName && metadata.namespace === namespace)
      if (!pod || (pod['spec'] as { nodeName?: string }).nodeName !== node) continue
      for (const [before, ref] of synced.refs) {
        if (ref.pod !== podName || before === id) continue
        synced.over.add(before)
        this.#drop(synced, before)
      }
      this.#meet(synced, pod, id)
    }
  }

  #meet(synced: Synced, pod: KubeObject, id: string): void {
    if (synced.sessions.has(id) || synced.entering.has(id)) return
    synced.entering.add(id)
    void this.#untilEntered(synced, pod, id).finally(() => synced.entering.delete(id))
  }

  /** An engine that is away for a moment leaves no container with what its image has. */
  async #untilEntered(synced: Synced, pod: KubeObject, id: string): Promise<void> {
    const { signal } = this.#scope
    for (let pauseMs = 1000; !signal.aborted; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      try {
        await this.#enter(synced, pod, id)
        this.#problems.resolve(`enter/${id}`)
        return
      } catch (thrown) {
        if (!(thrown instanceof DevkitError)) return this.#tell(thrown)
        this.#problems.found(`enter/${id}`, thrown, 'failure')
        await delay(pauseMs, signal).catch(() => undefined)
      }
    }
  }

  #drop(synced: Synced, id: string): void {
    synced.sessions.get(id)?.stop()
    synced.sessions.delete(id)
    synced.refs.delete(id)
    void this.#run.parts.host.files.removeFile(this.#ledgerFile(id)).catch((thrown: unknown) => this.#tell(thrown))
    this.#notify()
  }

  #ledgerFile(id: string): string {
    const { plan } = this.#state
    return ledgerFile(plan.directory, plan.namespace, id)
  }

  async #enter(synced: Synced, pod: KubeObject, id: string): Promise<void> {
    const { plan, target, tree } = synced
    const spec = pod['spec'] as PodSpec & { readonly nodeName?: string }
    const container = spec.containers.find(({ name }) => name === target.container)
    const namespace = pod.metadata.namespace ?? this.#state.plan.namespace
    if (!container) return
    const [image, choices] = await Promise.all([
      this.#imageOf(synced, container),
      this.#choicesFor(synced, container),
      synced.reading,
    ])
    if (this.#services.get(plan.name) !== synced || synced.sessions.has(id)) return
    this.#tellChoices(synced, choices)
    const ref: ContainerRef = { id, pod: pod.metadata.name, namespace, name: target.container }
    const replica = new Replica(ref, spec.nodeName ?? '', withoutVolumes(image.contents, tree, container, pod))
    const mountOver = mountsOf(container)
    const { signal } = this.#scope
    const session = new ContainerSession({
      run: { bus: this.#run.bus, signal },
      files: this.#run.parts.host.files,
      service: plan.name,
      tree,
      replica,
      image,
      isOfImage: (path) => mountOver(path) === undefined,
      ledgerFile: this.#ledgerFile(id),
      stream: () => this.#streams.to(replica.node),
      supervision: isGated(container) ? 'gated' : isSupervised(container) ? 'supervised' : 'none',
      choices,
      command: (command) => runIn(this.#state.kube, ref, { service: plan.name, command }, signal),
      replacePod: async () => {
        synced.replacedAt ??= performance.now()
        await this.#state.kube.remove({ apiVersion: 'v1', kind: 'Pod', name: ref.pod, namespace }, signal)
      },
      cannotRestart: (since) => this.#cannotRestart(synced, container, since),
      // after a breath: a file that never rests must not take all there is
      changedMeanwhile: (paths) =>
        void delay(20, signal).then(
          () => this.changed(plan.name, paths, Date.now()),
          () => undefined,
        ),
      onEnd: () => this.#drop(synced, id),
      onChange: () => {
        this.#tellReplaced(synced, session, ref)
        this.#notify()
      },
    })
    synced.sessions.set(id, session)
    synced.refs.set(id, ref)
    session.go()
  }

  #imageOf({ tree, images, plan: service }: Synced, { image: reference = '' }: Container): Promise<ImageHeld> {
    const known = images.get(reference)
    if (known) return known
    const { plan } = this.#state
    const contents = imageContents({ plan, service, tree }, reference, this.#run.parts.host.files)
    const image = contents.then((built) => new ImageHeld(built))
    images.set(reference, image)
    image.catch(() => images.delete(reference))
    return image
  }

  async #choicesFor({ plan, tree }: Synced, container: Container): Promise<readonly RestartChoice[]> {
    const command = commandOf(container) ?? (await this.#commandOfImage(container))
    const inferred = inferRestart(
      command,
      tree.mappings.map(({ to }) => to),
    )
    return plan.sync.map(({ restart }) => (restart === undefined ? inferred : { restart, reason: 'the config says so' }))
  }

  async #commandOfImage({ image = '', ...container }: Container): Promise<readonly string[] | undefined> {
    const found = await (await this.#run.parts.host.engine()).image(image)
    const args = container['args'] as readonly string[] | undefined
    return found && [...found.entrypoint, ...(args ?? found.cmd)]
  }

  /** What was inferred is shown, so that it can be corrected. */
  #tellChoices(synced: Synced, choices: readonly RestartChoice[]): void {
    const { name, sync } = synced.plan
    const inferred = choices.find((_, index) => sync[index]?.restart === undefined)
    if (!inferred) return
    const does = inferred.restart === 'none' ? 'does not restart the program' : 'restarts the program in place'
    const reason = `a save ${does}: ${inferred.reason}`
    if (synced.told === reason) return
    synced.told = reason
    this.#run.bus.emit({ type: 'action', service: name, do: 'none', reason })
  }

  #tellReplaced(synced: Synced, session: ContainerSession, { pod, name: container }: ContainerRef): void {
    if (synced.replacedAt === undefined || !session.isCurrent || session.hasEnded || session.isLeaving) return
    const ms = Math.round(performance.now() - synced.replacedAt)
    synced.replacedAt = undefined
    this.#run.bus.emit({ type: 'restarted', service: synced.plan.name, pod, container, ms })
  }

  /** A save that several containers cannot take is one matter. */
  #cannotRestart(synced: Synced, container: Container, since: number): void {
    if (since <= synced.refusedAt) return
    synced.refusedAt = Date.now()
    const { plan } = synced
    const problem = new DevkitError('SYNC-107', {
      message: `The program of ${plan.name} cannot be restarted in place: ${this.#whyNotInPlace(plan, container)}.`,
      hint: plan.build
        ? `Its image is built and rolled out instead. Set services.${plan.name}.sync[].restart to 'none' when it needs no restart.`
        : `Set services.${plan.name}.sync[].restart to what it needs.`,
      service: plan.name,
    })
    this.#run.bus.emit(problemEvent(problem, 'warning'))
    if (plan.build) {
      this.#run.bus.emit({
        type: 'action',
        service: plan.name,
        do: 'rebuild',
        reason: 'its program cannot be restarted in place',
      })
      this.#help.rebuild(plan.name)
    }
  }

  #whyNotInPlace({ build }: ServicePlan, container: Container): string {
    const { plan, source } = this.#state
    if (plan.profile.supervise !== true) return `the profile ${plan.profileName} does not supervise it`
    if (isSupervised(container)) return 'its image has no mkfifo'
    if (!build) return 'its image is not built here, so what it runs is not known'
    const whyNot =
      leasePlace(plan, source) === 'node'
        ? 'it is not known on this architecture'
        : 'kind' in plan.cluster.spec
          ? 'the namespace takes no pod with a directory of the node'
          : 'devkit did not make this cluster'
    return `its image has no shell, and its node's cannot be used: ${whyNot}`
  }

  /** The kubelet waits longer and longer before it starts what crashed: after a save a new pod does not. */
  async #wakeCrashed(synced: Synced): Promise<void> {
    if (!this.#running) return
    for (const pod of this.#pods(synced)) {
      const waiting = statusOf(pod).containerStatuses?.find(({ name }) => name === synced.target.container)?.state?.waiting
      const replaced = pod.metadata.ownerReferences?.some(({ kind, controller }) => controller === true && kind !== 'Job')
      if (waiting?.reason !== 'CrashLoopBackOff' || replaced !== true) continue
      const { name, namespace = this.#state.plan.namespace } = pod.metadata
      await this.#state.kube.remove({ apiVersion: 'v1', kind: 'Pod', name, namespace }, this.#scope.signal)
    }
  }

  /** Tells the supervisors that a watch is here. */
  #beat({ plan, source, cluster }: Running): Promise<unknown> {
    const { signal } = this.#scope
    const lease = leaseName(plan.namespace)
    if (leasePlace(plan, source) === 'configmap')
      return holdLease((text) => this.#writeMap(plan.namespace, lease, text), inConfigMap, signal)
    return Promise.all(cluster.nodes.map((node) => holdLease((text) => this.#note(node, lease, text), onNode, signal)))
  }

  async #note(node: string, lease: string, text: string | undefined): Promise<boolean> {
    try {
      const session = await this.#streams.to(node)
      await session.note?.(lease, text)
      return true
    } catch (thrown) {
      // a lost stream is opened again; whoever needs it tells
      if (!(thrown instanceof DevkitError) && !this.#scope.signal.aborted) this.#tell(thrown)
      return false
    }
  }

  async #writeMap(namespace: string, lease: string, text: string | undefined): Promise<boolean> {
    const ref = { apiVersion: 'v1', kind: 'ConfigMap', name: leaseMap, namespace }
    try {
      // at the end it is taken back when all other connections have ended
      await using kube = await this.#run.parts.openKube(this.#state.cluster)
      if (text === undefined) await kube.remove(ref, AbortSignal.timeout(1000))
      else
        await kube.apply(
          { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: leaseMap, namespace }, data: { [lease]: text } },
          this.#scope.signal,
        )
      return true
    } catch {
      // an API server that is away tells itself; a program that does not wait is started anew with its files
      return false
    }
  }
}
