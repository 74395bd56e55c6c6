import { join, relative, sep } from 'node:path'
import { statusOf } from '../deploy/diagnosis/diagnosis.ts'
import { DevkitError } from '../lib/errors.ts'
import { gitIgnoreRules, ignoring } from '../lib/ignore.ts'
import type { KubeObject } from '../lib/objects.ts'
import type { Scope } from '../lib/scope.ts'
import type { ServicePlan } from '../plan/plan.ts'
import { difference, type Mapped, neverSynced, targetOf as targetPath } from '../sync/mapping.ts'
import { SyncGone, type SyncSession } from '../sync/transport.ts'
import { transportOf } from '../toolbox.ts'
import type { EngineRun } from './environment.ts'
import { problemEvent, runStep } from './step.ts'
import { imageFile, type Running, targetOf } from './up.ts'

/** A running container of a synced service, and which content it has: target → hash. */
interface Container {
  readonly id: string
  readonly pod: string
  readonly node: string
  readonly has: Map<string, string>
}

/**
 * Keeps every running container of the synced services equal to the working tree. One stream per node; a container that is new
 * (rollout, crash, scale) gets the whole difference between its image and the tree.
 */
export class Sessions {
  #running: Running | undefined
  #following: Disposable | undefined
  readonly #run: EngineRun
  readonly #scope: Scope
  readonly #containers = new Map<string, Container>()
  readonly #streams = new Map<string, Promise<SyncSession>>()
  /** Changes of one service go one after the other; services do not wait for each other. */
  readonly #queues = new Map<string, Promise<unknown>>()

  constructor(run: EngineRun, scope: Scope) {
    this.#run = run
    this.#scope = scope
    scope.defer(async () => {
      this.#following?.[Symbol.dispose]()
      await Promise.all(this.#queues.values())
    })
  }

  /** Follows this state of the environment from now on; open streams are kept. */
  attach(running: Running): void {
    this.#running = running
    this.#following?.[Symbol.dispose]()
    this.#following = this.#followContainers(running)
  }

  /** Paths (absolute) of the working tree changed. `firstEvent` is in ms since the epoch. */
  changed(service: string, _paths: readonly string[], firstEvent: number): void {
    const found = this.#running?.plan.services.find(({ name }) => name === service)
    if (found) void this.#queue(found, firstEvent)
  }

  /** Compares the whole tree of the service with its containers: events may have been lost. */
  reread(service: string): void {
    this.changed(service, [], Date.now())
  }

  /** Resolves when every running container of the service holds the working tree, or the signal aborts. */
  async synced(service: string, _signal: AbortSignal): Promise<void> {
    await this.#queues.get(service)
  }

  #queue(service: ServicePlan, since: number): Promise<void> {
    const before = this.#queues.get(service.name) ?? Promise.resolve()
    const work = before.then(() => this.#sync(service, since))
    const told = work.catch((thrown: unknown) => {
      if (!this.#scope.signal.aborted) this.#run.bus.emit(problemEvent(thrown))
    })
    this.#queues.set(service.name, told)
    return told
  }

  /** Looks for containers that are new; they get the whole difference. */
  #followContainers({ plan, live }: Running): Disposable {
    const services = plan.services.filter(({ sync }) => sync.length > 0)
    const seen = new Map<string, string>()
    const look = (): void => {
      for (const service of services) {
        const ids = this.#containerIds(service).join()
        if (seen.get(service.name) === ids) continue
        seen.set(service.name, ids)
        void this.#queue(service, Date.now())
      }
    }
    const following = live.onChange(look)
    look()
    return following
  }

  get #state(): Running {
    if (!this.#running) throw new Error('nothing runs yet')
    return this.#running
  }

  #pods(service: ServicePlan): readonly KubeObject[] {
    const workload = this.#state.live.get(targetOf(this.#state.source, service).workload)
    return workload ? this.#state.live.podsOf(workload) : []
  }

  #containerIds(service: ServicePlan): readonly string[] {
    const { container } = targetOf(this.#state.source, service)
    return this.#pods(service).flatMap((pod) => runningId(pod, container) ?? [])
  }

