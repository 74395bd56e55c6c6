import { nearest } from '../../lib/nearest.ts'
import { type Container, type KubeObject, podSpecOf } from '../../lib/objects.ts'
import { type Facts, inPods, type Patient, type Rule } from './facts.ts'
import { type ContainerStatus, conditionOf, containersOf, lastEnd, specOf, specOfContainer, timeOf } from './pod.ts'
import { missingPort, type Probe, type ProbeKind, portOf, portsOfOthers, probeOf } from './probe.ts'
import { type Answer, type Failed, failedProbe, killedBy } from './text/probe.ts'
import type { Verdict } from './verdict.ts'

/** Where programs listen that were told of another port than the one that is asked, or of none. */
const usualPorts = [80, 443, 3000, 4000, 5000, 8000, 8080, 8443]
/** Most programs listen by then, and nobody needs to look where, in ms. */
const startsForMs = 2000
/** So many kills, and time is no longer believed to mend it. */
const killsInRow = 3
/** From so many restarts on nothing else can be what a program waits for. */
const restartsWhateverElse = 4
/** A readiness gate that nobody has set for so long is set by nobody, in ms. */
const unsetAfterMs = 30_000

/** A probe that fails now. */
interface Failing extends Failed {
  readonly pod: KubeObject
  readonly container: ContainerStatus
  readonly spec: Container | undefined
  readonly of: Probe
  /** Since when nothing but this answer came, in ms since the epoch. */
  readonly since: number
}

/** A container that the kubelet ends, for its liveness probe or for its startup probe. */
const kills = inPods((pod, patient) => {
  for (const container of containersOf(pod)) {
    const verdict = killOf(pod, container, patient)
    if (verdict) return verdict
  }
  return undefined
})

function killOf(pod: KubeObject, container: ContainerStatus, patient: Patient): Verdict | undefined {
  const { facts, workload } = patient
  const [last, ...others] = killsOf(pod, container, facts)
  const { spec } = specOfContainer(pod, container.name)
  const of = last && probeOf(spec, last.by)
  if (!last || !of) return undefined
  const answer = failuresOf(pod, container, of, facts)[0]
  if (isPast(container, of, answer?.at ?? 0, facts)) return undefined
  const count = Math.max(last.count + others.reduce((sum, one) => sum + one.count, 0), 1)
  const what: Failing = {
    ...{ pod, container, spec, of, since: last.from, probe: of.kind },
    ...{ answer: answer?.answer ?? { is: 'unknown' }, said: answer?.said ?? '' },
  }
  const verdict: Verdict = {
    ...saidOfKill(what, patient),
    severity: 'failure',
    evidence: [
      ...(answer ? [`${nameOf(of.kind)} failed: ${answer.said}`] : []),
      `killed ${count === 1 ? 'once' : `${count} times`}: Container ${container.name} failed ${last.by} probe`,
    ],
    lines: { pod: pod.metadata.name, container: container.name, previous: true },
    since: last.from,
  }
  const lacking = facts.lacking(workload, [])
  if (lacking.length > 0) return { ...verdict, severity: 'warning', waitsFor: lacking }
  const mayWait = container.restartCount < restartsWhateverElse && facts.isAnythingOnItsWay(workload)
  return { ...verdict, severity: count >= killsInRow && !mayWait ? 'failure' : 'warning' }
}

/** Kills of a container by its probes, newest first. */
function killsOf(pod: KubeObject, { name, restartCount }: ContainerStatus, facts: Facts) {
  const mayBe = restartCount > 0 || isUnhealthy(pod, name, facts)
  if (!mayBe) return []
  return facts
    .kills(pod)
    .filter(({ container }) => container === name)
    .flatMap((kill) => {
      const by = killedBy(kill.message)
      return by ? [{ ...kill, by }] : []
    })
}

function isUnhealthy(pod: KubeObject, name: string, facts: Facts): boolean {
  return facts
    .warnings(pod)
    .some(
      ({ reason, container, message }) =>
        reason === 'Unhealthy' && container === name && /(Liveness|Startup) probe/.test(message),
    )
}

/** Whether the instance that runs now has passed the probe that the one before was killed for. */
function isPast({ started, state }: ContainerStatus, of: Probe, failedAt: number, facts: Facts): boolean {
  if (!state?.running) return false
  if (of.kind === 'startup') return started === true
  const startedAt = timeOf(state.running.startedAt)
  return failedAt < startedAt && facts.hasPassed(startedAt, of.delayMs + of.periodMs * (of.failureThreshold + 1))
}

