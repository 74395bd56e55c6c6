import { join } from 'node:path'
import type { BuildRequest, Image } from '../build/builder.ts'
import type { Cluster, EnsuredCluster } from '../cluster/provider.ts'
import type { ClusterSpec, ExistingSpec } from '../config/schema.ts'
import { Live } from '../deploy/live.ts'
import { untilLooked } from '../deploy/restarted.ts'
import { choosePorts, mappedService, mappingFor, type PortBook, portBookFile } from '../forward/mapped.ts'
import { untilReachable } from '../forward/reachable.ts'
import { inRegistry } from '../images/push.ts'
import type { Kube } from '../kube/kube.ts'
import { abortable, mapLimited } from '../lib/async.ts'
import { DevkitError, messageOf } from '../lib/errors.ts'
import { repositoryOf } from '../lib/image.ts'
import type { Manifest } from '../lib/objects.ts'
import type { Scope } from '../lib/scope.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import { servicePort } from '../render/references.ts'
import { withSecrets } from '../render/transforms/secrets.ts'
import { providerOf } from '../toolbox.ts'
import { deploy } from './deploy.ts'
import {
  aloneWithCluster,
  type EngineRun,
  heldBy,
  holdEnvironment,
  openApi,
  othersPatienceMs,
  type Parts,
  releaseEnvironment,
} from './environment.ts'
import { evidenceOf } from './evidence.ts'
import { MissingSources } from './missing.ts'
import { FindingsBook, findingsBefore, findingsOfControllers, findingsOfVersion } from './preflight.ts'
import { ProblemBook } from './problem-book.ts'
import { programsOf, shellRemarks } from './programs.ts'
import { applyProfile, outlineOf, renderSource, type Source, targetOf } from './render.ts'
import { contentsOf, valuesOf } from './secrets.ts'
import { type Charge, StandingDiagnosis } from './standing-diagnosis.ts'
import { runStep } from './step.ts'

/** How long an API server may take that begins on a busy machine, in ms. */
const apiPatienceMs = 120_000
/** How long a port may lead nowhere after its pods are ready; a program that closes every connection is no failure. In ms. */
const reachablePatienceMs = 10_000

/** An environment that is up. */
export interface Running {
  readonly plan: Plan
  readonly source: Source
  readonly cluster: Cluster
  readonly kube: Kube
  readonly live: Live
  /** Image of the manifests without a tag → the reference that runs. */
  readonly images: ReadonlyMap<string, Image>
  readonly urls: Readonly<Record<string, string>>
  /** Whether nothing had to be made, built or applied. */
  readonly unchanged: boolean
}

/** What a run that goes on afterwards adds, and what was asked for. */
export interface UpOptions {
  /** What holds data and left the manifests goes too, after a yes. */
  readonly pruneData?: boolean
  /** What holds data and cannot be changed as its manifest says is made anew, after a yes. */
  readonly recreateData?: boolean
  /** An image to take in place of a build, e.g. one that runs already; undefined builds. */
  readonly reuse?: (service: ServicePlan, kube: Kube, source: Source) => Promise<Image | undefined>
  /** Told of the environment before its workloads are applied: who follows its containers misses none. */
  readonly attach?: (running: Running) => void
  /** A service counts as ready when this has resolved too: its containers hold the working tree. */
  readonly synced?: (service: string) => Promise<void>
  /** What was said of the profile, so that it is not said again. */
  readonly told?: Set<string>
  /** Where problems are told that may be mended again. */
  readonly problems?: ProblemBook
  /** What a person saved last that touches a service, as a sentence. */
  readonly savedBefore?: Charge['savedBefore']
  /** Told when something that was wrong is well again. */
  readonly onMended?: Charge['onMended']
  /** What was told of the manifests before, so that it is not told again. */
  readonly findings?: FindingsBook
}

/**
 * Brings the environment up; what it opens belongs to `scope`.
 *
 *   render offline ─► pre-flight ─► check the holder ─┬─► cluster: nodes run ─┬─► is made ─┐
 *                                       └─► builds ─────────────┴─► deliver ─┴─► apply ─► each service when those it depends on are ready
 */
