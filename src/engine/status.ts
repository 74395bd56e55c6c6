import type { Cluster } from '../cluster/provider.ts'
import type { Evidence } from '../deploy/diagnosis/evidence.ts'
import { problemOf, type Verdict, withWaiters } from '../deploy/diagnosis/verdict.ts'
import { goneWhenDone } from '../deploy/hooks.ts'
import { followedKinds, Live } from '../deploy/live.ts'
import { rollout } from '../deploy/rollout.ts'
import type { Problem } from '../events/event.ts'
import type { ServiceStatus, Status } from '../events/status.ts'
import { type PortBook, portBookFile } from '../forward/mapped.ts'
import type { Kube } from '../kube/kube.ts'
import { DevkitError } from '../lib/errors.ts'
import { isOccasional } from '../lib/hooks.ts'
import { repositoryOf } from '../lib/image.ts'
import { isWorkload, type KubeObject, nameOf, podSpecOf, refOf } from '../lib/objects.ts'
import { Scope } from '../lib/scope.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import { providerOf, transportOf } from '../toolbox.ts'
import { checkHolder, type EngineRun } from './environment.ts'
import { evidenceOf } from './evidence.ts'
import { staleContainers } from './held.ts'
import { outlineOf, renderSource, type Source, targetOf } from './render.ts'
import { problemEvent } from './step.ts'
import { boundVolumes } from './volumes.ts'

/** How long a look may wait for the API server, in ms. */
const patienceMs = 5000

/**
 * Looks at the environment and changes nothing. What cannot be asked (the engine, the cluster) is a problem in the answer, not a failure.
 * @throws RENDER-101 … RENDER-104, PLAN-104, PLAN-106 when the config or the manifests are wrong
 */
export async function status(asked: Plan, run: EngineRun): Promise<Status> {
  const { parts, signal } = run
  const step = { signal, say: () => undefined }
  const source = await renderSource(asked, parts, step)
  const { plan } = outlineOf(asked, source)
  const problems: Problem[] = []
  const told = async <T>(work: Promise<T>): Promise<T | undefined> => {
    try {
      return await work
    } catch (thrown) {
      signal.throwIfAborted()
      if (!(thrown instanceof DevkitError)) throw thrown
      const { type: _, ...problem } = problemEvent(thrown)
      problems.push(problem)
      return undefined
    }
  }
  await told(checkHolder(plan, parts))
  const found = await told(providerOf(parts.tools, plan.cluster.spec).find(plan.cluster, step))
  const state = found?.state ?? 'unknown'
  const seen = found?.state === 'running' ? await told(look(plan, source, found.cluster, run)) : undefined
  const waiting =
    state === 'running'
      ? 'the cluster does not answer'
      : state === 'unknown'
        ? 'nothing is known of the cluster'
        : `the cluster is ${state}`
  return {
    project: plan.project,
    env: plan.env,
    cluster: {
      name: plan.cluster.name,
      state,
      sync: found && 'cluster' in found ? transportOf(parts.tools, found.cluster).way : undefined,
      syncReason: found && 'cluster' in found ? found.cluster.whyNotEntered : undefined,
    },
    namespace: plan.namespace,
    services:
      seen?.services ??
      plan.services.map((service) => ({
        name: service.name,
        workload: targetOf(source, service).workload,
        ready: false,
        waiting,
        ports: service.ports.map(({ port }) => ({ port })),
      })),
    volumes: seen?.volumes ?? [],
    problems: [...problems, ...(seen?.problems ?? [])],
  }
}

async function look(
  plan: Plan,
  source: Source,
  cluster: Cluster,
  { parts, signal }: EngineRun,
): Promise<Pick<Status, 'services' | 'volumes' | 'problems'>> {
  await using scope = new Scope()
  const kube = scope.use(await parts.openKube(cluster))
  await kube.untilReady(patienceMs, signal)
  const book = await parts.host.files.readJson<PortBook>(portBookFile(parts.stateDirectory, cluster.name))
  const live = new Live(kube, plan.namespace, scope)
  const evidence = evidenceOf(plan, source, { kube, live }, scope)
  const [volumes, workloads] = await Promise.all([
    boundVolumes(kube, plan.namespace, signal),
    Promise.all(plan.services.map((service) => liveWorkload(plan, source, service, kube, signal))),
    live.until(() => (followedKinds.every(([, kind]) => live.isListed(kind)) ? true : undefined), signal),
  ])
  const pods = live.all('Pod')
  const isGone = await goneWhenDone(kube, plan.namespace, signal)
  const services = plan.services.map(async (service, index) => {
    const stale = await staleContainers(
      plan,
      service,
      { pods: podsOf(workloads[index], pods), container: targetOf(source, service).container },
      parts.host.files,
    )
    const wanted = workloadOf(plan, source, service)
    const isDone = wanted !== undefined && (isOccasional(wanted) || isGone(wanted))
    const seen = serviceStatus(plan, source, { service, live: workloads[index], isDone, book })
    return stale.length > 0 ? { ...seen, stale: [...stale] } : seen
  })
  const found = await verdictsNow(plan, workloads, evidence, signal)
  const waitingFor = (name: string): Pick<ServiceStatus, 'waiting'> | undefined => {
    const others = found.find(({ service }) => service.name === name)?.verdict.waitsFor
    return others && { waiting: `for ${others.join(', ')}` }
  }
  return {
    services: (await Promise.all(services)).map((service) => ({ ...service, ...waitingFor(service.name) })),
    volumes: [...volumes],
    problems: await problemsIn(found, evidence, signal),
  }
}

