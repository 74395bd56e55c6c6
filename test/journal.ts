/**
 * A reporter that writes down as it happens what each test file, hook and test has come to, so that a run which is killed can still tell
 * what passed and what it hung in. One JSON line a change: an {@link Entry}; the last one of a name counts.
 */
import { appendFileSync } from 'node:fs'
import type { Reporter, TestCase, TestModule } from 'vitest/node'

/** What a journal tells: how many tests passed and were skipped, the names of those that failed, and what ran when it ends. */
export interface Told {
  readonly passed: number
  readonly skipped: number
  readonly failed: readonly string[]
  /** Hooks and tests; files, where none of these ran (one that is being loaded). */
  readonly at: readonly string[]
}

/** Reads what {@link Journal} wrote; of a last line that a kill cut short, nothing is kept. */
export function told(text: string): Told {
  const entries = text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Entry)
  const last = [...new Map(entries.map((entry) => [`${entry.kind} ${entry.name}`, entry])).values()]
  const named = (state: Entry['state'], ...kinds: readonly Entry['kind'][]): string[] =>
    last.filter((entry) => entry.state === state && kinds.includes(entry.kind)).map(({ name }) => name)
  const within = named('running', 'hook', 'test')
  return {
    passed: named('passed', 'test').length,
    skipped: named('skipped', 'test').length,
    failed: named('failed', 'test'),
    at: within.length > 0 ? within : named('running', 'file'),
  }
}

/** What a file, a hook or a test has come to. `name` begins with the file's path. */
export interface Entry {
  readonly kind: 'file' | 'hook' | 'test'
  readonly name: string
  readonly state: 'running' | 'passed' | 'failed' | 'skipped'
}

/** The environment variable that names the file to write to; without it nothing is written. */
export const journalVariable = 'DEVKIT_TEST_JOURNAL'

/** Vitest makes it from this file's path. */
export default class Journal implements Reporter {
  readonly #file = process.env[journalVariable]

  onTestModuleStart(file: TestModule): void {
    this.#write('file', file.relativeModuleId, 'running')
  }

  onTestModuleEnd(file: TestModule): void {
    this.#write('file', file.relativeModuleId, file.state() === 'failed' ? 'failed' : 'passed')
  }

  onHookStart({ entity, name }: Parameters<NonNullable<Reporter['onHookStart']>>[0]): void {
    this.#write('hook', hookName(entity, name), 'running')
  }

  onHookEnd({ entity, name }: Parameters<NonNullable<Reporter['onHookEnd']>>[0]): void {
    this.#write('hook', hookName(entity, name), 'passed')
  }

  onTestCaseReady(test: TestCase): void {
    this.#write('test', testName(test), 'running')
  }

  onTestCaseResult(test: TestCase): void {
    const { state } = test.result()
    this.#write('test', testName(test), state === 'pending' ? 'running' : state)
  }

  #write(kind: Entry['kind'], name: string, state: Entry['state']): void {
    if (this.#file !== undefined) appendFileSync(this.#file, `${JSON.stringify({ kind, name, state } satisfies Entry)}\n`)
  }
}

function testName(test: TestCase): string {
  return `${test.module.relativeModuleId}: ${test.fullName}`
}

function hookName(entity: Parameters<NonNullable<Reporter['onHookStart']>>[0]['entity'], name: string): string {
  const where = entity.type === 'module' ? entity.relativeModuleId : `${entity.module.relativeModuleId}: ${entity.fullName}`
  return `${where}: ${name}`
}
