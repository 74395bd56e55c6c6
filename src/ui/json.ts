import type { Listener } from '../events/bus.ts'

/** One event a line, for programs. */
export function json(out: { write(text: string): unknown }): Listener {
  return (event) => void out.write(`${JSON.stringify(event)}\n`)
}
