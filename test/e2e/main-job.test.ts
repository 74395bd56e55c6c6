import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { answers } from '../lab/engine.ts'
import { labUp } from '../lab/lab.ts'
import { placesOf } from '../lab/places.ts'
import type { MachineSettings } from '../lab/settings.ts'
import { devkit, type Run } from './tools/devkit.ts'
import { installPacked } from './tools/packed.ts'

// The main job as a person does it, step after step on one environment: each test begins where the one before it ended.

const root = join(import.meta.dirname, '../..')
const signal = new AbortController().signal
let settings: MachineSettings
let packed: ReturnType<typeof installPacked>
let scratch: string
let project: string
let env: NodeJS.ProcessEnv
let url: string

beforeAll(async () => {
  settings = await labUp({ say: (line) => void process.stderr.write(`${line}\n`), signal })
  expect(await answers(placesOf(process.env))).toBe(true)
  packed = installPacked()
  scratch = mkdtempSync(join(tmpdir(), 'devkit-e2e-'))
  project = join(scratch, 'project with a space')
  cpSync(join(root, 'examples'), join(project, 'examples'), { recursive: true })
  // a project of its own: nothing of this run can meet the demo's environment
  const config = readFileSync(join(root, 'devkit.config.ts'), 'utf8').replace("project: 'guestbook'", "project: 'guestbook-e2e'")
  writeFileSync(join(project, 'devkit.config.ts'), config)
  env = { PATH: process.env['PATH'], HOME: scratch, DEVKIT_MACHINE: placesOf(process.env).settings, TMPDIR: scratch }
})

afterAll(async () => {
  if (project) await withDevkit(['down', '--yes'], async (run) => void (await run.exited))
  packed?.remove()
  if (scratch) rmSync(scratch, { recursive: true, force: true })
})

async function withDevkit<T>(args: readonly string[], work: (run: Run) => Promise<T>): Promise<T> {
  await using run = devkit(packed.bin, args, { cwd: project, env })
  return await work(run)
}

function docker(...args: string[]): string {
  return execFileSync(settings.tools.docker, args, { encoding: 'utf8', env: { ...process.env, DOCKER_HOST: settings.engine } })
}

/** Asks until the page says it, for at most 30 s. */
async function pageSaying(text: string): Promise<string> {
  let last = ''
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; ) {
    last = await fetch(url, { signal: AbortSignal.timeout(5000), headers: { connection: 'close' } })
      .then((answer) => answer.text())
      .catch(String)
    if (last.includes(text)) return last
  }
  throw new Error(`${url} does not say '${text}' but:\n${last.slice(-600)}`)
}

const greeting = (text: string): void =>
  writeFileSync(join(project, 'examples/django/web/src/guestbook/greeting.py'), `GREETING = "${text}"\n`)

test('up brings the stack to its URL, and the page answers', async () => {
  await withDevkit(['up'], async (run) => {
    const finished = await run.next('run.finished')
    expect({ code: await run.exited, problems: run.events.filter(({ type }) => type === 'problem') }).toEqual({
      code: 0,
      problems: [],
    })
    url = (finished['urls'] as { web: string }).web
    const ready = run.events.filter(({ type }) => type === 'service.ready').map(({ service }) => service)
    expect(ready).toEqual(['db', 'migrate', 'web'])
  })
  // the URL works although devkit has ended
  expect(await pageSaying('Welcome to the guest book')).toContain('<form')
})

test('a second up builds nothing, applies nothing and says so', async () => {
  await withDevkit(['up'], async (run) => {
    expect(await run.exited).toBe(0)
    expect(run.events.filter(({ type, outcome }) => type === 'object' && outcome !== 'unchanged')).toEqual([])
    expect(run.events.filter(({ type, outcome }) => type === 'step.finished' && outcome === 'built')).toEqual([])
    expect(run.events.find(({ type }) => type === 'action')?.['reason']).toContain('unchanged')
  })
})

test('what a visitor writes is in Postgres', async () => {
  const page = await fetch(url)
  const cookie = page.headers.get('set-cookie')?.split(';')[0] ?? ''
  const token = /name="csrfmiddlewaretoken" value="([^"]+)"/.exec(await page.text())?.[1] ?? ''
  const answer = await fetch(url, {
    method: 'POST',
    headers: { cookie, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ csrfmiddlewaretoken: token, name: 'Ada', message: 'It works' }),
    redirect: 'manual',
  })
  expect(answer.status).toBe(302)
  expect(await pageSaying('It works')).toContain('Ada')
})

