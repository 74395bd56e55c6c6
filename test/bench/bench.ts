/**
 * `npm run bench -- start|config|up|deploy|diagnosis|sync [--n 50] [--rows save,torn] [--files 20000] [--transport node|exec]`: a table on stderr,
 * JSON on stdout and in `.devkit/bench/`. Runs the packed program, as a user installs it, on the lab. Exits 1 when the two sides of a sync differ at the end.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { config } from './config.ts'
import { deploy, deployRows } from './deploy.ts'
import { diagnosis } from './diagnosis.ts'
import { type Figure, figureOf, machine, type Row, table } from './figures.ts'
import { openStand, type Stand, say } from './stand.ts'
import { start } from './start.ts'
import { sync, syncRows } from './sync.ts'
import { up } from './up.ts'

/** What is measured, and whether the measured was right. */
interface Outcome {
  readonly rows: readonly Row[]
  /** What is wrong at the end, in words. */
  readonly wrong?: readonly string[]
}

/** Rows that can be chosen, of the benchmarks where they can. */
const rowsOf: Readonly<Record<string, readonly string[]>> = { sync: syncRows, deploy: deployRows }
const usage = [
  'npm run bench -- start|config|up|deploy|diagnosis|sync [--n 50] [--rows …] [--files 20000] [--transport node|exec]',
  ...Object.entries(rowsOf).map(([of, names]) => `  rows of ${of}: ${names.join(',')}`),
].join('\n')
const { values, positionals } = (() => {
  try {
    return parseArgs({
      options: {
        n: { type: 'string' },
        rows: { type: 'string' },
        files: { type: 'string', default: '20000' },
        transport: { type: 'string', default: 'node' },
      },
      allowPositionals: true,
    })
  } catch (thrown) {
    return fail(String(thrown))
  }
})()
const [name = ''] = positionals
const n = values.n === undefined ? undefined : Number(values.n)
const known = rowsOf[name] ?? []
const rows = values.rows?.split(',') ?? known
const transport = values.transport
if (n !== undefined && !(Number.isInteger(n) && n > 0)) fail(`--n ${values.n} is no number of times.`)
if (!(Number(values.files) >= 0)) fail(`--files ${values.files} is no number of files.`)
if (transport !== 'node' && transport !== 'exec') fail(`There is no transport '${transport}'.`)
const unknown = rows.find((row) => !known.includes(row))
if (unknown !== undefined) fail(`There is no row '${unknown}' of ${name}.`)

const onStand = async (measure: (stand: Stand) => Promise<Outcome>, signal: AbortSignal): Promise<Outcome> => {
  await using stand = await openStand(signal)
  return await Promise.race([measure(stand), untilAborted(signal)])
}
const options = {
  n: n ?? 50,
  rows,
  moreFiles: Number(values.files),
  transport: transport === 'exec' ? ('exec' as const) : ('node' as const),
}
const benches: Readonly<Record<string, (signal: AbortSignal) => Promise<Outcome>>> = {
  start: async (signal) => ({ rows: await start(n ?? 30, signal) }),
  config: async (signal) => ({ rows: await config(n ?? 30, signal) }),
  up: (signal) => onStand(async (stand) => ({ rows: await up(stand, n ?? 2) }), signal),
  deploy: (signal) => onStand((stand) => deploy(stand, n ?? 50, rows), signal),
  diagnosis: (signal) => onStand((stand) => diagnosis(stand, n ?? 10), signal),
  sync: (signal) => onStand((stand) => sync(stand, options), signal),
}
const bench = benches[name] ?? fail(`There is no benchmark '${name}'.`)

const interrupt = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => interrupt.abort(new Error(`interrupted by ${signal}`)))
try {
  const { rows: measured, wrong = [] } = await bench(interrupt.signal)
  report(measured.map(figureOf), wrong)
  if (wrong.length > 0) process.exitCode = 1
} catch (thrown) {
  // when the clearing up failed too, what went wrong first is what counts
  for (const one of thrown instanceof SuppressedError ? [thrown.suppressed, thrown.error] : [thrown])
    say(one instanceof Error ? (one.stack ?? one.message) : String(one))
  process.exitCode = interrupt.signal.aborted ? 130 : 1
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
}

function report(figures: readonly Figure[], wrong: readonly string[]): void {
  const facts = machine()
  const document = JSON.stringify({ bench: name, ...(name === 'sync' ? { transport } : {}), machine: facts, figures, wrong })
  say(`\n${table(figures)}\n`)
  say(
    Object.entries(facts)
      .map(([fact, value]) => `${fact} ${value}`)
      .join(' · '),
  )
  for (const what of wrong) say(`✗ ${what}`)
  process.stdout.write(`${document}\n`)
  const directory = join(import.meta.dirname, '../../.devkit/bench')
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, `${name === 'sync' ? `sync-${transport}` : name}.json`), `${document}\n`)
}

function fail(message: string): never {
  say(`${message}\n→ ${usage}`)
  process.exit(2)
}
