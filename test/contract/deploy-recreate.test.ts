import { afterAll, beforeAll, expect, test } from 'vitest'
import { applyManifest, checkManifests, ownLabels } from '../../src/deploy/apply.ts'
import { driftOf } from '../../src/deploy/drift.ts'
import { observe } from '../../src/deploy/observed.ts'
import { removeWhole } from '../../src/deploy/remove.ts'
import type { KubeObject, Manifest, ObjectRef } from '../../src/lib/objects.ts'
import { baseImage } from '../lab/recipe.ts'
import { type ApiRig, openApiRig } from './api-rig.ts'
import { projectOn } from './program.ts'

// What becomes of objects whose manifest changes what is fixed for their lifetime, by what a server says of it.

let rig: ApiRig
let namespace: string
const id = `t-recreate-${process.pid}`
const labels = ownLabels('t-recreate', 'default')
const outside = [`crd/things.${id}.devkit.test`, `storageclass/${id}`, `persistentvolume/${id}`]

beforeAll(async () => {
  rig = await openApiRig()
  namespace = rig.namespace(id)
})
afterAll(async () => {
  rig.kubectl(['delete', '--ignore-not-found', '--wait=false', ...outside])
  await rig[Symbol.asyncDispose]()
})

const manifest = (apiVersion: string, kind: string, name: string, rest: object, isInside = true): Manifest => ({
  object: { apiVersion, kind, metadata: { name, ...(isInside && { namespace }) }, ...rest } as KubeObject,
  origin: { file: 'k8s/all.yaml', line: 7 },
})
const podTemplate = (app: string, over: object = {}) => ({
  metadata: { labels: { app } },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'main', image: baseImage, imagePullPolicy: 'Never', command: ['sleep', 'infinity'], ...over }],
  },
})
const selector = (app: string) => ({ matchLabels: { app } })
const uidOf = async (ref: ObjectRef): Promise<string | undefined> => (await rig.kube.get(ref, rig.signal))?.metadata.uid
const inside = (apiVersion: string, kind: string, name: string): ObjectRef => ({ apiVersion, kind, name, namespace })

/** All that a run does of manifests: what would be lost, and what was done. */
async function run(mayLose: boolean, ...manifests: readonly Manifest[]) {
  const observed = await observe(rig.kube, manifests, rig.signal)
  const options = { labels, observed, mayLose }
  const { losses } = await checkManifests(rig.kube, manifests, { ...options, namespace }, rig.signal)
  const done = []
  for (const one of manifests) done.push(await applyManifest(rig.kube, one, options, rig.signal))
  return { losses, done }
}

const harmless: readonly (readonly [what: string, apiVersion: string, kind: string, before: object, after: object])[] = [
  ['the selector of a Deployment', 'apps/v1', 'Deployment', ...selectors({ replicas: 0 })],
  ['the selector of a DaemonSet', 'apps/v1', 'DaemonSet', ...selectors({})],
  ['the template of a Job', 'batch/v1', 'Job', ...jobs()],
  ['a Service that gets an IP', 'v1', 'Service', ...services({ clusterIP: 'None' }, {})],
  ['a Service that loses its IP', 'v1', 'Service', ...services({}, { clusterIP: 'None' })],
  ['an immutable ConfigMap', 'v1', 'ConfigMap', { immutable: true, data: { a: '1' } }, { immutable: true, data: { a: '2' } }],
  ['the type of a Secret', 'v1', 'Secret', { type: 'Opaque' }, { type: 'devkit.test/other' }],
  ['the role of a RoleBinding', 'rbac.authorization.k8s.io/v1', 'RoleBinding', roleOf('view'), roleOf('edit')],
]

function selectors(spec: object): readonly [object, object] {
  const of = (app: string) => ({
    spec: {
      ...spec,
      selector: selector(app),
      template: { ...podTemplate(app), spec: { ...podTemplate(app).spec, nodeSelector: { none: 'x' } } },
    },
  })
  return [of('one'), of('two')]
}

function jobs(): readonly [object, object] {
  const of = (command: string) => {
    const template = podTemplate('job', { command: [command] })
    return { spec: { suspend: true, template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } } }
  }
  return [of('one'), of('two')]
}

