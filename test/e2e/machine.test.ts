import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { networkOf } from '../lab/engine.ts'
import { placesOf } from '../lab/places.ts'
import { type Registry, startRegistry } from '../lab/registry.ts'
import { app, imageOf } from './tools/app.ts'
import { useRig } from './tools/rig.ts'

// The machine's settings file: what a company's or an air-gapped machine says there is what nodes and programs do.

const project = 't-machine'
const rig = useRig(project, app({ project, config: { build: undefined } }))
const settingsFile = join(rig.scratch, 'machine.json')
const withSettings = { env: { DEVKIT_MACHINE: settingsFile } }
const image = imageOf(project)
const hosts = '/etc/containerd/certs.d/registry.example.com/hosts.toml'
let mirror: Registry

const settings = (change: object = {}): void => writeFileSync(settingsFile, JSON.stringify({ ...inject('lab'), ...change }))
const mirrored = (): void => settings({ mirrors: { 'registry.example.com': `http://${mirror.address}` } })
const runs = (tag: string): void =>
  rig.write('k8s/app.yaml', rig.read('k8s/app.yaml').replace(/("image": ".*?):[\d.]+"/, `$1:${tag}"`))
const pullsOf = (tag: string): readonly string[] =>
  mirror.requests.filter((request) => request.includes(`/v2/${project}/web/manifests/${tag}`))

beforeAll(async () => {
  // an image that only the mirror has, in three versions: nobody answers at registry.example.com
  const data = join(rig.scratch, 'registry')
  rig.docker('build', '--quiet', '--tag', `${image}:1.0`, '--label', `dev.devkit.project=${project}`, join(rig.directory, 'app'))
  await using push = await startRegistry('127.0.0.1', data, rig.scratch)
  for (const tag of ['1.0', '2.0', '3.0']) {
    const copy = `${push.address}/${project}/web:${tag}`
    rig.docker('tag', `${image}:1.0`, copy)
    rig.docker('push', '--quiet', copy)
    rig.docker('rmi', copy)
  }
  rig.docker('rmi', '--force', `${image}:1.0`)
  mirror = await startRegistry(networkOf(placesOf(process.env)).address, data, rig.scratch)
})
afterAll(() => mirror?.[Symbol.asyncDispose]())

test('nodes pull through the mirror that the settings name', async () => {
  mirrored()
  const { code, problems, events } = await rig.end(['up'], withSettings)
  expect({ code, problems }).toEqual({ code: 0, problems: [] })
  expect(pullsOf('1.0')).not.toEqual([])
  const { web = '' } = (events.at(-1)?.['urls'] ?? {}) as { web?: string }
  await rig.fetchSaying(web, 'the first page')
})

test('a second up with the same settings has nothing to do', async () => {
  const { code, events } = await rig.end(['up'], withSettings)
  expect(code).toBe(0)
  expect(events.find(({ type, step }) => type === 'step.finished' && step === 'cluster')).toMatchObject({ outcome: 'unchanged' })
})

test('when the setting goes, nodes forget the mirror, and a file of somebody else’s stays', async () => {
  const others = '/etc/containerd/certs.d/other.example.com'
  rig.docker(
    'exec',
    rig.node,
    'sh',
    '-c',
    `mkdir ${others} && echo 'server = "https://other.example.com"' > ${others}/hosts.toml`,
  )
  settings()
  runs('2.0')
  const { code, problems } = await rig.end(['up'], withSettings)
  const failures = problems.filter(({ severity }) => severity === 'failure')
  expect({ code, failures }).toMatchObject({ code: 1, failures: [{ code: 'READY-111' }] })
  expect(pullsOf('2.0')).toEqual([])
  expect(() => rig.docker('exec', rig.node, 'cat', hosts)).toThrow('No such file')
  expect(rig.docker('exec', rig.node, 'cat', `${others}/hosts.toml`)).toContain('other.example.com')
})

test('when it comes back, so do they', async () => {
  mirrored()
  runs('3.0')
  const { code, problems } = await rig.end(['up'], withSettings)
  expect({ code, problems }).toEqual({ code: 0, problems: [] })
  expect(pullsOf('3.0')).not.toEqual([])
})

test('config --machine shows what devkit reads', () => {
  const shown = rig.query(['config', '--machine'], withSettings)
  expect(shown).toMatchObject({
    file: settingsFile,
    found: true,
    engine: inject('lab').engine,
    tools: inject('lab').tools,
    nodeImage: inject('lab').nodeImage,
    mirrors: { 'registry.example.com': `http://${mirror.address}` },
  })
})

test('wrong settings are told with the file and the key, before anything is touched', () => {
  for (const [wrong, told] of [
    [{ tools: { kindd: '/bin/kind' } }, 'tools.kindd'],
    [{ engine: '/run/docker.sock' }, 'engine'],
    [{ mirrors: { 'https://docker.io': 'x' } }, 'mirrors'],
    [{ mirrors: { 'docker.io': 'ftp://x' } }, 'mirrors.docker.io'],
  ] as const) {
    settings(wrong)
    const { code, stderr } = rig.text(['up'], withSettings)
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(/CONFIG-201/) })
    expect(stderr).toContain(settingsFile)
    expect(stderr).toContain(told)
    expect(stderr).not.toContain('    at ')
  }
  writeFileSync(settingsFile, '{ "engine": ')
  expect(rig.text(['status'], withSettings)).toMatchObject({ code: 2, stderr: expect.stringContaining('is not JSON') })
  expect(rig.text(['status'], { env: { DEVKIT_MACHINE: '/nowhere/machine.json' } })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('/nowhere/machine.json'),
  })
})

test('a program that the settings name and that is not there is told', async () => {
  mirrored()
  expect((await rig.end(['down', '--yes'], withSettings)).code).toBe(0)
  settings({ tools: { ...inject('lab').tools, kind: '/nowhere/kind' } })
  const { code, problems } = await rig.end(['up'], withSettings)
  expect({ code, problems }).toMatchObject({ code: 1, problems: [{ code: 'CLUSTER-101' }] })
  expect(rig.leftInEngine()).toEqual([])
})
