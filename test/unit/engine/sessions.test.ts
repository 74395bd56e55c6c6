import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Restart } from '../../../src/config/schema.ts'
import { Live } from '../../../src/deploy/live.ts'
import type { EngineRun } from '../../../src/engine/environment.ts'
import { Sessions } from '../../../src/engine/sessions.ts'
import type { Running } from '../../../src/engine/up.ts'
import { Bus } from '../../../src/events/bus.ts'
import type { Event } from '../../../src/events/event.ts'
import { openFiles } from '../../../src/host/hash-cache.ts'
import type { Kube, KubeEvent } from '../../../src/kube/kube.ts'
import { Inbox } from '../../../src/lib/async.ts'
import { fileHash } from '../../../src/lib/content.ts'
import { DevkitError } from '../../../src/lib/errors.ts'
import type { KubeObject } from '../../../src/lib/objects.ts'
import { Scope } from '../../../src/lib/scope.ts'
import { killedFile, ownDirectory, pidFile, startedFile } from '../../../src/render/transforms/supervisor.ts'
import { ledgerFile } from '../../../src/sync/ledger.ts'
import { Containers } from '../../fakes/containers.ts'

// A watch's sessions over containers in memory and a cluster that the test tells.

let directory: string
let scope: Scope
let containers: Containers
let events: Event[]
let sessions: Sessions
let wake: (() => void)[]
/** What the engine answers when it is asked for an image. */
let image: () => Promise<undefined>
/** Services that were to be built anew. */
let rebuilt: string[]

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'devkit-sessions-'))
  mkdirSync(join(directory, 'src'))
  save('page', 'one')
  scope = new Scope()
  containers = new Containers()
  events = []
  wake = []
  rebuilt = []
  image = async () => undefined
  const bus = new Bus()
  bus.subscribe((event) => {
    events.push(event)
    for (const check of [...wake]) check()
  })
  const parts = {
    tools: { transport: { node: containers, exec: containers } },
    host: { files: openFiles(), engine: async () => ({ image: () => image() }) },
  }
  sessions = new Sessions({ bus, signal: scope.signal, parts } as unknown as EngineRun, scope, {
    rebuild: (service) => void rebuilt.push(service),
    bringUp: () => undefined,
  })
})

afterEach(async () => {
  await scope.close()
  rmSync(directory, { recursive: true, force: true })
})

const save = (name: string, text: string): string => {
  const path = join(directory, 'src', name)
  writeFileSync(path, text)
  return path
}

/** Waits until it holds; looks after each event. */
function until(holds: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      if (!holds()) return
      wake = wake.filter((other) => other !== check)
      resolve()
    }
    wake.push(check)
    check()
  })
}
const times = (type: Event['type']): number => events.filter((event) => event.type === type).length

/** The namespace as a test tells it. */
class Cluster {
  readonly #inboxes = new Map<string, Inbox<KubeEvent>>()
  /** Names of pods that were deleted. */
  readonly removed: string[] = []
  readonly #kube = {
    watch: ({ kind }: { kind: string }, signal: AbortSignal) => this.#follow(kind, signal),
    remove: async ({ name }: { name: string }) => void this.removed.push(name),
  } as unknown as Kube
  readonly live = new Live(this.#kube, 'shop', scope.child())

  tell(kind: string, ...told: readonly KubeEvent[]): void {
    this.#inbox(kind).push(...told)
  }

  /** Resolves when all that was told has been taken in. */
  async seen(name: string): Promise<void> {
    await this.live.until(() => this.live.get(name), AbortSignal.timeout(5000))
  }

  attach(restart: Restart = 'none'): void {
    const service = {
      name: 'web',
      image: 'x/web',
      build: { context: '' },
      sync: [{ from: 'src', to: '/app', ignore: [], restart, run: [] }],
      ports: [],
      dependsOn: [],
    }
    const plan = {
      directory,
      namespace: 'shop',
      ignore: [],
      services: [service],
      profile: { supervise: true },
      profileName: 'dev',
      cluster: { spec: { kind: {} } },
    }
    const source = { manifests: [], targets: new Map([['web', { workload: 'Deployment/web', container: 'web' }]]) }
    sessions.attach({ plan, source, cluster: { nodes: ['node'] }, kube: this.#kube, live: this.live } as unknown as Running)
  }

  #inbox(kind: string): Inbox<KubeEvent> {
    const inbox = this.#inboxes.get(kind) ?? new Inbox<KubeEvent>()
    this.#inboxes.set(kind, inbox)
    return inbox
  }

  async *#follow(kind: string, signal: AbortSignal): AsyncIterable<KubeEvent> {
    while (!signal.aborted)
      yield* await this.#inbox(kind)
        .take(signal)
        .catch(() => [])
  }
}

