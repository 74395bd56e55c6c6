import { lackOf } from '../deploy/lacking.ts'
import { lookAtNamespace } from '../deploy/observed.ts'
import { isForbidden } from '../deploy/refusal.ts'
import { Turn, turnRef } from '../deploy/turn.ts'
import type { Kube } from '../kube/kube.ts'
import type { Plan } from '../plan/plan.ts'
import { type EngineRun, waitText } from './environment.ts'

/** The turn to change the plan's environment; undefined in a cluster that devkit made for this machine, where a lock of the machine does. */
export function turnFor(plan: Plan, kube: Kube, { parts, bus }: EngineRun): Turn | undefined {
  if (!('existing' in plan.cluster.spec)) return undefined
  return new Turn(kube, plan, {
    who: parts.who,
    onWait: ({ who, since }) =>
      bus.emit({ type: 'action', do: 'none', reason: waitText(plan, { what: who, pid: undefined, since }) }),
  })
}

interface Waiting {
  readonly plan: Plan
  readonly kube: Kube
  /** Told when nobody can be waited for, since the user may not. */
  readonly remark: (reason: string) => void
}

/** Takes the turn, where that is allowed. `after a wait`: what was seen before may be otherwise now, the namespace gone. */
export async function haveTurn(
  turn: Turn,
  { plan, kube, remark }: Waiting,
  { signal }: Pick<EngineRun, 'signal'>,
): Promise<'at once' | 'after a wait'> {
  try {
    return await turn.take(signal)
  } catch (thrown) {
    signal.throwIfAborted()
    const namespace = await lookAtNamespace(kube, plan.namespace, signal)
    if (namespace === undefined || (namespace !== 'hidden' && namespace.metadata.deletionTimestamp)) return 'after a wait'
    if (!isForbidden(thrown)) throw thrown
    const needs = [{ ...turnRef(plan.namespace), verbs: ['get', 'patch', 'create'] }]
    const [first, ...others] = await kube.denials(needs, signal)
    if (!first) throw thrown
    remark(`runs on other machines are not waited for: ${lackOf(first, others).message.replace(/\.$/, '')}`)
    return 'at once'
  }
}
