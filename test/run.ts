/**
 * `npm test`: checks (types, lint), then the layers unit, contract and e2e, with their own set-up; `npm test -- unit` runs one.
 * The last line is `N passed, N failed`.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const layers = ['unit', 'contract', 'e2e'] as const
const asked = process.argv.slice(2)
const unknown = asked.find((name) => !(layers as readonly string[]).includes(name))
if (unknown !== undefined) {
  process.stderr.write(`There is no test layer '${unknown}'. Say unit, contract or e2e.\n`)
  process.exit(2)
}

interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly success: boolean
}

let passed = 0
let failed = 0
let skipped = 0
const scratch = mkdtempSync(join(tmpdir(), 'devkit-test-'))
try {
  if (asked.length === 0)
    for (const [name, ...args] of [
      ['tsc', '--noEmit'],
      ['biome', 'check', '.'],
    ] as const)
      count(name, run(name, args) === 0)
  for (const layer of asked.length === 0 ? layers : asked) {
    const file = join(scratch, `${layer}.json`)
    const status = run('vitest', [
      'run',
      '--project',
      layer,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${file}`,
    ])
    const report = JSON.parse(readFileSync(file, 'utf8')) as Report
    passed += report.numPassedTests
    failed += report.numFailedTests
    skipped += report.numPendingTests
    // a file that does not load, or an error outside a test, fails the run without a failed test
    if (status !== 0 && report.numFailedTests === 0) failed += 1
  }
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`)
process.exitCode = failed === 0 ? 0 : 1

function run(name: string, args: readonly string[]): number | null {
  return spawnSync(process.execPath, [join(root, binary(name)), ...args], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
    .status
}

function binary(name: string): string {
  const owner = { tsc: 'typescript', biome: '@biomejs/biome', vitest: 'vitest' }[name] ?? name
  const { bin } = JSON.parse(readFileSync(join(root, 'node_modules', owner, 'package.json'), 'utf8')) as {
    bin: string | Record<string, string>
  }
  return join('node_modules', owner, typeof bin === 'string' ? bin : (bin[name] ?? ''))
}

function count(name: string, good: boolean): void {
  if (good) passed += 1
  else failed += 1
  process.stdout.write(`${good ? '✓' : '✗'} ${name}\n`)
}
