import type { Profile, ServiceOverlay } from '../../config/profile-schema.ts'
import {
  type Container,
  type KubeObject,
  type Manifest,
  nameOf,
  type PodSpec,
  podSpecOf,
  withPodSpec,
} from '../../lib/objects.ts'
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

type Transform = (object: KubeObject, input: TransformInput) => KubeObject

/** In this order; each is pure and leaves alone what it has no word about. */
const transforms: readonly Transform[] = [
  inNamespace,
  withReplicas,
  withResources,
  withImages,
  withOverlay,
  withSupervisor,
  withWritableCopies,
]

/** The manifests as they are to be applied. */
export function transform(manifests: readonly Manifest[], input: TransformInput): readonly Manifest[] {
  return manifests.map(({ object, origin }) => ({
    origin,
    object: transforms.reduce((changed, apply) => apply(changed, input), object),
  }))
}

/** A manifest that names no namespace goes into the environment's. */
function inNamespace(object: KubeObject, { namespace, clusterScoped }: TransformInput): KubeObject {
  if (object.metadata.namespace !== undefined || clusterScoped(object)) return object
  return { ...object, metadata: { ...object.metadata, namespace } }
}

function withReplicas(object: KubeObject, { profile, services }: TransformInput): KubeObject {
  if (object.kind !== 'Deployment' && object.kind !== 'StatefulSet') return object
  const spec = object['spec'] as { readonly replicas?: number }
  const wanted = overlayOf(object, profile, services)?.replicas
  const limited = profile.maxReplicas === undefined ? spec.replicas : Math.min(spec.replicas ?? 1, profile.maxReplicas)
  const replicas = wanted ?? limited
  return replicas === spec.replicas ? object : { ...object, spec: { ...spec, replicas } }
}

interface Resources {
  readonly requests?: Readonly<Record<string, string | number>>
  readonly limits?: Readonly<Record<string, string | number>>
}

function withResources(object: KubeObject, { profile }: TransformInput): KubeObject {
  const { cpuLimits, requests: share } = profile
  if (cpuLimits !== 'drop' && share === undefined) return object
  return withPodSpec(object, (pod) =>
    eachContainer(pod, (container) => {
      const resources = container['resources'] as Resources | undefined
      if (!resources) return container
      const { cpu, ...limits } = resources.limits ?? {}
      const kept = cpuLimits === 'drop' || cpu === undefined ? limits : { ...limits, cpu }
      const requests = Object.fromEntries(
        Object.entries(resources.requests ?? {}).map(([name, amount]) => [
          name,
          share === undefined ? amount : scaled(String(amount), share),
        ]),
      )
      return {
        ...container,
        resources: { ...resources, ...(resources.limits && { limits: kept }), ...(resources.requests && { requests }) },
      }
    }),
  )
}

/** A quantity times a share, in the unit that it was written in. https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ */
function scaled(quantity: string, share: number): string {
  const [, digits, unit] = /^([0-9.]+)([a-zA-Z]*)$/.exec(quantity) ?? []
  if (digits === undefined) return quantity
  // a whole CPU has no smaller unit than itself until it is milli
  const [amount, name] = unit === '' && Number(digits) < 1000 ? [Number(digits) * 1000, 'm'] : [Number(digits), unit ?? '']
  return `${Math.max(1, Math.round(amount * share))}${name}`
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

function withOverlay(object: KubeObject, { profile, services }: TransformInput): KubeObject {
  const overlay = overlayOf(object, profile, services)
  const target = [...services.values()].find(({ workload }) => workload === nameOf(object))
  if (!overlay || !target) return object
  return withPodSpec(object, (pod) => ({
    ...pod,
    containers: pod.containers.map((container) =>
      container.name === target.container ? overlaid(container, overlay) : container,
    ),
  }))
}

function overlaid(container: Container, { command, args, env }: ServiceOverlay): Container {
  const variables = (container['env'] as readonly { readonly name: string }[] | undefined) ?? []
  const added = Object.entries(env ?? {}).map(([name, value]) => ({ name, value }))
  return {
    ...container,
    ...(command && { command }),
    ...(args && { args }),
    ...(env && { env: [...variables.filter(({ name }) => !(name in env)), ...added] }),
  }
}

function overlayOf(object: KubeObject, profile: Profile, services: TransformInput['services']): ServiceOverlay | undefined {
  for (const [service, { workload }] of services) if (workload === nameOf(object)) return profile.services?.[service]
  return undefined
}

function eachContainer(pod: PodSpec, change: (container: Container) => Container): PodSpec {
  return {
    ...pod,
    containers: pod.containers.map(change),
    ...(pod.initContainers && { initContainers: pod.initContainers.map(change) }),
  }
}

/** An image without its tag and digest. */
export function repositoryOf(image: string): string {
  const [name = ''] = image.split('@')
  const slash = name.lastIndexOf('/')
  const colon = name.lastIndexOf(':')
  return colon > slash ? name.slice(0, colon) : name
}

/** All images that a set of manifests names, without tags. */
export function imagesIn(manifests: readonly Manifest[]): ReadonlySet<string> {
  const pods = manifests.map(({ object }) => podSpecOf(object)).filter((pod) => pod !== undefined)
  return new Set(
    pods
      .flatMap((pod) => [...pod.containers, ...(pod.initContainers ?? [])])
      .flatMap(({ image }) => (image === undefined ? [] : [repositoryOf(image)])),
  )
}
