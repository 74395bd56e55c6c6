import type { Area, Check } from '../../events/doctor.ts'
import { abortable } from '../../lib/async.ts'
import type { DevkitError } from '../../lib/errors.ts'
import { problemEvent } from '../step.ts'

/** What a look at one thing came to; with a name where it is about one of several. */
export type Found = Omit<Check, 'area' | 'name'> & { readonly name?: string }

/** A look at one thing; it ends with its signal, and changes nothing. */
export interface Look {
  readonly area: Area
  readonly name: string
  /** What it waits for before its own patience begins; each is bounded by itself. */
  readonly after?: readonly Promise<unknown>[]
  /** How long it may take, in ms; default: `patienceMs`. */
  readonly ms?: number
  /** None where there is nothing to tell. */
  readonly look: (signal: AbortSignal) => Promise<Found | Found[]>
}

/** Something that several looks need: it, or why it is not known. */
export type Fact<T> = { readonly is: T } | { readonly why: string; readonly found?: Found }

/** A program that does not answer for so long is not waited for, in ms: who asks a doctor has waited already. */
export const patienceMs = 4000

export function ok(said: string): Found {
  return { verdict: 'ok', said }
}

/** What cannot be looked at: why. */
export function skipped(said: string, remedy?: string): Found {
  return { verdict: 'skipped', said, remedy }
}

/** A problem as what was found. */
export function foundProblem(
  { code, message, hint, detail }: Pick<DevkitError, 'code' | 'message' | 'hint'> & { readonly detail?: string | undefined },
  verdict: 'warning' | 'failure' = 'failure',
): Found {
  return { verdict, said: message, code, remedy: hint, ...(detail !== undefined && { detail }) }
}

/** Runs a look to its end or to that of its patience. Throws only when `signal` ends it. */
export async function check(
  { area, name, after = [], ms = patienceMs, look }: Look,
  signal: AbortSignal,
): Promise<readonly Check[]> {
  await Promise.all(after)
  const found = await withinPatience(look, ms, signal, (thrown) => foundThrown(thrown, ms))
  return [found].flat().map((one) => ({ area, name, ...one }))
}

/** Finds out what several looks need, within a patience. Throws only when `signal` ends it. */
export async function fact<T>(
  ask: (signal: AbortSignal) => Promise<Fact<T>>,
  signal: AbortSignal,
  { why, ms = patienceMs, late }: { readonly why: string; readonly ms?: number; readonly late?: Found },
): Promise<Fact<T>> {
  return withinPatience(ask, ms, signal, (thrown) => ({
    why,
    found: late && isLate(thrown) ? late : foundThrown(thrown, ms),
  }))
}

async function withinPatience<T>(
  work: (signal: AbortSignal) => Promise<T>,
  ms: number,
  signal: AbortSignal,
  otherwise: (thrown: unknown) => T,
): Promise<T> {
  const either = AbortSignal.any([signal, AbortSignal.timeout(ms)])
  try {
    return await abortable(work(either), either)
  } catch (thrown) {
    signal.throwIfAborted()
    return otherwise(thrown)
  }
}

function isLate(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === 'TimeoutError'
}

function foundThrown(thrown: unknown, ms: number): Found {
  if (isLate(thrown)) return skipped(`no answer within ${ms / 1000} s`)
  const problem = problemEvent(thrown)
  // who may not look cannot tell
  const mayNot = thrown instanceof Error && thrown.name === 'ApiFailure' && problem.code === 'CLUSTER-113'
  if (mayNot) return { ...foundProblem(problem), verdict: 'skipped' }
  return foundProblem(
    isSaidNo(thrown)
      ? { ...problem, code: 'CLUSTER-104', message: refusalOf(thrown), hint: 'Read the API server’s log.' }
      : problem,
  )
}

function isSaidNo(thrown: unknown): thrown is Error {
  return thrown instanceof Error && thrown.name === 'ApiFailure' && problemEvent(thrown).code === 'INTERNAL-001'
}

function refusalOf({ message }: Error): string {
  return `The API server says no: ${message.replace(/\.$/, '')}.`
}
