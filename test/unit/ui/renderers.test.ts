import { describe, expect, test } from 'vitest'
import { Bus } from '../../../src/events/bus.ts'
import type { EventBody } from '../../../src/events/event.ts'
import { json } from '../../../src/ui/json.ts'
import { plain } from '../../../src/ui/plain.ts'
import { pretty } from '../../../src/ui/pretty.ts'
import type { Renderer } from '../../../src/ui/renderer.ts'
import { fakeTerminal } from '../../fakes/terminal.ts'

// One contract for all renderers: whatever happens, in whatever order, no problem, URL or outcome is lost.

interface Rig {
  readonly renderer: Renderer
  /** What its reader has before them in the end. */
  readonly seen: () => Promise<string>
}

function lines(make: (out: { write(text: string): void }) => Renderer): Rig {
  let text = ''
  const renderer = make({
    write: (more) => {
      text += more
    },
  })
  return { renderer, seen: async () => text }
}

async function terminal(columns: number, rows?: number): Promise<Rig> {
  const out = fakeTerminal(columns, rows)
  return { renderer: await pretty(out, { colour: true }), seen: () => out.text() }
}

const renderers: Readonly<Record<string, () => Rig | Promise<Rig>>> = {
  json: () => lines((out) => json(out)),
  plain: () => lines((out) => plain(out, { verbose: false, quiet: false })),
  'plain, verbose and in colour': () => lines((out) => plain(out, { verbose: true, quiet: false, colour: true })),
  'pretty at 100 columns': () => terminal(100),
  'pretty at 24 columns': () => terminal(24),
  'pretty on 5 rows': () => terminal(80, 5),
}

const started = (command: string): EventBody => ({
  type: 'run.started',
  command,
  project: 'shop',
  env: 'default',
  profile: 'dev',
  version: '1.0.0',
})
const step = (name: string, outcome?: 'built' | 'created' | 'unchanged'): readonly EventBody[] => [
  { type: 'step.started', step: name },
  {
    type: 'step.output',
    step: name,
    stream: 'stdout',
    line: `a line of ${name} that is far longer than a narrow terminal is wide`,
  },
  { type: 'step.finished', step: name, ms: 1234, outcome },
]
const problem = (code: 'CONFIG-001' | 'SYNC-102' | 'READY-101' | 'BUILD-102', severity: 'failure' | 'warning'): EventBody => ({
  type: 'problem',
  severity,
  code,
  message: `The file web/src/a very long name of a file.py of ${code} could not be written.`,
  hint: `Do for ${code} what the hint says, verb first.`,
  docs: 'docs/problems.md',
  detail: `first line of ${code}\nsecond line of ${code}`,
})
const url: EventBody = { type: 'forward.opened', service: 'web', port: 20001, url: 'http://127.0.0.1:20001' }
const finished = (ok: boolean, urls: Readonly<Record<string, string>> = {}, exitCode = ok ? 0 : 1): EventBody => ({
  type: 'run.finished',
  ok,
  exitCode,
  ms: 41_234,
  urls,
})

