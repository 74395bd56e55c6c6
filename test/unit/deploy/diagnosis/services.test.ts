import { describe, expect, test } from 'vitest'
import type { End, Facts, Patient } from '../../../../src/deploy/diagnosis/facts.ts'
import { names, services } from '../../../../src/deploy/diagnosis/services.ts'
import type { Verdict } from '../../../../src/deploy/diagnosis/verdict.ts'
import type { KubeObject } from '../../../../src/lib/objects.ts'

const start = Date.parse('2026-01-01T00:00:00Z')
const at = (seconds: number): number => start + seconds * 1000
const time = (seconds: number): string => new Date(at(seconds)).toISOString()

const workload = (name: string, container: object = {}, labels: object = { app: name }): KubeObject => ({
  ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, uid: name, creationTimestamp: time(0) } },
  spec: { template: { metadata: { labels }, spec: { containers: [{ name: 'main', ...container }] } } },
})
const service = (name: string, selector: object, ports: readonly object[] = [{ port: 5432 }]): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'Service', metadata: { name, creationTimestamp: time(0) } },
  spec: { selector, ports },
})
const podOf = (name: string, status: object = {}): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: `${name}-1`, uid: `${name}-1`, labels: { app: name } } },
  spec: { containers: [{ name: 'main' }] },
  status: { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: time(0) }], ...status },
})

interface Told {
  readonly env?: Readonly<Record<string, string>>
  readonly lines?: readonly string[]
  readonly ends?: number
  /** Of the last end, where it is not as the others. */
  readonly last?: Partial<End>
  readonly runs?: boolean
  readonly there?: readonly KubeObject[]
  readonly now?: number
  readonly open?: readonly number[]
  readonly isAnythingOnItsWay?: boolean
  /** What is to be applied. */
  readonly manifests?: readonly KubeObject[]
}

function look({ env = {}, lines = [], ends = 3, runs = false, there = [], now = 60, ...told }: Told): Verdict | undefined {
  const web = workload('web', { env: Object.entries(env).map(([name, value]) => ({ name, value })) })
  const terminated = { exitCode: 1, startedAt: time(0), finishedAt: time(1) }
  const state = runs ? { running: { startedAt: time(0) } } : { waiting: { reason: 'CrashLoopBackOff' } }
  const status = { name: 'main', image: 'web:1', ready: false, restartCount: runs ? 0 : ends - 1, state }
  const pod = podOf('web', { containerStatuses: [{ ...status, ...(!runs && { lastState: { terminated } }) }] })
  const end: End = { ...terminated, pod: 'web-1', container: 'main', tail: lines }
  const all = [web, ...there]
  const facts: Facts = {
    ...({ warnings: () => [], kills: () => [], lacking: () => [], manifests: told.manifests ?? [] } as unknown as Facts),
    ...{ now: at(now), namespace: 'shop' },
    known: (_apiVersion, kind) => all.filter((one) => one.kind === kind),
    ends: () => (runs ? [] : Array.from({ length: ends }, (_, index) => (index === 0 ? { ...end, ...told.last } : end))),
    tail: () => lines,
    hasPassed: (since, ms) => at(now) - since >= ms,
    openPorts: () => told.open,
    where: (object, path = []) => `${object} at ${path.join('.')}`,
    isAnythingOnItsWay: () => told.isAnythingOnItsWay ?? false,
  }
  const patient: Patient = { workload: web, name: 'Deployment/web', pods: [pod], replicaSet: undefined, facts }
  return [...names, ...services].flatMap((rule) => rule(patient) ?? [])[0]
}

