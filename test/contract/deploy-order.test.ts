import { afterAll, beforeAll, expect, test } from 'vitest'
import { Hooks } from '../../src/deploy/hooks.ts'
import { Live } from '../../src/deploy/live.ts'
import { nothingObserved } from '../../src/deploy/observed.ts'
import { deploy } from '../../src/engine/deploy.ts'
import type { EngineRun } from '../../src/engine/environment.ts'
import { evidenceOf } from '../../src/engine/evidence.ts'
import { Bus } from '../../src/events/bus.ts'
import type { Event } from '../../src/events/event.ts'
import { type KubeObject, type Manifest, podSpecOf, withPodSpec } from '../../src/lib/objects.ts'
import { Scope } from '../../src/lib/scope.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { baseImage } from '../lab/recipe.ts'
import { type ApiRig, openApiRig } from './api-rig.ts'
import { projectOn } from './program.ts'

let rig: ApiRig

beforeAll(async () => {
  rig = await openApiRig()
})
afterAll(() => rig[Symbol.asyncDispose]())

type Annotations = Readonly<Record<string, string>>

const preSync: Annotations = { 'argocd.argoproj.io/hook': 'PreSync' }
const wave = (number: string): Annotations => ({ 'argocd.argoproj.io/sync-wave': number })

const manifest = (object: KubeObject, namespace: string, annotations: Annotations): Manifest => ({
  object: { ...object, metadata: { ...object.metadata, namespace, annotations } },
  origin: { file: 'k8s/all.yaml', line: 1 },
})
const job = (namespace: string, name: string, script: string, annotations: Annotations = {}): Manifest => {
  const container = { name: 'main', image: baseImage, imagePullPolicy: 'Never', command: ['bash', '-c', script] }
  const template = { spec: { restartPolicy: 'Never', terminationGracePeriodSeconds: 0, containers: [container] } }
  return manifest(
    { apiVersion: 'batch/v1', kind: 'Job', metadata: { name }, spec: { backoffLimit: 0, template } },
    namespace,
    annotations,
  )
}
/** A Job whose script has the directory /shared together with others of its namespace. */
const sharing = (namespace: string, name: string, script: string, annotations: Annotations = {}): Manifest => {
  const { object, origin } = job(namespace, name, script, annotations)
  const shared = withPodSpec(object, (pod) => ({
    ...pod,
    containers: pod.containers.map((one) => ({ ...one, volumeMounts: [{ name: 'shared', mountPath: '/shared' }] })),
    volumes: [{ name: 'shared', hostPath: { path: `/var/lib/${namespace}`, type: 'DirectoryOrCreate' } }],
  }))
  return { object: shared, origin }
}
const configMap = (namespace: string, name: string, annotations: Annotations = {}): Manifest =>
  manifest({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } }, namespace, annotations)

/** Deploys; the events tell what was applied, in the order of time. `dependsOn`: service, of a Job of its name → those it needs. */
async function up(
  namespace: string,
  manifests: readonly Manifest[],
  dependsOn: Readonly<Record<string, readonly string[]>> = {},
): Promise<{ events: Event[]; failure: unknown }> {
  const services = Object.entries(dependsOn).map(([name, needs]) => ({ name, dependsOn: needs }))
  const plan = {
    ...{ project: 'order', env: 'default', namespace, directory: rig.scratch, configFile: 'devkit.config.ts', services },
    secrets: {},
    cluster: { spec: { kind: {} } },
  } as unknown as Plan
  const bus = new Bus()
  const events: Event[] = []
  bus.subscribe((event) => void events.push(event))
  await using scope = new Scope()
  const live = new Live(rig.kube, namespace, scope)
  const run = {
    bus,
    signal: scope.signal,
    timeoutMs: () => 60_000,
    confirm: async () => false,
    isUp: () => undefined,
  } as unknown as EngineRun
  const targets = new Map(services.map(({ name }) => [name, { workload: `Job/${name}`, container: 'main' }]))
  const source = { manifests, home: undefined, targets, syncedInto: new Map() }
  const evidence = evidenceOf(plan, source, { kube: rig.kube, live }, scope)
  const failure = await deploy({ plan, source, kube: rig.kube, live, evidence, manifests: async () => manifests }, run).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  return { events, failure }
}

const toldOf = (events: readonly Event[]): readonly string[] =>
  events.flatMap((event) =>
    event.type === 'object' && event.kind !== 'Namespace'
      ? [`${event.name} ${event.outcome}`]
      : event.type === 'step.finished' && event.step.startsWith('ready/')
        ? [`${event.step}`]
        : [],
  )

