import { Bus } from '../events/bus.ts'
import type { EventBody } from '../events/event.ts'
import { json } from '../ui/json.ts'
import { plain } from '../ui/plain.ts'
import type { Renderer } from '../ui/renderer.ts'
import { type GlobalFlags, type Io, isJson } from './io.ts'

/** Who tells the events of a run, as its flags and streams ask for it. */
export async function openVoice(io: Io, flags: Partial<GlobalFlags>): Promise<Renderer> {
  if (isJson(flags)) return json(io.stdout)
  const terminal = io.stderr.isTTY === true && io.env['TERM'] !== 'dumb'
  const { verbose = false, quiet = false, output = terminal ? 'pretty' : 'plain' } = flags
  // https://no-color.org
  const colour = terminal && flags.color !== false && !io.env['NO_COLOR']
  // a terminal that nobody gave a size, as `script` and some CI systems make them: a drawing would wrap after each letter
  const canDraw = terminal && io.stderr.columns !== 0
  // lines of tools would only pass by in a drawing
  if (output === 'plain' || verbose || quiet || !canDraw) return plain(io.stderr, { verbose, quiet, colour })
  const { pretty } = await import('../ui/pretty.ts')
  return pretty(io.stderr, { colour })
}

/** Tells problems on stderr, for verbs whose result is on stdout. */
export async function tellProblems(io: Io, { json: _, ...flags }: GlobalFlags, problems: readonly EventBody[]): Promise<void> {
  const voice = await openVoice(io, { ...flags, output: 'plain' })
  const bus = new Bus()
  bus.subscribe(voice.listener)
  for (const problem of problems) bus.emit(problem)
  await voice.close()
}
