import { expect, test } from 'vitest'
import type { Facts, Happening, Patient, Warning } from '../../../../src/deploy/diagnosis/facts.ts'
import { jobs } from '../../../../src/deploy/diagnosis/jobs.ts'
import { nodes } from '../../../../src/deploy/diagnosis/nodes.ts'
import { scheduling } from '../../../../src/deploy/diagnosis/scheduling.ts'
import type { Verdict } from '../../../../src/deploy/diagnosis/verdict.ts'
import { type KubeObject, nameOf } from '../../../../src/lib/objects.ts'

const now = Date.parse('2026-01-01T12:00:00Z')
/** So many seconds ago, as the API tells it. */
const ago = (seconds: number): string => new Date(now - seconds * 1000).toISOString()

interface Known {
  readonly objects?: readonly KubeObject[]
  readonly hidden?: boolean
  readonly warnings?: readonly Partial<Warning>[]
  readonly happened?: readonly Partial<Happening>[]
}

function patient(workload: KubeObject, pods: readonly KubeObject[], known: Known = {}): Patient {
  const { objects = [], hidden = false, warnings = [], happened = [] } = known
  const facts: Facts = {
    ...{ now, namespace: 'shop' },
    known: (_: string, kind: string) => (hidden ? undefined : [...objects, ...pods].filter((one) => one.kind === kind)),
    isHidden: () => hidden,
    warnings: () => warnings.map((one) => ({ reason: '', message: '', count: 1, from: now, at: now, ...one })),
    happened: () =>
      happened.map((one) => ({ reason: '', message: '', count: 1, from: now, at: now, kind: 'Pod', name: '', ...one })),
    ends: () => [],
    hasPassed: (since: number, ms: number) => now - since >= ms,
    where: (object: string) => object,
    lacking: () => [],
    isAnythingOnItsWay: () => false,
  } as unknown as Facts
  return { workload, name: nameOf(workload), pods, replicaSet: undefined, facts }
}

const verdict = (rules: typeof nodes, one: Patient): Verdict | undefined => rules.flatMap((rule) => rule(one) ?? [])[0]

const web: KubeObject = { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'web', namespace: 'shop' }, spec: {} }
const pod = (status: object, spec: object = {}, name = 'web-0'): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'shop', uid: name, creationTimestamp: ago(300) } },
  spec: { containers: [], ...spec },
  status,
})
const node = (conditions: readonly object[], spec: object = {}, pods = '110'): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'Node', metadata: { name: 'one', creationTimestamp: ago(9000) } },
  spec,
  status: { conditions, allocatable: { cpu: '4', memory: '8Gi', pods } },
})
const refused = (message: string, seconds = 60) =>
  pod({
    conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message, lastTransitionTime: ago(seconds) }],
  })
const tainted = (key: string) => ({ taints: [{ key: `node.kubernetes.io/${key}`, effect: 'NoSchedule' }] })
const says = (filter: string) => `0/1 nodes are available: 1 ${filter}. preemption: 0/1 nodes are available.`
const evicted = (message: string, name: string) =>
  pod(
    {
      ...{ phase: 'Failed', reason: 'Evicted', message },
      conditions: [{ type: 'DisruptionTarget', status: 'True', lastTransitionTime: ago(5) }],
    },
    { nodeName: 'one' },
    name,
  )

test.each([
  [3, 'warning'],
  [40, 'failure'],
])('a node that has been silent for %i s', (seconds, severity) => {
  const silent = node([{ type: 'Ready', status: 'Unknown', lastTransitionTime: ago(seconds) }])
  const stays = pod({ phase: 'Running', conditions: [{ type: 'Ready', status: 'False' }] }, { nodeName: 'one' })
  expect(verdict(nodes, patient(web, [stays], { objects: [silent] }))).toMatchObject({
    code: 'READY-213',
    severity,
    message: 'The node one, on which StatefulSet/web runs, does not answer.',
  })
  const waits = refused(says('node(s) had untolerated taint {node.kubernetes.io/unreachable: }'))
  const unreachable = node([{ type: 'Ready', status: 'Unknown', lastTransitionTime: ago(seconds) }], tainted('unreachable'))
  expect(verdict(scheduling, patient(web, [waits], { objects: [unreachable] }))).toMatchObject({
    code: 'READY-185',
    severity,
    message: 'No node takes a pod of StatefulSet/web: one is not ready (it does not answer).',
  })
})

test('a ready node and a pod that is ready are nobody’s trouble', () => {
  const fine = node([{ type: 'Ready', status: 'True', lastTransitionTime: ago(900) }])
  const starts = pod({ phase: 'Pending' }, { nodeName: 'one' })
  expect(verdict(nodes, patient(web, [starts], { objects: [fine] }))).toBeUndefined()
})

