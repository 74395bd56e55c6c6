import { applyManifest, checkManifests, ownLabels } from '../deploy/apply.ts'
import { prune, recordInventory } from '../deploy/inventory.ts'
import type { Live } from '../deploy/live.ts'
import { type Observed, observe } from '../deploy/observed.ts'
import { untilReady } from '../deploy/readiness.ts'
import { isForbidden } from '../deploy/refusal.ts'
import { byKind, dependsOnUpgrade, type Stage, sequence } from '../deploy/sequence.ts'
import type { Outcome } from '../events/event.ts'
import type { Kube } from '../kube/kube.ts'
import { mapLimited } from '../lib/async.ts'
import { hookOf } from '../lib/hooks.ts'
import { isLabelled, isWorkload, type KubeObject, type Manifest, nameOf, type ObjectRef, refOf } from '../lib/objects.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import { withSecretVersions } from '../render/transforms/secrets.ts'
import type { EngineRun } from './environment.ts'
import { type Source, targetOf } from './render.ts'
import { isOwnSecret } from './secrets.ts'
import { runStep } from './step.ts'

interface Deployment {
  readonly plan: Plan
  readonly source: Source
  readonly kube: Kube
  readonly live: Live
  readonly manifests: readonly Manifest[]
  /** A service counts as ready when this has resolved too. */
  readonly synced?: ((service: string) => Promise<void>) | undefined
}

/**
 * Applies everything in its order and waits until it is ready: by the phases and waves of Helm's and Argo CD's annotations,
 * and in each of them by what services depend on.
 */
export async function deploy(
  { plan, source, kube, live, manifests, synced }: Deployment,
  run: EngineRun,
): Promise<readonly Outcome[]> {
  const labels = ownLabels(plan.project, plan.env)
  const outcomes: Outcome[] = []
  const versions = new Map<string, string>()
  let observed: Observed | undefined
  const apply = async (manifest: Manifest): Promise<KubeObject> => {
    const { object } = manifest
    const { outcome, object: applied, putRight } = await applyManifest(kube, manifest, { labels, observed }, run.signal)
    outcomes.push(outcome)
    if (isOwnSecret(object, plan)) versions.set(object.metadata.name, applied.metadata.resourceVersion ?? '')
    for (const { field, manager } of putRight)
      run.bus.emit({
        type: 'step.output',
        step: 'apply',
        stream: 'stderr',
        line: `${nameOf(object)}: ${field}, changed by ${manager}, is what the manifest says again`,
      })
    run.bus.emit({ type: 'object', kind: object.kind, name: object.metadata.name, namespace: object.metadata.namespace, outcome })
    return applied
  }
  const rest = manifests.filter(({ object }) => object.kind !== 'Namespace')
  const stages = sequence(rest, {
    isUpgrade: await isUpgrade(kube, rest, run.signal),
    isNeededFirst: (object) => isOwnSecret(object, plan),
  })
  const applyRest = async (stage: Stage | undefined): Promise<void> => {
    for (const group of byKind((stage?.manifests ?? []).filter(({ object }) => !isWorkload(object))))
      await mapLimited(group, 8, apply)
  }
  const [opening, ...following] = [...stages.before, ...stages.sync]
  let left: readonly ObjectRef[] = []
  await runStep(
    run,
    'apply',
    async () => {
      const own: Manifest = {
        object: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: plan.namespace } },
        origin: { file: plan.configFile, line: 1 },
      }
      const named = manifests.some(({ object }) => object.kind === 'Namespace' && object.metadata.name === plan.namespace)
      observed = await observe(kube, named ? manifests : [own, ...manifests], run.signal)
      // every refusal before the first write
      await checkManifests(kube, manifests, { labels, namespace: plan.namespace, observed }, run.signal)
      // a namespace that somebody else made is used as it is, and stays
      const used = named || (await isSomebodyElses(kube, refOf(own.object), labels, run.signal))
      for (const namespace of [...manifests.filter(({ object }) => object.kind === 'Namespace'), ...(used ? [] : [own])])
        await apply(namespace)
      left = await recordInventory(kube, plan, rest, run.signal)
      await applyRest(opening)
    },
    () => (outcomes.every((each) => each === 'unchanged') ? 'unchanged' : 'configured'),
  )
  const ready = new Map<string, Promise<void>>()
  const deployStage = async (
    stage: Stage | undefined,
    signal = run.signal,
    afterApplied?: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> => {
    const workloads = (stage?.manifests ?? [])
      .filter(({ object }) => isWorkload(object))
      .map(({ object, origin }) => ({ object: withSecretVersions(object, versions), origin }))
    await deployWorkloads({ plan, source, kube, live, workloads, ready, apply, synced, afterApplied }, { ...run, signal })
  }
  const deployNext = async (next: readonly Stage[], signal = run.signal): Promise<void> => {
    for (const stage of next) {
      signal.throwIfAborted()
      await applyRest(stage)
      await deployStage(stage, signal)
    }
  }
  const last = following.at(-1)
  const hooksAfter = (signal: AbortSignal): Promise<void> => deployNext(stages.afterApplied, signal)
  await deployStage(opening, run.signal, last ? undefined : hooksAfter)
  await deployNext(following.slice(0, -1))
  if (last) {
    await applyRest(last)
    await deployStage(last, run.signal, hooksAfter)
  }
  await deployNext(stages.afterReady)
  // what left the manifests goes when what takes its place is ready
  for (const { ref, outcome } of await prune(kube, plan, { manifests: rest, left }, run.signal)) {
    if (outcome === 'pruned') outcomes.push(outcome)
    run.bus.emit({ type: 'object', kind: ref.kind, name: ref.name, namespace: ref.namespace, outcome })
  }
  return outcomes
}

