import type { ProblemCode } from '../lib/errors.ts'

/** How a step or an object came out, where it makes a difference. */
export type Outcome = 'created' | 'configured' | 'unchanged' | 'pruned' | 'kept' | 'built' | 'cached' | 'skipped'

/** A failure or a warning as it is told: what, why, what to do. */
export interface Problem {
  readonly severity: 'warning' | 'failure'
  readonly code: ProblemCode
  readonly message: string
  readonly hint: string
  /** Page that explains the code. */
  readonly docs: string
  readonly step?: string | undefined
  readonly service?: string | undefined
  readonly object?: string | undefined
  readonly detail?: string | undefined
}

/** Everything devkit tells the world, as plain data: `JSON.stringify` loses nothing. Milliseconds in `ms`, bytes in `bytes`. */
export type EventBody =
  | {
      readonly type: 'run.started'
      readonly command: string
      readonly project: string
      readonly env: string
      readonly profile: string
      readonly version: string
    }
  | { readonly type: 'step.started'; readonly step: string; readonly service?: string | undefined }
  | { readonly type: 'step.output'; readonly step: string; readonly stream: 'stdout' | 'stderr'; readonly line: string }
  | {
      readonly type: 'step.finished'
      readonly step: string
      readonly service?: string | undefined
      readonly ms: number
      readonly outcome?: Outcome | undefined
    }
  | { readonly type: 'step.failed'; readonly step: string; readonly service?: string | undefined; readonly ms: number }
  | {
      readonly type: 'object'
      readonly kind: string
      readonly name: string
      readonly namespace?: string | undefined
      readonly outcome: Outcome
    }
  | { readonly type: 'service.ready'; readonly service: string; readonly workload: string; readonly ms: number }
  | { readonly type: 'files.changed'; readonly count: number; readonly paths: readonly string[] }
  | {
      readonly type: 'action'
      readonly service?: string | undefined
      readonly do: 'sync' | 'rebuild' | 'rerender' | 'replan' | 'none'
      readonly reason: string
    }
  | {
      readonly type: 'synced'
      readonly service: string
      readonly container: string
      readonly pod: string
      readonly files: number
      readonly bytes: number
      readonly deleted: number
      /** From the first file event to the container's last acknowledgement. */
      readonly ms: number
    }
  | { readonly type: 'stale'; readonly service: string; readonly pod: string; readonly container: string; readonly files: number }
  | { readonly type: 'forward.opened'; readonly service: string; readonly port: number; readonly url: string }
  | {
      readonly type: 'log'
      readonly service: string
      readonly pod: string
      readonly container: string
      readonly line: string
      readonly ts: string
    }
  | ({ readonly type: 'problem' } & Problem)
  | {
      readonly type: 'problem.resolved'
      readonly code: ProblemCode
      readonly service?: string | undefined
      readonly object?: string | undefined
    }
  | {
      readonly type: 'run.finished'
      readonly ok: boolean
      readonly exitCode: number
      readonly ms: number
      readonly urls: Readonly<Record<string, string>>
    }

/** An event as readers get it: `v` is the version of this vocabulary, `time` is ISO 8601 in UTC. */
export type Event = { readonly v: 1; readonly time: string } & EventBody
