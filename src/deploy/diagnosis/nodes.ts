import type { KubeObject } from '../../lib/objects.ts'
import { inPods, type Patient, type Rule } from './facts.ts'
import { bornAt, conditionOf, containersOf, makerOf, podPath, specOf, statusOf, timeOf } from './pod.ts'
import { type Eviction, parseEviction } from './text/eviction.ts'
import type { Verdict } from './verdict.ts'

/** So many evictions of a workload's pods, and the next one is expected. */
const evictionsInRow = 2
/** An eviction explains what its workload lacks only so long, in ms. */
const evictedForMs = 120_000
/** How long a node that does not answer is believed to come back, in ms. */
const comesBackMs = 30_000
/** A pod that is younger is on its way, in ms: nobody asks for nodes then. */
const youngMs = 2000
/** How long the network of a node may take to begin, in ms. */
const networkBeginsMs = 30_000
/** How soon a controller replaces a pod that ended with its node, in ms. */
const replacedWithinMs = 10_000

const evicted: Rule = (patient) => {
  const { pods, facts } = patient
  const gone = pods.filter((pod) => statusOf(pod).phase === 'Failed' && statusOf(pod).reason === 'Evicted')
  const [last] = gone.toSorted((a, b) => endOf(b) - endOf(a))
  if (!last || facts.hasPassed(endOf(last), evictedForMs)) return undefined
  const message = statusOf(last).message ?? ''
  const why = parseEviction(message)
  const isOver = patient.workload.kind === 'Pod' || gone.length >= evictionsInRow
  return {
    severity: isOver ? 'failure' : 'warning',
    evidence: [message.trim()],
    since: endOf(last),
    ...evictionTold(patient, why),
  }
}

function evictionTold({ name, workload, facts }: Patient, why: Eviction): Pick<Verdict, 'code' | 'message' | 'hint'> {
  const place = (...path: readonly string[]): string => facts.where(name, podPath(workload, path))
  const own = (what: string): string => `A pod of ${name} was evicted: ${what}.`
  switch (why.of) {
    case 'volume':
      return {
        code: 'READY-212',
        message: own(`its volume ${why.volume} holds more than its sizeLimit of ${why.limit}`),
        hint: `Raise emptyDir.sizeLimit of ${why.volume} in ${place('volumes')}, or let its program keep less there.`,
      }
    case 'container':
      return {
        code: 'READY-212',
        message: own(`its container ${why.container} wrote more than its limit of ${why.limit} (ephemeral-storage)`),
        hint: `Raise resources.limits.ephemeral-storage of ${why.container} in ${place('containers')}, or let its program write to a volume.`,
      }
    case 'pod':
      return {
        code: 'READY-212',
        message: own(`its containers wrote more than their limits of ${why.limit} together (ephemeral-storage)`),
        hint: `Raise resources.limits.ephemeral-storage in ${place('containers')}, or let its programs write to a volume.`,
      }
    case 'node':
      return why.resource === 'memory'
        ? {
            code: 'READY-211',
            message: own(`its node was short of memory${takes(why)}`),
            hint: 'Give the engine more memory, or let less run there; a request (resources.requests.memory) keeps a pod longer than others.',
          }
        : {
            code: 'READY-210',
            message: own(`its node was short of ${why.resource === 'ephemeral-storage' ? 'disk' : why.resource}${takes(why)}`),
            hint: 'Make room on the disk of the engine: `docker system df` and `docker system prune`.',
          }
    default:
      return {
        code: 'READY-212',
        message: own('its node says why'),
        hint: `Look at what ${facts.where(name)} may take of its node.`,
      }
  }
}

function takes({ taker }: Extract<Eviction, { of: 'node' }>): string {
  return taker ? `, of which its container ${taker.container} took ${taker.used}` : ''
}

function endOf(pod: KubeObject): number {
  const told = timeOf(conditionOf(pod, 'DisruptionTarget')?.lastTransitionTime)
  const ends = containersOf(pod).map(({ state }) => timeOf(state?.terminated?.finishedAt))
  return told || Math.max(bornAt(pod), ...ends)
}

const noAnswer = inPods((pod, { name, facts }) => {
  const nodeName = specOf(pod)['nodeName']
  const { phase } = statusOf(pod)
  if (phase === 'Failed' || phase === 'Succeeded') return undefined
  if (nodeName === undefined || conditionOf(pod, 'Ready')?.status === 'True' || !facts.hasPassed(bornAt(pod), youngMs))
    return undefined
  const node = facts.known('v1', 'Node', 'cluster')?.find(({ metadata }) => metadata.name === nodeName)
  const ready = node && conditionOf(node, 'Ready')
  if (!node || !ready || ready.status === 'True') return undefined
  const since = timeOf(ready.lastTransitionTime)
  const isSilent = ready.status === 'Unknown'
  return {
    code: 'READY-213',
    severity: facts.hasPassed(since, comesBackMs) ? 'failure' : 'warning',
    message: isSilent
      ? `The node ${node.metadata.name}, on which ${name} runs, does not answer.`
      : `The node ${node.metadata.name}, on which ${name} runs, is not ready.`,
    hint: isSilent
      ? 'Look whether its machine or container runs (`docker ps`): `devkit stop` and `devkit start` start a node of devkit anew.'
      : `Look at \`kubectl describe node ${node.metadata.name}\`; \`devkit stop\` and \`devkit start\` start a node of devkit anew.`,
    evidence: [ready.message ?? ready.reason ?? ''],
    object: `Node/${node.metadata.name}`,
    since,
  }
})

