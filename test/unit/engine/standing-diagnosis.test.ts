import { expect, test } from 'vitest'
import { ProblemBook } from '../../../src/engine/problem-book.ts'
import type { Source } from '../../../src/engine/render.ts'
import { type Charge, StandingDiagnosis } from '../../../src/engine/standing-diagnosis.ts'
import { Bus } from '../../../src/events/bus.ts'
import type { Event } from '../../../src/events/event.ts'
import { Inbox } from '../../../src/lib/async.ts'
import { DevkitError } from '../../../src/lib/errors.ts'
import type { KubeObject } from '../../../src/lib/objects.ts'
import type { Plan } from '../../../src/plan/plan.ts'
import { ago, object, pod, Told, waiting } from '../../fakes/told.ts'

const service = (name: string, dependsOn: readonly string[] = []) => ({ name, dependsOn })
const plan = { namespace: 'n', services: [service('web'), service('api')] } as unknown as Plan
const workload = (name: string, ready = false): KubeObject =>
  object('DaemonSet', name, {
    spec: {},
    status: {
      ...{ observedGeneration: 1, desiredNumberScheduled: 1, updatedNumberScheduled: 1 },
      numberAvailable: ready ? 1 : 0,
    },
  })
const source = {
  manifests: ['web', 'api'].map((name) => ({ object: workload(name), origin: { file: 'k8s/all.yaml', line: 1 } })),
  targets: new Map(['web', 'api'].map((name) => [name, { workload: `DaemonSet/${name}`, container: 'main' }])),
} as unknown as Source
const well = { name: 'main', image: 'a', ready: true, restartCount: 0, state: { running: { startedAt: ago(60_000) } } }
const crashed = (restarts: number) => waiting('CrashLoopBackOff', '', restarts, 7)

/** A diagnosis under way; what it tells, one line an event. */
class Watched extends Told {
  readonly bus = new Bus()
  readonly problems = new ProblemBook({ bus: this.bus })
  readonly told = new Inbox<string>()
  diagnosis: StandingDiagnosis

  constructor(over: Partial<Charge> = {}) {
    super()
    this.bus.subscribe((event) => {
      if (event.type !== 'object') this.told.push(lineOf(event))
    })
    this.diagnosis = this.begin(over)
  }

  begin(over: Partial<Charge> = {}): StandingDiagnosis {
    const { live, evidence, problems } = this
    const run = { bus: this.bus, signal: this.scope.signal }
    const diagnosis = new StandingDiagnosis({ plan, source, live, evidence, problems, ...over }, run, this.scope)
    for (const name of ['web', 'api']) this.bus.emit({ type: 'object', kind: 'DaemonSet', name, outcome: 'unchanged' })
    return diagnosis
  }

  next(): Promise<readonly string[]> {
    return this.told.take(AbortSignal.timeout(10_000))
  }
}

function lineOf(event: Event): string {
  if (event.type === 'problem') return `${event.severity} ${event.code} ${event.service} ${event.detail ?? ''}`
  if (event.type === 'problem.resolved') return `resolved ${event.code} ${event.service}`
  return event.type === 'action' ? `action ${event.reason}` : event.type
}

test('a crash is a warning with its last lines, a failure by the rule of three, and resolved when it stays up', async () => {
  await using cluster = new Watched()
  cluster.diagnosis.deployed({ allReady: false })
  cluster.set(workload('web'), pod('web-x', 'web', crashed(0)))
  expect(await cluster.next()).toEqual(['warning READY-101 web its last line'])
  cluster.set(pod('web-x', 'web', { ...crashed(2), lastState: { terminated: { exitCode: 7, finishedAt: ago(0) } } }))
  expect(await cluster.next()).toEqual(['failure READY-101 web its last line'])
  // ready for a moment, as between two ends
  cluster.set(workload('web', true), pod('web-x', 'web', well))
  cluster.set(
    workload('web'),
    pod('web-x', 'web', { ...crashed(3), lastState: { terminated: { exitCode: 7, finishedAt: ago(-1) } } }),
  )
  cluster.set(workload('web', true), pod('web-x', 'web', well))
  const began = Date.now()
  expect(await cluster.next()).toEqual(['resolved READY-101 web'])
  expect(Date.now() - began).toBeGreaterThan(1000)
})