/**
 * Whether the kubelet ended the last instance of a container for a probe of it, so that its exit code says nothing. The kubelet may drop an event, or
 * tell late of one: then the signals that it ends with and a probe that failed are believed.
 */
export function isKilledByProbe(pod: KubeObject, status: ContainerStatus, facts: Facts): boolean {
  const end = lastEnd(status)
  if (!end || end.reason === 'OOMKilled') return false
  const kills = killsOf(pod, status, facts)
  // the API tells whole seconds
  if (kills.some(({ at }) => at >= timeOf(end.startedAt) && at <= timeOf(end.finishedAt) + 1000)) return true
  return [137, 143].includes(end.exitCode) && (kills.length > 0 || isUnhealthy(pod, status.name, facts))
}

function saidOfKill(failing: Failing, patient: Patient): Pick<Verdict, 'code' | 'message' | 'hint'> {
  const { of, container, answer } = failing
  const where = placeOf(failing, patient)
  const who = `the container ${container.name} of ${patient.name}`
  const allows = `failureThreshold ${of.failureThreshold} × periodSeconds ${of.periodMs / 1000}`
  if (of.kind === 'startup') {
    const seconds = (of.delayMs + of.periodMs * of.failureThreshold) / 1000
    if (!mayMend(answer)) return said(failing, patient)
    return {
      code: 'READY-146',
      message: `The startup probe of ${who} gives its program ${seconds} s (${allows}), then the kubelet kills it: ${outcome(failing)}.`,
      hint: `Raise failureThreshold in ${where} if it is only slow to start; else correct what the probe asks.`,
    }
  }
  return {
    code: 'READY-140',
    message: `The kubelet kills ${who}, since its liveness probe fails (${allows}): ${outcome(failing)}.`,
    hint: `Correct the liveness probe in ${where}; a program that starts slowly needs a startupProbe, one that is busy a longer timeoutSeconds.`,
  }
}

/** A readiness or startup probe that asks a port by a name that the container does not have: the kubelet can't ask, so it never passes. */
const missingPorts = inPods((pod, patient) => {
  for (const container of containersOf(pod)) {
    const { spec } = specOfContainer(pod, container.name)
    if (!container.state?.running || container.ready) continue
    for (const kind of ['startup', 'readiness'] as const) {
      const of = probeOf(spec, kind)
      const name = of && missingPort(of, spec)
      if (!of || name === undefined) continue
      const where = placeOf({ of, container }, patient)
      const known = (spec?.ports ?? []).flatMap((port) => port.name ?? [])
      const better = nearest(name, known)
      return {
        code: 'READY-147',
        severity: 'failure',
        message: `The ${nameOf(kind).toLowerCase()} of the container ${container.name} of ${patient.name} asks the port ${name}, which the container does not have.`,
        hint: better
          ? `Write ${better} into ${where}, or name the port of the container ${name}.`
          : `Name a port of the container ${name}, or write its number into ${where}.`,
        evidence: failuresOf(pod, container, of, patient.facts)
          .slice(0, 1)
          .map((failed) => `${nameOf(kind)} errored: ${failed.said}`),
        since: timeOf(container.state.running.startedAt),
      }
    }
  }
  return undefined
})

/** A container that runs and does not count as ready, since its probe fails. */
const unready = inPods((pod, patient) => {
  for (const container of containersOf(pod)) {
    const failing = failingNow(pod, container, patient.facts)
    if (failing) return toldOf(failing, patient)
  }
  return undefined
})

function failingNow(pod: KubeObject, container: ContainerStatus, facts: Facts): Failing | undefined {
  const { spec, isInit } = specOfContainer(pod, container.name)
  const startedAt = timeOf(container.state?.running?.startedAt)
  if (isInit || startedAt === 0 || container.ready) return undefined
  const kind = probeOf(spec, 'startup') && container.started !== true ? 'startup' : 'readiness'
  const of = probeOf(spec, kind)
  const failures = of ? failuresOf(pod, container, of, facts).filter(({ at }) => at >= startedAt) : []
  const [last] = failures
  if (!of || !last) return undefined
  const firsts = failures.filter(({ answer }) => isSame(answer, last.answer)).map(({ from }) => from)
  const others = failures.filter(({ answer }) => !isSame(answer, last.answer)).map(({ at }) => at)
  // one that was ready meanwhile began to fail again later
  const unreadySince = timeOf(conditionOf(pod, 'ContainersReady')?.lastTransitionTime)
  return { ...last, pod, container, spec, of, since: Math.max(startedAt, unreadySince, Math.min(...firsts), ...others) }
}

