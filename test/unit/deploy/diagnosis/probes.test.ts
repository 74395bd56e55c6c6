import { describe, expect, test } from 'vitest'
import type { Facts, Patient, Warning } from '../../../../src/deploy/diagnosis/facts.ts'
import { probeKills, probes } from '../../../../src/deploy/diagnosis/probes.ts'
import type { Verdict } from '../../../../src/deploy/diagnosis/verdict.ts'
import type { KubeObject } from '../../../../src/lib/objects.ts'

const start = Date.parse('2026-01-01T00:00:00Z')
const at = (seconds: number): number => start + seconds * 1000
const time = (seconds: number): string => new Date(at(seconds)).toISOString()

interface Told {
  readonly container?: object
  readonly status?: object
  readonly conditions?: readonly object[]
  readonly pod?: object
  readonly warnings?: readonly Partial<Warning>[]
  readonly kills?: readonly Partial<Warning>[]
  readonly now: number
  readonly open?: readonly number[]
  readonly lacking?: readonly string[]
  readonly isAnythingOnItsWay?: boolean
  readonly workload?: object
}

function look(told: Told): Verdict | undefined {
  const readinessProbe = { httpGet: { path: '/ready', port: 8080 }, periodSeconds: 1 }
  const container = { name: 'main', readinessProbe, ...told.container }
  const containerStatuses = [
    {
      name: 'main',
      image: 'web:1',
      ready: false,
      started: true,
      restartCount: 0,
      state: { running: { startedAt: time(0) } },
      ...told.status,
    },
  ]
  const pod: KubeObject = {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web-1', uid: 'pod', creationTimestamp: time(0) } },
    spec: { containers: [container], ...told.pod },
    status: { containerStatuses, conditions: told.conditions ?? [] },
  }
  const workload = {
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', uid: 'web' } },
    spec: { template: { spec: { containers: [container] } } },
    ...told.workload,
  }
  const event = (one: Partial<Warning>): Warning => ({
    ...{ reason: 'Unhealthy', message: '', container: 'main', count: 1, from: at(1), at: at(told.now) },
    ...one,
  })
  const newest = (list: readonly Partial<Warning>[] = []): readonly Warning[] => list.map(event).toSorted((a, b) => b.at - a.at)
  const facts: Facts = {
    ...({ ends: () => [], known: () => [], tail: () => undefined } as unknown as Facts),
    ...{ now: at(told.now), namespace: 'shop' },
    warnings: () => newest(told.warnings),
    kills: () => newest(told.kills),
    hasPassed: (since, ms) => at(told.now) - since >= ms,
    openPorts: () => told.open,
    where: (object, path = []) => `${object} at ${path.join('.')}`,
    lacking: () => told.lacking ?? [],
    isAnythingOnItsWay: () => told.isAnythingOnItsWay ?? false,
  }
  const patient: Patient = { workload, name: 'Deployment/web', pods: [pod], replicaSet: undefined, facts }
  return [...probeKills, ...probes].flatMap((rule) => rule(patient) ?? [])[0]
}

const answered = (status: number): string => `Readiness probe failed: HTTP probe failed with statuscode: ${status}`
const refused = 'Readiness probe failed: Get "http://10.0.0.1:8080/ready": dial tcp 10.0.0.1:8080: connect: connection refused'
const late = 'Readiness probe failed: Get "http://10.0.0.1:8080/ready": context deadline exceeded'