test.concurrent('hooks and waves are applied one after another, once; what changed runs again', async () => {
  const namespace = rig.namespace(`t-order-${process.pid}`)
  const all = (script: string): readonly Manifest[] => [
    configMap(namespace, 'later', wave('1')),
    job(namespace, 'slow', 'sleep 1', wave('-1')),
    configMap(namespace, 'plain'),
    job(namespace, 'after', 'true', { 'argocd.argoproj.io/hook': 'PostSync' }),
    job(namespace, 'migrate', script, { 'helm.sh/hook': 'post-install,pre-upgrade', ...preSync }),
  ]
  const order = ['migrate', 'ready/migrate', 'slow', 'ready/slow', 'plain', 'later', 'after', 'ready/after']
  const first = await up(namespace, all('true'))
  expect(first.failure).toBeUndefined()
  expect(toldOf(first.events)).toEqual(order.map((name) => (name.startsWith('ready/') ? name : `${name} created`)))
  const second = await up(namespace, all('true'))
  expect(toldOf(second.events)).toEqual(order.map((name) => (name.startsWith('ready/') ? name : `${name} unchanged`)))
  const third = await up(namespace, all('true; true'))
  expect(toldOf(third.events)).toContain('migrate configured')
  expect(toldOf(third.events)).toContain('slow unchanged')
})

test.concurrent('a hook that fails shows its last lines, and nothing after it is applied', async () => {
  const namespace = rig.namespace(`t-order-failing-${process.pid}`)
  const { failure, events } = await up(namespace, [
    configMap(namespace, 'plain'),
    job(namespace, 'migrate', 'echo no such table; exit 3', preSync),
  ])
  expect(failure).toMatchObject({ code: 'READY-200', detail: expect.stringContaining('no such table') })
  expect(toldOf(events)).toEqual(['migrate created'])
})

test.concurrent('a hook of Helm for after an install begins when all is applied, ready or not', async () => {
  const namespace = rig.namespace(`t-order-after-${process.pid}`)
  const init = sharing(namespace, 'init', 'touch /shared/made', { 'helm.sh/hook': 'post-install' })
  // however slow the node is, this one is not ready before the hook has begun
  const waits = sharing(namespace, 'waits', 'until [ -e /shared/made ]; do sleep 0.1; done; sleep 4')
  const { failure, events } = await up(namespace, [init, waits])
  expect(failure).toBeUndefined()
  expect(toldOf(events)).toEqual(['waits created', 'init created', 'ready/init', 'ready/waits'])
})

test.concurrent('a hook for after an install may be what a dependency needs to be ready', async () => {
  const namespace = rig.namespace(`t-order-needed-${process.pid}`)
  const all = [
    sharing(namespace, 'db', 'until [ -e /shared/made ]; do sleep 0.1; done'),
    sharing(namespace, 'web', 'true'),
    sharing(namespace, 'init', 'touch /shared/made', { 'helm.sh/hook': 'post-install' }),
  ]
  const { failure, events } = await up(namespace, all, { db: [], web: ['db'] })
  expect(failure).toBeUndefined()
  expect(toldOf(events).at(-1)).toBe('ready/web')
})

test.concurrent('a hook may be a pod: one that ends well is done, one that fails ends the rollout with its last lines', async () => {
  const namespace = rig.namespace(`t-order-pod-${process.pid}`)
  const pod = (name: string, script: string): Manifest => {
    const spec = podSpecOf(job(namespace, name, script).object)
    const object = { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec }
    return manifest(object, namespace, { 'helm.sh/hook': 'pre-install', 'helm.sh/hook-weight': name === 'well' ? '1' : '2' })
  }
  const well = await up(namespace, [pod('well', 'true'), configMap(namespace, 'plain')])
  expect(well.failure).toBeUndefined()
  expect(toldOf(well.events)).toEqual(['well created', 'ready/well', 'plain created'])
  const { failure, events } = await up(namespace, [pod('ill', 'echo no such table; exit 3'), configMap(namespace, 'plain')])
  expect(failure).toMatchObject({ code: 'READY-103', detail: expect.stringContaining('no such table') })
  expect(toldOf(events)).toEqual(['ill created'])
})

