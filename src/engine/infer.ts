import type { Config } from '../config/schema.ts'
import { DevkitError } from '../lib/errors.ts'
import { nameOf } from '../lib/objects.ts'
import type { Step } from '../lib/step.ts'
import { type Inferred, infer } from '../plan/infer.ts'
import type { Plan } from '../plan/plan.ts'
import { servicePort, serviceTargets } from '../render/references.ts'
import type { Parts } from './environment.ts'
import { applyProfile, renderSource, type Source, targetOf } from './render.ts'

/** A plan with what the manifests say. */
export interface WholePlan {
  readonly plan: Plan
  readonly inferred: readonly Inferred[]
  /** What it was inferred from, so that nobody has to render again. */
  readonly source?: Source
  /** Why nothing could be inferred: whoever renders tells it. */
  readonly problem?: DevkitError
}

/** Fills in what the config leaves to the manifests; offline. */
export async function wholePlan(
  plan: Plan,
  config: Config,
  parts: Pick<Parts, 'tools' | 'host'>,
  step: Pick<Step, 'signal'>,
): Promise<WholePlan> {
  try {
    const source = await renderSource(plan, parts, step)
    const applied = new Set(applyProfile(plan, source, new Map(), new Map()).map(({ object }) => nameOf(object)))
    const found = infer(plan, { config, ...source, isApplied: (workload) => applied.has(workload) })
    const whole = { ...source, targets: serviceTargets(source.manifests, found.plan.services) }
    for (const service of found.plan.services)
      for (const { port, inferred } of service.ports)
        if (!inferred) servicePort(source.manifests, service.name, targetOf(whole, service), port)
    return { ...found, source: whole }
  } catch (thrown) {
    if (thrown instanceof DevkitError) return { plan, inferred: [], problem: thrown }
    throw thrown
  }
}
