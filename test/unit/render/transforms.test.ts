import * as v from 'valibot'
import { expect, test } from 'vitest'
import ci from '../../../profiles/ci.ts'
import debug from '../../../profiles/debug.ts'
import dev from '../../../profiles/dev.ts'
import production from '../../../profiles/production.ts'
import { resolveProfile } from '../../../src/config/profile.ts'
import { type Profile, profileSchema } from '../../../src/config/profile-schema.ts'
import { DevkitError } from '../../../src/lib/errors.ts'
import type { KubeObject } from '../../../src/lib/objects.ts'
import { capabilitiesOf } from '../../../src/render/capabilities.ts'
import { misfitOf } from '../../../src/render/shape.ts'
import { transform } from '../../../src/render/transforms/transforms.ts'
import { deployment, inputFor, manifestOf, podUnder, under } from './rig.ts'

const versions: Readonly<Record<string, string>> = {
  Ingress: 'networking.k8s.io/v1',
  Gateway: 'gateway.networking.k8s.io/v1',
  HTTPRoute: 'gateway.networking.k8s.io/v1',
  StatefulSet: 'apps/v1',
}
const object = (kind: string, rest: object = {}, apiVersion = versions[kind] ?? 'v1'): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name: 'one', namespace: 'shop' },
  ...rest,
})

interface Case {
  readonly profile: Profile
  readonly object: KubeObject
  /** What comes out; undefined: it is left out. */
  readonly made: KubeObject | undefined
  /** What the rule has no word about. */
  readonly twins: readonly KubeObject[]
  readonly over?: Parameters<typeof inputFor>[1]
}

const claim = (fields: object, more: object = {}): KubeObject => object('PersistentVolumeClaim', { spec: fields, ...more })
const ofSize = (storage: string): object => ({ resources: { requests: { storage } } })
const keeping = (fields: object): KubeObject =>
  object('StatefulSet', {
    spec: {
      template: { spec: { containers: [{ name: 'db' }] } },
      volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: fields }],
    },
  })
const pod = (fields: object): KubeObject => deployment({ pod: fields })
const box = (fields: object): KubeObject => deployment({ container: fields })
const limited = (resources: object): KubeObject => box({ resources })
const http = { httpGet: { path: '/', port: 80 } }
const service = (fields: object): KubeObject => object('Service', { spec: fields })
const term = { topologyKey: 'zone' }
const required = 'requiredDuringSchedulingIgnoredDuringExecution'
const preferred = 'preferredDuringSchedulingIgnoredDuringExecution'
const sleeping = { preStop: { exec: { command: ['/bin/sh', '-c', 'sleep 15'] } } }
const mounting = { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'one' } }] }