test('watch: a save is on the page, a killed pod comes back with it, a Dockerfile change rolls out, Ctrl-C ends at once', async () => {
  await withDevkit(['watch'], async (run) => {
    await run.next('service.ready', ({ service }) => service === 'web')
    await run.next('action', ({ reason }) => String(reason).startsWith('watching'))
    greeting('Saved once')
    expect(await run.next('synced')).toMatchObject({ service: 'web', files: 1, deleted: 0 })
    await pageSaying('Saved once')

    const node = 'devkit-guestbook-e2e-control-plane'
    const kubectl = (...args: string[]): string =>
      docker('exec', node, 'kubectl', '--kubeconfig=/etc/kubernetes/admin.conf', '-n', 'guestbook-e2e', ...args)
    kubectl('delete', 'pod', '-l', 'app=web', '--wait=false')
    expect(await run.next('synced')).toMatchObject({ service: 'web', files: 1 })
    await pageSaying('Saved once')

    const dockerfile = join(project, 'examples/django/web/Dockerfile')
    writeFileSync(dockerfile, `${readFileSync(dockerfile, 'utf8')}ENV ROLLED_OUT=1\n`)
    await run.next('action', (event) => event['do'] === 'rebuild')
    await run.next('step.finished', ({ step, outcome }) => step === 'build/web' && outcome === 'built')
    await run.next('service.ready', ({ service }) => service === 'web')
    expect(kubectl('exec', 'deploy/web', '--', 'printenv', 'ROLLED_OUT')).toBe('1\n')
    await pageSaying('Saved once')

    const began = Date.now()
    run.kill('SIGINT')
    expect(await run.exited).toBe(0)
    expect(Date.now() - began).toBeLessThan(5000)
  })
  await pageSaying('Saved once')
})

test('another directory with the same identity is told where the environment is held', async () => {
  const other = join(scratch, 'other')
  cpSync(project, other, { recursive: true })
  await using run = devkit(packed.bin, ['up'], { cwd: other, env })
  expect(await run.next('problem')).toMatchObject({ code: 'PLAN-103', message: expect.stringContaining(project) })
  expect(await run.exited).toBe(2)
})

test('status shows every service ready; a wrong verb and a wrong value are usage errors', async () => {
  const status = JSON.parse(
    execFileSync(process.execPath, [packed.bin, 'status', '--json'], { cwd: project, env, encoding: 'utf8' }),
  ) as { services: { name: string; ready: boolean }[] }
  expect(status.services.map(({ name, ready }) => [name, ready])).toEqual([
    ['db', true],
    ['migrate', true],
    ['web', true],
  ])
  await using wrong = devkit(packed.bin, ['upp'], { cwd: project, env })
  expect(await wrong.next('problem')).toMatchObject({ code: 'CONFIG-001', message: expect.stringContaining('up') })
  expect(await wrong.exited).toBe(2)
})

test('no engine: a clear problem with its code', async () => {
  await using run = devkit(packed.bin, ['up'], { cwd: project, env: { ...env, DOCKER_HOST: 'unix:///nowhere/docker.sock' } })
  expect(await run.next('problem')).toMatchObject({
    code: 'ENGINE-101',
    message: expect.stringContaining('/nowhere/docker.sock'),
  })
  expect(await run.exited).toBe(1)
})

test('down leaves nothing: no container, volume, context or state', async () => {
  await withDevkit(['down', '--yes'], async (run) => expect(await run.exited).toBe(0))
  expect(docker('ps', '-aq', '--filter', 'label=io.x-k8s.kind.cluster=devkit-guestbook-e2e')).toBe('')
  expect(existsSync(join(scratch, '.kube/config'))).toBe(false)
  expect(existsSync(join(scratch, '.local/state/devkit/clusters/devkit-guestbook-e2e'))).toBe(false)
  expect(docker('images', '-q', '--filter', 'label=dev.devkit.project=guestbook-e2e')).toBe('')
})
