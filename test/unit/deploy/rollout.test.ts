import { describe, expect, test } from 'vitest'
import { type Known, rollout } from '../../../src/deploy/rollout.ts'
import type { KubeObject } from '../../../src/lib/objects.ts'

type Rest = Readonly<Record<string, unknown>>
type Case = readonly [what: string, object: KubeObject, expected: 'ready' | RegExp, known?: Known]

const object = (apiVersion: string, kind: string, { metadata, ...rest }: Rest): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name: 'a', generation: 1, ...(metadata as object) },
  ...rest,
})
const condition = (type: string, status: string, rest: object = {}) => ({ type, status, ...rest })
const pod = (name: string, ready = true, metadata: object = {}): KubeObject =>
  object('v1', 'Pod', {
    metadata: { name, ...metadata },
    status: { phase: 'Running', conditions: [condition('Ready', ready ? 'True' : 'False')] },
  })
const hookPod = (phase: string): KubeObject =>
  object('v1', 'Pod', {
    metadata: { annotations: { 'helm.sh/hook': 'post-install' } },
    spec: { restartPolicy: 'Never' },
    status: { phase, conditions: [condition('Ready', phase === 'Running' ? 'True' : 'False')] },
  })
const leaving = { deletionTimestamp: '2026-01-01T00:00:00Z' }

function check(cases: readonly Case[]): void {
  for (const [what, given, expected, known] of cases)
    test(what, () => {
      const found = rollout(given, known)
      if (expected === 'ready') expect(found).toBe('ready')
      else expect(found).toMatchObject({ waiting: expect.stringMatching(expected) })
    })
}

describe('a Deployment', () => {
  const done = { observedGeneration: 1, replicas: 2, updatedReplicas: 2, availableReplicas: 2 }
  const deployment = (status: object, spec: object = {}, metadata: object = {}): KubeObject =>
    object('apps/v1', 'Deployment', { metadata, spec: { replicas: 2, ...spec }, status: { ...done, ...status } })
  check([
    ['all pods are of the new rollout and available', deployment({}), 'ready'],
    ['its controller is late', deployment({}, {}, { generation: 2 }), /not seen/],
    ['it has no status yet', object('apps/v1', 'Deployment', { spec: {} }), /not seen/],
    ['new pods lack', deployment({ updatedReplicas: 1 }), /1 of 2 pods are of the new rollout/],
    ['old pods are there', deployment({ replicas: 3 }), /old rollout/],
    ['a pod is not available', deployment({ availableReplicas: 1 }), /1 of 2 pods are ready/],
    ['it is paused between two rollouts', deployment({ updatedReplicas: 0 }, { paused: true }), 'ready'],
    ['no replicas', deployment({ replicas: 0, updatedReplicas: 0, availableReplicas: 0 }, { replicas: 0 }), 'ready'],
    ['pods that are on their way out do not count', deployment({}), /1 of 2/, { pods: [pod('b'), pod('c', true, leaving)] }],
    ['pods that stay count', deployment({}), 'ready', { pods: [pod('b'), pod('c'), pod('d', true, leaving)] }],
  ])
})

describe('a StatefulSet', () => {
  const status = { observedGeneration: 1, replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2 }
  const revisions = { currentRevision: 'a', updateRevision: 'b' }
  const set = (more: object, spec: object = {}): KubeObject =>
    object('apps/v1', 'StatefulSet', { spec: { replicas: 2, ...spec }, status: { ...status, ...more } })
  const partition = (number: number) => ({ updateStrategy: { rollingUpdate: { partition: number } } })
  check([
    ['all pods are ready', set({}), 'ready'],
    ['half way', set(revisions), /old rollout/],
    ['a pod above the partition is old', set({ ...revisions, updatedReplicas: 0 }, partition(1)), /0 of 1 pods/],
    ['those above the partition are new', set({ ...revisions, updatedReplicas: 1 }, partition(1)), 'ready'],
    ['the partition is above all', set({ ...revisions, updatedReplicas: 0 }, partition(5)), 'ready'],
    ['updated by hand', set({ ...revisions, updatedReplicas: 0 }, { updateStrategy: { type: 'OnDelete' } }), 'ready'],
    ['not for long enough', set({ availableReplicas: 1 }, { minReadySeconds: 10 }), /1 of 2/],
    ['of a server that counts none as available', set({ availableReplicas: undefined }), 'ready'],
    ['a pod is being replaced', set({}), /1 of 2/, { pods: [pod('a-0'), pod('a-1', true, leaving)] }],
    ['pods beyond its replicas do not count', set({}), /1 of 2/, { pods: [pod('a-0'), pod('a-1', false), pod('a-2')] }],
    ['ordinals begin elsewhere', set({}, { ordinals: { start: 5 } }), 'ready', { pods: [pod('a-5'), pod('a-6')] }],
    ['pods of the ordinals before', set({}, { ordinals: { start: 5 } }), /1 of 2/, { pods: [pod('a-0'), pod('a-5')] }],
  ])
})

