import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest'
import { enginePid, stopEngine } from '../lab/engine.ts'
import { labUp } from '../lab/lab.ts'
import { placesOf } from '../lab/places.ts'
import { app, deployment, imageOf, manifestsOf, serviceOf } from './tools/app.ts'
import type { AnyEvent, Run } from './tools/devkit.ts'
import { useRig } from './tools/rig.ts'

// Two watches of one working tree, one for each way into containers, that outlive everything that is done to them, their containers, their
// node, its API server and its engine. After each fault the trees of all sides are compared, file by file.

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

/** The same image in a container that may not write what is synced into it. */
function closed(securityContext: object): object {
  const object = deployment({ project, container: { securityContext } }) as {
    metadata: { name: string }
    spec: { selector: object; template: { metadata: object } }
  }
  object.metadata.name = 'closed'
  object.spec.selector = { matchLabels: { app: 'closed' } }
  object.spec.template.metadata = { labels: { app: 'closed' } }
  return object
}

const files = app({ project, config: { sync: rules } })
const config = JSON.parse(files['devkit.config.json'] ?? '') as { services: Record<string, object> }
config.services['closed'] = {
  image: imageOf(project),
  workload: 'Deployment/closed',
  sync: [{ from: 'app/extra', to: '/srv/closed', restart: 'none' }],
}

const rig = useRig(project, {
  ...files,
  'devkit.config.json': JSON.stringify(config),
  'k8s/app.yaml': manifestsOf(workload, closed({ readOnlyRootFilesystem: true }), serviceOf()),
  // the same cluster as somebody else's, who gives devkit no way into its nodes; it has the image already
  'exec.config.json': JSON.stringify({
    ...config,
    cluster: { existing: { context: `devkit-${project}`, enterNodes: false } },
    manifests: ['k8s-exec'],
  }),
  'k8s-exec/app.yaml': manifestsOf(workload, closed({ runAsUser: 1000 }), serviceOf()),
  'app/.dockerignore': 'full\nro\nextra\nsingle.conf\n',
  'app/extra/there.txt': 'the target did not exist\n',
  'app/single.conf': 'one\n',
  'app/src/deep/er/file.txt': 'deep\n',
})

/** A watch, by its way into the containers. */
interface Side {
  readonly run: Run
  /** Looks at the side's own namespace. */
  readonly kubectl: (...args: readonly string[]) => string
}
let node: Side
let exec: Side
/** What is to be done or to be seen on both sides. */
const both = <T>(work: (side: Side) => T | Promise<T>): Promise<readonly T[]> => Promise.all([node, exec].map(work))

let engine: Awaited<ReturnType<typeof proxyTo>>
let url: string

beforeAll(async () => {
  mkdirSync(join(rig.directory, 'app/full'))
  mkdirSync(join(rig.directory, 'app/ro'))
  engine = await proxyTo(inject('lab').engine.replace('unix://', ''), join(rig.scratch, 'engine.sock'))
  const watches = ({ run }: Side): Promise<AnyEvent> => run.next('action', ({ reason }) => String(reason).startsWith('watching'))
  node = { run: rig.start(['watch'], { env: { DOCKER_HOST: engine.address } }), kubectl: rig.kubectl }
  url = String((await node.run.next('forward.opened'))['url'])
  await watches(node)
  exec = {
    run: rig.start(['watch', '--config', 'exec.config.json', '--env', 'exec']),
    kubectl: (verb, ...args) => rig.kubectl(verb ?? '', '-n', `${project}-exec`, ...args),
  }
  await watches(exec)
})

// one fault that ends devkit would make all that come after it say nothing
beforeEach(() => expect(rig.processes()).toEqual(expect.arrayContaining([node.run.pid, exec.run.pid])))

afterAll(() => engine.away())

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

/** Every file, symlink and empty directory below a directory of the project, files with their hashes. */
function here(directory: string): string {
  const lines: string[] = []
  const walk = (path: string): void => {
    for (const name of readdirSync(join(rig.directory, directory, path))) {
      const below = path === '' ? name : `${path}/${name}`
      const whole = join(rig.directory, directory, below)
      const found = lstatSync(whole)
      if (found.isDirectory() && readdirSync(whole).length === 0) lines.push(`${below}/`)
      else if (found.isDirectory()) walk(below)
      else if (found.isSymbolicLink()) lines.push(`./${below} -> ${readlinkSync(whole)}`)
      else lines.push(`${createHash('sha256').update(readFileSync(whole)).digest('hex')}  ./${below}`)
    }
  }
  walk('')
  return lines.sort().join('\n')
}

const lister =
  'cd "$1" && { find . -type f -exec sha256sum {} +; find . -type l -printf "%p -> %l\\n"; find . -mindepth 1 -type d -empty -printf "%P/\\n"; } | LC_ALL=C sort'

