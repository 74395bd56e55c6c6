import type { Evidence } from '../deploy/diagnosis/evidence.ts'
import type { Hooks } from '../deploy/hooks.ts'
import type { Live } from '../deploy/live.ts'
import { untilReady } from '../deploy/readiness.ts'
import { unsettled, untilSettled } from '../deploy/settled.ts'
import type { Kube } from '../kube/kube.ts'
import { type KubeObject, type Manifest, nameOf } from '../lib/objects.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import type { EngineRun } from './environment.ts'
import { type Source, targetOf } from './render.ts'
import { runStep } from './step.ts'

/** A stage of a deployment: its workloads, and what was applied for it already. */
export interface StageRollout {
  readonly plan: Plan
  readonly source: Source
  readonly kube: Kube
  readonly live: Live
  readonly evidence: Evidence
  readonly workloads: readonly Manifest[]
  /** What was applied besides them, to be ready with them. */
  readonly others: readonly Other[]
  /** Services that were applied. */
  readonly services: readonly KubeObject[]
  /** Services of this stage and those before → resolves when it is ready. */
  readonly ready: Map<string, Promise<void>>
  readonly apply: (manifest: Manifest) => Promise<KubeObject>
  readonly hooks: Hooks
  /** A service counts as ready when this has resolved too. */
  readonly synced?: ((service: string) => Promise<void>) | undefined
  readonly afterApplied?: AfterApplied | undefined
}

/** An object that is no workload, as it was applied. */
export interface Other {
  readonly manifest: Manifest
  readonly applied: KubeObject
}

/** What is to be done as soon as all workloads are applied, while they become ready; those that wait for others are not waited for. */
export type AfterApplied = (signal: AbortSignal) => Promise<void>

/**
 * Applies a stage's workloads, each when what its service depends on is ready, and waits until all of the stage is ready.
 * @throws the first failure, when everything else of the stage has ended
 */
export async function rollOutStage(
  { plan, source, kube, live, evidence, workloads, others, services, ready, apply, hooks, synced, afterApplied }: StageRollout,
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
    const dependsOn = service?.dependsOn ?? []
    const work = async (): Promise<void> => {
      await Promise.all(dependsOn.map((name) => ready.get(name)))
      signal.throwIfAborted()
      const applied = await apply(manifest)
      isApplied.resolve()
      const began = performance.now()
      const namespace = manifest.object.metadata.namespace ?? plan.namespace
      await runStep({ ...run, signal }, `ready/${service?.name ?? manifest.object.metadata.name}`, (step) =>
        untilReady(
          live,
          evidence,
          { workload, applied, namespace, service: service?.name, services, timeoutMs: run.timeoutMs() },
          step,
        ),
      ).catch((thrown: unknown) => {
        if (!signal.aborted) hooks.failed(manifest)
        throw thrown
      })
      await hooks.succeeded(manifest, signal)
      if (service) await synced?.(service.name)
      if (service)
        run.bus.emit({ type: 'service.ready', service: service.name, workload, ms: Math.round(performance.now() - began) })
    }
    const isApplied = Promise.withResolvers<void>()
    // a hook may be what the dependencies of others need to be ready
    if (dependsOn.length === 0) applying.push(isApplied.promise)
    const working = work().catch(fail)
    working.catch(isApplied.resolve)
    if (service) ready.set(service.name, working)
    return working
  })
  const settle = async ({ manifest, applied }: Other): Promise<void> => {
    const of = await unsettled(kube, live, applied, signal)
    if (of)
      await runStep({ ...run, signal }, `ready/${nameOf(applied)}`, (step) =>
        untilSettled(live, of, run.timeoutMs(), step),
      ).catch((thrown: unknown) => {
        if (!signal.aborted) hooks.failed(manifest)
        throw thrown
      })
    await hooks.succeeded(manifest, signal)
  }
  const settling = others.map((other) => settle(other).catch(fail))
  const after = Promise.all(applying)
    .then(() => (signal.aborted ? undefined : afterApplied?.(signal)))
    .catch(fail)
  const settled = await Promise.allSettled([...all, ...settling, after])
  run.signal.throwIfAborted()
  if (failed.signal.aborted) throw failed.signal.reason
  const rejected = settled.find((one) => one.status === 'rejected')
  if (rejected) throw rejected.reason
}

function rank(plan: Plan, service: ServicePlan | undefined): number {
  return service ? plan.services.indexOf(service) : plan.services.length
}