test.each([
  ['disk', 'DiskPressure', 5, 'warning'],
  ['memory', 'MemoryPressure', 40, 'failure'],
])('a node that is short of %s keeps pods away', (what, type, seconds, severity) => {
  const short = node(
    [
      { type: 'Ready', status: 'True' },
      { type, status: 'True', message: 'kubelet has it', lastTransitionTime: ago(seconds) },
    ],
    tainted(`${what}-pressure`),
  )
  const waits = refused(says(`node(s) had untolerated taint {node.kubernetes.io/${what}-pressure: }`))
  expect(verdict(scheduling, patient(web, [waits], { objects: [short] }))).toMatchObject({
    code: 'READY-214',
    severity,
    message: `No node takes a pod of StatefulSet/web: one is short of ${what}, and keeps new pods away.`,
    object: 'Node/one',
  })
})

test('a node that runs as many pods as it may', () => {
  const full = node([{ type: 'Ready', status: 'True' }], {}, '1')
  const there = pod({ phase: 'Running' }, { nodeName: 'one' }, 'other')
  expect(verdict(scheduling, patient(web, [refused(says('Too many pods'))], { objects: [full, there] }))).toMatchObject({
    code: 'READY-187',
    severity: 'failure',
    message: 'No node takes another pod, so none of StatefulSet/web is started: one runs 1 of at most 1.',
  })
})

test.each([
  ['1 cannot allocate all claims', 5, undefined],
  ['1 cannot allocate all claims', 20, 'failure'],
  ['pod has unbound immediate PersistentVolumeClaims', 20, 'warning'],
])('what nobody has a code for (%s) after %i s', (said, seconds, severity) => {
  const waits = refused(`0/1 nodes are available: ${said}.`, seconds)
  const found = verdict(scheduling, patient(web, [waits], { objects: [node([])] }))
  expect(found && { code: found.code, severity: found.severity }).toEqual(severity && { code: 'READY-105', severity })
})

test('without the right to see nodes the scheduler is believed as far as it goes', () => {
  const waits = refused(says("node(s) didn't match Pod's node affinity/selector"))
  expect(verdict(scheduling, patient(web, [waits], { hidden: true }))).toMatchObject({ code: 'READY-105' })
  expect(verdict(scheduling, patient(web, [waits], {}))).toMatchObject({ code: 'READY-105' })
})

test.each([
  [
    'The node was low on resource: ephemeral-storage. Container main was using 3Gi, request is 0. ',
    'READY-210',
    'its node was short of disk, of which its container main took 3Gi',
  ],
  ['The node was low on resource: memory. ', 'READY-211', 'its node was short of memory'],
  [
    'Usage of EmptyDir volume "cache" exceeds the limit "1Mi". ',
    'READY-212',
    'its volume cache holds more than its sizeLimit of 1Mi',
  ],
])('a pod that was evicted: %s', (said, code, why) => {
  const message = `A pod of StatefulSet/web was evicted: ${why}.`
  const once = patient(web, [evicted(said, 'web-0')])
  expect(verdict(nodes, once)).toMatchObject({ code, severity: 'warning', message })
  const twice = patient(web, [evicted(said, 'web-0'), evicted(said, 'web-1')])
  expect(verdict(nodes, twice)).toMatchObject({ code, severity: 'failure', message })
})

test('what was evicted long ago explains nothing', () => {
  const old = { type: 'DisruptionTarget', status: 'True', lastTransitionTime: ago(600) }
  const gone = pod({ phase: 'Failed', reason: 'Evicted', message: '', conditions: [old] }, { nodeName: 'one' })
  expect(verdict(nodes, patient(web, [gone]))).toBeUndefined()
})

test.each([
  ['Terminated', 'Pod was terminated in response to imminent node shutdown.'],
  ['NodeShutdown', 'Pod was rejected as the node is shutting down.'],
])('a pod that ended with its node: %s', (reason, message) => {
  const ended = pod({ phase: 'Failed', reason, message, conditions: [] }, { nodeName: 'one' })
  expect(verdict(nodes, patient(ended, [ended]))).toMatchObject({
    code: 'READY-217',
    severity: 'failure',
    message: 'A pod of Pod/web-0 ended with its node one, which is shutting down.',
  })
  expect(verdict(nodes, patient(web, [pod({ phase: 'Running' }), ended]))).toBeUndefined()
})

test('a pod that had to make room, while nobody can say for whom', () => {
  const waits = refused(says('Insufficient cpu'))
  const happened = [{ name: 'web-0', message: 'Preempted by a pod on node one', at: now - 3000 }]
  expect(verdict(nodes, patient(web, [waits], { happened }))).toMatchObject({
    code: 'READY-215',
    message: 'A pod of StatefulSet/web had to make room for one of higher priority, and no node has room for it now.',
  })
  expect(verdict(nodes, patient(web, [waits], { happened: [{ name: 'other-0' }] }))).toBeUndefined()
})