const cases: Readonly<Record<string, Case>> = {
  'skip: a kind': {
    profile: { skip: { HorizontalPodAutoscaler: 'one is enough' } },
    object: object('HorizontalPodAutoscaler', {}, 'autoscaling/v2'),
    made: undefined,
    twins: [deployment()],
  },
  'skip: one object': {
    profile: { skip: { 'Job/seed-*': true, 'Job/kept': false } },
    object: object('Job', { metadata: { name: 'seed-1', namespace: 'shop' } }, 'batch/v1'),
    made: undefined,
    twins: [object('Job', {}, 'batch/v1'), object('Job', { metadata: { name: 'kept', namespace: 'shop' } }, 'batch/v1')],
  },
  'skip: a group': {
    profile: { skip: { '*.istio.io': true, 'cert-manager.io/Certificate': true } },
    object: object('Gateway', {}, 'networking.istio.io/v1'),
    made: undefined,
    twins: [object('Gateway', {}, 'gateway.networking.k8s.io/v1'), object('Issuer', {}, 'cert-manager.io/v1')],
  },
  foreignKinds: {
    profile: { foreignKinds: 'skip' },
    object: object('ServiceMonitor', {}, 'monitoring.coreos.com/v1'),
    made: undefined,
    twins: [object('Ingress', {}, 'networking.k8s.io/v1')],
  },
  skipContainers: {
    profile: { skipContainers: { 'cloudsql-*': 'the database is here', wait: true, web: false } },
    object: pod({
      containers: [{ name: 'web' }, { name: 'cloudsql-proxy' }],
      initContainers: [{ name: 'wait' }, { name: 'own' }],
    }),
    made: pod({ containers: [{ name: 'web' }], initContainers: [{ name: 'own' }] }),
    // the last one stays
    twins: [pod({ containers: [{ name: 'cloudsql-proxy' }] }), deployment()],
  },
  images: {
    profile: { images: { 'x/web:1': 'y/web:2', redis: 'valkey:8', mysql: false } },
    object: pod({ containers: [{ name: 'a', image: 'x/web:1' }], initContainers: [{ name: 'b', image: 'redis@sha256:12' }] }),
    made: pod({ containers: [{ name: 'a', image: 'y/web:2' }], initContainers: [{ name: 'b', image: 'valkey:8' }] }),
    twins: [
      pod({
        containers: [
          { name: 'a', image: 'x/web:3' },
          { name: 'b', image: 'own/redis:1' },
          { name: 'c' },
          { name: 'd', image: 'mysql' },
        ],
      }),
    ],
  },
  'imagePullSecrets: needed': {
    profile: { imagePullSecrets: 'needed' },
    over: { images: new Map([['x/built', 'x/built']]) },
    object: pod({
      containers: [{ name: 'a', image: 'x/built', imagePullPolicy: 'IfNotPresent' }],
      imagePullSecrets: [{ name: 's' }],
    }),
    made: pod({ containers: [{ name: 'a', image: 'x/built', imagePullPolicy: 'IfNotPresent' }] }),
    twins: [
      pod({
        containers: [
          { name: 'a', image: 'x/built', imagePullPolicy: 'IfNotPresent' },
          { name: 'b', image: 'x/other' },
        ],
        imagePullSecrets: [{ name: 's' }],
      }),
    ],
  },
  'imagePullSecrets: drop': {
    profile: { imagePullSecrets: 'drop' },
    object: pod({ imagePullSecrets: [{ name: 's' }] }),
    made: deployment(),
    twins: [object('ServiceAccount', { imagePullSecrets: [{ name: 's' }] })],
  },
  maxReplicas: {
    profile: { maxReplicas: 1 },
    object: deployment({ spec: { replicas: 3 } }),
    made: deployment({ spec: { replicas: 1 } }),
    twins: [deployment(), deployment({ spec: { replicas: 0 } }), object('ReplicaSet', { spec: { replicas: 3 } }, 'apps/v1')],
  },
  cpuLimits: {
    profile: { cpuLimits: 'drop' },
    object: limited({ limits: { cpu: '1', memory: '1Gi' }, claims: [] }),
    // a limit alone is a request
    made: limited({ claims: [], requests: { cpu: '1' }, limits: { memory: '1Gi' } }),
    twins: [limited({ limits: { memory: '1Gi' } }), limited({ requests: { cpu: 1 } }), deployment()],
  },
  memoryLimits: {
    profile: { memoryLimits: 'drop' },
    object: limited({ limits: { memory: '1Gi' }, requests: { memory: '1Mi' } }),
    made: limited({ requests: { memory: '1Mi' } }),
    twins: [limited({ limits: { cpu: '1' } })],
  },
  devices: {
    profile: { devices: 'drop' },
    object: limited({ limits: { 'nvidia.com/gpu': 1, 'hugepages-2Mi': '4Mi', cpu: '1' }, requests: { 'nvidia.com/gpu': 1 } }),
    made: limited({ limits: { cpu: '1' } }),
    twins: [limited({ limits: { cpu: '1', memory: '1Gi', 'ephemeral-storage': '1Gi' } })],
  },
  maxRequests: {
    profile: { maxRequests: { cpu: 0.5, memory: '256Mi' } },
    object: limited({ requests: { cpu: '2' }, limits: { memory: '1Gi' } }),
    made: limited({ requests: { memory: '256Mi', cpu: '500m' }, limits: { memory: '1Gi' } }),
    twins: [limited({ requests: { cpu: '0.5', memory: '200M', 'nvidia.com/gpu': 8 } }), limited({ requests: { cpu: 'much' } })],
  },
  'probes: every': {
    profile: { probes: { startup: { every: 1 }, readiness: { every: 2 }, liveness: { every: 5 } } },
    object: box({
      startupProbe: { ...http, initialDelaySeconds: 10, periodSeconds: 5, failureThreshold: 6 },
      readinessProbe: { ...http, initialDelaySeconds: 30 },
      livenessProbe: { ...http, initialDelaySeconds: 30 },
    }),
    made: box({
      // 10 s and 6 times 5 s
      startupProbe: { ...http, periodSeconds: 1, failureThreshold: 40 },
      readinessProbe: { ...http, periodSeconds: 2, failureThreshold: 15 },
      livenessProbe: { ...http, initialDelaySeconds: 30, periodSeconds: 5, failureThreshold: 6 },
    }),
    twins: [
      box({ startupProbe: { ...http, periodSeconds: 1 }, readinessProbe: { ...http, periodSeconds: 1, initialDelaySeconds: 1 } }),
      deployment(),
    ],
  },
  'probes: drop': {
    profile: { probes: { liveness: 'drop' } },
    object: box({ livenessProbe: http, readinessProbe: http }),
    made: box({ readinessProbe: http }),
    twins: [box({ readinessProbe: http, startupProbe: http })],
  },
  'scheduling.affinity': {
    profile: { scheduling: { affinity: 'prefer' } },
    object: pod({
      affinity: {
        nodeAffinity: { [required]: { nodeSelectorTerms: [{ matchExpressions: [] }] } },
        podAntiAffinity: { [required]: [term], [preferred]: [{ weight: 1, podAffinityTerm: term }] },
      },
    }),
    made: pod({
      affinity: {
        nodeAffinity: { [preferred]: [{ weight: 100, preference: { matchExpressions: [] } }] },
        podAntiAffinity: {
          [preferred]: [
            { weight: 1, podAffinityTerm: term },
            { weight: 100, podAffinityTerm: term },
          ],
        },
      },
    }),
    twins: [pod({ affinity: { podAffinity: { [preferred]: [{ weight: 1, podAffinityTerm: term }] } } }), deployment()],
  },
  'scheduling.topologySpread': {
    profile: { scheduling: { topologySpread: 'prefer' } },
    object: pod({ topologySpreadConstraints: [{ ...term, maxSkew: 1, minDomains: 3, whenUnsatisfiable: 'DoNotSchedule' }] }),
    made: pod({ topologySpreadConstraints: [{ ...term, maxSkew: 1, whenUnsatisfiable: 'ScheduleAnyway' }] }),
    twins: [pod({ topologySpreadConstraints: [{ ...term, whenUnsatisfiable: 'ScheduleAnyway' }] })],
  },
  'scheduling.nodes': {
    profile: { scheduling: { nodes: 'drop' } },
    object: pod({ nodeName: 'a', nodeSelector: { 'kubernetes.io/os': 'linux', pool: 'big' } }),
    made: pod({ nodeSelector: { 'kubernetes.io/os': 'linux' } }),
    twins: [pod({ nodeSelector: { 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'arm64' } }), deployment()],
  },
  'scheduling.tolerations': {
    profile: { scheduling: { tolerations: 'drop' } },
    object: pod({ tolerations: [{ key: 'spot' }] }),
    made: deployment(),
    twins: [{ ...pod({ tolerations: [{ key: 'spot' }] }), kind: 'DaemonSet' }],
  },
  'scheduling.priority': {
    profile: { scheduling: { priority: 'drop' } },
    object: pod({ priorityClassName: 'high' }),
    made: deployment(),
    twins: [pod({ priorityClassName: 'system-node-critical' }), deployment()],
  },
  'scheduling.runtime': {
    profile: { scheduling: { runtime: 'drop' } },
    object: pod({ runtimeClassName: 'gvisor', schedulerName: 'own' }),
    made: deployment(),
    twins: [pod({ schedulerName: 'default-scheduler' }), deployment()],
  },
  storageClasses: {
    profile: { storageClasses: { gp3: 'standard', io2: false, '*': '(default)' } },
    object: claim({ storageClassName: 'gp3' }),
    made: claim({ storageClassName: 'standard' }),
    twins: [
      claim({ storageClassName: 'io2' }),
      claim({ storageClassName: '' }),
      claim({ storageClassName: 'x', volumeName: 'v' }),
      claim({}),
    ],
  },
  'storageClasses: of a StatefulSet, as all others': {
    profile: { storageClasses: { gp3: 'standard', '*': '(default)' } },
    object: keeping({ storageClassName: 'ssd' }),
    made: keeping({}),
    twins: [keeping({ selector: {}, storageClassName: 'ssd' })],
  },
  'storageClasses: as before Kubernetes 1.6': {
    profile: { storageClasses: { '*': '(default)' } },
    object: claim(
      {},
      { metadata: { name: 'one', namespace: 'shop', annotations: { 'volume.beta.kubernetes.io/storage-class': 'ssd', a: 'b' } } },
    ),
    made: claim({}, { metadata: { name: 'one', namespace: 'shop', annotations: { a: 'b' } } }),
    twins: [claim({}, { metadata: { name: 'one', namespace: 'shop', annotations: { a: 'b' } } })],
  },
  accessModes: {
    profile: { accessModes: { ReadWriteMany: 'ReadWriteOnce' } },
    object: claim({ accessModes: ['ReadWriteOnce', 'ReadWriteMany'] }),
    made: claim({ accessModes: ['ReadWriteOnce'] }),
    twins: [claim({ accessModes: ['ReadOnlyMany'] }), claim({ accessModes: ['ReadWriteMany'], volumeName: 'v' })],
  },
  maxStorage: {
    profile: { maxStorage: '1Gi' },
    object: claim(ofSize('100Gi')),
    made: claim(ofSize('1Gi')),
    twins: [
      claim(ofSize('1024Mi')),
      claim({ ...ofSize('5Gi'), volumeName: 'v' }),
      object('PersistentVolume', { spec: ofSize('5Gi') }),
    ],
  },
  hosts: {
    profile: { hosts: { '*.example.com': '*.localhost', 'shop.example.com': 'store.localhost', 'example.org': false } },
    object: object('Ingress', {
      spec: {
        rules: [{ host: 'shop.example.com' }, { host: 'a.b.example.com' }, {}],
        tls: [{ hosts: ['shop.example.com'], secretName: 's' }],
      },
    }),
    made: object('Ingress', {
      spec: {
        rules: [{ host: 'store.localhost' }, { host: 'a.b.localhost' }, {}],
        tls: [{ hosts: ['store.localhost'], secretName: 's' }],
      },
    }),
    twins: [
      object('Ingress', { spec: { rules: [{ host: 'example.com' }, { host: 'example.org' }, { host: 'badexample.com' }] } }),
      object('ConfigMap', { data: { host: 'shop.example.com' } }),
    ],
  },
  'hosts: of the Gateway API': {
    profile: { hosts: { 'shop.example.com': 'shop.localhost' } },
    object: object('HTTPRoute', { spec: { hostnames: ['shop.example.com'] } }),
    made: object('HTTPRoute', { spec: { hostnames: ['shop.localhost'] } }),
    twins: [object('Gateway', { spec: { listeners: [{ hostname: 'other.example.com' }] } })],
  },
  serviceTypes: {
    profile: { serviceTypes: { LoadBalancer: 'ClusterIP' } },
    object: service({
      type: 'LoadBalancer',
      loadBalancerIP: '1.2.3.4',
      loadBalancerClass: 'x',
      externalTrafficPolicy: 'Local',
      sessionAffinity: 'ClientIP',
      ports: [{ port: 80, nodePort: 30080 }],
    }),
    made: service({ type: 'ClusterIP', sessionAffinity: 'ClientIP', ports: [{ port: 80 }] }),
    twins: [service({ type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] }), service({ ports: [{ port: 80 }] })],
  },
  'serviceTypes: NodePort': {
    profile: { serviceTypes: { LoadBalancer: 'NodePort' } },
    object: service({
      type: 'LoadBalancer',
      loadBalancerIP: '1.2.3.4',
      externalTrafficPolicy: 'Local',
      ports: [{ port: 80, nodePort: 30080 }],
    }),
    made: service({ type: 'NodePort', externalTrafficPolicy: 'Local', ports: [{ port: 80, nodePort: 30080 }] }),
    twins: [service({ type: 'ExternalName', externalName: 'db.example.com' })],
  },
  maxGraceSeconds: {
    profile: { maxGraceSeconds: 10 },
    object: deployment({ container: { lifecycle: { ...sleeping, postStart: {} } } }),
    made: deployment({ container: { lifecycle: { postStart: {} } }, pod: { terminationGracePeriodSeconds: 10 } }),
    twins: [
      pod({ terminationGracePeriodSeconds: 5 }),
      deployment({ container: { lifecycle: { preStop: { exec: { command: ['/flush'] } } } } }),
      { ...pod({ terminationGracePeriodSeconds: 60 }), kind: 'StatefulSet' },
    ],
  },
  minReadySeconds: {
    profile: { minReadySeconds: 'drop' },
    object: deployment({ spec: { minReadySeconds: 30, progressDeadlineSeconds: 60 } }),
    made: deployment({ spec: { progressDeadlineSeconds: 60 } }),
    twins: [
      deployment(),
      {
        apiVersion: 'example.com/v1',
        kind: 'Canary',
        metadata: { name: 'web', namespace: 'shop' },
        spec: { minReadySeconds: 30 },
      },
    ],
  },
  recreate: {
    profile: { recreate: 'claims' },
    over: { manifests: [manifestOf(claim({ accessModes: ['ReadWriteOnce'] }))] },
    object: deployment({ pod: mounting, spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } }),
    made: deployment({ pod: mounting, spec: { strategy: { type: 'Recreate' } } }),
    twins: [
      deployment(),
      deployment({ pod: mounting, spec: { replicas: 2 } }),
      { ...deployment({ pod: mounting }), kind: 'StatefulSet' },
      pod({ volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'of-somebody-else' } }] }),
    ],
  },
  'services: env': {
    profile: { services: { web: { env: { A: '2', B: null, C: '3' } } } },
    object: box({
      env: [
        { name: 'B', value: '1' },
        { name: 'A', valueFrom: {} },
        { name: 'Z', value: '$(A)' },
      ],
    }),
    // where it stood: others may be made of it
    made: box({
      env: [
        { name: 'A', value: '2' },
        { name: 'Z', value: '$(A)' },
        { name: 'C', value: '3' },
      ],
    }),
    twins: [{ ...deployment(), metadata: { name: 'other', namespace: 'shop' } }],
  },
  'services: the rest': {
    profile: {
      services: {
        web: {
          replicas: 2,
          command: ['a'],
          args: ['b'],
          envFrom: [{ configMapRef: { name: 'dev' } }],
          resources: { limits: { memory: '2Gi' } },
          securityContext: { capabilities: { add: ['SYS_PTRACE'] }, runAsUser: null },
        },
        unknown: { replicas: 5 },
      },
    },
    object: box({
      envFrom: [{ secretRef: { name: 's' } }],
      resources: { limits: { memory: '1Gi', cpu: '1' } },
      securityContext: { runAsUser: 5, privileged: false },
    }),
    made: deployment({
      spec: { replicas: 2 },
      container: {
        command: ['a'],
        args: ['b'],
        envFrom: [{ secretRef: { name: 's' } }, { configMapRef: { name: 'dev' } }],
        resources: { limits: { memory: '2Gi', cpu: '1' } },
        securityContext: { privileged: false, capabilities: { add: ['SYS_PTRACE'] } },
      },
    }),
    twins: [{ ...deployment(), kind: 'StatefulSet' }],
  },
  'patches: merge': {
    profile: {
      patches: [
        {
          select: { kind: 'Deploy*', labels: { tier: 'front' } },
          merge: { spec: { template: { spec: { containers: [{ name: 'web', image: 'y' }], hostNetwork: null } } } },
        },
      ],
    },
    object: { ...pod({ hostNetwork: true }), metadata: { name: 'web', namespace: 'shop', labels: { tier: 'front' } } },
    made: { ...box({ image: 'y' }), metadata: { name: 'web', namespace: 'shop', labels: { tier: 'front' } } },
    twins: [
      pod({ hostNetwork: true }),
      object('Service', { metadata: { name: 'web', namespace: 'shop', labels: { tier: 'front' } } }),
    ],
  },
  'patches: JSON': {
    profile: {
      patches: [
        { select: 'Deployment/web', patch: [{ op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'y' }] },
      ],
    },
    object: deployment(),
    made: box({ image: 'y' }),
    twins: [object('Service', {})],
  },
  transform: {
    profile: {
      transform: [
        (one) => (one.kind === 'Job' ? undefined : one),
        (one) => (one.kind === 'Service' ? { ...one, spec: {} } : one),
      ],
    },
    object: service({ type: 'NodePort' }),
    made: service({}),
    twins: [deployment()],
  },
  'transform: undefined': {
    profile: { transform: ({ kind, ...rest }) => (kind === 'Job' ? undefined : { kind, ...rest }) },
    object: object('Job'),
    made: undefined,
    twins: [deployment()],
  },
}

