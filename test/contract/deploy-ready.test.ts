import * as v from 'valibot'
import { afterAll, beforeAll, expect, test } from 'vitest'
import dev from '../../profiles/dev.ts'
import { resolveProfile } from '../../src/config/profile.ts'
import { profileSchema } from '../../src/config/profile-schema.ts'
import { applyManifest } from '../../src/deploy/apply.ts'
import { Evidence } from '../../src/deploy/diagnosis/evidence.ts'
import { endpointSlices } from '../../src/deploy/endpoints.ts'
import { Live } from '../../src/deploy/live.ts'
import { untilReady } from '../../src/deploy/readiness.ts'
import { unsettled, untilSettled } from '../../src/deploy/settled.ts'
import { type KubeObject, nameOf, withPodSpec } from '../../src/lib/objects.ts'
import { Scope } from '../../src/lib/scope.ts'
import { baseImage } from '../lab/recipe.ts'
import { under } from '../unit/render/rig.ts'
import { type ApiRig, openApiRig } from './api-rig.ts'

let rig: ApiRig

beforeAll(async () => {
  rig = await openApiRig()
})
afterAll(() => rig?.[Symbol.asyncDispose]())

const workload = (kind: 'Deployment' | 'StatefulSet', namespace: string, replicas: number, round = '1'): KubeObject => {
  const labels = { app: 'web' }
  const container = {
    ...{ name: 'web', image: baseImage, imagePullPolicy: 'Never', command: ['bash', '-c', 'sleep infinity & wait'] },
    ...{ env: [{ name: 'ROUND', value: round }], readinessProbe: { exec: { command: ['true'] }, periodSeconds: 1 } },
  }
  const template = { metadata: { labels }, spec: { terminationGracePeriodSeconds: 1, containers: [container] } }
  const spec = { replicas, selector: { matchLabels: labels }, template, ...(kind === 'StatefulSet' && { serviceName: 'web' }) }
  return { apiVersion: 'apps/v1', kind, metadata: { name: 'web', namespace }, spec }
}
const service = (namespace: string): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace } },
  spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
})

/** Applies and waits, as `up` does. */
async function ready(objects: readonly KubeObject[], live: Live, signal: AbortSignal, timeoutMs = 60_000): Promise<void> {
  const services = objects.filter(({ kind }) => kind === 'Service')
  for (const object of objects) {
    const applied = await rig.kube.apply(object, signal)
    const { namespace = '' } = object.metadata
    const awaited = { workload: nameOf(object), applied, namespace, service: undefined, services, timeoutMs }
    if (object.kind === 'Service') continue
    await using scope = new Scope()
    await untilReady(live, new Evidence(rig.kube, live, { namespace }, scope), awaited, { signal, say: () => undefined })
  }
}

test.concurrent.each(['Deployment', 'StatefulSet'] as const)(
  'a %s is ready when its Service leads to a pod of its newest rollout, at first and after a change',
  async (kind) => {
    const namespace = rig.namespace(`t-ready-${kind.toLowerCase()}-${process.pid}`)
    await using scope = new Scope()
    const live = new Live(rig.kube, namespace, scope)
    for (const round of ['1', '2']) {
      await ready([service(namespace), workload(kind, namespace, 1, round)], live, scope.signal)
      const slices = await rig.kube.list({ ...endpointSlices, namespace }, scope.signal)
      const endpoints = slices.flatMap(
        (slice) => slice['endpoints'] as { conditions: { ready: boolean }; targetRef: { name: string } }[],
      )
      const pods = await rig.kube.list({ apiVersion: 'v1', kind: 'Pod', namespace }, scope.signal)
      const pod = pods.find(({ metadata, spec }) => !metadata.deletionTimestamp && JSON.stringify(spec).includes(`"${round}"`))
      const leading = endpoints.filter(({ conditions }) => conditions.ready).map(({ targetRef }) => targetRef.name)
      expect(leading).toContain(pod?.metadata.name)
    }
  },
)

/** Waits for one object that was applied; what was said meanwhile. */
async function settled(applied: KubeObject, live: Live, signal: AbortSignal, timeoutMs = 30_000): Promise<readonly string[]> {
  const said: string[] = []
  const of = await unsettled(rig.kube, live, applied, signal)
  if (of) await untilSettled(live, of, timeoutMs, { signal, say: (line) => said.push(line) })
  return said
}