/** What is known of a probe that failed, newest first. */
function failuresOf(pod: KubeObject, { name }: ContainerStatus, of: Probe, facts: Facts) {
  return facts
    .warnings(pod)
    .filter(({ reason, container }) => reason === 'Unhealthy' && container === name)
    .flatMap((warning) => {
      const failed = failedProbe(warning.message, of.asked)
      return failed?.probe === of.kind ? [{ ...warning, ...failed }] : []
    })
}

function isSame(one: Answer, other: Answer): boolean {
  return one.is === other.is && (one.is !== 'status' || one.status === (other as typeof one).status)
}

function toldOf(failing: Failing, patient: Patient): Verdict | undefined {
  const { of, pod, container, answer, since } = failing
  const { facts, workload } = patient
  // that is what a startup probe is for
  if (of.kind === 'startup' && mayMend(answer)) return undefined
  const elsewhere = answer.is === 'refused' ? listensElsewhere(failing, facts) : undefined
  const verdict: Verdict = {
    ...said(failing, patient, elsewhere),
    severity: 'warning',
    evidence: [`${nameOf(of.kind)} failed: ${failing.said}`.replace(/: $/, '')],
    lines: { pod: pod.metadata.name, container: container.name },
    since,
  }
  // its kubelet gives it up after its failureThreshold
  if (of.kind === 'startup') return verdict
  const isSure = !mayMend(answer) || elsewhere?.isSure === true
  const lacking = isSure ? [] : facts.lacking(workload, [])
  if (lacking.length > 0) return { ...verdict, waitsFor: lacking }
  const patience = elsewhere?.isSure ? triesOf(of, 3, 5000) : elsewhere ? triesOf(of, 10, 30_000) : patienceMs(answer, of)
  const isOver = patience !== undefined && facts.hasPassed(since, patience) && (isSure || !facts.isAnythingOnItsWay(workload))
  // every program takes a while before it answers well
  if (!isOver && !isSure && !facts.hasPassed(since, startsWithinMs)) return undefined
  return { ...verdict, severity: isOver || isPastDeadline(workload) ? 'failure' : 'warning' }
}

/** So long it is nothing to speak of that a program does not answer well yet, in ms. */
const startsWithinMs = 10_000

/** Whether the program may answer in another way later, though nobody changes anything. */
function mayMend(answer: Answer): boolean {
  if (answer.is === 'status') return answer.status >= 500 || [408, 425, 429].includes(answer.status)
  return !['plain', 'tls', 'foreign', 'no such port', 'no command'].includes(answer.is)
}

/** How long the same answer is borne, in ms; undefined when a program that starts slowly may give it for any time. */
function patienceMs(answer: Answer, of: Probe): number | undefined {
  switch (answer.is) {
    case 'plain':
    case 'tls':
    case 'no such port':
    case 'no command':
      return triesOf(of, 2, 2000)
    case 'foreign':
      return triesOf(of, 3, 10_000)
    case 'status':
      if (!mayMend(answer)) return triesOf(of, 3, 10_000)
      // these say of themselves that they are for a while
      return [408, 425, 429, 502, 503, 504].includes(answer.status) ? undefined : triesOf(of, 10, 30_000)
    case 'cut':
      return triesOf(of, 10, 30_000)
    case 'timeout':
    case 'unreachable':
      return triesOf(of, 10, 60_000)
    default:
      return undefined
  }
}

function triesOf({ periodMs }: Probe, tries: number, atLeastMs: number): number {
  return Math.max(atLeastMs, (tries - 1) * periodMs)
}

/** Who wrote the Deployment said how long it may take; nobody else has to be patient. */
function isPastDeadline(workload: KubeObject): boolean {
  const progressing = conditionOf(workload, 'Progressing')
  return workload.kind === 'Deployment' && progressing?.status === 'False' && progressing.reason === 'ProgressDeadlineExceeded'
}

