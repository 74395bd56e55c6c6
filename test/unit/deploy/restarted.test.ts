import { expect, test } from 'vitest'
import { untilLooked } from '../../../src/deploy/restarted.ts'
import { ApiFailure, type Kube } from '../../../src/kube/kube.ts'

const since = Date.parse('2026-01-01T12:00:00Z')
const pod = (startedAt: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', uid: 'one' },
  status: {
    phase: 'Running',
    conditions: [{ type: 'Ready', status: 'True' }],
    containerStatuses: [{ state: { running: { startedAt } } }],
  },
})

/** Answers the first time as one who may nothing, as a server does that has just begun. */
function beginning(...answers: readonly (readonly object[])[]): Pick<Kube, 'list'> {
  const left = [...answers]
  let asked = 0
  return {
    list: async ({ namespace }) => {
      if (asked++ === 0) throw new ApiFailure(403, 'Forbidden', 'pods is forbidden: User "kubernetes-admin" cannot list')
      return (namespace === 'shop' ? (left.length > 1 ? left.shift() : left[0]) : []) as never
    },
  }
}

test('a server that begins and knows of no rights is asked again; pods from before the restart are waited for', async () => {
  let waits = 0
  const looked = (kube: Pick<Kube, 'list'>) =>
    untilLooked(kube as Kube, { namespace: 'shop', since, onWait: () => waits++ }, new AbortController().signal)
  expect(await looked(beginning([pod('2026-01-01T12:00:01Z')]))).toBe(false)
  expect(waits).toBe(0)
  expect(await looked(beginning([pod('2026-01-01T11:00:00Z')], [pod('2026-01-01T11:00:00Z')], []))).toBe(true)
  expect(waits).toBe(1)
})
