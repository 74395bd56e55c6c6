import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { locked, startOf } from '../../lab/lock.ts'
import { recipeKey } from '../../lab/recipe.ts'
import { removeSettings, settingsFor, writeSettings } from '../../lab/settings.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'devkit-lab-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const signal = new AbortController().signal

test('two runs come one after the other, and the second says for whom it waits', async () => {
  const file = join(directory, 'lock')
  const said: string[] = []
  const order: string[] = []
  const release = Promise.withResolvers<void>()
  const waiting = Promise.withResolvers<void>()
  const first = locked(
    file,
    () => undefined,
    signal,
    async () => {
      await release.promise
      order.push('first')
    },
  )
  const second = locked(
    file,
    (line) => {
      said.push(line)
      waiting.resolve()
    },
    signal,
    async () => void order.push('second'),
  )
  await waiting.promise
  release.resolve()
  await Promise.all([first, second])
  expect(order).toEqual(['first', 'second'])
  expect(said).toEqual([expect.stringContaining(`pid ${process.pid}`)])
})

test('the lock of a process that is gone, or whose pid is another’s now, is taken over', async () => {
  const file = join(directory, 'lock')
  for (const holder of [
    { pid: 2 ** 22 + 1, started: '1' },
    { pid: process.pid, started: `${startOf(process.pid)}0` },
  ]) {
    writeFileSync(file, JSON.stringify(holder))
    expect(
      await locked(
        file,
        () => undefined,
        signal,
        async () => 'mine',
      ),
    ).toBe('mine')
  }
})

test('the key follows the content and the names of the recipe', () => {
  writeFileSync(join(directory, 'a'), 'one')
  const before = recipeKey(directory)
  expect(recipeKey(directory)).toBe(before)
  writeFileSync(join(directory, 'a'), 'two')
  expect(recipeKey(directory)).not.toBe(before)
})

test('a settings file that somebody else wrote is neither overwritten nor removed', () => {
  const file = join(directory, 'machine.json')
  const places = { cache: '/c', runtime: '/r', settings: file }
  writeSettings(file, settingsFor(places, '/e', '/p'))
  expect(JSON.parse(readFileSync(file, 'utf8')).engine).toBe('unix:///r/docker.sock')
  removeSettings(file)
  writeFileSync(file, '{"engine":"unix:///mine"}')
  expect(() => writeSettings(file, settingsFor(places, '/e', '/p'))).toThrow('not written by the lab')
  removeSettings(file)
  expect(readFileSync(file, 'utf8')).toContain('mine')
})