const madeRoom: Rule = (patient) => {
  const { workload, name, pods, replicaSet, facts } = patient
  const waiting = pods.find((pod) => conditionOf(pod, 'PodScheduled')?.reason === 'Unschedulable')
  const isOnlyWaiting = pods.every((pod) => specOf(pod)['nodeName'] === undefined)
  if (!waiting && (pods.length > 0 || workload.kind !== 'Pod')) return undefined
  if (waiting && !isOnlyWaiting && pods.length > 1 && workload.kind === 'Job') return undefined
  const maker = replicaSet ?? workload
  const found = facts
    .happened('Preempted')
    .find((event) => event.name === workload.metadata.name || event.name.startsWith(`${maker.metadata.name}-`))
  if (!found || facts.now - found.at > 10 * 60_000) return undefined
  const uid = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(found.message)?.[0]
  const everywhere = facts.known('v1', 'Pod', 'cluster')
  if (uid !== undefined && !everywhere && !facts.isHidden('v1', 'Pod', 'cluster')) return undefined
  const winner = everywhere?.find(({ metadata }) => metadata.uid === uid)
  const priority = winner && (specOf(winner)['priority'] as number | undefined)
  const own = (waiting && (specOf(waiting)['priority'] as number | undefined)) ?? 0
  return {
    code: 'READY-215',
    severity: 'failure',
    message: `A pod of ${name} had to make room for one of higher priority${winner ? `, of ${makerOf(winner, facts.namespace)} (${priority} against ${own})` : ''}, and no node has room for it now.`,
    hint: 'Lower the requests of either (profiles: `requests`), let both have the same priorityClassName (profiles: `scheduling.priority`), or give the engine more.',
    evidence: [found.message, ...(waiting ? [conditionOf(waiting, 'PodScheduled')?.message ?? ''] : [])],
    since: found.at,
  }
}

const noSandbox = inPods((pod, { name, workload, facts }) => {
  if (containersOf(pod).some(({ containerID, lastState }) => containerID || lastState?.terminated)) return undefined
  const found = facts.warnings(pod).find(({ reason }) => reason === 'FailedCreatePodSandBox')
  if (!found) return undefined
  const handler = /no runtime for "([^"]+)" is configured|RuntimeHandler "([^"]+)" not supported/.exec(found.message)
  const runtime = handler?.[1] ?? handler?.[2]
  const said = found.message.replace(/^Failed to create pod sandbox: /, '').replace(/^rpc error: code = \w+ desc = /, '')
  if (runtime)
    return {
      code: 'READY-216',
      severity: 'failure',
      message: `No pod of ${name} can begin: its node has no runtime ${runtime}, which runtimeClassName ${specOf(pod)['runtimeClassName']} asks for.`,
      hint: `Take runtimeClassName out of ${facts.where(name, podPath(workload, ['runtimeClassName']))} (profiles: \`scheduling.runtime\`), or install that runtime on the node.`,
      evidence: [found.message],
      since: found.from,
    }
  const isNetwork = /network|cni/i.test(found.message)
  return {
    code: 'READY-216',
    severity: facts.hasPassed(found.from, networkBeginsMs) ? 'failure' : 'warning',
    message: `No pod of ${name} can begin: its node cannot make ${isNetwork ? "the pod's network" : 'its sandbox'}.`,
    hint: isNetwork
      ? 'Look at the pods of the network plugin: `kubectl get pods -n kube-system -o wide`; `devkit down` and `devkit up` make the cluster anew.'
      : 'Look at the runtime of the node: `kubectl describe node`; `devkit down` and `devkit up` make the cluster anew.',
    evidence: [said],
    since: found.from,
  }
})

const endedWithNode: Rule = ({ workload, name, pods, facts }) => {
  const ended = pods.find((pod) => {
    const { phase, reason = '' } = statusOf(pod)
    return phase === 'Failed' && /^(?:Terminated|NodeShutdown|Shutdown|NodeLost)$/.test(reason)
  })
  // what has been replaced is over
  if (!ended || (workload.kind !== 'Pod' && pods[0] !== ended)) return undefined
  const since = endOf(ended)
  return {
    code: 'READY-217',
    severity: workload.kind === 'Pod' || facts.hasPassed(since, replacedWithinMs) ? 'failure' : 'warning',
    message: `A pod of ${name} ended with its node ${specOf(ended)['nodeName'] ?? ''}, which is shutting down.`,
    hint: 'Start the node again (`devkit start`); a pod without a Deployment or Job has to be applied again: `devkit up`.',
    evidence: [statusOf(ended).message ?? ''],
    since,
  }
}

/** What the node did to a pod. */
export const nodes: readonly Rule[] = [noAnswer, evicted, endedWithNode, madeRoom, noSandbox]
