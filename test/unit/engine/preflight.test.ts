import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Parts } from '../../../src/engine/environment.ts'
import { FindingsBook, findingsBefore, findingsOfVersion } from '../../../src/engine/preflight.ts'
import { kubernetesOf, outlineOf, type Source } from '../../../src/engine/render.ts'
import { Bus } from '../../../src/events/bus.ts'
import type { Event } from '../../../src/events/event.ts'
import { ApiFailure, type Kube } from '../../../src/kube/kube.ts'
import { DevkitError } from '../../../src/lib/errors.ts'
import type { KubeObject, ObjectRef } from '../../../src/lib/objects.ts'
import type { Plan } from '../../../src/plan/plan.ts'
import type { Finding } from '../../../src/render/preflight/finding.ts'

const finding = (message: string, severity: Finding['severity'] = 'warning'): Finding => ({
  severity,
  code: 'RENDER-203',
  message,
  hint: 'Mend it.',
  object: 'Service/web',
})

test('a warning is told once, and as resolved when it is found no more; failures are thrown as one', () => {
  const bus = new Bus()
  const events: Event[] = []
  bus.subscribe((event) => void events.push(event))
  const book = new FindingsBook(bus)
  book.tell('manifests', [finding('a'), finding('b')])
  book.tell('cluster', [])
  book.tell('manifests', [finding('a'), finding('b')])
  expect(events.map((event) => 'message' in event && event.message)).toEqual(['a', 'b'])
  expect(() => book.tell('manifests', [finding('b'), finding('c', 'failure')])).toThrow(
    expect.objectContaining({ code: 'RENDER-203', message: 'c' }),
  )
  expect(events.slice(2)).toMatchObject([{ type: 'problem.resolved', code: 'RENDER-203', object: 'Service/web' }])
})

const pod = (spec: object): KubeObject =>
  ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, spec: { containers: [{ name: 'a', ...spec }] } }) as KubeObject
const needsKey = pod({ env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'keys', key: 'token' } } }] })
const old = { apiVersion: 'policy/v1beta1', kind: 'PodDisruptionBudget', metadata: { name: 'a' } } as KubeObject
const foreign = { apiVersion: 'example.com/v1', kind: 'Lamp', metadata: { name: 'a' } } as KubeObject

const plan = { namespace: 'shop', profile: {}, services: [], secrets: {}, cluster: { spec: { kind: {} } } } as unknown as Plan

type State = 'absent' | 'stopped' | 'running' | DevkitError

/** What is found of an object before `up` in a cluster of that state that answers so. */
async function findingsOf(object: KubeObject, state: State, answers: Partial<Kube>): Promise<readonly Finding[]> {
  const source = {
    manifests: [{ object, origin: { file: 'a.yaml', line: 1 } }],
    home: undefined,
    targets: new Map(),
    syncedInto: new Map(),
  } as Source
  const kube = { untilReady: async () => undefined, [Symbol.asyncDispose]: async () => undefined, ...answers } as Kube
  const provider = {
    find: async () => {
      if (state instanceof DevkitError) throw state
      return { state, cluster: { kubeconfig: '' } }
    },
  }
  const parts = {
    tools: { provider: { kind: provider } },
    host: { engine: async () => ({ machine: async () => ({ cpus: 4, bytes: 2 ** 33, architecture: 'x86_64' }) }) },
    openKube: async () => kube,
  } as unknown as Parts
  const run = {
    parts,
    bus: new Bus(),
    signal: new AbortController().signal,
    timeoutMs: () => 0,
    confirm: async () => false,
    isUp: () => undefined,
  }
  return findingsBefore(outlineOf(plan, source), source, run)
}

const found = async (object: KubeObject, state: State, answers: Partial<Kube> = {}): Promise<readonly string[]> =>
  (await findingsOf(object, state, answers)).map(({ severity, code }) => `${severity} ${code}`)

const messages = async (object: KubeObject, answers: Partial<Kube>): Promise<readonly string[]> =>
  (await findingsOf(object, 'running', answers)).map(({ message }) => message)

test('what a cluster has although no manifest does is no finding, and where it cannot be asked no failure', async () => {
  const has = (data?: object) => ({
    get: async (ref: ObjectRef) => (ref.name === 'keys' && data ? ({ data } as unknown as KubeObject) : undefined),
  })
  const no = { get: async () => Promise.reject(new ApiFailure(403, 'Forbidden', 'no')) }
  const failure = ['failure RENDER-201']
  expect(await found(needsKey, 'absent')).toEqual(failure)
  expect(await found(needsKey, 'running', has())).toEqual(failure)
  expect(await found(needsKey, 'running', has({ other: '' }))).toEqual(failure)
  expect(await messages(needsKey, has({ other: '' }))).toEqual([
    'a.yaml:1: Pod/a: Secret keys is referenced by a/env A, the one in the cluster lacks token.',
  ])
  expect(await found(needsKey, 'running', has({ token: '' }))).toEqual([])
  const engine = new DevkitError('ENGINE-101', { message: '', hint: '' })
  for (const [state, answers] of [
    ['stopped', {}],
    ['running', no],
    [engine, {}],
  ] as const)
    expect(await found(needsKey, state, answers)).toEqual(['warning RENDER-201'])
})

test('a running cluster says itself what it does not know; of old APIs it does not say what takes their place', async () => {
  const serves = (scope: 'namespaced' | undefined) => ({ scopeOf: async () => scope })
  expect(await found(foreign, 'absent')).toEqual(['failure RENDER-205'])
  expect(await found(foreign, 'running', serves(undefined))).toEqual([])
  expect(await found(old, 'absent')).toEqual(['failure RENDER-204'])
  expect(await found(old, 'running', serves(undefined))).toEqual(['warning RENDER-204'])
  expect(await found(old, 'running', serves('namespaced'))).toEqual([])
})

