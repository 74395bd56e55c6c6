import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { expect, inject, test } from 'vitest'
import { enginePid, stopEngine } from '../lab/engine.ts'
import { labUp } from '../lab/lab.ts'
import { placesOf } from '../lab/places.ts'
import type { Files } from './tools/app.ts'
import type { AnyEvent } from './tools/devkit.ts'
import { useRig } from './tools/rig.ts'

// The main job as a person does it, step after step on one environment: each test begins where the one before it ended.

const root = join(import.meta.dirname, '../..')
const project = 't-main'
// a project of its own: nothing of this run can meet the demo's environment
const config = readFileSync(join(root, 'devkit.config.ts'), 'utf8').replace("project: 'guestbook'", `project: '${project}'`)
const rig = useRig(project, { ...filesBelow(join(root, 'examples/django')), 'devkit.config.ts': config })
let url = ''

function filesBelow(directory: string): Files {
  const paths = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((path) =>
    statSync(join(directory, path)).isFile(),
  )
  return Object.fromEntries(
    paths.map((path) => [relative(root, join(directory, path)), readFileSync(join(directory, path), 'utf8')]),
  )
}

const change = (path: string, from: string | RegExp, to: string): void => rig.write(path, rig.read(path).replace(from, to))
const greet = (text: string): void => rig.write('examples/django/web/src/guestbook/greeting.py', `GREETING = "${text}"\n`)
const page = (text: string): Promise<string> => rig.fetchSaying(url, text, 60_000)
const urlOf = (events: readonly AnyEvent[]): string =>
  String((events.find(({ type }) => type === 'run.finished')?.['urls'] as { web?: string } | undefined)?.web)

test('up brings the stack to its URL, and the page answers after devkit has ended', async () => {
  const { code, events, problems } = await rig.end(['up'])
  expect({ code, problems }).toEqual({ code: 0, problems: [] })
  expect(events.filter(({ type }) => type === 'service.ready').map(({ service }) => service)).toEqual(['db', 'migrate', 'web'])
  url = urlOf(events)
  const answer = await fetch(url, { headers: { connection: 'close' } })
  expect(answer.status).toBe(200)
  expect(await answer.text()).toContain('Welcome to the guest book')
})

test('a second up builds nothing, applies nothing and says so', async () => {
  const { code, events } = await rig.end(['up'])
  expect(code).toBe(0)
  expect(events.filter(({ type, outcome }) => type === 'object' && outcome !== 'unchanged')).toEqual([])
  expect(events.filter(({ type, outcome }) => type === 'step.finished' && outcome === 'built')).toEqual([])
  expect(events).toContainEqual(expect.objectContaining({ type: 'action', do: 'none', reason: 'nothing has changed: unchanged' }))
})

test('what a visitor writes is in Postgres', async () => {
  const form = await fetch(url, { headers: { connection: 'close' } })
  const cookie = form.headers.get('set-cookie')?.split(';')[0] ?? ''
  const token = /name="csrfmiddlewaretoken" value="([^"]+)"/.exec(await form.text())?.[1] ?? ''
  const answer = await fetch(url, {
    method: 'POST',
    headers: { cookie, connection: 'close', 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ csrfmiddlewaretoken: token, name: 'Ada', message: 'It works' }),
    redirect: 'manual',
  })
  expect(answer.status).toBe(302)
  expect(await page('It works')).toContain('Ada')
})

/** Lines of web's logs, those of the pods that fit. */
const linesOf = (events: readonly AnyEvent[], fits: (pod: unknown) => boolean): string =>
  events
    .filter(({ type, service, pod }) => type === 'log' && service === 'web' && fits(pod))
    .map(({ line }) => line)
    .join('\n')

