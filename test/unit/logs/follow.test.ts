import { expect, test } from 'vitest'
import type { Kube, LogLine } from '../../../src/kube/kube.ts'
import { ApiFailure } from '../../../src/kube/kube.ts'
import type { KubeObject } from '../../../src/lib/objects.ts'
import { LogFollower, type ServiceLine } from '../../../src/logs/follow.ts'

/** A cluster's pods and their logs, as the API shows them: per container the log of the instance that runs and of the one before. */
class FakeCluster {
  #pods = new Map<string, FakePod>()
  #listeners = new Set<() => void>()
  #requests = 0
  /** Streams that are open now. */
  open = 0

  get requests(): number {
    return this.#requests
  }

  start(name: string, uid = name): FakePod {
    const pod = new FakePod(name, uid, () => this.change())
    this.#pods.set(name, pod)
    this.change()
    return pod
  }

  remove(pod: FakePod): void {
    pod.end()
    this.#pods.delete(pod.name)
    this.change()
  }

  change(): void {
    for (const listener of this.#listeners) listener()
  }

  readonly kube: Pick<Kube, 'logs'> = { logs: (ref, signal) => this.#logs(ref, signal) }

  async *#logs({ pod: name, follow, previous, tailLines, sinceTime }: Parameters<Kube['logs']>[0], signal: AbortSignal) {
    this.#requests += 1
    const pod = this.#pods.get(name)
    if (!pod) throw new ApiFailure(404, 'NotFound', 'no such pod')
    const log = previous ? pod.previous : pod.current
    if (!log) throw new ApiFailure(400, 'BadRequest', 'waiting to start')
    const from = log.lines.findIndex(({ time }) => time.slice(0, 19) >= (sinceTime ?? '').slice(0, 19))
    let at = tailLines === 0 ? log.lines.length : from < 0 ? log.lines.length : from
    this.open += 1
    try {
      for (;;) {
        for (const line of log.lines.slice(at)) yield line
        at = log.lines.length
        if (!follow || log.ended || signal.aborted) return
        const { broken } = log
        await Promise.race([
          log.more.promise,
          new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })),
        ])
        if (log.broken !== broken) throw new Error('connection reset')
      }
    } finally {
      this.open -= 1
    }
  }

  source(service = 'web') {
    return {
      kube: this.kube,
      services: [{ name: service, pods: () => [...this.#pods.values()].map((pod) => pod.object()) }],
      onChange: (listener: () => void) => {
        this.#listeners.add(listener)
        return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
      },
    }
  }
}

let clock = Date.parse('2026-01-01T00:00:00Z')

class FakeLog {
  readonly lines: LogLine[] = []
  ended = false
  broken = 0
  more = Promise.withResolvers<void>()

  write(line: string, time?: string): void {
    clock += 10
    this.lines.push({ time: time ?? new Date(clock).toISOString(), line })
    this.wake()
  }

  wake(): void {
    this.more.resolve()
    this.more = Promise.withResolvers()
  }
}

class FakePod {
  readonly name: string
  readonly #uid: string
  readonly #change: () => void
  #instance = 0
  #startedAt = ''
  current: FakeLog | undefined
  previous: FakeLog | undefined

  constructor(name: string, uid: string, change: () => void) {
    this.name = name
    this.#uid = uid
    this.#change = change
  }

  /** The container begins; an instance before it becomes the previous one. */
  run(startedAt = new Date().toISOString(), log = new FakeLog()): FakeLog {
    this.#startedAt = startedAt
    if (this.current) this.previous = this.current
    this.#instance += 1
    this.current = log
    this.#change()
    return this.current
  }

  end(): void {
    if (!this.current) return
    this.current.ended = true
    this.current.wake()
    this.#change()
  }

  object(): KubeObject {
    const id = (instance: number): string => `containerd://${this.#uid}-${instance}`
    const state = !this.current
      ? { waiting: {} }
      : this.current.ended
        ? { terminated: { containerID: id(this.#instance), finishedAt: new Date().toISOString() } }
        : { running: { startedAt: this.#startedAt } }
    const lastState = this.previous
      ? { terminated: { containerID: id(this.#instance - 1), finishedAt: new Date().toISOString() } }
      : {}
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: this.name, uid: this.#uid, namespace: 'shop' },
      spec: { containers: [{ name: 'app' }] },
      status: { containerStatuses: [{ name: 'app', containerID: id(this.#instance), state, lastState }] },
    }
  }
}

function following(cluster: FakeCluster) {
  const lines: ServiceLine[] = []
  const end = new AbortController()
  const follower = new LogFollower((line) => lines.push(line), end.signal)
  follower.follow(cluster.source())
  return {
    follower,
    texts: () => lines.map(({ line }) => line),
    lines,
    until: (wanted: readonly string[]) =>
      expect.poll(() => lines.map(({ line }) => line), { timeout: 5000, interval: 5 }).toEqual(wanted),
    [Symbol.asyncDispose]: async () => {
      end.abort()
      await follower.ended()
      expect(cluster.open).toBe(0)
    },
  }
}

test('what runs at the beginning is told from now on, a pod that comes later from its first line', async () => {
  const cluster = new FakeCluster()
  const log = cluster.start('web-1').run('2026-01-01T00:00:00Z')
  log.write('long ago')
  await using logs = following(cluster)
  await expect.poll(() => cluster.open).toBe(1)
  log.write('one')
  await logs.until(['one'])
  const later = cluster.start('web-2')
  const second = later.run()
  second.write('two')
  await logs.until(['one', 'two'])
  expect(logs.lines[1]).toMatchObject({ service: 'web', pod: 'web-2', container: 'app' })
})

test('the past of what is only seen later stays untold too: a source may not know its pods at once', async () => {
  const cluster = new FakeCluster()
  await using logs = following(cluster)
  const log = new FakeLog()
  log.write('long ago')
  cluster.start('web-1').run('2026-01-01T00:00:00Z', log)
  await expect.poll(() => cluster.open).toBe(1)
  log.write('one')
  await logs.until(['one'])
})

test('a pod is replaced: its last lines, then those of its successor, even of the same name', async () => {
  const cluster = new FakeCluster()
  const old = cluster.start('db-0', 'first')
  const log = old.run()
  await using logs = following(cluster)
  await expect.poll(() => cluster.open).toBe(1)
  log.write('goodbye')
  cluster.remove(old)
  const successor = cluster.start('db-0', 'second').run()
  successor.write('hello')
  await logs.until(['goodbye', 'hello'])
})

test('a container that ends and begins again, and one that came and went unseen', async () => {
  const cluster = new FakeCluster()
  const pod = cluster.start('web-1')
  const first = pod.run()
  await using logs = following(cluster)
  await expect.poll(() => cluster.open).toBe(1)
  first.write('first')
  pod.end()
  await logs.until(['first'])
  // two instances in one breath: the first of them is the previous one when it is looked at
  const second = pod.run()
  second.write('second')
  second.ended = true
  const third = pod.run()
  third.write('third')
  await logs.until(['first', 'second', 'third'])
})

test('a stream that breaks goes on after the last line, which is not told twice, nor is its twin of the same moment left out', async () => {
  const cluster = new FakeCluster()
  const log = cluster.start('web-1').run()
  await using logs = following(cluster)
  await expect.poll(() => cluster.open).toBe(1)
  const moment = '2026-01-01T01:00:00.5Z'
  log.write('before', '2026-01-01T01:00:00.499999999Z')
  log.write('one', moment)
  await logs.until(['before', 'one'])
  log.broken += 1
  log.lines.push({ time: moment, line: 'twin' })
  log.wake()
  await logs.until(['before', 'one', 'twin'])
})

test('lines of several pods are in the order of their times', async () => {
  const cluster = new FakeCluster()
  const [a, b] = [cluster.start('web-a').run(), cluster.start('web-b').run()]
  await using logs = following(cluster)
  await expect.poll(() => cluster.open).toBe(2)
  a.write('3', '2026-01-01T02:00:00.3Z')
  b.write('1', '2026-01-01T02:00:00.12Z')
  b.write('2', '2026-01-01T02:00:00.2Z')
  a.write('5', '2026-01-01T02:00:01Z')
  b.write('4', '2026-01-01T02:00:00.300000001Z')
  await logs.until(['1', '2', '3', '4', '5'])
})

test('another source takes over without a gap and without a line twice', async () => {
  const cluster = new FakeCluster()
  const log = cluster.start('web-1').run()
  await using logs = following(cluster)
  await expect.poll(() => cluster.open).toBe(1)
  log.write('one')
  await logs.until(['one'])
  logs.follower.follow(cluster.source())
  log.broken += 1
  log.write('two')
  await logs.until(['one', 'two'])
})

test('a container that waits is not asked for its log', async () => {
  const cluster = new FakeCluster()
  const pod = cluster.start('web-1')
  await using logs = following(cluster)
  cluster.change()
  expect(cluster.requests).toBe(0)
  pod.run().write('at last')
  await logs.until(['at last'])
})
