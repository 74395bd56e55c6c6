/** Ends a round of waiting when the earliest of the times asked for has come; the next one begins with a new signal. */
export class Nudge implements Disposable {
  #abort = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #at = Number.POSITIVE_INFINITY

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Asks for a look in `ms` milliseconds, unless there will be one sooner. */
  in(ms: number): void {
    if (this.#abort.signal.aborted) this.#begin()
    if (Date.now() + ms >= this.#at) return
    this.#at = Date.now() + ms
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#abort.abort(), ms)
  }

  #begin(): void {
    this.#abort = new AbortController()
    this.#at = Number.POSITIVE_INFINITY
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }
}