/**
 * Where the program listens whose probe is refused. Only inside: entrypoints of databases do that for a while, to set them up.
 * `isSure`: it will not come to the port that is asked, which the container does not say to be one of its own.
 */
type Elsewhere = { readonly isSure: boolean } & ({ readonly only: 'inside' } | { readonly only: 'port'; readonly port: number })

/** Undefined where nobody knows. */
function listensElsewhere({ pod, container, spec, of, since }: Failing, facts: Facts): Elsewhere | undefined {
  const asked = portOf(of, spec)
  if (asked === undefined || of.asked === 'grpc' || specOf(pod)['hostNetwork'] === true) return undefined
  if (!facts.hasPassed(since, startsForMs)) return undefined
  const declared = (spec?.ports ?? []).map(({ containerPort }) => containerPort)
  const foreign = portsOfOthers(pod, container.name)
  // what nobody declares may be another container's
  const usual = declared.length === 0 && specOf(pod).containers.length === 1 ? usualPorts : []
  const candidates = [asked, ...declared, ...usual].filter((port) => !foreign.includes(port))
  const open = facts.openPorts(pod, [...new Set(candidates)])
  if (open?.includes(asked)) return { only: 'inside', isSure: false }
  const port = open?.[0]
  // it may serve its metrics first, and what is asked once it is ready
  if (port === undefined || declared.includes(asked)) return undefined
  return { only: 'port', port, isSure: declared.includes(port) }
}

function said(failing: Failing, patient: Patient, elsewhere?: Elsewhere): Pick<Verdict, 'code' | 'message' | 'hint'> {
  const { answer, of, spec, container } = failing
  const where = placeOf(failing, patient)
  const port = portOf(of, spec)
  const message = `The ${nameOf(of.kind).toLowerCase()} of the container ${container.name} of ${patient.name} fails: ${outcome(failing, elsewhere)}.`
  switch (answer.is) {
    case 'refused':
    case 'unreachable':
      return {
        code: 'READY-141',
        message,
        hint:
          elsewhere?.only === 'inside'
            ? `Let the program listen at 0.0.0.0 instead of 127.0.0.1; the probe is in ${where}.`
            : elsewhere
              ? `Write port ${elsewhere.port} into ${where}, or let the program listen on ${port}.`
              : `Read its last lines: it may still be starting. Else correct the port in ${where}, or the one that the program listens on.`,
      }
    case 'status':
      if (answer.status === 404)
        return { code: 'READY-142', message, hint: `Correct the path in ${where}, or let the program answer ${of.path}.` }
      return {
        code: 'READY-143',
        message,
        hint: mayMend(answer)
          ? `Read its last lines: the program itself says that it is not ready. The probe is in ${where}.`
          : answer.status === 400
            ? `Write \`scheme: HTTPS\` into ${where} if the program speaks TLS there; else correct what it asks.`
            : `Let the program answer ${of.path} to everybody, or correct ${where}.`,
      }
    case 'timeout':
      return {
        code: 'READY-144',
        message,
        hint: `Let the program answer sooner, or raise timeoutSeconds (${of.timeoutSeconds}) in ${where}.`,
      }
    case 'plain':
      return { code: 'READY-145', message, hint: `Write \`scheme: HTTP\` into ${where}, or let the program speak TLS.` }
    case 'tls':
    case 'cut':
    case 'foreign':
      return {
        code: 'READY-145',
        message,
        hint:
          of.asked === 'httpGet' && of.scheme === 'HTTP'
            ? `Write \`scheme: HTTPS\` into ${where} if the program speaks TLS there; else correct the port.`
            : `Correct the port in ${where}, or ask in the way that the program speaks.`,
      }
    case 'no such port':
      return { code: 'READY-147', message, hint: `Correct the port in ${where}.` }
    case 'no command':
      return { code: 'READY-148', message, hint: `Put the command into the image, or ask in another way in ${where}.` }
    default:
      return {
        code: 'READY-148',
        message,
        hint: `Read its last lines: the program may not be ready yet. Else correct ${where}.`,
      }
  }
}

