import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Turn, type TurnHolder, turnRef } from '../../src/deploy/turn.ts'
import { haveTurn } from '../../src/engine/turn.ts'
import type { KubeObject } from '../../src/lib/objects.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { devkit } from '../e2e/tools/devkit.ts'
import { baseImage } from '../lab/recipe.ts'
import { type ApiRig, openApiRig } from './api-rig.ts'
import { projectOn } from './program.ts'

// Two machines that change one environment of a cluster that both reach.

const program = join(import.meta.dirname, '../../src/cli/bin.ts')
const id = `t-turns-${process.pid}`
let rig: ApiRig

beforeAll(async () => {
  rig = await openApiRig()
})
afterAll(async () => {
  rig?.kubectl(['delete', '--ignore-not-found', '--wait=false', 'namespace', id])
  await rig?.[Symbol.asyncDispose]()
})

const settings = (value: string): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { value } },
})
/** A pod that is ready when the test says so. */
const gate: KubeObject = {
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'gate' } },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        ...{ name: 'main', image: baseImage, imagePullPolicy: 'Never', command: ['sleep', 'infinity'] },
        readinessProbe: { exec: { command: ['test', '-e', '/tmp/open'] }, periodSeconds: 1 },
      },
    ],
  },
}
/** … which it does once there is a container to say it in. */
const open = (name: string): void => {
  rig.kubectl(['wait', '-n', id, `pod/${name}`, '--for=jsonpath={.status.phase}=Running', '--timeout=60s'])
  rig.kubectl(['exec', '-n', id, name, '--', 'touch', '/tmp/open'])
}
const live = (...args: readonly string[]): string => rig.kubectl(['get', '-n', id, ...args])
const lease = (): KubeObject => JSON.parse(live('lease/devkit', '-o', 'json')) as KubeObject

test('the second of two runs waits for the first, says for which, looks again and applies what is its own', async () => {
  const [first, second] = [projectOn(rig, id, 'first'), projectOn(rig, id, 'second')]
  first.write(settings('first'), gate)
  second.write(settings('second'), gate)
  await using one = devkit(program, ['up'], first.place)
  await one.next('object', ({ kind }) => kind === 'Pod')
  await using other = devkit(program, ['up'], second.place)
  const { reason } = await other.next('action', (event) => String(event['reason']).startsWith('waits for'))
  expect(reason).toMatch(
    new RegExp(`^waits for devkit up on .+, pid ${one.pid} \\(since .+\\), which works on the environment ${id}/default$`),
  )
  expect(live('configmap/settings', '-o', 'jsonpath={.data.value}')).toBe('first')
  open('gate')
  expect([await one.exited, await other.exited]).toEqual([0, 0])
  expect(live('configmap/settings', '-o', 'jsonpath={.data.value}')).toBe('second')
  const told = other.events.filter(({ type, kind }) => type === 'object' && kind !== 'Namespace')
  expect(told.map(({ kind, outcome }) => `${kind} ${outcome}`).toSorted()).toEqual(['ConfigMap configured', 'Pod unchanged'])
  expect(lease()['spec']).not.toHaveProperty('holderIdentity')

  const before = lease().metadata.resourceVersion
  expect(await second.run(['up'])).toMatchObject({ code: 0, objects: expect.arrayContaining(['unchanged ConfigMap/settings']) })
  expect(lease().metadata.resourceVersion).toBe(before)
}, 120_000)

test('down waits as well', async () => {
  const [first, second] = [projectOn(rig, id, 'first'), projectOn(rig, id, 'second')]
  const closed = { ...gate, metadata: { name: 'second-gate' } }
  first.write(settings('third'), gate, closed)
  await using one = devkit(program, ['up'], first.place)
  await one.next('object', ({ name }) => name === 'second-gate')
  await using other = devkit(program, ['down', '--yes'], second.place)
  await other.next('action', ({ reason }) => String(reason).startsWith('waits for devkit up on '))
  open('second-gate')
  expect([await one.exited, await other.exited]).toEqual([0, 0])
  expect(rig.kubectl(['get', 'namespace', id, '--ignore-not-found'])).toBe('')
}, 120_000)

test('a run that says nothing more is not waited for longer than its turn lasts, and learns that it is over', async () => {
  const namespace = rig.namespace(`${id}-silent`)
  const environment = { project: id, env: 'default', namespace }
  const waited: TurnHolder[] = []
  const onWait = (holder: TurnHolder): void => void waited.push(holder)
  const times = { lastsMs: 1000, renewMs: 300, lookMs: 50 }
  // it sleeps, as a laptop does: its patches come when all is over
  const asleep = Promise.withResolvers<void>()
  let isAsleep = false
  const sleepy: Pick<ApiRig['kube'], 'get' | 'apply' | 'patch'> = {
    get: (...args) => rig.kube.get(...args),
    apply: (...args) => rig.kube.apply(...args),
    patch: async (...args) => {
      if (isAsleep) await asleep.promise
      return rig.kube.patch(...args)
    },
  }
  await using silent = new Turn(sleepy, environment, { who: 'devkit up on a laptop, pid 1', onWait, times })
  expect(await silent.take(rig.signal)).toBe('at once')
  isAsleep = true
  await using next = new Turn(rig.kube, environment, { who: 'devkit up on another, pid 2', onWait, times })
  expect(await next.take(rig.signal)).toBe('after a wait')
  expect(waited).toMatchObject([{ who: 'devkit up on a laptop, pid 1', since: expect.stringMatching(/^20/) }])
  const lost = new Promise((resolve) => silent.lost.addEventListener('abort', () => resolve(silent.lost.reason)))
  asleep.resolve()
  expect(await lost).toMatchObject({
    code: 'CLUSTER-108',
    message: expect.stringContaining('devkit up on another, pid 2 works on'),
  })
  expect(next.lost.aborted).toBe(false)
  const lease = await rig.kube.get(turnRef(namespace), rig.signal)
  expect(lease?.['spec']).toMatchObject({ holderIdentity: expect.stringContaining('on another') })
}, 60_000)

test('a user without rights for Leases goes on, and is told once which are lacking', async () => {
  const namespace = rig.namespace(`${id}-rights`)
  const kube = await rig.kubeOf('some', namespace, [
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get'] },
  ])
  const plan = { project: id, env: 'default', namespace } as Plan
  await using turn = new Turn(kube, plan, { who: 'devkit up', onWait: () => undefined })
  const said: string[] = []
  expect(await haveTurn(turn, { plan, kube, remark: (line) => said.push(line) }, rig)).toBe('at once')
  const user = `system:serviceaccount:${namespace}:some`
  expect(said).toEqual([
    `runs on other machines are not waited for: ${user} may not patch, create leases.coordination.k8s.io in the namespace ${namespace}`,
  ])
}, 60_000)
