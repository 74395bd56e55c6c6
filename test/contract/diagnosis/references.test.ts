import { afterAll, beforeAll } from 'vitest'
import { type ApiRig, openApiRig } from '../api-rig.ts'
import { container, deployment, job, object, testFaults, testTwins } from './rig.ts'

let rig: ApiRig

beforeAll(async () => {
  rig = await openApiRig()
}, 120_000)
afterAll(() => rig?.[Symbol.asyncDispose]())

const settings = object('v1', 'ConfigMap', 'settings', { data: { LOG_LEVEL: 'info' } })
const login = object('v1', 'Secret', 'login', { stringData: { PASSWORD: 'x' } })
const mounted = { volumeMounts: [{ name: 'files', mountPath: '/files' }] }
const withVolume = (source: object) => deployment(container(mounted), { pod: { volumes: [{ name: 'files', ...source }] } })
const make = (apiVersion: string, kind: string, name: string, rest: Readonly<Record<string, unknown>> = {}) => {
  return async (namespace: string, { kube, signal }: ApiRig): Promise<void> => {
    await kube.apply(object(apiVersion, kind, name, { ...rest, metadata: { namespace } }), signal)
  }
}

/** There is time to see what is said of a pod that has it. */
const initContainers = [container({ name: 'slow', command: ['sleep', '20'] })]
/** The target is 3 s on a machine that does nothing else. */
const soon = { withinMs: 10_000 }
const web = 'Deployment/web (k8s/all.yaml:1)'