test('a failure is the deployment’s to tell while one runs, and told once when it has ended', async () => {
  await using cluster = new Watched()
  cluster.set(workload('web'), pod('web-x', 'web', crashed(5)))
  cluster.set(workload('api'), pod('api-x', 'api', crashed(0)))
  expect(await cluster.next()).toEqual(['warning READY-101 api its last line'])
  const message = 'The container main of DaemonSet/web ends with 7 again and again.'
  const thrown = new DevkitError('READY-101', { message, hint: 'Mend it.', service: 'web', object: 'DaemonSet/web' })
  cluster.problems.show('up', thrown)
  expect(await cluster.next()).toEqual(['failure READY-101 web '])
  cluster.diagnosis.deployed({ allReady: false })
  // it is known and not told again
  await expect.poll(() => cluster.problems.abouts).toContain('workload DaemonSet/web')
  cluster.problems.resolve('up')
  cluster.set(workload('api', true), pod('api-x', 'api', well))
  expect(await cluster.next()).toEqual(['resolved READY-101 api'])
  expect(cluster.problems.abouts).toEqual(['workload DaemonSet/web'])
})

test('what a workload was before it is applied is nobody’s trouble', async () => {
  await using cluster = new Watched()
  cluster.bus.emit({ type: 'object', kind: 'DaemonSet', name: 'web', outcome: 'configured' })
  cluster.set(workload('web'), pod('web-x', 'web', crashed(0)), workload('api'), pod('api-x', 'api', crashed(0)))
  await cluster.live.until(() => cluster.live.get('Pod/api-x'), AbortSignal.timeout(5000))
  cluster.set(workload('web', true), pod('web-x', 'web', well))
  expect(await cluster.next()).toEqual(['warning READY-101 api its last line'])
})

test('what a later state of the environment finds mended is resolved, and what left it too', async () => {
  await using cluster = new Watched()
  cluster.diagnosis.deployed({ allReady: false })
  for (const name of ['web', 'api']) cluster.set(workload(name), pod(`${name}-x`, name, crashed(5)))
  const told = [...(await cluster.next())]
  while (told.length < 2) told.push(...(await cluster.next()))
  const manifests = source.manifests.slice(0, 1)
  cluster.begin({ source: { ...source, manifests } }).deployed({ allReady: false })
  expect(await cluster.next()).toEqual(['resolved READY-101 api'])
  cluster.set(workload('web', true), pod('web-x', 'web', well))
  expect(await cluster.next()).toEqual(['resolved READY-101 web'])
})

test('a save that came before is named, and who is told that it is mended', async () => {
  let mended = 0
  await using cluster = new Watched({
    savedBefore: (name) => `Before it: ${name}/app.py saved at 12:00:00.`,
    onMended: () => void mended++,
  })
  cluster.set(workload('web'), pod('web-x', 'web', crashed(0)))
  expect(await cluster.next()).toEqual(['warning READY-101 web Before it: web/app.py saved at 12:00:00.\nits last line'])
  cluster.diagnosis.deployed({ allReady: true })
  expect(await cluster.next()).toEqual(['resolved READY-101 web'])
  expect(mended).toBe(1)
})

test('what waits for another is no problem of its own; the other’s problem names it', async () => {
  await using cluster = new Watched()
  const env = [{ name: 'API', value: 'http://api:80' }]
  const labels = { app: 'api' }
  const template = (containers: readonly object[], more: object = {}) => ({ template: { metadata: more, spec: { containers } } })
  cluster.set(object('Service', 'api', { spec: { selector: labels } }))
  cluster.set({ ...workload('web'), spec: template([{ name: 'main', env }]) }, pod('web-x', 'web', crashed(5)))
  cluster.set({ ...workload('api'), spec: template([{ name: 'main' }], { labels }) }, pod('api-x', 'api', crashed(0)))
  const told: string[] = []
  while (
    !told.some((line) => line.includes('waits')) ||
    !told.some((line) => /READY-101 api Waiting for it: DaemonSet\/web\./.test(line))
  ) {
    told.push(...(await cluster.next()))
    cluster.set(
      pod('api-x', 'api', { ...crashed(told.length), lastState: { terminated: { exitCode: told.length, finishedAt: ago(0) } } }),
    )
  }
  expect(told).toContain('action DaemonSet/web waits for DaemonSet/api')
  expect(told.filter((line) => line.includes('READY-101 web'))).toEqual([])
})
