import { DevkitError, type ProblemCode, unreachable } from '../../lib/errors.ts'
import type { KubeObject } from '../../lib/objects.ts'

/** Why a workload is not ready and will not be by waiting. A variant holds what its message needs and nothing else. */
export type NotReady =
  | { readonly reason: 'crash-loop'; readonly pod: string; readonly container: string; readonly exitCode: number }
  | { readonly reason: 'image'; readonly pod: string; readonly container: string; readonly image: string; readonly said: string }
  | { readonly reason: 'not-created'; readonly pod: string; readonly container: string; readonly said: string }
  | { readonly reason: 'unschedulable'; readonly pod: string; readonly said: string }
  | {
      readonly reason: 'job-failed'
      readonly pod: string | undefined
      readonly container: string | undefined
      readonly said: string
    }
  | {
      readonly reason: 'too-slow'
      readonly pod: string | undefined
      readonly container: string | undefined
      readonly said: string
    }

interface ContainerStatus {
  readonly name: string
  readonly image: string
  readonly ready: boolean
  readonly restartCount: number
  readonly containerID?: string
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string }
    readonly terminated?: { readonly exitCode: number }
    readonly running?: object
  }
  readonly lastState?: { readonly terminated?: { readonly exitCode: number } }
}

interface PodStatus {
  readonly phase?: string
  readonly conditions?: readonly Condition[]
  readonly containerStatuses?: readonly ContainerStatus[]
  readonly initContainerStatuses?: readonly ContainerStatus[]
}

export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
}

/** A volume may still be on its way when the scheduler first says no. */
const unschedulableAfterMs = 15_000

/** What keeps a pod from becoming ready for good; undefined while time may mend it. */
export function podTrouble(pod: KubeObject, now: number): NotReady | undefined {
  const status = statusOf(pod)
  const { name } = pod.metadata
  for (const container of [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]) {
    const { reason, message = '' } = container.state?.waiting ?? {}
    const at = { pod: name, container: container.name }
    if (
      reason === 'ImagePullBackOff' ||
      reason === 'ErrImagePull' ||
      reason === 'InvalidImageName' ||
      reason === 'ErrImageNeverPull'
    )
      return { reason: 'image', ...at, image: container.image, said: message }
    if (reason === 'CreateContainerConfigError' || reason === 'CreateContainerError' || reason === 'RunContainerError')
      return { reason: 'not-created', ...at, said: message }
    if (reason === 'CrashLoopBackOff' && container.restartCount >= 2)
      return { reason: 'crash-loop', ...at, exitCode: container.lastState?.terminated?.exitCode ?? -1 }
  }
  const scheduled = status.conditions?.find(({ type }) => type === 'PodScheduled')
  if (scheduled?.reason === 'Unschedulable' && now - Date.parse(scheduled.lastTransitionTime ?? '') > unschedulableAfterMs)
    return { reason: 'unschedulable', pod: name, said: scheduled.message ?? '' }
  return undefined
}

export function statusOf(pod: KubeObject): PodStatus {
  return (pod['status'] ?? {}) as PodStatus
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
        message: `The container ${why.container} of ${workload} ends with ${why.exitCode} again and again.`,
        hint: 'Read its last lines; mend the program or its configuration.',
      }
    case 'image':
      return {
        code: 'READY-104',
        message: `The image ${why.image} of ${workload} cannot be had: ${why.said}`,
        hint: 'Correct the image in the manifest, or give its service a `build`.',
      }
    case 'not-created':
      return {
        code: 'READY-106',
        message: `The container ${why.container} of ${workload} cannot be created: ${why.said}.`,
        hint: 'Add what is missing to the manifests.',
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
        message: `${workload} failed: ${why.said}.`,
        hint: 'Read its last lines; `devkit up` runs it again when its image or manifest changes.',
      }
    case 'too-slow':
      return {
        code: 'READY-102',
        message: `${workload} is not ready in time: ${why.said}.`,
        hint: 'Read its last lines and its probes; `--timeout` waits longer.',
      }
    default:
      return unreachable(why)
  }
}
