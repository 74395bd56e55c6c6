import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest'
import { app, deployment, imageOf, manifestsOf, serviceOf } from './tools/app.ts'
import type { AnyEvent, Run } from './tools/devkit.ts'
import { useRig } from './tools/rig.ts'

// One watch that outlives everything that is done to it, its containers, its node and its API server. After each fault the trees of
// both sides are compared, file by file.

const project = 't-faults'
const rules = [
  { from: 'app/src', to: '/app/src', restart: 'none' },
  { from: 'app/full', to: '/app/full', restart: 'none' },
  { from: 'app/ro', to: '/app/ro', restart: 'none' },
  { from: 'app/extra', to: '/srv/not/in/the/image', restart: 'none' },
  { from: 'app/single.conf', to: '/etc/single.conf', restart: 'none' },
]
const workload = deployment({
  project,
  container: {
    volumeMounts: [
      { name: 'full', mountPath: '/app/full' },
      { name: 'ro', mountPath: '/app/ro', readOnly: true },
      { name: 'single', mountPath: '/etc/single.conf' },
    ],
  },
}) as { spec: { template: { spec: object } } }
Object.assign(workload.spec.template.spec, {
  volumes: [
    { name: 'full', emptyDir: { medium: 'Memory', sizeLimit: '64Ki' } },
    { name: 'ro', emptyDir: {} },
    { name: 'single', hostPath: { path: '/var/lib/t-faults-single.conf', type: 'FileOrCreate' } },
  ],
})

/** The same image with a root that its container may not write. */
const closed = deployment({ project, container: { securityContext: { readOnlyRootFilesystem: true } } }) as {
  metadata: { name: string }
  spec: { selector: object; template: { metadata: object } }
}
closed.metadata.name = 'closed'
closed.spec.selector = { matchLabels: { app: 'closed' } }
closed.spec.template.metadata = { labels: { app: 'closed' } }

const config = JSON.parse(app({ project, config: { sync: rules } })['devkit.config.json'] ?? '') as {
  services: Record<string, object>
}
config.services['closed'] = {
  image: imageOf(project),
  workload: 'Deployment/closed',
  sync: [{ from: 'app/extra', to: '/srv/closed', restart: 'none' }],
}

const rig = useRig(project, {
  ...app({ project, config: { sync: rules } }),
  'devkit.config.json': JSON.stringify(config),
  'k8s/app.yaml': manifestsOf(workload, closed, serviceOf()),
  'app/.dockerignore': 'full\nro\nextra\nsingle.conf\n',
  'app/extra/there.txt': 'the target did not exist\n',
  'app/single.conf': 'one\n',
  'app/src/deep/er/file.txt': 'deep\n',
})
let run: Run
let engine: Awaited<ReturnType<typeof proxyTo>>
let url: string

beforeAll(async () => {
  mkdirSync(join(rig.directory, 'app/full'))
  mkdirSync(join(rig.directory, 'app/ro'))
  engine = await proxyTo(inject('lab').engine.replace('unix://', ''), join(rig.scratch, 'engine.sock'))
  run = rig.start(['watch'], { env: { DOCKER_HOST: engine.address } })
  url = String((await run.next('forward.opened'))['url'])
  await run.next('action', ({ reason }) => String(reason).startsWith('watching'))
})

// one fault that ends devkit would make all that come after it say nothing
afterEach(() => expect(rig.processes()).toContain(run.pid))

afterAll(async () => {
  run.kill('SIGINT')
  expect(await run.exited).toBe(0)
  engine.away()
  // none was told as a defect
  expect(run.events.filter(({ code }) => code === 'INTERNAL-001')).toEqual([])
})

/** A door to the engine that can be shut: for devkit the engine is away then, for everybody else it is not. */
async function proxyTo(socket: string, at: string) {
  const open = new Set<Socket>()
  let server: Server
  const back = (): Promise<void> => {
    server = createServer({ allowHalfOpen: true }, (client) => {
      const behind = connect({ path: socket, allowHalfOpen: true })
      for (const [one, other] of [
        [client, behind],
        [behind, client],
      ] as const) {
        open.add(one)
        one.on('error', () => other.destroy()).once('close', () => open.delete(one))
        one.pipe(other)
      }
    })
    return new Promise((resolve) => server.listen(at, resolve))
  }
  await back()
  return {
    address: `unix://${at}`,
    back,
    away: (): void => {
      server.close()
      for (const one of open) one.destroy()
    },
  }
}