test.concurrent('a custom resource is ready when its controller says so of what was applied', async () => {
  const namespace = rig.namespace(`t-ready-kinds-${process.pid}`)
  const [kind, plural, group] = [`Bulb${process.pid}`, `bulb${process.pid}s`, 'ready.devkit.test']
  const conditions = { type: 'array', items: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  const status = { type: 'object', properties: { conditions, observedGeneration: { type: 'integer' } } }
  const spec = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  const version = { name: 'v1', served: true, storage: true, subresources: { status: {} } }
  const openAPIV3Schema = { type: 'object', properties: { spec, status } }
  const definition: KubeObject = {
    ...{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name: `${plural}.${group}` } },
    spec: {
      ...{ group, scope: 'Namespaced', names: { kind, plural, singular: kind.toLowerCase() } },
      versions: [{ ...version, schema: { openAPIV3Schema } }],
    },
  }
  await using scope = new Scope()
  const live = new Live(rig.kube, namespace, scope)
  const say = (ready: string, observedGeneration: number): void => {
    const told = { observedGeneration, conditions: [{ type: 'Ready', status: ready, message: 'no current' }] }
    const patch = JSON.stringify({ status: told })
    rig.kubectl(['patch', `${plural}.${group}/desk`, '-n', namespace, '--subresource=status', '--type=merge', '-p', patch])
  }
  const bulb = (watts: number): KubeObject => ({
    ...{ apiVersion: `${group}/v1`, kind, metadata: { name: 'desk', namespace }, spec: { watts } },
  })
  try {
    const origin = { file: 'k8s/all.yaml', line: 1 }
    await applyManifest(rig.kube, { object: definition, origin }, { labels: {} }, scope.signal)
    await rig.kube.apply(bulb(40), scope.signal)
    say('False', 1)
    const first = settled(await rig.kube.apply(bulb(40), scope.signal), live, scope.signal)
    let isReady = false
    first.then(() => (isReady = true)).catch(() => undefined)
    await expect(settled(await rig.kube.apply(bulb(40), scope.signal), live, scope.signal, 5000)).rejects.toMatchObject({
      code: 'READY-102',
      message: expect.stringContaining('its condition Ready is False (no current)'),
    })
    expect(isReady).toBe(false)
    say('True', 1)
    await first
    const second = settled(await rig.kube.apply(bulb(60), scope.signal), live, scope.signal, 5000)
    await expect(second).rejects.toMatchObject({ message: expect.stringContaining('has not seen the change') })
    say('True', 2)
    await settled(await rig.kube.apply(bulb(60), scope.signal), live, scope.signal)
  } finally {
    rig.kubectl(['delete', 'crd', `${plural}.${group}`, '--ignore-not-found', '--wait=false'])
  }
})

test.concurrent('a claim is waited for when its class binds at once, and not when it waits for a pod', async () => {
  const namespace = rig.namespace(`t-ready-claims-${process.pid}`)
  await using scope = new Scope()
  const live = new Live(rig.kube, namespace, scope)
  const storageClass = `t-ready-${process.pid}`
  const claim = (name: string, storageClassName?: string): KubeObject => ({
    ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name, namespace } },
    spec: { accessModes: ['ReadWriteOnce'], storageClassName, resources: { requests: { storage: '1Mi' } } },
  })
  const provided = { provisioner: 'ready.devkit.test/none', volumeBindingMode: 'Immediate' }
  try {
    await rig.kube.apply(
      { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name: storageClass }, ...provided },
      scope.signal,
    )
    expect(await settled(await rig.kube.apply(claim('late'), scope.signal), live, scope.signal)).toEqual([])
    const soon = await rig.kube.apply(claim('soon', storageClass), scope.signal)
    await expect(settled(soon, live, scope.signal, 5000)).rejects.toMatchObject({
      message: expect.stringContaining(`${storageClass} has not yet made its volume`),
    })
    const bound = settled(soon, live, scope.signal)
    const volume = {
      ...{ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: storageClass } },
      spec: {
        ...{ storageClassName: storageClass, accessModes: ['ReadWriteOnce'], capacity: { storage: '1Mi' } },
        ...{ claimRef: { name: 'soon', namespace }, hostPath: { path: '/tmp/none' }, persistentVolumeReclaimPolicy: 'Retain' },
      },
    }
    await rig.kube.apply(volume, scope.signal)
    await bound
  } finally {
    rig.kubectl(['delete', 'pvc/soon', '-n', namespace, '--ignore-not-found', '--wait=false'])
    rig.kubectl(['delete', `pv/${storageClass}`, `storageclass/${storageClass}`, '--ignore-not-found', '--wait=false'])
  }
})

test('what production asks of a rollout is waited for under production, and not under dev', async () => {
  const namespace = rig.namespace(`t-ready-dev-${process.pid}`)
  await using scope = new Scope()
  const live = new Live(rig.kube, namespace, scope)
  const slow = { terminationGracePeriodSeconds: 60, lifecycle: { preStop: { exec: { command: ['sleep', '30'] } } } }
  const ofProduction = (round: string): KubeObject =>
    withPodSpec(workload('Deployment', namespace, 3, round), (pod) => ({
      ...{ ...pod, terminationGracePeriodSeconds: slow.terminationGracePeriodSeconds },
      containers: pod.containers.map((one) => ({
        ...{ ...one, lifecycle: slow.lifecycle },
        readinessProbe: { exec: { command: ['true'] }, initialDelaySeconds: 20, periodSeconds: 20 },
      })),
    }))
  const patient = (object: KubeObject): KubeObject => ({
    ...object,
    spec: { ...(object['spec'] as object), minReadySeconds: 20 },
  })
  const { profile } = resolveProfile('dev', { dev: v.parse(profileSchema, dev) }, {})
  const ofDev = (round: string): KubeObject => {
    const made = under(profile, patient(ofProduction(round)), { namespace })
    if (!made) throw new Error('dev leaves it out')
    return made
  }
  await ready([ofDev('1')], live, scope.signal)
  const began = Date.now()
  await ready([ofDev('2')], live, scope.signal)
  const devMs = Date.now() - began
  // any one of the settings of production alone takes longer
  expect(devMs).toBeLessThan(15_000)
  await expect(ready([patient(ofProduction('3'))], live, scope.signal, 15_000)).rejects.toMatchObject({ code: 'READY-102' })
})
