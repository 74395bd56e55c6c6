import type { ServiceOverlay } from '../../config/profile-schema.ts'
import { type Container, nameOf, withPodSpec } from '../../lib/objects.ts'
import type { Transform } from './rule.ts'
import { withReplicas } from './scaling.ts'
import type { ServiceTarget } from './transforms.ts'

/** What a profile says of one service, each for its workload or its container only. */
export function overlayRules(
  { replicas, command, args, env }: ServiceOverlay,
  { workload, container: name }: ServiceTarget,
): readonly (readonly [name: string, apply: Transform])[] {
  const ofWorkload =
    (change: Transform): Transform =>
    (object) =>
      nameOf(object) === workload ? change(object) : object
  const ofContainer = (change: (container: Container) => Container): Transform =>
    ofWorkload((object) =>
      withPodSpec(object, (pod) => ({
        ...pod,
        containers: pod.containers.map((container) => (container.name === name ? change(container) : container)),
      })),
    )
  return [
    ...(replicas === undefined ? [] : [['replicas', ofWorkload(withReplicas(replicas))] as const]),
    ...(command ? [['command', ofContainer((container) => ({ ...container, command }))] as const] : []),
    ...(args ? [['args', ofContainer((container) => ({ ...container, args }))] as const] : []),
    ...Object.entries(env ?? {}).map(
      ([variable, value]) => [`env.${variable}`, ofContainer((container) => withVariable(container, variable, value))] as const,
    ),
  ]
}

/** In the place of the variable of that name, else behind all others. */
function withVariable(container: Container, name: string, value: string): Container {
  const variables = (container['env'] as readonly { readonly name: string }[] | undefined) ?? []
  const set = { name, value }
  const env = variables.some((one) => one.name === name)
    ? variables.map((one) => (one.name === name ? set : one))
    : [...variables, set]
  return { ...container, env }
}
