import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { figureOf, percentile, table } from '../../bench/figures.ts'
import { differences, treeHere } from '../../bench/tree.ts'

const scratch = mkdtempSync(join(tmpdir(), 'devkit-figures-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

test('percentiles are values that were measured, by nearest rank', () => {
  const values = Array.from({ length: 20 }, (_, index) => 20 - index)
  expect([0.5, 0.95, 1].map((share) => percentile(values, share))).toEqual([10, 19, 20])
  expect(percentile([7], 0.95)).toBe(7)
})

test('a target is kept when each of its bounds is', () => {
  const row = { id: 'save', what: 'a save', unit: 'ms', values: [10, 20, 60] } as const
  expect(figureOf({ ...row, target: { p50: 20, p95: 60 } }).kept).toBe(true)
  expect(figureOf({ ...row, target: { p50: 20, p95: 50 } }).kept).toBe(false)
  expect(figureOf({ ...row, target: { least: 11 } }).kept).toBe(false)
  expect(figureOf(row).kept).toBeUndefined()
  // a save that never came is worse than any bound
  expect(figureOf({ ...row, values: [10, Number.POSITIVE_INFINITY], target: { p95: 100 } }).kept).toBe(false)
  expect(table([figureOf({ ...row, target: { p95: 50 } })])).toMatch(/a save +3 +20 +60 +60 +ms +p95 ≤ 50 +✗$/)
})

test('a difference of content, mode, link or existence is seen; what programs generate is not', () => {
  const [a, b] = [join(scratch, 'a'), join(scratch, 'b')]
  for (const [root, text, mode, link] of [
    [a, 'one', 0o644, 'same'],
    [b, 'two', 0o755, 'other'],
  ] as const) {
    mkdirSync(join(root, 'deep/__pycache__'), { recursive: true })
    writeFileSync(join(root, 'same'), 'same')
    writeFileSync(join(root, 'deep/content'), text)
    writeFileSync(join(root, 'mode'), 'mode', { mode })
    symlinkSync(link, join(root, 'link'))
    writeFileSync(join(root, 'deep/__pycache__/x.pyc'), text)
  }
  writeFileSync(join(a, 'only'), '')
  expect(
    differences(treeHere(a), treeHere(b))
      .map((what) => what.split(':')[0])
      .toSorted(),
  ).toEqual(['deep/content', 'link', 'mode', 'only'])
  expect(differences(treeHere(a), treeHere(a))).toEqual([])
})
