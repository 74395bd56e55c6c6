import type { KubeObject } from '../../lib/objects.ts'
import { inPods, type Patient, type Rule } from './facts.ts'
import {
  bornAt,
  type ContainerStatus,
  containersOf,
  isNodeOnItsWay,
  lastEnd,
  specOf,
  specOfContainer,
  type Terminated,
  timeOf,
} from './pod.ts'
import { isKilledByProbe } from './probes.ts'
import { cannotStart, fieldOf, hintsOfStart, type InContainer, memoryOf, mountAt, volumeAt } from './start-words.ts'
import { type LastWords, lastWords } from './text/last-words.ts'
import type { Verdict } from './verdict.ts'

/** So many ends in a row, and time is no longer believed to mend it. */
const endsInRow = 3
/** From so many restarts on nothing else can be what a program waits for. */
const restartsWhateverElse = 4
/** In a younger pod every restart was one of this trouble, seen or not, in ms; in an older one a reboot of the machine may have been. */
const youngMs = 600_000

/** A container that ended. */
export interface Ended {
  readonly pod: KubeObject
  readonly status: ContainerStatus
  readonly end: Terminated
}

const ends = inPods((pod, patient) => {
  // a Job counts its tries itself, and a pod that is to end is asked how it did
  if (patient.workload.kind === 'Job' || specOf(pod)['restartPolicy'] === 'Never') return undefined
  for (const status of containersOf(pod)) {
    const end = lastEnd(status)
    const { isInit } = specOfContainer(pod, status.name)
    if (!end || status.state?.running || (isInit && end.exitCode === 0)) continue
    const ended: Ended = { pod, status, end }
    if (isKilledByProbe(pod, status, patient.facts)) continue
    const verdict = told(ended, patient)
    if (verdict?.code !== 'READY-129' || !mayBeByKubelet(ended)) return verdict
    if (!patient.facts.hasPassed(verdict.since, killToldMs)) continue
    return patient.facts.hasPassed(verdict.since, killToldLateMs) ? verdict : { ...verdict, severity: 'warning' }
  }
  return undefined
})

/** How long the kubelet takes to tell that it killed a container, in ms, and how long on a node that is busy. */
const killToldMs = 10_000
const killToldLateMs = 60_000

/** Whether an end looks like one that the kubelet makes, for a probe or a hook, and may not have told of yet. */
function mayBeByKubelet({ pod, status, end }: Ended): boolean {
  const { spec } = specOfContainer(pod, status.name)
  const { postStart } = (spec?.['lifecycle'] ?? {}) as { readonly postStart?: object }
  const asks = spec?.['livenessProbe'] ?? spec?.['startupProbe'] ?? postStart
  return asks !== undefined && end.reason !== 'OOMKilled' && [137, 143].includes(end.exitCode)
}

/** Why a container that ran does not keep running. */
export const crashes: readonly Rule[] = [ends]

function told(ended: Ended, patient: Patient): Verdict | undefined {
  const { pod, status, end } = ended
  const one: InContainer = { pod, patient, name: status.name }
  const base = {
    severity: 'failure',
    lines: { pod: pod.metadata.name, container: status.name, previous: true },
    since: timeOf(end.finishedAt),
  } as const
  const said = saidBy(ended, patient)
  if (said === 'unread') return undefined
  // what the node is belongs to the advice
  if (said?.reason === 'exec-format' && isNodeOnItsWay(pod, patient.facts, base.since)) return undefined
  if (said && isForGood(said)) return { ...base, ...cannotStart(one, said) }
  const isAgain = byTheRuleOfThree({ ...base, ...crash(one, ended, said, false) }, ended, patient)
  return isAgain.severity === 'failure' ? { ...isAgain, ...crash(one, ended, said, true) } : isAgain
}

/** What the last steps of the runtime say no start can do better. */
function isForGood(said: LastWords): said is Extract<LastWords, { readonly reason: 'exec-format' | 'interpreter-missing' }> {
  return said.reason === 'exec-format' || said.reason === 'interpreter-missing'
}

