import { expect, test } from 'vitest'
import { Scope } from '../../src/lib/scope.ts'

test('closers run newest first, all of them, and their failure comes out', async () => {
  const scope = new Scope()
  const order: string[] = []
  scope.defer(() => void order.push('first'))
  scope.defer(() => {
    order.push('second')
    throw new Error('second failed')
  })
  scope.defer(async () => void order.push('third'))
  await expect(scope.close()).rejects.toThrow('second failed')
  expect(order).toEqual(['third', 'second', 'first'])
})

test('closing aborts the signal of the scope and of its children with the reason, before any closer runs', async () => {
  const scope = new Scope()
  const child = scope.child()
  const seen: unknown[] = []
  child.defer(() => void seen.push(child.signal.reason, scope.signal.reason))
  await scope.close('enough')
  expect(seen).toEqual(['enough', 'enough'])
})

test('a child that is closed is forgotten by its parent', async () => {
  const scope = new Scope()
  const child = scope.child()
  let closed = 0
  child.defer(() => void closed++)
  await child.close()
  await scope.close()
  expect(closed).toBe(1)
  expect(scope.signal.aborted).toBe(true)
})

test('what is deferred in a closing scope still runs before close resolves', async () => {
  const scope = new Scope()
  const order: string[] = []
  scope.defer(() => {
    scope.defer(() => void order.push('late'))
    order.push('early')
  })
  await scope.close()
  expect(order).toContain('early')
})