function services(before: object, after: object): readonly [object, object] {
  const of = (spec: object) => ({ spec: { ports: [{ port: 80 }], ...spec } })
  return [of(before), of(after)]
}

function roleOf(name: string): object {
  return { roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name }, subjects: [] }
}

test.concurrent.each(harmless)('%s: the object is made anew, and that is said', async (what, apiVersion, kind, before, after) => {
  const name = `made-anew-${harmless.findIndex((one) => one[0] === what)}`
  const ref = inside(apiVersion, kind, name)
  await run(false, manifest(apiVersion, kind, name, before))
  const first = await uidOf(ref)
  const { losses, done } = await run(false, manifest(apiVersion, kind, name, after))
  expect(losses).toEqual([])
  expect(done).toMatchObject([{ outcome: 'configured', remark: expect.stringContaining(`${kind}/${name} is made anew, since `) }])
  expect(await uidOf(ref)).not.toBe(first)
  expect((await run(false, manifest(apiVersion, kind, name, after))).done).toMatchObject([{ outcome: 'unchanged' }])
})

test.concurrent('a StatefulSet: its claims keep what is in them, and its pods live on where the new one can use them', async () => {
  const set = (app: string, storage: string) =>
    manifest('apps/v1', 'StatefulSet', 'db', {
      spec: {
        serviceName: 'db',
        selector: selector(app),
        template: podTemplate(app, { volumeMounts: [{ name: 'data', mountPath: '/data' }] }),
        volumeClaimTemplates: [
          { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } } },
        ],
      },
    })
  const pod = inside('v1', 'Pod', 'db-0')
  const claim = inside('v1', 'PersistentVolumeClaim', 'data-db-0')
  const untilReady = (app: string) =>
    rig.kubectlUntil(['wait', '-n', namespace, 'pod', '-l', `app=${app}`, '--for=condition=Ready', '--timeout=90s'])
  const untilRolled = () => rig.kubectlUntil(['rollout', 'status', 'statefulset/db', '-n', namespace, '--timeout=90s'])
  const content = () => rig.kubectl(['exec', '-n', namespace, 'db-0', '--', 'cat', '/data/kept'])
  await run(false, set('db', '1Mi'))
  await untilRolled()
  rig.kubectl(['exec', '-n', namespace, 'db-0', '--', 'sh', '-c', 'echo yes > /data/kept'])
  const [podBefore, claimBefore] = [await uidOf(pod), await uidOf(claim)]

  const resized = await run(false, set('db', '2Mi'))
  expect(resized.done).toMatchObject([{ outcome: 'configured', remark: expect.stringContaining('its claims stay') }])
  await untilRolled()
  expect([await uidOf(pod), await uidOf(claim)]).toEqual([podBefore, claimBefore])
  expect((await rig.kube.get(pod, rig.signal))?.metadata.ownerReferences?.[0]?.uid).toBe(resized.done[0]?.object.metadata.uid)

  await run(false, set('renamed', '2Mi'))
  await untilRolled()
  await untilReady('renamed')
  expect(await uidOf(pod)).not.toBe(podBefore)
  expect(await uidOf(claim)).toBe(claimBefore)
  expect(content()).toBe('yes\n')
})

const claimOf = (volumeName: string, name = 'claimed') =>
  manifest('v1', 'PersistentVolumeClaim', name, {
    spec: { accessModes: ['ReadWriteOnce'], storageClassName: '', volumeName, resources: { requests: { storage: '1Mi' } } },
  })
const classOf = (reclaimPolicy: string) =>
  manifest('storage.k8s.io/v1', 'StorageClass', id, { provisioner: 'devkit.test/none', reclaimPolicy }, false)

