import { type Container, type KubeObject, type PodSpec, podSpecOf } from '../../lib/objects.ts'
import type { Facts } from './facts.ts'

/** A condition of any object. */
export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
  /** The generation of its object that it is about. */
  readonly observedGeneration?: number
}

/** How an instance of a container ended. */
export interface Terminated {
  readonly exitCode: number
  readonly signal?: number
  readonly reason?: string
  readonly message?: string
  readonly startedAt?: string
  readonly finishedAt?: string
  readonly containerID?: string
}

/** A container's part of a pod's status, as far as devkit reads it. */
export interface ContainerStatus {
  readonly name: string
  readonly image: string
  readonly imageID?: string
  readonly ready: boolean
  readonly started?: boolean
  readonly restartCount: number
  readonly containerID?: string
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string }
    readonly terminated?: Terminated
    readonly running?: { readonly startedAt?: string }
  }
  readonly lastState?: { readonly terminated?: Terminated }
  /** As whom it runs; not told before 1.31. */
  readonly user?: { readonly linux?: { readonly uid?: number } }
}

/** A pod's status, as far as devkit reads it. */
export interface PodStatus {
  readonly phase?: string
  readonly reason?: string
  readonly message?: string
  readonly startTime?: string
  readonly conditions?: readonly Condition[]
  readonly containerStatuses?: readonly ContainerStatus[]
  readonly initContainerStatuses?: readonly ContainerStatus[]
}

export function statusOf(pod: KubeObject): PodStatus {
  return (pod['status'] ?? {}) as PodStatus
}

export function specOf(pod: KubeObject): PodSpec {
  return (pod['spec'] ?? { containers: [] }) as PodSpec
}

/** Statuses of a pod's containers in the order in which they start. */
export function containersOf(pod: KubeObject): readonly ContainerStatus[] {
  const { initContainerStatuses = [], containerStatuses = [] } = statusOf(pod)
  return [...initContainerStatuses, ...containerStatuses]
}

/** What the pod's spec says of a container; `isInit`: one that ends before the others begin, and no sidecar. */
export function specOfContainer(
  pod: KubeObject,
  name: string,
): { readonly spec: Container | undefined; readonly isInit: boolean } {
  const { containers, initContainers = [] } = specOf(pod)
  const init = initContainers.find((one) => one.name === name)
  return {
    spec: init ?? containers.find((one) => one.name === name),
    isInit: init !== undefined && init['restartPolicy'] !== 'Always',
  }
}

export function conditionOf(object: KubeObject, wanted: string): Condition | undefined {
  const { conditions = [] } = (object['status'] ?? {}) as { readonly conditions?: readonly Condition[] }
  return conditions.find(({ type }) => type === wanted)
}

/** A time of the API in ms since the epoch; 0 where there is none. */
export function timeOf(time: string | null | undefined): number {
  return Date.parse(time ?? '') || 0
}

/** When an object was made, in ms since the epoch. */
export function bornAt({ metadata }: KubeObject): number {
  return timeOf(metadata.creationTimestamp)
}

/** How a container's last instance ended, or undefined when none has. */
export function lastEnd({ state, lastState }: ContainerStatus): Terminated | undefined {
  return state?.terminated ?? lastState?.terminated
}

/** Where the pod spec, or a field of it, stands in the workload that makes the pods. */
export function podPath({ kind }: KubeObject, path: readonly (string | number)[] = []): readonly (string | number)[] {
  if (kind === 'Pod') return ['spec', ...path]
  return kind === 'CronJob' ? ['spec', 'jobTemplate', 'spec', 'template', 'spec', ...path] : ['spec', 'template', 'spec', ...path]
}

/** The workload that made a pod, as people say it: `Deployment/web`, with its namespace where that is not `here`. */
export function makerOf({ metadata }: KubeObject, here: string): string {
  const maker = metadata.ownerReferences?.find(({ controller }) => controller)
  const hash = metadata.labels?.['pod-template-hash']
  const isOfDeployment = maker?.kind === 'ReplicaSet' && hash !== undefined && maker.name.endsWith(`-${hash}`)
  const name = isOfDeployment
    ? `Deployment/${maker.name.slice(0, -hash.length - 1)}`
    : maker
      ? `${maker.kind}/${maker.name}`
      : `Pod/${metadata.name}`
  return metadata.namespace === here ? name : `${name} in ${metadata.namespace}`
}

/** Containers of a pod, or of what makes pods, that end one after another before the others begin. */
export function initsOf(holder: KubeObject): readonly Container[] {
  const { initContainers = [] } = podSpecOf(holder) ?? specOf(holder)
  return initContainers.filter((one) => one['restartPolicy'] !== 'Always')
}

/** A time in words; Kubernetes tells whole seconds. */
export function seconds(ms: number): string {
  return ms < 120_000 ? `${Math.max(1, Math.ceil(ms / 1000))} s` : `${Math.round(ms / 60_000)} min`
}

/** The node that a pod is on; undefined while nobody knows, and where nobody may look at nodes. */
export function nodeOf(pod: KubeObject, facts: Pick<Facts, 'known'>): KubeObject | undefined {
  const { nodeName } = specOf(pod)
  return facts.known('v1', 'Node', 'cluster')?.find(({ metadata }) => metadata.name === nodeName)
}

/** How long the list of nodes takes at most once a rule wants it, in ms; who may not see it goes without. */
const nodesComeMs = 3000

/** Whether a pod's node is not known and may be in a moment. `since`: when it was first wanted, in ms since the epoch. */
export function isNodeOnItsWay(pod: KubeObject, facts: Pick<Facts, 'known' | 'hasPassed'>, since: number): boolean {
  return !nodeOf(pod, facts) && !facts.hasPassed(since, nodesComeMs)
}
