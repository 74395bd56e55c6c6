import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readInventory } from '../../src/deploy/inventory.ts'
import type { KubeObject } from '../../src/lib/objects.ts'
import { devkit } from '../e2e/tools/devkit.ts'
import { baseImage } from '../lab/recipe.ts'
import { type ApiProxy, openApiProxy } from './api-proxy.ts'
import { type ApiRig, openApiRig } from './api-rig.ts'
import { projectOn } from './program.ts'

// `up` while the way to the API server goes wrong: it ends well, and what is in the cluster is exactly what the manifests say.

const program = join(import.meta.dirname, '../../src/cli/bin.ts')
let rig: ApiRig
let opened = 0
const namespaces: string[] = []

beforeAll(async () => {
  rig = await openApiRig()
})
afterAll(async () => {
  rig.kubectl(['delete', 'namespace', '--ignore-not-found', '--wait=false', ...namespaces])
  await rig[Symbol.asyncDispose]()
})

/** A project in a namespace of its own, whose way to the API server is a door of its own. */
async function openFaulty() {
  const namespace = `t-faults-api-${process.pid}-${++opened}`
  namespaces.push(namespace)
  const proxy = await openApiProxy({ ...rig, scratch: join(rig.scratch, namespace) })
  const project = projectOn({ ...rig, scratch: proxy.directory }, namespace)
  return { namespace, proxy, project, [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose]() }
}

const maps = (count: number, value: string): readonly KubeObject[] =>
  Array.from({ length: count }, (_, index) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: `map-${String(index).padStart(3, '0')}` },
    data: { value, index: String(index) },
  }))
/** An apply that is no dry run. */
const applies = /^PATCH .*\/configmaps\/map-\d+\?(?!.*dryRun)/

/** Holds the cluster to the manifests: what each object says, who owns it, what devkit remembers. */
async function expectExactly(objects: readonly KubeObject[], namespace: string, at: ApiRig = rig): Promise<void> {
  const { items } = JSON.parse(
    at.kubectl([
      'get',
      'configmaps',
      '-n',
      namespace,
      '-l',
      `devkit.dev/project=${namespace}`,
      '-o',
      'json',
      '--show-managed-fields',
    ]),
  ) as { items: readonly (KubeObject & { metadata: { managedFields: readonly { manager: string; operation: string }[] } })[] }
  const found = items.filter(({ metadata }) => metadata.name.startsWith('map-'))
  expect(found.map(({ metadata, data }) => [metadata.name, data])).toEqual(
    objects.map(({ metadata, data }) => [metadata.name, data]),
  )
  for (const { metadata } of found)
    expect(metadata.managedFields.map(({ manager, operation }) => `${manager} ${operation}`)).toEqual(['devkit Apply'])
  const remembered = await readInventory(at.kube, namespace, at.signal)
  expect(remembered.map(({ name }) => name).toSorted()).toEqual(objects.map(({ metadata }) => metadata.name))
}

/** Applies of each object that the API accepted. */
const accepted = ({ answered }: ApiProxy): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const { request, status } of answered) {
    const name = applies.test(request) && status < 300 && /\/configmaps\/(map-\d+)/.exec(request)?.[1]
    if (name) counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}
const once = (objects: readonly KubeObject[]) => Object.fromEntries(objects.map(({ metadata }) => [metadata.name, 1]))

test.concurrent('429 with Retry-After, 500 and 503: asked again, each object is applied once', async () => {
  await using faulty = await openFaulty()
  const { namespace, proxy, project } = faulty
  const objects = maps(30, 'one')
  project.write(...objects)
  proxy.fault(/PATCH .*\/map-005\?(?!.*dryRun)/, { status: 429, retryAfter: 1, times: 2 })
  proxy.fault(/PATCH .*\/map-01\d\?(?!.*dryRun)/, { status: 500, times: 3 })
  proxy.fault(/PATCH .*\/map-02\d\?.*dryRun/, { status: 503, times: 3 })
  proxy.fault(/GET .*\/configmaps/, { status: 503, retryAfter: 0, times: 3 })
  expect(await project.run(['up'])).toMatchObject({ code: 0, problems: [] })
  await expectExactly(objects, namespace)
  expect(accepted(proxy)).toEqual(once(objects))
})

test.concurrent('an answer that no other try changes: told with the server’s words (APPLY-104), nothing is written', async () => {
  await using faulty = await openFaulty()
  const { namespace, proxy, project } = faulty
  project.write(...maps(2, 'one'))
  proxy.fault(/PATCH .*\/map-001\?.*dryRun/, { status: 413, times: 1 })
  const { code, problems } = await project.run(['up'])
  expect({ code, problems }).toMatchObject({
    code: 1,
    problems: [{ code: 'APPLY-104', message: 'k8s/all.yaml:3: ConfigMap/map-001: the API server says 413: a fault with 413.' }],
  })
  expect(rig.kubectl(['get', 'namespace', namespace, '--ignore-not-found'])).toBe('')
})

test.concurrent('answers are lost: what was applied is created, what was deleted is pruned', async () => {
  await using faulty = await openFaulty()
  const { namespace, proxy, project } = faulty
  const objects = maps(20, 'one')
  project.write(...objects)
  proxy.loseAnswers(applies, 5)
  const first = await project.run(['up'])
  expect(first).toMatchObject({ code: 0, problems: [] })
  expect(first.objects.filter((line) => line.startsWith('created ConfigMap/map-')).length).toBe(20)
  await expectExactly(objects, namespace)
  project.write(...objects.slice(0, 15))
  proxy.loseAnswers(/^DELETE/, 3)
  const second = await project.run(['up'])
  expect(second).toMatchObject({ code: 0, problems: [] })
  expect(second.objects.filter((line) => line.startsWith('pruned')).length).toBe(5)
  await expectExactly(objects.slice(0, 15), namespace)
})

