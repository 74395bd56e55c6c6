import type { Container, KubeObject, PodSpec } from '../../lib/objects.ts'
import { containersOf, specOf } from './pod.ts'

/** A path in a pod spec. */
type Path = readonly (string | number)[]

/** What a pod refers to in its namespace. */
export interface Referred {
  readonly kind: 'ConfigMap' | 'Secret'
  readonly name: string
  /** The key that has to be there, and where it is named. */
  readonly key?: string
  /** What refers to it, in words: `env LOG_LEVEL of the container main`. */
  readonly by: string
  /** Of the name, or of the key where there is one, in the pod spec. */
  readonly path: Path
}

interface Named {
  readonly name?: string
  readonly key?: string
  readonly optional?: boolean
}

interface Keyed extends Named {
  readonly secretName?: string
  readonly items?: readonly { readonly key: string }[]
}

interface Sources {
  readonly configMap?: Keyed
  readonly secret?: Keyed
}

/** What has to be there before any container of a pod is made: ConfigMaps and Secrets of its volumes. */
export function referredByVolumes({ volumes, containers, initContainers = [] }: PodSpec): readonly Referred[] {
  type Volume = Sources & { readonly name: string; readonly projected?: { readonly sources?: readonly Sources[] } }
  const mounts = [...initContainers, ...containers].flatMap(
    ({ volumeMounts }) => (volumeMounts ?? []) as readonly { readonly name: string }[],
  )
  return ((volumes ?? []) as readonly Volume[]).flatMap((volume, index) => {
    // the kubelet leaves alone what no container mounts
    if (!mounts.some(({ name }) => name === volume.name)) return []
    const by = `the volume ${volume.name}`
    const path: Path = ['volumes', index]
    return [
      ...inSources(volume, by, path),
      ...(volume.projected?.sources ?? []).flatMap((source, at) => inSources(source, by, [...path, 'projected', 'sources', at])),
    ]
  })
}

function inSources({ configMap, secret }: Sources, by: string, path: Path): readonly Referred[] {
  return [
    ...inKeyed('ConfigMap', configMap, configMap?.name, by, [...path, 'configMap'], 'name'),
    ...inKeyed(
      'Secret',
      secret,
      secret?.secretName ?? secret?.name,
      by,
      [...path, 'secret'],
      secret?.secretName ? 'secretName' : 'name',
    ),
  ]
}

function inKeyed(
  kind: Referred['kind'],
  source: Keyed | undefined,
  name: string | undefined,
  by: string,
  path: Path,
  field: string,
): readonly Referred[] {
  if (name === undefined || source?.optional) return []
  const keys = (source?.items ?? []).map(({ key }, index) => ({ kind, name, key, by, path: [...path, 'items', index, 'key'] }))
  return [{ kind, name, by, path: [...path, field] }, ...keys]
}

/** What has to be there before a container is started: ConfigMaps and Secrets of its environment. */
export function referredByContainer({ name: container, env, envFrom }: Container, path: Path): readonly Referred[] {
  type Variable = {
    readonly name: string
    readonly valueFrom?: { readonly configMapKeyRef?: Named; readonly secretKeyRef?: Named }
  }
  type From = { readonly configMapRef?: Named; readonly secretRef?: Named }
  const whole = ((envFrom ?? []) as readonly From[]).flatMap(({ configMapRef, secretRef }, index) => {
    const by = `envFrom of the container ${container}`
    const at: Path = [...path, 'envFrom', index]
    return [
      ...inNamed('ConfigMap', configMapRef, by, [...at, 'configMapRef']),
      ...inNamed('Secret', secretRef, by, [...at, 'secretRef']),
    ]
  })
  const single = ((env ?? []) as readonly Variable[]).flatMap(({ name, valueFrom }, index) => {
    const by = `env ${name} of the container ${container}`
    const at: Path = [...path, 'env', index, 'valueFrom']
    return [
      ...inNamed('ConfigMap', valueFrom?.configMapKeyRef, by, [...at, 'configMapKeyRef']),
      ...inNamed('Secret', valueFrom?.secretKeyRef, by, [...at, 'secretKeyRef']),
    ]
  })
  return [...whole, ...single]
}

function inNamed(kind: Referred['kind'], ref: Named | undefined, by: string, path: Path): readonly Referred[] {
  if (!ref?.name || ref.optional) return []
  const { name, key } = ref
  return [
    { kind, name, by, path: [...path, 'name'] },
    ...(key === undefined ? [] : [{ kind, name, key, by, path: [...path, 'key'] }]),
  ]
}

/** The kubelet asks for what is in a container's environment once it has its image. */
const beforeItsEnvironment =
  /^(?:CreateContainerConfigError|ErrImagePull|ImagePullBackOff|ErrImageNeverPull|InvalidImageName|RegistryUnavailable)$/

/** What the next step of a pod's start needs: its volumes first, and what a container has in its environment when its turn has come. */
export function referredNext(pod: KubeObject): readonly Referred[] {
  const spec = specOf(pod)
  const statuses = containersOf(pod)
  const isAtVolumes = statuses.every(({ state }) => /^(ContainerCreating|PodInitializing)$/.test(state?.waiting?.reason ?? ''))
  if (isAtVolumes) return spec['nodeName'] === undefined ? [] : [...referredByVolumes(spec), ...referredByFirst(spec)]
  const isStuck = ({ name }: Container): boolean =>
    statuses.some((status) => status.name === name && beforeItsEnvironment.test(status.state?.waiting?.reason ?? ''))
  return (['initContainers', 'containers'] as const).flatMap((list) =>
    (spec[list] ?? []).flatMap((container, index) => (isStuck(container) ? referredByContainer(container, [list, index]) : [])),
  )
}

/** Of the containers that start first: what an init container has done by then, such as make a Secret, counts for those after it. */
function referredByFirst({ initContainers: [init] = [], containers }: PodSpec): readonly Referred[] {
  if (init) return referredByContainer(init, ['initContainers', 0])
  return containers.flatMap((container, index) => referredByContainer(container, ['containers', index]))
}