/** What its program said at the end, by the newest of its ends that says anything; `unread` while nobody knows. */
function saidBy({ pod, status, end }: Ended, { facts }: Patient): LastWords | 'unread' | undefined {
  if (end.reason === 'OOMKilled' || end.exitCode === 0) return undefined
  const tails = facts
    .ends({ pod, container: status.name })
    .filter(({ exitCode }) => exitCode === end.exitCode)
    .map(({ tail }) => tail)
  const found = tails.flatMap((tail) => (tail && lastWords(tail, end.exitCode)) ?? [])[0]
  return found ?? (tails.length > 0 && tails.every((tail) => tail === undefined) ? 'unread' : undefined)
}

/**
 * A program that ends is a warning at first: it may wait for what it needs. It is a failure when it ended three times in the same way while all
 * that it needs was ready; and the others' problem as long as they are not.
 */
export function byTheRuleOfThree(verdict: Verdict, ended: Ended, { workload, facts }: Patient): Verdict {
  const lacking = facts.lacking(workload, [])
  if (lacking.length > 0) return { ...verdict, severity: 'warning', waitsFor: lacking }
  const mayWait = ended.status.restartCount < restartsWhateverElse && facts.isAnythingOnItsWay(workload)
  // how a program ends that the kubelet kills is chance: it may have just begun
  const inRow = endsAlike(ended, facts, verdict.code === 'READY-131')
  return { ...verdict, severity: inRow >= endsInRow && !mayWait ? 'failure' : 'warning' }
}

/** How often in a row a container has ended as it did last, or at all where it `hasNoSay` in how. */
function endsAlike({ pod, status, end }: Ended, facts: Patient['facts'], hasNoSay: boolean): number {
  const seen = facts.ends({ pod, container: status.name })
  // the runtime tells some kills for want of memory as plain ones
  const other = hasNoSay ? -1 : seen.findIndex(({ exitCode }) => exitCode !== end.exitCode)
  if (other >= 0) return other
  const isRecent = !facts.hasPassed(bornAt(pod), youngMs) || pauseOf(status) > 10
  return Math.max(seen.length, isRecent ? status.restartCount + 1 : 1)
}

/** How long the kubelet waits before it starts a container again, in s: 10 after its second end, then twice as long each time. */
function pauseOf({ state }: ContainerStatus): number {
  const [, minutes = '0', seconds = '0'] = /^back-off (?:(\d+)m)?(\d+)s/.exec(state?.waiting?.message ?? '') ?? []
  return Number(minutes) * 60 + Number(seconds)
}

type Said = Pick<Verdict, 'code' | 'message' | 'hint'> & Partial<Pick<Verdict, 'evidence'>>

/** What is said of a container that ended; `isAgain`: of one that does so at every start. */
function crash(one: InContainer, ended: Ended, said: LastWords | undefined, isAgain: boolean): Said {
  const { end } = ended
  const container = `The container ${one.name} of ${one.patient.name}`
  const again = isAgain ? ' again and again' : ''
  const hook = hookFailed(one, ended)
  if (hook) return hook
  if (isOutOfMemory(one, ended)) return outOfMemory(one, again)
  if (said) return byLastWords(one, said, `${container} ${isAgain ? 'ends' : 'ended'} with ${end.exitCode}`)
  if (end.exitCode === 0)
    return {
      code: 'READY-123',
      message: isAgain
        ? `${container} ends with 0${again}, and is to keep running.`
        : `${container} ended with 0, and is to keep running.`,
      hint: `Let its program keep running, or make it a Job if it is to end; it is started by ${fieldOf(one, 'command')}.`,
    }
  const signal = signalOf(end)
  if (signal)
    return {
      code: 'READY-129',
      message: `${container} ${isAgain ? 'is' : 'was'} killed by ${signal}${again} (exit code ${end.exitCode}).`,
      hint: killed(signal, one),
    }
  const isPlain = end.reason === undefined || end.reason === 'Error' || end.reason === 'Completed'
  const how = `${end.exitCode}${isPlain ? '' : ` (${end.reason})`}`
  return {
    code: 'READY-101',
    message: isAgain ? `${container} ends with ${how}${again}.` : `${container} ended with ${how}.`,
    hint: 'Read its last lines; mend the program or its configuration.',
  }
}

