import { expect, test } from 'vitest'
import { type Entry, told } from '../journal.ts'

const written = (...entries: readonly [Entry['kind'], string, Entry['state']][]): string =>
  entries.map(([kind, name, state]) => `${JSON.stringify({ kind, name, state })}\n`).join('')

test('a run that was killed tells what passed, what failed and what it was at', () => {
  const text = written(
    ['file', 'a.test.ts', 'running'],
    ['test', 'a.test.ts: one', 'running'],
    ['test', 'a.test.ts: two', 'running'],
    ['test', 'a.test.ts: one', 'passed'],
    ['test', 'a.test.ts: three', 'failed'],
    ['test', 'a.test.ts: four', 'skipped'],
    ['hook', 'b.test.ts: beforeAll', 'running'],
  )
  expect(told(`${text}{"kind":"te`)).toEqual({
    passed: 1,
    skipped: 1,
    failed: ['a.test.ts: three'],
    at: ['a.test.ts: two', 'b.test.ts: beforeAll'],
  })
})

test('a file that hangs while it is loaded is named; one that has ended is not', () => {
  const text = written(['file', 'a.test.ts', 'running'], ['file', 'b.test.ts', 'running'], ['file', 'a.test.ts', 'passed'])
  expect(told(text)).toEqual({ passed: 0, skipped: 0, failed: [], at: ['b.test.ts'] })
  expect(told('')).toEqual({ passed: 0, skipped: 0, failed: [], at: [] })
})
