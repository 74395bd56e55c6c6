import { type Area, areaSchema, type Check, type Doctor } from '../events/doctor.ts'
import { DevkitError } from '../lib/errors.ts'
import { Scope } from '../lib/scope.ts'
import type { ClusterPlan } from '../plan/plan.ts'
import { providerOf } from '../toolbox.ts'
import { check, type Fact, fact, foundProblem, patienceMs } from './doctor/check.ts'
import { clusterLooks } from './doctor/cluster.ts'
import { engineLooks } from './doctor/engine.ts'
import type { ApiFacts, ClusterFacts, EngineFacts, Examined, Facts, ReadConfig, Rendered } from './doctor/facts.ts'
import { machineLooks } from './doctor/machine.ts'
import { configLooks, environmentLooks, manifestLooks, renderPatienceMs } from './doctor/project.ts'
import { outlineOf } from './render.ts'

/**
 * Looks at everything that an environment leans on, all at once, and changes nothing. Whatever is missing, the rest is looked at: what needs it is
 * skipped, with why. What does not answer is not waited for.
 */
export async function doctor(examined: Examined): Promise<Doctor> {
  await using scope = new Scope()
  const facts = factsOf(examined, scope)
  const looks = [
    ...machineLooks(examined, facts),
    ...engineLooks(examined, facts),
    ...configLooks(examined, facts),
    ...manifestLooks(examined, facts),
    ...clusterLooks(examined, facts),
    ...environmentLooks(examined, facts),
  ]
  const found = (await Promise.all(looks.map((look) => check(look, examined.signal)))).flat()
  const checks = inOrder(found)
  return { ok: checks.every(({ verdict }) => verdict !== 'failure'), checks }
}

function inOrder(checks: readonly Check[]): Check[] {
  const place = (area: Area): number => areaSchema.options.indexOf(area)
  return checks.toSorted((a, b) => place(a.area) - place(b.area))
}

/** Each is asked once, as soon as what it needs is known. */
function factsOf(examined: Examined, scope: Scope): Facts {
  const engine = engineFact(examined)
  const config = configFact(examined)
  const manifests = manifestsFact(config, examined)
  const cluster = clusterFact(config, engine, examined)
  const api = apiFact(cluster, examined, scope)
  return { engine, config, manifests, cluster, api }
}

/** An engine that answers does so at once; the cluster is asked after it. In ms. */
const enginePatienceMs = 3500

function engineFact({ parts, signal }: Examined): Promise<Fact<EngineFacts>> {
  const ask = async (within: AbortSignal): Promise<Fact<EngineFacts>> => {
    const engine = await parts.host.engine()
    const began = Date.now()
    const info = await engine.info(within)
    const ms = Date.now() - began
    return { is: { engine, info, skewMs: info.time - (began + ms / 2), doubtMs: ms / 2 } }
  }
  const late = foundProblem({
    code: 'ENGINE-101',
    message: `The container engine takes connections and does not answer within ${enginePatienceMs / 1000} s.`,
    hint: 'Wait until it has started, or restart it.',
  })
  return fact(ask, signal, { why: 'the container engine does not answer', late, ms: enginePatienceMs })
}

function configFact({ load, isNamed, signal }: Examined): Promise<Fact<ReadConfig>> {
  const ask = async (): Promise<Fact<ReadConfig>> => {
    try {
      return { is: await load() }
    } catch (thrown) {
      if (!(thrown instanceof DevkitError)) throw thrown
      const isOutside = thrown.code === 'CONFIG-101' && !isNamed
      return isOutside
        ? { why: 'there is no config here', found: { ...foundProblem(thrown), verdict: 'skipped' } }
        : { why: 'the config cannot be read', found: foundProblem(thrown) }
    }
  }
  return fact(ask, signal, { why: 'the config cannot be read', ms: renderPatienceMs })
}

async function manifestsFact(config: Promise<Fact<ReadConfig>>, { signal }: Examined): Promise<Fact<Rendered>> {
  const read = await config
  if (!('is' in read)) return { why: read.why }
  const why = 'the manifests cannot be rendered'
  const ask = async (within: AbortSignal): Promise<Fact<Rendered>> => {
    const { plan, source, problem } = await read.is.complete(within)
    if (problem || !source) return { why, ...(problem && { found: foundProblem(problem) }) }
    const outline = outlineOf(plan, source)
    return { is: { plan, source, outline } }
  }
  return fact(ask, signal, { why, ms: renderPatienceMs })
}

async function clusterFact(
  config: Promise<Fact<ReadConfig>>,
  engine: Promise<Fact<EngineFacts>>,
  { parts, signal }: Examined,
): Promise<Fact<ClusterFacts>> {
  const read = await config
  if (!('is' in read)) return { why: read.why }
  const { plan } = read.is
  const provider = providerOf(parts.tools, plan.cluster.spec)
  const running = await engine
  // where its nodes are containers, only the engine knows of it
  if (provider.own && !('is' in running)) return { why: running.why }
  const ask = async (within: AbortSignal): Promise<Fact<ClusterFacts>> => {
    const found = await provider.find(unentered(plan.cluster), { signal: within, say: () => undefined })
    if (found.state !== 'absent') return { is: { plan, isOwn: provider.own, ...found } }
    const said = `there is no cluster ${plan.cluster.name} yet`
    return { why: said, found: { verdict: 'skipped', said, remedy: '`devkit up`' } }
  }
  const late = foundProblem({
    code: 'CLUSTER-104',
    message: `The cluster ${plan.cluster.name} does not answer within ${patienceMs / 1000} s.`,
    hint: 'Look whether it runs, and whether the way to it is open.',
  })
  return fact(ask, signal, { why: 'nothing is known of the cluster', late })
}

/** The same cluster without a proof of what its nodes are, which takes as long as it does not answer. */
function unentered(request: ClusterPlan): ClusterPlan {
  const { spec } = request
  return 'existing' in spec ? { ...request, spec: { existing: { ...spec.existing, enterNodes: false } } } : request
}

async function apiFact(cluster: Promise<Fact<ClusterFacts>>, { parts, signal }: Examined, scope: Scope): Promise<Fact<ApiFacts>> {
  const known = await cluster
  if (!('is' in known)) return { why: known.why }
  const { state, cluster: found } = known.is
  if (state !== 'running') return { why: state === 'making' ? 'the cluster is not done' : `the cluster is ${state}` }
  const ask = async (within: AbortSignal): Promise<Fact<ApiFacts>> => {
    const kube = scope.use(await parts.openKube(found))
    await kube.untilReady(patienceMs - 500, within)
    const began = Date.now()
    const [version, time] = [await kube.version(within), Date.now() - began]
    const asked = Date.now()
    const clock = await kube.time(within)
    const doubt = (Date.now() - asked) / 2
    // it tells whole seconds
    return { is: { ...known.is, kube, version, ms: time, skewMs: clock + 500 - (asked + doubt), doubtMs: doubt + 500 } }
  }
  const late = foundProblem({
    code: 'CLUSTER-104',
    message: `The API server of ${found.name} does not answer within ${patienceMs / 1000} s.`,
    hint: known.is.isOwn
      ? `Look at the node with \`docker logs ${found.nodes[0]}\`; \`devkit up\` mends a node that was restarted.`
      : 'Look whether the cluster runs, and whether the way to it is open.',
  })
  return fact(ask, signal, { why: 'the API server does not answer', late })
}