/** The kubelet kills a container whose `postStart` fails; what killed it says the event. */
function hookFailed(one: InContainer, { pod, status, end }: Ended): Said | undefined {
  const { lifecycle } = (specOfContainer(pod, status.name).spec ?? {}) as { readonly lifecycle?: { readonly postStart?: object } }
  if (!lifecycle?.postStart) return undefined
  const waiting = status.state?.waiting
  const isTold = waiting?.reason === 'PostStartHookError'
  const warned = one.patient.facts.warnings(pod).find(({ reason }) => reason === 'FailedPostStartHook')
  if (!isTold && !(warned && warned.at >= timeOf(end.startedAt))) return undefined
  const evidence = [isTold ? waiting?.message : warned?.message].flatMap((text) => text ?? [])
  return {
    code: 'READY-131',
    message: `The postStart hook of the container ${one.name} of ${one.patient.name} fails, so the container is killed.`,
    hint: `Correct \`lifecycle.postStart\` in ${fieldOf(one, 'lifecycle', 'postStart')}, or do it before the program in \`command\`.`,
    evidence,
  }
}

function isOutOfMemory({ patient: { facts } }: InContainer, { pod, status, end }: Ended): boolean {
  if (end.reason === 'OOMKilled') return true
  return (
    end.exitCode === 137 &&
    facts.ends({ pod, container: status.name }).some(({ reason, exitCode }) => reason === 'OOMKilled' && exitCode === 137)
  )
}

function outOfMemory(one: InContainer, again: string): Said {
  const limit = memoryOf(one)
  const who = `The container ${one.name} of ${one.patient.name}`
  return {
    code: 'READY-124',
    message: limit
      ? `${who} was killed${again}: it takes more than its memory limit of ${limit}.`
      : `${who} was killed${again}: the node has no memory left for it (OOMKilled).`,
    hint: limit ? hintsOfStart.memory(one) : 'Give the container engine more memory, or let its program take less.',
  }
}

function byLastWords(one: InContainer, said: LastWords, ends: string): Said {
  switch (said.reason) {
    case 'not-found':
      return {
        code: 'READY-120',
        message: `${ends}: there is no program ${said.command} in its image.`,
        hint: hintsOfStart.notFound(one),
      }
    case 'not-executable':
      return {
        code: 'READY-121',
        message: `${ends}: ${said.command} may not be executed.`,
        hint: hintsOfStart.notExecutable(one, said.command),
      }
    case 'library-missing':
      return {
        code: 'READY-127',
        message: `${ends}: the library ${said.library} is not in its image.`,
        hint: 'Install the package that has it in the last stage of its Dockerfile; build on the same system as it runs on.',
      }
    case 'read-only':
      return {
        code: 'READY-125',
        message: `${ends}: it cannot write ${said.path ?? 'a file'}, whose file system is read-only.`,
        hint: readOnlyHint(one, said.path),
      }
    case 'forbidden':
      return {
        code: 'READY-126',
        message: `${ends}: ${userOf(one)} has no right to ${said.what}.`,
        hint: forbiddenHint(one, said.what),
      }
    case 'address-in-use':
      return addressInUse(one, said.port, ends)
    case 'exec-format':
    case 'interpreter-missing':
    case 'working-directory':
    case 'no-memory':
      return cannotStart(one, said)
  }
}

