/** Push in, read in batches: `take` waits until something is there and hands over all of it, in order. */
export class Inbox<T> {
  #items: T[] = []
  #wake: (() => void) | undefined

  push(...items: readonly T[]): void {
    this.#items.push(...items)
    this.#wake?.()
  }

  /** @throws the signal's reason when it aborts first. */
  async take(signal: AbortSignal): Promise<T[]> {
    while (this.#items.length === 0) {
      signal.throwIfAborted()
      await new Promise<void>((resolve) => {
        const done = (): void => {
          signal.removeEventListener('abort', done)
          this.#wake = undefined
          resolve()
        }
        signal.addEventListener('abort', done, { once: true })
        this.#wake = done
      })
    }
    signal.throwIfAborted()
    const taken = this.#items
    this.#items = []
    return taken
  }
}

/** Waits `ms` milliseconds. @throws the signal's reason when it aborts first. */
export function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const abort = (): void => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort)
      resolve()
    }, ms)
    signal.addEventListener('abort', abort, { once: true })
  })
}

/**
 * Of work under one name only the latest counts: it ends what runs, and begins when that has ended, so that what the two tell and leave
 * comes in their order.
 */
export class Latest {
  readonly #running = new Map<string, { readonly abort: AbortController; readonly ended: Promise<void> }>()

  /** Resolves, or rejects, with the work. `why` is the reason that the signal of the work before gets. */
  start(name: string, work: (signal: AbortSignal) => Promise<void>, why: Error): Promise<void> {
    const before = this.end(name, why)
    const abort = new AbortController()
    const ran = before.then(() => work(abort.signal))
    const current = { abort, ended: ran.catch(() => undefined) }
    this.#running.set(name, current)
    return ran.finally(() => {
      if (this.#running.get(name) === current) this.#running.delete(name)
    })
  }

  /** Ends what runs; resolves when it has ended. */
  async end(name: string, why: Error): Promise<void> {
    const running = this.#running.get(name)
    running?.abort.abort(why)
    await running?.ended
  }
}

/** Longest piece of work in which nothing else gets its turn, in ms. */
const sliceMs = 8

/** Of long work that waits for nothing: when it is time to let everybody else have a turn. */
export class Pace {
  #until = performance.now() + sliceMs

  get isDue(): boolean {
    return performance.now() > this.#until
  }

  async rest(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    this.#until = performance.now() + sliceMs
  }
}

/**
 * `work` over all items, at most `limit` at a time. Results in the order of the items. Everybody else gets a turn now and then, also when the
 * work never waits for anything.
 * After the first failure nothing more begins; it comes out when what had begun has ended.
 */
export async function mapLimited<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length)
  const queue = items.entries()
  const failures: unknown[] = []
  const pace = new Pace()
  const lane = async (): Promise<void> => {
    for (const [index, item] of queue) {
      if (pace.isDue) await pace.rest()
      try {
        results[index] = await work(item, index)
      } catch (failure) {
        failures.push(failure)
      }
      if (failures.length > 0) return
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane))
  if (failures.length > 0) throw failures[0]
  return results
}

/** What `promise` gives, unless the signal aborts first. @throws the signal's reason then */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const abort = (): void => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** Asks once for each key. */
export function remembering<T>(ask: (key: string) => Promise<T>): (key: string) => Promise<T> {
  const known = new Map<string, Promise<T>>()
  return (key) => {
    const answer = known.get(key) ?? ask(key)
    known.set(key, answer)
    return answer
  }
}
