/**
 * `npm run bench -- start|up|sync [n]`: prints a table and JSON. Runs the packed program, as a user installs it, on the lab.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { devkit } from '../e2e/tools/devkit.ts'
import { installPacked } from '../e2e/tools/packed.ts'
import { labUp } from '../lab/lab.ts'
import { nodeImage } from '../lab/recipe.ts'

interface Row {
  readonly what: string
  readonly ms: readonly number[]
}

const root = join(import.meta.dirname, '../..')
const say = (line: string): void => void process.stderr.write(`${line}\n`)
const [name = '', count] = process.argv.slice(2)
const benches: Readonly<Record<string, (n: number) => Promise<readonly Row[]>>> = { start, up, sync }
const defaults: Readonly<Record<string, number>> = { start: 30, up: 3, sync: 60 }
const bench = benches[name]
if (!bench) {
  say(`There is no benchmark '${name}'. Say ${Object.keys(benches).join(', ')}.`)
  process.exit(2)
}
const settings = await labUp({ say, signal: new AbortController().signal })
const packed = installPacked()
const scratch = mkdtempSync(join(tmpdir(), 'devkit-bench-'))
const env: NodeJS.ProcessEnv = {
  ...process.env,
  HOME: scratch,
  XDG_STATE_HOME: join(scratch, 'state'),
  DEVKIT_MACHINE: join(process.env['HOME'] ?? '', '.config/devkit/machine.json'),
}
if (process.env['DEVKIT_MACHINE']) env['DEVKIT_MACHINE'] = process.env['DEVKIT_MACHINE']
cpSync(join(root, 'examples'), join(scratch, 'examples'), { recursive: true })
writeFileSync(
  join(scratch, 'devkit.config.ts'),
  readFileSync(join(root, 'devkit.config.ts'), 'utf8').replace("'guestbook'", "'guestbook-bench'"),
)
const run = (...args: string[]) => devkit(packed.bin, args, { cwd: scratch, env })
try {
  print(await bench(Number(count ?? defaults[name])))
} finally {
  await using last = run('down', '--yes')
  await last.exited
  packed.remove()
  rmSync(scratch, { recursive: true, force: true })
}

/** `--help` and `--version`, beside a Node that does nothing. */
async function start(n: number): Promise<readonly Row[]> {
  const rows = {
    'node -e 0': ['-e', '0'],
    'devkit --version': [packed.bin, '--version'],
    'devkit --help': [packed.bin, '--help'],
  }
  const ms = Object.keys(rows).map((): number[] => [])
  // one of each in turn: a busy second hits all alike
  for (let round = 0; round <= n; round++)
    for (const [index, args] of Object.values(rows).entries()) {
      const began = performance.now()
      spawnSync(process.execPath, args, { stdio: 'ignore', env })
      if (round > 0) ms[index]?.push(performance.now() - began)
    }
  return Object.keys(rows).map((what, index) => ({ what, ms: ms[index] ?? [] }))
}

/** A cold `up` with its phases, beside a bare `kind create cluster`; then a warm one. */
async function up(n: number): Promise<readonly Row[]> {
  const rows = new Map<string, number[]>()
  const add = (what: string, ms: number): void => void rows.set(what, [...(rows.get(what) ?? []), ms])
  const kind = (...args: string[]) =>
    execFileSync(settings.tools.kind, args, {
      stdio: 'ignore',
      env: { ...env, DOCKER_HOST: settings.engine, PATH: `${join(settings.tools.docker, '..')}:${env['PATH']}` },
    })
  for (let round = 0; round < n; round++) {
    const began = performance.now()
    kind('create', 'cluster', '--name', 'bench-bare', '--image', nodeImage, '--kubeconfig', join(scratch, 'bare'))
    add('kind create cluster, nothing else', performance.now() - began)
    kind('delete', 'cluster', '--name', 'bench-bare', '--kubeconfig', join(scratch, 'bare'))
    await timed('up, no cluster', add)
    for (let warm = 0; warm < 5; warm++) await timed('up, nothing changed', add)
    await using down = run('down', '--yes')
    await down.exited
  }
  return [...rows].map(([what, ms]) => ({ what, ms }))
}