test('the manifests are for the version of the node image that the config names, where it names no version', () => {
  const of = (nodeImage: string | undefined, kubernetes?: string) =>
    kubernetesOf({ ...plan, kubernetes, cluster: { ...plan.cluster, spec: { kind: { nodeImage } } } })
  expect([
    of(undefined),
    of('kindest/node:v1.31.4@sha256:0'),
    of('registry:5000/node'),
    of('node:1.33'),
    of('node:v1.33.1', '1.32'),
  ]).toEqual([undefined, '1.31', undefined, '1.33', '1.32'])
})

test('a pod larger than the machine: RENDER-207', async () => {
  expect(await found(pod({ resources: { requests: { cpu: 8 } } }), 'absent')).toEqual(['warning RENDER-207'])
})

test('the version of the cluster is held against the one that the config names: CLUSTER-112', async () => {
  const kube = { version: async () => 'v1.34.10' } as unknown as Kube
  const { signal } = new AbortController()
  const codes = async (kubernetes?: string) =>
    (await findingsOfVersion({ ...plan, ...(kubernetes && { kubernetes }) }, kube, signal)).map(({ code }) => code)
  expect([await codes(), await codes('1.34'), await codes('1.33')]).toEqual([[], [], ['CLUSTER-112']])
})

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'devkit-preflight-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** What `devkit` says about a fixture on a machine without a container engine. */
function devkit(fixture: string, ...args: readonly string[]) {
  cpSync(join(import.meta.dirname, '../../fixtures/preflight', fixture), join(directory, 'k8s'), { recursive: true })
  mkdirSync(join(directory, 'home'), { recursive: true })
  writeFileSync(
    join(directory, 'devkit.config.json'),
    JSON.stringify({ project: 'shop', manifests: ['k8s'], profiles: { plain: {} } }),
  )
  writeFileSync(join(directory, 'machine.json'), JSON.stringify({ engine: `unix://${join(directory, 'nobody.sock')}` }))
  const env = { PATH: process.env['PATH'], HOME: join(directory, 'home'), DEVKIT_MACHINE: join(directory, 'machine.json') }
  const bin = join(import.meta.dirname, '../../../src/cli/bin.ts')
  return spawnSync(process.execPath, [bin, ...args], { cwd: directory, env, encoding: 'utf8' })
}

test('render, config and diff tell what is missing on stderr, and print their result all the same', () => {
  const { status, stdout, stderr } = devkit('site', 'render')
  expect(status).toBe(0)
  expect(stdout).toContain('kind: Deployment')
  const told = stderr.split('\n').filter((line) => /^[!✗]/.test(line))
  expect(told).toEqual([
    expect.stringMatching(
      /^! RENDER-201 k8s\/web\.yaml:\d+: Deployment\/site: Secret site-env is referenced by migrate\/envFrom \(also at k8s\/web\.yaml:\d+, k8s\/web\.yaml:\d+\), nothing provides it\.$/,
    ),
    expect.stringMatching(/RENDER-201 k8s\/web\.yaml:\d+: Deployment\/site: Secret registry is referenced by imagePullSecrets/),
    expect.stringMatching(/RENDER-206 k8s\/web\.yaml:\d+: Ingress\/site: the cluster has no ingress controller/),
  ])
  const config = devkit('site', 'config')
  expect({ status: config.status, told: config.stderr.split('\n').filter((line) => /^[!✗]/.test(line)) }).toEqual({
    status: 0,
    told,
  })
  expect(config.stdout).toContain('project')
  expect(devkit('site', 'diff', 'production', 'dev').stderr).toContain(told[0])
  expect(devkit('site', 'config', '-p', 'production').stderr).toBe('')
  // its twin with all that it needs
  writeFileSync(
    join(directory, 'k8s/secrets.yaml'),
    ['site-env', 'registry']
      .map((name) => `apiVersion: v1\nkind: Secret\nmetadata: {name: ${name}}\nstringData: {token: a}\n`)
      .join('---\n'),
  )
  expect(devkit('site', 'render').stderr).not.toContain('RENDER-201')
})

test('every removed API of old examples is named with what takes its place', () => {
  const { stderr } = devkit('legacy', 'render', '-p', 'plain')
  const gone = [...stderr.matchAll(/RENDER-204 k8s\/(\S+?):\d+: (\S+): (\S+) is gone.*\n {2}→ (.*)/g)].map(
    ([, file, object, api, hint]) => ({ file, object, api, hint }),
  )
  expect(gone.map(({ object, api }) => `${object} ${api}`)).toEqual([
    'Deployment/default-http-backend extensions/v1beta1',
    'Deployment/echo extensions/v1beta1',
    'Ingress/echo extensions/v1beta1',
    'ClusterRole/certs rbac.authorization.k8s.io/v1beta1',
    'ClusterRoleBinding/certs rbac.authorization.k8s.io/v1beta1',
    'HorizontalPodAutoscaler/echo autoscaling/v2beta2',
    'PodDisruptionBudget/echo policy/v1beta1',
    'PodSecurityPolicy/restricted policy/v1beta1',
  ])
  expect(gone.find(({ object }) => object === 'Ingress/echo')?.hint).toMatch(
    /^Write apiVersion: networking\.k8s\.io\/v1; .*pathType/,
  )
  expect(gone.find(({ object }) => object === 'PodSecurityPolicy/restricted')?.hint).toMatch(/^Label the namespace/)
})
