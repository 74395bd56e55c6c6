import { problemOfRights } from '../deploy/lacking.ts'
import type { Bus } from '../events/bus.ts'
import type { Outcome, Problem } from '../events/event.ts'
import { DevkitError, messageOf } from '../lib/errors.ts'
import type { Step } from '../lib/step.ts'

/** What all pieces of work of a run share. */
export interface Run {
  readonly bus: Bus
  readonly signal: AbortSignal
}

/** Why a piece of work is ended that a newer change made pointless. */
export const overtaking = new Error('a newer change')

/** Runs a piece of work and tells its story: started, its output, finished or failed. The only emitter of step events. */
export async function runStep<T>(
  { bus, signal }: Run,
  name: string,
  work: (step: Step) => Promise<T>,
  outcomeOf: (result: T) => Outcome | undefined = () => undefined,
): Promise<T> {
  const service = /^(?:build|deliver|ready|forward|sync)\/([^/]+)$/.exec(name)?.[1]
  const began = performance.now()
  const ms = (): number => Math.round(performance.now() - began)
  bus.emit({ type: 'step.started', step: name, service })
  try {
    const result = await work({
      signal,
      say: (line, stream = 'stdout') => bus.emit({ type: 'step.output', step: name, stream, line }),
    })
    bus.emit({ type: 'step.finished', step: name, service, ms: ms(), outcome: outcomeOf(result) })
    return result
  } catch (thrown) {
    bus.emit({ type: 'step.failed', step: name, service, ms: ms(), ...(signal.reason === overtaking && { overtaken: true }) })
    throw thrown
  }
}

/** A failure as readers of events get it. */
export function problemEvent(thrown: unknown, severity: Problem['severity'] = 'failure'): { readonly type: 'problem' } & Problem {
  const problem = thrown instanceof DevkitError ? thrown : problemOfRights(thrown)
  if (problem) {
    const { code, message, hint, detail, service, object } = problem
    return { type: 'problem', severity, code, message, hint, docs: docsOf(code), detail, service, object }
  }
  return {
    type: 'problem',
    severity,
    code: 'INTERNAL-001',
    message: `devkit has a defect: ${messageOf(thrown)}.`,
    hint: 'Report it with the lines below.',
    docs: docsOf('INTERNAL-001'),
    detail: thrown instanceof Error ? thrown.stack : undefined,
  }
}

/** The page that explains a code. */
export function docsOf(code: string): string {
  return `docs/problems.md#${code.toLowerCase()}`
}
