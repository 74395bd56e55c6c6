import { expect, test } from 'vitest'
import type { Patient } from '../../../../src/deploy/diagnosis/facts.ts'
import { start } from '../../../../src/deploy/diagnosis/start.ts'
import type { KubeObject } from '../../../../src/lib/objects.ts'

const now = Date.parse('2026-01-01T12:00:00Z')
const bornAt = (seconds: number) => new Date(now - seconds * 1000).toISOString()

const web: KubeObject = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec: {} }
const pod = (seconds: number): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web-0', uid: 'one', creationTimestamp: bornAt(seconds) } },
  spec: { containers: [{ name: 'main' }] },
  status: {
    containerStatuses: [
      {
        ...{ name: 'main', image: 'shop/web', ready: false, restartCount: 0 },
        state: { waiting: { reason: 'CreateContainerError', message: 'failed to reserve container name' } },
      },
    ],
  },
})
const told = (seconds: number) => {
  const facts = {
    ...{ now, namespace: 'shop', warnings: () => [], kills: () => [], ends: () => [], known: () => [] },
    hasPassed: (since: number, ms: number) => now - since >= ms,
    where: (object: string) => object,
  }
  const patient = { workload: web, name: 'Deployment/web', pods: [pod(seconds)], replicaSet: undefined, facts } as unknown
  return start.flatMap((rule) => rule(patient as Patient) ?? [])
}

test('what the runtime says and nobody knows is told as it is (READY-106), once it has had time to do it again', () => {
  expect(told(5)).toEqual([])
  expect(told(20)).toMatchObject([
    {
      code: 'READY-106',
      message: 'The container main of Deployment/web cannot be created: failed to reserve container name.',
    },
  ])
})
