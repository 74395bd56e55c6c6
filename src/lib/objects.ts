import { groupOf } from './select.ts'

/** What every Kubernetes object has; the rest is the kind's own. Raw JSON, so that fields devkit does not know pass through untouched. */
export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly [field: string]: unknown
}

/** The part of `metadata` that devkit reads. */
export interface ObjectMeta {
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly generation?: number
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly ownerReferences?: readonly {
    readonly kind: string
    readonly name: string
    readonly uid: string
    readonly controller?: boolean
  }[]
  readonly [field: string]: unknown
}

/** Enough to find an object again. `namespace` is absent for cluster-scoped kinds. */
export interface ObjectRef {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly namespace?: string | undefined
}

/** Where a manifest was written: `file` relative to the project, `line` from 1. */
export interface Origin {
  readonly file: string
  readonly line: number
  /** Line of a field of the object, where the source can tell. */
  readonly lineAt?: (path: readonly (string | number)[]) => number | undefined
}

/** One Kubernetes object as a source renders it. */
export interface Manifest {
  readonly object: KubeObject
  readonly origin: Origin
}

export function refOf({ apiVersion, kind, metadata }: KubeObject): ObjectRef {
  return { apiVersion, kind, name: metadata.name, namespace: metadata.namespace }
}

/** Whether an object carries all of the labels. */
export function isLabelled({ metadata }: KubeObject, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(labels).every(([name, value]) => metadata.labels?.[name] === value)
}

/** `Deployment/web`, as people say it. */
export function nameOf(object: KubeObject | ObjectRef): string {
  return `${object.kind}/${'metadata' in object ? (object as KubeObject).metadata.name : (object as ObjectRef).name}`
}

/** What a ConfigMap or Secret holds, as the server keeps it: a Secret's texts (`stringData`) are in its data, encoded. */
export function dataOf(object: KubeObject): Readonly<Record<string, string>> {
  const { data, stringData } = object as Readonly<Record<string, Readonly<Record<string, string>> | null | undefined>>
  const encoded = Object.entries(stringData ?? {}).map(([name, text]) => [name, Buffer.from(String(text)).toString('base64')])
  return { ...data, ...Object.fromEntries(encoded) }
}

/** `PersistentVolumeClaim/data in shop`: with its namespace where it has one. */
export function spotOf(ref: ObjectRef): string {
  return ref.namespace === undefined ? nameOf(ref) : `${nameOf(ref)} in ${ref.namespace}`
}

/** `k8s/web.yaml:12`. */
export function placeOf({ file, line }: Origin): string {
  return `${file}:${line}`
}

/** Kinds whose pods devkit knows how to find, replace and wait for. */
export const workloadKinds = ['Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob', 'ReplicaSet', 'Pod'] as const

export type WorkloadKind = (typeof workloadKinds)[number]

/** Of Kubernetes' own groups: a kind that only has such a name is another. */
export function isWorkload(object: KubeObject): boolean {
  const groups = object.kind === 'Pod' ? [''] : ['apps', 'batch', 'extensions']
  return (workloadKinds as readonly string[]).includes(object.kind) && groups.includes(groupOf(object))
}

/** A container of a pod template, as far as devkit reads it. */
export interface Container {
  readonly name: string
  readonly image?: string
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[]
  readonly [field: string]: unknown
}

/** A pod template's spec, as far as devkit reads it. */
export interface PodSpec {
  readonly containers: readonly Container[]
  readonly initContainers?: readonly Container[]
  readonly [field: string]: unknown
}

interface Templated {
  readonly spec?: {
    readonly template?: { readonly spec?: PodSpec }
    readonly jobTemplate?: { readonly spec?: { readonly template?: { readonly spec?: PodSpec } } }
  }
}

/** The pod spec inside a workload, undefined for every other kind. */
export function podSpecOf(object: KubeObject): PodSpec | undefined {
  if (!isWorkload(object)) return undefined
  if (object.kind === 'Pod') return object['spec'] as PodSpec | undefined
  const { spec } = object as KubeObject & Templated
  return object.kind === 'CronJob' ? spec?.jobTemplate?.spec?.template?.spec : spec?.template?.spec
}

/** The same workload with another pod spec; other kinds come back as they are. */
export function withPodSpec(object: KubeObject, change: (pod: PodSpec) => PodSpec): KubeObject {
  const pod = podSpecOf(object)
  if (!pod) return object
  const changed = change(pod)
  if (changed === pod) return object
  if (object.kind === 'Pod') return { ...object, spec: changed }
  const spec = object['spec'] as Record<string, unknown>
  const inTemplate = (holder: Record<string, unknown>): Record<string, unknown> => ({
    ...holder,
    template: { ...(holder['template'] as object), spec: changed },
  })
  if (object.kind !== 'CronJob') return { ...object, spec: inTemplate(spec) }
  const jobTemplate = spec['jobTemplate'] as Record<string, unknown>
  return {
    ...object,
    spec: { ...spec, jobTemplate: { ...jobTemplate, spec: inTemplate(jobTemplate['spec'] as Record<string, unknown>) } },
  }
}

/** A container or a pod spec without one of its fields; the same where it has none of that name. */
export function without<Holder extends Container | PodSpec>(holder: Holder, field: string): Holder {
  if (!(field in holder)) return holder
  const { [field]: _, ...rest } = holder
  return rest as Holder
}

/** A pod spec with every container changed, init containers too; the same one when none was. */
export function eachContainer(pod: PodSpec, change: (container: Container) => Container): PodSpec {
  const containers = pod.containers.map(change)
  const initContainers = pod.initContainers?.map(change)
  const isSame =
    containers.every((container, index) => container === pod.containers[index]) &&
    (initContainers?.every((container, index) => container === pod.initContainers?.[index]) ?? true)
  return isSame ? pod : { ...pod, containers, ...(initContainers && { initContainers }) }
}
