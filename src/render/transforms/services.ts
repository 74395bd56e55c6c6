import type { ServiceOverlay } from '../../config/profile-schema.ts'
import { type Container, nameOf, withPodSpec } from '../../lib/objects.ts'
import { withReplicas } from './rollout.ts'
import type { Transform } from './rule.ts'
import { merged } from './strategic-merge.ts'
import type { ServiceTarget } from './transforms.ts'

/** What a profile says of one service, each for its workload or its container only. */
export function overlayRules(
  { replicas, command, args, env, envFrom, resources, securityContext }: ServiceOverlay,
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
  const rule = <Value>(word: string, value: Value | undefined, change: (value: Value) => Transform) =>
    value === undefined ? [] : [[word, change(value)] as const]
  return [
    ...rule('replicas', replicas, (value) => ofWorkload(withReplicas(value))),
    ...rule('command', command, (value) => ofContainer((container) => ({ ...container, command: value }))),
    ...rule('args', args, (value) => ofContainer((container) => ({ ...container, args: value }))),
    ...Object.entries(env ?? {}).flatMap(([variable, value]) =>
      rule(`env.${variable}`, value, () => ofContainer((container) => withVariable(container, variable, value))),
    ),
    ...rule('envFrom', envFrom, (value) => ofContainer((container) => withSources(container, value))),
    ...rule('resources', resources, (value) => ofContainer(laidOver('resources', value))),
    ...rule('securityContext', securityContext, (value) => ofContainer(laidOver('securityContext', value))),
  ]
}

function laidOver(field: string, value: object): (container: Container) => Container {
  return (container) => ({ ...container, [field]: merged(container[field], value) })
}

/** In the place of the variable of that name, else behind all others; null takes it out. */
function withVariable(container: Container, name: string, value: string | null): Container {
  const variables = (container['env'] as readonly { readonly name: string }[] | undefined) ?? []
  const others = variables.filter((one) => one.name !== name)
  if (value === null) return others.length === variables.length ? container : { ...container, env: others }
  const set = { name, value }
  const env = others.length === variables.length ? [...variables, set] : variables.map((one) => (one.name === name ? set : one))
  return { ...container, env }
}

/** Behind those that are there: of two that have a variable the later one counts. */
function withSources(container: Container, sources: readonly object[]): Container {
  const there = (container['envFrom'] as readonly object[] | undefined) ?? []
  const known = new Set(there.map((source) => JSON.stringify(source)))
  return { ...container, envFrom: [...there, ...sources.filter((source) => !known.has(JSON.stringify(source)))] }
}
