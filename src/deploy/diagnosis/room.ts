import type { KubeObject } from '../../lib/objects.ts'
import { isOn, misfitsOf } from './fit.ts'
import { conditionOf, specOf, timeOf } from './pod.ts'
import type { Blocked, Cause } from './scheduling.ts'
import type { Filter } from './text/scheduler.ts'

/** A pod may need so long to go after its grace period, in ms. */
const leavesWithinMs = 30_000
/** How soon the controller of a Deployment takes away an old pod when a new one is ready, in ms. */
const followsWithinMs = 3000

/** What any pod of a node may give up. */
const rooms: readonly Filter[] = ['ports', 'too-many-pods', 'resource']
/** What pods of its own neighbourhood may. */
const neighbours: readonly Filter[] = ['pod-anti-affinity', 'others-anti-affinity', 'topology-spread']

/** Whether other pods are on their way out, and give up by that what a pod lacks. */
export function isMakingRoom(blocked: Blocked, { filter, nodes }: Cause): boolean {
  const isRoom = rooms.includes(filter)
  if (!isRoom && !neighbours.includes(filter)) return false
  const { pod, others } = blocked
  const near = isRoom ? others : others.filter(({ metadata }) => metadata.namespace === pod.metadata.namespace)
  const leaving = new Set(near.filter((other) => isLeaving(other, blocked) || (isRoom && isToEnd(other))))
  if (leaving.size === 0) return false
  const staying = others.filter((other) => !leaving.has(other))
  if (nodes.length === 0) return true
  return nodes.some((node) => [...leaving].some((one) => isOn(one, node)) && misfitsOf(pod, node, staying).length === 0)
}

function isLeaving(other: KubeObject, { patient: { facts, ...patient } }: Blocked): boolean {
  const { deletionTimestamp } = other.metadata
  // a time of deletion has the grace period in it
  if (deletionTimestamp !== undefined) return !facts.hasPassed(timeOf(deletionTimestamp), leavesWithinMs)
  if (specOf(other)['nodeName'] === undefined) return false
  return isReplacedBy(other, { facts, ...patient })
}

function isToEnd({ metadata }: KubeObject): boolean {
  return metadata.ownerReferences?.some(({ kind, controller }) => controller && kind === 'Job') ?? false
}

/** Whether it is of an older rollout of a Deployment, of which a newer pod is about to take its place. */
function isReplacedBy(other: KubeObject, { workload, pods, replicaSet, facts }: Blocked['patient']): boolean {
  const owner = other.metadata.ownerReferences?.find(({ controller }) => controller)
  if (workload.kind !== 'Deployment' || owner?.kind !== 'ReplicaSet' || owner.uid === replicaSet?.metadata.uid) return false
  const sets = facts.known('apps/v1', 'ReplicaSet') ?? []
  const set = sets.find(({ metadata }) => metadata.uid === owner.uid)
  if (!set?.metadata.ownerReferences?.some(({ uid }) => uid === workload.metadata.uid)) return false
  return pods
    .filter((pod) => specOf(pod)['nodeName'] !== undefined)
    .some((pod) => {
      const ready = conditionOf(pod, 'Ready')
      return ready?.status !== 'True' || !facts.hasPassed(timeOf(ready.lastTransitionTime), followsWithinMs)
    })
}