export async function up(asked: Plan, run: EngineRun, scope: Scope, options: UpOptions = {}): Promise<Running> {
  const { reuse, told = new Set() } = options
  const { parts, signal } = run
  const source = await renderSource(asked, parts, { signal })
  const outline = outlineOf(asked, source)
  const { plan } = outline
  const tell = (reasons: readonly string[]): void => {
    for (const reason of reasons) {
      if (!told.has(reason)) run.bus.emit({ type: 'action', do: 'none', reason })
      told.add(reason)
    }
  }
  tell(outline.remarks)
  const values = await valuesOf(plan, parts)
  const ports = plan.services.flatMap((service) =>
    service.ports.map((port) => ({
      service,
      port,
      ...servicePort(source.manifests, service.name, targetOf(source, service), port.port),
    })),
  )
  for (const { name, build } of plan.services)
    if (build) await parts.tools.builder.check({ service: name, directory: plan.directory, spec: build })
  const findings = options.findings ?? new FindingsBook(run.bus)
  findings.tell('manifests', await findingsBefore(outline, source, run))
  // who follows the environment tells it once, not at every turn
  if (!options.attach) await new MissingSources(run).look(plan)
  const provider = providerOf(parts.tools, plan.cluster.spec)
  if (provider.own || plan.services.some(({ build }) => build)) await (await parts.host.engine()).version(signal)
  const before = await heldBy(plan, parts)
  await holdEnvironment(plan, parts, false)

  const nodes = Promise.withResolvers<readonly string[]>()
  const made = ensureCluster(plan, run, nodes.resolve)
  const gaveUp = new AbortController()
  made.then(
    ({ cluster }) => nodes.resolve(cluster.nodes),
    (thrown: unknown) => gaveUp.abort(thrown),
  )
  // all to their end: a build that fails must not leave a cluster half made, nor the other way round
  const opened = made.then(async ({ cluster, outcome, runningSince }) => {
    const kube = scope.use(await openApi(run, cluster))
    await kube.untilReady(provider.own ? apiPatienceMs : othersPatienceMs, signal)
    findings.tell('cluster', await findingsOfVersion(plan, kube, signal))
    const onWait = (): void =>
      run.bus.emit({ type: 'action', do: 'none', reason: 'the node was restarted: its pods are awaited' })
    // restarts of nodes that are not devkit's are not its business
    const restarted =
      provider.own && (await untilLooked(kube, { namespace: plan.namespace, since: runningSince, onWait }, signal))
    return { cluster, outcome, kube, restarted }
  })
  const delivery = new Deliveries(nodes.promise, made, plan.cluster.spec, {
    ...run,
    signal: AbortSignal.any([signal, gaveUp.signal]),
  })
  const built = (reuse ? opened : Promise.resolve(undefined)).then((known) =>
    buildImages(plan, run, { reuse: async (service) => known && reuse?.(service, known.kube, source), onImage: delivery.add }),
  )
  const [madeResult, clusterResult, buildResult] = await Promise.allSettled([made, opened, built])
  const [deliveryResult] = await Promise.allSettled([delivery.all()])
  // nothing was made, so nothing is held
  if (madeResult.status === 'rejected' && !before) await releaseEnvironment(plan, parts)
  if (clusterResult.status === 'rejected') throw clusterResult.reason
  if (buildResult.status === 'rejected') throw buildResult.reason
  if (deliveryResult.status === 'rejected') throw deliveryResult.reason
  const { cluster, outcome, kube, restarted } = clusterResult.value
  const images = buildResult.value
  const delivered = deliveryResult.value
  await holdEnvironment(plan, parts, true)

  const programs = await programsOf(plan, images, parts, { signal })
  tell(shellRemarks(plan, source, programs))
  const profiled = applyProfile(plan, source, references(images), programs)
  const forwards = provider.own ? await mapPorts(plan, ports, cluster, run) : []
  if (!provider.own) tellWays(plan, source, ports, run)
  const urls = Object.fromEntries(forwards.toReversed().map(({ service, url }) => [service, url]))
  const live = new Live(kube, plan.namespace, scope)
  const evidence = evidenceOf(plan, source, { kube, live }, scope)
  const running = { plan, source, cluster, kube, live, images, urls }
  options.attach?.({ ...running, unchanged: false })
  const manifests = async (): Promise<readonly Manifest[]> => {
    const wanted = withSecrets(profiled, await contentsOf(plan, values, kube, parts, signal), plan)
    return [...wanted, ...forwards.map(({ manifest }) => manifest)]
  }
  const remark = (reason: string): void => tell([reason])
  const { synced, pruneData, recreateData, problems = new ProblemBook(run), savedBefore, onMended } = options
  const diagnosis = new StandingDiagnosis({ plan, source, live, evidence, problems, savedBefore, onMended }, run, scope)
  const deployment = { plan, source, kube, live, evidence, manifests, remark, synced, pruneData, recreateData }
  const outcomes = await deploy(deployment, run).catch((thrown: unknown) => {
    diagnosis.deployed({ allReady: false })
    throw thrown
  })
  diagnosis.deployed({ allReady: true })
  findings.tell('controllers', await findingsOfControllers({ plan, manifests: profiled, source }, running, signal))
  const unchanged =
    outcome === 'unchanged' &&
    !restarted &&
    [...images.values()].every((image) => image.outcome === 'cached') &&
    !delivered &&
    outcomes.every((each) => each === 'unchanged')
  if (!unchanged) await Promise.all(forwards.map(({ host }) => untilReachable(host, reachablePatienceMs, signal)))
  for (const { service, host, url } of forwards) run.bus.emit({ type: 'forward.opened', service, port: host, url })
  run.isUp()
  return { ...running, unchanged }
}