test.each(Object.entries(cases))(
  '%s does what it says, once, and leaves alone what it has no word about',
  (_, { profile, object: given, made, twins, over }) => {
    const before = structuredClone(given)
    expect(v.safeParse(profileSchema, profile).issues).toBe(undefined)
    const changed = under(profile, given, over)
    expect(changed).toEqual(made)
    expect(changed).not.toEqual(given)
    // pure, and the same when done twice
    expect(given).toEqual(before)
    if (changed) expect(under(profile, changed, over)).toEqual(changed)
    for (const twin of twins) expect(under(profile, twin, over)).toEqual(twin)
  },
)

/** Every path in a value. */
function pathsIn(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path]
  return [path, ...Object.entries(value).flatMap(([name, inner]) => pathsIn(inner, [...path, name]))]
}

function replaced(value: unknown, [name, ...rest]: readonly string[], by: unknown): unknown {
  if (name === undefined) return by
  if (Array.isArray(value)) return value.with(Number(name), replaced(value[Number(name)], rest, by))
  return { ...(value as object), [name]: replaced((value as Record<string, unknown>)[name], rest, by) }
}

const odd: readonly unknown[] = [null, '', 'x', 5, true, [], [null], ['x'], [5], [[]], [{}], {}, { a: null }, { a: 5 }]

