import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createServer as createSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Ajv } from 'ajv'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { check } from '../../../src/engine/doctor/check.ts'
import { dnsVerdict, nodesVerdicts, partsVerdicts, roomVerdict, stateVerdict } from '../../../src/engine/doctor/cluster.ts'
import { clockVerdict, diskVerdict, sizeVerdict, spaceIn } from '../../../src/engine/doctor/engine.ts'
import { stateVerdict as filesVerdict, programVerdict, watchVerdict } from '../../../src/engine/doctor/machine.ts'
import { portTaken, preflightVerdicts, statusVerdicts } from '../../../src/engine/doctor/project.ts'
import type { Check, Doctor } from '../../../src/events/doctor.ts'
import { ApiFailure } from '../../../src/kube/kube.ts'
import type { KubeObject } from '../../../src/lib/objects.ts'
import { devkitOn } from '../devkit.ts'
import { planIn, writeApp } from './rig.ts'

const GiB = 2 ** 30
const valid = new Ajv({ strict: false }).compile(
  JSON.parse(readFileSync(join(import.meta.dirname, '../../../schema/doctor.json'), 'utf8')) as object,
)

describe('what is found of a machine', () => {
  test.each([
    [20 * GiB, true, 'ok', undefined],
    [0.5 * GiB, true, 'warning', 'CONFIG-203'],
    [1000, true, 'failure', 'CONFIG-202'],
    [20 * GiB, false, 'failure', 'CONFIG-202'],
  ])('%d bytes for files of its own, writable: %s', (freeBytes, isWritable, verdict, code) => {
    const space = { directory: '/home', freeBytes, totalBytes: 100 * GiB, isWritable }
    expect(filesVerdict('/home/state', space)).toMatchObject({
      verdict,
      ...(code && { code, remedy: expect.stringContaining('XDG_STATE_HOME') }),
    })
  })

  test('watches that are nearly used up, each with its own setting', () => {
    const use = { instances: 20, maxInstances: 128, watches: 100, maxWatches: 8192 }
    expect(watchVerdict(use)).toMatchObject({ verdict: 'ok' })
    expect(watchVerdict({ ...use, instances: 120 })).toMatchObject({
      verdict: 'warning',
      code: 'SYNC-103',
      remedy: 'sudo sysctl fs.inotify.max_user_instances=1024',
    })
    expect(watchVerdict({ ...use, watches: 8000 }).remedy).toBe('sudo sysctl fs.inotify.max_user_watches=524288')
    expect(watchVerdict(undefined).verdict).toBe('skipped')
  })

  test.each([
    [0, 1, 'ok'],
    [1900, 10, 'ok'],
    // the way there and back was slow: nothing is sure
    [3000, 1500, 'ok'],
    [-41_000, 10, 'warning'],
    [7_200_000, 10, 'failure'],
  ])('a clock that is %d ms ahead, with %d ms of doubt: %s', (skewMs, doubtMs, verdict) => {
    const found = clockVerdict('the container engine', { skewMs, doubtMs })
    expect(found.verdict).toBe(verdict)
    if (verdict !== 'ok') expect(found.code).toBe('ENGINE-105')
  })

  test('a clock says in which direction it is off', () => {
    expect(clockVerdict('the container engine', { skewMs: -41_000, doubtMs: 0 }).said).toBe(
      "the clock of the container engine is 41.0 s behind this machine's",
    )
    expect(clockVerdict('the container engine', { skewMs: 7_200_000, doubtMs: 0 }).said).toContain('2 h ahead of')
  })

  const usage = { images: 40 * GiB, volumes: GiB, containers: 0, buildCache: 2 * GiB }
  test.each([
    [50 * GiB, usage, 'ok', undefined],
    [3 * GiB, usage, 'warning', 'docker image prune'],
    [3 * GiB, { ...usage, buildCache: 60 * GiB }, 'warning', '`docker builder prune` removes'],
    [0.2 * GiB, undefined, 'failure', 'docker image prune'],
  ] as const)('an engine whose disk has %d bytes left', (freeBytes, taken, verdict, remedy) => {
    const found = diskVerdict({ freeBytes, totalBytes: 60 * GiB }, taken)
    expect(found.verdict).toBe(verdict)
    if (remedy) expect(found).toMatchObject({ code: 'ENGINE-104', remedy: expect.stringContaining(remedy) })
  })

  test('what df says in a node, also on two lines', () => {
    const head = 'Filesystem     1024-blocks     Used Available Capacity Mounted on\n'
    const space = { totalBytes: 1000 * 1024, freeBytes: 700 * 1024 }
    expect(spaceIn(`${head}/dev/vda 1000 300 700 30% /var\n`)).toEqual(space)
    expect(spaceIn(`${head}/dev/mapper/a-very-long-name-of-a-disk\n  1000 300 700 30% /var\n`)).toEqual(space)
    expect(spaceIn('df: /var: no such file\n')).toBeUndefined()
  })

  test('an engine with too little for Kubernetes: ENGINE-106', () => {
    expect(sizeVerdict({ cpus: 4, bytes: 8 * GiB }).verdict).toBe('ok')
    expect(sizeVerdict({ cpus: 1, bytes: 8 * GiB })).toMatchObject({ verdict: 'warning', code: 'ENGINE-106' })
    expect(sizeVerdict({ cpus: 4, bytes: GiB })).toMatchObject({ verdict: 'warning', code: 'ENGINE-106' })
  })
})

