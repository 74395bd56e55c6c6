import { type KubeObject, podSpecOf } from '../../lib/objects.ts'
import { inPods, type Patient, type Rule } from './facts.ts'
import { type Misfit, misfitsOf, taintsOf } from './fit.ts'
import { needs } from './needs.ts'
import { bornAt, conditionOf, podPath, specOf, statusOf, timeOf } from './pod.ts'
import { isMakingRoom } from './room.ts'
import { type Filter, parseUnschedulable } from './text/scheduler.ts'
import type { Verdict } from './verdict.ts'

/** What the scheduler says may be about a moment that is over before anybody reads it, in ms. */
const unschedulableAfterMs = 1000
/** What nobody understands is given longer: a volume may still be on its way. In ms. */
const unknownAfterMs = 15_000
/** A busy API server tells of nodes, pods and volumes within, in ms. */
const lookedUpWithinMs = 60_000
/** A gate that the manifest itself has may be opened by a controller, in ms. */
const gatedForMs = 30_000
/** A scheduler that nobody has seen at work may be about to begin, in ms. */
const unseenForMs = 10_000

const noNode = inPods((pod, patient) => {
  const { name, facts } = patient
  const scheduled = conditionOf(pod, 'PodScheduled')
  if (scheduled?.status !== 'False' || scheduled.reason !== 'Unschedulable') return undefined
  const since = timeOf(scheduled.lastTransitionTime)
  const message = scheduled.message ?? ''
  const said = parseUnschedulable(message)
  const nodes = knownOf(patient, 'Node')
  const pods = knownOf(patient, 'Pod')
  if (nodes === 'unknown' || pods === 'unknown') return undefined
  const others = (pods === 'hidden' ? (facts.known('v1', 'Pod') ?? []) : pods).filter(
    ({ metadata }) => metadata.uid !== pod.metadata.uid,
  )
  const blocked: Blocked = { pod, patient, nodes: nodes === 'hidden' ? [] : nodes, others, since }
  const filters = said?.refusals.map(({ filter }) => filter) ?? []
  const cause = causeOf(blocked, filters)
  const what = said?.refusals.find(({ filter }) => filter === cause?.filter)?.what ?? ''
  const need = cause && needs[cause.filter]?.(blocked, { misfit: cause.misfit, what })
  if (!need) {
    // a node that lacks nothing that can be read is about to take the pod: what is said is of a moment that is over
    const isOver = cause === undefined && filters.length > 0 && filters.every((filter) => readable.has(filter))
    if (!facts.hasPassed(since, isOver ? lookedUpWithinMs : unknownAfterMs)) return undefined
    // what is understood, and not yet looked up, has a better word soon; volumes have rules of their own
    const isUnderstood = cause !== undefined && needs[cause.filter] !== undefined && !facts.hasPassed(since, lookedUpWithinMs)
    return {
      code: 'READY-105',
      severity: isOver || isUnderstood || filters.includes('claim') ? 'warning' : 'failure',
      message: `No node can take a pod of ${name}: ${message}`,
      hint: `Compare what ${facts.where(name)} asks of nodes with \`kubectl describe nodes\`.`,
      since,
    }
  }
  const { mends, ...told } = need
  const mayMend = mends || isNominated(pod) || isMakingRoom(blocked, cause) || !facts.hasPassed(since, unschedulableAfterMs)
  return { severity: mayMend ? 'warning' : 'failure', evidence: [message], since, ...told }
})

/** A pod that no node takes, and what is known around it. */
export interface Blocked {
  readonly pod: KubeObject
  readonly patient: Patient
  /** None where nobody may look at them. */
  readonly nodes: readonly KubeObject[]
  /** All other pods of the cluster, as far as they may be seen. */
  readonly others: readonly KubeObject[]
  /** Since when the scheduler says so, in ms since the epoch. */
  readonly since: number
}

/** What keeps a pod from the node that is nearest to taking it. */
export interface Cause {
  readonly filter: Filter
  readonly misfit: Misfit | undefined
  /** The nodes that lack nothing else. */
  readonly nodes: readonly KubeObject[]
}

/** What is said of a cause. `mends`: it may pass by itself. */
export type Need = Pick<Verdict, 'code' | 'message' | 'hint'> & Partial<Verdict> & { readonly mends?: boolean }

function knownOf({ facts }: Patient, kind: string): readonly KubeObject[] | 'hidden' | 'unknown' {
  return facts.known('v1', kind, 'cluster') ?? (facts.isHidden('v1', kind, 'cluster') ? 'hidden' : 'unknown')
}

function isNominated(pod: KubeObject): boolean {
  return Boolean((statusOf(pod) as { readonly nominatedNodeName?: string }).nominatedNodeName)
}

/** Filters whose verdict on a node can be read from the pod and the node. */
const readable: ReadonlySet<Filter> = new Set<Filter>([
  ...(['unschedulable', 'taint', 'node-affinity', 'ports', 'too-many-pods', 'resource'] as const),
])