test.concurrent('what holds data is made anew only when that is asked for; what uses a claim is started anew with it', async () => {
  const user = manifest('v1', 'Pod', 'user', {
    spec: {
      ...podTemplate('user').spec,
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'claimed' } }],
    },
  })
  await run(false, claimOf('nowhere'), classOf('Delete'), user)
  const first = await uidOf(inside('v1', 'PersistentVolumeClaim', 'claimed'))
  const changed = [claimOf('elsewhere'), classOf('Retain')]
  await expect(run(false, ...changed)).rejects.toMatchObject({
    code: 'APPLY-105',
    message: expect.stringMatching(
      /k8s\/all\.yaml:7: PersistentVolumeClaim\/claimed has to be made anew, since spec[\s\S]*all that is in its volume goes/,
    ),
    hint: expect.stringContaining('--recreate-data'),
  })
  expect(await uidOf(inside('v1', 'PersistentVolumeClaim', 'claimed'))).toBe(first)
  const { losses, done } = await run(true, ...changed)
  expect(losses.map((loss) => loss.split(':')[0])).toEqual(['PersistentVolumeClaim/claimed', `StorageClass/${id}`])
  expect(done).toMatchObject([{ outcome: 'configured' }, { outcome: 'configured' }])
  expect(await uidOf(inside('v1', 'PersistentVolumeClaim', 'claimed'))).not.toBe(first)
  expect(await uidOf(inside('v1', 'Pod', 'user'))).toBeUndefined()
})

test.concurrent('the program says what would be lost, asks, and does it with a yes', async () => {
  const project = projectOn(rig, rig.namespace(`${id}-asked`))
  // of the default class, which waits for a pod: nobody waits for the claim
  const write = (volumeMode: string): void =>
    project.write({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'asked' },
      spec: { accessModes: ['ReadWriteOnce'], volumeMode, resources: { requests: { storage: '1Mi' } } },
    })
  write('Filesystem')
  expect(await project.run(['up'])).toMatchObject({ code: 0, problems: [] })
  write('Block')
  expect((await project.run(['up'])).problems).toMatchObject([{ code: 'APPLY-105' }])
  const asked = await project.run(['up', '--recreate-data'])
  expect(asked).toMatchObject({ code: 1, objects: [], problems: [{ code: 'CLUSTER-107' }] })
  const { code, objects, events } = await project.run(['up', '--recreate-data', '--yes'])
  expect({ code, objects }).toEqual({ code: 0, objects: ['configured PersistentVolumeClaim/asked'] })
  expect(events.find(({ reason }) => String(reason).includes('is made anew'))).toBeDefined()
})

test.concurrent('a kind, whose objects would go, and a bound volume are left to the person', async () => {
  const kindOf = (scope: string) =>
    manifest(
      'apiextensions.k8s.io/v1',
      'CustomResourceDefinition',
      `things.${id}.devkit.test`,
      {
        spec: {
          group: `${id}.devkit.test`,
          names: { kind: 'Thing', plural: 'things' },
          scope,
          versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
        },
      },
      false,
    )
  const volumeOf = (path: string) =>
    manifest(
      'v1',
      'PersistentVolume',
      id,
      { spec: { capacity: { storage: '1Mi' }, accessModes: ['ReadWriteOnce'], storageClassName: '', hostPath: { path } } },
      false,
    )
  await run(false, kindOf('Namespaced'), volumeOf('/t-recreate/a'), claimOf(id, 'bound'))
  await rig.kubectlUntil(['wait', '-n', namespace, 'pvc/bound', '--for=jsonpath={.status.phase}=Bound', '--timeout=30s'])
  await expect(run(true, kindOf('Cluster'))).rejects.toMatchObject({
    code: 'APPLY-105',
    hint: expect.stringContaining('kubectl delete crd things.'),
  })
  await expect(run(true, volumeOf('/t-recreate/b'))).rejects.toMatchObject({
    code: 'APPLY-105',
    hint: expect.stringContaining(`${namespace}/bound`),
  })
})

interface Rollout {
  readonly what: string
  readonly kind: string
  readonly field: string
  readonly strategy: object
  readonly patched?: object
}

const rollouts: readonly Rollout[] = [
  { what: 'a Deployment', kind: 'Deployment', field: 'strategy', strategy: { type: 'Recreate' } },
  { what: 'one that says null', kind: 'Deployment', field: 'strategy', strategy: { type: 'Recreate', rollingUpdate: null } },
  {
    what: 'one that was patched',
    kind: 'Deployment',
    field: 'strategy',
    strategy: { type: 'Recreate' },
    patched: { rollingUpdate: { maxSurge: 2 } },
  },
  { what: 'a StatefulSet', kind: 'StatefulSet', field: 'updateStrategy', strategy: { type: 'OnDelete' } },
]

