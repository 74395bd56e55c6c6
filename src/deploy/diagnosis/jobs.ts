import type { KubeObject } from '../../lib/objects.ts'
import type { End, Patient, Rule } from './facts.ts'
import { type Condition, conditionOf, initsOf, seconds, statusOf, timeOf } from './pod.ts'
import type { Verdict } from './verdict.ts'

/** Tries of a Job until time is no longer believed to mend it. */
const triesOfJob = 3
/** A run is longer than usual when it takes so many times the longest one … */
const timesUsual = 3
/** … and so much longer, in ms: who is done in a blink may take three. */
const longerByMs = 10_000
/** How soon the end of a pod is told that its Job has already counted, in ms … */
const podsToldWithinMs = 5000
/** … and where a pod is known whose end is then still to be told: whoever is so far behind has much to do. In ms. */
const endToldWithinMs = 30_000
/** Runs of a CronJob that failed in a row, until the next one is no longer believed to do better. */
const runsInRow = 2

/** The controller says what it is about to do some time before it is done with it, since Kubernetes 1.31. */
function failureOf(job: KubeObject): Condition | undefined {
  return ['Failed', 'FailureTarget'].map((type) => conditionOf(job, type)).find((one) => one?.status === 'True')
}

const gaveUp: Rule = (patient) => {
  const { workload, name, facts } = patient
  const failed = failureOf(workload)
  if (workload.kind !== 'Job' || !failed) return undefined
  const { reason, message = '', lastTransitionTime } = failed
  const since = timeOf(lastTransitionTime)
  const ended = lastFailure(patient)
  if (!ended && reason !== 'DeadlineExceeded' && arePodsBehind(patient, since)) return undefined
  const shared = { severity: 'failure', ...(message && { evidence: [message] }), ...linesOf(ended), since } as const
  const spec = specOfJob(workload)
  const container = ended ? ended.words : 'its pod failed'
  switch (reason) {
    case 'BackoffLimitExceeded':
      return {
        ...shared,
        code: 'READY-200',
        message: `${name} failed as often as it may (backoffLimit ${spec.backoffLimit ?? 6}): ${container}.`,
        hint: 'Mend what its last lines name; `devkit up` runs it again.',
      }
    case 'FailedIndexes':
    case 'MaxFailedIndexesExceeded': {
      const { failedIndexes = '' } = (workload['status'] ?? {}) as { readonly failedIndexes?: string }
      return {
        ...shared,
        code: 'READY-200',
        message: `${name} failed at its index${/[,-]/.test(failedIndexes) ? 'es' : ''} ${failedIndexes}: ${container}.`,
        hint: 'Mend what its last lines name; `devkit up` runs it again.',
      }
    }
    case 'DeadlineExceeded':
      return {
        ...shared,
        code: 'READY-201',
        message: `${name} was ended: it ran longer than its activeDeadlineSeconds of ${spec.activeDeadlineSeconds}.`,
        hint: `Read its last lines for what it waits for, or raise activeDeadlineSeconds in ${facts.where(name, ['spec', 'activeDeadlineSeconds'])} if its work only takes longer.`,
      }
    case 'PodFailurePolicy':
      return {
        ...shared,
        code: 'READY-207',
        message: `${name} was ended by its podFailurePolicy: ${container}.`,
        hint: `Mend what its last lines name, or correct podFailurePolicy in ${facts.where(name, ['spec', 'podFailurePolicy'])}; \`devkit up\` runs it again.`,
      }
    default:
      return { ...jobFailed(patient, message || reason || 'it failed', since), since }
  }
}

interface JobSpec {
  readonly backoffLimit?: number
  readonly activeDeadlineSeconds?: number
  readonly completions?: number
}

function specOfJob(job: KubeObject): JobSpec {
  return (job['spec'] ?? {}) as JobSpec
}

function failuresOf(job: KubeObject): number {
  const { failed = 0 } = (job['status'] ?? {}) as { readonly failed?: number }
  return failed
}

