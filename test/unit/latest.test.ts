import { expect, test } from 'vitest'
import { Latest } from '../../src/lib/async.ts'

const overtaken = new Error('overtaken')

/** A piece of work that ends when the test says so. */
function work(told: string[], name: string) {
  const end = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const run = async (signal: AbortSignal): Promise<void> => {
    told.push(`${name} begins`)
    begun.resolve()
    await end.promise
    told.push(`${name} ends${signal.reason === overtaken ? ', overtaken' : ''}`)
  }
  return { run, begun: begun.promise, end: end.resolve, fail: end.reject }
}

test('what is overtaken is told so and has ended before the next begins', async () => {
  const told: string[] = []
  const latest = new Latest()
  const [one, two] = [work(told, 'one'), work(told, 'two')]
  const first = latest.start('web', one.run, overtaken)
  await one.begun
  const second = latest.start('web', two.run, overtaken)
  two.end()
  // as many turns as the second would need to begin too early
  for (let turn = 0; turn < 10; turn++) await Promise.resolve()
  one.end()
  await Promise.all([first, second])
  expect(told).toEqual(['one begins', 'one ends, overtaken', 'two begins', 'two ends'])
})

test('other names do not wait, and what failed keeps nothing from its turn', async () => {
  const told: string[] = []
  const latest = new Latest()
  const [one, two, other] = [work(told, 'one'), work(told, 'two'), work(told, 'other')]
  const first = latest.start('web', one.run, overtaken)
  other.end()
  await latest.start('jobs', other.run, overtaken)
  const second = latest.start('web', two.run, overtaken)
  one.fail(new Error('broken'))
  two.end()
  await expect(first).rejects.toThrow('broken')
  await second
  expect(told).toEqual(['one begins', 'other begins', 'other ends', 'two begins', 'two ends'])
})

test('what is ended is waited for; nothing to end is fine', async () => {
  const told: string[] = []
  const latest = new Latest()
  await latest.end('web', overtaken)
  const one = work(told, 'one')
  const first = latest.start('web', one.run, overtaken)
  await one.begun
  const ended = latest.end('web', overtaken).then(() => told.push('told'))
  one.end()
  await Promise.all([first, ended])
  expect(told).toEqual(['one begins', 'one ends, overtaken', 'told'])
})
