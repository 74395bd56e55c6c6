import { afterAll, beforeAll } from 'vitest'
import { type KubeObject, nameOf } from '../../../src/lib/objects.ts'
import { type ApiRig, openApiRig } from '../api-rig.ts'
import { container, deployment, job, object, testFaults, testTwins } from './rig.ts'

let rig: ApiRig

beforeAll(async () => {
  rig = await openApiRig()
}, 120_000)
afterAll(() => rig?.[Symbol.asyncDispose]())

/** The target is 3 s on a machine that does nothing else. */
const soon = { withinMs: 10_000 }
const web = 'Deployment/web (k8s/all.yaml:2)'
const few = object('v1', 'ResourceQuota', 'few', { spec: { hard: { pods: '0' } } })
const counted = async (namespace: string, { kube, signal }: ApiRig): Promise<void> => {
  const quotas = { apiVersion: 'v1', kind: 'ResourceQuota', namespace }
  const isCounted = ({ status }: KubeObject): boolean => Object.keys((status as { hard?: object })?.hard ?? {}).length > 0
  for await (const event of kube.watch(quotas, signal)) if (event.type === 'set' && isCounted(event.object)) return
}
const bounds = (limit: object) => object('v1', 'LimitRange', 'bounds', { spec: { limits: [{ type: 'Container', ...limit }] } })
const restricted = object('v1', 'Namespace', 'NAMESPACE', {
  metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
})
const baseline = object('v1', 'Namespace', 'NAMESPACE', {
  metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'baseline' } },
})
const label = '`kubectl label namespace NAMESPACE pod-security.kubernetes.io/enforce=… --overwrite`'

const admission = 'admissionregistration.k8s.io/v1'
const inNamespace = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'NAMESPACE' } } }
const pods = { apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] }
const silent = (clientConfig: object) =>
  object(admission, 'ValidatingWebhookConfiguration', 'NAMESPACE', {
    webhooks: [
      {
        name: 'NAMESPACE.devkit.test',
        ...{ clientConfig, admissionReviewVersions: ['v1'], sideEffects: 'None', timeoutSeconds: 1 },
        ...{ ...inNamespace, rules: [pods] },
      },
    ],
  })
const policy = (validation: object): readonly KubeObject[] => [
  object(admission, 'ValidatingAdmissionPolicy', 'NAMESPACE', {
    spec: { failurePolicy: 'Fail', matchConstraints: { ...inNamespace, resourceRules: [pods] }, validations: [validation] },
  }),
  object(admission, 'ValidatingAdmissionPolicyBinding', 'NAMESPACE', {
    spec: { policyName: 'NAMESPACE', validationActions: ['Deny'] },
  }),
]

/** What is configured counts from moments after it was made: until a pod is refused for it. */
const inForce =
  (words: RegExp) =>
  async (namespace: string, { kube, signal }: ApiRig): Promise<void> => {
    const spec = { containers: [container()] }
    for (let tries = 0; tries < 300; tries++) {
      const pod = object('v1', 'Pod', `try-${tries}`, { metadata: { namespace }, spec })
      const said = await kube.apply(pod, signal, { dryRun: true }).then(nameOf, (thrown: Error) => thrown.message)
      if (words.test(said)) return
    }
    throw new Error(`no pod is refused with ${words}`)
  }