describe('a DaemonSet', () => {
  const status = { observedGeneration: 1, desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 2 }
  const set = (more: object, spec: object = {}): KubeObject =>
    object('apps/v1', 'DaemonSet', { spec, status: { ...status, ...more } })
  check([
    ['one on each node', set({}), 'ready'],
    ['a node lacks the new one', set({ updatedNumberScheduled: 1 }), /1 of 2 pods are of the new/],
    ['one is not available', set({ numberAvailable: 1 }), /1 of 2 pods are ready/],
    ['updated by hand', set({ updatedNumberScheduled: 0 }, { updateStrategy: { type: 'OnDelete' } }), 'ready'],
    ['no node is meant', set({ desiredNumberScheduled: 0, updatedNumberScheduled: 0, numberAvailable: 0 }), 'ready'],
    ['the old pod of a node is leaving', set({}), /1 of 2/, { pods: [pod('b', true, leaving), pod('c')] }],
  ])
})

describe('a ReplicaSet, a Job, a CronJob and a Pod', () => {
  const job = (conditions: readonly object[], spec: object = {}): KubeObject =>
    object('batch/v1', 'Job', { spec, status: { conditions } })
  check([
    [
      'ReplicaSet',
      object('apps/v1', 'ReplicaSet', { spec: {}, status: { observedGeneration: 1, availableReplicas: 1 } }),
      'ready',
    ],
    ['Job that runs', job([]), /it runs/],
    ['Job that is complete', job([condition('SuccessCriteriaMet', 'True'), condition('Complete', 'True')]), 'ready'],
    ['Job that failed', job([condition('Failed', 'True', { message: 'too many tries' })]), /too many tries/],
    ['Job that is suspended', job([condition('Suspended', 'True')], { suspend: true }), 'ready'],
    ['Job that goes on after a pause', job([condition('Suspended', 'False')], { suspend: false }), /it runs/],
    ['CronJob', object('batch/v1', 'CronJob', { spec: {} }), 'ready'],
    ['Pod that is ready', pod('a'), 'ready'],
    ['Pod that is not', pod('a', false), /not ready/],
    ['Pod that has done its work', object('v1', 'Pod', { status: { phase: 'Succeeded', conditions: [] } }), 'ready'],
    ['Pod that has failed', object('v1', 'Pod', { status: { phase: 'Failed' } }), /its pod failed/],
    ['Pod that is a hook and ready while it runs', hookPod('Running'), /its pod runs/],
    ['Pod that is a hook and has ended well', hookPod('Succeeded'), 'ready'],
  ])
  test('what has failed will not be ready', () => {
    expect(rollout(job([condition('Failed', 'True')]))).toMatchObject({ failed: true })
    expect(rollout(object('v1', 'Pod', { status: { phase: 'Failed' } }))).toMatchObject({ failed: true })
  })
})