/** How a container of a Job failed last, in words. */
function lastFailure({
  workload,
  pods,
  facts,
}: Pick<Patient, 'workload' | 'pods' | 'facts'>): (End & { readonly words: string }) | undefined {
  const end = facts.ends({ workload }).find(({ exitCode }) => exitCode !== 0)
  if (!end) return undefined
  const inits = initNamesOf(pods.find(({ metadata }) => metadata.name === end.pod) ?? workload)
  const index = inits.indexOf(end.container)
  const which = index < 0 ? `container ${end.container}` : `init container ${end.container} (${index + 1} of ${inits.length})`
  const isPlain = end.reason === undefined || end.reason === 'Error'
  return { ...end, words: `its ${which} ended with ${end.exitCode}${isPlain ? '' : ` (${end.reason})`}` }
}

/** Whether what a Job's watch tells is ahead of what that of its pods does. `since`: when the Job was over. */
function arePodsBehind({ pods, facts }: Pick<Patient, 'pods' | 'facts'>, since: number): boolean {
  const isOneAtIt = pods.some(
    (pod) => !pod.metadata.deletionTimestamp && !['Failed', 'Succeeded'].includes(statusOf(pod).phase ?? ''),
  )
  return !facts.hasPassed(since, isOneAtIt ? endToldWithinMs : podsToldWithinMs)
}

function linesOf(end: End | undefined): Pick<Verdict, 'lines'> {
  return end ? { lines: { pod: end.pod, container: end.container, previous: true } } : {}
}

const failsAgain: Rule = (patient) => {
  const { workload, facts } = patient
  const failed = failuresOf(workload)
  if (workload.kind !== 'Job' || failed === 0 || failureOf(workload) || conditionOf(workload, 'Complete')) return undefined
  const lacking = facts.lacking(workload, [])
  const verdict = jobFailed(patient, failed === 1 ? 'it failed once' : `it failed ${failed} times`, facts.now)
  if (lacking.length > 0) return { ...verdict, severity: 'warning', waitsFor: lacking }
  const isOver = failed >= triesOfJob && (failed > triesOfJob || !facts.isAnythingOnItsWay(workload))
  return { ...verdict, severity: isOver ? 'failure' : 'warning' }
}

const podFailed: Rule = (patient) => {
  const { workload } = patient
  const { phase } = (workload['status'] ?? {}) as { readonly phase?: string }
  return workload.kind === 'Pod' && phase === 'Failed' ? jobFailed(patient, 'its pod failed', patient.facts.now) : undefined
}

function jobFailed(patient: Patient, said: string, since: number): Verdict {
  const ended = lastFailure(patient)
  return {
    code: 'READY-103',
    severity: 'failure',
    message: `${patient.name} failed${ended ? ` (its container ended with ${ended.exitCode})` : ''}: ${said.replace(/\.$/, '')}.`,
    hint: 'Read its last lines; `devkit up` runs it again.',
    ...linesOf(ended),
    since: ended ? timeOf(ended.finishedAt) : since,
  }
}

const hangs: Rule = ({ workload, name, pods, facts }) => {
  const { startTime, active = 0 } = (workload['status'] ?? {}) as { readonly startTime?: string; readonly active?: number }
  if (workload.kind !== 'Job' || active === 0 || failureOf(workload)) return undefined
  const cron = workload.metadata.ownerReferences?.find(({ kind }) => kind === 'CronJob')
  const earlier = cron && {
    of: `earlier runs of CronJob/${cron.name}`,
    began: timeOf(startTime),
    tookMs: (facts.known('batch/v1', 'Job') ?? []).filter((other) => isOf(other, cron.uid)).flatMap(tookMs),
    pod: pods[0],
  }
  const [longest] = pods.filter((pod) => beganAt(pod) !== undefined).toSorted((a, b) => (beganAt(a) ?? 0) - (beganAt(b) ?? 0))
  const others = longest && {
    of: 'its other pods',
    began: beganAt(longest) ?? 0,
    tookMs: pods.filter((pod) => statusOf(pod).phase === 'Succeeded').map(podTookMs),
    pod: longest,
  }
  for (const { of, began, tookMs: known, pod } of [earlier, others].filter((one) => one !== undefined)) {
    const usual = Math.max(0, ...known)
    const limit = Math.max(usual * timesUsual, usual + longerByMs)
    if (known.length === 0 || !facts.hasPassed(began, limit)) continue
    const container = pod && statusOf(pod).containerStatuses?.find(({ state }) => state?.running)?.name
    return {
      code: 'READY-202',
      severity: 'warning',
      message: `${name} has been running for more than ${seconds(limit)}; ${of} took ${seconds(usual)} at most.`,
      hint: 'Read its last lines for what it waits for; an activeDeadlineSeconds would end it.',
      ...(pod && container && { lines: { pod: pod.metadata.name, container } }),
      since: began + limit,
    }
  }
  return undefined
}

