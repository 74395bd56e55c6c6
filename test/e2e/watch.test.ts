import { readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { clockApart } from '../lab/clock.ts'
import { app, deployment, imageOf, manifestsOf, serviceOf } from './tools/app.ts'
import type { AnyEvent, Run } from './tools/devkit.ts'
import { useRig } from './tools/rig.ts'

// What a change means, and what goes on whatever fails: one watch over two services. Each test begins where the one before it ended.

const project = 't-watch'
const dockerfile = (...more: readonly string[]): string =>
  ['FROM debian:bookworm-slim', 'COPY src /app/src', ...more, 'CMD ["sleep", "infinity"]', ''].join('\n')
const services = {
  other: {
    image: imageOf(project, 'other'),
    build: { context: 'other' },
    sync: [{ from: 'other/src', to: '/app/src', restart: 'none' }],
  },
}
const both = app({ project, config: { sync: [{ from: 'app/src', to: '/app/src', restart: 'none' }] } })
const { 'devkit.config.json': written = '', ...files } = both
const config = JSON.parse(written) as { manifests: unknown[]; services: Record<string, object> }
const configWith = (extra: readonly object[] = [], args: Readonly<Record<string, string>> = {}): string => {
  const other = { ...services.other, build: { ...services.other.build, args }, sync: [...services.other.sync, ...extra] }
  const manifests = [...config.manifests, { kustomize: 'overlay' }]
  return `${JSON.stringify({ ...config, manifests, services: { ...config.services, other } }, undefined, 2)}\n`
}
const plain = { command: ['sleep', 'infinity'], readinessProbe: undefined, ports: undefined }
const manifestOf = (replicas: number): string =>
  manifestsOf(deployment({ project, service: 'other', replicas, container: plain }))
const mapOf = (name: string, value: string): string =>
  manifestsOf({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { value } })
const containers = [{ name: 'nightly', image: imageOf(project, 'other'), command: ['true'] }]
const nightly = {
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name: 'nightly' },
  spec: { schedule: '0 3 * * *', jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', containers } } } } },
}
const rig = useRig(project, {
  ...files,
  // nothing of it is awaited
  'k8s/nightly.yaml': manifestsOf(nightly),
  // what the config imports is the config too
  'devkit.config.ts': "import config from './config.json' with { type: 'json' }\nexport default config\n",
  'config.json': configWith(),
  'k8s/other.yaml': manifestOf(1),
  'overlay/kustomization.yaml': 'resources: [../base]\n',
  'base/kustomization.yaml': 'resources: [settings.yaml]\n',
  'base/settings.yaml': mapOf('settings', 'one'),
  'other/Dockerfile': dockerfile('RUN false'),
  'other/src/file.txt': 'one\n',
})

/** Machine settings with a buildx that takes its time to end when it is told to, as on a busy machine. */
function withSlowEnd(): string {
  const settings = JSON.parse(readFileSync(String(rig.env['DEVKIT_MACHINE']), 'utf8')) as { tools: { buildx: string } }
  const [buildx, file] = [join(rig.scratch, 'buildx'), join(rig.scratch, 'machine.json')]
  const script = [
    '#!/bin/sh',
    `trap 'kill "$build"; wait "$build"; sleep 3; exit 1' TERM`,
    `'${settings.tools.buildx}' "$@" &`,
    'build=$!',
    'wait "$build"',
    '',
  ]
  writeFileSync(buildx, script.join('\n'), { mode: 0o755 })
  writeFileSync(file, JSON.stringify({ ...settings, tools: { ...settings.tools, buildx } }))
  return file
}

let run: Run
const is = (fields: Readonly<Record<string, unknown>>) => (event: AnyEvent) =>
  Object.entries(fields).every(([name, value]) => event[name] === value)
/** The steps that began since the number of events was `from`. */
const stepsSince = (from: number): readonly unknown[] =>
  run.events.slice(from).flatMap((event) => (event.type === 'step.started' ? [event['step']] : []))
const inOther = (path: string): string => rig.kubectl('exec', 'deploy/other', '--', 'cat', path)

test('a broken start is told, and goes on with the save that mends it', async () => {
  run = rig.start(['watch'], { env: { DEVKIT_MACHINE: withSlowEnd() } })
  expect(await run.next('problem')).toMatchObject({ code: 'BUILD-102', service: 'other' })
  rig.write('other/Dockerfile', dockerfile())
  await run.next('service.ready', is({ service: 'other' }))
  await run.next('problem.resolved', is({ code: 'BUILD-102' }))
})

test('a touch is nothing, a save is one sync', async () => {
  const from = run.events.length
  utimesSync(join(rig.directory, 'app/src/page.txt'), 1, 1)
  utimesSync(join(rig.directory, 'app/Dockerfile'), 1, 1)
  utimesSync(join(rig.directory, 'k8s/app.yaml'), 1, 1)
  rig.write('app/src/page.txt', 'saved\n')
  expect(await run.next('synced')).toMatchObject({ service: 'web', files: 1, deleted: 0 })
  const changes = run.events.slice(from).filter(({ type }) => type === 'files.changed')
  expect(changes).toMatchObject([{ paths: ['app/src/page.txt'] }])
  expect(stepsSince(from)).not.toContain('build/web')
})

test('a build delays no sync, a newer change overtakes it, and only its service is built', async () => {
  const from = run.events.length
  // a step that no build before this one has done
  rig.write('other/Dockerfile', dockerfile(`RUN sleep 120 # ${Date.now()}`))
  await run.next('step.output', (event) => event['step'] === 'build/other' && /RUN sleep/.test(String(event['line'])))
  rig.write('app/src/page.txt', 'saved while the other is built\n')
  expect(await run.next('synced')).toMatchObject({ service: 'web', files: 1 })
  rig.write('other/src/file.txt', 'saved while it is built\n')
  expect(await run.next('synced')).toMatchObject({ service: 'other', files: 1 })
  rig.write('other/Dockerfile', dockerfile('RUN echo built > /built'))
  // what was overtaken has ended before the other begins, however long that takes
  await run.next('step.failed', is({ step: 'build/other', overtaken: true }))
  await run.next('step.started', is({ step: 'build/other' }))
  expect(await run.next('step.finished', is({ step: 'build/other' }))).toMatchObject({ outcome: 'built' })
  await run.next('service.ready', is({ service: 'other' }))
  expect(inOther('/built')).toBe('built\n')
  expect(inOther('/app/src/file.txt')).toBe('saved while it is built\n')
  expect(stepsSince(from)).not.toContain('build/web')
  expect(run.events.slice(from).filter(({ type }) => type === 'problem')).toEqual([])
})

test('a new plan ends a build by the one before, whose image is never rolled out', async () => {
  const from = run.events.length
  rig.write('other/Dockerfile', dockerfile('ARG PAUSE=120', `RUN sleep $PAUSE && echo $PAUSE > /pause # ${Date.now()}`))
  await run.next('step.output', (event) => event['step'] === 'build/other' && /RUN sleep/.test(String(event['line'])))
  rig.write('config.json', configWith([], { PAUSE: '0' }))
  await run.next('step.failed', is({ step: 'build/other', overtaken: true }))
  await run.next('step.started', is({ step: 'build/other' }))
  expect(await run.next('step.finished', is({ step: 'build/other' }))).toMatchObject({ outcome: 'built' })
  await run.next('service.ready', is({ service: 'other' }))
  expect(inOther('/pause')).toBe('0\n')
  expect(run.events.slice(from).filter(({ type }) => type === 'problem')).toEqual([])
})

test('a build that fails is tried again at the next save of its service', async () => {
  rig.write('other/Dockerfile', dockerfile('RUN test -f /app/src/wanted'))
  expect(await run.next('problem')).toMatchObject({ code: 'BUILD-102', service: 'other' })
  rig.write('other/src/wanted', 'here\n')
  await run.next('problem.resolved', is({ code: 'BUILD-102', service: 'other' }))
  await run.next('service.ready', is({ service: 'other' }))
})

test('a broken config keeps the last good plan; a new rule works at once, on the streams that are open', async () => {
  rig.write('config.json', '{')
  expect(await run.next('problem')).toMatchObject({ code: 'CONFIG-102' })
  rig.write('app/src/page.txt', 'saved under a broken config\n')
  expect(await run.next('synced')).toMatchObject({ service: 'web', files: 1 })
  const from = run.events.length
  rig.write('extra/file.txt', 'extra\n')
  rig.write('config.json', configWith([{ from: 'extra', to: '/app/extra', restart: 'none' }]))
  await run.next('problem.resolved', is({ code: 'CONFIG-102' }))
  await run.next('synced', is({ service: 'other' }))
  rig.write('extra/file.txt', 'more\n')
  await run.next('synced', is({ service: 'other' }))
  await run.next('service.ready', is({ service: 'other' }))
  expect(inOther('/app/extra/file.txt')).toBe('more\n')
  expect(stepsSince(from).filter((step) => String(step).startsWith('stream/'))).toEqual([])
})

test('a rule that begins at nothing is told with its place, and as mended when it is there', async () => {
  const rules = ['extra', 'later'].map((from) => ({ from, to: `/app/${from}`, restart: 'none' }))
  rig.write('config.json', configWith(rules))
  expect(await run.next('problem')).toMatchObject({
    code: 'SYNC-114',
    severity: 'warning',
    service: 'other',
    message: expect.stringContaining('later (services.other.sync[2].from)'),
  })
  rig.write('later/file.txt', 'late\n')
  // either may come first
  await Promise.all([run.next('problem.resolved', is({ code: 'SYNC-114' })), run.next('synced', is({ service: 'other' }))])
  expect(inOther('/app/later/file.txt')).toBe('late\n')
})

test('a broken manifest is told at its line; the mended one is applied', async () => {
  rig.write('k8s/other.yaml', '{"apiVersion": "apps/v1",\n  ]\n')
  expect(await run.next('problem')).toMatchObject({ code: 'RENDER-101', message: expect.stringContaining('k8s/other.yaml:2') })
  const labelled = { metadata: { name: 'added' }, apiVersion: 'v1', kind: 'ConfigMap', data: { key: 'value' } }
  rig.write('k8s/other.yaml', `${manifestOf(1)}---\n${manifestsOf(labelled)}`)
  await run.next('problem.resolved', is({ code: 'RENDER-101' }))
  expect(await run.next('object', is({ kind: 'ConfigMap', name: 'added' }))).toMatchObject({ outcome: 'created' })
})

test('what cannot work is told and not applied, what may not is applied and told; both as resolved when they are mended', async () => {
  const from = run.events.length
  const container = { ...plain, envFrom: [{ secretRef: { name: 'gone' } }] }
  rig.write('k8s/other.yaml', manifestsOf(deployment({ project, service: 'other', container })))
  expect(await run.next('problem')).toMatchObject({
    code: 'RENDER-201',
    severity: 'failure',
    message: expect.stringMatching(/^k8s\/other\.yaml:\d+: Deployment\/other: Secret gone is referenced by other\/envFrom/),
  })
  expect(stepsSince(from)).not.toContain('apply')
  rig.write('k8s/other.yaml', `${manifestOf(1)}---\n${manifestsOf(serviceOf('nobody'))}`)
  expect(await run.next('problem')).toMatchObject({ code: 'RENDER-203', severity: 'warning', object: 'Service/nobody' })
  await run.next('problem.resolved', is({ code: 'RENDER-201' }))
  rig.write('k8s/other.yaml', manifestOf(1))
  await run.next('problem.resolved', is({ code: 'RENDER-203', object: 'Service/nobody' }))
})

test('what a kustomization reads elsewhere is a manifest too, also what it reads from now on', async () => {
  rig.write('base/settings.yaml', mapOf('settings', 'two'))
  expect(await run.next('action', is({ do: 'rerender' }))).toMatchObject({ reason: 'base/settings.yaml, which is a manifest' })
  await run.next('object', is({ name: 'settings', outcome: 'configured' }))
  rig.write('base/more.yaml', mapOf('more', 'one'))
  rig.write('base/kustomization.yaml', 'resources: [settings.yaml, more.yaml]\n')
  await run.next('object', is({ name: 'more', outcome: 'created' }))
  rig.write('base/more.yaml', mapOf('more', 'two'))
  await run.next('object', is({ name: 'more', outcome: 'configured' }))
})

test('the API server goes away and comes back: the next manifest is applied', async () => {
  rig.docker('exec', rig.node, 'pkill', '-KILL', 'kube-apiserver')
  rig.write('app/src/page.txt', 'saved while the API server is away\n')
  expect(await run.next('synced')).toMatchObject({ service: 'web', files: 1 })
  const added = { metadata: { name: 'second' }, apiVersion: 'v1', kind: 'ConfigMap', data: { key: 'value' } }
  rig.write('k8s/second.yaml', manifestsOf(added))
  await run.next('object', is({ kind: 'ConfigMap', name: 'second', outcome: 'created' }))
})

test('Ctrl-C ends at once with 0; what is saved meanwhile is synced by the next watch, not built', async () => {
  const began = Date.now()
  run.kill('SIGINT')
  expect(await run.exited).toBe(0)
  expect(Date.now() - began).toBeLessThan(3000)
  rig.write('app/src/page.txt', 'saved without a watch\n')
  run = rig.start(['watch'])
  expect(await run.next('step.finished', is({ step: 'build/web' }))).toMatchObject({ outcome: 'skipped' })
  const { url } = await run.next('forward.opened', is({ service: 'web' }))
  await rig.fetchSaying(String(url), 'saved without a watch')
  run.kill('SIGINT')
  expect(await run.exited).toBe(0)
})

test('a clock that jumps ahead changes nothing; one before the cluster was made is told until it is right again, and saves go on', async () => {
  const file = join(rig.scratch, 'clock')
  const set = (offset: string): void => {
    // the program looks at it all the time: never at half of it
    writeFileSync(`${file}.new`, offset)
    renameSync(`${file}.new`, file)
  }
  set('+0')
  run = rig.start(['watch'], { env: clockApart({ file }) })
  const { url } = await run.next('forward.opened', is({ service: 'web' }))
  const from = run.events.length
  const applied = (): Promise<AnyEvent> => run.next('object', is({ kind: 'ConfigMap', name: 'settings', outcome: 'configured' }))
  for (const offset of ['+3h', '-3h', '+1s']) {
    set(offset)
    rig.write('app/src/page.txt', `saved at ${offset}\n`)
    await run.next('synced', is({ service: 'web' }))
    await rig.fetchSaying(String(url), `saved at ${offset}`)
    rig.write('base/settings.yaml', mapOf('settings', offset))
    if (offset === '-3h') {
      const says = expect.stringMatching(/ is not valid yet by this machine's clock, /)
      expect(await run.next('problem')).toMatchObject({ code: 'ENGINE-105', message: says })
    } else await applied()
  }
  await run.next('problem.resolved', is({ code: 'ENGINE-105' }))
  const told = run.events.slice(from).filter(({ type }) => type === 'problem')
  expect(new Set(told.map(({ code }) => code))).toEqual(new Set(['ENGINE-105']))
  run.kill('SIGINT')
  expect(await run.exited).toBe(0)
})
