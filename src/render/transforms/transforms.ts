import type { Profile } from '../../config/profile-schema.ts'
import { eachContainer, type KubeObject, type Manifest, withPodSpec } from '../../lib/objects.ts'
import { repositoryOf } from './images.ts'
import { shareOfRequests, withoutCpuLimits } from './resources.ts'
import { LeftOut, type Rule, type Transform } from './rule.ts'
import { atMostReplicas } from './scaling.ts'
import { overlayRules } from './services.ts'
import { type Program, withSupervisor } from './supervisor.ts'
import { withWritableCopies } from './writable-copy.ts'

/** What the transforms go by; all of it decided before. */
export interface TransformInput {
  readonly namespace: string
  readonly profile: Profile
  /** Image of the manifests without a tag → reference to run in its place. */
  readonly images: ReadonlyMap<string, string>
  /** Service → the workload (`Kind/name`) and container that it is. */
  readonly services: ReadonlyMap<string, ServiceTarget>
  /** What the images of the synced services run, where they have the shell that a supervisor takes. */
  readonly programs: ReadonlyMap<string, Program>
  /** Service → the directories of its container that have to be written by the container itself. */
  readonly writable: ReadonlyMap<string, readonly string[]>
  /** Whether a program waits for a running `watch` before it starts: needs a directory of the node, which some namespaces forbid. */
  readonly gated: boolean
  /** Kinds that live in no namespace. */
  readonly clusterScoped: (object: KubeObject) => boolean
}

export interface ServiceTarget {
  readonly workload: string
  readonly container: string
}

/** The manifests as they are to be applied. */
export function transform(manifests: readonly Manifest[], input: TransformInput): readonly Manifest[] {
  const rules = rulesOf(input)
  return manifests.flatMap(({ object, origin }) => {
    const changed = follow(object, rules)
    return changed instanceof LeftOut ? [] : [{ object: changed, origin }]
  })
}

/** An object after all rules. `onChange` is told of each that did something, in their order. */
export function follow(
  object: KubeObject,
  rules: readonly Rule[],
  onChange?: (rule: Rule, before: KubeObject, after: KubeObject | LeftOut) => void,
): KubeObject | LeftOut {
  let before = object
  for (const rule of rules) {
    const after = rule.apply(before)
    if (after !== before) onChange?.(rule, before, after)
    if (after instanceof LeftOut) return after
    before = after
  }
  return before
}

/** All that is laid over the manifests, in this order: what devkit does by itself sees what the profile made. */
export function rulesOf(input: TransformInput): readonly Rule[] {
  const { profile } = input
  const own = (path: string, change: (object: KubeObject, input: TransformInput) => KubeObject): Rule => ({
    by: 'devkit',
    path,
    apply: (object) => change(object, input),
  })
  const said = (Object.keys(language) as (keyof typeof language)[]).flatMap((key): readonly Rule[] => {
    const value = profile[key]
    if (value === undefined) return []
    const made = (language[key] as Word<typeof value>)(value, input)
    const parts =
      typeof made === 'function' ? [[key, made] as const] : made.map(([name, apply]) => [`${key}.${name}`, apply] as const)
    return parts.map(([path, apply]) => ({ by: 'profile', path, apply }))
  })
  return [
    own('namespace', inNamespace),
    ...said,
    own('images', withImages),
    own('supervisor', withSupervisor),
    own('writable copies', withWritableCopies),
  ]
}

/** What a word of the profile does: one change, or one for each of its names. */
type Word<Value> = (value: Value, input: TransformInput) => Transform | readonly (readonly [name: string, apply: Transform])[]

type Said = Omit<Profile, 'extends' | 'secrets' | 'supervise' | 'writable'>

/** The words of a profile, in the order of their work. One of the schema that is not here does not compile. */
const language: { readonly [Key in keyof Said]-?: Word<NonNullable<Said[Key]>> } = {
  maxReplicas: atMostReplicas,
  cpuLimits: (value) => (value === 'drop' ? withoutCpuLimits : (object) => object),
  requests: shareOfRequests,
  services: (services, { services: targets }) =>
    Object.entries(services).flatMap(([service, overlay]) => {
      const target = targets.get(service)
      return target ? overlayRules(overlay, target).map(([name, apply]) => [`${service}.${name}`, apply] as const) : []
    }),
}

/** A manifest that names no namespace goes into the environment's. */
function inNamespace(object: KubeObject, { namespace, clusterScoped }: TransformInput): KubeObject {
  if (object.metadata.namespace !== undefined || clusterScoped(object)) return object
  return { ...object, metadata: { ...object.metadata, namespace } }
}

function withImages(object: KubeObject, { images }: TransformInput): KubeObject {
  return withPodSpec(object, (pod) =>
    eachContainer(pod, (container) => {
      const reference = container.image === undefined ? undefined : images.get(repositoryOf(container.image))
      // the node has it: pulling it could only fail
      return reference === undefined ? container : { ...container, image: reference, imagePullPolicy: 'IfNotPresent' }
    }),
  )
}
