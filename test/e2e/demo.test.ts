import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { answers } from '../lab/engine.ts'
import { placesOf } from '../lab/places.ts'
import { processesWithEnv } from '../lab/processes.ts'
import { fetchSaying } from './tools/rig.ts'

// The README's first command, as a newcomer types it: twice in a row, then all of it away again. Beside the demo of a person on this machine.

const project = 't-demo'
const root = join(import.meta.dirname, '../..')
let scratch: string
let env: NodeJS.ProcessEnv

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), `devkit-${project}-`))
  const kept = ['PATH', 'HOME', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'XDG_RUNTIME_DIR', 'DEVKIT_MACHINE'] as const
  env = {
    ...Object.fromEntries(kept.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]))),
    CI: 'true',
    TMPDIR: join(scratch, 'tmp'),
    XDG_STATE_HOME: join(scratch, 'state'),
    KUBECONFIG: join(scratch, 'kubeconfig'),
    DEVKIT_DEMO_PROJECT: project,
    DEVKIT_TEST: scratch,
  }
  mkdirSync(join(scratch, 'tmp'))
})
afterAll(async () => {
  if (existsSync(join(scratch, 'state/devkit-demo'))) await demo('--down')
  rmSync(scratch, { recursive: true, force: true })
})

/** `npm run demo` to its end, with no terminal and no standard input. */
async function demo(...args: readonly string[]): Promise<{ readonly code: number | null; readonly said: string }> {
  const child = spawn('npm', ['run', 'demo', '--', ...args], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const code = new Promise<number | null>((resolve) => child.once('close', resolve))
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: await code, said: stdout + stderr }
}

async function left(kind: string): Promise<string> {
  const docker = inject('lab').tools.docker
  const args =
    kind === 'image'
      ? ['images', '--quiet', '--filter', `label=dev.devkit.project=${project}`]
      : [kind, 'ls', '--quiet', '--filter', `name=${project}`, ...(kind === 'container' ? ['--all'] : [])]
  const child = spawn(docker, args, {
    env: { ...process.env, DOCKER_HOST: inject('lab').engine },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return text(child.stdout)
}

let page = ''

test('the demo shows the page, one save and the next commands, and leaves the stack up', async () => {
  const { code, said } = await demo()
  expect({ code, said }).toEqual({
    code: 0,
    said: expect.stringMatching(/in the container after \d+ ms, on the page after \d+ ms/),
  })
  page = /(http:\/\/127\.0\.0\.1:\d+\/?) says: /.exec(said)?.[1] ?? ''
  // what will happen is said before it happens
  expect(said.indexOf(`the kind cluster devkit-${project}`)).toBeGreaterThan(-1)
  expect(said.indexOf(`the kind cluster devkit-${project}`)).toBeLessThan(said.indexOf('cluster created'))
  expect(said).toContain('npm run demo -- --down')
  await fetchSaying(page, 'Saved a moment ago')
})

test('a second demo goes on with what is there', async () => {
  const { code, said } = await demo()
  expect({ code, said }).toEqual({
    code: 0,
    said: expect.stringMatching(/in the container after \d+ ms, on the page after \d+ ms/),
  })
  expect(said).not.toContain('cluster created')
  expect(said).toContain(page)
  await fetchSaying(page, 'Saved a moment ago')
})

test('--down leaves nothing of it, and says so; the lab’s engine, which it did not start, stays', async () => {
  const { code, said } = await demo('--down')
  expect({ code, said }).toEqual({ code: 0, said: expect.stringContaining('Nothing of the demo is left.') })
  for (const kind of ['container', 'volume', 'network', 'image'])
    expect({ kind, left: await left(kind) }).toEqual({ kind, left: '' })
  expect(existsSync(join(scratch, 'state/devkit-demo'))).toBe(false)
  expect(existsSync(join(scratch, `state/devkit/clusters/devkit-${project}`))).toBe(false)
  expect(existsSync(join(scratch, 'kubeconfig'))).toBe(false)
  expect(readdirSync(join(scratch, 'tmp')).filter((name) => !name.startsWith('node-compile-cache'))).toEqual([])
  expect(processesWithEnv(`DEVKIT_TEST=${scratch}`)).toEqual([])
  expect(await answers(placesOf(process.env))).toBe(true)
})

test('--down with no demo there is fine', async () => {
  expect(await demo('--down')).toEqual({ code: 0, said: expect.stringContaining('There is no demo to remove.') })
})