test.each(Object.entries(cases))(
  '%s: whatever stands in a manifest is told at reading, or goes through',
  (_, { profile, object: given, over }) => {
    const rest = pathsIn(given).filter(([name]) => name !== undefined && !['apiVersion', 'kind', 'metadata'].includes(name))
    let through = 0
    for (const path of rest)
      for (const value of odd) {
        const changed = replaced(given, path, value) as KubeObject
        if (misfitOf(changed)) continue
        under(profile, changed, over)
        through++
      }
    expect(rest.length === 0 || through > 0).toBe(true)
  },
)

test('what is not as devkit reads it is told by its path', () => {
  const told = (one: KubeObject): unknown => {
    const { path, expected } = misfitOf(one) ?? { path: [], expected: '' }
    return `${path.join('.')}: ${expected}`
  }
  expect(told(pod({ containers: [] }))).toBe('spec.template.spec.containers: there')
  expect(told(box({ env: { A: '1' } }))).toBe('spec.template.spec.containers.0.env: a list')
  expect(told(box({ image: 5 }))).toBe('spec.template.spec.containers.0.image: a text')
  expect(told(pod({ nodeSelector: ['web'] }))).toBe('spec.template.spec.nodeSelector: names and values')
  expect(told(object('Service', {}))).toBe('spec: there')
  expect(told({ ...deployment(), metadata: { name: 'web', labels: [] as never } })).toBe('metadata.labels: names and values')
  // empty words, and a kind of the same name that is not Kubernetes' own
  expect(misfitOf(pod({ nodeSelector: null, volumes: null, affinity: null }))).toBe(undefined)
  expect(misfitOf(object('Job', { spec: { tasks: [] } }, 'batch.example.com/v1'))).toBe(undefined)
})