test.concurrent('hooks go with their pods when they are done, as their policies say, and run again only when their content changed', async () => {
  const namespace = rig.namespace(`t-order-policies-${process.pid}`)
  const helm = (weight: string): Annotations => ({
    'helm.sh/hook': 'pre-install,pre-upgrade',
    'helm.sh/hook-weight': weight,
    'helm.sh/hook-delete-policy': 'before-hook-creation,hook-succeeded',
  })
  const argo = { 'argocd.argoproj.io/hook': 'PostSync', 'argocd.argoproj.io/hook-delete-policy': 'HookSucceeded' }
  const all = (script: string): readonly Manifest[] => {
    const { object, origin } = job(namespace, 'migrate', script, helm('2'))
    const reading = withPodSpec(object, (pod) => ({
      ...pod,
      containers: pod.containers.map((one) => ({ ...one, envFrom: [{ configMapRef: { name: 'settings' } }] })),
    }))
    const kept = job(namespace, 'kept', script, { 'helm.sh/hook': 'pre-install,pre-upgrade' })
    const smoke = job(namespace, 'smoke', 'true', argo)
    return [{ object: reading, origin }, configMap(namespace, 'settings', helm('1')), kept, configMap(namespace, 'plain'), smoke]
  }
  const there = (): readonly string[] =>
    rig
      .kubectl(['get', 'jobs,pods,configmaps', '-n', namespace, '-o', 'name'])
      .split('\n')
      .filter((name) => name !== '' && !/pod\/kept|devkit-|kube-root-ca/.test(name))
  const changes = (events: readonly Event[]): readonly string[] =>
    toldOf(events).filter((line) => !line.startsWith('ready/') && !line.endsWith(' unchanged'))
  const first = await up(namespace, all('true'))
  expect(first.failure).toBeUndefined()
  const outcomes = ['settings created', 'migrate created', 'migrate pruned', 'settings pruned', 'plain created']
  expect(changes(first.events)).toEqual(['kept created', ...outcomes, 'smoke created', 'smoke pruned'])
  expect(there()).toEqual(['job.batch/kept', 'configmap/plain'])
  const second = await up(namespace, all('true'))
  expect(second.failure).toBeUndefined()
  expect(changes(second.events)).toEqual([])
  expect(toldOf(second.events)).toContain('migrate unchanged')
  expect(there()).toEqual(['job.batch/kept', 'configmap/plain'])
  const third = await up(namespace, all('true; true'))
  expect(third.failure).toBeUndefined()
  expect(changes(third.events)).toEqual(['kept configured', ...outcomes.slice(0, 4)])
})

test.concurrent('a hook of several phases runs in each of them; a pod that is one is made anew when it changed', async () => {
  const namespace = rig.namespace(`t-order-phases-${process.pid}`)
  const all = (script: string): readonly Manifest[] => {
    const spec = podSpecOf(job(namespace, 'pod', script).object)
    const pod = manifest({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'pod' }, spec }, namespace, preSync)
    return [
      job(namespace, 'check', script, { 'argocd.argoproj.io/hook': 'PreSync,PostSync' }),
      pod,
      configMap(namespace, 'plain'),
    ]
  }
  // those of one wave are applied at once
  const outcomesOf = async (script: string): Promise<readonly string[]> => {
    const { failure, events } = await up(namespace, all(script))
    expect(failure).toBeUndefined()
    return toldOf(events)
      .filter((line) => !line.startsWith('ready/'))
      .toSorted()
  }
  const checkUid = (): string => rig.kubectl(['get', 'job/check', '-n', namespace, '-o', 'jsonpath={.metadata.uid}'])
  expect(await outcomesOf('true')).toEqual(['check configured', 'check created', 'plain created', 'pod created'])
  const before = checkUid()
  expect(await outcomesOf('true')).toEqual(['check unchanged', 'check unchanged', 'plain unchanged', 'pod unchanged'])
  expect(checkUid()).toBe(before)
  const changed = ['check configured', 'check configured', 'plain unchanged', 'pod configured']
  expect(await outcomesOf('true; true')).toEqual(changed)
})

test.concurrent('a hook for a failure runs each time that something failed, and what is told is the failure', async () => {
  const namespace = rig.namespace(`t-order-alarm-${process.pid}`)
  const alarm = job(namespace, 'alarm', 'true', { 'argocd.argoproj.io/hook': 'SyncFail' })
  const all = (script: string): readonly Manifest[] => [job(namespace, 'migrate', script, preSync), alarm]
  for (const outcome of ['created', 'configured']) {
    const { failure, events } = await up(namespace, all('exit 3'))
    expect(failure).toMatchObject({ code: 'READY-200', message: expect.stringContaining('migrate') })
    expect(toldOf(events).slice(1)).toEqual([`alarm ${outcome}`, 'ready/alarm'])
  }
  const well = await up(namespace, all('true'))
  expect(well.failure).toBeUndefined()
  expect(toldOf(well.events)).toEqual(['migrate configured', 'ready/migrate'])
})

test.concurrent('a hook that is gone is nothing that lacks: for status, for diff, and for the next run until all is taken down', async () => {
  const project = projectOn(rig, `t-order-gone-${process.pid}`)
  const { object } = job('', 'seed', 'true', { 'helm.sh/hook': 'pre-install', 'helm.sh/hook-delete-policy': 'hook-succeeded' })
  const { namespace: _, ...metadata } = object.metadata
  project.write({ ...object, metadata }, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'plain' } })
  const untilDown = async (): Promise<void> => {
    expect((await project.run(['up'])).objects).toContain('pruned Job/seed')
    expect((await project.run(['status', '--check'])).code).toBe(0)
    expect((await project.run(['diff', '--check'])).code).toBe(0)
    const { objects } = await project.run(['up'])
    expect(objects.filter((line) => !line.includes('Namespace/'))).toEqual(['unchanged ConfigMap/plain', 'unchanged Job/seed'])
    expect((await project.run(['down', '--yes'])).code).toBe(0)
  }
  await untilDown()
  rig.namespace(`t-order-gone-${process.pid}`)
  await untilDown()
})