describe('a host that no Service answers', () => {
  const env = { PGHOST: 'postgress' }
  const lines = ['Error: getaddrinfo ENOTFOUND postgress']

  test('is told with the place of its name and the nearest that is there', () => {
    expect(look({ env, lines, there: [service('postgres', {})] })).toMatchObject({
      code: 'READY-157',
      severity: 'failure',
      hint: 'Write postgres in the place of postgress in Deployment/web at spec.template.spec.containers.0.env.0.',
    })
  })

  test('is a warning until its Service has had some seconds, and as long as something is coming', () => {
    expect(look({ env, lines, now: 5 })?.severity).toBe('warning')
    expect(look({ env, lines, now: 6 })?.severity).toBe('failure')
    expect(look({ env, lines, isAnythingOnItsWay: true })?.severity).toBe('warning')
  })

  test('is told by an end before where nothing of the last one could be read', () => {
    const there = [service('postgres', {})]
    expect(look({ env, lines, there, last: { tail: [] } })?.code).toBe('READY-157')
    expect(look({ env, lines, there, last: { tail: undefined } })?.code).toBe('READY-157')
    expect(look({ env, lines, there, last: { tail: ['no licence'] } })).toBeUndefined()
  })

  test.each(['api.example.com', 'db.other', 'localhost', 'db-0.db'])('is not %s', (host) => {
    expect(look({ env: { DB_HOST: host }, lines: [`Error: getaddrinfo ENOTFOUND ${host}`] })).toBeUndefined()
  })

  test('is not one whose Service is there', () => {
    expect(
      look({ env: { PGHOST: 'db' }, lines: ['Error: getaddrinfo EAI_AGAIN db'], there: [service('db', {})] }),
    ).toBeUndefined()
  })

  test('is a warning where the program does not say which', () => {
    const said = ['socket.gaierror: [Errno -2] Name or service not known']
    expect(look({ env: { DATABASE_URL: 'postgres://db/shop' }, lines: said })).toMatchObject({
      code: 'READY-157',
      severity: 'warning',
    })
    expect(look({ env: { MODE: 'production' }, lines: said })).toBeUndefined()
  })

  test('is nothing while the program says nothing of it', () => {
    expect(look({ env, lines: ['SyntaxError: Unexpected token'] })).toBeUndefined()
  })
})

describe('a Service that leads nowhere', () => {
  const env = { DATABASE_URL: 'postgres://db:5432/shop' }
  const lines = ['Error: connect ECONNREFUSED db:5432']
  const nowhere = [service('db', { app: 'dbb' }), workload('db')]

  test('is why a program ends that does not get through to it', () => {
    expect(look({ env, lines, there: nowhere })).toMatchObject({
      ...{ code: 'READY-158', severity: 'failure', object: 'Service/db' },
      hint: 'Write app: db into the selector of Service/db at spec.selector, or label the pods as it asks.',
    })
    expect(look({ env, lines, there: nowhere, ends: 2 })?.severity).toBe('warning')
  })

  test('is known by its address, too', () => {
    const [db, ...rest] = nowhere
    const there = [{ ...db, spec: { ...(db?.['spec'] as object), clusterIP: '10.96.1.2' } } as KubeObject, ...rest]
    expect(look({ env, lines: ['connect ECONNREFUSED 10.96.1.2:5432'], there })?.code).toBe('READY-158')
  })

  test.each([
    ['says something else of it', ['db: 3 migrations are done', 'TypeError: x is not a function'], env],
    ['does not have it from its values', lines, {}],
  ])('is not why a program ends that %s', (_, said, values) => {
    expect(look({ env: values, lines: said, there: nowhere })).toBeUndefined()
  })

  test('is told of a program that runs once it has tried for a while', () => {
    expect(look({ env, lines, there: nowhere, runs: true, now: 29 })?.severity).toBe('warning')
    expect(look({ env, lines, there: nowhere, runs: true, now: 30 })?.severity).toBe('failure')
  })

  test('is not blamed for a port that the program did not ask', () => {
    const ports = [
      { port: 5432, targetPort: 'sql' },
      { port: 9187, targetPort: 'metrics' },
    ]
    const db = workload('db', { ports: [{ name: 'sql', containerPort: 5432 }] })
    expect(look({ env, lines, there: [service('db', { app: 'db' }, ports), db] })).toBeUndefined()
    expect(look({ env, lines: ['connect ECONNREFUSED db:9187'], there: [service('db', { app: 'db' }, ports), db] })?.code).toBe(
      'READY-160',
    )
  })

  test('may only be starting where no probe says that it is done', () => {
    const there = [service('db', { app: 'db' }), workload('db'), podOf('db')]
    expect(look({ env, lines, there, open: [] })).toMatchObject({ code: 'READY-159', severity: 'warning' })
    expect(look({ env, lines, there, open: [5432] })).toBeUndefined()
    expect(look({ env, lines, there })).toBeUndefined()
    const readinessProbe = { exec: { command: ['true'] } }
    const probed = [service('db', { app: 'db' }), workload('db', { readinessProbe }), podOf('db')]
    expect(look({ env, lines, there: probed, open: [] })?.severity).toBe('failure')
  })
})

describe('a Service of a workload', () => {
  test('that was written for it and does not select it is a warning', () => {
    expect(look({ there: [service('web', { app: 'wbe' })] })).toMatchObject({ code: 'READY-158', severity: 'warning' })
  })

  test.each([
    ['selects others', service('web', { app: 'db' })],
    ['is meant for what an operator makes', service('main', { 'example.com/cluster': 'main' })],
    ['has no selector', service('web', {})],
  ])('is nothing when it %s', (_, one) => {
    expect(look({ there: [one, podOf('db')] })).toBeUndefined()
  })
})
