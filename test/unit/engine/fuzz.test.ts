import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import dev from '../../../profiles/dev.ts'
import { wholePlan } from '../../../src/engine/infer.ts'
import { preview } from '../../../src/engine/preview.ts'
import { DevkitError, problems } from '../../../src/lib/errors.ts'
import type { Plan } from '../../../src/plan/plan.ts'
import { type Chance, chance, mutatedText, mutatedValue } from '../fuzz.ts'
import { partsWith, planIn } from './rig.ts'

const directory = mkdtempSync(join(tmpdir(), 'devkit-fuzz-'))
mkdirSync(join(directory, 'k8s'))
afterAll(() => rmSync(directory, { recursive: true }))

const labels = { app: 'web' }
const container = {
  name: 'web',
  image: 'shop/web:1',
  ports: [{ name: 'http', containerPort: 8080 }],
  env: [
    { name: 'DB', value: 'postgres://db:5432' },
    { name: 'KEY', valueFrom: { secretKeyRef: { name: 'keys', key: 'a', optional: true } } },
    { name: 'MODE', valueFrom: { configMapKeyRef: { name: 'settings', key: 'MODE' } } },
  ],
  envFrom: [{ configMapRef: { name: 'settings' } }],
  resources: { requests: { cpu: '1', memory: '64Mi' }, limits: { cpu: 2 } },
  readinessProbe: { httpGet: { path: '/', port: 'http' } },
  volumeMounts: [{ name: 'data', mountPath: '/data' }],
}
const spec = {
  initContainers: [{ name: 'first', image: 'busybox' }],
  containers: [container],
  volumes: [
    { name: 'data', persistentVolumeClaim: { claimName: 'data' } },
    { name: 'all', projected: { sources: [{ configMap: { name: 'settings' } }] } },
  ],
  affinity: {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'a', labelSelector: { matchLabels: labels } }],
    },
  },
  tolerations: [{ key: 'a', operator: 'Exists' }],
  topologySpreadConstraints: [
    { maxSkew: 1, topologyKey: 'a', whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: labels } },
  ],
  imagePullSecrets: [{ name: 'registry' }],
  serviceAccountName: 'web',
}
const template = { metadata: { labels }, spec }
const object = (apiVersion: string, kind: string, rest: object) => ({ apiVersion, kind, metadata: { name: 'web' }, ...rest })

/** Objects that together have whatever a transform, a check or the inference looks at. */
const bases = [
  object('apps/v1', 'Deployment', {
    spec: { replicas: 3, selector: { matchLabels: labels }, strategy: { type: 'Recreate' }, template },
  }),
  object('apps/v1', 'StatefulSet', {
    spec: {
      serviceName: 'web',
      selector: { matchLabels: labels },
      template,
      volumeClaimTemplates: [
        {
          metadata: { name: 'data' },
          spec: { accessModes: ['ReadWriteMany'], storageClassName: 'x', resources: { requests: { storage: '1Ti' } } },
        },
      ],
    },
  }),
  object('batch/v1', 'CronJob', { spec: { schedule: '* * * * *', jobTemplate: { spec: { template } } } }),
  object('v1', 'Pod', { spec }),
  object('v1', 'Service', {
    spec: { type: 'LoadBalancer', selector: labels, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
  }),
  object('networking.k8s.io/v1', 'Ingress', {
    spec: {
      defaultBackend: { service: { name: 'web', port: { number: 80 } } },
      tls: [{ hosts: ['a.example.com'], secretName: 'tls' }],
      rules: [
        {
          host: 'a.example.com',
          http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { name: 'http' } } } }] },
        },
      ],
    },
  }),
  object('v1', 'ConfigMap', { data: { MODE: 'a', URL: 'http://web:80' } }),
  object('v1', 'PersistentVolumeClaim', {
    spec: { storageClassName: 'fast', accessModes: ['ReadWriteMany'], resources: { requests: { storage: '5Gi' } } },
  }),
  object('autoscaling/v2', 'HorizontalPodAutoscaler', {
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } },
  }),
  object('policy/v1', 'PodDisruptionBudget', { spec: { selector: { matchLabels: labels } } }),
  object('rbac.authorization.k8s.io/v1', 'RoleBinding', {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'x' },
    subjects: [{ kind: 'ServiceAccount', name: 'web' }],
  }),
  object('apiextensions.k8s.io/v1', 'CustomResourceDefinition', {
    spec: {
      group: 'a.example.com',
      scope: 'Namespaced',
      names: { kind: 'Web', plural: 'webs' },
      versions: [{ name: 'v1', served: true }],
    },
  }),
  { apiVersion: 'v1', kind: 'List', items: [object('v1', 'Secret', { stringData: { a: 'b' } })] },
]

/** Renders a manifest as every verb does, under a profile that does everything; undefined when it can. */
async function problemOf(text: string, file: string): Promise<unknown> {
  writeFileSync(join(directory, 'k8s', file), text)
  const plan: Plan = { ...planIn(directory, dev), services: [] }
  const config = {
    project: 'shop',
    cluster: { kind: { nodeImage: undefined } },
    manifests: ['k8s'],
    services: {},
    secrets: {},
    ignore: [],
    profiles: {},
  }
  const parts = partsWith(undefined)
  const step = { signal: new AbortController().signal }
  try {
    const whole = await wholePlan(plan, config, parts, step)
    await preview(whole.plan, parts, step)
    return undefined
  } catch (thrown) {
    return thrown
  } finally {
    rmSync(join(directory, 'k8s', file))
  }
}

function expectTold(problem: unknown, text: string): void {
  if (problem === undefined) return
  const isPlaced = problem instanceof DevkitError && (!problem.code.startsWith('RENDER') || /:\d+: /.test(problem.message))
  if (!isPlaced || problems[problem.code].exit !== 2)
    throw new Error(`neither rendered nor told with a place: ${String(problem)}\n${text}`, { cause: problem })
}

async function fuzz(times: number, seed: number, make: (random: Chance) => { text: string; file: string }): Promise<number> {
  let rendered = 0
  for (let round = 0; round < times; round++) {
    const { text, file } = make(chance(seed + round))
    const problem = await problemOf(text, file)
    expectTold(problem, text)
    if (problem === undefined) rendered++
  }
  return rendered
}

test('2,000 changed manifests are rendered or told with a place', { timeout: 120_000 }, async () => {
  const rendered = await fuzz(2000, 1, (random) => {
    const value = mutatedValue(random.pick(bases), random)
    return random.below(3) === 0
      ? { text: stringify(value ?? null), file: 'a.yaml' }
      : { text: JSON.stringify(value) ?? '', file: 'a.json' }
  })
  expect(rendered).toBeGreaterThan(400)
})

test('500 changed texts of manifests are rendered or told with a place', { timeout: 120_000 }, async () => {
  const texts = bases.map((base) => stringify(base))
  const rendered = await fuzz(500, 100_000, (random) => ({ text: mutatedText(random.pick(texts), random), file: 'a.yaml' }))
  expect(rendered).toBeGreaterThan(20)
})
