import type { Event } from '../events/event.ts'
import { type Drawing, startDrawing } from './drawing.ts'
import { paint, tame } from './paint.ts'
import type { Output, Renderer } from './renderer.ts'
import { sentences, stepText } from './sentences.ts'

/** A terminal. */
export interface Terminal extends Output {
  readonly isTTY?: boolean
  /** 80 where the terminal does not tell. */
  readonly columns?: number
  readonly rows?: number
}

/**
 * Steps as they run, each with the last line of its output; everything else in lines.
 *
 *   lines ──a step begins──► drawing ──another event while no step runs, or the end──► lines
 *
 * While it draws, other sentences stand below the steps, and logs wait. A `watch` that is up draws no more: logs would be held back.
 */
export async function pretty(out: Terminal, { colour }: { readonly colour: boolean }): Promise<Renderer> {
  const listr2 = await import('listr2')
  const say = sentences({ verbose: false, quiet: false, colour, paint: paint(colour) })
  let drawing: Drawing | undefined
  /** Resolves when the last drawing has left the terminal; until then sentences wait. */
  let left: Promise<void> | undefined
  const waiting: string[] = []
  let watching = false
  let up = false

  const flush = (): void => {
    for (const sentence of waiting.splice(0)) out.write(`${sentence}\n`)
  }
  const stopDrawing = (): void => {
    if (!drawing) return
    left = drawing.end().then(() => {
      left = undefined
      flush()
    })
    drawing = undefined
  }
  /** Whether the drawing shows the event. */
  const draw = (event: Event): boolean => {
    switch (event.type) {
      case 'step.started':
        // one drawing after the other: a step that begins while the last one leaves is told in lines
        if (!up && !left) drawing ??= startDrawing(listr2, out, colour)
        return drawing?.begin(event.step) ?? false
      case 'step.output':
        return drawing?.output(event.step, tame(event.line, false)) ?? false
      case 'step.finished':
        return drawing?.finish(event.step, stepText(event), false) ?? false
      case 'step.failed':
        return drawing?.finish(event.step, stepText(event), event.overtaken !== true) ?? false
      case 'object':
        return drawing !== undefined && event.fields === undefined
      case 'service.ready':
      case 'files.changed':
        // parts of what the steps say: no reason to stop drawing between two steps
        return drawing !== undefined
      case 'log': {
        const line = drawing && say(event)
        if (line !== undefined) waiting.push(line)
        return drawing !== undefined
      }
      default:
        if (drawing?.idle || event.type === 'run.finished') stopDrawing()
        return false
    }
  }
  return {
    listener: (event) => {
      if (event.type === 'run.started') watching = event.command === 'watch'
      if (watching && ['synced', 'forward.opened'].includes(event.type)) up = true
      if (draw(event)) return
      const sentence = say(event)
      if (sentence === undefined) return
      if (drawing) drawing.note(sentence)
      else {
        waiting.push(sentence)
        if (!left) flush()
      }
    },
    close: async () => {
      stopDrawing()
      await left
    },
  }
}
