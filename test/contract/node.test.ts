import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openEngine } from '../../src/host/engine.ts'
import type { Kube } from '../../src/kube/kube.ts'
import type { Step } from '../../src/lib/step.ts'
import { nodeStream } from '../../src/sync/node-stream.ts'
import type { Batch, ContainerRef, FileWrite, SyncSession } from '../../src/sync/transport.ts'
import { labUp } from '../lab/lab.ts'
import { nodeImage } from '../lab/recipe.ts'
import type { MachineSettings } from '../lab/settings.ts'

// On a cluster of its own: what a sync transport promises, on a container without shell or tar.

const cluster = 'lab-contract'
const node = `${cluster}-control-plane`
const signal = new AbortController().signal
let settings: MachineSettings
let scratch: string
let session: SyncSession
let step: Step
let target: ContainerRef

const programs = (): NodeJS.ProcessEnv => ({
  ...process.env,
  DOCKER_HOST: settings.engine,
  PATH: `${join(settings.tools.docker, '..')}:${process.env['PATH']}`,
})
const run = (file: string, args: readonly string[], input?: string): string =>
  execFileSync(file, args, {
    encoding: 'utf8',
    env: programs(),
    ...(input === undefined ? {} : { input }),
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  })
const inNode = (...args: string[]): string => run(settings.tools.docker, ['exec', node, ...args])
const kubectl = (args: readonly string[], input?: string): string =>
  run(settings.tools.docker, ['exec', '-i', node, 'kubectl', '--kubeconfig=/etc/kubernetes/admin.conf', ...args], input ?? '')

beforeAll(async () => {
  settings = await labUp({ say: (line) => void process.stderr.write(`${line}\n`), signal })
  scratch = mkdtempSync(join(tmpdir(), 'devkit-contract-'))
  run(settings.tools.kind, [
    'create',
    'cluster',
    '--name',
    cluster,
    '--image',
    nodeImage,
    '--kubeconfig',
    join(scratch, 'kubeconfig'),
  ])
  kubectl(['wait', '--for=condition=Available', '-n', 'kube-system', 'deploy/coredns', '--timeout=120s'])
  // etcd's image holds one static program: no shell, no tar
  const id = kubectl([
    'get',
    'pod',
    '-n',
    'kube-system',
    '-l',
    'component=etcd',
    '-o',
    'jsonpath={.items[0].status.containerStatuses[0].containerID}',
  ])
  target = { id: id.replace('containerd://', ''), namespace: 'kube-system', pod: 'etcd', name: 'etcd' }
  const engine = await openEngine(settings.engine)
  step = { signal, say: () => undefined }
  session = await nodeStream({ engine: async () => engine }).open({ node, kube: {} as Kube }, step)
})

afterAll(async () => {
  await session?.[Symbol.asyncDispose]()
  if (settings) run(settings.tools.kind, ['delete', 'cluster', '--name', cluster, '--kubeconfig', join(scratch, 'kubeconfig')])
  if (scratch) rmSync(scratch, { recursive: true, force: true })
})

/** The container's root as the node sees it. */
const rootOf = (): string => {
  const pid = inNode('ctr', '--namespace=k8s.io', 'tasks', 'ls')
    .split('\n')
    .map((line) => line.split(/\s+/))
    .find(([id]) => id === target.id)?.[1]
  return `/proc/${pid}/root`
}

const file = (path: string, content: string | Buffer, mode = 0o644): FileWrite => {
  const source = join(scratch, `source-${Math.random().toString(36).slice(2)}`)
  writeFileSync(source, content)
  chmodSync(source, mode)
  return { kind: 'file', target: path, source, mode, bytes: Buffer.byteLength(content) }
}
const push = (batch: Partial<Batch>) => session.push(target, { roots: ['/'], writes: [], deletes: [], ...batch }, step)

test('files of every sort arrive as they are, in directories that did not exist', async () => {
  const names = ['plain', 'with a space', 'with\nnewline', 'ünïcödé', '-dash', 'quo\'te"s']
  const big = Buffer.alloc(3_000_000, 'x')
  await push({
    writes: [
      ...names.map((name) => file(`/app/deep/er/${name}`, `content of ${name}`)),
      file('/app/empty', ''),
      file('/app/run', '#!', 0o755),
      file('/app/big', big),
      { kind: 'link', target: '/app/link', to: 'plain' },
    ],
  })
  for (const name of names) expect(inNode('cat', `${rootOf()}/app/deep/er/${name}`)).toBe(`content of ${name}`)
  expect(inNode('stat', '-c', '%s %a', `${rootOf()}/app/empty`, `${rootOf()}/app/run`, `${rootOf()}/app/big`)).toBe(
    '0 644\n2 755\n3000000 644\n',
  )
  expect(inNode('readlink', `${rootOf()}/app/link`)).toBe('plain\n')
})

test('a file is replaced whole, keeps its owner, and what is deleted is gone', async () => {
  inNode('chown', '1234:1234', `${rootOf()}/app/empty`)
  await push({ writes: [file('/app/empty', 'no longer')] })
  expect(inNode('stat', '-c', '%u %s', `${rootOf()}/app/empty`)).toBe('1234 9\n')
  expect(await push({ deletes: ['/app/big', '/app/never-there'] })).toMatchObject({ deleted: 2 })
  expect(inNode('ls', '-A', `${rootOf()}/app`)).toBe('deep\nempty\nlink\nrun\n')
})

test('an absolute symlink leads where it leads in the container, never to the node', async () => {
  await push({
    writes: [
      { kind: 'directory', target: '/inside', mode: 0o755 },
      { kind: 'link', target: '/outside', to: '/inside' },
    ],
  })
  await push({ writes: [file('/outside/proof', 'here')] })
  expect(inNode('cat', `${rootOf()}/inside/proof`)).toBe('here')
  expect(inNode('bash', '-c', 'ls -d /inside /outside 2>/dev/null || echo none')).toBe('none\n')
})

test('hundreds of files go down the stream in one batch', async () => {
  const writes = Array.from({ length: 500 }, (_, index) => file(`/many/${index}`, `file ${index}`))
  expect(await push({ writes })).toMatchObject({ files: 500 })
  expect(inNode('bash', '-c', `cat ${rootOf()}/many/* | wc -c`)).toBe(
    `${writes.reduce((sum, write) => sum + (write.kind === 'file' ? write.bytes : 0), 0)}\n`,
  )
})
