import { join } from 'node:path'
import type { Image } from '../build/builder.ts'
import { contextFiles, dockerIgnored } from '../build/context.ts'
import type { Kube } from '../kube/kube.ts'
import { delay, Latest } from '../lib/async.ts'
import { DevkitError } from '../lib/errors.ts'
import { ignoring } from '../lib/ignore.ts'
import { repositoryOf } from '../lib/image.ts'
import { podSpecOf } from '../lib/objects.ts'
import type { Scope } from '../lib/scope.ts'
import { meaningsFor, type Surroundings } from '../plan/affected.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import { neverSynced } from '../sync/mapping.ts'
import type { EngineRun } from './environment.ts'
import { FindingsBook } from './preflight.ts'
import { ProblemBook } from './problem-book.ts'
import { type Source, targetOf } from './render.ts'
import { overtaking, runStep } from './step.ts'
import { buildImage, imageFile, type Running, runningRepository, up } from './up.ts'

/** What time may mend: tried again without a save. */
const passing = ['ENGINE-101', 'ENGINE-103', 'CLUSTER-104', 'APPLY-104', 'IMAGE-101', 'PORT-101']
const retryMs = 3000
/** So long a build or a rollout waits for more of the same burst, e.g. of a branch switch, in ms. */
const settleMs = 100

/** So long a save may be what broke a service that was well until then, in s. */
const blamedForS = 120

/** Who follows the environment: told of it before its workloads change, so that no container of the new state is missed. */
export interface Follower {
  attach(running: Running): void
  /** Resolves when the service's containers hold the working tree. */
  synced(service: string, signal: AbortSignal): Promise<void>
}

/**
 * Keeps the environment as the plan and the images say. Builds of services go side by side; the rest is `up`, of which one runs at a time:
 *
 *   rebuild(service) ─► build ─► image ─┐      a newer change of the same service ends its build and begins another
 *   rerender, new plan ─────────────────┴─► up ─► attached ─► ready
 *                                            └──── a newer image or manifest ends it and begins another
 *
 * What fails leaves everything as it was; the next change tries again, and what time may mend is tried again by itself.
 */
export class Upkeep {
  readonly #run: EngineRun
  readonly #scope: Scope
  readonly #follower: Follower
  readonly #problems: ProblemBook
  readonly #told = new Set<string>()
  readonly #findings: FindingsBook
  #plan: Plan
  /** The images to run, by repository: what was built or found last. */
  readonly #images = new Map<string, Image>()
  readonly #builds = new Latest()
  readonly #failedBuilds = new Set<string>()
  readonly #working = new Set<Promise<void>>()
  /** What the containers run now; undefined until the first `up` came so far. */
  #generation: Scope | undefined
  #turn: { readonly abort: AbortController; clusterIsThere: boolean } | undefined
  readonly #saves = new Map<string, { readonly paths: readonly string[]; readonly at: number }>()
  #wanted = false
  #failed = false
  #complete = false

  constructor(plan: Plan, run: EngineRun, scope: Scope, follower: Follower) {
    this.#plan = plan
    this.#run = run
    this.#scope = scope
    this.#follower = follower
    this.#problems = new ProblemBook(run)
    this.#findings = new FindingsBook(run.bus)
  }