/** Every file and symlink below a directory of the project, with its hash. */
function here(directory: string): string {
  const lines: string[] = []
  const walk = (path: string): void => {
    for (const name of readdirSync(join(rig.directory, directory, path))) {
      const below = path === '' ? name : `${path}/${name}`
      const whole = join(rig.directory, directory, below)
      const found = lstatSync(whole)
      if (found.isDirectory()) walk(below)
      else if (found.isSymbolicLink()) lines.push(`./${below} -> ${readlinkSync(whole)}`)
      else lines.push(`${createHash('sha256').update(readFileSync(whole)).digest('hex')}  ./${below}`)
    }
  }
  walk('')
  return lines.sort().join('\n')
}

const lister = 'cd "$1" && { find . -type f -exec sha256sum {} +; find . -type l -printf "%p -> %l\\n"; } | LC_ALL=C sort'

interface PodState {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string }
  readonly status: { readonly phase: string }
}

function pods(): readonly string[] {
  const { items } = JSON.parse(rig.kubectl('get', 'pods', '-l', 'app=web', '-o', 'json')) as {
    readonly items: readonly PodState[]
  }
  return items.flatMap(({ metadata, status }) =>
    metadata.deletionTimestamp === undefined && status.phase === 'Running' ? [metadata.name] : [],
  )
}

/** Waits until every pod has exactly the tree of this side, and says what is different when it does not come to it. */
async function equal(ms = 30_000, directory = 'app/src', target = '/app/src'): Promise<void> {
  let there: readonly string[] = []
  for (const deadline = Date.now() + ms; Date.now() < deadline; await delay(50)) {
    try {
      there = pods().map((pod) => rig.kubectl('exec', pod, '--', 'sh', '-c', lister, 'sh', target).trim())
      if (there.length > 0 && there.every((tree) => tree === here(directory))) return
    } catch {
      // the API server or the pod is not there yet
    }
  }
  const tail = run.events.slice(-12).map((event) => JSON.stringify(event))
  expect(there, tail.join('\n')).toEqual([here(directory)])
}

let count = 0
/** A save whose content is like no other, and what is synced of it. */
function save(path = 'page.txt'): string {
  const text = `save ${++count}\n`
  rig.write(`app/src/${path}`, text)
  return text
}
const inNode = (...command: readonly string[]): string => rig.docker('exec', rig.node, ...command)
const about = (code: string) => (event: AnyEvent) => event['code'] === code

test('a target that did not exist is made, and a file that is a mount is written over in place and told so once', async () => {
  await equal(30_000, 'app/extra', '/srv/not/in/the/image')
  for (const text of ['two\n', 'three\n']) {
    rig.write('app/single.conf', text)
    await run.next('synced')
    expect(rig.kubectl('exec', 'deploy/web', '--', 'cat', '/etc/single.conf')).toBe(text)
  }
  expect(run.events.filter(about('SYNC-108'))).toMatchObject([{ type: 'problem', severity: 'warning' }])
})

test('a root that its container may not write is written from outside', async () => {
  rig.write('app/extra/there.txt', 'written from outside\n')
  await run.next('synced', ({ service }) => service === 'closed')
  expect(rig.kubectl('exec', 'deploy/closed', '--', 'cat', '/srv/closed/there.txt')).toBe('written from outside\n')
  expect(() => rig.kubectl('exec', 'deploy/closed', '--', 'touch', '/srv/closed/own')).toThrow('Read-only')
})

test('the stream into the node is killed: it is opened again', async () => {
  inNode(
    'sh',
    '-c',
    'for p in /proc/[0-9]*; do case $(tr "\\0" " " <$p/cmdline 2>/dev/null) in "perl -e"*) kill -KILL $(basename $p) ;; esac; done',
  )
  const text = save()
  await run.next('synced')
  expect(await rig.fetchSaying(url, text.trim())).toBe(text)
  await equal()
})

test('a program that crashes comes back with what was saved while it was down', async () => {
  rig.kubectl('exec', 'deploy/web', '--', 'sh', '-c', 'kill -KILL $(cat /.devkit/own/pid)')
  const text = save()
  expect(await rig.fetchSaying(url, text.trim())).toBe(text)
  await equal()
})

test('a pod is replaced while a file is saved', async () => {
  rig.kubectl('delete', 'pod', '-l', 'app=web', '--wait=false')
  save()
  save('second.txt')
  await run.next('stale')
  await equal()
})

test('scaled to three and back, every replica has every save', async () => {
  rig.kubectl('scale', 'deploy/web', '--replicas=3')
  rig.kubectl('rollout', 'status', 'deploy/web', '--timeout=60s')
  await equal()
  save()
  const names = new Set<unknown>()
  while (names.size < 3) names.add((await run.next('synced'))['pod'])
  await equal()
  rig.kubectl('scale', 'deploy/web', '--replicas=1')
  save()
  await run.next('synced')
  rig.kubectl('wait', '--for=jsonpath={.status.replicas}=1', 'deploy/web', '--timeout=60s')
  await equal()
})