testFaults(
  () => rig,
  [
    {
      what: 'a quota that allows no pod',
      objects: [few, deployment(container())],
      before: counted,
      code: 'READY-190',
      says: 'No pod of Deployment/web can be created: the ResourceQuota few has too little left of pods (asks for 1, 0 of 0 are used).',
      hint: `Raise spec.hard of ResourceQuota/few (k8s/all.yaml:1), or let ${web} have fewer replicas or ask for less (profiles: \`maxReplicas\`, \`requests\`).`,
      evidence: /exceeded quota: few/,
      ...soon,
    },
    {
      what: 'a quota of memory that the second pod is too much for',
      objects: [
        object('v1', 'ResourceQuota', 'memory', { spec: { hard: { 'requests.memory': '40Mi' } } }),
        deployment(container({ resources: { requests: { memory: '32Mi' } } }), { spec: { replicas: 2 } }),
      ],
      before: counted,
      code: 'READY-190',
      says: 'No further pod of Deployment/web can be created: the ResourceQuota memory has too little left of requests.memory (asks for 32Mi, 32Mi of 40Mi are used).',
      hint: `Raise spec.hard of ResourceQuota/memory (k8s/all.yaml:1), or let ${web} have fewer replicas or ask for less (profiles: \`maxReplicas\`, \`requests\`).`,
      ...soon,
    },
    {
      what: 'a quota of limits that a Job has none of',
      objects: [object('v1', 'ResourceQuota', 'limits', { spec: { hard: { 'limits.memory': '1Gi' } } }), job(container())],
      before: counted,
      code: 'READY-190',
      says: 'No pod of Job/task can be created: the ResourceQuota limits counts limits.memory, and not every container says how much it takes.',
      hint: 'Set limits.memory in the resources of every container of Job/task (k8s/all.yaml:2), or add a LimitRange with defaults.',
      ...soon,
    },
    {
      what: 'more memory than a LimitRange allows',
      objects: [
        bounds({ max: { memory: '64Mi' } }),
        deployment(container({ resources: { requests: { memory: '16Mi' }, limits: { memory: '128Mi' } } })),
      ],
      code: 'READY-191',
      says: 'No pod of Deployment/web can be created: the LimitRange bounds does not allow its resources: maximum memory usage per Container is 64Mi, but limit is 128Mi.',
      hint: `Correct the resources in ${web}, or the limits of LimitRange/bounds (k8s/all.yaml:1).`,
      ...soon,
    },
    {
      what: 'less CPU than a LimitRange demands of a Job',
      objects: [bounds({ min: { cpu: '100m' } }), job(container({ resources: { requests: { cpu: '10m' } } }))],
      code: 'READY-191',
      says: 'No pod of Job/task can be created: the LimitRange bounds does not allow its resources: minimum cpu usage per Container is 100m, but request is 10m.',
      hint: 'Correct the resources in Job/task (k8s/all.yaml:2), or the limits of LimitRange/bounds (k8s/all.yaml:1).',
      ...soon,
    },
    {
      what: 'a privileged container where the baseline is enforced',
      objects: [baseline, deployment(container({ securityContext: { privileged: true } }))],
      code: 'READY-192',
      says: 'No pod of Deployment/web can be created: the namespace NAMESPACE enforces the Pod Security Standard baseline, which forbids privileged.',
      hint: `Correct ${web} (must not set securityContext.privileged=true), or let the namespace allow more: ${label}.`,
      ...soon,
    },
    {
      what: 'a Job that says nothing of its rights where they are restricted',
      objects: [
        restricted,
        job(
          container({
            securityContext: {
              ...{ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
              seccompProfile: { type: 'RuntimeDefault' },
            },
          }),
        ),
      ],
      code: 'READY-192',
      says: 'No pod of Job/task can be created: the namespace NAMESPACE enforces the Pod Security Standard restricted, which forbids runAsNonRoot != true.',
      hint: `Correct Job/task (k8s/all.yaml:2) (must set securityContext.runAsNonRoot=true), or let the namespace allow more: ${label}.`,
      ...soon,
    },
    {
      what: 'a policy that wants a label',
      objects: [
        ...policy({
          expression: "has(object.metadata.labels) && 'owner' in object.metadata.labels",
          message: 'an owner is needed',
        }),
        deployment(container()),
      ],
      before: inForce(/an owner is needed/),
      code: 'READY-193',
      says: 'No pod of Deployment/web can be created: the ValidatingAdmissionPolicy NAMESPACE refuses it: an owner is needed.',
      hint: 'Correct Deployment/web (k8s/all.yaml:3) as it says, or what it demands: `kubectl get validatingadmissionpolicy/NAMESPACE --output yaml`.',
      ...soon,
    },
    {
      what: 'a policy that a Job does not keep',
      objects: [...policy({ expression: 'object.spec.containers.all(one, has(one.resources.limits))' }), job(container())],
      before: inForce(/failed expression/),
      code: 'READY-193',
      says: 'No pod of Job/task can be created: the ValidatingAdmissionPolicy NAMESPACE refuses it: failed expression: object.spec.containers.all(one, has(one.resources.limits)).',
      hint: 'Correct Job/task (k8s/all.yaml:3) as it says, or what it demands: `kubectl get validatingadmissionpolicy/NAMESPACE --output yaml`.',
      ...soon,
    },
    {
      what: 'a webhook at which nobody listens',
      objects: [silent({ url: 'https://127.0.0.1:9/' }), deployment(container())],
      before: inForce(/failed calling webhook/),
      code: 'READY-194',
      says: 'No pod of Deployment/web can be created: the webhook NAMESPACE.devkit.test of ValidatingWebhookConfiguration/NAMESPACE, which has to agree, does not answer: dial tcp 127.0.0.1:9: connect: connection refused.',
      hint: 'Start what it leads to, or remove it: `kubectl delete validatingwebhookconfiguration/NAMESPACE`.',
      withinMs: 20_000,
    },
    {
      what: 'a webhook whose Service is not there',
      objects: [silent({ service: { namespace: 'NAMESPACE', name: 'gate', path: '/' } }), job(container())],
      before: inForce(/failed calling webhook/),
      code: 'READY-194',
      says: 'No pod of Job/task can be created: the webhook NAMESPACE.devkit.test of ValidatingWebhookConfiguration/NAMESPACE, which has to agree, does not answer: service "gate" not found.',
      hint: 'Look at the pods of Service NAMESPACE/gate, or remove it: `kubectl delete validatingwebhookconfiguration/NAMESPACE`.',
      withinMs: 20_000,
    },
    {
      what: 'a pod whose limit is below its request',
      objects: [bounds({ default: { memory: '16Mi' } }), deployment(container({ resources: { requests: { memory: '32Mi' } } }))],
      code: 'READY-195',
      says: 'No pod of Deployment/web can be created: spec.containers[0].resources.requests: Invalid value: "32Mi": must be less than or equal to memory limit of 16Mi.',
      hint: `Mend what the API server refuses in ${web}.`,
      ...soon,
    },
    {
      what: 'a Job whose pods are to be of a class that no default fits',
      objects: [bounds({ default: { cpu: '1m' } }), job(container({ resources: { requests: { cpu: '10m' } } }))],
      code: 'READY-195',
      says: 'No pod of Job/task can be created: spec.containers[0].resources.requests: Invalid value: "10m": must be less than or equal to cpu limit of 1m.',
      hint: 'Mend what the API server refuses in Job/task (k8s/all.yaml:2).',
      ...soon,
    },
  ],
)

testTwins(
  () => rig,
  [
    {
      what: 'a quota that is raised a moment later',
      objects: [few, deployment(container())],
      before: counted,
      afterwards: async (namespace, { kube, signal }) => {
        await kube.apply({ ...few, metadata: { name: 'few', namespace }, spec: { hard: { pods: '2' } } }, signal)
      },
      warns: ['READY-190'],
    },
    {
      what: 'a quota, bounds and a standard that all is within',
      objects: [
        restricted,
        bounds({ min: { memory: '8Mi' }, max: { memory: '64Mi' } }),
        object('v1', 'ResourceQuota', 'enough', { spec: { hard: { pods: '1', 'requests.memory': '16Mi' } } }),
        deployment(
          container({
            resources: { requests: { memory: '16Mi' }, limits: { memory: '32Mi' } },
            securityContext: {
              ...{ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, runAsNonRoot: true, runAsUser: 1000 },
              seccompProfile: { type: 'RuntimeDefault' },
            },
          }),
        ),
      ],
      before: counted,
    },
    {
      what: 'a webhook that is ignored while it is silent',
      objects: [
        (({ webhooks, ...rest }: KubeObject): KubeObject => ({
          ...rest,
          webhooks: (webhooks as readonly object[]).map((one) => ({ ...one, failurePolicy: 'Ignore' })),
        }))(silent({ url: 'https://127.0.0.1:9/' })),
        deployment(container()),
      ],
    },
  ],
)