describe('a readiness probe that fails', () => {
  test.each([
    ['404', answered(404), 5, 'warning'],
    ['404', answered(404), 11, 'failure'],
    ['500', answered(500), 29, 'warning'],
    ['500', answered(500), 31, 'failure'],
    ['503', answered(503), 3600, 'warning'],
    ['429', answered(429), 3600, 'warning'],
    ['refused', refused, 3600, 'warning'],
    ['late', late, 60, 'warning'],
    ['late', late, 61, 'failure'],
  ])('%s: %s after %i s is a %s', (_, message, now, severity) => {
    expect(look({ warnings: [{ message }], now })?.severity).toBe(severity)
  })

  test('is borne for some tries, however long those take', () => {
    const container = { readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 30 } }
    expect(look({ container, warnings: [{ message: answered(404) }], now: 60 })?.severity).toBe('warning')
    expect(look({ container, warnings: [{ message: answered(404) }], now: 61 })?.severity).toBe('failure')
  })

  test('begins anew with each other answer', () => {
    const warnings = [
      { message: answered(404), from: at(1), at: at(40) },
      { message: refused, from: at(1), at: at(35) },
    ]
    expect(look({ warnings, now: 40 })?.severity).toBe('warning')
    expect(look({ warnings, now: 46 })?.severity).toBe('failure')
  })

  test('begins anew when the container was ready meanwhile', () => {
    const conditions = [{ type: 'ContainersReady', status: 'False', lastTransitionTime: time(300) }]
    expect(look({ warnings: [{ message: answered(500) }], conditions, now: 305 })).toBeUndefined()
    expect(look({ warnings: [{ message: answered(500) }], conditions, now: 311 })?.severity).toBe('warning')
  })

  test('says nothing of what every program does until it has started', () => {
    expect(look({ warnings: [{ message: refused, from: at(1), at: at(9) }], now: 9 })).toBeUndefined()
    expect(look({ warnings: [{ message: refused, from: at(1), at: at(12) }], now: 12 })?.severity).toBe('warning')
  })

  test('says nothing of the instance before', () => {
    const status = { restartCount: 1, state: { running: { startedAt: time(100) } } }
    expect(look({ warnings: [{ message: answered(404), at: at(90) }], status, now: 101 })).toBeUndefined()
  })

  test('says nothing once the container is ready', () => {
    expect(look({ warnings: [{ message: answered(404) }], status: { ready: true }, now: 60 })).toBeUndefined()
  })

  test('says nothing of another container', () => {
    expect(look({ warnings: [{ message: answered(404), container: 'sidecar' }], now: 60 })).toBeUndefined()
  })

  test('waits for what its program lacks, and for what may be coming', () => {
    const warnings = [{ message: answered(500) }]
    expect(look({ warnings, now: 60, lacking: ['StatefulSet/db'] })).toMatchObject({
      severity: 'warning',
      waitsFor: ['StatefulSet/db'],
    })
    expect(look({ warnings, now: 60, isAnythingOnItsWay: true })?.severity).toBe('warning')
  })

  test('waits for nobody when nobody can mend it', () => {
    const warnings = [{ message: answered(404) }]
    expect(look({ warnings, now: 60, lacking: ['StatefulSet/db'], isAnythingOnItsWay: true })?.severity).toBe('failure')
  })

  test('is a failure when the time is over that the Deployment gives itself', () => {
    const progressing = { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }
    expect(
      look({ warnings: [{ message: refused }], now: 700, workload: { status: { conditions: [progressing] } } })?.severity,
    ).toBe('failure')
  })
})

describe('a program that is refused', () => {
  const warnings = [{ message: refused }]
  const seen = (ports: readonly number[], open: readonly number[], now: number) =>
    look({ container: { ports: ports.map((containerPort) => ({ containerPort })) }, warnings, open, now })

  test('and listens at the port that its container says is told soon', () => {
    expect(seen([3000], [3000], 6)).toMatchObject({ code: 'READY-141', severity: 'failure' })
    expect(seen([3000], [3000], 6)?.message).toContain('nothing listens on port 8080, its program listens on 3000')
  })

  test('and listens at a port that nobody spoke of is given more time', () => {
    expect(seen([], [3000], 30)?.severity).toBe('warning')
    expect(seen([], [3000], 31)?.severity).toBe('failure')
  })

  test('and listens only inside is given as much: databases do so while they are set up', () => {
    expect(seen([8080], [8080], 30)?.severity).toBe('warning')
    expect(seen([8080], [8080], 31)).toMatchObject({ code: 'READY-141', severity: 'failure' })
    expect(seen([8080], [8080], 31)?.message).toContain('its program listens on port 8080 only at 127.0.0.1')
  })

  test('and serves its metrics already may come to its other port', () => {
    expect(seen([8080, 9090], [9090], 3600)).toMatchObject({ severity: 'warning' })
    expect(seen([8080, 9090], [9090], 3600)?.message).toContain('nothing listens on port 8080.')
  })

  test('may listen at a port of another container for all that is known', () => {
    const other = { name: 'proxy', ports: [{ containerPort: 3000 }] }
    const main = { name: 'main', readinessProbe: { httpGet: { port: 8080 }, periodSeconds: 1 } }
    expect(look({ pod: { containers: [main, other] }, warnings, open: [], now: 60 })?.severity).toBe('warning')
  })
})

