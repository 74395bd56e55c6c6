import { expect, test } from 'vitest'
import type { Facts, Patient } from '../../../../src/deploy/diagnosis/facts.ts'
import { scheduling } from '../../../../src/deploy/diagnosis/scheduling.ts'
import { type KubeObject, nameOf } from '../../../../src/lib/objects.ts'

const now = Date.parse('2026-01-01T12:00:00Z')
/** So many seconds ago, as the API tells it. */
const ago = (seconds: number): string => new Date(now - seconds * 1000).toISOString()

const web: KubeObject = {
  ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'shop', uid: 'web' } },
  spec: { template: { spec: { containers: [] } } },
}
const owned = (kind: string, name: string) => [{ kind, name, uid: name, controller: true }]
const newest: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: { name: 'web-2', uid: 'web-2', ownerReferences: owned('Deployment', 'web') },
}
const older: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: { name: 'web-1', uid: 'web-1', ownerReferences: owned('Deployment', 'web') },
}

const asks = (cpu: string) => ({ containers: [{ name: 'main', resources: { requests: { cpu } } }] })
const pod = (name: string, spec: object, metadata: object = {}, status: object = {}): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'Pod' },
  metadata: { name, namespace: 'shop', uid: name, ownerReferences: owned('ReplicaSet', 'web-2'), ...metadata },
  spec: spec as { containers: [] },
  status,
})
const waits = (message: string, spec: object, status: object = {}) =>
  pod(
    'waits',
    spec,
    {},
    {
      conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message, lastTransitionTime: ago(30) }],
      ...status,
    },
  )
const node = (
  name: string,
  { spec = {}, labels = {}, ready = 'True' }: { spec?: object; labels?: object; ready?: string } = {},
): KubeObject => ({
  ...{
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: labels as Record<string, string>, creationTimestamp: ago(9000) },
  },
  spec,
  status: {
    allocatable: { cpu: '4', memory: '8Gi', pods: '110' },
    conditions: [{ type: 'Ready', status: ready, lastTransitionTime: ago(600) }],
  },
})
const taint = (key: string) => ({ taints: [{ key, effect: 'NoSchedule' }] })

function verdict(waiting: KubeObject, nodes: readonly KubeObject[], others: readonly KubeObject[] = [], pods = [waiting]) {
  const objects = [...nodes, ...others, waiting, newest, older]
  const facts = {
    ...{ now, namespace: 'shop' },
    known: (_: string, kind: string) => objects.filter((one) => one.kind === kind),
    isHidden: () => false,
    warnings: () => [],
    hasPassed: (since: number, ms: number) => now - since >= ms,
    where: (object: string) => object,
    lacking: () => [],
    isAnythingOnItsWay: () => false,
  } as unknown as Facts
  const patient: Patient = { workload: web, name: nameOf(web), pods, replicaSet: newest, facts }
  const found = scheduling.flatMap((rule) => rule(patient) ?? [])[0]
  return found && { code: found.code, severity: found.severity, message: found.message }
}

const control = node('control', { spec: taint('node-role.kubernetes.io/control-plane') })
const big = waits(
  '0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 Insufficient cpu.',
  asks('8'),
)

test('the nodes of the control plane are not what a pod lacks', () => {
  expect(verdict(big, [control, node('a'), node('b')])).toEqual({
    ...{ code: 'READY-176', severity: 'failure' },
    message: 'No node has the 8 CPUs that a pod of Deployment/web asks for: the largest has 4.',
  })
})

test('a node that is nearer to taking it decides, a cordoned one before one that is too small', () => {
  const message = '0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable.'
  const full = pod('full', { ...asks('3'), nodeName: 'a' })
  const cordoned = node('b', { spec: { unschedulable: true } })
  expect(verdict(waits(message, asks('2')), [node('a'), cordoned], [full])).toMatchObject({ code: 'READY-184' })
  // on the cordoned one it would have no room either
  expect(verdict(waits(message, asks('8')), [node('a'), cordoned])).toMatchObject({ code: 'READY-176' })
})

