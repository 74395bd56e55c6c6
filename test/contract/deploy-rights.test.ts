import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkManifests, ownLabels } from '../../src/deploy/apply.ts'
import { Hooks } from '../../src/deploy/hooks.ts'
import { lookAtInventory, recordInventory } from '../../src/deploy/inventory.ts'
import { observe } from '../../src/deploy/observed.ts'
import { problemEvent } from '../../src/engine/step.ts'
import type { Kube } from '../../src/kube/kube.ts'
import type { Manifest } from '../../src/lib/objects.ts'
import { type ApiRig, openApiRig } from './api-rig.ts'

// What a user with too few rights is told.

let rig: ApiRig
let namespace: string
const environment = { project: 't-rights', env: 'default' }
const labels = ownLabels(environment.project, environment.env)
type Annotations = Readonly<Record<string, string>>

beforeAll(async () => {
  rig = await openApiRig()
  namespace = rig.namespace(`t-rights-${process.pid}`)
})
afterAll(() => rig?.[Symbol.asyncDispose]())

const manifests = (): readonly Manifest[] => [
  {
    object: { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace }, spec: { ports: [{ port: 80 }] } },
    origin: { file: 'k8s/web.yaml', line: 1 },
  },
  {
    object: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: 'web' } },
        template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'web:1' }] } },
      },
    },
    origin: { file: 'k8s/web.yaml', line: 9 },
  },
  {
    object: { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 't-rights' }, rules: [] },
    origin: { file: 'k8s/role.yaml', line: 1 },
  },
]
const following = [
  {
    apiGroups: ['', 'apps', 'batch'],
    resources: ['pods', 'deployments', 'statefulsets', 'daemonsets', 'replicasets', 'jobs'],
    verbs: ['list', 'watch'],
  },
  { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'create', 'patch'] },
]

/** What `up` does before its first write. */
async function check(kube: Kube, all: readonly Manifest[]): Promise<void> {
  await checkManifests(kube, all, { labels, namespace, observed: await observe(kube, all, rig.signal) }, rig.signal)
}

test('every right that is lacking is named before the first write: user, verb, resource, namespace and manifest (CLUSTER-113)', async () => {
  const kube = await rig.kubeOf('some', namespace, [
    { apiGroups: [''], resources: ['services'], verbs: ['get', 'patch', 'create'] },
    { apiGroups: ['apps'], resources: ['deployments'], verbs: ['get', 'list', 'watch', 'patch'] },
    { apiGroups: [''], resources: ['pods', 'configmaps'], verbs: ['*'] },
    { apiGroups: ['apps'], resources: ['statefulsets', 'daemonsets'], verbs: ['list', 'watch'] },
    { apiGroups: ['apps'], resources: ['replicasets'], verbs: ['list'] },
  ])
  const user = `system:serviceaccount:${namespace}:some`
  const told = problemEvent(await check(kube, manifests()).catch((thrown: unknown) => thrown))
  expect(told).toMatchObject({ code: 'CLUSTER-113', severity: 'failure' })
  expect(told.message.split('\n')).toEqual([
    '7 rights are lacking:',
    `${user} may not watch replicasets.apps in the namespace ${namespace}`,
    `${user} may not list, watch jobs.batch in the namespace ${namespace}`,
    `k8s/web.yaml:9: ${user} may not create deployments.apps in the namespace ${namespace}`,
    `k8s/role.yaml:1: ${user} may not get, patch, create clusterroles.rbac.authorization.k8s.io in the whole cluster`,
  ])
  expect(told.hint).toContain(`\`kubectl auth can-i watch replicasets.apps --namespace ${namespace}\``)
  expect(told.detail?.split('\n')).toContain(
    `Role in ${namespace}: { apiGroups: ["batch"], resources: [jobs], verbs: [list, watch] }`,
  )
  expect(rig.kubectl(['get', 'deployments,services', '--namespace', namespace, '--output=name'])).toBe('')
})

test('the rights in the own namespace are enough, without any to look at namespaces', async () => {
  const kube = await rig.kubeOf('own', namespace, [
    ...following,
    { apiGroups: ['', 'apps'], resources: ['services', 'deployments'], verbs: ['get', 'patch', 'create'] },
  ])
  await check(kube, manifests().slice(0, 2))
})

