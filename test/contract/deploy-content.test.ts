import { afterAll, beforeAll, expect, test } from 'vitest'
import { Live } from '../../src/deploy/live.ts'
import { deploy } from '../../src/engine/deploy.ts'
import type { EngineRun } from '../../src/engine/environment.ts'
import { evidenceOf } from '../../src/engine/evidence.ts'
import { Bus } from '../../src/events/bus.ts'
import type { KubeObject, Manifest } from '../../src/lib/objects.ts'
import { Scope } from '../../src/lib/scope.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { baseImage } from '../lab/recipe.ts'
import { type ApiRig, openApiRig } from './api-rig.ts'

// What is rolled when a ConfigMap or a Secret changes.

let rig: ApiRig

beforeAll(async () => {
  rig = await openApiRig()
})
afterAll(() => rig?.[Symbol.asyncDispose]())

const holder = (kind: string, name: string, data: Readonly<Record<string, string>>, rest: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name },
  data,
  ...rest,
})
const workload = (kind: string, name: string, pod: object, spec: object = { replicas: 0 }): KubeObject => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name },
  spec: {
    ...spec,
    ...(kind === 'StatefulSet' && { serviceName: name }),
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { terminationGracePeriodSeconds: 0, containers: [sleeping], ...pod },
    },
  },
})
const sleeping = { name: 'main', image: baseImage, imagePullPolicy: 'Never', command: ['sleep', 'infinity'] }

/** Deploys; what became of each object and when something was ready, in the order of time, but for what is unchanged. */
async function up(namespace: string, objects: readonly KubeObject[]): Promise<readonly string[]> {
  const manifests = objects.map(
    (object): Manifest => ({
      object: { ...object, metadata: { ...object.metadata, namespace } },
      origin: { file: 'k8s/all.yaml', line: 1 },
    }),
  )
  const plan = {
    ...{ project: 'content', env: 'default', namespace, directory: rig.scratch, configFile: 'devkit.config.ts' },
    ...{ services: [], secrets: {}, cluster: { spec: { kind: {} } } },
  } as unknown as Plan
  const bus = new Bus()
  const told: string[] = []
  bus.subscribe((event) => {
    if (event.type === 'object' && event.kind !== 'Namespace' && event.outcome !== 'unchanged')
      told.push(`${event.kind}/${event.name} ${event.outcome}`)
    if (event.type === 'step.finished' && event.step.startsWith('ready/')) told.push(event.step)
  })
  await using scope = new Scope()
  const live = new Live(rig.kube, namespace, scope)
  const run = { bus, signal: scope.signal, timeoutMs: () => 60_000, isUp: () => undefined } as unknown as EngineRun
  const source = { manifests, home: undefined, targets: new Map(), syncedInto: new Map() }
  const evidence = evidenceOf(plan, source, { kube: rig.kube, live }, scope)
  await deploy({ plan, source, kube: rig.kube, live, evidence, manifests: async () => manifests }, run)
  return told
}

const rolled = (told: readonly string[]): readonly string[] =>
  told
    .filter((line) => line.endsWith(' configured'))
    .map((line) => line.replace(/ .*/, ''))
    .toSorted()

const readers = [
  workload('Deployment', 'env', { containers: [{ ...sleeping, envFrom: [{ configMapRef: { name: 'settings' } }] }] }),
  workload('StatefulSet', 'files', { volumes: [{ name: 'settings', configMap: { name: 'settings' } }] }),
  workload('Deployment', 'secret', {
    initContainers: [
      { ...sleeping, name: 'init', env: [{ name: 'PIN', valueFrom: { secretKeyRef: { name: 'pin', key: 'pin' } } }] },
    ],
  }),
  workload('Deployment', 'neither', {}),
]

test.concurrent('a ConfigMap or a Secret rolls the workloads that read it, and no others; one that is unchanged none', async () => {
  const namespace = rig.namespace(`t-content-${process.pid}`)
  const all = (settings: string, pin: string): readonly KubeObject[] => [
    holder('ConfigMap', 'settings', { a: settings }),
    holder('Secret', 'pin', { pin }),
    ...readers,
  ]
  await up(namespace, all('1', 'MQ=='))
  expect(rolled(await up(namespace, all('1', 'MQ==')))).toEqual([])
  expect(rolled(await up(namespace, all('2', 'MQ==')))).toEqual(['ConfigMap/settings', 'Deployment/env', 'StatefulSet/files'])
  expect(rolled(await up(namespace, all('2', 'Mg==')))).toEqual(['Deployment/secret', 'Secret/pin'])
  // what somebody adds is not what the manifests say
  rig.kubectl(['label', 'secret/pin', 'by=hand', '-n', namespace])
  rig.kubectl(['patch', 'configmap/settings', '-n', namespace, '--patch', '{"data":{"injected":"x"}}'])
  expect(rolled(await up(namespace, all('2', 'Mg==')))).toEqual([])
  // a run that ended between the two
  rig.kubectl(['patch', 'configmap/settings', '-n', namespace, '--patch', '{"data":{"a":"3"}}'])
  expect(rolled(await up(namespace, all('3', 'Mg==')))).toEqual(expect.arrayContaining(['Deployment/env', 'StatefulSet/files']))
})

test.concurrent('what was applied without a mark is not rolled by the first run that marks', async () => {
  const namespace = rig.namespace(`t-content-before-${process.pid}`)
  const all = (settings: string): readonly KubeObject[] => [
    holder('ConfigMap', 'settings', { a: settings }),
    holder('Secret', 'pin', { pin: 'MQ==' }),
    ...readers,
  ]
  const templateOf = (name: string): string =>
    rig.kubectl(['get', 'deployment', name, '-n', namespace, '-o', 'jsonpath={.spec.template}'])
  rig.kubectl(['apply', '-n', namespace, '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: all('1') }))
  const before = ['env', 'secret'].map(templateOf)
  await up(namespace, all('1'))
  expect(['env', 'secret'].map(templateOf)).toEqual(before)
  await up(namespace, all('2'))
  expect(templateOf('env')).not.toBe(before[0])
  expect(templateOf('secret')).toBe(before[1])
  expect(rolled(await up(namespace, all('2')))).toEqual([])
})

test.concurrent('a ConfigMap whose name has its content stays until the pods that read the new one are ready', async () => {
  const namespace = rig.namespace(`t-content-named-${process.pid}`)
  const all = (name: string): readonly KubeObject[] => [
    holder('ConfigMap', name, { a: name }, { immutable: true }),
    workload('Deployment', 'web', { containers: [{ ...sleeping, envFrom: [{ configMapRef: { name } }] }] }, { replicas: 1 }),
  ]
  expect(await up(namespace, all('settings-a1'))).toEqual([
    'ConfigMap/settings-a1 created',
    'Deployment/web created',
    'ready/web',
  ])
  expect(await up(namespace, all('settings-b2'))).toEqual([
    'ConfigMap/settings-b2 created',
    'Deployment/web configured',
    'ready/web',
    'ConfigMap/settings-a1 pruned',
  ])
})