test('shares and patience are of what the manifest says', () => {
  const requests = { cpu: 1, memory: '1Gi', 'ephemeral-storage': '10G', 'nvidia.com/gpu': 4 }
  const scaled = podUnder({ requests: 0.25 }, { container: { resources: { requests, limits: { 'nvidia.com/gpu': 4 } } } })
  expect(scaled.containers[0]?.['resources']).toEqual({
    requests: { cpu: '250m', memory: '256Mi', 'ephemeral-storage': '2384Mi', 'nvidia.com/gpu': 4 },
    limits: { 'nvidia.com/gpu': 4 },
  })
  expect(podUnder({ requests: 1 }, { container: { resources: { limits: { cpu: '1' } } } })).toEqual(
    podUnder({}, { container: { resources: { limits: { cpu: '1' } } } }),
  )
  expect(
    podUnder({ requests: 0 }, { container: { resources: { requests: { cpu: '5m' } } } }).containers[0]?.['resources'],
  ).toEqual({ requests: { cpu: '1m' } })
  const patient = podUnder(
    { probes: { startup: { patience: 2, every: 1 }, liveness: { patience: 3 } } },
    {
      container: { startupProbe: { ...http, periodSeconds: 5, failureThreshold: 2 }, livenessProbe: http },
    },
  )
  expect(patient.containers[0]).toMatchObject({
    startupProbe: { periodSeconds: 1, failureThreshold: 20 },
    livenessProbe: { ...http, failureThreshold: 9 },
  })
})