test.concurrent.each(rollouts)('$what: another type of rollout, and back, is one change each', async (rollout) => {
  const { kind, field, strategy, patched } = rollout
  const name = `rolls-${rollouts.indexOf(rollout)}`
  const plain = {
    replicas: 0,
    selector: selector(name),
    template: podTemplate(name),
    ...(kind === 'StatefulSet' && { serviceName: name }),
  }
  const of = (over: object) => manifest('apps/v1', kind, name, { spec: { ...plain, ...over } })
  const other = of({ [field]: strategy, template: podTemplate(name, { workingDir: '/' }) })
  await run(false, of({}))
  if (patched) rig.kubectl(['patch', kind, name, '-n', namespace, '-p', JSON.stringify({ spec: { [field]: patched } })])
  const { uid, generation } = (await rig.kube.get(inside('apps/v1', kind, name), rig.signal))?.metadata ?? {}
  const changed = [`spec.${field}.rollingUpdate`, `spec.${field}.type`]

  await expect(run(false, of({ [field]: strategy, replicas: -1 }))).rejects.toMatchObject({
    code: 'APPLY-101',
    message: expect.not.stringContaining('rollingUpdate'),
  })
  const drift = await driftOf(rig.kube, other, labels, rig.signal)
  expect(drift?.map(({ path }) => path)).toEqual(expect.arrayContaining(changed))
  const { done } = await run(false, other)
  expect(done).toMatchObject([{ outcome: 'configured', fields: expect.arrayContaining(changed), taken: [] }])
  // a change of the template and one of the strategy, at once: nothing rolls twice
  expect(done[0]?.object.metadata).toMatchObject({ uid, generation: Number(generation) + 1 })
  expect((await run(false, other)).done).toMatchObject([{ outcome: 'unchanged' }])

  const back = await run(false, of({}))
  expect(back.done).toMatchObject([
    { outcome: 'configured', taken: [], object: { metadata: { uid, generation: Number(generation) + 2 } } },
  ])
  expect(back.done[0]?.object['spec']).toMatchObject({ [field]: { type: 'RollingUpdate' } })
  expect((await run(false, of({}))).done).toMatchObject([{ outcome: 'unchanged' }])
})

test.concurrent('a workload whose successor would be refused stays', async () => {
  const deployment = (app: string, label: string) =>
    manifest('apps/v1', 'Deployment', 'stays', { spec: { replicas: 0, selector: selector(app), template: podTemplate(label) } })
  await run(false, deployment('one', 'one'))
  const first = await uidOf(inside('apps/v1', 'Deployment', 'stays'))
  await expect(run(false, deployment('two', 'three'))).rejects.toMatchObject({ code: 'APPLY-101' })
  expect(await uidOf(inside('apps/v1', 'Deployment', 'stays'))).toBe(first)
})

test.concurrent('what is deleted and does not go is named with what holds it', async ({ expect }) => {
  const held = manifest('v1', 'ConfigMap', 'held', {})
  const { object } = await applyManifest(rig.kube, held, { labels }, rig.signal)
  const finalizers = (list: readonly string[]) =>
    rig.kubectl([
      'patch',
      'configmap/held',
      '-n',
      namespace,
      '--type=merge',
      '-p',
      JSON.stringify({ metadata: { finalizers: list } }),
    ])
  finalizers(['devkit.test/never'])
  const said: string[] = []
  await expect(removeWhole(rig.kube, object, { patienceMs: 200 }, rig.signal)).rejects.toMatchObject({
    code: 'APPLY-112',
    message: `ConfigMap/held in ${namespace} is deleted and does not go: the finalizer devkit.test/never is not done.`,
    hint: expect.stringContaining(`kubectl edit configmap held -n ${namespace}`),
  })
  const going = removeWhole(rig.kube, object, { say: (line) => said.push(line) }, rig.signal)
  await expect.poll(() => said, { timeout: 10_000 }).toEqual([expect.stringContaining('devkit.test/never')])
  finalizers([])
  await going
})