testFaults(
  () => rig,
  [
    {
      what: 'envFrom of a ConfigMap that is misspelt',
      objects: [settings, deployment(container({ envFrom: [{ configMapRef: { name: 'setings' } }] }))],
      code: 'READY-150',
      says: 'Deployment/web cannot start: there is no ConfigMap setings, which envFrom of the container main refers to.',
      hint: 'Write settings instead of setings in Deployment/web (k8s/all.yaml:2), or add ConfigMap/setings to the manifests.',
      evidence: /ConfigMaps in the namespace: .*settings/,
      ...soon,
    },
    {
      what: 'a volume of a ConfigMap that is not there',
      objects: [withVolume({ configMap: { name: 'files' } })],
      code: 'READY-150',
      says: 'Deployment/web cannot start: there is no ConfigMap files, which the volume files refers to.',
      hint: `Add ConfigMap/files to the manifests, or correct ${web}.`,
      ...soon,
    },
    {
      what: 'a variable of a Secret that is not there',
      objects: [
        deployment(
          container({ env: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'database', key: 'PASSWORD' } } }] }),
        ),
      ],
      code: 'READY-151',
      says: 'Deployment/web cannot start: there is no Secret database, which env PASSWORD of the container main refers to.',
      hint: `Add Secret/database to the manifests, name it in \`secrets\` of the config, or correct ${web}.`,
      evidence: /Secrets in the namespace: none/,
      ...soon,
    },
    {
      what: 'a projected volume of a Secret that is not there',
      objects: [withVolume({ projected: { sources: [{ secret: { name: 'certificate' } }] } })],
      code: 'READY-151',
      says: 'Deployment/web cannot start: there is no Secret certificate, which the volume files refers to.',
      hint: `Add Secret/certificate to the manifests, name it in \`secrets\` of the config, or correct ${web}.`,
      ...soon,
    },
    {
      what: 'a variable of a key that a ConfigMap has not',
      objects: [
        settings,
        deployment(
          container({ env: [{ name: 'LEVEL', valueFrom: { configMapKeyRef: { name: 'settings', key: 'LOG_LEVL' } } }] }),
        ),
      ],
      code: 'READY-152',
      says: 'Deployment/web cannot start: the ConfigMap settings has no key LOG_LEVL, which env LEVEL of the container main refers to.',
      hint: 'Write LOG_LEVEL instead of LOG_LEVL in Deployment/web (k8s/all.yaml:2), or add the key to ConfigMap/settings (k8s/all.yaml:1).',
      evidence: /ConfigMap settings has: LOG_LEVEL/,
      ...soon,
    },
    {
      what: 'a volume of a key that a Secret has not',
      objects: [
        login,
        withVolume({ secret: { secretName: 'login', items: [{ key: 'certificate.pem', path: 'certificate.pem' }] } }),
      ],
      code: 'READY-152',
      says: 'Deployment/web cannot start: the Secret login has no key certificate.pem, which the volume files refers to.',
      hint: 'Add the key to Secret/login (k8s/all.yaml:1), or correct Deployment/web (k8s/all.yaml:2).',
      evidence: /Secret login has: PASSWORD/,
      ...soon,
    },
    {
      what: 'a Deployment of a ServiceAccount that is misspelt',
      objects: [object('v1', 'ServiceAccount', 'reader'), deployment(container(), { pod: { serviceAccountName: 'raeder' } })],
      code: 'READY-153',
      says: 'No pod of Deployment/web can be created: there is no ServiceAccount raeder, which serviceAccountName names.',
      hint: 'Write reader instead of raeder in Deployment/web (k8s/all.yaml:2), or add ServiceAccount/raeder to the manifests.',
      evidence: /serviceaccount "raeder" not found/,
      ...soon,
    },
    {
      what: 'a Job of a ServiceAccount that is not there',
      objects: [job(container(), { pod: { serviceAccountName: 'migrator' } })],
      code: 'READY-153',
      says: 'No pod of Job/task can be created: there is no ServiceAccount migrator, which serviceAccountName names.',
      hint: 'Add ServiceAccount/migrator to the manifests, or correct Job/task (k8s/all.yaml:1).',
      ...soon,
    },
    {
      what: 'a volume of a claim that is not there',
      objects: [withVolume({ persistentVolumeClaim: { claimName: 'data' } })],
      code: 'READY-154',
      says: 'Deployment/web cannot start: there is no PersistentVolumeClaim data, which the volume files refers to.',
      hint: `Add PersistentVolumeClaim/data to the manifests, or correct ${web}.`,
      evidence: /persistentvolumeclaim "data" not found/,
      ...soon,
    },
    {
      what: 'a Job whose claim is misspelt',
      objects: [
        object('v1', 'PersistentVolumeClaim', 'uploads', {
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
        }),
        job(container(mounted), { pod: { volumes: [{ name: 'files', persistentVolumeClaim: { claimName: 'upload' } }] } }),
      ],
      code: 'READY-154',
      says: 'Job/task cannot start: there is no PersistentVolumeClaim upload, which the volume files refers to.',
      hint: 'Write uploads instead of upload in Job/task (k8s/all.yaml:2), or add PersistentVolumeClaim/upload to the manifests.',
      ...soon,
    },
    {
      what: 'a pull secret that is not there, for an image that is',
      objects: [deployment(container(), { pod: { initContainers, imagePullSecrets: [{ name: 'registry' }] } })],
      code: 'READY-155',
      severity: 'warning',
      says: 'There is no Secret registry, which imagePullSecrets of Deployment/web name: images are pulled without a login.',
      hint: `Make it (\`kubectl create secret docker-registry registry --namespace NAMESPACE --docker-server=… --docker-username=… --docker-password=…\`), or remove it from ${web}.`,
      ...soon,
    },
    {
      what: 'a pull secret that its ServiceAccount names',
      objects: [
        object('v1', 'ServiceAccount', 'puller', { imagePullSecrets: [{ name: 'registry' }] }),
        object('v1', 'Secret', 'regristry', { stringData: {} }),
        deployment(container(), { pod: { initContainers, serviceAccountName: 'puller' } }),
      ],
      code: 'READY-155',
      severity: 'warning',
      says: 'There is no Secret registry, which imagePullSecrets of Deployment/web name: images are pulled without a login.',
      hint: 'Write regristry instead of registry in ServiceAccount/puller (k8s/all.yaml:1).',
      ...soon,
    },
    {
      what: 'a Deployment of a PriorityClass that is not there',
      objects: [deployment(container(), { pod: { priorityClassName: 'high' } })],
      code: 'READY-156',
      says: 'No pod of Deployment/web can be created: the cluster has no PriorityClass high, which priorityClassName names.',
      hint: `Add PriorityClass/high to the manifests, or remove it from ${web} (profiles: \`scheduling.priority: drop\`).`,
      evidence: /no PriorityClass with name high was found[\s\S]*system-node-critical/,
      ...soon,
    },
    {
      what: 'a Job of a PriorityClass that is misspelt',
      objects: [job(container(), { pod: { priorityClassName: 'system-node-critcal' } })],
      code: 'READY-156',
      says: 'No pod of Job/task can be created: the cluster has no PriorityClass system-node-critcal, which priorityClassName names.',
      hint: 'Write system-node-critical instead of system-node-critcal in Job/task (k8s/all.yaml:1).',
      ...soon,
    },
    {
      what: 'a Deployment of a RuntimeClass that is not there',
      objects: [deployment(container(), { pod: { runtimeClassName: 'gvisor' } })],
      code: 'READY-162',
      says: 'No pod of Deployment/web can be created: the cluster has no RuntimeClass gvisor, which runtimeClassName names.',
      hint: `Add RuntimeClass/gvisor to the manifests, or remove it from ${web} (profiles: \`scheduling.runtime: drop\`).`,
      evidence: /RuntimeClass "gvisor" not found/,
      ...soon,
    },
    {
      what: 'a Job of a RuntimeClass that is misspelt',
      objects: [
        object('node.k8s.io/v1', 'RuntimeClass', 'NAMESPACE-kata', { handler: 'kata' }),
        job(container(), { pod: { runtimeClassName: 'NAMESPACE-kat' } }),
      ],
      code: 'READY-162',
      says: 'No pod of Job/task can be created: the cluster has no RuntimeClass NAMESPACE-kat, which runtimeClassName names.',
      hint: 'Write NAMESPACE-kata instead of NAMESPACE-kat in Job/task (k8s/all.yaml:2).',
      ...soon,
    },
  ],
)