const stories: Readonly<Record<string, { readonly events: readonly EventBody[]; readonly must: readonly string[] }>> = {
  'a stack comes up': {
    events: [
      started('up'),
      { type: 'step.started', step: 'cluster' },
      ...step('build/web', 'built'),
      { type: 'step.finished', step: 'cluster', ms: 16_500, outcome: 'created' },
      ...step('ready/web'),
      url,
      finished(true, { web: 'http://127.0.0.1:20001' }),
    ],
    must: ['build/web', 'built', 'cluster', 'created', 'ready/web', 'http://127.0.0.1:20001'],
  },
  'a URL that only the end knows': {
    events: [started('up'), finished(true, { web: 'http://127.0.0.1:20002' })],
    must: ['http://127.0.0.1:20002'],
  },
  'a warning while steps run, a failure at the end': {
    events: [
      started('up'),
      { type: 'step.started', step: 'build/web' },
      problem('SYNC-102', 'warning'),
      { type: 'step.failed', step: 'build/web', ms: 900 },
      problem('BUILD-102', 'failure'),
      finished(false),
    ],
    must: [
      'SYNC-102',
      'Do for SYNC-102',
      'second line of SYNC-102',
      'build/web',
      'BUILD-102',
      'second line of BUILD-102',
      'Do for BUILD-102',
    ],
  },
  'a build that a newer change overtakes': {
    events: [
      started('watch'),
      { type: 'step.started', step: 'build/web' },
      { type: 'step.failed', step: 'build/web', ms: 900, overtaken: true },
      ...step('build/web', 'built'),
      finished(true),
    ],
    must: ['build/web', 'overtaken', 'built'],
  },
  'a problem before anything began': {
    events: [problem('READY-101', 'failure'), finished(false)],
    must: ['READY-101', 'Do for READY-101'],
  },
  'a run that is cut off while a step runs': {
    events: [started('up'), { type: 'step.started', step: 'cluster' }, problem('READY-101', 'failure'), finished(false, {}, 130)],
    must: ['READY-101'],
  },
  'a watch: logs, a save, a problem that is mended, a rebuild': {
    events: [
      started('watch'),
      ...step('cluster', 'unchanged'),
      url,
      { type: 'log', service: 'web', pod: 'web-1', container: 'web', line: 'the first log line', ts: '2026-01-01T00:00:00Z' },
      { type: 'synced', service: 'web', pod: 'web-1', container: 'web', files: 1, bytes: 9, deleted: 0, ms: 7 },
      { type: 'step.output', step: 'sync/web', stream: 'stdout', line: '/app/src/big: 100 of 500 MB' },
      problem('BUILD-102', 'failure'),
      { type: 'action', service: 'web', do: 'rebuild', reason: 'Dockerfile changed' },
      { type: 'step.started', step: 'build/web' },
      {
        type: 'log',
        service: 'web',
        pod: 'web-1',
        container: 'web',
        line: 'a log line during a step',
        ts: '2026-01-01T00:00:00Z',
      },
      { type: 'step.finished', step: 'build/web', ms: 900, outcome: 'built' },
      { type: 'problem.resolved', code: 'BUILD-102', service: 'web' },
      finished(true),
    ],
    must: [
      'http://127.0.0.1:20001',
      'the first log line',
      '100 of 500 MB',
      'BUILD-102',
      'Dockerfile changed',
      'a log line during a step',
      'built',
      'resolved',
    ],
  },
  'objects that are put right while a step runs': {
    events: [
      started('up'),
      { type: 'step.started', step: 'apply' },
      { type: 'object', kind: 'Deployment', name: 'web', outcome: 'configured', count: 1, fields: ['spec.replicas'] },
      { type: 'object', kind: 'Secret', name: 'keys', outcome: 'configured', count: 5, fields: ['data.a', 'data.b', 'data.c'] },
      { type: 'step.finished', step: 'apply', ms: 90, outcome: 'configured' },
      finished(true),
    ],
    must: ['spec.replicas', 'data.a'],
  },
  'more steps than a drawing holds': {
    events: [started('up'), ...Array.from({ length: 70 }, (_, index) => step(`build/s${index}`, 'built')).flat(), finished(true)],
    must: ['build/s0', 'build/s59', 'build/s60', 'build/s69'],
  },
}