async function liveWorkload(
  plan: Plan,
  source: Source,
  service: ServicePlan,
  kube: Kube,
  signal: AbortSignal,
): Promise<KubeObject | undefined> {
  const wanted = workloadOf(plan, source, service)
  return wanted && kube.get(refOf(wanted), signal)
}

/** What the manifests say of a service's workload. */
function workloadOf(plan: Plan, source: Source, service: ServicePlan): KubeObject | undefined {
  const { workload } = targetOf(source, service)
  const found = source.manifests.find(({ object }) => isWorkload(object) && nameOf(object) === workload)?.object
  return found && { ...found, metadata: { ...found.metadata, namespace: found.metadata.namespace ?? plan.namespace } }
}

interface Seen {
  readonly service: ServicePlan
  readonly live: KubeObject | undefined
  /** Whether it need not be there: it has done its work before, or waits for an occasion. */
  readonly isDone: boolean
  readonly book: PortBook | undefined
}

function serviceStatus(plan: Plan, source: Source, { service, live, isDone, book }: Seen): ServiceStatus {
  const state = live ? rollout(live) : isDone ? 'ready' : { waiting: 'it is not in the cluster' }
  const ports = service.ports.map(({ port }) => {
    const host = book?.taken[`${plan.env}/${service.name}/${port}`]
    return host === undefined ? { port } : { port, host, url: `http://127.0.0.1:${host}` }
  })
  const containers = (live && podSpecOf(live)?.containers) ?? []
  const own = containers.find(
    ({ image }) => image !== undefined && service.image !== undefined && repositoryOf(image) === repositoryOf(service.image),
  )
  return {
    name: service.name,
    workload: targetOf(source, service).workload,
    image: (own ?? containers[0])?.image,
    ready: state === 'ready',
    pods: live && podCount(live),
    waiting: state === 'ready' ? undefined : state.waiting,
    ports,
    url: ports.map(({ url }) => url).find((url) => url !== undefined),
    lastChange: live && lastChange(live),
  }
}

function podCount(object: KubeObject): { readonly ready: number; readonly wanted: number } {
  const spec = (object['spec'] ?? {}) as { readonly replicas?: number; readonly completions?: number }
  const status = (object['status'] ?? {}) as Readonly<Record<string, number | undefined>>
  if (object.kind === 'Job') return { ready: status['succeeded'] ?? 0, wanted: spec.completions ?? 1 }
  if (object.kind === 'DaemonSet') return { ready: status['numberReady'] ?? 0, wanted: status['desiredNumberScheduled'] ?? 0 }
  return { ready: status['readyReplicas'] ?? 0, wanted: spec.replicas ?? 1 }
}

/** When devkit last wrote the object. @see https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management */
function lastChange({ metadata }: KubeObject): string | undefined {
  const fields = (metadata['managedFields'] ?? []) as readonly { readonly manager?: string; readonly time?: string }[]
  return fields
    .filter(({ manager }) => manager === 'devkit')
    .map(({ time }) => time)
    .findLast((time) => time !== undefined)
}

/** Those of the pods that a workload selects. */
function podsOf(live: KubeObject | undefined, pods: readonly KubeObject[]): readonly KubeObject[] {
  const { matchLabels = {} } =
    ((live?.['spec'] ?? {}) as { readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> } }).selector ?? {}
  const selector = Object.entries(matchLabels)
  return selector.length === 0
    ? []
    : pods.filter(({ metadata }) => selector.every(([name, value]) => metadata.labels?.[name] === value))
}

interface Found {
  readonly service: ServicePlan
  readonly workload: string
  readonly verdict: Verdict
}

/** Why services are not ready, as far as can be told by one look. */
async function verdictsNow(
  plan: Plan,
  workloads: readonly (KubeObject | undefined)[],
  evidence: Evidence,
  signal: AbortSignal,
): Promise<readonly Found[]> {
  const unready = plan.services.flatMap((service, index) => {
    const live = workloads[index]
    // how the runs of a CronJob ended is not in its own status
    return live && (rollout(live) !== 'ready' || live.kind === 'CronJob') ? [{ service, live }] : []
  })
  // rules ask for more as they learn more
  for (let round = 0; round < 3; round++) {
    for (const { live } of unready) evidence.lookAt(live)
    await evidence.settled(signal)
  }
  return unready.flatMap(({ service, live }) => {
    const { verdict } = evidence.lookAt(live)
    return verdict ? [{ service, workload: nameOf(live), verdict }] : []
  })
}

/** One problem for each that has one of its own; who waits for it is told with it. */
async function problemsIn(found: readonly Found[], evidence: Evidence, signal: AbortSignal): Promise<Problem[]> {
  const own = found.filter(({ verdict }) => !verdict.waitsFor)
  return await Promise.all(
    own.map(async ({ service, workload, verdict }) => {
      const lines = await evidence.linesOf(verdict, signal)
      const told = withWaiters(verdict, evidence.waitersFor(workload))
      const { type: _, ...problem } = problemEvent(problemOf(told, { workload, service: service.name, lines }), verdict.severity)
      return problem
    }),
  )
}