test.concurrent('a hook that failed goes when its policy says so, is told with its last lines, and runs at the next run', async () => {
  const namespace = rig.namespace(`t-order-failed-${process.pid}`)
  const failing = (policy: Annotations): readonly Manifest[] => [
    job(namespace, 'migrate', 'echo no such table; exit 3', { ...preSync, ...policy }),
  ]
  const jobs = (): string => rig.kubectl(['get', 'jobs,pods', '-n', namespace, '-o', 'name'])
  for (const _ of [1, 2]) {
    const { failure, events } = await up(namespace, failing({ 'argocd.argoproj.io/hook-delete-policy': 'HookFailed' }))
    expect(failure).toMatchObject({ code: 'READY-200', detail: expect.stringContaining('no such table') })
    expect(toldOf(events)).toEqual(['migrate created', 'migrate pruned'])
    expect(jobs()).toBe('')
  }
  await up(namespace, failing({ 'argocd.argoproj.io/hook-delete-policy': 'HookSucceeded' }))
  expect(jobs()).toContain('job.batch/migrate')
})

test.concurrent('a hook that something holds is named with what holds it, not waited for without end', async () => {
  const namespace = rig.namespace(`t-order-held-${process.pid}`)
  const policy = { 'helm.sh/hook': 'pre-install', 'helm.sh/hook-delete-policy': 'hook-succeeded' }
  const held = configMap(namespace, 'held', policy)
  rig.kubectl(['create', 'configmap', 'held', '-n', namespace])
  const finalizers = (value: readonly string[]): string =>
    rig.kubectl(['patch', 'configmap/held', '-n', namespace, '-p', JSON.stringify({ metadata: { finalizers: value } })])
  finalizers(['order.devkit.test/held'])
  const environment = { namespace, project: 'order', env: 'default' }
  const known = { manifests: [held], observed: nothingObserved, patienceMs: 500 }
  const hooks = await Hooks.open(rig.kube, environment, known, rig.signal)
  await hooks.succeeded(held, rig.signal)
  try {
    await expect(hooks.sweep(['Helm'], rig.signal)).rejects.toMatchObject({
      code: 'APPLY-112',
      message: expect.stringContaining('the finalizer order.devkit.test/held is not done'),
      object: 'ConfigMap/held',
    })
  } finally {
    rig.kubectl(['patch', 'configmap/held', '-n', namespace, '--type=merge', '-p', '{"metadata":{"finalizers":null}}'])
  }
})

test.concurrent('a memory of hooks that is damaged is told, with what deleting it means', async () => {
  const namespace = rig.namespace(`t-order-damaged-${process.pid}`)
  rig.kubectl(['create', 'configmap', 'devkit-hooks', '-n', namespace, '--from-literal=done={'])
  const hook = configMap(namespace, 'gone', { 'helm.sh/hook': 'pre-install', 'helm.sh/hook-delete-policy': 'hook-succeeded' })
  const environment = { namespace, project: 'order', env: 'default' }
  await expect(
    Hooks.open(rig.kube, environment, { manifests: [hook], observed: nothingObserved }, rig.signal),
  ).rejects.toMatchObject({
    code: 'APPLY-111',
    message: expect.stringContaining(`ConfigMap/devkit-hooks in ${namespace}`),
    hint: expect.stringContaining('hooks that are gone run again'),
  })
})

test.concurrent('a kind and an object of it in one run', async () => {
  const namespace = rig.namespace(`t-order-kinds-${process.pid}`)
  const kind = `Lamp${process.pid}`
  const [plural, group] = [`${kind.toLowerCase()}s`, 'order.devkit.test']
  const names = { kind, plural, singular: kind.toLowerCase() }
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: { group, names, scope: 'Namespaced', versions: [{ name: 'v1', served: true, storage: true, schema }] },
  }
  const lamp = manifest({ apiVersion: `${group}/v1`, kind, metadata: { name: 'desk' }, spec: { on: true } }, namespace, {})
  const all = [lamp, { object: definition, origin: lamp.origin }]
  try {
    for (const outcome of ['created', 'unchanged']) {
      const { failure, events } = await up(namespace, all)
      expect(failure).toBeUndefined()
      expect(toldOf(events)).toEqual([`${plural}.${group} ${outcome}`, `desk ${outcome}`])
    }
  } finally {
    rig.kubectl(['delete', 'crd', `${plural}.${group}`, '--ignore-not-found'])
  }
})
