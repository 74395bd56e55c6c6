import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withoutVolumes } from '../../../src/engine/held.ts'
import { applyProfile } from '../../../src/engine/render.ts'
import { openFiles } from '../../../src/host/hash-cache.ts'
import { type Container, type KubeObject, type PodSpec, podSpecOf } from '../../../src/lib/objects.ts'
import type { Plan } from '../../../src/plan/plan.ts'
import type { Program } from '../../../src/render/transforms/supervisor.ts'
import { absent, Contents, unknown } from '../../../src/sync/tree.ts'
import { WorkingTree } from '../../../src/sync/working-tree.ts'

const origin = { file: 'web.yaml', line: 1 }
const readOnly = { readOnlyRootFilesystem: true, runAsUser: 1000 }
const existing = { existing: { context: 'team' } }
const dev = { writable: true }

interface Given {
  readonly container?: object
  readonly pod?: object
  readonly into?: readonly string[]
  readonly spec?: object
  readonly profile?: object
  readonly programs?: ReadonlyMap<string, Program>
}

/** The pod of a synced service in an existing cluster, under the dev profile unless said otherwise. */
function shown({ container, pod, into = ['/app/src'], spec = existing, profile = dev, programs }: Given = {}): PodSpec {
  const web = { name: 'web', image: 'x/web', securityContext: readOnly, ...container }
  const object: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: { template: { spec: { containers: [web, { name: 'proxy', image: 'x/proxy', securityContext: readOnly }], ...pod } } },
  }
  const source = {
    manifests: [{ object, origin }],
    home: undefined,
    targets: new Map([['web', { workload: 'Deployment/web', container: 'web' }]]),
    syncedInto: new Map([['web', into]]),
  }
  const plan = { namespace: 'shop', profile, cluster: { spec } } as unknown as Plan
  const [made] = applyProfile(
    plan,
    source,
    new Map(),
    programs ?? new Map([['web', { entrypoint: [], cmd: ['serve'], shell: 'image' }]]),
  )
  const found = made && podSpecOf(made.object)
  if (!found) throw new Error('no pod')
  return found
}

const copied = (pod: PodSpec): readonly string[] =>
  ((pod.containers[0]?.['volumeMounts'] ?? []) as { name: string; mountPath: string }[]).flatMap(({ name, mountPath }) =>
    name.startsWith('devkit-copy-') ? [mountPath] : [],
  )

test('what is synced into a root that may not be written is mounted over by a copy, made by the same image and user', () => {
  const pod = shown({
    container: { imagePullPolicy: 'Always' },
    pod: { initContainers: [{ name: 'theirs' }], volumes: [{ name: 'data' }] },
  })
  expect(copied(pod)).toEqual(['/app/src'])
  expect(pod.initContainers).toEqual([
    { name: 'theirs' },
    {
      name: 'devkit-copy-0',
      image: 'x/web',
      imagePullPolicy: 'Always',
      command: ['/bin/sh', '-c', expect.any(String), 'devkit', '/app/src', '/.devkit/copy/devkit-copy-0'],
      securityContext: readOnly,
      volumeMounts: [{ name: 'devkit-copy-0', mountPath: '/.devkit/copy/devkit-copy-0' }],
    },
  ])
  expect(pod['volumes']).toEqual([{ name: 'data' }, { name: 'devkit-copy-0', emptyDir: {} }])
  // its program, and containers that nothing is synced into, are as they were
  expect(pod.containers[0]).toMatchObject({ name: 'web', image: 'x/web', securityContext: readOnly })
  expect(pod.containers[0]).not.toHaveProperty('command')
  expect(pod.containers[1]).toEqual({ name: 'proxy', image: 'x/proxy', securityContext: readOnly })
})

test.each<[string, Given]>([
  ['the root can be written', { container: { securityContext: { runAsUser: 1000 } } }],
  ['the nodes can be entered', { spec: { kind: {} } }],
  ['the profile is another', { profile: {} }],
  ['the image is not known', { programs: new Map() }],
  ['the image has no shell', { programs: new Map([['web', { entrypoint: [], cmd: ['serve'], shell: 'x86_64' }]]) }],
  ['nothing is synced', { into: [] }],
  ['it is the root itself', { into: ['/'] }],
  ['a volume is there', { container: { volumeMounts: [{ name: 'data', mountPath: '/app/' }] } }],
])('nothing is mounted where %s', (_, given) => {
  const pod = shown(given)
  expect(copied(pod)).toEqual([])
  expect(JSON.stringify(pod)).not.toContain('devkit')
})

test('one copy holds what is inside another; a volume further in is seen through it', () => {
  const volumeMounts = [{ name: 'uploads', mountPath: '/app/uploads' }]
  const pod = shown({ container: { volumeMounts }, into: ['/app/lib', '/app', '/app', '/apps', '/app/uploads/x'] })
  expect(copied(pod)).toEqual(['/app', '/apps'])
  expect(pod.initContainers).toHaveLength(1)
})

test('the copy has what the image has there, with modes and symlinks; a directory that the image has not stays empty', () => {
  const root = mkdtempSync(join(tmpdir(), 'devkit-copy-'))
  try {
    for (const name of ['image/deep', 'copy', 'other']) mkdirSync(join(root, name), { recursive: true })
    writeFileSync(join(root, 'image/deep/run'), 'x')
    chmodSync(join(root, 'image/deep/run'), 0o750)
    writeFileSync(join(root, 'image/.hidden'), 'h')
    symlinkSync('deep/run', join(root, 'image/link'))
    const command = (shown().initContainers?.[0]?.['command'] ?? ['']) as readonly [string, ...string[]]
    const pairs = ['none', 'other', 'image', 'copy'].map((name) => join(root, name))
    const ended = spawnSync(command[0], [...command.slice(1, 4), ...pairs], { encoding: 'utf8' })
    expect({ code: ended.status, stderr: ended.stderr }).toEqual({ code: 0, stderr: '' })
    expect(statSync(join(root, 'copy/deep/run')).mode & 0o777).toBe(0o750)
    expect(readFileSync(join(root, 'copy/link'), 'utf8')).toBe('x')
    expect(existsSync(join(root, 'copy/.hidden'))).toBe(true)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})

test('a copy has what the image has, until a container of its pod ended: then nobody knows', () => {
  const container = shown({ container: { volumeMounts: [{ name: 'data', mountPath: '/app/src/data' }] } })
    .containers[0] as Container
  const tree = new WorkingTree([], openFiles())
  const image = new Contents()
  const [file, hidden, never] = ['/app/src/a', '/app/src/data/b', '/app/src/c'].map((path) => tree.paths.of(path)) as [
    number,
    number,
    number,
  ]
  image.set(file, 7)
  image.set(hidden, 8)
  const has = (restartCount: number): readonly number[] => {
    const status = { containerStatuses: [{ name: 'web', restartCount }] }
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web-1' }, status } as KubeObject
    const contents = withoutVolumes(image, tree, container, pod)
    return [file, hidden, never].map((number) => contents.get(number))
  }
  expect(has(0)).toEqual([7, absent, absent])
  expect(has(1)).toEqual([unknown, absent, absent])
})