interface Forward {
  readonly service: string
  readonly host: number
  readonly url: string
  /** The Service that takes the connections inside the cluster. */
  readonly manifest: Manifest
}

interface WantedPort extends ReturnType<typeof servicePort> {
  readonly service: ServicePlan
  readonly port: ServicePlan['ports'][number]
}

/** Finds the host port of each port that the config names. One at a time for all environments of the cluster: they share its ports. */
function mapPorts(
  plan: Plan,
  ports: readonly WantedPort[],
  cluster: Cluster,
  { parts, signal, bus }: EngineRun,
): Promise<readonly Forward[]> {
  return aloneWithCluster(plan, parts, { signal, say: () => undefined }, async () => {
    const forwards: Forward[] = []
    const inferredLast = ports.toSorted((a, b) => Number(a.port.inferred ?? false) - Number(b.port.inferred ?? false))
    for (const { service, port, selector, targetPort } of inferredLast) {
      const mapping = await mappingFor(parts.host, portBookFile(parts.stateDirectory, cluster.name), {
        env: plan.env,
        service: service.name,
        port: port.port,
        host: port.host,
      }).catch((thrown: unknown) => {
        if (!port.inferred || !(thrown instanceof DevkitError)) throw thrown
        bus.emit({ type: 'action', service: service.name, do: 'none', reason: `no host port is left for ${port.port}` })
      })
      if (!mapping) continue
      const name = `devkit-${service.name}-${port.port}`.toLowerCase()
      forwards.push({
        service: service.name,
        host: mapping.host,
        url: `http://127.0.0.1:${mapping.host}`,
        manifest: {
          object: mappedService(name, plan.namespace, { selector, targetPort, node: mapping.node }),
          origin: { file: plan.configFile, line: 1 },
        },
      })
    }
    return forwards
  })
}