test('a program that is needed and does not run is a failure; one that is slow to tell its version is there', () => {
  const helm = { name: 'helm', code: 'RENDER-105' as const, isNeeded: () => true, remedy: 'Install it.' }
  expect(programVerdict(helm, { version: 'v3.18.4' }, undefined)).toEqual({ verdict: 'ok', said: 'v3.18.4' })
  expect(programVerdict(helm, 'late', undefined).verdict).toBe('ok')
  expect(programVerdict(helm, 'missing', undefined)).toMatchObject({ verdict: 'failure', code: 'RENDER-105' })
  expect(programVerdict(helm, { failed: 'exec format error' }, undefined)).toMatchObject({
    verdict: 'failure',
    said: 'helm does not run: exec format error',
  })
  expect(programVerdict({ ...helm, isNeeded: () => false }, 'missing', undefined).verdict).toBe('skipped')
})

const mine = { isOwn: true, plan: planIn('/shop') }
const condition = (type: string, status: string, message = '') => ({ type, status, message })
const node = (conditions: readonly object[], spec: object = {}): KubeObject =>
  ({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, spec, status: { conditions } }) as KubeObject

describe('what is found of a cluster', () => {
  test.each([
    ['a node that is well', node([condition('Ready', 'True'), condition('DiskPressure', 'False')]), []],
    ['one that is not ready', node([condition('Ready', 'False', 'no CNI')]), ['CLUSTER-114']],
    ['one that is silent', node([condition('Ready', 'Unknown', 'stopped posting')]), ['CLUSTER-114']],
    ['one that nobody has told of', node([]), ['CLUSTER-114']],
    [
      'one without disk and memory',
      node([condition('Ready', 'True'), condition('DiskPressure', 'True'), condition('MemoryPressure', 'True')]),
      ['CLUSTER-116', 'CLUSTER-116'],
    ],
    ['one without network', node([condition('Ready', 'True'), condition('NetworkUnavailable', 'True')]), ['CLUSTER-114']],
    ['one that is cordoned', node([condition('Ready', 'True')], { unschedulable: true }), ['CLUSTER-118']],
  ])('%s', (_, one, expected) => {
    const found = [nodesVerdicts([one], mine)].flat()
    expect(found.flatMap(({ code }) => code ?? [])).toEqual(expected)
    for (const { code, verdict, remedy } of found) {
      expect(verdict).toBe(code === undefined ? 'ok' : code === 'CLUSTER-118' ? 'warning' : 'failure')
      if (code !== undefined) expect(remedy).toMatch(/`/)
    }
  })

  const slice = (...ready: readonly (boolean | undefined)[]): KubeObject =>
    ({ endpoints: ready.map((one) => ({ conditions: { ready: one } })) }) as unknown as KubeObject
  const coredns = (replicas: number): KubeObject =>
    ({ metadata: { name: 'coredns' }, spec: { replicas } }) as unknown as KubeObject

  test('DNS that nobody answers: scaled to 0, or not ready; one that answers is enough', () => {
    expect(dnsVerdict([slice(true, false)], [coredns(2)], mine).verdict).toBe('ok')
    // unknown is to be taken for ready
    expect(dnsVerdict([slice(undefined)], [coredns(2)], mine).verdict).toBe('ok')
    expect(dnsVerdict([slice()], [coredns(0)], mine)).toMatchObject({
      verdict: 'failure',
      code: 'CLUSTER-117',
      remedy: '`kubectl --context devkit-shop -n kube-system scale deployment coredns --replicas=2`',
    })
    expect(dnsVerdict([slice(false)], [coredns(2)], mine)).toMatchObject({
      verdict: 'failure',
      said: expect.stringContaining('no pod'),
    })
    expect(dnsVerdict([], [], { ...mine, isOwn: false }).verdict).toBe('skipped')
  })

  const daemons = (ready: number, created = '2026-01-01T00:00:00Z'): KubeObject =>
    ({
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'kube-proxy', namespace: 'kube-system', creationTimestamp: created, generation: 1 },
      spec: {},
      status: {
        observedGeneration: 1,
        desiredNumberScheduled: 1,
        currentNumberScheduled: 1,
        updatedNumberScheduled: 1,
        numberAvailable: ready,
        numberReady: ready,
      },
    }) as unknown as KubeObject

  test('a part of the system that is not ready is a failure, one that has just begun or is somebody else’s a warning', () => {
    const now = Date.parse('2026-01-01T01:00:00Z')
    expect(partsVerdicts([daemons(1)], mine, now)).toMatchObject({ verdict: 'ok' })
    expect(partsVerdicts([daemons(0)], mine, now)).toMatchObject([{ verdict: 'failure', code: 'CLUSTER-117' }])
    expect(partsVerdicts([daemons(0, '2026-01-01T00:59:30Z')], mine, now)).toMatchObject([{ verdict: 'warning' }])
    expect(partsVerdicts([daemons(0)], { ...mine, isOwn: false }, now)).toMatchObject([{ verdict: 'warning' }])
  })

  test('what pods ask for: sidecars count beside, what runs first only where it asks for more', () => {
    const asks = (cpu: string, more: object = {}) => ({ resources: { requests: { cpu, memory: '1Gi' } }, ...more })
    const pod = (spec: object, phase = 'Running'): KubeObject =>
      ({ spec: { nodeName: 'n1', ...spec }, status: { phase } }) as unknown as KubeObject
    const nodes = [{ status: { allocatable: { cpu: '4', memory: '8Gi' } } }] as unknown as KubeObject[]
    const pods = [
      pod({ containers: [asks('500m')], initContainers: [asks('100m', { restartPolicy: 'Always' }), asks('2')] }),
      pod({ containers: [asks('1')] }),
      pod({ containers: [asks('8')] }, 'Succeeded'),
      pod({ containers: [asks('8')], nodeName: undefined }, 'Pending'),
    ]
    expect(roomVerdict(nodes, pods).said).toBe('pods ask for 3 of 4 CPUs and 3.0 GiB of 8.0 GiB')
  })

  test.each(['stopped', 'paused', 'making'] as const)('a cluster that is %s: CLUSTER-115, and `devkit up` mends it', (state) => {
    const cluster = { name: 'devkit-shop', kubeconfig: '', nodes: ['n1'] }
    expect(stateVerdict({ ...mine, state, cluster })).toMatchObject({
      verdict: 'warning',
      code: 'CLUSTER-115',
      remedy: '`devkit up`',
    })
    expect(stateVerdict({ ...mine, state: 'running', cluster }).verdict).toBe('ok')
  })
})

describe('what is found of an environment', () => {
  const web = { name: 'web', workload: 'Deployment/web', ready: true, pods: { ready: 1, wanted: 1 }, ports: [] }
  const db = { ...web, name: 'db', ready: false, waiting: 'waits for a pod', pods: { ready: 0, wanted: 1 } }
  const problem = {
    severity: 'failure' as const,
    code: 'READY-104' as const,
    message: 'no image',
    hint: 'Correct it.',
    detail: 'pull access denied',
    docs: '',
    service: 'db',
  }

  test('a problem of a service is told once, one without a problem with what it waits for', () => {
    expect(statusVerdicts({ services: [web], problems: [] })).toMatchObject({ verdict: 'ok' })
    expect(statusVerdicts({ services: [web, db], problems: [problem] })).toEqual([
      {
        name: 'db',
        verdict: 'failure',
        code: 'READY-104',
        said: 'no image',
        remedy: 'Correct it.',
        detail: 'pull access denied',
      },
    ])
    expect(statusVerdicts({ services: [web, db], problems: [] })).toMatchObject([
      { verdict: 'warning', code: 'READY-102', name: 'db', said: 'not ready: waits for a pod' },
    ])
  })

  test('containers that are behind the working tree are told; what is not up is no fault', () => {
    const stale = [{ pod: 'web-1', container: 'web', files: 2 }]
    expect(statusVerdicts({ services: [{ ...web, stale }], problems: [] })).toMatchObject([
      { verdict: 'warning', name: 'web', said: 'web-1 lacks 2 files of the working tree' },
    ])
    const { pods: _, ...absent } = { ...db, waiting: 'it is not in the cluster' }
    expect(statusVerdicts({ services: [absent], problems: [] })).toMatchObject({ verdict: 'skipped', remedy: '`devkit up`' })
  })

  test('findings of pre-flight keep their severity', () => {
    const finding = {
      severity: 'warning' as const,
      code: 'RENDER-207' as const,
      message: 'a.yaml:1: too much',
      hint: 'Lower it.',
    }
    expect(preflightVerdicts([])).toMatchObject({ verdict: 'ok' })
    expect(preflightVerdicts([finding])).toEqual([
      { verdict: 'warning', code: 'RENDER-207', said: 'a.yaml:1: too much', remedy: 'Lower it.' },
    ])
  })

  test('a port that is taken, with its holder or how to find it', () => {
    expect(portTaken(8080, 'nginx (pid 7)')).toMatchObject({ code: 'PORT-101', said: expect.stringContaining('nginx (pid 7)') })
    expect(portTaken(8080, undefined).remedy).toContain('ss -ltnp')
  })
})

describe('a look', () => {
  const look = (look: () => Promise<never>, ms?: number) =>
    check({ area: 'machine', name: 'a', look, ...(ms === undefined ? {} : { ms }) }, new AbortController().signal)

  test('that fails is a check like any other: a refusal is skipped, a defect is told as one', async () => {
    const denied = { verb: 'list', resource: 'nodes', group: '', user: 'ada' }
    expect(await look(() => Promise.reject(new ApiFailure(403, 'Forbidden', 'no', [], { denied })))).toMatchObject([
      { verdict: 'skipped', code: 'CLUSTER-113' },
    ])
    expect(await look(() => Promise.reject(new ApiFailure(500, '', 'etcd is gone')))).toMatchObject([
      { verdict: 'failure', code: 'CLUSTER-104', said: 'The API server says no: etcd is gone.' },
    ])
    expect(await look(() => Promise.reject(new TypeError('x')))).toMatchObject([{ verdict: 'failure', code: 'INTERNAL-001' }])
  })

  test('that never ends is skipped when its patience is over', async () => {
    // a timer of a signal keeps no process alive
    const alive = setInterval(() => undefined, 1000)
    expect(await look(() => new Promise(() => undefined), 20)).toMatchObject([
      { verdict: 'skipped', said: 'no answer within 0.02 s' },
    ])
    clearInterval(alive)
  })
})

const directory = mkdtempSync(join(tmpdir(), 'devkit-doctor-'))
let [project, socket] = ['', '']
const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** An engine that answers so; a path without an answer is never answered. */
async function engineAnswering(answers: Readonly<Record<string, unknown>>): Promise<void> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? ''
    if (path in answers) response.setHeader('content-type', 'application/json').end(JSON.stringify(answers[path]))
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(socket, resolve))
}

const info = (over: object = {}) => ({
  ServerVersion: '28.5.2',
  NCPU: 4,
  MemTotal: 8 * GiB,
  Architecture: 'x86_64',
  Name: 'somewhere else',
  KernelVersion: '6.1',
  OperatingSystem: 'Docker Desktop',
  CgroupVersion: '2',
  Driver: 'overlay2',
  DockerRootDir: '/var/lib/docker',
  SystemTime: new Date().toISOString(),
  ...over,
})
const healthy = () => ({ '/info': info(), '/containers/json': [], '/networks': [], '/system/df': { LayersSize: 1 } })

describe('devkit doctor', () => {
  beforeEach(() => {
    project = mkdtempSync(join(directory, 'project-'))
    socket = join(project, 'engine.sock')
    writeApp(project)
  })

  const devkit = (...words: readonly string[]) =>
    devkitOn({ directory: project, env: { DOCKER_HOST: `unix://${socket}`, PATH: '/nowhere' } }, 'doctor', ...words)
  const examined = async () => {
    const { code, stdout, stderr } = await devkit('--json')
    const document = JSON.parse(stdout) as Doctor
    expect({ stderr, errors: valid(document) ? null : valid.errors }).toEqual({ stderr: '', errors: null })
    expect(code).toBe(document.ok ? 0 : 1)
    const of = (area: Check['area'], name: string): Check | undefined =>
      document.checks.find((one) => one.area === area && one.name === name)
    return { ...document, of }
  }

  test('without an engine the rest is looked at; what needs it is skipped, with why', async () => {
    const { ok, of, checks } = await examined()
    expect(ok).toBe(false)
    expect(of('engine', 'answers')).toMatchObject({
      verdict: 'failure',
      code: 'ENGINE-101',
      said: expect.stringContaining(socket),
    })
    expect(of('engine', 'disk')).toMatchObject({ verdict: 'skipped', said: 'the container engine does not answer' })
    expect(of('cluster', 'nodes')).toMatchObject({ verdict: 'skipped', said: 'the container engine does not answer' })
    expect(of('manifests', 'render')?.verdict).toBe('ok')
    expect(of('manifests', 'pre-flight')?.verdict).toBe('ok')
    expect(of('machine', 'kind')).toMatchObject({ verdict: 'failure', code: 'CLUSTER-101' })
    expect(of('machine', 'buildx')).toMatchObject({ verdict: 'failure', code: 'BUILD-104' })
    expect(of('machine', 'helm')).toMatchObject({
      verdict: 'skipped',
      said: 'helm is not there; nothing of this project needs it',
    })
    expect(new Set(checks.map(({ area }) => area)).size).toBe(6)
  })

  test('an engine that takes connections and says nothing is told within 5 s', async () => {
    await engineAnswering({})
    const began = performance.now()
    const { of } = await examined()
    expect(performance.now() - began).toBeLessThan(5000)
    expect(of('engine', 'answers')).toMatchObject({ verdict: 'failure', code: 'ENGINE-101' })
    expect(of('cluster', 'state')?.verdict).toBe('skipped')
  })

  test('a cluster that is not there yet is no failure', async () => {
    await engineAnswering(healthy())
    const { of } = await examined()
    expect(of('engine', 'answers')).toMatchObject({ verdict: 'ok' })
    expect(of('engine', 'clock')?.verdict).toBe('ok')
    // no node is there, and the disk is not this machine's
    expect(of('engine', 'disk')?.verdict).toBe('skipped')
    expect(of('cluster', 'state')).toMatchObject({ verdict: 'skipped', remedy: '`devkit up`' })
    expect(of('cluster', 'API')).toMatchObject({ verdict: 'skipped', said: 'there is no cluster devkit-shop yet' })
  })

  test('a clock that stood still while the machine slept: ENGINE-105', async () => {
    await engineAnswering({ ...healthy(), '/info': info({ SystemTime: new Date(Date.now() - 90_000).toISOString() }) })
    const { of } = await examined()
    expect(of('engine', 'clock')).toMatchObject({
      verdict: 'warning',
      code: 'ENGINE-105',
      said: expect.stringContaining("behind this machine's"),
    })
  })

  test('a node that is paused: CLUSTER-115, and nobody waits for it', async () => {
    const labels = { 'io.x-k8s.kind.cluster': 'devkit-shop', 'io.x-k8s.kind.role': 'control-plane' }
    const container = { Id: '1', Names: ['/devkit-shop-control-plane'], State: 'paused', Labels: labels, Ports: [] }
    await engineAnswering({ ...healthy(), '/containers/json': [container] })
    const owner = join(project, '.local/state/devkit/clusters/devkit-shop/cluster.json')
    mkdirSync(dirname(owner), { recursive: true })
    writeFileSync(owner, JSON.stringify({ project: 'shop', madeNetwork: false, state: 'made' }))
    const began = performance.now()
    const { of } = await examined()
    expect(performance.now() - began).toBeLessThan(3000)
    expect(of('cluster', 'state')).toMatchObject({ verdict: 'warning', code: 'CLUSTER-115', remedy: '`devkit up`' })
    expect(of('cluster', 'API')).toMatchObject({ verdict: 'skipped', said: 'the cluster is paused' })
    expect(of('environment', 'services')).toMatchObject({ verdict: 'skipped', said: 'the cluster is paused' })
  })

  test('a port that somebody has: PORT-101, with who it is', async () => {
    const listener = createSocket()
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
    const { port } = listener.address() as { port: number }
    writeFileSync(
      join(project, 'devkit.config.json'),
      readFileSync(join(project, 'devkit.config.json'), 'utf8').replace(/"port": ?"http"/, `"port": "http", "host": ${port}`),
    )
    await engineAnswering(healthy())
    try {
      expect((await examined()).of('config', 'ports')).toMatchObject({
        verdict: 'failure',
        code: 'PORT-101',
        said: expect.stringContaining(`${port}`),
      })
    } finally {
      listener.close()
    }
    expect((await examined()).of('config', 'ports')).toMatchObject({ verdict: 'ok', said: `${port} free` })
  })

  test('wrong settings, a wrong config and wrong manifests are a failure each, and keep nothing else from being looked at', async () => {
    await engineAnswering(healthy())
    const settings = join(project, '.config/devkit/machine.json')
    mkdirSync(dirname(settings), { recursive: true })
    writeFileSync(settings, '{')
    writeFileSync(join(project, 'k8s/broken.yaml'), 'a: b: c\n')
    const manifests = await examined()
    expect(manifests.of('machine', 'settings')).toMatchObject({ verdict: 'failure', code: 'CONFIG-201' })
    expect(manifests.of('config', 'config')?.verdict).toBe('ok')
    expect(manifests.of('manifests', 'render')).toMatchObject({ verdict: 'failure', code: 'RENDER-101' })
    expect(manifests.of('manifests', 'pre-flight')?.verdict).toBe('skipped')
    expect(manifests.of('engine', 'answers')?.verdict).toBe('ok')
    writeFileSync(join(project, 'devkit.config.json'), '{ "project": "shop", "manifest": [] }')
    const config = await examined()
    expect(config.of('config', 'config')).toMatchObject({ verdict: 'failure', code: 'CONFIG-103' })
    expect(config.of('manifests', 'render')).toMatchObject({ verdict: 'skipped', said: 'the config cannot be read' })
  })

  test('what will not work of the manifests is told with its place', async () => {
    await engineAnswering(healthy())
    writeFileSync(join(project, 'k8s/slip.yaml'), 'apiVersion: v1\nkind: ConfigMapp\nmetadata: {name: a}\n')
    expect((await examined()).of('manifests', 'pre-flight')).toMatchObject({
      verdict: 'failure',
      code: 'RENDER-205',
      said: expect.stringContaining('k8s/slip.yaml:1'),
    })
  })

  test('outside of a project machine and engine are looked at; that there is no config is no failure, unless one is named', async () => {
    rmSync(join(project, 'devkit.config.json'))
    await engineAnswering(healthy())
    const { of } = await examined()
    expect(of('engine', 'answers')?.verdict).toBe('ok')
    expect(of('config', 'config')).toMatchObject({ verdict: 'skipped', code: 'CONFIG-101' })
    expect(of('cluster', 'state')).toMatchObject({ verdict: 'skipped', said: 'there is no config here' })
    expect(of('machine', 'helm')).toMatchObject({ said: 'helm is not there; not every project needs it' })
    const { stdout } = await devkit('--json', '--config', 'other.json')
    expect((JSON.parse(stdout) as Doctor).checks).toContainEqual(
      expect.objectContaining({ name: 'config', verdict: 'failure', code: 'CONFIG-101' }),
    )
  })

  test('as a person reads it: an area, a line for each check, below it what mends it', async () => {
    await engineAnswering({ ...healthy(), '/info': info({ NCPU: 1 }) })
    const whole = await devkit()
    expect(whole.stdout).toMatch(/^machine\n {2}✓ node +Node \d+/)
    expect(whole.stdout).toMatch(
      /\nengine\n {2}✓ answers +28\.5\.2 on Docker Desktop, x86_64, cgroup v2, overlay2\n {2}! machine +ENGINE-106 1 CPU, 8\.0 GiB of memory\n +→ Give it 2 CPUs/,
    )
    // one reason is said once
    expect(whole.stdout.match(/there is no cluster devkit-shop yet/g)).toHaveLength(3)
    expect(whole.stdout).toMatch(
      /\n\d+ ok, 1 warning, 2 failures, \d+ skipped in \d\.\d s; devkit explain CLUSTER-101 says more\n$/,
    )
    const { stdout } = await devkit('--quiet')
    expect(stdout).not.toMatch(/✓|–/)
    expect(stdout).toMatch(/✗ kind +CLUSTER-101/)
  })
})