const deployment: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: { selector: { matchLabels: { app: 'web' } } },
}
const pod = (name: string, command?: readonly string[]): KubeEvent => ({
  type: 'set',
  object: {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', labels: { app: 'web' } },
    spec: { nodeName: 'node', containers: [{ name: 'web', image: 'x/web', ...(command && { command }) }] },
    status: { containerStatuses: [{ name: 'web', containerID: `containerd://${name}-id`, state: { running: {} } }] },
  } as unknown as KubeObject,
})
const supervised = ['/bin/sh', '-c', 'script', 'devkit', ownDirectory, '', '', 'python', 'app.py']

function three(): Cluster {
  const cluster = new Cluster()
  cluster.tell('Deployment', { type: 'set', object: deployment })
  cluster.tell('Pod', pod('a'), pod('b'), pod('c'), { type: 'synced' })
  return cluster
}
const pages = (): readonly (string | undefined)[] => ['a', 'b', 'c'].map((name) => containers.of(`${name}-id`).get('/app/page'))

test('every replica gets every save; a slow one delays no other', async () => {
  three().attach()
  await until(() => times('synced') === 3)
  const slow = Promise.withResolvers<void>()
  containers.held.set('b-id', slow.promise)
  sessions.changed('web', [save('page', 'two')], Date.now())
  await until(() => times('synced') === 5)
  expect(pages()).toEqual(['two', 'one', 'two'])
  slow.resolve()
  await sessions.synced('web', scope.signal)
  expect(pages()).toEqual(['two', 'two', 'two'])
})

test('a new view of the cluster that knows only some pods yet makes nobody forget what the others have', async () => {
  three().attach()
  await until(() => times('synced') === 3)
  sessions.changed('web', [save('page', 'two')], Date.now())
  await until(() => times('synced') === 6)
  const pushes = containers.pushed.length
  const next = new Cluster()
  next.attach()
  next.tell('Deployment', { type: 'set', object: deployment })
  next.tell('Pod', pod('a'))
  await next.seen('Pod/a')
  sessions.changed('web', [save('page', 'three')], Date.now())
  await until(() => times('synced') === 9)
  expect(pages()).toEqual(['three', 'three', 'three'])
  next.tell('Pod', pod('b'), pod('c'), { type: 'synced' })
  await next.seen('Pod/c')
  await sessions.synced('web', scope.signal)
  // the new view alone sent nothing
  expect(containers.pushed.length - pushes).toBe(3)
})

test.each([false, true])(
  'a container is looked into once for its image, if its program had not run (it had: %s)',
  async (hadRun) => {
    // built from both files; one of them is not where the rule leads
    save('lost', 'one')
    const hash = fileHash(0o644).update('one').digest('hex')
    mkdirSync(join(directory, '.devkit/images'), { recursive: true })
    writeFileSync(join(directory, '.devkit/images/x_web.json'), JSON.stringify({ 'src/page': hash, 'src/lost': hash }))
    if (hadRun) containers.own.add(pidFile)
    const cluster = new Cluster()
    cluster.tell('Deployment', { type: 'set', object: deployment })
    cluster.tell('Pod', pod('a', supervised), { type: 'synced' })
    for (const name of ['a', 'b']) containers.of(`${name}-id`).set('/app/page', 'one')
    cluster.attach()
    await until(() => times('synced') === 1)
    cluster.tell('Pod', pod('b', supervised))
    await until(() => times('synced') === 2)
    const looked = ['a', 'b'].map((name) =>
      (containers.probed.get(`${name}-id`) ?? []).filter((path) => path.startsWith('/app/')),
    )
    expect(looked.map((paths) => paths.length)).toEqual([2, hadRun ? 2 : 0])
    expect(events.filter(({ type }) => type === 'synced')).toMatchObject([{ files: 1 }, { files: 1 }])
    expect(containers.of('b-id').get('/app/lost')).toBe('one')
    // written down too: another devkit would not take it for its image's
    await sessions.synced('web', scope.signal)
    expect(readFileSync(ledgerFile(directory, 'shop', 'b-id'), 'utf8')).toContain('[0,"/app/lost"]')
  },
)

