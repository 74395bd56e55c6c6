import type { Output, Renderer } from './renderer.ts'

/** One event a line, for programs. */
export function json(out: Output): Renderer {
  return { listener: (event) => void out.write(`${JSON.stringify(event)}\n`), close: async () => undefined }
}