/** A cluster that devkit did not make has no ports of this machine: how to get there all the same. */
function tellWays(plan: Plan, source: Source, ports: readonly WantedPort[], { bus }: EngineRun): void {
  if (!('existing' in plan.cluster.spec)) return
  const place = `--context ${plan.cluster.spec.existing.context} --namespace ${plan.namespace}`
  for (const { service, targetPort } of ports) {
    const command = `kubectl ${place} port-forward ${targetOf(source, service).workload.toLowerCase()} ${targetPort}`
    bus.emit({ type: 'action', service: service.name, do: 'none', reason: `no port of this machine leads there; \`${command}\`` })
  }
}

function ensureCluster(plan: Plan, run: EngineRun, nodesRun: (nodes: readonly string[]) => void): Promise<EnsuredCluster> {
  const { parts } = run
  const provider = providerOf(parts.tools, plan.cluster.spec)
  return runStep(
    run,
    'cluster',
    (step) =>
      aloneWithCluster(plan, parts, step, async () => {
        // one that is not devkit's is there, and needs one look
        if (!provider.own) return provider.ensure(plan.cluster, [], step, nodesRun)
        const file = portBookFile(parts.stateDirectory, plan.cluster.name)
        const { state } = await provider.find(plan.cluster, step)
        if (state !== 'absent' && state !== 'making') {
          if (state !== 'running')
            run.bus.emit({ type: 'action', do: 'none', reason: `the cluster is ${state}: it is started again` })
          return provider.ensure(plan.cluster, [], step, nodesRun)
        }
        const book = await parts.host.files.readJson<PortBook>(file)
        if (state === 'making') {
          run.bus.emit({ type: 'action', do: 'none', reason: 'a run was ended while it made the cluster: it is made anew' })
          await provider.remove(plan.cluster, step)
        }
        const wish = {
          named: plan.cluster.hostPorts,
          seed: plan.cluster.name,
          earlier: (book?.mappings ?? []).map(({ host }) => host),
        }
        const mappings = await choosePorts(wish, (port) => portHolder(port, parts))
        await parts.host.files.writePrivate(file, JSON.stringify({ mappings, taken: book?.taken ?? {} } satisfies PortBook))
        return provider.ensure(plan.cluster, mappings, step, nodesRun)
      }),
    ({ outcome }) => outcome,
  )
}

async function portHolder(port: number, { host }: Parts): Promise<string | undefined> {
  const container = await (await host.engine()).containerOnPort(port)
  return container === undefined ? host.listenerOn(port) : `the container ${container}`
}

interface BuildOptions {
  readonly reuse: (service: ServicePlan) => Promise<Image | undefined>
  /** Told of each image as soon as it is there. */
  readonly onImage: (repository: string, image: Image) => void
}

/** Services with a build by the repository of their image: of several with one image the first. */
export function builtServices(plan: Plan): ReadonlyMap<string, ServicePlan> {
  return new Map(
    plan.services
      .flatMap((service) =>
        service.build && service.image !== undefined ? [[repositoryOf(service.image), service] as const] : [],
      )
      .toReversed(),
  )
}

/** Builds every image that a service has a build for, once each. */
async function buildImages(plan: Plan, run: EngineRun, { reuse, onImage }: BuildOptions): Promise<ReadonlyMap<string, Image>> {
  const failed = new AbortController()
  const building = { ...run, signal: AbortSignal.any([run.signal, failed.signal]) }
  // two at a time: BuildKit shares its work, the laptop has other things to do
  const built = await mapLimited([...builtServices(plan)], 2, async ([repository, service]) => {
    try {
      const image = (await reuse(service)) ?? (await buildImage(plan, service, building))
      onImage(repository, image)
      return [repository, image] as const
    } catch (thrown) {
      failed.abort(thrown)
      throw thrown
    }
  })
  return new Map(built)
}

/** Repository under which an image of the manifests runs: the cluster may pull it from a registry of its own. */
export function runningRepository({ cluster: { spec } }: Plan, image: string): string {
  const repository = repositoryOf(image)
  return 'existing' in spec && spec.existing.registry !== undefined ? inRegistry(spec.existing.registry, repository) : repository
}