test('saves during a restart lead to one more, not to many', async () => {
  const cluster = new Cluster()
  cluster.tell('Deployment', { type: 'set', object: deployment })
  cluster.tell('Pod', pod('a', supervised), { type: 'synced' })
  containers.of('a-id').set('/app/page', 'one')
  cluster.attach('process')
  const restarts = (): readonly string[] => containers.told.filter((line) => line.startsWith('restart '))
  const runs = (line = ''): unknown => containers.own.add(startedFile(line.split(' ')[1] ?? ''))
  // the first difference: its program may have read what was there before
  await until(() => times('synced') === 1)
  await expect.poll(restarts).toHaveLength(1)
  for (const text of ['two', 'three', 'four', 'five']) {
    const before = times('synced')
    sessions.changed('web', [save('page', text)], Date.now())
    await until(() => times('synced') > before)
  }
  // what a save asks of the program is asked when it is written down: two lines for each of the five
  await expect.poll(() => readFileSync(ledgerFile(directory, 'shop', 'a-id'), 'utf8').match(/\n/g)).toHaveLength(10)
  expect(restarts()).toHaveLength(1)
  runs(restarts()[0])
  await expect.poll(restarts).toHaveLength(2)
  runs(restarts()[1])
  await sessions.synced('web', scope.signal)
  expect(restarts()).toHaveLength(2)
  expect(times('restarted')).toBe(2)
  expect(containers.of('a-id').get('/app/page')).toBe('five')
})

test('restart with its container: a pod that does not wait for its files is never replaced over and over', async () => {
  const cluster = new Cluster()
  cluster.tell('Deployment', { type: 'set', object: deployment })
  cluster.tell('Pod', pod('a', supervised), { type: 'synced' })
  cluster.attach('container')
  const restarts = (): readonly string[] => containers.told.filter((line) => line.startsWith('restart '))
  // it began with what its image has: in place
  await expect.poll(restarts).toHaveLength(1)
  containers.own.add(startedFile(restarts()[0]?.split(' ')[1] ?? ''))
  await sessions.synced('web', scope.signal)
  expect(cluster.removed).toEqual([])
  sessions.changed('web', [save('page', 'two')], Date.now())
  await expect.poll(() => cluster.removed).toEqual(['a'])
  // what follows it is new as well
  cluster.tell('Pod', pod('b', supervised))
  await expect.poll(restarts).toHaveLength(2)
  expect(cluster.removed).toEqual(['a'])
})

test('where the image has no shell a save builds it, instead of replacing its pod by one with the old files', async () => {
  const cluster = three()
  cluster.attach()
  await cluster.seen('Pod/c')
  await sessions.synced('web', scope.signal)
  cluster.attach('container')
  await sessions.synced('web', scope.signal)
  sessions.changed('web', [save('page', 'two')], Date.now())
  await sessions.synced('web', scope.signal)
  expect(pages()).toEqual(['two', 'two', 'two'])
  expect({ rebuilt, removed: cluster.removed }).toEqual({ rebuilt: ['web'], removed: [] })
  const message = expect.stringMatching(
    /its image has no shell, and its node's cannot be used: it is not known on this architecture/,
  )
  expect(events.filter(({ type }) => type === 'problem')).toMatchObject([{ code: 'SYNC-107', severity: 'warning', message }])
})

test('a program gets its grace, the longest that is asked for; that it was killed is told', async () => {
  const cluster = new Cluster()
  cluster.tell('Deployment', { type: 'set', object: deployment })
  cluster.tell('Pod', pod('a', supervised), { type: 'synced' })
  for (const [restart, grace] of [
    ['process', '0.1'],
    [{ process: { graceMs: 2000 } }, '2'],
  ] as const) {
    cluster.attach(restart)
    sessions.changed('web', [save('page', `with ${grace}`)], Date.now())
    await expect.poll(() => containers.told.at(-1)).toMatch(new RegExp(`^restart \\d+ ${grace}$`))
    const number = containers.told.at(-1)?.split(' ')[1] ?? ''
    containers.own.add(killedFile(number)).add(startedFile(number))
    await sessions.synced('web', scope.signal)
    expect(events.findLast(({ type }) => type === 'restarted')).toMatchObject({ killedAfterMs: Number(grace) * 1000 })
  }
})