/** Narrow terminals break words: what counts is that all of it stands there. */
function squeezed(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are not text
  return text.replace(/\u001b\[[0-9;]*m/g, '').replace(/\s+/g, '')
}

describe.each(Object.entries(renderers))('%s', (name, make) => {
  test.each(Object.entries(stories))('%s', async (_, { events, must }) => {
    const { renderer, seen } = await make()
    const bus = new Bus()
    bus.subscribe(renderer.listener)
    for (const event of events) bus.emit(event)
    await renderer.close()
    const text = squeezed(name === 'json' ? (await seen()).replaceAll(String.raw`\n`, ' ') : await seen())
    expect(must.filter((word) => !text.includes(squeezed(word)))).toEqual([])
  })
})

test('pretty shows a step once, with the last line of its output while it runs', async () => {
  const out = fakeTerminal(60)
  const renderer = await pretty(out, { colour: false })
  const bus = new Bus()
  bus.subscribe(renderer.listener)
  bus.emit(started('up'))
  for (const event of step('build/web', 'built').slice(0, 2)) bus.emit(event)
  await expect.poll(() => out.text()).toContain('a line of build/web that is far longer than a narrow')
  bus.emit({ type: 'step.finished', step: 'build/web', ms: 1234, outcome: 'built' })
  bus.emit(finished(true))
  await renderer.close()
  const text = await out.text()
  expect(text).toContain('✓ build/web built in 1.2 s\n')
  expect(text.match(/build\/web/g)).toHaveLength(1)
  expect(text.endsWith('done in 41.2 s')).toBe(true)
})

test('what a workload waits for is told in lines too, not only to those who ask for all of it', async () => {
  const { renderer, seen } = lines((out) => plain(out, { verbose: false, quiet: false }))
  const line = 'Deployment/web waits: 0 of 1 pods are ready'
  const bus = new Bus()
  bus.subscribe(renderer.listener)
  bus.emit({ type: 'step.output', step: 'ready/web', stream: 'stdout', line })
  expect(await seen()).toBe(`  ready/web | ${line}\n`)
})

test('what a newer change overtook is not told as failed', async () => {
  const { renderer, seen } = lines((out) => plain(out, { verbose: false, quiet: false }))
  const bus = new Bus()
  bus.subscribe(renderer.listener)
  bus.emit({ type: 'step.failed', step: 'build/web', ms: 900, overtaken: true })
  expect(await seen()).toBe('– build/web overtaken by a newer change after 900 ms\n')
})

test('what a foreign program writes cannot clear the screen', () => {
  const { renderer } = lines((out) =>
    plain(
      {
        write: (text) => {
          expect(text).toBe('web | red text 100 %\n')
          out.write(text)
        },
      },
      { verbose: false, quiet: false },
    ),
  )
  const bus = new Bus()
  bus.subscribe(renderer.listener)
  const line = 'red \u001b[2J\u001b[31mtext\u001b[39m\u001b]0;title\u0007 100 %\u0007'
  bus.emit({ type: 'log', service: 'web', pod: 'p', container: 'c', line, ts: '' })
  expect.assertions(1)
})

test.each([false, true])('the first problem of a run says how to read more, whether quiet (%s) or not', async (quiet) => {
  const { renderer, seen } = lines((out) => plain(out, { verbose: false, quiet }))
  const bus = new Bus()
  bus.subscribe(renderer.listener)
  bus.emit(problem('SYNC-102', 'warning'))
  bus.emit(problem('READY-101', 'failure'))
  const text = await seen()
  expect(text).toContain('  → Do for SYNC-102 what the hint says, verb first.\n    devkit explain SYNC-102\n')
  expect(text.match(/devkit explain/g)).toHaveLength(1)
})

test('a wrong command line says by itself what is right', async () => {
  const { renderer, seen } = lines((out) => plain(out, { verbose: false, quiet: true }))
  const bus = new Bus()
  bus.subscribe(renderer.listener)
  bus.emit(problem('CONFIG-001', 'failure'))
  bus.emit(problem('READY-101', 'failure'))
  expect((await seen()).match(/devkit explain .*/g)).toEqual(['devkit explain READY-101'])
})

test('quiet tells problems and nothing else', async () => {
  const { renderer, seen } = lines((out) => plain(out, { verbose: false, quiet: true }))
  const bus = new Bus()
  bus.subscribe(renderer.listener)
  for (const { events } of Object.values(stories)) for (const event of events) bus.emit(event)
  const text = await seen()
  expect(text).toContain('SYNC-102')
  expect(text).not.toMatch(/cluster|log line|synced|done/)
})