/** What the build of a service's image goes by. */
export function buildRequest(plan: Plan, { build, image, name }: ServicePlan): BuildRequest {
  if (!build || image === undefined) throw new Error(`${name} has nothing to build`)
  return {
    service: name,
    project: plan.project,
    repository: runningRepository(plan, image),
    directory: plan.directory,
    spec: build,
  }
}

/** Builds the image of one service and remembers what is in it. */
export async function buildImage(plan: Plan, service: ServicePlan, run: EngineRun): Promise<Image> {
  const request = buildRequest(plan, service)
  const built = await runStep(
    run,
    `build/${service.name}`,
    (step) => run.parts.tools.builder.build(request, step),
    ({ outcome }) => outcome,
  )
  const { files, ...made } = built
  const list = imageFile(plan, built.reference)
  if (built.outcome === 'built' || !(await run.parts.host.files.exists(list)))
    await run.parts.host.files.writePrivate(list, JSON.stringify(files))
  return made
}

/** Where it is written down what an image holds: context path → hash. */
export function imageFile({ directory }: Plan, reference: string): string {
  return join(directory, '.devkit', 'images', `${reference.replaceAll(/[^\w.-]/g, '_')}.json`)
}

/** Brings images to the nodes one after the other, as they come: what two have in common is sent once. */
class Deliveries {
  readonly #nodes: Promise<readonly string[]>
  readonly #made: Promise<EnsuredCluster>
  readonly #spec: ClusterSpec
  readonly #run: EngineRun
  #last: Promise<boolean> = Promise.resolve(false)

  /** `nodes` can take images before the cluster is `made`; the run's signal ends the wait for them. */
  constructor(nodes: Promise<readonly string[]>, made: Promise<EnsuredCluster>, spec: ClusterSpec, run: EngineRun) {
    this.#nodes = nodes
    this.#spec = spec
    this.#made = made
    this.#run = run
  }

  readonly add = (repository: string, { reference }: Image): void => {
    const before = this.#last
    this.#last = before.then(async (sent) => {
      const nodes = await abortable(this.#nodes, this.#run.signal)
      if ('existing' in this.#spec && (this.#spec.existing.registry !== undefined || nodes.length === 0))
        return (await this.#push(repository, reference, this.#spec.existing)) === 'created' || sent
      const outcomes = await Promise.all(nodes.map((node) => this.#deliver(repository, reference, node)))
      return sent || outcomes.includes('created')
    })
    // told by all()
    this.#last.catch(() => undefined)
  }

  /** Whether anything had to be sent, when all of it is there. */
  all(): Promise<boolean> {
    return this.#last
  }

  /** Where nodes cannot be entered they pull what a registry has. */
  #push(repository: string, reference: string, { registry, context }: ExistingSpec): Promise<'created' | 'unchanged'> {
    return runStep(
      this.#run,
      `deliver/${repository.split('/').at(-1)}`,
      async (step) => {
        if (registry !== undefined) return this.#run.parts.tools.push.push(reference, step)
        const { whyNotEntered } = (await this.#made).cluster
        step.say(
          `${context} has to have ${reference} already: cluster.existing.registry names no registry to push it to, and its nodes are not entered: ${whyNotEntered}`,
        )
        return 'unchanged'
      },
      (outcome) => outcome,
    )
  }

  #deliver(repository: string, reference: string, node: string): Promise<'created' | 'unchanged'> {
    const { delivery } = this.#run.parts.tools
    return runStep(
      this.#run,
      `deliver/${repository.split('/').at(-1)}`,
      async (step) => {
        try {
          return (await delivery.deliver(reference, node, step)).outcome
        } catch (thrown) {
          step.signal.throwIfAborted()
          // a node that is being set up may restart its containerd meanwhile
          await this.#made
          step.say(`${messageOf(thrown)} Once more, now that the cluster is there.`, 'stderr')
          return (await delivery.deliver(reference, node, step)).outcome
        }
      },
      (outcome) => outcome,
    )
  }
}

function references(images: ReadonlyMap<string, Image>): ReadonlyMap<string, string> {
  return new Map([...images].map(([repository, { reference }]) => [repository, reference]))
}
