import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../src/lib/objects.ts'
import { ago, object, ownedBy, pod, Told, waiting } from '../../fakes/told.ts'

test('a CronJob is ready as soon as it is applied: no watch tells of it', async () => {
  await using told = new Told()
  await told.untilReady(object('CronJob', 'nightly'), 1000)
})

describe('whose pods are blamed', () => {
  const revision = (number: number) => ({ 'deployment.kubernetes.io/revision': String(number) })
  const deployment = (number: number, status: object): KubeObject =>
    object('Deployment', 'web', {
      metadata: { generation: number, annotations: revision(number) },
      spec: { replicas: 1 },
      status: { observedGeneration: number, replicas: 2, updatedReplicas: 1, ...status },
    })
  const set = (number: number): KubeObject =>
    object('ReplicaSet', `web-${number}`, ownedBy('web', { annotations: revision(number) }))

  test('not those of the rollout before', async () => {
    await using cluster = new Told()
    const crashed = pod('old', 'web-1', waiting('CrashLoopBackOff', '', 5))
    cluster.set(set(1), crashed, deployment(1, {}))
    const applied = deployment(2, {})
    const ready = cluster.untilReady(applied)
    cluster.set(set(2), deployment(2, { availableReplicas: 0 }))
    const running = { name: 'main', image: 'a', ready: true, restartCount: 0, state: { running: { startedAt: ago(60_000) } } }
    cluster.set({ ...crashed, metadata: { ...crashed.metadata, deletionTimestamp: ago(0) } })
    cluster.set(pod('new', 'web-2', running), deployment(2, { replicas: 1, availableReplicas: 1 }))
    await ready
  })

  test('those of the new one, with their last line', async () => {
    await using cluster = new Told()
    cluster.set(set(1), set(2), pod('new', 'web-2', waiting('CrashLoopBackOff', '', 2, 7)), deployment(2, {}))
    await expect(cluster.untilReady(deployment(2, {}))).rejects.toMatchObject({
      code: 'READY-101',
      message: expect.stringContaining('ends with 7'),
      detail: 'its last line',
    })
  })

  test('not while what it may wait for is on its way', async () => {
    await using cluster = new Told()
    const database = (ready: number): KubeObject =>
      object('StatefulSet', 'db', {
        spec: { replicas: 1 },
        status: { observedGeneration: 1, updatedReplicas: 1, readyReplicas: ready },
      })
    const crashing = pod('new', 'web-1', waiting('CrashLoopBackOff', '', 3))
    cluster.set(database(0), set(1), crashing, deployment(1, {}))
    let ended = false
    const awaited = cluster.untilReady(deployment(1, {})).finally(() => {
      ended = true
    })
    const told = awaited.catch((thrown: unknown) => thrown)
    await cluster.live.until(
      () => (cluster.live.get('Pod/new') && cluster.live.get('StatefulSet/db') ? true : undefined),
      AbortSignal.timeout(5000),
    )
    expect(ended).toBe(false)
    cluster.set(database(1))
    expect(await told).toMatchObject({ code: 'READY-101' })
  })

  test('a program without a probe that has only just begun is not ready yet', async () => {
    await using cluster = new Told()
    const running = { name: 'main', image: 'a', ready: true, restartCount: 0, state: { running: { startedAt: ago(0) } } }
    cluster.set(set(1), pod('new', 'web-1', running), deployment(1, { replicas: 1, availableReplicas: 1 }))
    const began = Date.now()
    await cluster.untilReady(deployment(1, {}))
    expect(Date.now() - began).toBeGreaterThan(1000)
    expect(Date.now() - began).toBeLessThan(4000)
  })
})

