import type { ListrTaskWrapper } from 'listr2'
import type { Terminal } from './pretty.ts'

/** Steps as they run, redrawn in place. */
export interface Drawing {
  /** False when there is no room for another step. */
  begin(step: string): boolean
  /** The line that stands below the step while it runs. False when the step is not in the drawing. */
  output(step: string, line: string): boolean
  /** Puts `text` in the step's place. False when the step is not in the drawing. */
  finish(step: string, text: string, failed: boolean): boolean
  /** A sentence below the steps, which stays. */
  note(sentence: string): void
  /** Whether no step runs. */
  readonly idle: boolean
  /** Leaves the last picture standing; resolves when the terminal is free again. Steps that still run are shown as cut off. */
  end(): Promise<void>
}

/** Steps that a drawing has room for. */
const room = 60

/**
 * A drawing by listr2, which only draws: its tasks wait for what the events say. A list of tasks can't grow while it runs, so it has
 * untitled ones, which are not shown, in store: a step that begins takes the next and gives it its name.
 */
export function startDrawing(
  { DefaultRenderer, Listr, ListrLogger, ProcessOutput }: typeof import('listr2'),
  out: Terminal,
  colour: boolean,
): Drawing {
  const stream = out as unknown as NodeJS.WriteStream
  const columns = (): number => out.columns ?? 80
  // listr2 asks whether stdout is a terminal; this draws on stderr, and who calls has looked
  class Renderer extends DefaultRenderer {
    static override nonTTY = true
  }
  const places = Array.from({ length: room }, () => new Place())
  const notes = new Place()
  const steps = new Map<string, Place>()
  const running = new Set<string>()
  const list = new Listr(
    [
      ...places.map((place) => ({ task: (_: unknown, shown: ListrTaskWrapper<unknown, never, never>) => place.show(shown) })),
      {
        task: (_: unknown, shown: ListrTaskWrapper<unknown, never, never>) => notes.show(shown),
        rendererOptions: { bottomBar: Number.POSITIVE_INFINITY, persistentOutput: true },
      },
    ],
    {
      concurrent: true,
      exitOnError: false,
      registerSignalListeners: false,
      renderer: Renderer,
      rendererOptions: {
        logger: new ListrLogger({ useIcons: true, processOutput: new ProcessOutput(stream, stream) }),
        icon: { COMPLETED: '✓', FAILED: '✗', OUTPUT: '  ', OUTPUT_WITH_BOTTOMBAR: '' },
        ...(colour ? {} : { color: { COMPLETED: same, FAILED: same, PENDING: same, OUTPUT: same, OUTPUT_WITH_BOTTOMBAR: same } }),
      },
    },
  )
  const drawn = list.run()
  return {
    begin: (step) => {
      const place = places[steps.size]
      if (!place || steps.has(step)) return false
      steps.set(step, place)
      running.add(step)
      place.title = step
      return true
    },
    output: (step, line) => {
      const text = line.trim()
      const place = steps.get(step)
      // one row, whatever the width: a longer line would make the picture jump
      if (place && text !== '') place.output = [...text].slice(0, Math.max(10, columns() - 8)).join('')
      return place !== undefined
    },
    finish: (step, text, failed) => {
      const place = steps.get(step)
      if (!place || !running.delete(step)) return false
      place.title = text
      place.settle(failed)
      return true
    },
    note: (sentence) => {
      notes.output = sentence
    },
    get idle() {
      return running.size === 0
    },
    end: async () => {
      for (const step of running) steps.get(step)?.settle(true)
      for (const place of places) place.settle(false)
      notes.settle(false)
      await drawn
    },
  }
}

/** A task in store: what is said before listr2 has begun it is kept until then. */
class Place {
  readonly #settled = Promise.withResolvers<void>()
  readonly #said: string[] = []
  #title: string | undefined
  #shown: ListrTaskWrapper<unknown, never, never> | undefined

  async show(shown: ListrTaskWrapper<unknown, never, never>): Promise<void> {
    this.#shown = shown
    if (this.#title !== undefined) shown.title = this.#title
    for (const line of this.#said) shown.output = line
    await this.#settled.promise
  }

  set title(title: string) {
    this.#title = title
    if (this.#shown) this.#shown.title = title
  }

  set output(line: string) {
    if (this.#shown) this.#shown.output = line
    else this.#said.push(line)
  }

  settle(failed: boolean): void {
    if (failed) this.#settled.reject(new Error(this.#title))
    else this.#settled.resolve()
  }
}

function same(text = ''): string {
  return text
}
