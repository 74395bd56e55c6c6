/**
 * `npm test`: checks (types, lint), then the layers unit, contract and e2e, with their own set-up; `npm test -- unit` runs one.
 * One run at a time on a machine. The names of failed tests come last but one; the last line is `N passed, N failed`.
 */
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { journalVariable, told } from './journal.ts'
import { labUp } from './lab/lab.ts'
import { removeLeftovers, testRunMark } from './lab/leftovers.ts'
import { locked, startOf } from './lab/lock.ts'
import { placesOf } from './lab/places.ts'
import { LabProblem, type Voice } from './lab/run.ts'

const root = join(import.meta.dirname, '..')
const layers = ['unit', 'contract', 'e2e'] as const
type Layer = (typeof layers)[number]
/** Minutes after which a layer is taken for hung and killed. */
const limits: Readonly<Record<string, number>> = { tsc: 5, biome: 5, unit: 10, contract: 30, e2e: 40 }

/** How a part of the run came out. A failure is its name and the first lines of why. */
interface Outcome {
  readonly passed: number
  readonly skipped: number
  readonly failures: readonly string[]
}

const interrupt = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(name, () => interrupt.abort(new LabProblem('Interrupted.', 'Run it again: what this run left is removed then.')))
const voice: Voice = { say: (line) => void process.stderr.write(`${line}\n`), signal: interrupt.signal }
process.exitCode = await main(process.argv.slice(2))

async function main(asked: readonly string[]): Promise<number> {
  const unknown = asked.find((name) => !(layers as readonly string[]).includes(name))
  if (unknown !== undefined) {
    process.stderr.write(`There is no test layer '${unknown}'. Say unit, contract or e2e.\n`)
    return 2
  }
  const outcomes: Outcome[] = []
  try {
    const lock = join(placesOf(process.env).cache, 'test-lock')
    await locked(lock, 'Another `npm test`', voice, () => layersOf(asked as readonly Layer[], outcomes))
  } catch (thrown) {
    // whatever happens, the last line tells
    outcomes.push(failed('npm test', thrown))
  }
  const sum = (count: (outcome: Outcome) => number): number => outcomes.reduce((total, outcome) => total + count(outcome), 0)
  const [passed, skipped, failures] = [
    sum((one) => one.passed),
    sum((one) => one.skipped),
    outcomes.flatMap((one) => one.failures),
  ]
  if (failures.length > 0) process.stdout.write(`\nFailed:\n${failures.join('\n')}\n\n`)
  process.stdout.write(`${passed} passed, ${failures.length} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`)
  return interrupt.signal.aborted ? 130 : failures.length === 0 ? 0 : 1
}

async function layersOf(asked: readonly Layer[], outcomes: Outcome[]): Promise<void> {
  const scratch = makeScratch()
  const timed = async (name: string, work: () => Promise<Outcome>): Promise<void> => {
    interrupt.signal.throwIfAborted()
    const began = Date.now()
    const outcome = await work().catch((thrown: unknown) => failed(name, thrown))
    const sign = outcome.failures.length === 0 ? '✓' : '✗'
    process.stdout.write(`${sign} ${name} in ${((Date.now() - began) / 1000).toFixed(1)} s\n`)
    outcomes.push(outcome)
  }
  try {
    if (asked.length === 0) {
      await timed('tsc', () => check('tsc', ['--noEmit']))
      await timed('biome', () => check('biome', ['check', '.']))
    }
    const wanted = asked.length === 0 ? layers : layers.filter((layer) => asked.includes(layer))
    for (const layer of wanted) {
      if (layer === 'unit') await timed(layer, () => runLayer(layer, scratch))
      else
        await timed(layer, async () => {
          const places = placesOf(process.env)
          await removeLeftovers(await labUp(voice, places), places, voice)
          return runLayer(layer, scratch)
        })
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** A directory for the temp files of all tests. Those of runs that are dead go. Short: sockets below it have short paths. */
function makeScratch(): string {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith('dk-'))) {
    const [, pid = '', started] = name.split('-')
    if (startOf(Number(pid)) !== started) rmSync(join(tmpdir(), name), { recursive: true, force: true })
  }
  const scratch = join(tmpdir(), `dk-${process.pid}-${startOf(process.pid)}`)
  mkdirSync(scratch, { recursive: true })
  // tests run the program as other users too
  chmodSync(scratch, 0o755)
  return scratch
}

async function check(name: 'tsc' | 'biome', args: readonly string[]): Promise<Outcome> {
  const status = await run(name, name, args, {})
  return {
    passed: status === 0 ? 1 : 0,
    skipped: 0,
    failures: status === 0 ? [] : [`✗ ${name}: ended with ${status}, see above`],
  }
}

interface Report {
  readonly numPassedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: readonly {
      readonly status: string
      readonly fullName: string
      readonly failureMessages: readonly string[]
    }[]
  }[]
}

