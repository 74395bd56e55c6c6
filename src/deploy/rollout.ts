import { hookOf } from '../lib/hooks.ts'
import type { KubeObject } from '../lib/objects.ts'
import { groupOf } from '../lib/select.ts'
import type { Condition } from './diagnosis/pod.ts'

/** How far an object is: ready, or what it waits for, as a sentence after its name. `failed`: time won't mend it. */
export type Rollout = 'ready' | { readonly waiting: string; readonly failed?: boolean }

/** What an object's own status does not tell. */
export interface Known {
  /** The workload's pods; without them what its controller counts is believed, which may be pods on their way out. */
  readonly pods?: readonly KubeObject[]
  /** The cluster's storage classes; without them no claim is waited for. */
  readonly storageClasses?: readonly KubeObject[]
}

/** The status of an object, as far as devkit reads it. */
type Status = Readonly<Record<string, number | string | undefined>> & { readonly conditions?: readonly Condition[] }

/** How far an object is, in Kubernetes' own meaning for its kind. What has no status to wait for is ready. */
export function rollout(object: KubeObject, known: Known = {}): Rollout {
  const group = groupOf(object)
  switch (`${group}/${object.kind}`) {
    case 'batch/Job':
      return jobRollout(object)
    case 'batch/CronJob':
      return 'ready'
    case '/Pod':
      return podRollout(object)
    case 'apps/Deployment':
    case 'extensions/Deployment':
      return seen(object) ?? deploymentRollout(object) ?? enoughPods(object, known)
    case 'apps/StatefulSet':
      return seen(object) ?? statefulSetRollout(object) ?? enoughPods(object, known)
    case 'apps/DaemonSet':
    case 'extensions/DaemonSet':
      return seen(object) ?? daemonSetRollout(object) ?? enoughPods(object, known)
    case 'apps/ReplicaSet':
    case 'extensions/ReplicaSet':
      return seen(object) ?? enoughPods(object, known)
    case '/PersistentVolumeClaim':
      return claimRollout(object, known.storageClasses)
    case 'apiextensions.k8s.io/CustomResourceDefinition':
      return definitionRollout(object)
    default:
      return conditionsRollout(object)
  }
}

/** How many pods a workload is to have. */
export function wantedPods(object: KubeObject): number {
  if (object.kind === 'DaemonSet') return numberOf(object, 'desiredNumberScheduled')
  return ((object['spec'] ?? {}) as { readonly replicas?: number }).replicas ?? 1
}

/** Whether it is a pod that has done its work, such as one of Helm's hooks. */
export function hasSucceeded(object: KubeObject): boolean {
  return object.kind === 'Pod' && statusOf(object)['phase'] === 'Succeeded'
}

/** A Job that is suspended runs when somebody says so. @see https://kubernetes.io/docs/concepts/workloads/controllers/job/#suspending-a-job */
function jobRollout(job: KubeObject): Rollout {
  if (isTrue(job, 'Complete')) return 'ready'
  const failed = isTrue(job, 'Failed')
  if (failed) return { waiting: failed.message ?? failed.reason ?? 'it failed', failed: true }
  return (job['spec'] as { readonly suspend?: boolean } | undefined)?.suspend ? 'ready' : { waiting: 'it runs' }
}

function podRollout(pod: KubeObject): Rollout {
  if (hasSucceeded(pod)) return 'ready'
  if (statusOf(pod)['phase'] === 'Failed') return { waiting: 'its pod failed', failed: true }
  // a hook has done its work when it has ended, however ready it looks while it runs
  if (hookOf(pod) && isToEnd(pod)) return { waiting: 'its pod runs' }
  return isReadyPod(pod) ? 'ready' : { waiting: 'its pod is not ready' }
}

function isToEnd({ spec }: KubeObject): boolean {
  const { restartPolicy = 'Always' } = (spec ?? {}) as { readonly restartPolicy?: string }
  return restartPolicy !== 'Always'
}

/** What a status says of an older generation is about pods that are being replaced. */
function seen(object: KubeObject): Rollout | undefined {
  const isSeen = numberOf(object, 'observedGeneration') >= (object.metadata.generation ?? 0)
  return isSeen ? undefined : { waiting: 'its controller has not seen the change' }
}

const oldPods: Rollout = { waiting: 'pods of the old rollout are still there' }

/** @see https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#complete-deployment */
function deploymentRollout(deployment: KubeObject): Rollout | undefined {
  // who asks for a pause does not want every pod to be of the new rollout
  if ((deployment['spec'] as { readonly paused?: boolean } | undefined)?.paused) return undefined
  const updated = numberOf(deployment, 'updatedReplicas')
  return enoughUpdated(updated, wantedPods(deployment)) ?? (numberOf(deployment, 'replicas') > updated ? oldPods : undefined)
}

interface UpdateStrategy {
  readonly updateStrategy?: { readonly type?: string; readonly rollingUpdate?: { readonly partition?: number } }
}

/** @see https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#partitions */
function statefulSetRollout(set: KubeObject): Rollout | undefined {
  const { updateStrategy } = (set['spec'] ?? {}) as UpdateStrategy
  if (updateStrategy?.type === 'OnDelete') return undefined
  const partition = updateStrategy?.rollingUpdate?.partition ?? 0
  const lacking = enoughUpdated(numberOf(set, 'updatedReplicas'), Math.max(0, wantedPods(set) - partition))
  if (lacking || partition > 0 || wantedPods(set) === 0) return lacking
  const { currentRevision, updateRevision } = statusOf(set)
  return currentRevision === updateRevision ? undefined : oldPods
}