describe('a startup probe that fails', () => {
  const container = { startupProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1, failureThreshold: 600 } }
  const status = { started: false }

  test('is nothing while it has tries left, when the program may only be slow', () => {
    const message = refused.replace('Readiness', 'Startup')
    expect(look({ container, status, warnings: [{ message }], now: 500 })).toBeUndefined()
  })

  test('is a warning and no failure when time rarely mends it', () => {
    const message = answered(404).replace('Readiness', 'Startup')
    expect(look({ container, status, warnings: [{ message }], now: 500 })).toMatchObject({
      code: 'READY-142',
      severity: 'warning',
    })
  })
})

describe('a container that is killed for a probe', () => {
  const container = { livenessProbe: { httpGet: { path: '/live', port: 8080 }, periodSeconds: 1, failureThreshold: 2 } }
  const message = 'Container main failed liveness probe, will be restarted'
  const warnings = [{ message: answered(500).replace('Readiness', 'Liveness') }]
  const kills = (count: number) => [{ reason: 'Killing', message, count, from: at(3), at: at(20) }]
  const waiting = { restartCount: 2, state: { waiting: { reason: 'CrashLoopBackOff' } } }

  test('is a warning at first and a failure at the third kill', () => {
    const first = look({ container, warnings, kills: kills(1), status: waiting, now: 20 })
    expect(first).toMatchObject({ code: 'READY-140', severity: 'warning' })
    expect(first?.evidence).toEqual([
      'Liveness probe failed: HTTP probe failed with statuscode: 500',
      'killed once: Container main failed liveness probe',
    ])
    expect(look({ container, warnings, kills: kills(3), status: waiting, now: 20 })?.severity).toBe('failure')
  })

  test('is the problem of what it lacks', () => {
    expect(look({ container, warnings, kills: kills(3), status: waiting, lacking: ['StatefulSet/db'], now: 20 })).toMatchObject({
      severity: 'warning',
      waitsFor: ['StatefulSet/db'],
    })
  })

  test('is over when the next instance lives on', () => {
    const running = { restartCount: 3, state: { running: { startedAt: time(21) } } }
    const before = warnings.map((one) => ({ ...one, at: at(20) }))
    expect(look({ container, warnings: before, kills: kills(3), status: running, now: 22 })?.code).toBe('READY-140')
    expect(look({ container, warnings: before, kills: kills(3), status: running, now: 25 })).toBeUndefined()
    expect(look({ container, warnings, kills: kills(3), status: running, now: 25 })?.code).toBe('READY-140')
  })

  test('is not what a pod does that goes', () => {
    const stopping = [{ reason: 'Killing', message: 'Stopping container main' }]
    expect(look({ container, warnings, kills: stopping, status: waiting, now: 20 })).toBeUndefined()
  })
})

describe('a port that a probe names', () => {
  const probe = { readinessProbe: { httpGet: { path: '/', port: 'http' } } }
  test('is missing only where no port of the container has the name', () => {
    expect(look({ container: probe, now: 1 })).toMatchObject({ code: 'READY-147', severity: 'failure' })
    expect(look({ container: { ...probe, ports: [{ name: 'http', containerPort: 80 }] }, now: 1 })).toBeUndefined()
    expect(look({ container: { readinessProbe: { httpGet: { port: '80' } } }, now: 1 })).toBeUndefined()
  })

  test('is told once the container runs: what keeps it from that comes first', () => {
    expect(look({ container: probe, status: { state: { waiting: { reason: 'ContainerCreating' } } }, now: 1 })).toBeUndefined()
  })
})

describe('a readiness gate', () => {
  const pod = { readinessGates: [{ conditionType: 'example.com/balanced' }], containers: [{ name: 'main' }] }
  const ready = { type: 'ContainersReady', status: 'True', lastTransitionTime: time(0) }
  const status = { ready: true }

  test('that nobody sets is a failure after half a minute, when nobody is coming', () => {
    expect(look({ pod, status, conditions: [ready], now: 29 })?.severity).toBe('warning')
    expect(look({ pod, status, conditions: [ready], now: 30 })).toMatchObject({ code: 'READY-149', severity: 'failure' })
    expect(look({ pod, status, conditions: [ready], now: 30, isAnythingOnItsWay: true })?.severity).toBe('warning')
  })

  test('that somebody says no to stays a warning', () => {
    const no = { type: 'example.com/balanced', status: 'False' }
    expect(look({ pod, status, conditions: [ready, no], now: 600 })?.severity).toBe('warning')
  })

  test('that is met is nothing', () => {
    const yes = { type: 'example.com/balanced', status: 'True' }
    expect(look({ pod, status, conditions: [ready, yes], now: 600 })).toBeUndefined()
  })
})
