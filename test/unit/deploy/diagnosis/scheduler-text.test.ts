import { expect, test } from 'vitest'
import { parseUnschedulable } from '../../../../src/deploy/diagnosis/text/scheduler.ts'

const refusal = (filter: string, count: number | undefined, what: string) => ({ filter, count, what })

test.each([
  [
    '1.29',
    '0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.',
    1,
    [refusal('resource', 1, 'cpu')],
  ],
  [
    '1.33, with claims of devices',
    '0/1 nodes are available: 1 Insufficient memory. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.',
    1,
    [refusal('resource', 1, 'memory')],
  ],
  [
    '1.24, several of several nodes',
    "0/5 nodes are available: 1 Insufficient nvidia.com/gpu, 1 Too many pods, 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 node(s) didn't match Pod's node affinity/selector. preemption: 0/5 nodes are available: 5 Preemption is not helpful for scheduling.",
    5,
    [
      refusal('resource', 1, 'nvidia.com/gpu'),
      refusal('too-many-pods', 1, 'Too many pods'),
      refusal('taint', 1, 'node-role.kubernetes.io/control-plane'),
      refusal('node-affinity', 2, "node(s) didn't match Pod's node affinity/selector"),
    ],
  ],
  [
    '1.22, taints',
    "0/1 nodes are available: 1 node(s) had taint {key: value}, that the pod didn't tolerate.",
    1,
    [refusal('taint', 1, 'key')],
  ],
  [
    '1.34, a taint with a value',
    '0/2 nodes are available: 1 node(s) had untolerated taint {team: red}, 1 node(s) were unschedulable. preemption: not eligible due to preemptionPolicy=Never.',
    2,
    [refusal('taint', 1, 'team'), refusal('unschedulable', 1, 'node(s) were unschedulable')],
  ],
  [
    '1.35, taints without their keys',
    '0/1 nodes are available: 1 node(s) had untolerated taint(s). preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.',
    1,
    [refusal('taint', 1, 'node(s) had untolerated taint(s)')],
  ],
  [
    '1.31, ports',
    "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
    1,
    [refusal('ports', 1, "node(s) didn't have free ports for the requested pod ports")],
  ],
  [
    '1.30, affinity between pods',
    "0/3 nodes are available: 1 node(s) didn't match pod affinity rules, 1 node(s) didn't match pod anti-affinity rules, 1 node(s) didn't satisfy existing pods anti-affinity rules.",
    3,
    [
      refusal('pod-affinity', 1, "node(s) didn't match pod affinity rules"),
      refusal('pod-anti-affinity', 1, "node(s) didn't match pod anti-affinity rules"),
      refusal('others-anti-affinity', 1, "node(s) didn't satisfy existing pods anti-affinity rules"),
    ],
  ],
  [
    '1.30, spread',
    "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label).",
    1,
    [refusal('topology-spread', 1, "node(s) didn't match pod topology spread constraints (missing required label)")],
  ],
  [
    '1.29, volumes',
    "0/2 nodes are available: 1 node(s) had volume node affinity conflict, 1 node(s) didn't find available persistent volumes to bind.",
    2,
    [
      refusal('volume-affinity', 1, 'node(s) had volume node affinity conflict'),
      refusal('claim', 1, "node(s) didn't find available persistent volumes to bind"),
    ],
  ],
  [
    '1.34, volumes',
    "0/1 nodes are available: 1 node(s) didn't match PersistentVolume's node affinity.",
    1,
    [refusal('volume-affinity', 1, "node(s) didn't match PersistentVolume's node affinity")],
  ],
  [
    '1.30, a claim that is not bound',
    '0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.',
    1,
    [refusal('claim', undefined, 'pod has unbound immediate PersistentVolumeClaims')],
  ],
  [
    '1.32, a claim that is not there',
    '0/1 nodes are available: persistentvolumeclaim "data" not found. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.',
    1,
    [refusal('claim', undefined, 'persistentvolumeclaim "data" not found')],
  ],
  [
    'what nobody has seen yet',
    '0/1 nodes are available: 1 cannot allocate all claims.',
    1,
    [refusal('other', 1, 'cannot allocate all claims')],
  ],
  ['no nodes', 'no nodes available to schedule pods', 0, []],
])('what the scheduler of %s says', (_, message, nodes, refusals) => {
  expect(parseUnschedulable(message)).toEqual({ nodes, refusals })
})

test('what is not of the scheduler is not read', () => {
  expect(parseUnschedulable('Scheduling is blocked due to non-empty scheduling gates')).toBeUndefined()
})
