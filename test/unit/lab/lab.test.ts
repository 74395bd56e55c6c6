import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lastingEnv } from '../../lab/engine.ts'
import { locked } from '../../lab/lock.ts'
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
  const quiet = { say: () => undefined, signal }
  const first = locked(file, 'Another run', quiet, async () => {
    await release.promise
    order.push('first')
  })
  const say = (line: string): void => {
    said.push(line)
    waiting.resolve()
  }
  const second = locked(file, 'Another run', { say, signal }, async () => void order.push('second'))
  await waiting.promise
  release.resolve()
  await Promise.all([first, second])
  expect(order).toEqual(['first', 'second'])
  expect(said).toEqual([`Another run (pid ${process.pid}) is at work; waiting for it.`])
})

test('the lock of a process that is killed goes to one of those who wait, and to one at a time', async () => {
  const file = join(directory, 'lock')
  const hold = `import { locked } from ${JSON.stringify(join(import.meta.dirname, '../../lab/lock.ts'))}
await locked(${JSON.stringify(file)}, '', { say() {}, signal: new AbortController().signal }, () => new Promise(() => { console.log('held'); setInterval(() => {}, 1000) }))`
  const holder = spawn(process.execPath, ['--input-type=module', '--eval', hold], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(holder.stdout, 'data')
  let inside = 0
  let most = 0
  const told = Promise.withResolvers<void>()
  const waiters = Array.from({ length: 5 }, () =>
    locked(file, 'Another run', { say: () => told.resolve(), signal }, async () => {
      most = Math.max(most, ++inside)
      await new Promise(setImmediate)
      inside -= 1
    }),
  )
  await told.promise
  expect(most).toBe(0)
  holder.kill('SIGKILL')
  await Promise.all(waiters)
  expect(most).toBe(1)
})

test('a wait can be interrupted', async () => {
  const file = join(directory, 'lock')
  const release = Promise.withResolvers<void>()
  const holder = locked(file, 'Another run', { say: () => undefined, signal }, () => release.promise)
  const interrupt = new AbortController()
  const waiter = locked(
    file,
    'Another run',
    { say: () => interrupt.abort(new Error('enough')), signal: interrupt.signal },
    async () => undefined,
  )
  await expect(waiter).rejects.toThrow('enough')
  release.resolve()
  await holder
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

test('the engine outlives whoever starts it: it gets neither their marks nor their directories', () => {
  const own = { PATH: '/bin', HOME: '/home/ada', https_proxy: 'http://proxy:3128' }
  const theirs = { TMPDIR: '/tmp/run', TMP: '/tmp/run', PWD: '/tmp/run', DEVKIT_TEST: 'x', DOCKER_HOST: 'unix:///run/x.sock' }
  expect(lastingEnv({ ...own, ...theirs })).toEqual(own)
})