async function timed(what: string, add: (what: string, ms: number) => void): Promise<void> {
  const began = performance.now()
  await using up = run('up')
  const code = await up.exited
  if (code !== 0) throw new Error(`up ended with ${code}: ${JSON.stringify(up.events.at(-2))}`)
  add(what, performance.now() - began)
  const phases = new Map<string, number>()
  for (const event of up.events) if (event.type === 'step.finished') phases.set(String(event['step']), Number(event['ms']))
  for (const [step, ms] of phases) add(`  ${what}: ${step}`, ms)
}

/** A save of the flagship → readable in the container, seen through the node; and → on the page. */
async function sync(n: number): Promise<readonly Row[]> {
  await timed('up', () => undefined)
  await using watch = run('watch')
  await watch.next('action', ({ reason }) => String(reason).startsWith('watching'))
  const status = JSON.parse(
    execFileSync(process.execPath, [packed.bin, 'status', '--json'], { cwd: scratch, env, encoding: 'utf8' }),
  ) as { services: { name: string; url?: string }[] }
  const url = status.services.find(({ name: service }) => service === 'web')?.url ?? ''
  const reader = await nodeReader()
  const file = join(scratch, 'examples/django/web/src/guestbook/greeting.py')
  const [inContainer, told, served]: [number[], number[], number[]] = [[], [], []]
  for (let round = -1; round < n; round++) {
    const text = `save ${round}`
    const began = performance.now()
    writeFileSync(file, `GREETING = "${text}"\n`)
    const read = reader.until(text).then(() => performance.now() - began)
    const event = await watch.next('synced')
    const readable = await read
    while (
      !(
        await fetch(url).then(
          (answer) => answer.text(),
          () => '',
        )
      ).includes(text)
    ) {}
    if (round < 0) continue
    inContainer.push(readable)
    told.push(Number(event['ms']))
    served.push(performance.now() - began)
  }
  await reader.close()
  return [
    { what: 'save → readable in the container, seen through the node', ms: inContainer },
    { what: 'save → acknowledged, as devkit says', ms: told },
    { what: 'save → served on the page', ms: served },
  ]
}

/** Reads the synced file in the container through the node, again and again, with one process: a look costs about a millisecond. */
async function nodeReader() {
  const { openEngine } = await import('../../src/host/engine.ts')
  const engine = await openEngine(settings.engine)
  const script =
    'IFS=; while read -r want; do while :; do for f in /proc/[0-9]*/root/app/src/guestbook/greeting.py; do if read -r line 2>/dev/null < "$f" && [[ $line == *"\\"$want\\""* ]]; then echo ok; break 2; fi; done; done; done'
  const stream = await engine.open('devkit-guestbook-bench-control-plane', ['bash', '-c', script], new AbortController().signal)
  return {
    until: async (text: string) => {
      stream.stdin.write(`${text}\n`)
      await once(stream.stdout, 'data')
    },
    close: () => stream[Symbol.asyncDispose](),
  }
}

function print(rows: readonly Row[]): void {
  const at = (ms: readonly number[], share: number): number =>
    ms.toSorted((a, b) => a - b)[Math.min(ms.length - 1, Math.floor(ms.length * share))] ?? Number.NaN
  const table = rows.map(({ what, ms }) => ({ what, n: ms.length, p50: Math.round(at(ms, 0.5)), p95: Math.round(at(ms, 0.95)) }))
  const width = Math.max(...table.map(({ what }) => what.length))
  say(`${'ms'.padEnd(width)}      n     p50     p95`)
  for (const { what, n, p50, p95 } of table)
    say(`${what.padEnd(width)}  ${String(n).padStart(5)} ${String(p50).padStart(7)} ${String(p95).padStart(7)}`)
  const machine = {
    cpus: cpus().length,
    model: cpus()[0]?.model,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
  }
  process.stdout.write(`${JSON.stringify({ bench: name, machine, rows: table })}\n`)
}
