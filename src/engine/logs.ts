import type { Scope } from '../lib/scope.ts'
import { LogFollower } from '../logs/follow.ts'
import { targetOf } from './render.ts'
import type { Run } from './step.ts'
import type { Running } from './up.ts'

/** Tells what the services' containers write from now on until `scope` closes. Call the result with every new state of the environment. */
export function tellLogs({ bus }: Run, scope: Scope): (running: Running) => void {
  const follower = new LogFollower(
    ({ service, pod, container, line, time }) => bus.emit({ type: 'log', service, pod, container, line, ts: time }),
    scope.signal,
  )
  scope.defer(() => follower.ended())
  return ({ kube, live, plan, source }) =>
    follower.follow({
      kube,
      services: plan.services.map((service) => ({
        name: service.name,
        pods: () => {
          const workload = live.get(targetOf(source, service).workload)
          return workload ? live.podsOf(workload) : []
        },
      })),
      onChange: (listener) => live.onChange(listener),
    })
}
