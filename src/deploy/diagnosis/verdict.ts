import { DevkitError, type ProblemCode } from '../../lib/errors.ts'

/** Why a workload is not ready, as one rule sees it at this moment. */
export interface Verdict {
  readonly code: ProblemCode
  /** `failure`: time can't mend it. `warning`: it may, and the rule knows when that is no longer to be believed. */
  readonly severity: 'warning' | 'failure'
  /** What happened and why, one sentence with its full stop. Names no pod: their names are chance. */
  readonly message: string
  /** What to do, verb first: a command or a place. */
  readonly hint: string
  /** What the cluster says about it, word for word. */
  readonly evidence?: readonly string[]
  /** The object in which it lies, where that is not the workload: `Secret/db`. */
  readonly object?: string
  /** The container whose last lines say more. `previous`: those of the instance that ended, not of the one that runs. */
  readonly lines?: ContainerRef & { readonly previous?: boolean }
  /** When the cluster had the fact, in ms since the epoch. */
  readonly since: number
  /** Workloads (`Kind/name`) that are not ready and would mend it: the problem is theirs, this one waits. */
  readonly waitsFor?: readonly string[]
  /** It is so young that somebody may be about to mend it: what comes later in a pod's life is not told yet, nor is it itself when it is `untold`. */
  readonly isEarly?: 'told' | 'untold'
}

/** A container of a pod, by their names. */
export interface ContainerRef {
  readonly pod: string
  readonly container: string
}

/** A verdict with those (`Kind/name`) that wait for its workload: their trouble is this one's. */
export function withWaiters(verdict: Verdict, waiters: readonly string[]): Verdict {
  if (waiters.length === 0) return verdict
  return { ...verdict, evidence: [`Waiting for it: ${waiters.join(', ')}.`, ...(verdict.evidence ?? [])] }
}

/** A verdict as the problem that is told. `lines` are the last lines of its container. */
export function problemOf(
  { code, message, hint, evidence = [], object }: Verdict,
  {
    workload,
    service,
    lines = [],
  }: { readonly workload: string; readonly service: string | undefined; readonly lines?: readonly string[] },
): DevkitError {
  const detail = [...evidence, ...lines].join('\n')
  return new DevkitError(code, { message, hint, service, object: object ?? workload, ...(detail && { detail }) })
}