test('a patch or a function that does not fit is told with the object and the place in the profile', () => {
  const wrong = (profile: Profile): unknown => {
    try {
      return under(profile, deployment())
    } catch (thrown) {
      return thrown instanceof DevkitError ? [thrown.code, thrown.message] : thrown
    }
  }
  expect(wrong({ patches: [{ select: 'Deployment', patch: [{ op: 'remove', path: '/spec/paused' }] }] })).toEqual([
    'RENDER-109',
    'patches.0 of the profile does not fit Deployment/web: there is no /spec/paused.',
  ])
  expect(wrong({ patches: [{ name: 'quick', select: 'Deployment', merge: { kind: null } }] })).toEqual([
    'RENDER-109',
    'patches.quick of the profile does not fit Deployment/web: what comes out is no object with apiVersion, kind and metadata.name.',
  ])
  const emptied = { spec: { template: { spec: { containers: null } } } }
  expect(wrong({ patches: [{ select: 'Deployment', merge: emptied }] })).toEqual([
    'RENDER-109',
    'patches.0 of the profile does not fit Deployment/web: spec.template.spec.containers has to be there.',
  ])
  expect(
    wrong({
      transform: () => {
        throw new Error('no such thing')
      },
    }),
  ).toEqual(['RENDER-109', 'transform.0 of the profile does not fit Deployment/web: no such thing.'])
})

