import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openFiles } from '../../../src/host/hash-cache.ts'
import { absent } from '../../../src/sync/tree.ts'
import { WorkingTree } from '../../../src/sync/working-tree.ts'

let directory: string
let tree: WorkingTree

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'devkit-tree-'))
  mkdirSync(join(directory, 'pages/deep'), { recursive: true })
  for (const path of ['app', 'pages/a', 'pages/b', 'pages/deep/c']) writeFileSync(join(directory, path), path)
  const rule = { from: 'src', to: '/app', ignore: [], restart: 'none' as const, run: [] }
  tree = new WorkingTree([{ rule, from: directory, to: '/app', ignored: () => false }], openFiles())
  await tree.read()
})
afterEach(() => rmSync(directory, { recursive: true }))

const there = (): readonly string[] =>
  Array.from({ length: tree.paths.count }, (_, number) => number)
    .filter((number) => tree.wanted.get(number) !== absent)
    .map((number) => tree.paths.name(number))
    .sort()

test('the first event of a directory that was removed is enough: what was in it is gone', async () => {
  rmSync(join(directory, 'pages'), { recursive: true })
  const numbers = await tree.update([join(directory, 'pages/deep/c')])
  expect(numbers.map((number) => tree.paths.name(number))).toEqual(
    expect.arrayContaining(['/app/pages/a', '/app/pages/b', '/app/pages/deep/c']),
  )
  expect(there()).toEqual(['/app/app'])
})

test('of a file that was removed from a directory that stays, nothing else is touched', async () => {
  rmSync(join(directory, 'pages/a'))
  const numbers = await tree.update([join(directory, 'pages/a')])
  expect(numbers.map((number) => tree.paths.name(number))).toEqual(['/app/pages/a'])
  expect(there()).toEqual(['/app/app', '/app/pages/b', '/app/pages/deep/c'])
})
