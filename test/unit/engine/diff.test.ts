import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { beyond, budgetOf } from '../../../src/engine/budget.ts'
import { diffLive, diffProfiles } from '../../../src/engine/diff.ts'
import type { Diff, FieldDiff } from '../../../src/events/diff.ts'
import type { Kube } from '../../../src/kube/kube.ts'
import { ApiFailure } from '../../../src/kube/kube.ts'
import type { KubeObject } from '../../../src/lib/objects.ts'
import type { Plan } from '../../../src/plan/plan.ts'
import { manifestsOf } from '../../e2e/tools/app.ts'
import { devkitAt, devkitIn, partsWith, planIn, writeApp } from './rig.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'devkit-diff-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const production = (): Plan => planIn(directory, {}, { profileName: 'production' })
const diff = (a: Plan, b: Plan, shell: boolean | 'none' = true): Promise<Diff> =>
  diffProfiles(a, b, partsWith(shell), { signal: new AbortController().signal })

/** The fields of one object, by their paths. */
function fieldsOf({ objects }: Diff, name: string): Readonly<Record<string, FieldDiff>> {
  const found = objects.find(({ object }) => object === name)
  return Object.fromEntries((found?.fields ?? []).map((field) => [field.path, field]))
}

test('production against dev: every field with its rule, the supervisor and the image too', async () => {
  writeApp(directory, { resources: { limits: { cpu: '1', memory: '64Mi' } } })
  const profile = { supervise: true, cpuLimits: 'drop' as const, services: { web: { env: { DEBUG: '1' } } } }
  const origins = { supervise: 'dev (shipped)', cpuLimits: 'dev (shipped)', 'services.web.env.DEBUG': 'dev' }
  const found = await diff(production(), planIn(directory, profile, { profileOrigins: origins }))
  expect({ before: found.before, after: found.after, notes: found.notes }).toEqual({
    before: 'production',
    after: 'dev',
    notes: [],
  })
  expect(found.objects.map(({ object, file, line, is }) => ({ object, file, line, is }))).toEqual([
    { object: 'Deployment/web', file: 'k8s/app.yaml', line: 1, is: 'changed' },
    { object: 'Service/web', file: 'k8s/app.yaml', line: 52, is: 'changed' },
  ])
  const fields = fieldsOf(found, 'Deployment/web')
  const container = 'spec.template.spec.containers[web]'
  expect(fields['metadata.namespace']).toEqual({ path: 'metadata.namespace', after: 'shop', rule: 'devkit: namespace' })
  expect(fields[`${container}.image`]).toMatchObject({
    before: 'registry.example.com/shop/web:1.0',
    after: expect.stringMatching(/:devkit-[0-9a-f]{12}$/),
    rule: 'devkit: images',
  })
  expect(fields[`${container}.resources.limits.cpu`]).toEqual({
    path: `${container}.resources.limits.cpu`,
    before: '1',
    rule: 'dev (shipped): cpuLimits',
  })
  expect(fields[`${container}.command`]).toMatchObject({ rule: 'devkit: supervisor' })
  expect(fields[`${container}.env`]?.rule).toBe('dev: services.web.env.DEBUG')
  expect(Object.values(fields).filter(({ rule }) => rule === undefined)).toEqual([])
  expect(fieldsOf(found, 'Service/web')).toEqual({
    'metadata.namespace': { path: 'metadata.namespace', after: 'shop', rule: 'devkit: namespace' },
  })
})

test('a writable copy is a difference with its rule', async () => {
  writeApp(directory, { securityContext: { readOnlyRootFilesystem: true } })
  const existing = { spec: { existing: { context: 'theirs' } }, name: 'theirs', project: 'shop', hostPorts: [] }
  const fields = fieldsOf(
    await diff(production(), planIn(directory, { writable: true }, { cluster: existing })),
    'Deployment/web',
  )
  expect(fields['spec.template.spec.initContainers']).toMatchObject({ rule: 'devkit: writable copies' })
})

