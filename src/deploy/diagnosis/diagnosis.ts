import { DevkitError, type ProblemCode, unreachable } from '../../lib/errors.ts'
import type { KubeObject } from '../../lib/objects.ts'

/** Why a workload is not ready and will not be by waiting. A variant holds what its message needs and nothing else. */
export type NotReady =
  | {
      readonly reason: 'crash-loop'
      readonly pod: string
      readonly container: string
      readonly exitCode: number
      /** What the kubelet adds to the exit code, such as OOMKilled. */
      readonly because: string | undefined
      readonly restarts: number
    }
  | { readonly reason: 'image'; readonly pod: string; readonly container: string; readonly image: string; readonly said: string }
  | { readonly reason: 'not-created'; readonly pod: string; readonly container: string; readonly said: string }
  | { readonly reason: 'not-mounted'; readonly pod: string; readonly said: string }
  | { readonly reason: 'no-pod'; readonly pod: undefined; readonly said: string }
  | { readonly reason: 'unschedulable'; readonly pod: string; readonly said: string }
  | {
      readonly reason: 'job-failed'
      readonly pod: string | undefined
      readonly container: string | undefined
      readonly exitCode: number | undefined
      readonly said: string
    }
  | {
      readonly reason: 'too-slow'
      readonly pod: string | undefined
      readonly container: string | undefined
      readonly said: string
      /** The last thing that Kubernetes complained of, such as a probe. */
      readonly complaint: string | undefined
    }

interface Terminated {
  readonly exitCode: number
  readonly reason?: string
  readonly finishedAt?: string
}

/** A container's part of a pod's status, as far as devkit reads it. */
export interface ContainerStatus {
  readonly name: string
  readonly image: string
  readonly ready: boolean
  readonly restartCount: number
  readonly containerID?: string
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string }
    readonly terminated?: Terminated
    readonly running?: { readonly startedAt?: string }
  }
  readonly lastState?: { readonly terminated?: Terminated }
}

interface PodStatus {
  readonly phase?: string
  readonly conditions?: readonly Condition[]
  readonly containerStatuses?: readonly ContainerStatus[]
  readonly initContainerStatuses?: readonly ContainerStatus[]
}

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

/** A volume may still be on its way when the scheduler first says no, in ms. */
const unschedulableAfterMs = 15_000
/** What is referred to may be made by a controller a moment later, in ms. */
export const missingAfterMs = 10_000
/** How long a registry that does not answer is given, in ms. */
const pullingForMs = 60_000
/** Crashes in a row until time is no longer believed to mend it. */
const restartsInRow = 2

/** A pull that a later one can't do better. Everything else (time-outs, 5xx, too many requests) may pass. */
const pullForGood =
  /not found|manifest unknown|name unknown|does not exist|pull access denied|denied:|unauthorized|authorization failed|no such host|invalid reference/i

/** What keeps a pod from becoming ready for good; undefined while time may mend it. `now` in ms since the epoch. */
export function podTrouble(pod: KubeObject, now: number): NotReady | undefined {
  const status = statusOf(pod)
  const { name } = pod.metadata
  const ageMs = now - Date.parse(pod.metadata.creationTimestamp ?? '')
  for (const container of containersOf(pod)) {
    const { reason, message = '' } = container.state?.waiting ?? {}
    const at = { pod: name, container: container.name }
    if (reason === 'InvalidImageName' || reason === 'ErrImageNeverPull')
      return { reason: 'image', ...at, image: container.image, said: withoutPrefixes(message || reason) }
    if ((reason === 'ErrImagePull' || reason === 'ImagePullBackOff') && (pullForGood.test(message) || ageMs > pullingForMs))
      return { reason: 'image', ...at, image: container.image, said: withoutPrefixes(message) }
    if (/^(CreateContainerConfigError|CreateContainerError|RunContainerError)$/.test(reason ?? '') && ageMs > missingAfterMs)
      return { reason: 'not-created', ...at, said: withoutPrefixes(message) }
    if (reason === 'CrashLoopBackOff' && container.restartCount >= restartsInRow)
      return { reason: 'crash-loop', ...at, ...lastExit(container), restarts: container.restartCount }
  }
  const scheduled = status.conditions?.find(({ type }) => type === 'PodScheduled')
  if (scheduled?.reason === 'Unschedulable' && now - Date.parse(scheduled.lastTransitionTime ?? '') > unschedulableAfterMs)
    return { reason: 'unschedulable', pod: name, said: scheduled.message ?? '' }
  return undefined
}

/** Statuses of a pod's containers in the order in which they start. */
export function containersOf(pod: KubeObject): readonly ContainerStatus[] {
  const { initContainerStatuses = [], containerStatuses = [] } = statusOf(pod)
  return [...initContainerStatuses, ...containerStatuses]
}