test.concurrent('the network pauses for ten seconds while objects are applied: it goes on after them', async () => {
  await using faulty = await openFaulty()
  const { namespace, proxy, project } = faulty
  const objects = maps(60, 'one')
  project.write(...objects)
  const inTheMiddle = proxy.comes(applies, 20)
  const up = project.run(['up'])
  await inTheMiddle
  proxy.pause()
  await delay(10_000)
  expect(Object.keys(accepted(proxy)).length).toBeLessThan(60)
  proxy.resume()
  expect(await up).toMatchObject({ code: 0, problems: [] })
  await expectExactly(objects, namespace)
  expect(accepted(proxy)).toEqual(once(objects))
})

test.concurrent('the API server is away for nine seconds while objects are applied, and knows nobody at first: told, and it goes on', async () => {
  await using faulty = await openFaulty()
  const { namespace, proxy, project } = faulty
  const objects = maps(60, 'one')
  project.write(...objects)
  const inTheMiddle = proxy.comes(applies, 20)
  const up = project.run(['up'])
  await inTheMiddle
  await proxy.away()
  // it is told after five, by the next of the questions, which are up to two and a half apart
  await delay(9000)
  proxy.fault(applies, { status: 403, times: 5 })
  await proxy.back()
  const { code, problems, events } = await up
  expect({ code, problems }).toEqual({ code: 0, problems: [] })
  const told = events.filter(({ type, do: what }) => type === 'action' && what === 'none').map(({ reason }) => String(reason))
  expect(told).toEqual([expect.stringMatching(/^the API server does not answer .*ECONNREFUSED/), 'the API server answers again'])
  await expectExactly(objects, namespace)
})

test.concurrent('the API server is started anew while objects are applied: up goes on, and each is as its manifest says', async () => {
  const namespace = `t-faults-restart-${process.pid}`
  await using own = await openApiRig(`t-api-restart-${process.pid}`)
  const restarted = projectOn(own, namespace)
  const objects = maps(500, 'one')
  restarted.write(...objects)
  await using run = devkit(program, ['up'], restarted.place)
  await run.next('object', ({ kind }) => kind === 'ConfigMap')
  own.inNode('pkill', '-KILL', 'kube-apiserver')
  expect(run.events.filter(({ type }) => type === 'object').length).toBeLessThan(500)
  const code = await run.exited
  expect({ code, problems: run.events.filter(({ type }) => type === 'problem') }).toEqual({ code: 0, problems: [] })
  await expectExactly(objects, namespace, own)
}, 300_000)

test.concurrent.each(['SIGINT', 'SIGKILL'] as const)(
  '%s between two objects: what was applied is told, and the next run completes and prunes',
  async (signal) => {
    await using faulty = await openFaulty()
    const { namespace, proxy, project } = faulty
    const objects = maps(60, 'one')
    project.write(...objects)
    const inTheMiddle = proxy.comes(applies, 20)
    await using run = devkit(program, ['up'], project.place)
    await inTheMiddle
    proxy.pause()
    run.kill(signal)
    const code = await run.exited
    proxy.resume()
    const told = run.events.filter(({ type, kind }) => type === 'object' && kind === 'ConfigMap').map(({ name }) => String(name))
    expect(told.length).toBeGreaterThan(0)
    expect(told.length).toBeLessThan(60)
    const there = rig.kubectl(['get', 'configmaps', '-n', namespace, '-o', 'jsonpath={.items[*].metadata.name}']).split(' ')
    expect(there).toEqual(expect.arrayContaining(told))
    if (signal === 'SIGINT')
      expect({ code, last: run.events.at(-1) }).toMatchObject({ code: 130, last: { type: 'run.finished', ok: false } })
    // one that was applied goes, one that was not is never missed, the others come
    const [applied = ''] = told
    const rest = objects.filter(({ metadata: { name } }) => name !== applied && name !== 'map-059')
    project.write(...rest)
    const next = await project.run(['up'])
    expect(next).toMatchObject({ code: 0, problems: [] })
    expect(next.objects).toContain(`pruned ConfigMap/${applied}`)
    await expectExactly(rest, namespace)
  },
)

test.concurrent('watches expire during a rollout: it is listed anew, and ready all the same', async () => {
  await using faulty = await openFaulty()
  const { namespace, proxy, project } = faulty
  const container = { name: 'main', image: baseImage, imagePullPolicy: 'Never', command: ['sleep', 'infinity'] }
  project.write({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { terminationGracePeriodSeconds: 0, containers: [container] },
      },
    },
  })
  const rollout = proxy.comes(/^PATCH .*\/deployments\/web\?(?!.*dryRun)/, 1)
  const up = project.run(['up'])
  await rollout
  // nothing that happens now is told by a watch
  proxy.fault(/watch=true/, { status: 410, times: 12 })
  expect(proxy.expireWatches()).toBeGreaterThan(0)
  const { code, problems, events } = await up
  expect({ code, problems }).toEqual({ code: 0, problems: [] })
  expect(events.filter(({ type }) => type === 'step.finished').map(({ step }) => step)).toContain('ready/web')
  expect(rig.kubectl(['get', 'deployment/web', '-n', namespace, '-o', 'jsonpath={.status.readyReplicas}'])).toBe('1')
})
