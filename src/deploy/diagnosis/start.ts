import { crashes } from './crash.ts'
import { inPods, type Patient, type Rule } from './facts.ts'
import { bornAt, type ContainerStatus, containersOf, lastEnd, timeOf } from './pod.ts'
import { cannotStart, hintsOfStart, type InContainer } from './start-words.ts'
import { saidMissing, saidMissingKey } from './text/missing.ts'
import { startError } from './text/start-error.ts'
import type { Verdict } from './verdict.ts'

/** The kubelet tries again what failed to be created; it may be about to work, in ms. */
const createdAfterMs = 10_000

const notStarted = inPods((pod, patient) => {
  for (const status of containersOf(pod)) {
    const { said, at } = refusedStart(status) ?? {}
    if (said === undefined) continue
    const since = at || bornAt(pod)
    const one: InContainer = { pod, patient, name: status.name }
    const why = startError(said)
    if (why) return { ...cannotStart(one, why), severity: 'failure', evidence: [said], since }
    if (patient.facts.hasPassed(since, createdAfterMs)) return notCreated(patient, status, said, since)
  }
  return undefined
})

/** What the runtime says of a container that it could not start, also while the kubelet waits until it tries again. */
function refusedStart(status: ContainerStatus): { readonly said: string; readonly at: number } | undefined {
  const { waiting, running } = status.state ?? {}
  if (running) return undefined
  const end = lastEnd(status)
  const isRefused = end !== undefined && /^(?:StartError|ContainerCannotRun)$/.test(end.reason ?? '')
  if (isRefused && end.message) return { said: end.message, at: timeOf(end.finishedAt) }
  const isWaiting = /^(?:CreateContainerError|RunContainerError)$/.test(waiting?.reason ?? '')
  return isWaiting ? { said: waiting?.message ?? '', at: 0 } : undefined
}

function notCreated({ name, facts }: Patient, { name: container }: ContainerStatus, said: string, since: number): Verdict {
  return {
    code: 'READY-106',
    severity: 'failure',
    message: `The container ${container} of ${name} cannot be created: ${said.replace(/\.$/, '')}.`,
    hint: `Correct ${facts.where(name)}.`,
    since,
  }
}

/** The smallest limits leave the runtime itself no room: not even the pod's sandbox comes to life. */
const noRoomToStart = inPods((pod, patient) => {
  const found = patient.facts
    .warnings(pod)
    .find(({ reason, message }) => reason === 'FailedCreatePodSandBox' && startError(message)?.reason === 'no-memory')
  const first = containersOf(pod)[0]
  if (!found || !first || first.containerID) return undefined
  return {
    ...cannotStart({ pod, patient, name: first.name }, { reason: 'no-memory' }),
    severity: 'failure',
    evidence: [found.message],
    since: found.from,
  }
})

/** What keeps the kubelet from making a container may pass, such as a cache that is not yet filled, in ms. */
const configuredAfterMs = 10_000

const notConfigured = inPods((pod, patient) => {
  for (const status of containersOf(pod)) {
    const { reason, message = '' } = status.state?.waiting ?? {}
    const isTold = isAboutRoot(message) || saidMissing(message) || saidMissingKey(message)
    if (reason !== 'CreateContainerConfigError' || isTold || !patient.facts.hasPassed(bornAt(pod), configuredAfterMs)) continue
    return notCreated(patient, status, message, bornAt(pod))
  }
  return undefined
})

const asRoot = inPods((pod, patient) => {
  for (const { name, state } of containersOf(pod)) {
    const { reason, message = '' } = state?.waiting ?? {}
    if (reason !== 'CreateContainerConfigError' || !isAboutRoot(message)) continue
    const one: InContainer = { pod, patient, name }
    return {
      code: 'READY-128',
      severity: 'failure',
      message: `The container ${name} of ${patient.name} cannot start: it has to run as non-root, and ${whoInstead(message)}.`,
      hint: hintsOfStart.nonRoot(one),
      evidence: [message],
      since: bornAt(pod),
    }
  }
  return undefined
})

/** Whether the kubelet refuses a container by `runAsNonRoot`. */
export function isAboutRoot(message: string): boolean {
  return /runAsNonRoot|non-root policy/.test(message)
}

function whoInstead(message: string): string {
  if (/breaks non-root policy/.test(message)) return 'its `runAsUser` is 0'
  const user = /non-numeric user \(([^)]*)\)/.exec(message)?.[1]
  return user === undefined ? 'its image runs as root' : `its image names its user without a number (${user})`
}

/** Why a container does not start, or does not keep running. */
export const start: readonly Rule[] = [noRoomToStart, asRoot, notConfigured, notStarted, ...crashes]
