import { cpus } from 'node:os'
import { afterAll, beforeAll } from 'vitest'
import type { KubeObject } from '../../../src/lib/objects.ts'
import { type ApiRig, openApiRig } from '../api-rig.ts'
import { bash, container, deployment, type Fault, job, object, testFaults, testTwins } from './rig.ts'

let rig: ApiRig

beforeAll(async () => {
  rig = await openApiRig()
}, 120_000)
afterAll(async () => {
  rig?.kubectl(['delete', 'persistentvolume', '--ignore-not-found', '--wait=false', gone, elsewhere])
  await rig?.[Symbol.asyncDispose]()
})

const node = 't-api-control-plane'
/** Volumes of the cluster: each run has its own. */
const gone = `t-ill-gone-${process.pid}`
const elsewhere = `t-ill-elsewhere-${process.pid}`

/** A container that asks for this. */
function asks(requests: Readonly<Record<string, string>>) {
  const { cpu: _, memory: __, ...rest } = requests
  return container({ resources: { requests, ...(Object.keys(rest).length > 0 && { limits: rest }) } })
}

function nodeAffinity(...matchExpressions: readonly object[]) {
  return {
    affinity: {
      nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions }] } },
    },
  }
}

function between(kind: 'podAffinity' | 'podAntiAffinity', app: string, topologyKey = 'kubernetes.io/hostname') {
  const term = { labelSelector: { matchLabels: { app } }, topologyKey }
  return { affinity: { [kind]: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } }
}

function port(hostPort: number, over: object = {}) {
  return container({ ports: [{ containerPort: 80, hostPort, ...over }] })
}