testTwins(
  () => rig,
  [
    {
      what: 'a volume of a Secret that is not there and that no container mounts',
      objects: [deployment(container(), { pod: { volumes: [{ name: 'files', secret: { secretName: 'certificate' } }] } })],
    },
    {
      what: 'optional references that nothing provides',
      objects: [
        deployment(
          container({
            ...mounted,
            envFrom: [{ configMapRef: { name: 'settings', optional: true } }],
            env: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'login', key: 'PASSWORD', optional: true } } }],
          }),
          { pod: { volumes: [{ name: 'files', secret: { secretName: 'certificate', optional: true } }] } },
        ),
      ],
    },
    {
      what: 'a Secret that somebody makes a moment later',
      objects: [deployment(container({ envFrom: [{ secretRef: { name: 'login' } }] }))],
      afterwards: async (namespace, rig) => {
        await untilPods(rig, namespace)
        await make('v1', 'Secret', 'login', { stringData: { PASSWORD: 'x' } })(namespace, rig)
      },
      warns: ['READY-151'],
    },
    {
      what: 'a ConfigMap of a volume that a Job with the right to makes',
      objects: [
        object('v1', 'ServiceAccount', 'maker'),
        object('rbac.authorization.k8s.io/v1', 'Role', 'maker', {
          rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['create'] }],
        }),
        object('rbac.authorization.k8s.io/v1', 'RoleBinding', 'maker', {
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'maker' },
          subjects: [{ kind: 'ServiceAccount', name: 'maker' }],
        }),
        job(container({ command: ['sleep', '20'] }), { name: 'maker', pod: { serviceAccountName: 'maker' } }),
        withVolume({ configMap: { name: 'files' } }),
      ],
      afterwards: async (namespace, rig) => {
        await untilMissedAgain(rig, namespace)
        await make('v1', 'ConfigMap', 'files')(namespace, rig)
      },
      warns: ['READY-150'],
    },
    {
      what: 'a ServiceAccount that comes a moment after its Deployment',
      objects: [deployment(container(), { pod: { serviceAccountName: 'reader' } })],
      afterwards: make('v1', 'ServiceAccount', 'reader'),
    },
    {
      what: 'a claim that comes a moment after its Deployment',
      objects: [withVolume({ persistentVolumeClaim: { claimName: 'data' } })],
      afterwards: make('v1', 'PersistentVolumeClaim', 'data', {
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
      }),
    },
    {
      what: 'a pull secret that is not there, for an image that needs none',
      objects: [deployment(container(), { pod: { imagePullSecrets: [{ name: 'registry' }] } })],
      warns: ['READY-155'],
    },
  ],
)

async function untilPods({ kube, signal }: ApiRig, namespace: string): Promise<void> {
  for await (const event of kube.watch({ apiVersion: 'v1', kind: 'Pod', namespace }, signal)) if (event.type === 'set') return
}

/** The kubelet tries again after half a second, then after twice as long each time. */
async function untilMissedAgain({ kube, signal }: ApiRig, namespace: string): Promise<void> {
  const events = { apiVersion: 'v1', kind: 'Event', namespace, fieldSelector: 'reason=FailedMount' }
  for await (const event of kube.watch(events, signal)) if (event.type === 'set' && Number(event.object['count']) >= 4) return
}