interface PodState {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string }
  readonly status: { readonly phase: string }
}

function pods({ kubectl }: Side): readonly string[] {
  const { items } = JSON.parse(kubectl('get', 'pods', '-l', 'app=web', '-o', 'json')) as {
    readonly items: readonly PodState[]
  }
  return items.flatMap(({ metadata, status }) =>
    metadata.deletionTimestamp === undefined && status.phase === 'Running' ? [metadata.name] : [],
  )
}

/** Waits until every pod of both sides has exactly the working tree, and says what is different when it does not come to it. */
async function equal(ms = 30_000, directory = 'app/src', target = '/app/src'): Promise<void> {
  await both(async (side) => {
    let there: readonly string[] = []
    for (const deadline = Date.now() + ms; Date.now() < deadline; await delay(50)) {
      try {
        there = pods(side).map((pod) => side.kubectl('exec', pod, '--', 'sh', '-c', lister, 'sh', target).trim())
        if (there.length > 0 && there.every((tree) => tree === here(directory))) return
      } catch {
        // the API server or the pod is not there yet
      }
    }
    const tail = side.run.events.slice(-12).map((event) => JSON.stringify(event))
    expect(there, tail.join('\n')).toEqual([here(directory)])
  })
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
    await both(({ run }) => run.next('synced'))
    await both(({ kubectl }) => expect(kubectl('exec', 'deploy/web', '--', 'cat', '/etc/single.conf')).toBe(text))
  }
  await both(({ run }) => expect(run.events.filter(about('SYNC-108'))).toMatchObject([{ type: 'problem', severity: 'warning' }]))
})

test('a root that its container may not write is written from outside', async () => {
  rig.write('app/extra/there.txt', 'written from outside\n')
  await node.run.next('synced', ({ service }) => service === 'closed')
  expect(node.kubectl('exec', 'deploy/closed', '--', 'cat', '/srv/closed/there.txt')).toBe('written from outside\n')
  expect(() => node.kubectl('exec', 'deploy/closed', '--', 'touch', '/srv/closed/own')).toThrow('Read-only')
})

test('where its user may not write: told, and taken as soon as it may', async () => {
  expect(exec.run.events.find(about('SYNC-106'))).toMatchObject({
    type: 'problem',
    service: 'closed',
    message: expect.stringContaining('/srv/closed/there.txt'),
    hint: expect.stringContaining('user'),
  })
  const id = exec.kubectl('get', 'pods', '-l', 'app=closed', '-o', 'jsonpath={.items[0].status.containerStatuses[0].containerID}')
  const task = `/run/containerd/io.containerd.runtime.v2.task/k8s.io/${id.replace('containerd://', '')}`
  inNode('sh', '-c', `chown 1000 /proc/$(cat ${task}/init.pid)/root/srv`)
  expect(await exec.run.next('problem.resolved', about('SYNC-106'))).toMatchObject({ service: 'closed' })
  expect(exec.kubectl('exec', 'deploy/closed', '--', 'cat', '/srv/closed/there.txt')).toBe('written from outside\n')
})

test('the streams are killed: they are opened again', async () => {
  const ours = '"perl -e"* | "sh -c eval"*'
  inNode(
    'sh',
    '-c',
    `for p in /proc/[0-9]*; do case $(tr "\\0" " " <$p/cmdline 2>/dev/null) in ${ours}) kill -KILL $(basename $p) ;; esac; done`,
  )
  const text = save()
  await both(({ run }) => run.next('synced'))
  expect(await rig.fetchSaying(url, text.trim())).toBe(text)
  await equal()
})

test('a program that crashes comes back with what was saved while it was down', async () => {
  await both(({ kubectl }) => kubectl('exec', 'deploy/web', '--', 'sh', '-c', 'kill -KILL $(cat /.devkit/own/pid)'))
  const text = save()
  expect(await rig.fetchSaying(url, text.trim())).toBe(text)
  await equal()
})

test('a pod is replaced while a file is saved', async () => {
  save('first.txt')
  await equal()
  await both(({ kubectl }) => kubectl('delete', 'pod', '-l', 'app=web', '--wait=false'))
  save()
  save('second.txt')
  await both(({ run }) => run.next('stale'))
  await equal()
  // its program began, or is about to, with what the image has not
  const test = 'if [ -e /.devkit/own/pid ]; then [ /.devkit/own/pid -nt /app/src/first.txt ] && echo with || echo without; fi'
  await both(async (side) => {
    for (const pod of pods(side))
      await expect.poll(() => side.kubectl('exec', pod, '--', 'sh', '-c', test), { timeout: 20_000 }).toBe('with\n')
  })
})

