import { describe, expect, test } from 'vitest'
import { podTrouble, troubleInWarnings } from '../../../src/deploy/diagnosis/diagnosis.ts'
import { Live } from '../../../src/deploy/live.ts'
import { untilReady } from '../../../src/deploy/readiness.ts'
import { type Unsettled, unsettled, untilSettled } from '../../../src/deploy/settled.ts'
import type { Kube, KubeEvent } from '../../../src/kube/kube.ts'
import { Inbox } from '../../../src/lib/async.ts'
import type { KubeObject } from '../../../src/lib/objects.ts'
import { Scope } from '../../../src/lib/scope.ts'

const ago = (ms: number): string => new Date(Date.now() - ms).toISOString()
const apiVersions: Readonly<Record<string, string>> = { Pod: 'v1', Job: 'batch/v1', CronJob: 'batch/v1' }
const object = (kind: string, name: string, rest: Readonly<Record<string, unknown>> = {}): KubeObject => {
  const { metadata, ...fields } = rest as { metadata?: object }
  return {
    apiVersion: apiVersions[kind] ?? 'apps/v1',
    kind,
    metadata: { name, uid: `uid-of-${name}`, generation: 1, creationTimestamp: ago(5000), ...metadata },
    ...fields,
  }
}
const ownedBy = (name: string, more: object = {}) => ({
  metadata: { ownerReferences: [{ kind: 'x', name, uid: `uid-of-${name}`, controller: true }], ...more },
})
const waiting = (reason: string, message = '', restartCount = 0, exitCode = 1) => ({
  name: 'main',
  image: 'image:1',
  ready: false,
  restartCount,
  state: { waiting: { reason, message } },
  lastState: { terminated: { exitCode } },
})
const pod = (name: string, owner: string, container: object, ageMs = 5000): KubeObject =>
  object('Pod', name, {
    ...ownedBy(owner, { creationTimestamp: ago(ageMs) }),
    spec: { containers: [{ name: 'main' }] },
    status: {
      conditions: [{ type: 'Ready', status: (container as { ready?: boolean }).ready ? 'True' : 'False' }],
      containerStatuses: [container],
    },
  })

describe('what time cannot mend', () => {
  const notFound =
    'rpc error: code = NotFound desc = failed to pull and unpack image "a:1": failed to resolve reference "a:1": a:1: not found'
  test.each([
    ['an image that does not exist', waiting('ErrImagePull', notFound), 1000, { reason: 'image', said: 'a:1: not found' }],
    ['a registry that does not answer yet', waiting('ErrImagePull', 'dial tcp 1.2.3.4:443: i/o timeout'), 1000, undefined],
    ['a registry that does not answer for a minute', waiting('ImagePullBackOff', 'i/o timeout'), 61_000, { reason: 'image' }],
    ['a back-off that tells nothing', waiting('ImagePullBackOff', 'Back-off pulling image "a:1"'), 5000, undefined],
    ['a Secret that a controller may be making', waiting('CreateContainerConfigError', 'secret "a" not found'), 2000, undefined],
    [
      'a Secret that nobody makes',
      waiting('CreateContainerConfigError', 'secret "a" not found'),
      11_000,
      { reason: 'not-created' },
    ],
    ['the first crash', waiting('CrashLoopBackOff', '', 1, 3), 5000, undefined],
    ['the third crash', waiting('CrashLoopBackOff', '', 2, 3), 25_000, { reason: 'crash-loop', exitCode: 3, restarts: 2 }],
    ['a container that is being made', waiting('ContainerCreating'), 50_000, undefined],
  ])('%s', (_, container, ageMs, expected) => {
    const found = podTrouble(pod('p', 'owner', container, ageMs), Date.now())
    if (expected === undefined) expect(found).toBe(undefined)
    else expect(found).toMatchObject(expected)
  })

  test('only events tell of pods that cannot be made and of volumes that refer to nothing', () => {
    const warning = (about: string, reason: string, message: string) => ({ about, reason, message, at: Date.now() - 1000 })
    const refused = warning('uid-of-set', 'FailedCreate', 'pods "a" is forbidden: exceeded quota')
    const made = pod('p', 'set', waiting('ContainerCreating'), 15_000)
    const unmounted = warning('uid-of-p', 'FailedMount', 'MountVolume.SetUp failed: configmap "c" not found')
    expect(troubleInWarnings([refused], [], Date.now())).toMatchObject({
      reason: 'no-pod',
      said: expect.stringContaining('quota'),
    })
    expect(troubleInWarnings([refused], [made], Date.now())).toBe(undefined)
    expect(troubleInWarnings([unmounted], [made], Date.now())).toMatchObject({ reason: 'not-mounted', pod: 'p' })
    expect(troubleInWarnings([unmounted], [pod('p', 'set', waiting('ContainerCreating'), 500)], Date.now())).toBe(undefined)
  })
})

