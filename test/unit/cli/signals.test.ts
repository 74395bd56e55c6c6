import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

// A run that waits for ever: its engine takes every connection and never answers.

const bin = join(import.meta.dirname, '../../../src/cli/bin.ts')
const scratch = mkdtempSync(join(tmpdir(), 'devkit-signals-'))
const socket = join(scratch, 'engine.sock')
let engine: Server
let connected = Promise.withResolvers<void>()

beforeAll(async () => {
  mkdirSync(join(scratch, 'k8s'))
  writeFileSync(join(scratch, 'devkit.config.json'), JSON.stringify({ project: 't-signals', manifests: ['k8s'] }))
  writeFileSync(join(scratch, 'k8s/config.yaml'), 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: nothing }\n')
  writeFileSync(join(scratch, 'machine.json'), '{}')
  engine = createServer((connection) => {
    connection.on('error', () => undefined)
    connected.resolve()
  }).listen(socket)
  await once(engine, 'listening')
})

afterAll(() => {
  engine.close()
  rmSync(scratch, { recursive: true, force: true })
})

/** Starts `devkit up`, waits until it waits, and does something to it. */
async function interrupted(act: (child: ReturnType<typeof spawn>) => void) {
  connected = Promise.withResolvers()
  const child = spawn(process.execPath, [bin, 'up'], {
    cwd: scratch,
    env: {
      PATH: process.env['PATH'],
      HOME: scratch,
      DEVKIT_MACHINE: join(scratch, 'machine.json'),
      DOCKER_HOST: `unix://${socket}`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
  })
  await connected.promise
  act(child)
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stderr }
}

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s ends a run with 130 and without a stack trace', async (signal) => {
  const { code, stderr } = await interrupted((child) => child.kill(signal))
  expect(code).toBe(130)
  expect(stderr).toContain('interrupted after')
  expect(stderr).not.toMatch(/^\s+at |Error:/m)
})

test('a terminal that goes away, with its streams, ends a run too', async () => {
  const { code } = await interrupted((child) => {
    child.stderr?.destroy()
    child.stdout?.destroy()
    child.kill('SIGHUP')
  })
  expect(code).toBe(130)
})