test.each([
  ['no space', 'SYNC-104'],
  ['no permission', 'SYNC-106'],
] as const)('what is refused for %s is told once, tried again by itself, and told as resolved', async (reason, code) => {
  containers.refusing.set('/app/big', reason)
  save('big', 'x')
  three().attach()
  await until(() => times('problem') === 3)
  expect(pages()).toEqual(['one', 'one', 'one'])
  sessions.changed('web', [save('big', 'y')], Date.now())
  await sessions.synced('web', scope.signal)
  expect(times('problem')).toBe(3)
  expect(events.find(({ type }) => type === 'problem')).toMatchObject({
    code,
    severity: 'failure',
    service: 'web',
    message: expect.stringContaining('/app/big'),
  })
  containers.refusing.clear()
  await until(() => times('problem.resolved') === 3)
  expect(containers.of('b-id').get('/app/big')).toBe('y')
})

test('a save that could not be sent at all is told once, sent by itself when it can be, and told as resolved', async () => {
  three().attach()
  await until(() => times('synced') === 3)
  containers.failing = new DevkitError('SYNC-111', { message: 'No commands here.', hint: 'Ask for the right.' })
  const tries = containers.pushed.length
  sessions.changed('web', [save('page', 'two')], Date.now())
  await expect.poll(() => containers.pushed.length - tries, { timeout: 5000 }).toBeGreaterThan(3)
  expect(times('problem')).toBe(3)
  containers.failing = undefined
  await sessions.synced('web', scope.signal)
  expect(pages()).toEqual(['two', 'two', 'two'])
  await until(() => times('problem.resolved') === 3)
  expect(events.find(({ type }) => type === 'problem.resolved')).toMatchObject({ code: 'SYNC-111', service: 'web' })
})

test('an engine that is away when containers start: told once, and they get their files when it is back', async () => {
  let asked = 0
  image = async () => {
    if (++asked <= 6) throw new DevkitError('ENGINE-101', { message: 'No engine answers.', hint: 'Start it.' })
    return undefined
  }
  three().attach()
  await until(() => times('synced') === 3)
  await sessions.synced('web', scope.signal)
  expect(pages()).toEqual(['one', 'one', 'one'])
  const told = events.filter(({ type }) => type.startsWith('problem'))
  expect(told).toMatchObject([{ code: 'ENGINE-101' }, { type: 'problem.resolved', code: 'ENGINE-101' }])
})

test('a removed directory that holds what the program made stays, which is told once', async () => {
  mkdirSync(join(directory, 'src/uploads'))
  save('uploads/mine', 'x')
  three().attach()
  await until(() => times('synced') === 3)
  containers.keeping.add('/app/uploads')
  rmSync(join(directory, 'src/uploads'), { recursive: true })
  sessions.changed('web', [join(directory, 'src/uploads/mine'), join(directory, 'src/uploads')], Date.now())
  await until(() => times('problem') === 3)
  await sessions.synced('web', scope.signal)
  expect(events.filter(({ type }) => type === 'problem')).toMatchObject(
    Array.from({ length: 3 }, () => ({
      code: 'SYNC-109',
      severity: 'warning',
      service: 'web',
      message: expect.stringContaining('/app/uploads stays'),
    })),
  )
  expect(containers.of('a-id').has('/app/uploads/mine')).toBe(false)
})

test.each([true, false])(
  'an empty directory is sent only to a container that lacks it (it has it: %s), and is no reason to call it stale',
  async (there) => {
    rmSync(join(directory, 'src/page'))
    mkdirSync(join(directory, 'src/empty'))
    if (there) containers.own.add('/app/empty')
    const cluster = three()
    cluster.attach('process')
    await cluster.seen('Pod/c')
    await sessions.synced('web', scope.signal)
    expect({ pushed: containers.pushed.length, stale: times('stale') }).toEqual({ pushed: there ? 0 : 3, stale: 0 })
  },
)