  async #sync(service: ServicePlan, since: number): Promise<void> {
    const { container } = targetOf(this.#state.source, service)
    const wanted = await this.#wanted(service)
    await Promise.all(
      this.#pods(service).map(async (pod) => {
        const id = runningId(pod, container)
        if (id === undefined) return
        const known = this.#containers.get(id) ?? (await this.#enter(service, pod, id))
        const batch = difference(wanted, known.has)
        if (batch.writes.length === 0 && batch.deletes.length === 0) return
        const step = { signal: this.#scope.signal, say: () => undefined }
        try {
          const session = await this.#stream(known.node)
          const reference = { id, namespace: pod.metadata.namespace ?? '', pod: pod.metadata.name, name: container }
          const roots = service.sync.map(({ to }) => to)
          const ack = await session.push(reference, { roots, ...batch }, step)
          const { files, bytes, deleted, sent, refused } = ack
          for (const [target, hash] of sent) known.has.set(target, hash)
          for (const target of batch.deletes) if (!refused.some((one) => one.target === target)) known.has.delete(target)
          const result = { files, bytes, deleted, ms: Date.now() - since }
          this.#run.bus.emit({ type: 'synced', service: service.name, container, pod: pod.metadata.name, ...result })
          if (refused[0])
            throw new DevkitError('SYNC-102', {
              message: `A file could not be synced: ${refused[0].why}.`,
              hint: 'Check that the path can be written in the container.',
              detail: refused.map(({ why }) => why).join('\n'),
              service: service.name,
            })
        } catch (thrown) {
          // a container that has ended meanwhile is followed by another, which gets everything
          if (
            runningId(this.#state.live.get(`Pod/${pod.metadata.name}`) ?? pod, container) !== id ||
            (thrown instanceof SyncGone && thrown.reason === 'ended')
          )
            this.#containers.delete(id)
          else throw thrown
        }
      }),
    )
  }

  /** What the working tree says that a container of the service holds. */
  async #wanted(service: ServicePlan): Promise<ReadonlyMap<string, Mapped>> {
    const { plan } = this.#state
    const { files } = this.#run.parts.host
    const wanted = new Map<string, Mapped>()
    for (const rule of service.sync) {
      const root = join(plan.directory, rule.from)
      const ignored = ignoring(gitIgnoreRules(rule.ignore))
      const byConfig = ignoring(gitIgnoreRules(plan.ignore))
      const single = await files.stateOf(root)
      const tree = single
        ? new Map([['', single]])
        : await files.treeOf(root, (path, directory) => {
            const whole = relative(plan.directory, join(root, path)).split(sep).join('/')
            return neverSynced.test(path) || ignored(path, directory) || byConfig(whole, directory)
          })
      for (const [path, state] of tree) {
        const source = join(root, path)
        wanted.set(targetPath(rule, plan.directory, source), { source, target: targetPath(rule, plan.directory, source), state })
      }
    }
    return wanted
  }

  /** A container that is new to us holds what its image holds; of an unknown image nothing is known. */
  async #enter(service: ServicePlan, pod: KubeObject, id: string): Promise<Container> {
    const { plan, source } = this.#state
    const { container } = targetOf(source, service)
    const spec = pod['spec'] as {
      readonly nodeName?: string
      readonly containers: readonly { readonly name: string; readonly image: string }[]
    }
    const reference = spec.containers.find(({ name }) => name === container)?.image ?? ''
    const inImage = (await this.#run.parts.host.files.readJson<Record<string, string>>(imageFile(plan, reference))) ?? {}
    const has = new Map<string, string>()
    for (const rule of service.sync) {
      const ignored = ignoring(gitIgnoreRules(rule.ignore))
      for (const [path, hash] of Object.entries(inImage)) {
        const source = join(plan.directory, service.build?.context ?? '', path)
        const inside = source === join(plan.directory, rule.from) || source.startsWith(`${join(plan.directory, rule.from)}/`)
        if (inside && !neverSynced.test(path) && !ignored(path)) has.set(targetPath(rule, plan.directory, source), hash)
      }
    }
    const known: Container = { id, pod: pod.metadata.name, node: spec.nodeName ?? '', has }
    this.#containers.set(id, known)
    return known
  }

  #stream(node: string): Promise<SyncSession> {
    const open = this.#streams.get(node)
    if (open) return open
    const { parts } = this.#run
    const opening = runStep({ bus: this.#run.bus, signal: this.#scope.signal }, `stream/${node}`, (step) =>
      transportOf(parts.tools, this.#state.cluster).open({ node, kube: this.#state.kube }, step),
    )
    this.#streams.set(node, opening)
    opening.then(
      (session) => {
        this.#scope.use(session)
        void session.closed.finally(() => this.#streams.delete(node))
      },
      () => this.#streams.delete(node),
    )
    return opening
  }
}

function runningId(pod: KubeObject, container: string): string | undefined {
  const status = statusOf(pod).containerStatuses?.find(({ name }) => name === container)
  return status?.state?.running ? status.containerID?.replace(/^containerd:\/\//, '') : undefined
}