async function runLayer(layer: Layer, scratch: string): Promise<Outcome> {
  const file = join(scratch, `${layer}.json`)
  // a layer may be several projects, whose names begin with its own
  const journal = join(scratch, `${layer}.journal`)
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`, '--reporter=./test/journal.ts']
  const status = await run(layer, 'vitest', ['run', '--project', `${layer}*`, ...reporters], {
    TMPDIR: scratch,
    [journalVariable]: journal,
  })
  let report: Report
  try {
    report = JSON.parse(readFileSync(file, 'utf8')) as Report
  } catch {
    return unreported(layer, status, journal)
  }
  const failures = report.testResults.flatMap(({ name, status: state, message, assertionResults }) => {
    const where = name.replace(`${root}/`, '')
    const tests = assertionResults
      .filter((test) => test.status === 'failed')
      .map((test) => failure(`${where}: ${test.fullName}`, test.failureMessages[0] ?? ''))
    // a file that does not load, or whose hooks fail, may fail without a failed test
    return tests.length === 0 && state === 'failed' ? [failure(where, message)] : tests
  })
  // an error outside every test fails the run without a failed test
  if (status !== 0 && failures.length === 0) failures.push(`✗ ${layer}: vitest ended with ${status}, see above`)
  return { passed: report.numPassedTests, skipped: report.numPendingTests + report.numTodoTests, failures }
}

/** How a layer came out that was ended before it could report: what it had done by then, and what it was at. */
function unreported(layer: Layer, status: number | string, journal: string): Outcome {
  const { passed, skipped, failed, at } = told(existsSync(journal) ? readFileSync(journal, 'utf8') : '')
  const end = `✗ ${layer}: vitest ended with ${status} and no report`
  return {
    passed,
    skipped,
    failures: [
      ...failed.map((name) => `✗ ${name}`),
      at.length > 0
        ? [`${end}; it was at`, ...at.map((name) => `    ${name}`)].join('\n')
        : `${end}; none of its tests was running`,
    ],
  }
}

function failure(name: string, message: string): string {
  const lines = stripVTControlCharacters(message)
    .trim()
    .split('\n')
    .filter((line) => !line.includes('/node_modules/'))
  return [`✗ ${name}`, ...lines.slice(0, 6).map((line) => `    ${line.slice(0, 300)}`)].join('\n')
}

function failed(name: string, thrown: unknown): Outcome {
  const message =
    thrown instanceof LabProblem
      ? `${thrown.message}\n→ ${thrown.hint}`
      : thrown instanceof Error
        ? (thrown.stack ?? thrown.message)
        : String(thrown)
  return { passed: 0, skipped: 0, failures: [failure(name, message)] }
}

/** Runs a program of node_modules to its end: its exit code, or the signal that ended it. */
function run(part: string, name: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number | string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, binary(name)), ...args], {
      cwd: root,
      env: { ...process.env, ...env, [testRunMark]: placesOf(process.env).cache },
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    const hung = setTimeout(
      () => {
        process.stderr.write(`${part} has not ended after ${limits[part]} min: it is killed.\n`)
        child.kill('SIGKILL')
      },
      (limits[part] ?? 10) * 60_000,
    )
    const end = (): void => void child.kill('SIGINT')
    interrupt.signal.addEventListener('abort', end, { once: true })
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(hung)
      interrupt.signal.removeEventListener('abort', end)
      resolve(code ?? signal ?? 'nothing')
    })
  })
}

function binary(name: string): string {
  const owner = { tsc: 'typescript', biome: '@biomejs/biome', vitest: 'vitest' }[name] ?? name
  const { bin } = JSON.parse(readFileSync(join(root, 'node_modules', owner, 'package.json'), 'utf8')) as {
    bin: string | Record<string, string>
  }
  return join('node_modules', owner, typeof bin === 'string' ? bin : (bin[name] ?? ''))
}
