import type { Listener } from '../events/bus.ts'

/** Who tells people or programs what happens: hears every event, and has written everything when `close` resolves. */
export interface Renderer {
  readonly listener: Listener
  close(): Promise<void>
}

/** Where a renderer writes. */
export interface Output {
  write(text: string): unknown
}
