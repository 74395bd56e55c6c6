import { cpus } from 'node:os'
import { test } from 'vitest'
import type { KubeObject } from '../../../src/lib/objects.ts'
import { running, soon, timeout, tool, useNode } from './node.ts'
import { bash, container, deployment, type Fault, job, object } from './rig.ts'

// Nodes that take no more pods, and pods that they turn out.

const { node, provoke, staysWell, kubectl, cleared, maxPods } = useNode('t-nodes')

test('READY-181: a taint', { timeout }, async () => {
  kubectl('taint', 'node', node, 'team=red:NoSchedule')
  const hint = (name: string) =>
    `Add a toleration to ${name} (k8s/all.yaml:1), or take the taint away: \`kubectl taint node ${node} team:NoSchedule-\`.`
  const says = (name: string) =>
    `No node takes a pod of ${name}: ${node} has the taint team=red:NoSchedule, which it does not tolerate.`
  const wrong = [{ key: 'team', value: 'blue', effect: 'NoSchedule' }]
  const right = [{ key: 'team', operator: 'Exists' }]
  await Promise.all([
    provoke(
      {
        what: 'a pod that tolerates nothing',
        objects: [deployment(container())],
        code: 'READY-181',
        says: says('Deployment/web'),
        hint: hint('Deployment/web'),
        withinMs: soon,
      },
      {
        what: 'a toleration of another value',
        objects: [job(container(), { pod: { tolerations: wrong } })],
        code: 'READY-181',
        says: says('Job/task'),
        hint: hint('Job/task'),
        withinMs: soon,
      },
    ),
    staysWell({ what: 'a taint that is tolerated', objects: [deployment(container(), { pod: { tolerations: right } })] }),
  ])
  kubectl('taint', 'node', node, 'team-')
  kubectl('taint', 'node', node, 'example.com/agent-not-ready:NoSchedule')
  await staysWell({
    what: 'a taint that an agent takes away when it is ready',
    objects: [deployment(container())],
    warns: ['READY-181'],
    afterwards: (namespace) => {
      kubectl('wait', 'pod', '-n', namespace, '-l', 'app=web', '--for=create', '--timeout=30s')
      kubectl('wait', 'pod', '-n', namespace, '-l', 'app=web', '--for=condition=PodScheduled=false', '--timeout=30s')
      kubectl('taint', 'node', node, 'example.com/agent-not-ready-')
    },
  })
})

test('READY-165: a claim that names no class, where none is the default', { timeout }, async () => {
  const standard = (isDefault: boolean) =>
    kubectl('annotate', '--overwrite', 'storageclass', 'standard', `storageclass.kubernetes.io/is-default-class=${isDefault}`)
  const mounted = container({ volumeMounts: [{ name: 'data', mountPath: '/data' }] })
  const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } }
  const byHand = [
    object('v1', 'PersistentVolumeClaim', 'data', { spec }),
    deployment(mounted, { pod: { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] } }),
  ]
  const byTemplate = object('apps/v1', 'StatefulSet', 'db', {
    spec: {
      ...{ selector: { matchLabels: { app: 'db' } }, serviceName: 'db' },
      template: { metadata: { labels: { app: 'db' } }, spec: { containers: [mounted] } },
      volumeClaimTemplates: [{ metadata: { name: 'data' }, spec }],
    },
  })
  const hint = (place: string) =>
    `Name one in ${place} (there is standard), or make it the default: \`kubectl annotate storageclass standard storageclass.kubernetes.io/is-default-class=true\`.`
  const says = (name: string, claim: string) =>
    `${name} cannot start: ${claim} names no storage class, and the cluster has no default one.`
  standard(false)
  await provoke(
    {
      what: 'a claim of the manifests',
      objects: byHand,
      code: 'READY-165',
      says: says('Deployment/web', 'its PersistentVolumeClaim data'),
      hint: hint('PersistentVolumeClaim/data (k8s/all.yaml:1)'),
      withinMs: soon,
    },
    {
      what: 'a claim that a StatefulSet makes',
      objects: [byTemplate],
      code: 'READY-165',
      says: says('StatefulSet/db', 'the claim of its volume data'),
      hint: hint('StatefulSet/db (k8s/all.yaml:1)'),
      withinMs: soon,
    },
  )
  const volume = object('v1', 'PersistentVolume', 'by-hand', {
    spec: {
      ...{ capacity: { storage: '1Mi' }, accessModes: ['ReadWriteOnce'], persistentVolumeReclaimPolicy: 'Retain' },
      hostPath: { path: '/tmp/by-hand', type: 'DirectoryOrCreate' },
    },
  })
  // what is left of the cases before would take it
  cleared()
  await staysWell({ what: 'a volume without a class that fits', objects: [volume, ...byHand] })
  standard(true)
})

test('READY-184: a node that is cordoned', { timeout }, async () => {
  kubectl('cordon', node)
  const shared = { code: 'READY-184', hint: `Let it take pods again: \`kubectl uncordon ${node}\`.`, withinMs: soon }
  const template = { metadata: { labels: { app: 'agent' } }, spec: { containers: [container()] } }
  await Promise.all([
    provoke(
      {
        ...shared,
        what: 'a Deployment',
        objects: [deployment(container())],
        says: `No node takes a pod of Deployment/web: ${node} is cordoned.`,
      },
      { ...shared, what: 'a pod', objects: [tool()], says: `No node takes a pod of Pod/tool: ${node} is cordoned.` },
    ),
    staysWell({
      what: 'a DaemonSet, which is let onto cordoned nodes',
      objects: [object('apps/v1', 'DaemonSet', 'agent', { spec: { selector: { matchLabels: { app: 'agent' } }, template } })],
    }),
  ])
  kubectl('uncordon', node)
})

