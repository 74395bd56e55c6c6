import type { Profile } from '../../config/profile-schema.ts'
import type { KubeObject, Manifest } from '../../lib/objects.ts'
import { withoutForeignHooks } from './hooks.ts'
import { builtImages, standIn, withoutPullSecrets } from './images.ts'
import { inNamespace } from './namespace.ts'
import { withHost, withServiceType } from './network.ts'
import { withFunction, withPatch } from './patches.ts'
import { withProbe } from './probes.ts'
import { atMostRequests, shareOfRequests, withoutDevices, withoutLimits } from './resources.ts'
import { atMostGrace, atMostReplicas, recreatedWith, withoutMinReady } from './rollout.ts'
import { LeftOut, type Rule, type Transform } from './rule.ts'
import {
  affinityPreferred,
  spreadPreferred,
  withoutNodeChoice,
  withoutPriority,
  withoutRuntime,
  withoutTolerations,
} from './scheduling.ts'
import { overlayRules } from './services.ts'
import { skipped, withoutContainers, withoutForeign } from './skip.ts'
import { atMostStorage, singleWriterClaims, withAccessMode, withStorageClass } from './storage.ts'
import { type LeasePlace, type Program, withSupervisor } from './supervisor.ts'
import { withWritableCopies } from './writable-copy.ts'

/** What the transforms go by; all of it decided before. */
export interface TransformInput {
  readonly namespace: string
  /** The namespace of production, which becomes the environment's. */
  readonly home: string | undefined
  readonly profile: Profile
  /** Image of the manifests without a tag → reference to run in its place. */
  readonly images: ReadonlyMap<string, string>
  /** Service → the workload (`Kind/name`) and container that it is. */
  readonly services: ReadonlyMap<string, ServiceTarget>
  /** What the images of the synced services run, where a shell is known that a supervisor can take. */
  readonly programs: ReadonlyMap<string, Program>
  /** Service → the directories of its container that have to be written by the container itself. */
  readonly writable: ReadonlyMap<string, readonly string[]>
  /** Where a program learns of a running `watch`, which it waits for before it starts. */
  readonly lease: LeasePlace
  /** Kinds that live in no namespace. */
  readonly clusterScoped: (object: KubeObject) => boolean
  /** Kinds that the cluster has not, as far as it is known. */
  readonly isForeign: (object: KubeObject) => boolean
  /** All manifests, where one has to be seen beside the others. */
  readonly manifests: readonly Manifest[]
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
  const { profile, namespace, home, clusterScoped } = input
  const own = (path: string, apply: Transform): Rule => ({ by: 'devkit', path, apply })
  const said = (Object.keys(language) as (keyof typeof language)[]).flatMap((key): readonly Rule[] => {
    const value = profile[key]
    if (value === undefined) return []
    const made = (language[key] as Word<typeof value>)(value, input)
    const parts: Parts = typeof made === 'function' ? [[key, made]] : made.map(([name, apply]) => [`${key}.${name}`, apply])
    return parts.map(([path, apply]) => ({ by: 'profile', path, apply }))
  })
  return [
    own('hooks', withoutForeignHooks),
    own('namespace', (object) => inNamespace(object, { namespace, home, isScoped: !clusterScoped(object) })),
    ...said,
    own('images', builtImages(input.images)),
    own('supervisor', (object) => withSupervisor(object, input)),
    own('writable copies', (object) => withWritableCopies(object, input)),
  ]
}

/** Changes by the part of a word that they come from. */
type Parts = readonly (readonly [name: string, apply: Transform])[]

/** What a word of the profile does: one change, or one for each of its names. */
type Word<Value> = (value: Value, input: TransformInput) => Transform | Parts

type Said = Omit<Profile, 'extends' | 'secrets' | 'supervise' | 'writable'>

/** The words of a profile, in the order of their work. One of the schema that is not here does not compile. */
export const language: { readonly [Key in keyof Said]-?: Word<NonNullable<Said[Key]>> } = {
  skip: each(skipped),
  foreignKinds: (value, { isForeign }) => (value === 'skip' ? withoutForeign(isForeign) : []),
  skipContainers: each(withoutContainers),
  images: each(standIn),
  imagePullSecrets: (value, { images }) => (value === 'keep' ? [] : withoutPullSecrets(value === 'needed' ? images : undefined)),
  maxReplicas: atMostReplicas,
  cpuLimits: dropped(withoutLimits('cpu')),
  memoryLimits: dropped(withoutLimits('memory')),
  devices: dropped(withoutDevices),
  requests: shareOfRequests,
  maxRequests: atMostRequests,
  probes: (probes) => given(probes, (name, change) => withProbe(name, change)),
  scheduling: (words) => given(words, (name, value) => (value === 'keep' ? (object) => object : schedulingOf[name])),
  storageClasses: (classes) => each((from, to: string) => withStorageClass(from, to, Object.entries(classes).flat()))(classes),
  accessModes: each(withAccessMode),
  maxStorage: atMostStorage,
  // one name before all below another
  hosts: (hosts) =>
    each(withHost)(Object.fromEntries(Object.entries(hosts).toSorted(([a], [b]) => +a.startsWith('*') - +b.startsWith('*')))),
  serviceTypes: (types) => given(types, withServiceType),
  maxGraceSeconds: atMostGrace,
  minReadySeconds: dropped(withoutMinReady),
  services: (services, { services: targets }) =>
    Object.entries(services).flatMap(([service, overlay]) => {
      const target = targets.get(service)
      return target ? overlayRules(overlay, target).map(([name, apply]) => [`${service}.${name}`, apply] as const) : []
    }),
  recreate: (value, { manifests }) =>
    value === 'claims' ? recreatedWith(singleWriterClaims(manifests.map(({ object }) => object))) : [],
  patches: (patches) =>
    patches.map((patch, index) => [patch.name ?? `${index}`, withPatch(patch, `patches.${patch.name ?? index}`)]),
  transform: (functions) => [functions].flat().map((change, index) => [`${index}`, withFunction(change, `transform.${index}`)]),
}

const schedulingOf: { readonly [Name in keyof NonNullable<Profile['scheduling']>]-?: Transform } = {
  affinity: affinityPreferred,
  topologySpread: spreadPreferred,
  nodes: withoutNodeChoice,
  tolerations: withoutTolerations,
  priority: withoutPriority,
  runtime: withoutRuntime,
}

/** A word that is `drop` or `keep`. */
function dropped(change: Transform): Word<'drop' | 'keep'> {
  return (value) => (value === 'drop' ? change : [])
}

/** A word of names with a value each; false takes a name back. */
function each<Value>(
  change: (name: string, value: Value) => Transform,
): (values: Readonly<Record<string, Value | false>>) => Parts {
  return (values) => Object.entries(values).flatMap(([name, value]) => (value === false ? [] : [[name, change(name, value)]]))
}

/** A word of known names, each with a value or without. */
function given<Name extends string, Value>(
  values: { readonly [name in Name]?: Value | undefined },
  change: (name: Name, value: Value) => Transform,
): Parts {
  return (Object.entries(values) as [Name, Value | undefined][]).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, change(name, value)] as const],
  )
}