test('a function that writes into what it gets changes nothing of the source', () => {
  const source = deployment()
  const write = (object: KubeObject): KubeObject =>
    Object.assign(object, { spec: { ...(object['spec'] as object), replicas: 7 } })
  expect(under({ transform: write }, source)).toMatchObject({ spec: { replicas: 7 } })
  expect(source).toEqual(deployment())
})

const shipped = { production, dev, ci, debug }
const profileOf = (name: keyof typeof shipped): Profile => resolveProfile(name, shipped, {}).profile

test('the shipped profiles are valid as they are, and production says nothing', () => {
  for (const profile of Object.values(shipped)) expect(v.safeParse(profileSchema, profile)).toMatchObject({ success: true })
  expect(profileOf('production')).toEqual({})
})

/** As production has it: spread over zones, on nodes of its own, behind a balancer. */
const demanding = [
  deployment({
    spec: { replicas: 3 },
    pod: {
      affinity: { podAntiAffinity: { [required]: [term] } },
      nodeSelector: { pool: 'web' },
      tolerations: [{ key: 'web' }],
      priorityClassName: 'high',
      runtimeClassName: 'gvisor',
      imagePullSecrets: [{ name: 'registry' }],
      securityContext: { runAsNonRoot: true },
      topologySpreadConstraints: [{ ...term, maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule' }],
    },
    container: {
      livenessProbe: { ...http, periodSeconds: 5 },
      resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '1', memory: '2Gi', 'nvidia.com/gpu': 1 } },
    },
  }),
  service({ type: 'LoadBalancer', ports: [{ port: 80 }] }),
  claim({ storageClassName: 'gp3', accessModes: ['ReadWriteMany'], ...ofSize('50Gi') }),
  object('HorizontalPodAutoscaler', {}, 'autoscaling/v2'),
  object('PodDisruptionBudget', {}, 'policy/v1'),
  object('ServiceMonitor', {}, 'monitoring.coreos.com/v1'),
]