test('scaled to three and back, every replica has every save', async () => {
  await both(({ kubectl }) => kubectl('scale', 'deploy/web', '--replicas=3'))
  await both(({ kubectl }) => kubectl('rollout', 'status', 'deploy/web', '--timeout=60s'))
  await equal()
  save()
  await both(async ({ run }) => {
    const names = new Set<unknown>()
    while (names.size < 3) names.add((await run.next('synced'))['pod'])
  })
  await equal()
  await both(({ kubectl }) => kubectl('scale', 'deploy/web', '--replicas=1'))
  save()
  await both(({ run }) => run.next('synced'))
  await both(({ kubectl }) => kubectl('wait', '--for=jsonpath={.status.replicas}=1', 'deploy/web', '--timeout=60s'))
  await equal()
})

test('a full volume: told with file and container, taken when there is room, told as resolved', async () => {
  rig.write('app/full/big.bin', 'x'.repeat(200_000))
  rig.write('app/full/small.txt', 'small\n')
  const told = { service: 'web', message: expect.stringContaining('/app/full/big.bin') }
  await both(async ({ run }) => expect(await run.next('problem', about('SYNC-104'))).toMatchObject(told))
  // what fits is not held up
  const text = save()
  await rig.fetchSaying(url, text.trim())
  rig.write('app/full/big.bin', 'x'.repeat(10_000))
  await both(async ({ run }) => expect(await run.next('problem.resolved', about('SYNC-104'))).toMatchObject({ service: 'web' }))
  await equal(30_000, 'app/full', '/app/full')
})

test('a read-only file system: told, and resolved when the file is gone again', async () => {
  rig.write('app/ro/file.txt', 'never\n')
  const told = { message: expect.stringContaining('/app/ro/file.txt') }
  await both(async ({ run }) => expect(await run.next('problem', about('SYNC-105'))).toMatchObject(told))
  rmSync(join(rig.directory, 'app/ro/file.txt'))
  await both(({ run }) => run.next('problem.resolved', about('SYNC-105')))
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
    await both(({ run }) => run.next('files.changed'))
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

test('the API server is restarted: a save by the node does not wait for it', async () => {
  inNode('pkill', '-KILL', 'kube-apiserver')
  const began = Date.now()
  save()
  await node.run.next('synced')
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
  await both(({ run }) => run.kill('SIGSTOP'))
  const stopped = Date.now()
  save()
  await both(({ kubectl }) => kubectl('delete', 'pod', '-l', 'app=web', '--wait=false'))
  for (let index = 0; index < 50; index++) save(`while-stopped/${index}.txt`)
  await delay(60_000 - (Date.now() - stopped))
  await both(({ run }) => run.kill('SIGCONT'))
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

/** Has the engine away while a file changes; the node is stopped when the engine is back. */
async function without(away: () => Promise<void>, back: () => Promise<void>): Promise<void> {
  await away()
  try {
    save('while-away.txt')
    await node.run.next('problem', about('SYNC-101'))
  } finally {
    await back()
  }
  await node.run.next('problem.resolved', about('SYNC-101'))
  await equal(90_000)
  const last = save()
  await rig.fetchSaying(url, last.trim(), 60_000)
  await equal()
}

test('the engine goes away and comes back with its containers stopped: what stopped is started, and has everything', () =>
  without(async () => {
    engine.away()
    rig.docker('stop', '--time=2', rig.node)
  }, engine.back))

// where the engine is the lab's own: it is stopped for everything else that runs on it, so files of e2e tests run one after the other
if (enginePid(placesOf(process.env)) !== undefined)
  test('the engine itself is restarted, with all that runs in it', () => {
    const voice = { say: () => undefined, signal: AbortSignal.timeout(240_000) }
    return without(
      async () => {
        // a door that leads nowhere is none
        engine.away()
        await stopEngine(placesOf(process.env), voice)
      },
      async () => {
        await labUp(voice)
        await engine.back()
      },
    )
  })

test('Ctrl-C ends both at once; nothing was told that was not so, and nobody waits for a watch any more', async () => {
  // a watch is told of as long as it runs
  const lease = (): string => exec.kubectl('get', 'configmap', 'devkit-lease', '--ignore-not-found', '-o', 'name')
  expect(lease()).toBe('configmap/devkit-lease\n')
  await both(async ({ run }) => {
    run.kill('SIGINT')
    expect(await run.exited).toBe(0)
    // none was told as a defect, as a right that is missing, or as files of the program's own
    const never = ['INTERNAL-001', 'SYNC-109', 'SYNC-111']
    expect(run.events.filter(({ code }) => never.includes(String(code)))).toEqual([])
  })
  expect(lease()).toBe('')
})