function readOnlyHint(one: InContainer, path: string | undefined): string {
  const mount = path === undefined ? undefined : mountAt(one, path)
  const volume = path === undefined ? undefined : volumeAt(one, path)
  if (volume?.['configMap'] || volume?.['secret'])
    return `Let it write elsewhere: ${mount?.mountPath} is a ${volume['secret'] ? 'Secret' : 'ConfigMap'} (${fieldOf(one, 'volumeMounts')}).`
  if (mount?.readOnly) return `Drop \`readOnly\` of the mount ${mount.mountPath} in ${fieldOf(one, 'volumeMounts')}.`
  return `Mount an \`emptyDir\` there, or drop \`readOnlyRootFilesystem\` in ${fieldOf(one, 'securityContext', 'readOnlyRootFilesystem')}.`
}

function forbiddenHint(one: InContainer, what: string): string {
  if (what.startsWith('port '))
    return `Let it listen on a port above 1023, or change \`runAsUser\` in ${fieldOf(one, 'securityContext')}.`
  const mount = mountAt(one, what)
  return mount
    ? `Set \`fsGroup\` for the volume ${mount.name} in ${fieldOf(one, 'volumeMounts')}, or change \`runAsUser\`.`
    : `Give it to that user in the Dockerfile (\`chown\`), or change \`runAsUser\` in ${fieldOf(one, 'securityContext')}.`
}

/** `user 1000`, as the kubelet tells since 1.31, else as the manifest says. */
function userOf({ pod, name }: InContainer): string {
  const { user } = containersOf(pod).find((one) => one.name === name) ?? {}
  const ofContainer = specOfContainer(pod, name).spec?.['securityContext'] as { readonly runAsUser?: number } | undefined
  const ofPod = specOf(pod)['securityContext'] as { readonly runAsUser?: number } | undefined
  const uid = user?.linux?.uid ?? ofContainer?.runAsUser ?? ofPod?.runAsUser
  return uid === undefined ? 'its user' : `user ${uid}`
}

function addressInUse(one: InContainer, port: number | undefined, ends: string): Said {
  const { containers, initContainers = [], hostNetwork } = specOf(one.pod)
  const other = [...containers, ...initContainers].find(
    ({ name, ports = [] }) => name !== one.name && ports.some(({ containerPort }) => containerPort === port),
  )
  const where = hostNetwork ? 'on the node, whose network it uses' : 'in its pod'
  const rest = hostNetwork ? 'drop `hostNetwork`' : 'start its program only once'
  return {
    code: 'READY-130',
    message: `${ends}: ${port === undefined ? 'the address that it listens on' : `port ${port}`} is in use ${where}.`,
    hint: other
      ? `Let ${one.name} or ${other.name} listen on another port: the containers of a pod share them (${fieldOf(one, 'ports')}).`
      : `Let it listen on another port, or ${rest}.`,
  }
}

/** https://man7.org/linux/man-pages/man7/signal.7.html: a shell tells 128 + the number. */
const signals: Readonly<Record<number, string>> = {
  4: 'SIGILL',
  5: 'SIGTRAP',
  6: 'SIGABRT',
  7: 'SIGBUS',
  8: 'SIGFPE',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  15: 'SIGTERM',
  31: 'SIGSYS',
}

function signalOf({ exitCode, signal }: Terminated): string | undefined {
  return signals[signal || exitCode - 128]
}

function killed(signal: string, one: InContainer): string {
  const limit = memoryOf(one)
  switch (signal) {
    case 'SIGKILL':
      // the runtime tells some kills for want of memory as plain ones
      if (limit)
        return `${hintsOfStart.memory(one)} Where it stays below ${limit}, find who kills it: its own script, a supervisor.`
      return 'Find who sends it: its own script, a supervisor, the node when it runs out of memory (`kubectl describe node`).'
    case 'SIGTERM':
      return 'Find who sends it: its own script, a supervisor, the node when it runs out of memory (`kubectl describe node`).'
    case 'SIGSYS':
      return 'Allow the system call: set `seccompProfile` in its `securityContext`.'
    case 'SIGILL':
      return 'Build its program for the processor of the node.'
    default:
      return 'Read its last lines: the program or a library crashes; a library for another C library or processor does so at once.'
  }
}
