import type { KubeObject } from '../../lib/objects.ts'
import { wantedPods } from '../rollout.ts'
import type { Patient } from './facts.ts'
import { bornAt, conditionOf, timeOf } from './pod.ts'
import { type Refused, refusedIn } from './text/refused.ts'

/** What the API server refused of a workload, that still counts. */
export interface Refusal {
  readonly refused: Refused
  /** Word for word. */
  readonly message: string
  readonly since: number
}

/** Why pods that a workload is to have were not made: by the condition of its ReplicaSet or itself, else by what its controller wrote. */
export function refusalOf({ workload, replicaSet, pods, facts }: Patient): Refusal | undefined {
  if (pods.length >= wanted(workload)) return undefined
  for (const maker of [replicaSet, workload]) {
    const failure = maker && conditionOf(maker, 'ReplicaFailure')
    if (failure?.status === 'True' && failure.reason === 'FailedCreate')
      return refusal(failure.message ?? '', timeOf(failure.lastTransitionTime))
  }
  // the condition of a ReplicaSet goes when it has made its pods; what others wrote is over when a pod came later
  const lastBorn = Math.max(0, ...pods.map(bornAt))
  const event = [replicaSet, workload]
    .flatMap((maker) => (maker ? facts.warnings(maker) : []))
    .find(({ reason, at }) => reason === 'FailedCreate' && at > lastBorn)
  return event && refusal(event.message, event.from)
}

/** A Job that is to have several at once says how many. */
function wanted(workload: KubeObject): number {
  const { parallelism = 1 } = (workload['spec'] ?? {}) as { readonly parallelism?: number }
  return workload.kind === 'Job' ? parallelism : wantedPods(workload)
}

function refusal(message: string, since: number): Refusal {
  return { refused: refusedIn(message), message, since }
}