test('what goes in the run is asked for before the first write as well: what is made anew, what left, hooks that are done', async () => {
  const writer = [
    ...following,
    {
      apiGroups: ['', 'apps', 'batch'],
      resources: ['services', 'secrets', 'deployments', 'jobs'],
      verbs: ['get', 'list', 'patch', 'create'],
    },
  ]
  const kube = await rig.kubeOf('writer', namespace, writer)
  const user = `system:serviceaccount:${namespace}:writer`
  const inside = (apiVersion: string, kind: string, name: string, rest: object, annotations: Annotations = {}): Manifest => ({
    object: { apiVersion, kind, metadata: { name, namespace, labels, annotations }, ...rest },
    origin: { file: 'k8s/all.yaml', line: 1 },
  })
  const settings = (value: string): Manifest => inside('v1', 'Secret', 'fixed', { immutable: true, data: { value } })
  const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'none:1' }] } }
  const hooks = { 'helm.sh/hook': 'pre-install,pre-upgrade', 'helm.sh/hook-delete-policy': 'hook-succeeded' }
  const migrate = inside('batch/v1', 'Job', 'migrate', { spec: { template } }, hooks)
  const old = inside('v1', 'Service', 'old', { spec: { ports: [{ port: 80 }] } })
  for (const { object } of [settings('MQ=='), old]) await rig.kube.apply(object, rig.signal)
  await recordInventory(rig.kube, { namespace, ...environment }, { manifests: [settings('MQ=='), old] }, rig.signal)

  const up = async (all: readonly Manifest[]): Promise<string> => {
    const observed = await observe(kube, all, rig.signal)
    const known = { manifests: all, observed }
    const { leaving } = await lookAtInventory(
      kube,
      { namespace, ...environment },
      { manifests: all, pruneData: false },
      rig.signal,
    )
    const opened = await Hooks.open(kube, { namespace, ...environment }, known, rig.signal)
    const removals = [...leaving, ...(await opened.removals(all, rig.signal))]
    const checked = checkManifests(kube, all, { labels, namespace, observed, removals }, rig.signal)
    return problemEvent(await checked.catch((thrown: unknown) => thrown)).message
  }
  expect(await up([settings('MQ=='), migrate])).toBe(
    [
      '2 rights are lacking:',
      `${user} may not delete services in the namespace ${namespace}`,
      `${user} may not delete jobs.batch in the namespace ${namespace}`,
    ].join('\n'),
  )
  expect(await up([settings('Mg=='), old])).toBe(`${user} may not delete secrets in the namespace ${namespace}.`)
})

test('a read that is refused is told as what it is, wherever it was needed (CLUSTER-113)', async () => {
  const kube = await rig.kubeOf('none', namespace, [])
  const user = `system:serviceaccount:${namespace}:none`
  const failed = async (work: Promise<unknown>): Promise<object> => problemEvent(await work.catch((thrown: unknown) => thrown))
  expect(await failed(recordInventory(kube, { namespace, ...environment }, { manifests: [] }, rig.signal))).toMatchObject({
    code: 'CLUSTER-113',
    message: `${user} may not get configmaps in the namespace ${namespace}.`,
  })
  expect(await failed(kube.list({ apiVersion: 'v1', kind: 'Node' }, rig.signal))).toMatchObject({
    code: 'CLUSTER-113',
    message: `${user} may not list nodes in the whole cluster.`,
    hint: expect.stringContaining('`kubectl auth can-i list nodes`'),
  })
  const ref = { namespace, pod: 'web', container: 'web', command: ['true'] }
  expect(await failed(kube.exec(ref, rig.signal))).toMatchObject({
    code: 'CLUSTER-113',
    message: expect.stringMatching(/may not (create|get) pods\/exec in the namespace/),
    hint: expect.stringMatching(/can-i (create|get) pods --subresource exec --namespace/),
  })
})

test('who grants what they may not do themselves is told so, with the place of the Role (CLUSTER-113)', async () => {
  const kube = await rig.kubeOf('granter', namespace, [
    ...following,
    { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles'], verbs: ['get', 'patch', 'create'] },
  ])
  const rules = [{ apiGroups: [''], resources: ['secrets'], verbs: ['delete'] }]
  const role: Manifest = {
    object: { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'grants', namespace }, rules },
    origin: { file: 'k8s/role.yaml', line: 4 },
  }
  await expect(check(kube, [role])).rejects.toMatchObject({
    code: 'CLUSTER-113',
    message: `k8s/role.yaml:4: system:serviceaccount:${namespace}:granter may not escalate roles.rbac.authorization.k8s.io in the namespace ${namespace}.`,
  })
})
