/** One piece of work's link to its caller: how long it may live, and where it speaks. */
export interface Step {
  /** Ends the work. Every effect honours it. */
  readonly signal: AbortSignal
  /** A line for whoever follows this piece of work, e.g. a line of the build's output. */
  say(line: string, stream?: 'stdout' | 'stderr'): void
}
