import { afterAll, beforeAll, expect, test } from 'vitest'
import { applyManifest, checkManifests, ownLabels } from '../../src/deploy/apply.ts'
import { observe } from '../../src/deploy/observed.ts'
import type { Kube } from '../../src/kube/kube.ts'
import type { KubeObject, Manifest } from '../../src/lib/objects.ts'
import { type ApiRig, openApiRig } from './api-rig.ts'

// What devkit believes to be unchanged, by what a server keeps of it.

let rig: ApiRig
let namespace: string
/** What was asked of the server. */
const asked: string[] = []
let kube: Kube
const labels = ownLabels('t-apply', 'default')

beforeAll(async () => {
  rig = await openApiRig()
  namespace = rig.namespace(`t-apply-${process.pid}`)
  kube = {
    ...rig.kube,
    apply: (object, signal, options) => {
      asked.push(`apply ${object.kind}`)
      return rig.kube.apply(object, signal, options)
    },
    get: (ref, signal) => {
      asked.push(`get ${ref.kind}`)
      return rig.kube.get(ref, signal)
    },
    list: (kind, signal) => {
      asked.push(`list ${kind.kind}`)
      return rig.kube.list(kind, signal)
    },
  }
})
afterAll(() => rig?.[Symbol.asyncDispose]())

const labelsOfPod = { app: 'web' }
const template = {
  metadata: { labels: labelsOfPod },
  spec: {
    restartPolicy: 'Always',
    containers: [
      {
        name: 'web',
        image: 'registry.example.com/web:1',
        env: [
          { name: 'A', value: '1' },
          { name: 'B', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        ],
        envFrom: [{ configMapRef: { name: 'settings' } }],
        ports: [{ name: 'http', containerPort: 80 }],
        readinessProbe: { httpGet: { path: '/', port: 'http' } },
        resources: { requests: { cpu: 0.5, memory: '1024Mi' }, limits: { cpu: '1000m' } },
        securityContext: { capabilities: { drop: ['ALL'] } },
        volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }],
      },
    ],
    volumes: [
      { name: 'scratch', emptyDir: {} },
      { name: 'settings', configMap: { name: 'settings', items: [{ key: 'a', path: 'a' }] } },
    ],
  },
}
const selector = { matchLabels: labelsOfPod }
const kinds: readonly (readonly [apiVersion: string, kind: string, rest: object])[] = [
  ['v1', 'ConfigMap', { data: { a: 'one\ntwo\n' }, binaryData: { b: 'AAE=' } }],
  ['v1', 'Secret', { stringData: { key: 'ünï' }, data: { other: 'AAE=' }, type: 'Opaque' }],
  ['v1', 'ServiceAccount', {}],
  [
    'v1',
    'Service',
    {
      spec: {
        selector: labelsOfPod,
        ports: [
          { name: 'a', port: 80, targetPort: 'http' },
          { name: 'b', port: 81 },
        ],
      },
    },
  ],
  ['v1', 'PersistentVolumeClaim', { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1024Mi' } } } }],
  ['apps/v1', 'Deployment', { spec: { replicas: 0, selector, template } }],
  [
    'apps/v1',
    'DaemonSet',
    { spec: { selector, template: { ...template, spec: { ...template.spec, nodeSelector: { no: 'node' } } } } },
  ],
  [
    'apps/v1',
    'StatefulSet',
    {
      spec: {
        replicas: 0,
        serviceName: 'web',
        selector,
        template,
        volumeClaimTemplates: [
          { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
        ],
      },
    },
  ],
  [
    'batch/v1',
    'Job',
    { spec: { suspend: true, template: { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'a:1' }] } } } },
  ],
  [
    'batch/v1',
    'CronJob',
    {
      spec: {
        schedule: '0 3 * * *',
        jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'a:1' }] } } } },
      },
    },
  ],
  ['rbac.authorization.k8s.io/v1', 'Role', { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }] }],
  [
    'rbac.authorization.k8s.io/v1',
    'RoleBinding',
    {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'web' },
      subjects: [{ kind: 'ServiceAccount', name: 'web', namespace: 't-apply' }],
    },
  ],
  ['policy/v1', 'PodDisruptionBudget', { spec: { maxUnavailable: '50%', selector } }],
  [
    'autoscaling/v2',
    'HorizontalPodAutoscaler',
    {
      spec: {
        minReplicas: 1,
        maxReplicas: 2,
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }],
      },
    },
  ],
  [
    'networking.k8s.io/v1',
    'Ingress',
    {
      spec: {
        rules: [
          {
            host: 'shop.example.com',
            http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { name: 'http' } } } }] },
          },
        ],
      },
    },
  ],
  [
    'networking.k8s.io/v1',
    'NetworkPolicy',
    {
      spec: {
        podSelector: selector,
        policyTypes: ['Ingress'],
        ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 80 }] }],
      },
    },
  ],
]
const manifests = (change: (object: KubeObject) => KubeObject = (object) => object): readonly Manifest[] =>
  kinds.map(([apiVersion, kind, rest], line) => ({
    object: change({ apiVersion, kind, metadata: { name: 'web', namespace, annotations: { 'example.com/a': 'b' } }, ...rest }),
    origin: { file: 'k8s/web.yaml', line },
  }))

/** What `up` does of it. */
async function applyAll(all: readonly Manifest[]): Promise<Readonly<Record<string, string>>> {
  asked.length = 0
  const observed = await observe(kube, all, rig.signal)
  await checkManifests(kube, all, { labels, namespace, observed }, rig.signal)
  const outcomes: Record<string, string> = {}
  for (const manifest of all) {
    const { outcome } = await applyManifest(kube, manifest, { labels, observed }, rig.signal)
    outcomes[manifest.object.kind] = outcome
  }
  return outcomes
}

const all = (outcome: string): Readonly<Record<string, string>> => Object.fromEntries(kinds.map(([, kind]) => [kind, outcome]))

test('what was applied before is not even asked for: one list for each kind, nothing else', async () => {
  expect(await applyAll(manifests())).toEqual(all('created'))
  expect(await applyAll(manifests())).toEqual(all('unchanged'))
  expect(asked.toSorted()).toEqual(['get Namespace', ...kinds.map(([, kind]) => `list ${kind}`)].toSorted())
})

test('a label that is new, and one that is gone, reach every object', async () => {
  await applyAll(manifests())
  const labelled = manifests((object) => ({ ...object, metadata: { ...object.metadata, labels: { more: 'yes' } } }))
  expect(await applyAll(labelled)).toEqual(all('configured'))
  expect(await applyAll(manifests())).toEqual(all('configured'))
  expect(await applyAll(manifests())).toEqual(all('unchanged'))
})

test('what somebody changed is put right, and it alone', async () => {
  await applyAll(manifests())
  rig.kubectl(['scale', 'deployment/web', '--replicas=2', '--namespace', namespace])
  rig.kubectl(['label', 'secret/web', 'devkit.dev/project=theirs', '--overwrite', '--namespace', namespace])
  expect(await applyAll(manifests())).toEqual({ ...all('unchanged'), Deployment: 'configured', Secret: 'configured' })
})

test('a text that leaves a Secret leaves it in the cluster too', async () => {
  await applyAll(manifests())
  const without = manifests((object) => (object.kind === 'Secret' ? { ...object, stringData: { new: 'one' } } : object))
  await applyAll(without)
  const data = rig.kubectl(['get', 'secret/web', '--namespace', namespace, '--output=jsonpath={.data}'])
  expect(JSON.parse(data)).toEqual({ new: 'b25l', other: 'AAE=' })
})
