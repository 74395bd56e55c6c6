/**
 * `npm run picture` draws docs/up.svg: what a terminal shows of the runs that were recorded in events.jsonl (`devkit … --json`),
 * by the renderer that draws on real ones. A test holds the picture equal to what the renderer makes.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Event } from '../../src/events/event.ts'
import { pretty } from '../../src/ui/pretty.ts'
import { type FakeTerminal, fakeTerminal, type Piece } from '../fakes/terminal.ts'

const columns = 100
const rowHeight = 19
const letterWidth = 8.43
/** The palette of 16, from black to bright white. */
const palette = [
  ...['#45475a', '#f38ba8', '#a6e3a1', '#f9e2af', '#89b4fa', '#f5c2e7', '#94e2d5', '#bac2de'],
  ...['#585b70', '#f38ba8', '#a6e3a1', '#f9e2af', '#89b4fa', '#f5c2e7', '#94e2d5', '#a6adc8'],
]

/** The picture as SVG. */
export async function picture(): Promise<string> {
  const recorded = readFileSync(join(import.meta.dirname, 'events.jsonl'), 'utf8')
  const events = recorded
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Event)
  const terminal = fakeTerminal(columns, 60)
  for (const run of runsOf(events)) await replay(run, terminal)
  const rows = (await terminal.pieces()).slice()
  while (rows.at(-1)?.every(({ text }) => text.trim() === '')) rows.pop()
  const [width, height] = [Math.ceil(columns * letterWidth) + 32, rows.length * rowHeight + 30]
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14" role="img">
<title>devkit up and devkit watch in a terminal</title>
<rect width="${width}" height="${height}" rx="8" fill="#1e1e2e"/>
${rows.map((row, index) => `<text x="16" y="${index * rowHeight + 28}" fill="#cdd6f4" xml:space="preserve">${row.map(span).join('').trimEnd()}</text>`).join('\n')}
</svg>
`
}

/** The events of each run, in the order of the recording. */
function runsOf(events: readonly Event[]): readonly (readonly Event[])[] {
  const starts = events.flatMap(({ type }, index) => (type === 'run.started' ? [index] : []))
  return starts.map((start, index) => events.slice(start, starts[index + 1]))
}

async function replay(run: readonly Event[], terminal: FakeTerminal): Promise<void> {
  const [first] = run
  if (first?.type !== 'run.started') throw new Error('a recording begins with run.started')
  terminal.write(`\u001b[32m$\u001b[39m devkit ${first.command}\n`)
  const renderer = await pretty(terminal, { colour: true })
  for (const event of run) renderer.listener(event)
  await renderer.close()
  terminal.write('\n')
}

function span({ text, bold, dim, colour }: Piece): string {
  const style = [
    ...(colour === undefined ? [] : [`fill="${palette[colour]}"`]),
    ...(bold ? ['font-weight="bold"'] : []),
    ...(dim ? ['opacity="0.6"'] : []),
  ]
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  return style.length === 0 ? escaped : `<tspan ${style.join(' ')}>${escaped}</tspan>`
}

if (import.meta.main) writeFileSync(join(import.meta.dirname, '../../docs/up.svg'), await picture())
