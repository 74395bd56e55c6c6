import type { ProblemCode } from '../lib/errors.ts'

/** What `devkit explain CODE` says beside the code's summary; docs/problems.md is made from the same. */
export interface Page {
  /** What happened, and when devkit says so. */
  readonly means: string
  /** An example as it is shown, one or a few lines. */
  readonly looks: string
  /** The likeliest first, each a sentence. */
  readonly causes: readonly string[]
  /** What to do, verb first, each a sentence. */
  readonly remedies: readonly string[]
}

/** A page for every code of an area: a new code does not compile without one. */
export type PagesOf<Area extends string> = Readonly<Record<Extract<ProblemCode, `${Area}-${string}`>, Page>>