const rich = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: rich }
spec:
  replicas: 3
  strategy: { type: RollingUpdate, rollingUpdate: { maxSurge: 2, maxUnavailable: 0 } }
  selector: { matchLabels: { app: rich } }
  template:
    metadata: { labels: { app: rich } }
    spec:
      terminationGracePeriodSeconds: 120
      priorityClassName: high
      nodeSelector: { pool: web }
      tolerations: [{ key: web, operator: Exists }]
      imagePullSecrets: [{ name: registry }]
      affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: host, labelSelector: {} }] } }
      topologySpreadConstraints: [{ maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {} }]
      volumes: [{ name: data, persistentVolumeClaim: { claimName: data } }]
      initContainers: [{ name: init, image: registry.example.com/shop/web, resources: { limits: { cpu: '2' } } }]
      containers:
        - name: rich
          image: registry.example.com/shop/web:1.0
          env: [{ name: A, value: '1' }, { name: B, value: '2' }]
          resources: { limits: { cpu: '2', memory: 2Gi }, requests: { cpu: '2', memory: 1Gi } }
          livenessProbe: { httpGet: { path: /, port: 80 }, initialDelaySeconds: 60, periodSeconds: 30 }
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: { name: rich }
spec: { minReplicas: 3, maxReplicas: 9, scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: rich } }
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: rich }
spec: { minAvailable: 2, selector: { matchLabels: { app: rich } } }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: data }
spec: { storageClassName: fast-ssd, accessModes: [ReadWriteOnce], resources: { requests: { storage: 500Gi } } }
---
apiVersion: v1
kind: Service
metadata: { name: rich }
spec: { type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0/8], selector: { app: rich }, ports: [{ port: 80 }] }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: rich }
spec: { rules: [{ host: shop.example.com, http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: rich, port: { number: 80 } } } }] } }] }
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: { name: rich }
spec: { selector: {} }
`

test.each([
  ['production', 'dev'],
  ['production', 'ci'],
  ['debug', 'production'],
  ['dev', 'ci'],
])('%s against %s: no field and no object without a rule', async (before, after) => {
  const services = { web: { env: { A: '9', C: '3' }, args: ['x'] } }
  writeApp(directory, {}, { profiles: { dev: { services, hosts: { 'shop.example.com': 'shop.localhost' } } } })
  writeFileSync(join(directory, 'k8s/rich.yaml'), rich)
  const { code, stdout } = await devkitIn(directory, 'diff', before, after, '--json')
  expect(code).toBe(0)
  const { objects } = JSON.parse(stdout) as Diff
  expect(objects.length).toBeGreaterThan(0)
  const nameless = objects.flatMap(({ object, is, rule, fields }) =>
    is === 'changed'
      ? fields.filter((field) => !field.rule).map(({ path }) => `${object} ${path}`)
      : rule === undefined
        ? [`${object} ${is}`]
        : [],
  )
  expect(nameless).toEqual([])
})

test('what no longer holds is told as such; a profile has no difference to itself', async () => {
  writeApp(directory)
  const dev = planIn(directory, { services: { web: { replicas: 2 } } }, { profileOrigins: { 'services.web.replicas': 'dev' } })
  expect(fieldsOf(await diff(dev, production()), 'Deployment/web')['spec.replicas']).toMatchObject({
    before: 2,
    after: 1,
    rule: 'without dev: services.web.replicas',
  })
  expect((await diff(dev, dev)).objects).toEqual([])
  expect((await diff(production(), production())).objects).toEqual([])
})

test('Secrets: who named them, which keys, no value of either side', async () => {
  writeApp(directory)
  writeFileSync(join(directory, '.env'), 'PASSWORD=sentinel-local\n')
  const inManifests = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'web', annotations: { a: 'sentinel-3' } } }
  writeFileSync(
    join(directory, 'k8s/secret.yaml'),
    manifestsOf({ ...inManifests, data: { OLD: 'sentinel-1' }, stringData: { PASSWORD: 'sentinel-2' } }),
  )
  const secrets = { web: { keys: { PASSWORD: 'string' as const } }, mail: {} }
  const dev = planIn(directory, {}, { secrets, profileOrigins: { 'secrets.mail.from': 'dev' } })
  const found = await diff(production(), dev)
  expect(found.objects.filter(({ object }) => object.startsWith('Secret/'))).toEqual([
    expect.objectContaining({
      object: 'Secret/web',
      is: 'changed',
      fields: [
        { path: 'metadata.namespace', after: 'shop', rule: 'devkit: namespace' },
        { path: 'data.PASSWORD', after: '***', rule: 'config: secrets.web' },
        { path: 'stringData', before: { PASSWORD: '***' }, rule: 'config: secrets.web' },
      ],
    }),
    { object: 'Secret/mail', file: 'devkit.config.json', line: 1, is: 'added', rule: 'dev: secrets.mail', fields: [] },
  ])
  expect(JSON.stringify(found)).not.toContain('sentinel')
})

/** What differs from a cluster in that state, with those objects in it. A server's defaults are what its `apply` adds. */
function live(state: string, objects: readonly KubeObject[] = [], wanted = planIn(directory, {})): Promise<Diff> {
  const parts = partsWith(true)
  const kube: Pick<Kube, 'untilReady' | 'get' | 'list' | 'apply'> & AsyncDisposable = {
    untilReady: async () => undefined,
    list: async ({ kind }) => objects.filter((object) => object.kind === kind),
    get: async ({ kind, name }) => objects.find((object) => object.kind === kind && object.metadata.name === name),
    apply: async (object, _signal, options) => {
      expect(options).toEqual({ dryRun: true, force: true })
      const there = objects.find(({ kind, metadata }) => kind === object.kind && metadata.name === object.metadata.name)
      if (object.kind === 'Service') throw new ApiFailure(422, 'Invalid', 'spec.clusterIP: field is immutable')
      return { ...there, ...object, metadata: { ...object.metadata, resourceVersion: '2', uid: 'u' }, status: { ready: false } }
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
  const find = async () => ({ state, cluster: { kubeconfig: 'x', nodes: [] } })
  const with_ = { ...parts, tools: { ...parts.tools, provider: { kind: { find } } }, openKube: async () => kube }
  return diffLive(wanted, with_ as never, { signal: new AbortController().signal, say: () => undefined })
}

test.each(['absent', 'making'])('a cluster that is %s has nothing live: all would be added', async (state) => {
  writeApp(directory)
  expect(await live(state)).toEqual({
    before: 'live',
    after: 'local',
    objects: ['Deployment/web', 'Service/web'].map((object) => expect.objectContaining({ object, is: 'added', fields: [] })),
    notes: [`the cluster is ${state}: nothing is live`],
    problems: [],
  })
})

test('a cluster that is stopped cannot be asked', async () => {
  writeApp(directory)
  await expect(live('stopped')).rejects.toMatchObject({ code: 'CLUSTER-104', message: expect.stringContaining('stopped') })
})

test('live: what an apply would change, what left the manifests, and no value of a Secret', async () => {
  writeApp(directory)
  writeFileSync(join(directory, '.env'), 'A=sentinel-1\n')
  const plan = planIn(directory, {}, { secrets: { web: { keys: { A: 'string', B: { generate: 9 } } } } })
  const labels = { 'devkit.dev/project': 'shop', 'devkit.dev/env': 'default' }
  const of = (apiVersion: string, kind: string, name: string, rest: object): KubeObject => ({
    apiVersion,
    kind,
    metadata: { name, namespace: 'shop', labels, uid: 'u', resourceVersion: '1', managedFields: [] },
    ...rest,
  })
  const refs = [
    { apiVersion: 'v1', kind: 'ConfigMap', name: 'gone' },
    { apiVersion: 'v1', kind: 'Service', name: 'devkit-web-http' },
    { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', namespace: 'shop' },
  ]
  const found = await live(
    'running',
    [
      of('v1', 'Secret', 'web', { type: 'Opaque', data: { A: 'c2VudGluZWwtMg==', B: 'a2VwdA==' } }),
      of('v1', 'Service', 'web', { spec: { selector: { app: 'other' }, clusterIP: '10.0.0.1', ports: [] } }),
      of('v1', 'ConfigMap', 'devkit-inventory', { data: { objects: JSON.stringify(refs) } }),
    ],
    plan,
  )
  expect(found.objects).toEqual([
    expect.objectContaining({ object: 'Deployment/web', is: 'added' }),
    expect.objectContaining({
      object: 'Service/web',
      is: 'changed',
      fields: [
        { path: 'spec.selector.app', before: 'other', after: 'web' },
        { path: 'spec.ports[80]', after: { name: 'http', port: 80, targetPort: 'http' } },
      ],
    }),
    expect.objectContaining({
      object: 'Secret/web',
      is: 'changed',
      fields: [{ path: 'data.A', before: '***', after: '***' }],
    }),
    { object: 'ConfigMap/gone', is: 'removed', reason: 'left the manifests', fields: [] },
  ])
  expect(JSON.stringify(found)).not.toMatch(/c2VudGluZWw|sentinel/)
})

test('a budget allows what it names, as it is; what devkit does by itself is none of it', () => {
  const field = (path: string, after: unknown, rule: string): FieldDiff => ({ path, before: 1, after, rule })
  const object = { object: 'Deployment/web', file: 'k8s/web.yaml', line: 1, is: 'changed' as const }
  const of = (...fields: FieldDiff[]): Diff => ({
    before: 'production',
    after: 'dev',
    objects: [
      { ...object, fields },
      { object: 'Job/seed', file: 'k8s/seed.yaml', line: 1, is: 'removed', rule: 'dev: skip', fields: [] },
    ],
    notes: [],
  })
  const replicas = field('spec.replicas', 2, 'dev: maxReplicas')
  const image = field('image', 'x:devkit-1', 'devkit: images')
  const budget = budgetOf(of(replicas, image))
  expect(budget).toEqual({ 'Deployment/web': { 'spec.replicas': '1 → 2 (dev: maxReplicas)' }, 'Job/seed': 'removed (dev: skip)' })
  expect(beyond(of(replicas, { ...image, after: 'x:devkit-2' }), budget)).toEqual({ objects: [], unused: 0 })
  const other = field('spec.replicas', 3, 'dev: maxReplicas')
  const more = field('spec.paused', true, 'dev: patches.0')
  expect(beyond(of(other, more), budget)).toEqual({ objects: [{ ...object, fields: [other, more] }], unused: 1 })
  expect(beyond({ ...of(), objects: [] }, budget)).toEqual({ objects: [], unused: 2 })
})

test('devkit diff production dev: a document of its schema, a budget in a file, exit codes', async () => {
  writeApp(directory, {}, { profiles: { dev: { services: { web: { env: { DEBUG: '1' } } } } } })
  const run = (...argv: string[]) => devkitIn(directory, 'diff', 'production', 'dev', ...argv)
  const plain = await run()
  expect(plain.code).toBe(0)
  expect(plain.stdout).toContain('production → dev: ')
  expect(plain.stdout).toMatch(/^Deployment\/web {2}k8s\/app\.yaml:1$/m)
  expect(plain.stdout).toMatch(/^ {2}\+ spec\..*\.env: \[\{"name":"DEBUG","value":"1"\}\] {2}dev: services\.web\.env\.DEBUG$/m)
  expect(plain.stderr).toContain('web: no container engine answers')
  const { code, stdout } = await run('--json', '--check', '--quiet')
  expect(code).toBe(1)
  const schema = readFileSync(join(import.meta.dirname, '../../../schema/diff.json'), 'utf8')
  const validate = new Ajv({ strict: false }).compile(JSON.parse(schema) as object)
  expect({ valid: validate(JSON.parse(stdout)), errors: validate.errors }).toEqual({ valid: true, errors: null })

  expect(await run('--check', 'drift.yaml')).toMatchObject({ code: 2, stderr: expect.stringContaining('There is no file') })
  expect(await run('--check', 'drift.yaml', '--update')).toMatchObject({ code: 0, stdout: '' })
  expect(readFileSync(join(directory, 'drift.yaml'), 'utf8')).toContain('(dev: services.web.env.DEBUG)')
  expect(await run('--check', 'drift.yaml')).toMatchObject({ code: 0, stdout: 'production → dev: no difference\n' })
  writeApp(directory, {}, { profiles: { dev: { services: { web: { env: { DEBUG: '2' } } } } } })
  const failed = await run('--check', 'drift.yaml')
  expect(failed.code).toBe(1)
  expect(failed.stdout).toMatch(/^production → dev: 1 difference in 1 object$/m)
  expect(failed.stderr).toContain('drift.yaml: 1 of what it allows no longer differs')
  writeFileSync(join(directory, 'drift.yaml'), 'objects: [')
  expect(await run('--check', 'drift.yaml')).toMatchObject({ code: 2, stderr: expect.stringContaining('cannot be read') })
  for (const wrong of ['objects: [a]', 'objects: { Deployment/web: 3 }', 'agreed']) {
    writeFileSync(join(directory, 'drift.yaml'), wrong)
    expect(await run('--check', 'drift.yaml')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is no list of what may differ'),
    })
  }
  writeFileSync(join(directory, 'drift.yaml'), '')
  expect(await run('--check', 'drift.yaml')).toMatchObject({ code: 1, stderr: expect.not.stringContaining('CONFIG-001') })
})

test('a Secret without a value has the place where the config names it', async () => {
  writeApp(directory, {}, { secrets: { mail: { keys: { A: 'url' } } } })
  expect(await devkitIn(directory, 'diff')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/SECRET-101 \/.*\/devkit\.config\.json:\d+:\d+: Secret\/mail has no value for A\./),
  })
})

test('colours on a terminal, unless they are not wanted', async () => {
  writeApp(directory)
  const terminal = { directory, isTTY: true }
  const drawn = (await devkitAt(terminal, 'diff', 'production', 'dev')).stdout
  expect(drawn).toContain('\u001b[32m+ metadata.namespace: "shop"\u001b[39m  \u001b[2mdevkit: namespace')
  expect((await devkitAt(terminal, 'diff', 'production', 'dev', '--no-color')).stdout).toBe(
    (await devkitIn(directory, 'diff', 'production', 'dev')).stdout,
  )
})

test.each([
  [['dev'], "'dev' is one profile"],
  [['production'], 'Write `devkit diff production dev`'],
  [['production', 'dev', '--update'], '--update needs a file'],
  [['production', 'nobody'], "There is no profile 'nobody'"],
  [['production', 'dev', '--check', 'nowhere/drift.yaml', '--update'], 'drift.yaml cannot be written: '],
])('devkit diff %j is a usage error', async (argv, message) => {
  writeApp(directory)
  expect(await devkitIn(directory, 'diff', ...argv)).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining(message),
  })
})