/** How a container's last instance ended. */
export function lastExit({ state, lastState }: ContainerStatus): {
  readonly exitCode: number
  readonly because: string | undefined
} {
  const ended = state?.terminated ?? lastState?.terminated
  const plain = ended?.reason === undefined || ended.reason === 'Error' || ended.reason === 'Completed'
  return { exitCode: ended?.exitCode ?? -1, because: plain ? undefined : ended.reason }
}

export function statusOf(pod: KubeObject): PodStatus {
  return (pod['status'] ?? {}) as PodStatus
}

/** A warning that Kubernetes wrote about an object. */
export interface Warning {
  /** Uid of the object. */
  readonly about: string
  readonly reason: string
  readonly message: string
  /** ms since the epoch. */
  readonly at: number
}

/** What only events tell of: no pod can be made, or a volume refers to what is not there. `pods` are those of the newest rollout. */
export function troubleInWarnings(warnings: readonly Warning[], pods: readonly KubeObject[], now: number): NotReady | undefined {
  const names = new Map(pods.map(({ metadata }) => [metadata.uid, metadata.name]))
  const old = warnings.filter(({ at }) => now - at > 0)
  const failed = old.find(({ reason, about }) => reason === 'FailedCreate' && !names.has(about))
  if (failed && pods.length === 0) return { reason: 'no-pod', pod: undefined, said: withoutPrefixes(failed.message) }
  for (const { about, reason, message } of old) {
    const pod = pods.find(({ metadata }) => metadata.uid === about)
    if (!pod || reason !== 'FailedMount' || !/not found|non-existent/.test(message)) continue
    if (now - Date.parse(pod.metadata.creationTimestamp ?? '') > missingAfterMs)
      return { reason: 'not-mounted', pod: pod.metadata.name, said: message }
  }
  return undefined
}

/** The sentence that matters: containerd and the kubelet put several in front of it. */
function withoutPrefixes(said: string): string {
  return said
    .replace(/^Back-off pulling image "[^"]*": (?:ErrImagePull: )?/, '')
    .replace(/^rpc error: code = \w+ desc = /, '')
    .replace(/^failed to pull and unpack image "[^"]*": /, '')
    .replace(/^failed to resolve (?:reference|image) "[^"]*": /, '')
    .replace(/\.$/, '')
}

/** The problem as it is told. `lastLines` are the container's last lines of output. */
export function problemOf(
  why: NotReady,
  workload: string,
  service: string | undefined,
  lastLines: readonly string[],
): DevkitError {
  const { code, message, hint } = sentence(why, workload)
  return new DevkitError(code, {
    message,
    hint,
    service,
    object: workload,
    ...(lastLines.length > 0 && { detail: lastLines.join('\n') }),
  })
}

function sentence(why: NotReady, workload: string): { code: ProblemCode; message: string; hint: string } {
  switch (why.reason) {
    case 'crash-loop':
      return {
        code: 'READY-101',
        message: `The container ${why.container} of ${workload} ends with ${why.exitCode}${why.because ? ` (${why.because})` : ''} again and again.`,
        hint:
          why.because === 'OOMKilled'
            ? 'Raise its memory limit, or let the program use less.'
            : why.exitCode === 0
              ? 'Its program has to keep running; one that is to end belongs into a Job.'
              : 'Read its last lines; mend the program or its configuration.',
      }
    case 'image':
      return {
        code: 'READY-104',
        message: `The image ${why.image} of ${workload} cannot be had: ${why.said}.`,
        hint: 'Correct the image in the manifest, or give its service a `build`.',
      }
    case 'not-created':
      return {
        code: 'READY-106',
        message: `The container ${why.container} of ${workload} cannot be created: ${why.said}.`,
        hint: 'Add what is missing to the manifests.',
      }
    case 'not-mounted':
      return {
        code: 'READY-106',
        message: `The containers of ${why.pod} of ${workload} cannot be created: ${why.said}.`,
        hint: 'Add what is missing to the manifests.',
      }
    case 'no-pod':
      return {
        code: 'READY-106',
        message: `No pod of ${workload} can be created: ${why.said}.`,
        hint: 'Mend what the API server refuses: a ServiceAccount that is missing, a quota, a policy.',
      }
    case 'unschedulable':
      return {
        code: 'READY-105',
        message: `No node can take ${why.pod} of ${workload}: ${why.said}`,
        hint: 'Lower its requests (profiles: `requests`), or give the engine more CPU and memory.',
      }
    case 'job-failed':
      return {
        code: 'READY-103',
        message: `${workload} failed${why.exitCode === undefined ? '' : ` (its container ended with ${why.exitCode})`}: ${why.said}.`,
        hint: 'Read its last lines; `devkit up` runs it again.',
      }
    case 'too-slow':
      return {
        code: 'READY-102',
        message: `${workload} is not ready in time: ${why.said}.${why.complaint ? ` ${why.complaint}` : ''}`,
        hint: 'Read its last lines and its probes; `--timeout` waits longer.',
      }
    default:
      return unreachable(why)
  }
}
