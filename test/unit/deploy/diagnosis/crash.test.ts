import { expect, test } from 'vitest'
import { crashes } from '../../../../src/deploy/diagnosis/crash.ts'
import type { Facts, Warning } from '../../../../src/deploy/diagnosis/facts.ts'
import type { KubeObject } from '../../../../src/lib/objects.ts'

const now = Date.parse('2026-01-01T12:00:00Z')
const ago = (seconds: number): string => new Date(now - seconds * 1000).toISOString()

/** What is told of a container that was killed so many seconds ago. */
function killed(
  seconds: number,
  probe: object,
  kills: readonly Partial<Warning>[] = [],
  seen: { readonly ends?: readonly object[]; readonly warnings?: readonly object[] } = {},
): readonly string[] {
  const terminated = { exitCode: 137, reason: 'Error', startedAt: ago(seconds + 5), finishedAt: ago(seconds) }
  const status = { name: 'main', image: 'shop/web', ready: false, restartCount: 2, lastState: { terminated } }
  const pod: KubeObject = {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web-0', uid: 'one', creationTimestamp: ago(60) } },
    spec: { containers: [{ name: 'main', ...probe }] },
    status: { containerStatuses: [{ ...status, state: { waiting: { reason: 'CrashLoopBackOff' } } }] },
  }
  const workload: KubeObject = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec: {} }
  const facts = {
    ...{
      now,
      namespace: 'shop',
      manifests: [],
      warnings: () => seen.warnings ?? [],
      ends: () => seen.ends ?? [],
      known: () => [],
      lacking: () => [],
    },
    ...{ kills: () => kills, hasPassed: (since: number, ms: number) => now - since >= ms, where: (object: string) => object },
    ...{ tail: () => undefined, onTheirWay: () => [], isAnythingOnItsWay: () => false },
  } as unknown as Facts
  const patient = { workload, name: 'Deployment/web', pods: [pod], replicaSet: undefined, facts }
  return crashes.flatMap((rule) => rule(patient) ?? []).map(({ severity, code }) => `${severity} ${code}`)
}

const liveness = { livenessProbe: { httpGet: { path: '/live', port: 8080 } } }

test('a kill that the kubelet may have made is told as one from outside only when it has told nothing for long', () => {
  expect(killed(2, {})).toEqual(['failure READY-129'])
  for (const asks of [liveness, { lifecycle: { postStart: { exec: { command: ['true'] } } } }]) {
    expect(killed(2, asks)).toEqual([])
    expect(killed(12, asks)).toEqual(['warning READY-129'])
    expect(killed(61, asks)).toEqual(['failure READY-129'])
  }
  const message = 'Container main failed liveness probe, will be restarted'
  expect(killed(12, liveness, [{ reason: 'Killing', message, container: 'main', at: now - 12_000 }])).toEqual([])
})

test('what the kubelet kills since its hook fails is counted however it ended', () => {
  const hook = { lifecycle: { postStart: { httpGet: { port: 8080, path: '/warm' } } } }
  const warnings = [{ reason: 'FailedPostStartHook', message: 'PostStartHook failed', count: 3, from: now - 60_000, at: now }]
  const ends = [137, 143, 137].map((exitCode) => ({ exitCode, pod: 'web-0', container: 'main', tail: [] }))
  expect(killed(2, hook, [], { ends, warnings })).toEqual(['failure READY-131'])
})