test.each(['dev', 'ci', 'debug'] as const)('under %s one node can take what production spreads over many', (name) => {
  const images = new Map([['x/web', 'x/web:built']])
  const made = transform(demanding.map(manifestOf), inputFor(profileOf(name), { images }))
  expect(made.map(({ object: { kind } }) => kind)).toEqual(['Deployment', 'Service', 'PersistentVolumeClaim'])
  const share = name === 'ci' ? { cpu: '100m', memory: '102Mi' } : { cpu: '250m', memory: '256Mi' }
  expect(made[0]?.object['spec']).toEqual({
    replicas: 1,
    template: {
      spec: {
        containers: [
          {
            name: 'web',
            image: 'x/web:built',
            imagePullPolicy: 'IfNotPresent',
            ...(name === 'debug' ? {} : { livenessProbe: { ...http, periodSeconds: 5, failureThreshold: 9 } }),
            resources: { requests: share, ...(name === 'debug' ? {} : { limits: { memory: '2Gi' } }) },
          },
        ],
        affinity: { podAntiAffinity: { [preferred]: [{ weight: 100, podAffinityTerm: term }] } },
        securityContext: { runAsNonRoot: true },
        terminationGracePeriodSeconds: name === 'ci' ? 2 : 10,
        topologySpreadConstraints: [{ ...term, maxSkew: 1, whenUnsatisfiable: 'ScheduleAnyway' }],
      },
    },
  })
  expect(made[1]?.object['spec']).toEqual({ type: 'ClusterIP', ports: [{ port: 80 }] })
  expect(made[2]?.object['spec']).toEqual({ accessModes: ['ReadWriteOnce'], ...ofSize('1Gi') })
})

test('what is foreign is told by its group, not by a version that is gone or a kind that is misspelt', () => {
  const crd = object('CustomResourceDefinition', {
    spec: { group: 'own.example.com', names: { kind: 'Thing' }, versions: [{ name: 'v1' }] },
  })
  const { isForeign } = capabilitiesOf('1.34', [manifestOf(crd)])
  const foreign = ['monitoring.coreos.com/v1', 'gateway.networking.k8s.io/v1'].map((apiVersion) =>
    isForeign({ apiVersion, kind: 'X' }),
  )
  const known = ['v1', 'apps/v1', 'extensions/v1beta1', 'networking.k8s.io/v1beta1'].map((apiVersion) =>
    isForeign({ apiVersion, kind: 'X' }),
  )
  expect([foreign, known]).toEqual([
    [true, true],
    [false, false, false, false],
  ])
  expect(isForeign({ apiVersion: 'own.example.com/v1', kind: 'Thing' })).toBe(false)
})
