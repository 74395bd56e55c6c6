import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { locksIn } from '../../../src/host/lock.ts'

const scratch = mkdtempSync(join(tmpdir(), 'devkit-lock-'))
const directory = join(scratch, 'state', 'locks')
const source = join(import.meta.dirname, '../../../src/host/lock.ts')
const self = (pid: number) => ({ what: `devkit number ${pid}`, pid, since: '2026-01-01T00:00:00.000Z', endsByItself: true })
const take = (pid: number, name = 'a') => locksIn(directory, self(pid))(name)

afterEach(() => rmSync(scratch, { recursive: true, force: true }))

async function held(taken: ReturnType<typeof take>): Promise<AsyncDisposable> {
  const lock = await taken
  if ('what' in lock) throw new Error(`${lock.what} has it`)
  return lock
}

test('the second is told who holds the lock, and gets it when the first lets go; nothing is left', async () => {
  const first = await held(take(1))
  expect(await take(2)).toEqual(self(1))
  const other = await held(take(3, 'b'))
  await first[Symbol.asyncDispose]()
  const second = await held(take(2))
  expect(await take(1)).toEqual(self(2))
  await second[Symbol.asyncDispose]()
  await other[Symbol.asyncDispose]()
  expect(readdirSync(scratch)).toEqual([])
})

test('a lock dies with the process that holds it, also by kill -9', async () => {
  const script = `const { locksIn } = await import(${JSON.stringify(source)})
    await locksIn(${JSON.stringify(directory)}, ${JSON.stringify(self(7))})('a')
    console.log('held')
    setInterval(() => undefined, 1000)`
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(holder.stdout, 'data')
  expect(await take(1)).toEqual(self(7))
  holder.kill('SIGSTOP')
  // one that is stopped holds it all the same
  expect(await take(1)).toMatchObject({ pid: undefined })
  holder.kill('SIGKILL')
  await once(holder, 'close')
  await using lock = await held(take(1))
  expect(lock).toBeDefined()
})

test('of many that come at once one gets it, also over a dead one', async () => {
  const holder = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `const { locksIn } = await import(${JSON.stringify(source)})
       await locksIn(${JSON.stringify(directory)}, ${JSON.stringify(self(7))})('a')
       process.kill(process.pid, 'SIGKILL')`,
    ],
    { stdio: 'inherit' },
  )
  await once(holder, 'close')
  const all = await Promise.all(Array.from({ length: 20 }, (_, index) => take(index)))
  const got = all.filter((one): one is AsyncDisposable => !('what' in one))
  expect(got).toHaveLength(1)
  await got[0]?.[Symbol.asyncDispose]()
  expect(readdirSync(scratch)).toEqual([])
})

test('a state directory that is too far down for a socket is no reason to go without', async () => {
  const deep = join(scratch, 'd'.repeat(120))
  const lock = await held(locksIn(deep, self(1))('a'))
  expect(await locksIn(deep, self(2))('a')).toEqual(self(1))
  await lock[Symbol.asyncDispose]()
})
