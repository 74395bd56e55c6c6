/**
 * A lifetime: what starts in it stops with it, newest first.
 *
 *   open ──close()──► closing (signal aborts, then closers run in reverse order) ──► closed
 *
 * A closer that fails does not keep the others from running; the failures come out of `close` together.
 */
export class Scope implements AsyncDisposable {
  readonly #abort = new AbortController()
  readonly #closers: (() => void | PromiseLike<void>)[] = []
  #closing: Promise<void> | undefined

  /** Aborts when the scope begins to close. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Registers work to do at the end. In a scope that is closing already it runs at once. */
  defer(close: () => void | PromiseLike<void>): void {
    if (this.#closing) this.#closing = this.#closing.then(close)
    else this.#closers.push(close)
  }

  /** Takes ownership of a resource and hands it back. */
  use<T extends AsyncDisposable>(resource: T): T {
    this.defer(() => resource[Symbol.asyncDispose]())
    return resource
  }

  /** A shorter lifetime inside this one. */
  child(): Scope {
    const child = new Scope()
    const forget = (): void => {
      const at = this.#closers.indexOf(closeChild)
      if (at >= 0) this.#closers.splice(at, 1)
    }
    const closeChild = (): Promise<void> => child.close(this.signal.reason)
    child.defer(forget)
    this.defer(closeChild)
    if (this.signal.aborted) child.#abort.abort(this.signal.reason)
    else {
      const abort = (): void => child.#abort.abort(this.signal.reason)
      this.signal.addEventListener('abort', abort, { once: true })
      child.defer(() => this.signal.removeEventListener('abort', abort))
    }
    return child
  }

  /** Ends the lifetime; `reason` is what the signal carries. Closing twice is closing once. */
  close(reason?: unknown): Promise<void> {
    this.#closing ??= this.#close(reason)
    return this.#closing
  }

  async #close(reason: unknown): Promise<void> {
    this.#abort.abort(reason)
    const failures: unknown[] = []
    for (let close = this.#closers.pop(); close; close = this.#closers.pop()) {
      try {
        await close()
      } catch (failure) {
        failures.push(failure)
      }
    }
    if (failures.length === 1) throw failures[0]
    if (failures.length > 1) throw new AggregateError(failures, 'several closers failed')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