test('READY-176, READY-215: who is in the way, and who had to make room', { timeout }, async () => {
  const half = `${Math.floor(cpus().length * 550)}m`
  const asks = container({ resources: { requests: { cpu: half } } })
  await provoke({
    what: 'CPUs that another has',
    objects: [deployment(asks, { name: 'big' }), deployment(asks)],
    code: 'READY-176',
    says: /^No node has the [\d.]+ CPUs free that a pod of Deployment\/web asks for: at most [\d.]+ of \d+ are, and Deployment\/big takes [\d.]+\.$/,
    hint: 'Lower resources.requests.cpu in Deployment/web (k8s/all.yaml:2) (profiles: `requests`) or of what else runs there, or give the engine more CPUs.',
    withinMs: soon,
  })
  cleared()
  const urgent = object('scheduling.k8s.io/v1', 'PriorityClass', 'urgent', { value: 1000 })
  const hint =
    'Lower the requests of either (profiles: `requests`), let both have the same priorityClassName (profiles: `scheduling.priority`), or give the engine more.'
  const then =
    (over: KubeObject): NonNullable<Fault['afterwards']> =>
    async (namespace, one) => {
      await running('pod', '-l', 'app=low')(namespace, one)
      one.kubectl(['apply', '-n', namespace, '-f', '-'], JSON.stringify(over))
    }
  await provoke({
    what: 'CPUs that a pod of higher priority takes',
    objects: [urgent, deployment(asks, { name: 'low' })],
    afterwards: then(deployment(asks, { name: 'high', pod: { priorityClassName: 'urgent' } })),
    code: 'READY-215',
    says: 'A pod of Deployment/low had to make room for one of higher priority, of Deployment/high (1000 against 0), and no node has room for it now.',
    hint,
    withinMs: 40_000,
  })
  cleared()
  const template = { metadata: { labels: { app: 'low' } }, spec: { terminationGracePeriodSeconds: 0, containers: [asks] } }
  await provoke({
    what: 'a StatefulSet, whose pod is the same again',
    objects: [
      urgent,
      object('apps/v1', 'StatefulSet', 'low', {
        spec: { selector: { matchLabels: { app: 'low' } }, serviceName: 'low', template },
      }),
    ],
    afterwards: then(tool({ containers: [asks], priorityClassName: 'urgent' })),
    code: 'READY-215',
    says: 'A pod of StatefulSet/low had to make room for one of higher priority, of Pod/tool (1000 against 0), and no node has room for it now.',
    hint,
    withinMs: 40_000,
  })
})

test('READY-212, READY-216: a pod that takes too much disk, and one that cannot begin', { timeout }, async () => {
  const fills = bash('head -c 8M /dev/zero > /cache/all; sleep infinity')
  const writes = container({
    ...bash('head -c 8M /dev/zero > /tmp/all; sleep infinity'),
    resources: { limits: { 'ephemeral-storage': '2Mi' } },
  })
  const caches = {
    containers: [container({ ...fills, volumeMounts: [{ name: 'cache', mountPath: '/cache' }] })],
    volumes: [{ name: 'cache', emptyDir: { sizeLimit: '1Mi' } }],
  }
  const runtime = object('node.k8s.io/v1', 'RuntimeClass', 'secure', { handler: 'kata' })
  const begins = {
    code: 'READY-216',
    says: 'No pod of Pod/tool can begin: its node has no runtime kata, which runtimeClassName secure asks for.',
    hint: 'Take runtimeClassName out of Pod/tool (k8s/all.yaml:2) (profiles: `scheduling.runtime`), or install that runtime on the node.',
  }
  await provoke(
    {
      what: 'a volume that is larger than it may be',
      objects: [tool(caches)],
      code: 'READY-212',
      says: 'A pod of Pod/tool was evicted: its volume cache holds more than its sizeLimit of 1Mi.',
      hint: 'Raise emptyDir.sizeLimit of cache in Pod/tool (k8s/all.yaml:1), or let its program keep less there.',
      withinMs: 60_000,
    },
    {
      what: 'a container that writes more than it may',
      objects: [deployment(writes)],
      code: 'READY-212',
      severity: 'warning',
      says: 'A pod of Deployment/web was evicted: its containers wrote more than their limits of 2Mi together (ephemeral-storage).',
      hint: 'Raise resources.limits.ephemeral-storage in Deployment/web (k8s/all.yaml:1), or let its programs write to a volume.',
      withinMs: 60_000,
    },
    { what: 'a runtime that no node has', objects: [runtime, tool({ runtimeClassName: 'secure' })], ...begins, withinMs: 25_000 },
  )
})

test('READY-187: a node that runs as many pods as it may', { timeout }, async () => {
  cleared()
  const there = kubectl('get', 'pods', '-A', '--field-selector=status.phase=Running', '-o', 'name').trim().split('\n').length
  maxPods(there)
  kubectl('wait', 'node', node, `--for=jsonpath={.status.allocatable.pods}=${there}`, '--timeout=120s')
  const says = (name: string) =>
    `No node takes another pod, so none of ${name} is started: ${node} runs ${there} of at most ${there}.`
  const shared = {
    code: 'READY-187',
    hint: 'Remove what nobody needs (`kubectl get pods --all-namespaces`, `devkit down` in other projects), or raise maxPods of the kubelet.',
    withinMs: soon,
  }
  await provoke(
    { ...shared, what: 'a Deployment', objects: [deployment(container())], says: says('Deployment/web') },
    { ...shared, what: 'a Job', objects: [job(container())], says: says('Job/task') },
  )
  cleared()
  maxPods()
  kubectl('wait', 'node', node, '--for=jsonpath={.status.allocatable.pods}=110', '--timeout=120s')
})
