import type { Listener } from '../events/bus.ts'

/** Who tells people or programs what happens: hears every event. */
export interface Renderer {
  readonly listener: Listener
  /** Resolves when everything is written and the terminal is free, at the end or for a question; later events are told all the same. */
  close(): Promise<void>
}

/** Where a renderer writes. */
export interface Output {
  write(text: string): unknown
}