/** What came of a probe, as the end of a sentence. */
function outcome({ answer, of, spec }: Failing, elsewhere?: Elsewhere): string {
  const port = portOf(of, spec) ?? of.port
  const what = of.asked === 'httpGet' ? `${of.path} on port ${port}` : of.asked === 'exec' ? shown(of) : `port ${port}`
  switch (answer.is) {
    case 'refused':
      if (elsewhere?.only === 'inside')
        return `its program listens on port ${port} only at 127.0.0.1, where nobody outside reaches it`
      if (elsewhere) return `nothing listens on port ${port}, its program listens on ${elsewhere.port}`
      return of.asked === 'grpc' ? `nobody speaks gRPC on port ${port}` : `nothing listens on port ${port}`
    case 'unreachable':
      return `${what} cannot be reached`
    case 'timeout':
      return `${of.asked === 'exec' ? `the command ${what} does not end` : `${what} gives no answer`} within ${of.timeoutSeconds} s`
    case 'status':
      return `${what} answers ${answer.status}`
    case 'plain':
      return `${what} is asked by HTTPS and speaks HTTP`
    case 'tls':
      return `${what} is asked by HTTP and speaks TLS`
    case 'cut':
      return `${what} closes the connection without an answer, as what speaks ${of.scheme === 'HTTP' ? 'TLS' : 'no TLS'} does`
    case 'foreign':
      return of.asked === 'grpc' ? `${what} has no gRPC health service` : `${what} does not speak ${of.scheme}`
    case 'no such port':
      return `the container has no port ${of.port}`
    case 'not serving':
      return `${what} says that it does not serve`
    case 'no command':
      return `its command ${shown(of)} is not in the image`
    case 'exited':
      return `its command ${shown(of)} ends with an error${answer.output === '' ? '' : ` (${answer.output.replace(/\.$/, '')})`}`
    case 'unknown':
      return of.asked === 'exec' ? `its command ${shown(of)} fails` : `${what} does not answer as it should`
    default:
      return answer satisfies never
  }
}

/** The first words of a command: a script may be long. */
function shown({ command }: Probe): string {
  const words = command.join(' ').replace(/\s+/g, ' ')
  return words.length > 80 ? `${words.slice(0, 79)}…` : words
}

function nameOf(kind: ProbeKind): string {
  return `${kind[0]?.toUpperCase()}${kind.slice(1)} probe`
}

/** Where the probe is written. */
function placeOf({ of, container }: Pick<Failing, 'of' | 'container'>, { workload, name, facts }: Patient): string {
  const spec = podSpecOf(workload)
  const way = workload.kind === 'Pod' ? ['spec'] : ['spec', 'template', 'spec']
  for (const list of ['containers', 'initContainers'] as const) {
    const index = (spec?.[list] ?? []).findIndex((one) => one.name === container.name)
    if (index >= 0) return facts.where(name, [...way, list, index, `${of.kind}Probe`])
  }
  return facts.where(name)
}

/** All containers are ready, and somebody is to say so of the pod. */
const gates = inPods((pod, { name, workload, facts }) => {
  const containers = conditionOf(pod, 'ContainersReady')
  const wanted = (specOf(pod)['readinessGates'] ?? []) as readonly { readonly conditionType: string }[]
  if (containers?.status !== 'True') return undefined
  const unmet = wanted.map(({ conditionType }) => conditionType).find((type) => conditionOf(pod, type)?.status !== 'True')
  if (unmet === undefined) return undefined
  const condition = conditionOf(pod, unmet)
  const since = timeOf(containers.lastTransitionTime)
  const way = workload.kind === 'Pod' ? ['spec'] : ['spec', 'template', 'spec']
  const where = facts.where(name, [...way, 'readinessGates'])
  const why = condition?.message || condition?.reason
  const isOver = condition === undefined && facts.hasPassed(since, unsetAfterMs) && !facts.isAnythingOnItsWay(workload)
  return {
    code: 'READY-149',
    severity: isOver ? 'failure' : 'warning',
    message: condition
      ? `The pods of ${name} wait for their readiness gate ${unmet}, which is ${condition.status}${why ? ` (${why.replace(/\.$/, '')})` : ''}.`
      : `The pods of ${name} wait for their readiness gate ${unmet}, which nobody sets.`,
    hint: `Install the controller that sets it, or drop readinessGates in ${where}.`,
    evidence: [conditionOf(pod, 'Ready')?.message ?? ''].filter((line) => line !== ''),
    since,
  }
})

/** What the kubelet ends for a probe: its exit code says nothing. */
export const probeKills: readonly Rule[] = [kills]

/** Why a program that runs does not count as ready. */
export const probes: readonly Rule[] = [missingPorts, unready, gates]