function spread(constraint: object) {
  const labelSelector = { matchLabels: { app: 'web' } }
  return { topologySpreadConstraints: [{ maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule', labelSelector, ...constraint }] }
}

/** A volume that only nodes with that label have, and the claim that is bound to it. */
function volumeOn(name: string, key: string, value: string): readonly KubeObject[] {
  const shared = { accessModes: ['ReadWriteOnce'], storageClassName: 'none' }
  const terms = [{ matchExpressions: [{ key, operator: 'In', values: [value] }] }]
  return [
    object('v1', 'PersistentVolume', name, {
      spec: {
        ...{ ...shared, capacity: { storage: '1Mi' }, hostPath: { path: '/tmp' }, persistentVolumeReclaimPolicy: 'Delete' },
        nodeAffinity: { required: { nodeSelectorTerms: terms } },
      },
    }),
    object('v1', 'PersistentVolumeClaim', 'data', {
      spec: { ...shared, volumeName: name, resources: { requests: { storage: '1Mi' } } },
    }),
  ]
}

const claim = { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] }

/** All cases are provoked at once, on a machine that does other things too; alone they take two seconds. In ms. */
const soon = 12_000
const cases: readonly (Omit<Fault, 'withinMs'> & Partial<Fault>)[] = [
  {
    what: 'a Deployment that asks for more CPUs than any node has',
    objects: [deployment(asks({ cpu: '640' }))],
    code: 'READY-176',
    says: `No node has the 640 CPUs that a pod of Deployment/web asks for: the largest has ${cpus().length}.`,
    hint: 'Lower resources.requests.cpu in Deployment/web (k8s/all.yaml:1) (profiles: `requests`), or give the engine more CPUs.',
    evidence: /Insufficient cpu/,
  },
  {
    what: 'a Job of two containers that together ask for more CPUs',
    objects: [
      job([
        { ...asks({ cpu: '300500m' }), name: 'one' },
        { ...asks({ cpu: '300' }), name: 'two' },
      ]),
    ],
    code: 'READY-176',
    says: `No node has the 600.5 CPUs that a pod of Job/task asks for: the largest has ${cpus().length}.`,
    hint: 'Lower resources.requests.cpu in Job/task (k8s/all.yaml:1) (profiles: `requests`), or give the engine more CPUs.',
  },
  {
    what: 'a StatefulSet that asks for more memory than any node has',
    objects: [{ ...deployment(asks({ memory: '4Ti' }), { spec: { serviceName: 'web' } }), kind: 'StatefulSet' }],
    code: 'READY-177',
    says: /^No node has the 4096Gi of memory that a pod of StatefulSet\/web asks for: the largest has [\d.]+Gi\.$/,
    hint: 'Lower resources.requests.memory in StatefulSet/web (k8s/all.yaml:1) (profiles: `requests`), or give the engine more memory.',
    evidence: /Insufficient memory/,
  },
  {
    what: 'an init container that asks for more memory than any node has',
    objects: [deployment(container(), { pod: { initContainers: [{ ...asks({ memory: '2Ti' }), name: 'load' }] } })],
    code: 'READY-177',
    says: /^No node has the 2048Gi of memory that a pod of Deployment\/web asks for: the largest has [\d.]+Gi\.$/,
    hint: 'Lower resources.requests.memory in Deployment/web (k8s/all.yaml:1) (profiles: `requests`), or give the engine more memory.',
  },
  {
    what: 'a nodeSelector with a value that no node has',
    objects: [deployment(container(), { pod: { nodeSelector: { 'kubernetes.io/os': 'linus' } } })],
    code: 'READY-178',
    says: 'No node has the label kubernetes.io/os=linus that nodeSelector of Deployment/web asks for; there is kubernetes.io/os=linux.',
    hint: `Correct nodeSelector in Deployment/web (k8s/all.yaml:1) (profiles: \`scheduling.nodes\`), or label a node: \`kubectl label node ${node} kubernetes.io/os=linus\`.`,
    evidence: /node affinity\/selector/,
  },
  {
    what: 'a nodeSelector with a label that no node has',
    objects: [job(container(), { pod: { nodeSelector: { disktype: 'ssd' } } })],
    code: 'READY-178',
    says: 'No node has the label disktype=ssd that nodeSelector of Job/task asks for.',
    hint: `Correct nodeSelector in Job/task (k8s/all.yaml:1) (profiles: \`scheduling.nodes\`), or label a node: \`kubectl label node ${node} disktype=ssd\`.`,
  },
  {
    what: 'a required node affinity with values that no node has',
    objects: [
      deployment(container(), { pod: nodeAffinity({ key: 'kubernetes.io/arch', operator: 'In', values: ['s390x', 'ppc64le'] }) }),
    ],
    code: 'READY-179',
    says: `No node is what the required node affinity of Deployment/web asks for (kubernetes.io/arch In s390x, ppc64le); there is kubernetes.io/arch=${process.arch === 'x64' ? 'amd64' : process.arch}.`,
    hint: 'Correct affinity.nodeAffinity in Deployment/web (k8s/all.yaml:1) (profiles: `scheduling.affinity`), or label a node.',
  },
  {
    what: 'a required node affinity with a label that no node has',
    objects: [deployment(container(), { pod: nodeAffinity({ key: 'example.com/pool', operator: 'Exists' }) })],
    code: 'READY-179',
    says: 'No node is what the required node affinity of Deployment/web asks for (example.com/pool Exists).',
    hint: 'Correct affinity.nodeAffinity in Deployment/web (k8s/all.yaml:1) (profiles: `scheduling.affinity`), or label a node.',
  },
  {
    what: 'a podAffinity to what nobody runs',
    objects: [deployment(container(), { pod: between('podAffinity', 'cache') })],
    code: 'READY-180',
    says: 'No node runs a pod with app=cache, next to which podAffinity of Deployment/web asks to be.',
    hint: 'Correct affinity.podAffinity in Deployment/web (k8s/all.yaml:1) (profiles: `scheduling.affinity`), or start what it names.',
    evidence: /pod affinity rules/,
  },
  {
    what: 'two replicas that want a node each',
    objects: [deployment(container(), { pod: between('podAntiAffinity', 'web'), spec: { replicas: 2 } })],
    code: 'READY-180',
    says: 'Every node already runs a pod of Deployment/web, next to which its podAntiAffinity lets no other be (app=web).',
    hint: 'Make podAntiAffinity in Deployment/web (k8s/all.yaml:1) a preferred one (profiles: `scheduling.affinity`), or run as many replicas as there are nodes.',
  },
  {
    what: 'a pod that another does not want beside it',
    objects: [
      deployment(container(), { name: 'lone', pod: between('podAntiAffinity', 'web') }),
      deployment(container(), { pod: between('podAffinity', 'lone') }),
    ],
    code: 'READY-180',
    says: 'Every node runs a pod of Deployment/lone, whose podAntiAffinity lets no pod of Deployment/web be next to it (app=web).',
    hint: 'Make podAntiAffinity in Deployment/lone (k8s/all.yaml:1) a preferred one (profiles: `scheduling.affinity`), or change the labels of Deployment/web.',
  },
  {
    what: 'spread over a label that no node has',
    objects: [deployment(container(), { pod: spread({ topologyKey: 'topology.kubernetes.io/zone' }) })],
    code: 'READY-182',
    says: 'No node takes a pod of Deployment/web by its topologySpreadConstraints: no node has the label topology.kubernetes.io/zone.',
    hint: 'Correct topologySpreadConstraints in Deployment/web (k8s/all.yaml:1), or let them be kept if possible: `whenUnsatisfiable: ScheduleAnyway` (profiles: `scheduling.topologySpread`).',
  },
  {
    what: 'spread over more nodes than there are',
    objects: [
      deployment(container(), {
        pod: spread({ topologyKey: 'kubernetes.io/hostname', minDomains: 2 }),
        spec: { replicas: 2 },
      }),
    ],
    code: 'READY-182',
    says: 'No node takes a pod of Deployment/web by its topologySpreadConstraints: minDomains asks for 2 values of kubernetes.io/hostname, there is 1.',
    hint: 'Correct topologySpreadConstraints in Deployment/web (k8s/all.yaml:1), or let them be kept if possible: `whenUnsatisfiable: ScheduleAnyway` (profiles: `scheduling.topologySpread`).',
  },
  {
    what: 'a host port that another holds',
    objects: [deployment(port(21_801), { name: 'first' }), deployment(port(21_801))],
    code: 'READY-183',
    says: 'No node has port 21801 free for a pod of Deployment/web: Deployment/first holds it.',
    hint: 'Take hostPort out of Deployment/web (k8s/all.yaml:2) or give it another number; a Service and `ports` of the config lead to it without one.',
    // of two that come at once either may get it
    before: async (namespace, one) => {
      one.kubectl(['apply', '-n', namespace, '-f', '-'], JSON.stringify(deployment(port(21_801), { name: 'first' })))
      await ready('deployment/first')(namespace, one)
    },
  },
  {
    what: 'a host port that two replicas want',
    objects: [deployment(port(21_802, { protocol: 'UDP' }), { spec: { replicas: 2 } })],
    code: 'READY-183',
    says: 'No node has port 21802/UDP free for a pod of Deployment/web: another pod of it holds it.',
    hint: 'Take hostPort out of Deployment/web (k8s/all.yaml:1), or run one pod a node and replace it in place: strategy `Recreate`, or a DaemonSet.',
  },
  {
    what: 'a volume on a node that is gone',
    objects: [...volumeOn(gone, 'kubernetes.io/hostname', 'gone'), deployment(container(), { pod: claim })],
    code: 'READY-186',
    says: `No node reaches the volume of Deployment/web: that of claim data (${gone}) is only on nodes with kubernetes.io/hostname In gone, and there is none.`,
    hint: 'Bring that node back, or delete the claim with its data and let it be made anew: `kubectl delete pvc data -n NAMESPACE`.',
    // the claim is bound first
    withinMs: 30_000,
  },
  {
    what: 'a volume of another zone',
    objects: [...volumeOn(elsewhere, 'topology.kubernetes.io/zone', 'eu-1a'), job(container(), { pod: claim })],
    code: 'READY-186',
    says: `No node reaches the volume of Job/task: that of claim data (${elsewhere}) is only on nodes with topology.kubernetes.io/zone In eu-1a, and there is none.`,
    hint: 'Bring that node back, or delete the claim with its data and let it be made anew: `kubectl delete pvc data -n NAMESPACE`.',
    withinMs: 30_000,
  },
  {
    what: 'a resource that no node has',
    objects: [deployment(asks({ 'example.com/gpu': '1' }))],
    code: 'READY-189',
    says: 'No node has example.com/gpu, of which a pod of Deployment/web asks for 1.',
    hint: 'Take example.com/gpu out of the resources in Deployment/web (k8s/all.yaml:1) (profiles: `devices`), or run what makes nodes offer it.',
  },
  {
    what: 'more of a resource than any node has',
    objects: [deployment(asks({ 'ephemeral-storage': '900Ti' }))],
    code: 'READY-189',
    says: /^No node has the 921600Gi of ephemeral-storage that a pod of Deployment\/web asks for: the largest has [\d.]+Gi\.$/,
    hint: 'Take ephemeral-storage out of the resources in Deployment/web (k8s/all.yaml:1) (profiles: `devices`), or run what makes nodes offer it.',
  },
]

/** Waits until something is ready, before the next look. */
function ready(workload: string): NonNullable<Fault['afterwards']> {
  return (namespace, { kubectl }) => void kubectl(['rollout', 'status', workload, '-n', namespace, '--timeout=120s'])
}

testFaults(
  () => rig,
  [
    ...cases.map((one) => ({ withinMs: soon, ...one })),
    {
      what: 'a scheduling gate that nobody removes',
      objects: [deployment(container(), { pod: { schedulingGates: [{ name: 'example.com/quota' }] } })],
      code: 'READY-188',
      severity: 'warning',
      says: 'No pod of Deployment/web is scheduled before somebody removes its scheduling gate example.com/quota.',
      hint: 'Take schedulingGates out of Deployment/web (k8s/all.yaml:1), or run the controller that removes it.',
      withinMs: soon,
    },
    {
      what: 'a scheduling gate of a Job for long',
      objects: [job(container(), { pod: { schedulingGates: [{ name: 'example.com/quota' }] } })],
      code: 'READY-188',
      says: 'No pod of Job/task is scheduled before somebody removes its scheduling gate example.com/quota.',
      hint: 'Take schedulingGates out of Job/task (k8s/all.yaml:1), or run the controller that removes it.',
      withinMs: 40_000,
    },
    {
      what: 'a scheduler that nobody runs',
      objects: [deployment(container(), { pod: { schedulerName: 'volcano' } })],
      code: 'READY-218',
      says: 'No scheduler named volcano has looked at a pod of Deployment/web.',
      hint: 'Take schedulerName out of Deployment/web (k8s/all.yaml:1) (profiles: `scheduling.runtime`), or run that scheduler.',
      withinMs: 20_000,
    },
    {
      what: 'a scheduler that nobody runs, of a Job',
      objects: [job(container(), { pod: { schedulerName: 'default-schedular' } })],
      code: 'READY-218',
      severity: 'warning',
      says: 'No scheduler named default-schedular has looked at a pod of Job/task.',
      hint: 'Take schedulerName out of Job/task (k8s/all.yaml:1) (profiles: `scheduling.runtime`), or run that scheduler.',
      withinMs: soon,
    },
  ],
)

/** Lays another pod template over a Deployment that is ready, and waits until the scheduler has refused its new pod. */
function change(over: KubeObject): NonNullable<Fault['afterwards']> {
  return (namespace, { kubectl }) => {
    const inCase = (...args: readonly string[]): string => kubectl([...args, '-n', namespace])
    inCase('rollout', 'status', 'deployment/web', '--timeout=120s')
    const template = {
      metadata: { labels: { round: 'two' } },
      spec: (over['spec'] as { template: { spec: object } }).template.spec,
    }
    inCase('patch', 'deployment', 'web', '--patch', JSON.stringify({ spec: { template } }))
    inCase('wait', 'pod', '-l', 'round=two', '--for=create', '--timeout=30s')
    inCase('wait', 'pod', '-l', 'round=two', '--for=condition=PodScheduled=false', '--timeout=30s')
  }
}

const replacedFirst = { spec: { strategy: { rollingUpdate: { maxUnavailable: 1, maxSurge: 1 } } } }
const slowToGo = bash('trap "sleep 8; exit 0" TERM; sleep infinity & wait')

testTwins(
  () => rig,
  [
    {
      what: 'a rolling update that waits for the port of an old pod',
      objects: [deployment({ ...port(21_810), ...slowToGo }, { ...replacedFirst, pod: { terminationGracePeriodSeconds: 20 } })],
      warns: ['READY-183'],
      afterwards: change(deployment(port(21_810), replacedFirst)),
    },
    {
      what: 'a pod that waits for the port of a Job',
      objects: [job({ ...port(21_811), ...bash('sleep 6') }), deployment(port(21_811))],
      warns: ['READY-183'],
    },
    {
      what: 'a rolling update that waits for an old pod next to which the new one may not be',
      objects: [
        deployment(container(slowToGo), {
          ...replacedFirst,
          pod: { ...between('podAntiAffinity', 'web'), terminationGracePeriodSeconds: 20 },
        }),
      ],
      warns: ['READY-180'],
      afterwards: change(deployment(container(), { pod: between('podAntiAffinity', 'web') })),
    },
    {
      what: 'a pod that waits for what it wants to be next to',
      objects: [deployment(container(), { pod: between('podAffinity', 'cache') })],
      of: 'Deployment/web',
      warns: ['READY-180'],
      afterwards: (namespace, { kubectl }) =>
        void kubectl(['apply', '-n', namespace, '-f', '-'], JSON.stringify(deployment(container(), { name: 'cache' }))),
    },
    {
      what: 'a gate that is opened a little later',
      objects: [
        object('v1', 'Pod', 'web', { spec: { containers: [container()], schedulingGates: [{ name: 'example.com/quota' }] } }),
      ],
      warns: ['READY-188'],
      afterwards: (namespace, { kubectl }) =>
        void kubectl([
          'patch',
          'pod',
          'web',
          '-n',
          namespace,
          '--type=json',
          '-p',
          '[{"op":"remove","path":"/spec/schedulingGates"}]',
        ]),
    },
    {
      what: 'a volume that is made for its first pod',
      objects: [
        object('v1', 'PersistentVolumeClaim', 'data', {
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
        }),
        deployment(container(), { pod: claim }),
      ],
    },
    {
      what: 'a taint that is tolerated and a node that is chosen',
      objects: [
        deployment(container(), {
          pod: { nodeSelector: { 'kubernetes.io/os': 'linux' }, tolerations: [{ operator: 'Exists' }] },
        }),
      ],
    },
  ],
)