test('who took its room is waited for, as long as somebody may say it', () => {
  const waits = refused(says('Insufficient cpu'))
  const happened = [{ name: 'web-0', message: 'Preempted by pod 0ad1c6d7-3f1c-4a0e-9f3b-6a1a5f0c3e11 on node one' }]
  const loading = patient(web, [waits], { happened })
  const facts = { ...loading.facts, known: () => undefined }
  expect(verdict(nodes, { ...loading, facts })).toBeUndefined()
  expect(verdict(nodes, { ...loading, facts: { ...facts, isHidden: () => true } })).toMatchObject({ code: 'READY-215' })
})

const sandbox = 'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to '

test.each([
  [`${sandbox}setup network for sandbox "1": plugin type="ptp" failed (add): no addresses`, 5, 'warning', "the pod's network"],
  [`${sandbox}setup network for sandbox "1": plugin type="ptp" failed (add): no addresses`, 40, 'failure', "the pod's network"],
  [`${sandbox}start sandbox "1": image "pause" not found`, 40, 'failure', 'its sandbox'],
])('a sandbox that cannot be made: %s', (message, seconds, severity, what) => {
  const waits = pod({ phase: 'Pending' }, { nodeName: 'one' })
  const warnings = [{ reason: 'FailedCreatePodSandBox', message, from: now - seconds * 1000 }]
  expect(verdict(nodes, patient(web, [waits], { warnings }))).toMatchObject({
    code: 'READY-216',
    severity,
    message: `No pod of StatefulSet/web can begin: its node cannot make ${what}.`,
  })
  const runs = pod(
    { phase: 'Running', containerStatuses: [{ name: 'main', containerID: 'containerd://1' }] },
    { nodeName: 'one' },
  )
  expect(verdict(nodes, patient(web, [runs], { warnings }))).toBeUndefined()
})

test('a CronJob whose time zone nobody knows, and one that is suspended', () => {
  const cron = (spec: object): KubeObject => ({
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'report', uid: 'c' },
    spec,
  })
  const warnings = [{ reason: 'UnknownTimeZone', message: 'invalid timeZone: "Mars"' }]
  const zoned = { schedule: '0 * * * *', timeZone: 'Mars' }
  expect(verdict(jobs, patient(cron(zoned), [], { warnings }))).toMatchObject({
    code: 'READY-206',
    severity: 'failure',
    message: 'CronJob/report never runs: its timeZone is none (Mars).',
  })
  expect(verdict(jobs, patient(cron({ ...zoned, suspend: true }), [], { warnings }))).toBeUndefined()
})

test('of the runs of a CronJob only those since the last one that did well count', () => {
  const cron: KubeObject = { apiVersion: 'batch/v1', kind: 'CronJob', metadata: { name: 'report', uid: 'c' }, spec: {} }
  const run = (name: string, type: string, seconds: number): KubeObject => ({
    ...{ apiVersion: 'batch/v1', kind: 'Job' },
    metadata: { name, ownerReferences: [{ kind: 'CronJob', name: 'report', uid: 'c' }] },
    status: { startTime: ago(seconds), conditions: [{ type, status: 'True', lastTransitionTime: ago(seconds - 5) }] },
  })
  const [old, good, bad, worse] = [
    run('1', 'Failed', 400),
    run('2', 'Complete', 300),
    run('3', 'Failed', 200),
    run('4', 'Failed', 100),
  ]
  const after = (...objects: readonly KubeObject[]) => verdict(jobs, patient(cron, [], { objects }))
  expect(after(old, good)).toBeUndefined()
  expect(after(bad, old, good)).toMatchObject({ severity: 'warning', message: 'The last run of CronJob/report failed.' })
  expect(after(bad, old, worse, good)).toMatchObject({
    severity: 'failure',
    message: 'The last 2 runs of CronJob/report failed.',
  })
})

test.each([
  ['of a pod whose end is not yet told', 'Running', 10, undefined],
  ['of a pod whose end is never told', 'Running', 40, 'its pod failed'],
  ['of a pod that is gone', undefined, 10, 'its pod failed'],
])('a Job that failed %s', (_, phase, seconds, says) => {
  const failed = { type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded', lastTransitionTime: ago(seconds) }
  const task: KubeObject = {
    ...{ apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'task', uid: 't' }, spec: { backoffLimit: 0 } },
    status: { failed: 1, conditions: [failed] },
  }
  const pods = phase === undefined ? [] : [pod({ phase }, {}, 'task-1')]
  expect(verdict(jobs, patient(task, pods, { objects: [] }))?.message).toEqual(
    says && `Job/task failed as often as it may (backoffLimit 0): ${says}.`,
  )
})