/** Whether all that is no hook was there before. Only asked where Helm would do another thing then. */
async function isUpgrade(kube: Kube, manifests: readonly Manifest[], signal: AbortSignal): Promise<boolean> {
  if (!manifests.some(({ object }) => dependsOnUpgrade(object))) return false
  const workloads = manifests.filter(({ object }) => isWorkload(object) && !hookOf(object))
  const found = await mapLimited(workloads, 8, ({ object }) => kube.get(refOf(object), signal))
  return found.every((object) => object !== undefined)
}

async function isSomebodyElses(
  kube: Kube,
  ref: ObjectRef,
  labels: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const found = await kube.get(ref, signal)
    return found !== undefined && !isLabelled(found, labels)
  } catch (thrown) {
    // who may not even look at it has not made it
    if (isForbidden(thrown)) return true
    throw thrown
  }
}

interface WorkloadDeployment extends Omit<Deployment, 'manifests'> {
  readonly workloads: readonly Manifest[]
  /** Services of this stage and those before → resolves when it is ready. */
  readonly ready: Map<string, Promise<void>>
  readonly apply: (manifest: Manifest) => Promise<KubeObject>
  /** What is to be done as soon as all workloads are applied, while they become ready. */
  readonly afterApplied?: ((signal: AbortSignal) => Promise<void>) | undefined
}

async function deployWorkloads(
  { plan, source, kube, live, workloads, ready, apply, synced, afterApplied }: WorkloadDeployment,
  run: EngineRun,
): Promise<void> {
  const serviceOf = new Map(plan.services.map((service) => [targetOf(source, service).workload, service]))
  // in dependency order: what a service waits for has begun before it
  const ordered = workloads.toSorted(
    (a, b) => rank(plan, serviceOf.get(nameOf(a.object))) - rank(plan, serviceOf.get(nameOf(b.object))),
  )
  const failed = new AbortController()
  const signal = AbortSignal.any([run.signal, failed.signal])
  const fail = (thrown: unknown): never => {
    failed.abort(thrown)
    throw thrown
  }
  const applying: Promise<unknown>[] = []
  const all = ordered.map((manifest) => {
    const workload = nameOf(manifest.object)
    const service = serviceOf.get(workload)
    const work = async (): Promise<void> => {
      await Promise.all((service?.dependsOn ?? []).map((name) => ready.get(name)))
      signal.throwIfAborted()
      const applied = await apply(manifest)
      isApplied.resolve()
      const began = performance.now()
      const namespace = manifest.object.metadata.namespace ?? plan.namespace
      await runStep({ ...run, signal }, `ready/${service?.name ?? manifest.object.metadata.name}`, (step) =>
        untilReady(kube, live, { workload, applied, namespace, service: service?.name, timeoutMs: run.timeoutMs() }, step),
      )
      if (service) await synced?.(service.name)
      if (service)
        run.bus.emit({ type: 'service.ready', service: service.name, workload, ms: Math.round(performance.now() - began) })
    }
    const isApplied = Promise.withResolvers<void>()
    applying.push(isApplied.promise)
    const working = work().catch(fail)
    working.catch(isApplied.reject)
    if (service) ready.set(service.name, working)
    return working
  })
  const after = Promise.all(applying)
    .then(() => afterApplied?.(signal))
    .catch(fail)
  const settled = await Promise.allSettled([...all, after])
  run.signal.throwIfAborted()
  if (failed.signal.aborted) throw failed.signal.reason
  const rejected = settled.find((one) => one.status === 'rejected')
  if (rejected) throw rejected.reason
}

function rank(plan: Plan, service: ServicePlan | undefined): number {
  return service ? plan.services.indexOf(service) : plan.services.length
}