test('a workload is ready when its Services lead to a pod of it, and their endpoints are followed no longer', async () => {
  await using cluster = new Told()
  const labels = { app: 'web' }
  const web = object('StatefulSet', 'web', {
    spec: { replicas: 1, template: { metadata: { labels } } },
    status: { observedGeneration: 1, replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1 },
  })
  const running = { name: 'main', image: 'a', ready: true, restartCount: 0, state: { running: { startedAt: ago(60_000) } } }
  const service = (name: string, selector: object): KubeObject => object('Service', name, { spec: { selector } })
  const slice = (uid: string): KubeObject =>
    object('EndpointSlice', 'web-x', {
      metadata: { labels: { 'kubernetes.io/service-name': 'web' } },
      endpoints: [{ conditions: { ready: true }, targetRef: { uid } }],
    })
  cluster.set(web, pod('web-0', 'web', running), slice('uid-of-the-pod-before'))
  let ended = false
  const ready = cluster
    .untilReady(web, 20_000, [service('web', labels), service('other', { app: 'other' })])
    .finally(() => (ended = true))
  await cluster.live.until(() => cluster.live.get('Pod/web-0') && cluster.live.get('StatefulSet/web'), AbortSignal.timeout(5000))
  expect([ended, cluster.followed.includes('EndpointSlice')]).toEqual([false, true])
  cluster.set(slice('uid-of-web-0'))
  await ready
  expect(cluster.followed).not.toContain('EndpointSlice')
})

test('who may not look at endpoints is not held up by them', async () => {
  await using cluster = new Told()
  cluster.hidden.add('EndpointSlice')
  const labels = { app: 'web' }
  const web = object('DaemonSet', 'web', {
    spec: { template: { metadata: { labels } } },
    status: { observedGeneration: 1, desiredNumberScheduled: 1, updatedNumberScheduled: 1, numberAvailable: 1 },
  })
  const running = { name: 'main', image: 'a', ready: true, restartCount: 0, state: { running: { startedAt: ago(60_000) } } }
  cluster.set(web, pod('web-x', 'web', running))
  await cluster.untilReady(web, 5000, [object('Service', 'web', { spec: { selector: labels } })])
})

test('a Service that leads nowhere is named when time is up', async () => {
  await using cluster = new Told()
  const labels = { app: 'web' }
  const running = { name: 'main', image: 'a', ready: true, restartCount: 0, state: { running: { startedAt: ago(60_000) } } }
  const web = object('DaemonSet', 'web', {
    spec: { template: { metadata: { labels } } },
    status: { observedGeneration: 1, desiredNumberScheduled: 1, updatedNumberScheduled: 1, numberAvailable: 1 },
  })
  cluster.set(web, pod('web-x', 'web', running))
  await expect(cluster.untilReady(web, 100, [object('Service', 'web', { spec: { selector: labels } })])).rejects.toMatchObject({
    code: 'READY-102',
    message: expect.stringContaining('Service/web has none of its pods as an endpoint'),
  })
})

test('what a workload waits for is said once it takes long, and again when it waits for something else', async () => {
  await using cluster = new Told()
  const set = (updated: number, available: number): KubeObject =>
    object('DaemonSet', 'web', {
      spec: {},
      status: {
        ...{ observedGeneration: 1, desiredNumberScheduled: 1 },
        ...{ updatedNumberScheduled: updated, numberAvailable: available },
      },
    })
  const began = Date.now()
  cluster.set(set(0, 1))
  const ready = cluster.untilReady(set(0, 1))
  const said = await cluster.said.take(AbortSignal.timeout(10_000))
  expect(Date.now() - began).toBeGreaterThanOrEqual(3000)
  cluster.set(set(0, 1), set(1, 0))
  said.push(...(await cluster.said.take(AbortSignal.timeout(1000))))
  expect(said).toEqual(['DaemonSet/web waits: 0 of 1 pods are of the new rollout', 'DaemonSet/web waits: 0 of 1 pods are ready'])
  const running = { name: 'main', image: 'a', ready: true, restartCount: 0, state: { running: { startedAt: ago(60_000) } } }
  cluster.set(pod('web-x', 'web', running), set(1, 1))
  await ready
})