test('under watch every sort of change arrives, a killed pod comes back with what was saved, and Ctrl-C ends at once', async () => {
  await using watch = rig.start(['watch'])
  await watch.next('action', ({ reason }) => String(reason).startsWith('watching'))
  // a save
  greet('Saved once')
  const saved = await watch.next('synced')
  expect(saved).toMatchObject({ service: 'web', files: 1, deleted: 0 })
  await page('Saved once')
  // what the program writes about it, and nothing from before the watch
  await expect.poll(() => linesOf(watch.events, (pod) => pod === saved['pod']), { timeout: 30_000 }).toContain('Booting worker')
  expect(linesOf(watch.events, () => true)).not.toContain('Starting gunicorn')
  // a pod that dies: the next one holds what was saved before it counts as ready
  rig.kubectl('delete', 'pod', '-l', 'app=web', '--wait=false')
  expect(await watch.next('synced')).toMatchObject({ service: 'web', files: 1 })
  await page('Saved once')
  // its log is told from its first line
  await expect
    .poll(() => linesOf(watch.events, (pod) => pod !== saved['pod']), { timeout: 30_000 })
    .toContain('Starting gunicorn')
  // the Dockerfile
  change('examples/django/web/Dockerfile', /$/, 'ENV ROLLED_OUT=1\n')
  await watch.next('action', (event) => event['do'] === 'rebuild')
  await watch.next('step.finished', ({ step, outcome }) => step === 'build/web' && outcome === 'built')
  await watch.next('service.ready', ({ service }) => service === 'web')
  expect(rig.kubectl('exec', 'deploy/web', '--', 'printenv', 'ROLLED_OUT')).toBe('1\n')
  await page('Saved once')
  // a manifest
  change('examples/django/k8s/config.yaml', /\ndata:\n/, '\ndata:\n  CHANGED_UNDER_WATCH: "yes"\n')
  await watch.next('action', (event) => event['do'] === 'rerender')
  await watch.next('object', ({ kind, outcome }) => kind === 'ConfigMap' && outcome === 'configured')
  expect(rig.kubectl('get', 'configmap', 'web-env', '-o', 'jsonpath={.data.CHANGED_UNDER_WATCH}')).toBe('yes')
  greet('Saved at last')
  await watch.next('synced')
  await page('Saved at last')

  const began = Date.now()
  watch.kill('SIGINT')
  expect(await watch.exited).toBe(0)
  expect(Date.now() - began).toBeLessThan(5000)
  expect(rig.processes()).toEqual([])
  // the environment stays up
  await page('Saved at last')
})

test('up after watch builds what was synced', async () => {
  const { code, events } = await rig.end(['up'])
  expect(code).toBe(0)
  expect(events).toContainEqual(expect.objectContaining({ type: 'step.finished', step: 'build/web', outcome: 'built' }))
  expect(rig.kubectl('exec', 'deploy/web', '--', 'cat', '/app/src/guestbook/greeting.py')).toContain('Saved at last')
  await page('Saved at last')
})

test('status shows every service ready, with its counts and its URL', async () => {
  expect(rig.query(['status'])).toMatchObject({
    cluster: { name: rig.cluster, state: 'running' },
    services: [
      { name: 'db', workload: 'StatefulSet/db', ready: true, pods: { ready: 1, wanted: 1 } },
      { name: 'migrate', workload: 'Job/migrate', ready: true, pods: { ready: 1, wanted: 1 } },
      { name: 'web', workload: 'Deployment/web', ready: true, pods: { ready: 1, wanted: 1 }, url },
    ],
    volumes: [{ name: 'data-db-0' }],
    problems: [],
  })
  expect(rig.text(['status', '--check']).code).toBe(0)
})

// where the engine is the lab's own: it is stopped for everything else that runs on it, so files of e2e tests run one after the other
if (enginePid(placesOf(process.env)) !== undefined)
  test('without its engine devkit says so; when the engine is back, up mends what was stopped with it', async () => {
    const voice = { say: () => undefined, signal: AbortSignal.timeout(240_000) }
    await stopEngine(placesOf(process.env), voice)
    try {
      const { code, problems } = await rig.end(['up'])
      expect(code).toBe(1)
      expect(problems).toMatchObject([{ code: 'ENGINE-101', message: expect.stringContaining(inject('lab').engine) }])
      const status = rig.text(['status'])
      expect(status).toMatchObject({ code: 0, stdout: expect.stringContaining('ENGINE-101') })
    } finally {
      await labUp(voice)
    }
    const { code, events, problems } = await rig.end(['up'])
    expect({ code, problems }).toEqual({ code: 0, problems: [] })
    expect(urlOf(events)).toBe(url)
    expect(await page('It works')).toContain('Saved at last')
  })

test('down leaves nothing: no process, container, volume, image, context or state', async () => {
  expect((await rig.end(['down', '--yes'])).code).toBe(0)
  expect(rig.leftInEngine()).toEqual([])
  expect(rig.processes()).toEqual([])
  expect(existsSync(join(rig.scratch, 'home/.kube/config'))).toBe(false)
  expect(existsSync(join(rig.scratch, 'home/.local/state/devkit'))).toBe(false)
  expect(readdirSync(join(rig.scratch, 'tmp')).filter((name) => name !== 'node-compile-cache')).toEqual([])
})