function daemonSetRollout(set: KubeObject): Rollout | undefined {
  const { updateStrategy } = (set['spec'] ?? {}) as UpdateStrategy
  if (updateStrategy?.type === 'OnDelete') return undefined
  return enoughUpdated(numberOf(set, 'updatedNumberScheduled'), wantedPods(set))
}

function enoughUpdated(updated: number, wanted: number): Rollout | undefined {
  return updated < wanted ? { waiting: `${updated} of ${wanted} pods are of the new rollout` } : undefined
}

/** The last word: controllers of StatefulSets and DaemonSets count pods that are on their way out as ready. */
function enoughPods(workload: KubeObject, { pods }: Known): Rollout {
  const wanted = wantedPods(workload)
  const counted = availablePods(workload)
  const staying = pods?.filter((pod) => isReadyPod(pod) && !pod.metadata.deletionTimestamp && isWithin(pod, workload)).length
  const ready = Math.min(counted, staying ?? counted)
  return ready >= wanted ? 'ready' : { waiting: `${ready} of ${wanted} pods are ready` }
}

function availablePods(workload: KubeObject): number {
  if (workload.kind === 'DaemonSet') return numberOf(workload, 'numberAvailable')
  // servers before 1.22 do not count the available pods of a StatefulSet
  const field = workload.kind === 'StatefulSet' && statusOf(workload)['availableReplicas'] === undefined ? 'ready' : 'available'
  return numberOf(workload, `${field}Replicas`)
}

/** Whether a pod's ordinal is one that its StatefulSet keeps. @see https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#start-ordinal */
function isWithin(pod: KubeObject, workload: KubeObject): boolean {
  if (workload.kind !== 'StatefulSet') return true
  const { start = 0 } = (workload['spec'] as { readonly ordinals?: { readonly start?: number } }).ordinals ?? {}
  const ordinal = Number(/-(\d+)$/.exec(pod.metadata.name)?.[1])
  return ordinal >= start && ordinal < start + wantedPods(workload)
}

/** @see https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode */
function claimRollout(claim: KubeObject, classes: Known['storageClasses']): Rollout {
  const { phase } = statusOf(claim)
  if (phase === 'Lost') return { waiting: 'its volume is gone', failed: true }
  if (phase === 'Bound' || !classes) return 'ready'
  const { storageClassName, volumeName } = (claim['spec'] ?? {}) as {
    readonly storageClassName?: string
    readonly volumeName?: string
  }
  if (volumeName) return { waiting: `it is not yet bound to ${volumeName}` }
  const storageClass = classes.find(({ metadata }) => metadata.name === storageClassName)
  // it is bound when a pod that uses it is scheduled
  if (storageClass?.['volumeBindingMode'] === 'WaitForFirstConsumer') return 'ready'
  if (storageClass) return { waiting: `${storageClassName} has not yet made its volume` }
  return { waiting: storageClassName ? `there is no storage class ${storageClassName}` : 'no volume fits it' }
}

function definitionRollout(definition: KubeObject): Rollout {
  const accepted = conditionsOf(definition).find(({ type }) => type === 'NamesAccepted')
  if (accepted?.status === 'False') return { waiting: accepted.message ?? 'its names are taken', failed: true }
  return isTrue(definition, 'Established') ? 'ready' : { waiting: 'its kind is not yet served' }
}

/** Conditions that say of a custom resource that it does what it is for; the first that it has counts. */
const readyConditions = ['Ready', 'Available', 'Healthy']

/** @see https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md for the conventions of controllers */
function conditionsRollout(object: KubeObject): Rollout {
  const { observedGeneration } = statusOf(object)
  const { generation = 0 } = object.metadata
  if (observedGeneration !== undefined && Number(observedGeneration) < generation)
    return { waiting: 'its controller has not seen the change' }
  const stalled = isTrue(object, 'Stalled')
  const isOfBefore = ({ observedGeneration: told = generation }: Condition): boolean => told < generation
  if (stalled && !isOfBefore(stalled)) return { waiting: reasonOf(stalled), failed: true }
  const conditions = conditionsOf(object)
  const told = readyConditions.map((wanted) => conditions.find(({ type }) => type === wanted)).find((one) => one !== undefined)
  if (told ? isOfBefore(told) : stalled) return { waiting: 'its controller has not seen the change' }
  const reconciling = isTrue(object, 'Reconciling')
  if (reconciling) return { waiting: reasonOf(reconciling) }
  return !told || told.status === 'True' ? 'ready' : { waiting: reasonOf(told) }
}

function reasonOf({ type, status, reason, message }: Condition): string {
  const said = message || reason
  return `its condition ${type} is ${status}${said ? ` (${said.replace(/\.$/, '')})` : ''}`
}

/** Whether a pod's containers all take requests. */
function isReadyPod(pod: KubeObject): boolean {
  return isTrue(pod, 'Ready') !== undefined
}

function isTrue(object: KubeObject, wanted: string): Condition | undefined {
  return conditionsOf(object).find(({ type, status }) => type === wanted && status === 'True')
}

/** Whether a controller has said anything about an object. */
export function hasConditions(object: KubeObject): boolean {
  return conditionsOf(object).length > 0
}

/** Foreign controllers write what they like. */
function conditionsOf(object: KubeObject): readonly Condition[] {
  const { conditions } = statusOf(object)
  return Array.isArray(conditions) ? conditions : []
}

function numberOf(object: KubeObject, field: string): number {
  return Number(statusOf(object)[field] ?? 0)
}

function statusOf({ status }: KubeObject): Status {
  return (status ?? {}) as Status
}
