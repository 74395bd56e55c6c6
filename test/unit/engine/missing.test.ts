import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Parts } from '../../../src/engine/environment.ts'
import { MissingSources } from '../../../src/engine/missing.ts'
import { Bus } from '../../../src/events/bus.ts'
import type { Event } from '../../../src/events/event.ts'
import { openFiles } from '../../../src/host/hash-cache.ts'
import type { Plan } from '../../../src/plan/plan.ts'
import { app } from '../../e2e/tools/app.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'devkit-missing-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

test('what rules begin at and is not there is told once for each service, and as resolved when all of it is there', async () => {
  const bus = new Bus()
  const events: Event[] = []
  bus.subscribe((event) => void events.push(event))
  const missing = new MissingSources({ bus, parts: { host: { files: openFiles() } } as unknown as Parts })
  const rules = (...from: readonly string[]) => from.map((path) => ({ from: path, to: '/app', ignore: [], run: [] }))
  const services = [
    { name: 'web', sync: rules('src', 'lib', 'nginx.conf') },
    { name: 'api', sync: rules('src') },
  ]
  const plan = { directory, services } as unknown as Plan
  mkdirSync(join(directory, 'src'))
  await missing.look(plan)
  await missing.look(plan)
  expect(events).toMatchObject([
    {
      type: 'problem',
      severity: 'warning',
      code: 'SYNC-114',
      service: 'web',
      message:
        'Nothing is synced for web from what does not exist: lib (services.web.sync[1].from), nginx.conf (services.web.sync[2].from).',
    },
  ])
  mkdirSync(join(directory, 'lib'))
  await missing.look(plan)
  expect(events).toMatchObject([{}, { type: 'problem', message: expect.not.stringContaining('lib') }])
  expect(missing.isAny).toBe(true)
  writeFileSync(join(directory, 'nginx.conf'), '')
  await missing.look(plan)
  expect(events.slice(2)).toMatchObject([{ type: 'problem.resolved', code: 'SYNC-114', service: 'web' }])
  expect(missing.isAny).toBe(false)
})

test('devkit up tells it before it makes anything', () => {
  const files = { ...app({ project: 'shop', config: { sync: [{ from: 'app/scr', to: '/app/src' }] } }) }
  const settings = { 'machine.json': JSON.stringify({ engine: `unix://${join(directory, 'nobody.sock')}` }) }
  for (const [path, text] of Object.entries({ ...files, ...settings })) {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), text)
  }
  const { stdout, status } = spawnSync(process.execPath, [join(import.meta.dirname, '../../../src/cli/bin.ts'), 'up', '--json'], {
    cwd: directory,
    env: { PATH: process.env['PATH'], HOME: directory, DEVKIT_MACHINE: join(directory, 'machine.json') },
    encoding: 'utf8',
  })
  const told = stdout.split('\n').filter((line) => line.includes('"type":"problem"'))
  expect(told.map((line) => JSON.parse(line))).toMatchObject([
    { code: 'SYNC-114', severity: 'warning', message: expect.stringContaining('app/scr (services.web.sync[0].from)') },
    { code: 'ENGINE-101', severity: 'failure' },
  ])
  expect(status).toBe(1)
})