function isOf(job: KubeObject, uid: string): boolean {
  return job.metadata.ownerReferences?.some((owner) => owner.uid === uid) ?? false
}

/** How long a Job took that is done; nothing for one that is not. */
function tookMs(job: KubeObject): readonly number[] {
  const { startTime, completionTime } = (job['status'] ?? {}) as { readonly startTime?: string; readonly completionTime?: string }
  return completionTime === undefined ? [] : [timeOf(completionTime) - timeOf(startTime)]
}

/** When the container of a pod began that runs. */
function beganAt(pod: KubeObject): number | undefined {
  const started = statusOf(pod).containerStatuses?.find(({ state }) => state?.running)?.state?.running?.startedAt
  return started === undefined ? undefined : timeOf(started)
}

function podTookMs(pod: KubeObject): number {
  const ends = (statusOf(pod).containerStatuses ?? []).flatMap(({ state }) => state?.terminated ?? [])
  return Math.max(0, ...ends.map(({ startedAt, finishedAt }) => timeOf(finishedAt) - timeOf(startedAt)))
}

const cronJob: Rule = ({ workload, name, facts }) => {
  if (workload.kind !== 'CronJob') return undefined
  const { suspend, schedule, timeZone } = (workload['spec'] ?? {}) as {
    readonly suspend?: boolean
    readonly schedule?: string
    readonly timeZone?: string
  }
  if (suspend) return undefined
  const wrong = facts.warnings(workload).find(({ reason }) => /^(?:UnknownTimeZone|UnparseableSchedule)$/.test(reason))
  if (wrong) {
    const field = wrong.reason === 'UnknownTimeZone' ? 'timeZone' : 'schedule'
    return {
      code: 'READY-206',
      severity: 'failure',
      message: `${name} never runs: its ${field} is none (${field === 'timeZone' ? timeZone : schedule}).`,
      hint: `Correct ${field} in ${facts.where(name, ['spec', field])}.`,
      evidence: [wrong.message],
      since: wrong.from,
    }
  }
  const runs = (facts.known('batch/v1', 'Job') ?? [])
    .filter((job) => isOf(job, workload.metadata.uid ?? '') && (failureOf(job) || conditionOf(job, 'Complete')))
    .toSorted((a, b) => startOf(b) - startOf(a))
  const succeeded = runs.findIndex((job) => !failureOf(job))
  const failed = succeeded < 0 ? runs.length : succeeded
  const [last] = runs
  if (failed === 0 || !last) return undefined
  const pods = (facts.known('v1', 'Pod') ?? []).filter((pod) => isOf(pod, last.metadata.uid ?? ''))
  const ended = lastFailure({ workload: last, pods, facts })
  const since = timeOf(failureOf(last)?.lastTransitionTime)
  if (!ended && arePodsBehind({ pods, facts }, since)) return undefined
  return {
    code: 'READY-206',
    severity: failed >= runsInRow ? 'failure' : 'warning',
    message: `The last ${failed === 1 ? 'run' : `${failed} runs`} of ${name} failed${ended ? `: ${ended.words}` : ''}.`,
    hint: `Mend what its last lines name, then try it: \`kubectl create job ${workload.metadata.name}-again --from=cronjob/${workload.metadata.name} -n ${facts.namespace}\`.`,
    evidence: [failureOf(last)?.message ?? ''],
    ...linesOf(ended),
    since,
  }
}

function startOf(job: KubeObject): number {
  return timeOf((job['status'] as { readonly startTime?: string } | undefined)?.startTime)
}

function initNamesOf(holder: KubeObject): readonly string[] {
  return initsOf(holder).map(({ name }) => name)
}

/** Why a Job, or a pod that is to end, has not done its work. */
export const jobs: readonly Rule[] = [gaveUp, failsAgain, podFailed, cronJob, hangs]