/** The nodes that lack least decide; what the scheduler says, where nobody can tell from the nodes. */
function causeOf({ pod, nodes, others }: Blocked, said: readonly Filter[]): Cause | undefined {
  const looks = workers(nodes).map((node) => ({ node, misfits: misfitsOf(pod, node, others) }))
  const least = Math.min(...looks.map(({ misfits }) => misfits.length))
  const nearest = looks.filter(({ misfits }) => misfits.length === least)
  const byFilter = (filter: Filter | undefined): Cause | undefined =>
    filter && {
      filter,
      misfit: looks.flatMap(({ misfits }) => misfits).find((one) => one.filter === filter),
      nodes: looks.filter(({ misfits }) => misfits.some((one) => one.filter === filter)).map(({ node }) => node),
    }
  if (looks.length > 0 && least > 0) {
    const found = nearest
      .flatMap(({ misfits }) => misfits)
      .filter(({ filter }) => said.includes(filter))
      .toSorted((a, b) => rank(a) - rank(b))[0]
    if (found) return { ...byFilter(found.filter), filter: found.filter, misfit: found, nodes: nearest.map(({ node }) => node) }
  }
  const unreadable = said.find((filter) => !readable.has(filter))
  return byFilter(unreadable ?? (least === 0 ? undefined : said[0]))
}

/** Nodes that are there for more than the control plane; all where there are no others. */
function workers(nodes: readonly KubeObject[]): readonly KubeObject[] {
  const others = nodes.filter((node) => !taintsOf(node).some(({ key }) => key === 'node-role.kubernetes.io/control-plane'))
  return others.length > 0 ? others : nodes
}

/** Of two things that keep a pod from equally near nodes, the harm to a node comes before what the pod asks for. */
function rank(misfit: Misfit): number {
  if (misfit.filter === 'taint') return misfit.taint.key.startsWith('node.kubernetes.io/') ? 0 : 2
  return misfit.filter === 'unschedulable' ? 1 : 3
}

const gated = inPods((pod, { name, workload, facts }) => {
  const scheduled = conditionOf(pod, 'PodScheduled')
  if (scheduled?.status !== 'False' || scheduled.reason !== 'SchedulingGated') return undefined
  const gates = gatesOf(specOf(pod))
  const own = gatesOf(podSpecOf(workload) ?? {})
  const since = timeOf(scheduled.lastTransitionTime)
  const isWritten = gates.some((gate) => own.includes(gate))
  return {
    code: 'READY-188',
    severity: isWritten && facts.hasPassed(since, gatedForMs) ? 'failure' : 'warning',
    message: `No pod of ${name} is scheduled before somebody removes its scheduling gate ${gates.join(', ')}.`,
    hint: isWritten
      ? `Take schedulingGates out of ${facts.where(name, podPath(workload, ['schedulingGates']))}, or run the controller that removes it.`
      : 'Look at what has set it: an admission webhook put it into the pod, and its controller has to remove it.',
    evidence: [scheduled.message ?? scheduled.reason],
    since,
  }
})

function gatesOf(spec: object): readonly string[] {
  const { schedulingGates = [] } = spec as { readonly schedulingGates?: readonly { readonly name: string }[] }
  return schedulingGates.map(({ name }) => name)
}

const noScheduler = inPods((pod, patient) => {
  const { name, workload, facts } = patient
  const {
    schedulerName = 'default-scheduler',
    nodeName,
    volumes = [],
  } = specOf(pod) as unknown as {
    readonly schedulerName?: string
    readonly nodeName?: string
    readonly volumes?: readonly { readonly persistentVolumeClaim?: unknown }[]
  }
  const isLookedAt = nodeName !== undefined || conditionOf(pod, 'PodScheduled') !== undefined
  if (schedulerName === 'default-scheduler' || isLookedAt || !facts.hasPassed(bornAt(pod), unschedulableAfterMs)) return undefined
  const pods = knownOf(patient, 'Pod')
  if (pods === 'unknown') return undefined
  const isAtWork =
    pods === 'hidden' ||
    volumes.some(({ persistentVolumeClaim }) => persistentVolumeClaim) ||
    pods.some((other) => specOf(other)['schedulerName'] === schedulerName && specOf(other)['nodeName'] !== undefined)
  return {
    code: 'READY-218',
    severity: !isAtWork && facts.hasPassed(bornAt(pod), unseenForMs) ? 'failure' : 'warning',
    message: `No scheduler named ${schedulerName} has looked at a pod of ${name}.`,
    hint: `Take schedulerName out of ${facts.where(name, podPath(workload, ['schedulerName']))} (profiles: \`scheduling.runtime\`), or run that scheduler.`,
    since: bornAt(pod),
  }
})

/** Why no node takes a pod. */
export const scheduling: readonly Rule[] = [noScheduler, gated, noNode]