describe('what is no workload', () => {
  const lamp = (status: object | undefined, ageMs: number): KubeObject => ({
    ...{ apiVersion: 'example.com/v1', kind: 'Lamp', status },
    metadata: { name: 'desk', uid: 'uid-of-desk', generation: 1, creationTimestamp: ago(ageMs) },
  })
  const told = (ready: string) => ({ conditions: [{ type: 'Ready', status: ready, reason: 'Dark' }] })

  test('a new custom resource waits for what its controller says first, and then for what it waits for', async () => {
    await using cluster = new Told()
    const asked = cluster.unsettled(lamp(undefined, 0))
    cluster.set(lamp(undefined, 0), lamp(told('False'), 0))
    const of = await asked
    if (!of) throw new Error('nothing to wait for')
    const settled = cluster.untilSettled(of)
    cluster.set(lamp(told('True'), 0))
    await settled
    expect(cluster.followed).not.toContain('Lamp')
  })

  test('one whose controller says nothing is ready, an old one at once', async () => {
    await using cluster = new Told()
    const began = Date.now()
    cluster.set(lamp(undefined, 60_000))
    expect(await cluster.unsettled(lamp(undefined, 60_000))).toBe(undefined)
    expect(Date.now() - began).toBeLessThan(500)
    expect(await cluster.unsettled(lamp(undefined, 0))).toBe(undefined)
    expect(Date.now() - began).toBeLessThan(3000)
  })

  test('what time cannot mend is told at once: a resource that is stalled, a claim whose volume is gone', async () => {
    await using cluster = new Told()
    const condition = { type: 'Stalled', status: 'True', message: 'no such socket' }
    const stalled = lamp({ observedGeneration: 1, conditions: [condition] }, 60_000)
    const claim: KubeObject = {
      ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', spec: {}, status: { phase: 'Lost' } },
      metadata: { name: 'data', uid: 'uid-of-data', creationTimestamp: ago(60_000) },
    }
    cluster.set(stalled, claim)
    await expect(cluster.untilSettled({ applied: stalled })).rejects.toMatchObject({
      code: 'READY-107',
      object: 'Lamp/desk',
      message: 'Lamp/desk cannot become ready: its condition Stalled is True (no such socket).',
    })
    await expect(cluster.untilSettled({ applied: claim })).rejects.toMatchObject({
      code: 'READY-107',
      message: 'PersistentVolumeClaim/data cannot become ready: its volume is gone.',
    })
  })

  test('that it was stalled before it was changed says nothing of what it is now', async () => {
    await using cluster = new Told()
    const condition = { type: 'Stalled', status: 'True', message: 'no such socket', observedGeneration: 1 }
    const changed = lamp({ conditions: [condition] }, 60_000)
    const applied = { ...changed, metadata: { ...changed.metadata, generation: 2 } }
    cluster.set(applied)
    const settled = cluster.untilSettled({ applied })
    cluster.set({ ...applied, status: { conditions: [{ type: 'Ready', status: 'True', observedGeneration: 2 }] } })
    await settled
  })

  test('who may not look at it is not held up by it', async () => {
    await using cluster = new Told()
    cluster.hidden.add('Lamp')
    expect(await cluster.unsettled(lamp(undefined, 0))).toBe(undefined)
    await cluster.untilSettled({ applied: lamp(told('False'), 0) })
  })

  test('Kubernetes’ own kinds have no controller to wait for', async () => {
    await using cluster = new Told()
    expect(await cluster.unsettled({ ...lamp(undefined, 0), apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' })).toBe(
      undefined,
    )
    expect(cluster.followed).not.toContain('Ingress')
  })
})

test('a pod that cannot be made is told as soon as a warning says so', async () => {
  await using cluster = new Told()
  const web = object('DaemonSet', 'web', { spec: {}, status: { observedGeneration: 1, desiredNumberScheduled: 1 } })
  cluster.set(web)
  const ready = cluster.untilReady(web).catch((thrown: unknown) => thrown)
  await expect.poll(() => cluster.followed).toContain('Event')
  cluster.set(
    object('Event', 'web.1', {
      ...{ involvedObject: { uid: 'uid-of-web' }, reason: 'FailedCreate' },
      message: 'Error creating: pods "web-x" is forbidden: exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2',
      lastTimestamp: ago(1000),
    }),
  )
  expect(await ready).toMatchObject({ code: 'READY-190', message: expect.stringContaining('the ResourceQuota few') })
})