test('a CronJob is ready as soon as it is applied: no watch tells of it', async () => {
  await using told = new Told()
  await told.untilReady(object('CronJob', 'nightly'), 1000)
})

/** A cluster of which a test tells what is there; it has no events and one line of log. */
class Told {
  readonly #inboxes = new Map<string, Inbox<KubeEvent>>()
  readonly #scope = new Scope()
  readonly #followed = new Set<string>()
  readonly #kube = {
    watch: (kind: { readonly kind: string }, signal: AbortSignal) => this.#follow(kind.kind, signal),
    list: async () => [],
    denials: async (needs: readonly { readonly kind: string }[]) => needs.filter(({ kind }) => this.hidden.has(kind)),
    logs: async function* () {
      yield { time: '', line: 'its last line' }
    },
  } as unknown as Kube
  readonly live = new Live(this.#kube, 'n', this.#scope)

  set(...objects: readonly KubeObject[]): void {
    for (const one of objects) this.#inbox(one.kind).push({ type: 'set', object: one })
  }

  readonly said = new Inbox<string>()

  /** Kinds that nobody may look at. */
  readonly hidden = new Set<string>()

  /** Kinds that are followed now. */
  get followed(): readonly string[] {
    return [...this.#followed]
  }

  untilReady(applied: KubeObject, timeoutMs = 20_000, services: readonly KubeObject[] = []): Promise<void> {
    const awaited = {
      workload: `${applied.kind}/${applied.metadata.name}`,
      applied,
      namespace: 'n',
      service: undefined,
      services,
      timeoutMs,
    }
    return untilReady(this.#kube, this.live, awaited, { signal: this.#scope.signal, say: (line) => this.said.push(line) })
  }

  unsettled(applied: KubeObject): Promise<Unsettled | undefined> {
    return unsettled(this.#kube, this.live, applied, this.#scope.signal)
  }

  untilSettled(of: Unsettled): Promise<void> {
    return untilSettled(this.live, of, 20_000, { signal: this.#scope.signal, say: (line) => this.said.push(line) })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#scope.close()
  }

  #inbox(kind: string): Inbox<KubeEvent> {
    const inbox = this.#inboxes.get(kind) ?? new Inbox<KubeEvent>()
    this.#inboxes.set(kind, inbox)
    return inbox
  }

  async *#follow(kind: string, signal: AbortSignal): AsyncIterable<KubeEvent> {
    this.#followed.add(kind)
    yield { type: 'synced' }
    while (!signal.aborted)
      yield* await this.#inbox(kind)
        .take(signal)
        .catch(() => [])
    this.#followed.delete(kind)
  }
}

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

test('a pod that cannot be made is told as soon as a warning says so; warnings are followed only when it takes long', async () => {
  await using cluster = new Told()
  const web = object('DaemonSet', 'web', { spec: {}, status: { observedGeneration: 1, desiredNumberScheduled: 1 } })
  cluster.set(web)
  const ready = cluster.untilReady(web).catch((thrown: unknown) => thrown)
  await cluster.said.take(AbortSignal.timeout(10_000))
  await expect.poll(() => cluster.followed).toContain('Event')
  cluster.set(
    object('Event', 'web.1', {
      ...{ involvedObject: { uid: 'uid-of-web' }, reason: 'FailedCreate', message: 'exceeded quota' },
      lastTimestamp: ago(1000),
    }),
  )
  expect(await ready).toMatchObject({ code: 'READY-106', message: expect.stringContaining('exceeded quota') })
  expect(cluster.followed).not.toContain('Event')
})