test('a node that does not answer comes before one that has another label', () => {
  const message =
    "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }."
  const gone = node('b', { spec: taint('node.kubernetes.io/unreachable'), labels: { pool: 'web' }, ready: 'Unknown' })
  expect(verdict(waits(message, { containers: [], nodeSelector: { pool: 'web' } }), [node('a'), gone])).toMatchObject({
    code: 'READY-185',
    message: 'No node takes a pod of Deployment/web: b is not ready (it does not answer).',
  })
})

const lacksCpu = '0/1 nodes are available: 1 Insufficient cpu.'

test.each([
  ['stays', {}, 'failure'],
  ['is on its way out', { deletionTimestamp: ago(1) }, 'warning'],
  ['should have gone long ago', { deletionTimestamp: ago(100) }, 'failure'],
  ['is of a Job', { ownerReferences: owned('Job', 'seed') }, 'warning'],
])('CPUs of a pod that %s', (_, metadata, severity) => {
  const holder = pod('holder', { ...asks('3'), nodeName: 'a' }, metadata)
  expect(verdict(waits(lacksCpu, asks('2')), [node('a')], [holder])).toMatchObject({ code: 'READY-176', severity })
})

test('room that would not be enough does not count', () => {
  const holders = [
    pod('leaves', { ...asks('1'), nodeName: 'a' }, { deletionTimestamp: ago(1) }),
    pod('stays', { ...asks('3'), nodeName: 'a' }),
  ]
  expect(verdict(waits(lacksCpu, asks('2')), [node('a')], holders)).toMatchObject({ severity: 'failure' })
})

test('a pod of the old rollout goes when one of the new is ready, not before', () => {
  const old = pod('old', { ...asks('2'), nodeName: 'a' }, { ownerReferences: owned('ReplicaSet', 'web-1') })
  const waiting = waits(lacksCpu, asks('2'))
  const fresh = (status: string, seconds: number) =>
    pod(
      'fresh',
      { ...asks('1'), nodeName: 'a' },
      {},
      { conditions: [{ type: 'Ready', status, lastTransitionTime: ago(seconds) }] },
    )
  // nothing of the new rollout runs, and the old one waits for it
  expect(verdict(waiting, [node('a')], [old, pod('other', { ...asks('1'), nodeName: 'a' })])).toMatchObject({
    severity: 'failure',
  })
  for (const [status, seconds, severity] of [
    ['False', 20, 'warning'],
    ['True', 1, 'warning'],
    ['True', 20, 'failure'],
  ] as const) {
    const started = fresh(status, seconds)
    expect(verdict(waiting, [node('a')], [old, started], [waiting, started])).toMatchObject({ severity })
  }
})

test('a pod for which the scheduler makes room by itself is a warning', () => {
  const holder = pod('holder', { ...asks('3'), nodeName: 'a' })
  expect(verdict(waits(lacksCpu, asks('2'), { nominatedNodeName: 'a' }), [node('a')], [holder])).toMatchObject({
    severity: 'warning',
  })
})

test('what the scheduler said of a node that has become well is nobody’s trouble', () => {
  const since = { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', lastTransitionTime: ago(12) }] }
  for (const said of [
    'node(s) had untolerated taint(s)',
    'node(s) had untolerated taint {team: red}',
    'node(s) were unschedulable',
  ]) {
    const conditions = since.conditions.map((one) => ({ ...one, message: `0/1 nodes are available: 1 ${said}.` }))
    expect(verdict(waits('', { containers: [] }, { conditions }), [node('a')])).toBeUndefined()
  }
})

test.each([
  ['for a while', 30, undefined],
  ['for long', 70, { code: 'READY-105', severity: 'warning' }],
])('what the scheduler has said %s of nodes that lack nothing, as far as one can see', (_, seconds, told) => {
  const message = '0/1 nodes are available: 1 Insufficient memory.'
  const conditions = [
    { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message, lastTransitionTime: ago(seconds) },
  ]
  const found = verdict(waits('', { containers: [] }, { conditions }), [node('a')])
  expect(found && { code: found.code, severity: found.severity }).toEqual(told)
})