  /** Brings everything up as it is now wanted; work that runs for an older state is ended. */
  bringUp(): void {
    this.#wanted = true
    if (this.#turn) this.#overtake()
    else this.#track(this.#turns())
  }

  /** Builds the service's image anew and rolls it out. */
  rebuild(name: string): void {
    const service = this.#plan.services.find((candidate) => candidate.name === name)
    if (!service?.build || service.image === undefined) return
    const repository = repositoryOf(service.image)
    // what has no image yet is built by `up`: the first time, and after a new plan
    if (!this.#complete || !this.#images.has(repository)) {
      this.#images.delete(repository)
      this.bringUp()
      return
    }
    const build = (overtaken: AbortSignal): Promise<void> => this.#build(service, repository, overtaken)
    this.#track(this.#builds.start(name, build, overtaking))
  }

  /** Takes a new plan: what it builds otherwise is built anew, the rest goes on. `rerender`: manifests changed, whatever the plan is. */
  replan(plan: Plan, rerender: boolean): void {
    if (!rerender && JSON.stringify(plan) === JSON.stringify(this.#plan) && !this.#failed) return
    const before = new Map(this.#plan.services.map((service) => [service.name, service]))
    this.#plan = plan
    for (const service of plan.services) {
      const old = before.get(service.name)
      if (
        service.image !== undefined &&
        JSON.stringify([old?.build, old?.sync]) !== JSON.stringify([service.build, service.sync])
      )
        this.#forgetImage(service.name, repositoryOf(service.image))
    }
    this.bringUp()
  }

  /** Files (relative to the project) were saved that touch a service. */
  saved(service: string, paths: readonly string[]): void {
    this.#saves.set(service, { paths, at: Date.now() })
  }

  /** A save that touches a service: what failed for it is tried again. */
  retry(service: string): void {
    if (this.#failedBuilds.has(service)) this.rebuild(service)
    else if (this.#failed) this.bringUp()
  }

  /** Shows a problem that has nothing to do with the cluster, e.g. of the config; undefined resolves it. */
  tell(about: string, thrown: unknown): void {
    if (thrown === undefined) this.#problems.resolve(about)
    else this.#problems.show(about, thrown)
  }

  /** Ends with the scope: rejects with what no change of a file can mend. */
  async ended(): Promise<void> {
    while (this.#working.size > 0) await Promise.all(this.#working)
  }

  /** Rejects with what a watch cannot go on from. */
  readonly failure = Promise.withResolvers<never>()

  #track(work: Promise<void>): void {
    const tracked = work
      .catch((thrown: unknown) => {
        if (this.#scope.signal.aborted) return
        if (isFinal(thrown)) this.failure.reject(thrown)
        else this.#problems.show('watch', thrown)
      })
      .finally(() => this.#working.delete(tracked))
    this.#working.add(tracked)
  }

  #overtake(): void {
    // a cluster that is being made is not left half made
    if (this.#turn?.clusterIsThere) this.#turn.abort.abort(overtaking)
  }

  /** What the service's image is built from is no longer true: `up` builds another. */
  #forgetImage(name: string, repository: string): void {
    void this.#builds.end(name, overtaking)
    this.#images.delete(repository)
    this.#failedBuilds.delete(name)
    this.#problems.resolve(`build/${name}`)
  }

  async #build(service: ServicePlan, repository: string, overtaken: AbortSignal): Promise<void> {
    const { name } = service
    const signal = AbortSignal.any([this.#scope.signal, overtaken])
    try {
      await delay(settleMs, signal)
      const image = await buildImage(this.#plan, service, { ...this.#run, signal })
      signal.throwIfAborted()
      const same = this.#images.get(repository)?.reference === image.reference
      this.#images.set(repository, image)
      this.#failedBuilds.delete(name)
      this.#problems.resolve(`build/${name}`)
      if (!same) this.bringUp()
    } catch (thrown) {
      if (signal.aborted) return
      this.#failedBuilds.add(name)
      this.#problems.show(`build/${name}`, thrown)
    }
  }

  async #turns(): Promise<void> {
    while (this.#wanted && !this.#scope.signal.aborted) {
      this.#wanted = false
      const turn = { abort: new AbortController(), clusterIsThere: this.#complete }
      this.#turn = turn
      using _ = this.#run.bus.subscribe((event) => {
        if (event.type !== 'step.finished' || event.step !== 'cluster') return
        turn.clusterIsThere = true
        if (this.#wanted) this.#overtake()
      })
      try {
        if (this.#complete) await delay(settleMs, AbortSignal.any([this.#scope.signal, turn.abort.signal]))
        turn.clusterIsThere = false
        await this.#up(turn.abort.signal)
        this.#failed = false
        this.#complete = true
        this.#problems.resolve('up')
      } catch (thrown) {
        if (this.#scope.signal.aborted) return
        if (turn.abort.signal.aborted) continue
        if (isFinal(thrown)) throw thrown
        this.#failed = true
        // what bounds the time of the run bounds no watching
        this.#run.isUp()
        this.#problems.show('up', thrown)
        if (thrown instanceof DevkitError && passing.includes(thrown.code)) this.#track(this.#retryLater())
      } finally {
        this.#turn = undefined
      }
    }
  }

  async #retryLater(): Promise<void> {
    await delay(retryMs, this.#scope.signal).catch(() => undefined)
    if (!this.#scope.signal.aborted && this.#failed && !this.#turn) {
      this.#problems.patient = true
      this.bringUp()
    }
  }

  /** What kept the last `up` from its end is mended, by whomever: what is left of it is done. */
  #goOn(): void {
    if (!this.#failed || this.#turn || this.#scope.signal.aborted) return
    this.#problems.patient = true
    this.bringUp()
  }

  #savedBefore(service: string, since: number): string | undefined {
    const save = this.#saves.get(service)
    if (!save) return undefined
    const earlier = Math.max(0, Math.round((since - save.at) / 1000))
    if (earlier > blamedForS) return undefined
    const others = save.paths.length > 3 ? ` and ${save.paths.length - 3} more` : ''
    const time = new Date(save.at).toTimeString().slice(0, 8)
    return `Before it: ${save.paths.slice(0, 3).join(', ')}${others} saved at ${time}${earlier > 0 ? `, ${earlier} s earlier` : ''}.`
  }

  async #up(signal: AbortSignal): Promise<void> {
    const next = this.#scope.child()
    const run = { ...this.#run, signal: AbortSignal.any([next.signal, signal]) }
    let attached = false
    try {
      const running = await up(this.#plan, run, next, {
        reuse: async (service, kube, source) => {
          const known = service.image === undefined ? undefined : this.#images.get(repositoryOf(service.image))
          if (known) return { ...known, outcome: 'cached' }
          // one build of a service at a time
          await this.#builds.end(service.name, overtaking)
          return runningImage(this.#plan, service, { kube, source }, run)
        },
        attach: (state) => {
          attached = true
          for (const [repository, image] of state.images) if (!this.#images.has(repository)) this.#images.set(repository, image)
          const old = this.#generation
          this.#generation = next
          this.#follower.attach(state)
          if (old) this.#track(old.close())
        },
        synced: (service) => this.#follower.synced(service, run.signal),
        told: this.#told,
        findings: this.#findings,
        problems: this.#problems,
        savedBefore: (service, since) => this.#savedBefore(service, since),
        onMended: () => this.#goOn(),
      })
      if (!this.#complete && Object.keys(running.urls).length === 0)
        this.#run.bus.emit({ type: 'action', do: 'none', reason: 'watching' })
      if (!this.#complete)
        for (const [service, url] of Object.entries(running.urls))
          this.#run.bus.emit({ type: 'action', service, do: 'none', reason: `watching; ${url}` })
    } catch (thrown) {
      // once followed, the state stays: its pods may become ready later
      if (!attached) await next.close()
      throw thrown
    }
  }
}

/** No save changes who holds the environment. */
function isFinal(thrown: unknown): boolean {
  return thrown instanceof DevkitError && thrown.code === 'PLAN-103'
}

/** What `plan/affected` has to know beside the plan, as it is on the disk now. */
export async function surroundingsOf(
  plan: Plan,
  files: Pick<Surroundings, 'configFiles' | 'secretFiles' | 'renders'>,
): Promise<Surroundings> {
  const ignores = plan.services.map(async ({ name, build }) => {
    const rules = build ? await dockerIgnored(join(plan.directory, build.context), build.dockerfile) : []
    return [name, ignoring(rules)] as const
  })
  return { dockerIgnores: new Map(await Promise.all(ignores)), never: neverSynced, ...files }
}

/** The image that the service runs already, when the tree differs from it only where a sync rule covers the difference. */
async function runningImage(
  plan: Plan,
  service: ServicePlan,
  { kube, source }: { readonly kube: Kube; readonly source: Source },
  run: EngineRun,
): Promise<Image | undefined> {
  const { files, engine } = run.parts.host
  if (!service.build || service.image === undefined || service.sync.length === 0) return undefined
  const [kind = '', name = ''] = targetOf(source, service).workload.split('/')
  const apiVersion =
    source.manifests.find(({ object }) => object.kind === kind && object.metadata.name === name)?.object.apiVersion ?? ''
  const live = await kube.get({ apiVersion, kind, name, namespace: plan.namespace }, run.signal)
  const repository = runningRepository(plan, service.image)
  const reference =
    live && podSpecOf(live)?.containers.find(({ image }) => image !== undefined && repositoryOf(image) === repository)?.image
  if (reference === undefined) return undefined
  const inImage = await files.readJson<Record<string, string>>(imageFile(plan, reference))
  const image = await (await engine()).image(reference)
  if (!inImage || !image) return undefined
  const context = join(plan.directory, service.build.context)
  const tree = await contextFiles(context, service.build.dockerfile, files)
  const differing = [...new Set([...Object.keys(inImage), ...tree.keys()])].filter(
    (path) => inImage[path] !== tree.get(path)?.hash,
  )
  const around = await surroundingsOf(plan, { configFiles: [], secretFiles: [], renders: () => false })
  const meaningOf = meaningsFor(plan, service, around)
  if (differing.some((path) => meaningOf(join(context, path))?.do === 'rebuild')) return undefined
  return runStep(
    run,
    `build/${service.name}`,
    async () => ({ reference, id: image.id, outcome: 'cached' as const }),
    () => 'skipped',
  )
}
