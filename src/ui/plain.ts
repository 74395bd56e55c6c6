import { paint } from './paint.ts'
import type { Output, Renderer } from './renderer.ts'
import { sentences } from './sentences.ts'

export interface PlainOptions {
  /** Lines of tools too. */
  readonly verbose: boolean
  /** Problems only. */
  readonly quiet: boolean
  readonly colour?: boolean
}

/** A line per event, for logs and for terminals that draw nothing. */
export function plain(out: Output, { verbose, quiet, colour = false }: PlainOptions): Renderer {
  const say = sentences({ verbose, quiet, colour, paint: paint(colour) })
  return {
    listener: (event) => {
      const sentence = say(event)
      if (sentence !== undefined) out.write(`${sentence}\n`)
    },
    close: async () => undefined,
  }
}