test('a full volume: told with file and container, taken when there is room, told as resolved', async () => {
  rig.write('app/full/big.bin', 'x'.repeat(200_000))
  rig.write('app/full/small.txt', 'small\n')
  expect(await run.next('problem', about('SYNC-104'))).toMatchObject({
    service: 'web',
    message: expect.stringContaining('/app/full/big.bin'),
  })
  // what fits is not held up
  const text = save()
  await rig.fetchSaying(url, text.trim())
  rig.write('app/full/big.bin', 'x'.repeat(10_000))
  expect(await run.next('problem.resolved', about('SYNC-104'))).toMatchObject({ service: 'web' })
  await equal(30_000, 'app/full', '/app/full')
})

test('a read-only file system: told, and resolved when the file is gone again', async () => {
  rig.write('app/ro/file.txt', 'never\n')
  expect(await run.next('problem', about('SYNC-105'))).toMatchObject({ message: expect.stringContaining('/app/ro/file.txt') })
  rmSync(join(rig.directory, 'app/ro/file.txt'))
  await run.next('problem.resolved', about('SYNC-105'))
  await equal(30_000, 'app/ro', '/app/ro')
})

test('branches are switched while the one before is still being synced', async () => {
  const git = (...args: readonly string[]): string =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], {
      cwd: rig.directory,
      encoding: 'utf8',
      stdio: 'pipe',
    })
  const fill = (branch: string): void => {
    for (let index = 0; index < 800; index++)
      rig.write(`app/src/${branch === 'one' || index % 3 > 0 ? 'shared' : branch}/${index}.txt`, `${branch} ${index}\n`)
  }
  git('init', '-q', '-b', 'main')
  git('add', '.')
  git('commit', '-q', '-m', 'main')
  git('checkout', '-q', '-b', 'one')
  fill('one')
  git('add', '.')
  git('commit', '-q', '-m', 'one')
  git('checkout', '-q', '-b', 'two')
  rmSync(join(rig.directory, 'app/src/shared'), { recursive: true })
  fill('two')
  git('add', '.')
  git('commit', '-q', '-m', 'two')
  for (const branch of ['one', 'two', 'main', 'two', 'one', 'main', 'two']) {
    git('checkout', '-q', branch)
    await run.next('files.changed')
  }
  await equal(60_000)
  git('checkout', '-q', 'main')
  await equal(60_000)
})

test('10,000 writes in a second', async () => {
  for (let round = 0; round < 100; round++)
    for (let index = 0; index < 100; index++) rig.write(`app/src/busy/${index}`, `${round} ${index}\n`)
  await equal(60_000)
  renameSync(join(rig.directory, 'app/src/busy'), join(rig.directory, 'app/src/calm'))
  await equal(60_000)
  rmSync(join(rig.directory, 'app/src/calm'), { recursive: true })
  await equal()
})

test('the API server is restarted: a save does not wait for it', async () => {
  inNode('pkill', '-KILL', 'kube-apiserver')
  const began = Date.now()
  save()
  await run.next('synced')
  expect(Date.now() - began).toBeLessThan(2000)
  await equal(60_000)
})

test('the node is paused for ten seconds: a save made meanwhile arrives after them', async () => {
  rig.docker('pause', rig.node)
  const text = save()
  await delay(10_000)
  rig.docker('unpause', rig.node)
  await rig.fetchSaying(url, text.trim())
  await equal()
})

test('devkit itself is stopped for a minute, while pods go and files change', async () => {
  run.kill('SIGSTOP')
  const stopped = Date.now()
  save()
  rig.kubectl('delete', 'pod', '-l', 'app=web', '--wait=false')
  for (let index = 0; index < 50; index++) save(`while-stopped/${index}.txt`)
  await delay(60_000 - (Date.now() - stopped))
  run.kill('SIGCONT')
  await equal()
  rmSync(join(rig.directory, 'app/src/while-stopped'), { recursive: true })
  await equal()
})

test('the node is restarted: its containers are others, and have everything', async () => {
  const text = save()
  rig.docker('restart', '--time=2', rig.node)
  save('after-restart.txt')
  await rig.fetchSaying(url, text.trim(), 90_000)
  await equal(90_000)
  const last = save()
  await rig.fetchSaying(url, last.trim())
})

test('the engine goes away and comes back with its containers stopped: what stopped is started, and has everything', async () => {
  engine.away()
  rig.docker('stop', '--time=2', rig.node)
  const text = save('while-away.txt')
  await run.next('problem', about('SYNC-101'))
  await engine.back()
  await run.next('problem.resolved', about('SYNC-101'))
  await equal(90_000)
  expect(rig.read('app/src/while-away.txt')).toBe(text)
  const last = save()
  await rig.fetchSaying(url, last.trim(), 60_000)
})
