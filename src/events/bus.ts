import type { Event, EventBody } from './event.ts'

export type Listener = (event: Event) => void

/** One stream of events, many readers. Synchronous: a reader has seen an event when `emit` returns. */
export class Bus {
  readonly #listeners = new Set<Listener>()

  emit(body: EventBody): void {
    const event: Event = { v: 1, time: new Date().toISOString(), ...body }
    for (const listener of this.#listeners) listener(event)
  }

  subscribe(listener: Listener): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }
}