describe('a claim', () => {
  const claim = (spec: object, phase = 'Pending'): KubeObject =>
    object('v1', 'PersistentVolumeClaim', { spec, status: { phase } })
  const storageClass = (name: string, volumeBindingMode: string): KubeObject =>
    object('storage.k8s.io/v1', 'StorageClass', { metadata: { name }, volumeBindingMode })
  const storageClasses = [storageClass('late', 'WaitForFirstConsumer'), storageClass('soon', 'Immediate')]
  const known = { storageClasses }
  check([
    ['bound', claim({ storageClassName: 'soon' }, 'Bound'), 'ready', known],
    ['its class makes volumes at once', claim({ storageClassName: 'soon' }), /soon has not yet made its volume/, known],
    ['its class waits for a pod', claim({ storageClassName: 'late' }), 'ready', known],
    ['of a certain volume', claim({ storageClassName: 'late', volumeName: 'v' }), /not yet bound to v/, known],
    ['its class is not there', claim({ storageClassName: 'none' }), /no storage class none/, known],
    ['of no class', claim({ storageClassName: '' }), /no volume fits/, known],
    ['its volume is gone', claim({ storageClassName: 'soon' }, 'Lost'), /gone/, known],
    ['nothing is known of classes', claim({ storageClassName: 'soon' }), 'ready'],
    ['its volume is gone, whatever is known of classes', claim({ storageClassName: 'soon' }, 'Lost'), /gone/],
  ])
})

describe('what a controller tells of in conditions', () => {
  const resource = (status: unknown, generation = 1): KubeObject =>
    object('example.com/v1', 'Lamp', { metadata: { generation }, status })
  const definition = (conditions: readonly object[]): KubeObject =>
    object('apiextensions.k8s.io/v1', 'CustomResourceDefinition', { status: { conditions } })
  const conditions = (...all: readonly object[]) => ({ conditions: all })
  check([
    ['no status', resource(undefined), 'ready'],
    ['no conditions', resource({ on: true }), 'ready'],
    ['conditions of its own sort', resource(conditions(condition('Lit', 'False'))), 'ready'],
    ['conditions that are no list', resource({ conditions: 'all well' }), 'ready'],
    ['Ready', resource(conditions(condition('Ready', 'True'))), 'ready'],
    [
      'not Ready',
      resource(conditions(condition('Ready', 'False', { message: 'no bulb.' }))),
      /^its condition Ready is False \(no bulb\)$/,
    ],
    ['not known', resource(conditions(condition('Ready', 'Unknown', { reason: 'Asking' }))), /Ready is Unknown \(Asking\)/],
    ['Available', resource(conditions(condition('Available', 'False'))), /Available is False/],
    ['Ready goes before Available', resource(conditions(condition('Available', 'False'), condition('Ready', 'True'))), 'ready'],
    ['its controller is late', resource({ observedGeneration: 1, ...conditions(condition('Ready', 'True')) }, 2), /not seen/],
    ['the condition is of before', resource(conditions(condition('Ready', 'True', { observedGeneration: 1 })), 2), /not seen/],
    ['still at it', resource(conditions(condition('Reconciling', 'True'), condition('Ready', 'True'))), /Reconciling/],
    ['stalled', resource(conditions(condition('Stalled', 'True', { message: 'no power' }))), /no power/],
    ['of a kind that is called as a workload', object('example.com/v1', 'Deployment', { spec: {} }), 'ready'],
    ['a kind that is not yet served', definition([condition('NamesAccepted', 'True')]), /not yet served/],
    ['a kind that is', definition([condition('NamesAccepted', 'True'), condition('Established', 'True')]), 'ready'],
    ['names that are taken', definition([condition('NamesAccepted', 'False', { message: 'taken' })]), /taken/],
    [
      'an Ingress that no controller serves',
      object('networking.k8s.io/v1', 'Ingress', { status: { loadBalancer: {} } }),
      'ready',
    ],
    [
      'a Gateway that no controller serves',
      object('gateway.networking.k8s.io/v1', 'Gateway', {
        status: { conditions: [condition('Accepted', 'Unknown'), condition('Programmed', 'Unknown', { reason: 'Pending' })] },
      }),
      'ready',
    ],
    [
      'a Service that no load balancer serves',
      object('v1', 'Service', { spec: { type: 'LoadBalancer' }, status: { loadBalancer: {} } }),
      'ready',
    ],
    ['a Service', object('v1', 'Service', { spec: {}, status: { loadBalancer: {} } }), 'ready'],
  ])
})
