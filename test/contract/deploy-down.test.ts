import { afterAll, beforeAll, expect, test } from 'vitest'
import type { KubeObject } from '../../src/lib/objects.ts'
import { type ApiRig, openApiRig } from './api-rig.ts'
import { projectOn } from './program.ts'

// What `down` removes of a cluster that somebody else made, and what it leaves.

let rig: ApiRig
const id = `t-down-${process.pid}`
const group = `down-${process.pid}.devkit.test`
const outside = [`crd/kept.${group}`, `persistentvolume/${id}`]

beforeAll(async () => {
  rig = await openApiRig()
})
afterAll(async () => {
  rig.kubectl(['delete', '--ignore-not-found', '--wait=false', ...outside, ...[id, `${id}-b`].map((name) => `namespace/${name}`)])
  await rig[Symbol.asyncDispose]()
})

const object = (apiVersion: string, kind: string, name: string, rest: object = {}): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name },
  ...rest,
})
const kept = object('apiextensions.k8s.io/v1', 'CustomResourceDefinition', `kept.${group}`, {
  spec: {
    group,
    names: { kind: 'Kept', plural: 'kept' },
    scope: 'Cluster',
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
  },
})
const volume = object('v1', 'PersistentVolume', id, {
  spec: {
    capacity: { storage: '1Mi' },
    accessModes: ['ReadWriteOnce'],
    storageClassName: '',
    hostPath: { path: `/t-down/${id}` },
    claimRef: { namespace: id, name: 'data' },
  },
})
const claim = object('v1', 'PersistentVolumeClaim', 'data', {
  spec: { accessModes: ['ReadWriteOnce'], storageClassName: '', volumeName: id, resources: { requests: { storage: '1Mi' } } },
})
const names = (): readonly string[] =>
  rig
    .kubectl(['get', '--ignore-not-found', '-o', 'name', ...outside, `namespace/${id}`])
    .split('\n')
    .filter(Boolean)
    .map((name) => name.split('/')[1] ?? '')

test.concurrent('volumes and kinds stay, and are told, unless they are asked for', async () => {
  const project = projectOn(rig, id)
  project.write(object('v1', 'ConfigMap', 'goes'), kept, volume, claim)
  expect(await project.run(['up'])).toMatchObject({ code: 0, problems: [] })
  await rig.kubectlUntil(['wait', '--for=jsonpath={.status.phase}=Bound', 'pvc/data', '-n', id, '--timeout=30s'])
  const asked = await project.run(['down'])
  expect(asked.code).toBe(1)
  expect(asked.problems).toMatchObject([{ code: 'CLUSTER-107', hint: 'Say `devkit down --yes` to remove them too.' }])
  expect(asked.problems[0]?.message).toMatch(/a volume with data goes: [^/]+\/data \(1Mi\)\.$/)
  const { code, objects } = await project.run(['down', '--yes'])
  expect(code).toBe(0)
  expect(objects).toEqual([
    `kept CustomResourceDefinition/kept.${group}`,
    `kept PersistentVolume/${id}`,
    'pruned ConfigMap/goes',
    'pruned PersistentVolumeClaim/data',
  ])
  expect(names()).toEqual([`kept.${group}`, id])

  project.write(object('v1', 'ConfigMap', 'goes'), kept)
  expect((await project.run(['up'])).code).toBe(0)
  const refused = await project.run(['down', '--prune-data'])
  expect(refused.problems).toMatchObject([{ code: 'CLUSTER-107', hint: expect.stringContaining('--prune-data --yes') }])
  expect(refused.problems[0]?.message).toContain(`CustomResourceDefinition/kept.${group}`)
  expect((await project.run(['down', '--prune-data', '--yes'])).objects).toEqual([
    'pruned ConfigMap/goes',
    `pruned CustomResourceDefinition/kept.${group}`,
  ])
})

test.concurrent('up --prune-data removes what left the manifests and holds data after a yes alone; a damaged inventory is told', async () => {
  const there = rig.namespace(`${id}-d`)
  const project = projectOn(rig, there)
  const stays = object('v1', 'ConfigMap', 'stays')
  // of the default class, which waits for a pod: nobody waits for the claim
  const unbound = object('v1', 'PersistentVolumeClaim', 'data', {
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
  })
  project.write(stays, unbound)
  expect(await project.run(['up'])).toMatchObject({ code: 0, problems: [] })
  project.write(stays)
  expect((await project.run(['up'])).objects).toEqual(['kept PersistentVolumeClaim/data', 'unchanged ConfigMap/stays'])
  const asked = await project.run(['up', '--prune-data'])
  expect(asked).toMatchObject({ code: 1, objects: ['kept PersistentVolumeClaim/data', 'unchanged ConfigMap/stays'] })
  expect(asked.problems).toMatchObject([{ code: 'CLUSTER-107', message: expect.stringContaining(`/data in ${there}`) }])
  const { code, objects } = await project.run(['up', '--prune-data', '--yes'])
  expect({ code, objects }).toEqual({ code: 0, objects: ['pruned PersistentVolumeClaim/data', 'unchanged ConfigMap/stays'] })

  const data = { data: { objects: '[[' } }
  rig.kubectl(['patch', 'configmap/devkit-inventory', '-n', there, '--type=merge', '-p', JSON.stringify(data)])
  for (const verb of ['up', 'down']) {
    const { code, problems } = await project.run([verb])
    expect({ code, problems }).toMatchObject({ code: 1, problems: [{ code: 'APPLY-111' }] })
  }
})

test.concurrent('a namespace that was there before stays, although the manifests have it', async () => {
  const there = rig.namespace(`${id}-b`)
  const project = projectOn(rig, there)
  rig.kubectl(['create', 'configmap', 'theirs', '-n', there])
  project.write(object('v1', 'Namespace', there), object('v1', 'ConfigMap', 'ours'))
  expect(await project.run(['up'])).toMatchObject({ code: 0, problems: [] })
  expect((await project.run(['up'])).objects).toEqual(['unchanged ConfigMap/ours', `unchanged Namespace/${there}`])
  expect((await project.run(['down'])).code).toBe(0)
  const left = rig.kubectl(['get', 'configmaps', '-n', there, '-o', 'name']).split('\n').filter(Boolean)
  expect(left).toEqual(['configmap/kube-root-ca.crt', 'configmap/theirs'])
})

test.concurrent('what somebody has made anew under the name that was to go stays', async () => {
  const there = rig.namespace(`${id}-c`)
  const ref = { apiVersion: 'v1', kind: 'ConfigMap', name: 'anew', namespace: there }
  rig.kubectl(['create', 'configmap', 'anew', '-n', there])
  const uid = (await rig.kube.get(ref, rig.signal))?.metadata.uid
  rig.kubectl(['delete', 'configmap', 'anew', '-n', there])
  rig.kubectl(['create', 'configmap', 'anew', '-n', there])
  await rig.kube.remove(ref, rig.signal, { uid })
  expect(await rig.kube.get(ref, rig.signal)).toBeDefined()
})

const finalizersOf = (name: string, namespace: string, ...finalizers: readonly string[]): string =>
  rig.kubectl(['patch', `configmap/${name}`, '-n', namespace, '--type=merge', '-p', JSON.stringify({ metadata: { finalizers } })])

test.concurrent('a namespace that stays in Terminating is named with what holds it, by down and by up; once free, up makes it again', async () => {
  const name = `${id}-e`
  const project = projectOn(rig, name)
  project.write(object('v1', 'ConfigMap', 'held'))
  expect((await project.run(['up'])).code).toBe(0)
  finalizersOf('held', name, 'devkit.test/never')
  // the controller of namespaces has all those of other tests to see to
  const down = await project.run(['down', '--timeout', '30s'])
  expect(down).toMatchObject({
    code: 1,
    problems: [{ code: 'APPLY-112', message: expect.stringContaining('devkit.test/never') }],
  })
  expect(down.problems[0]?.message).toContain(`Namespace/${name} is deleted and does not go`)
  const up = await project.run(['up', '--timeout', '6s'])
  expect(up).toMatchObject({ code: 1, problems: [{ code: 'APPLY-112', message: expect.stringContaining('devkit.test/never') }] })
  finalizersOf('held', name)
  expect(await project.run(['up'])).toMatchObject({ code: 0, problems: [] })
  rig.kubectl(['delete', 'namespace', name, '--wait=false'])
})

test.concurrent('what left the manifests and does not go is named, and goes with a later run', async () => {
  const name = rig.namespace(`${id}-f`)
  const project = projectOn(rig, name)
  project.write(object('v1', 'ConfigMap', 'stays'), object('v1', 'ConfigMap', 'held'))
  expect((await project.run(['up'])).code).toBe(0)
  finalizersOf('held', name, 'devkit.test/never')
  project.write(object('v1', 'ConfigMap', 'stays'))
  const stuck = await project.run(['up', '--timeout', '5s'])
  expect(stuck).toMatchObject({ code: 1, problems: [{ code: 'APPLY-112', message: expect.stringContaining('ConfigMap/held') }] })
  expect(
    (await rig.kube.get({ apiVersion: 'v1', kind: 'ConfigMap', name: 'devkit-inventory', namespace: name }, rig.signal))?.[
      'data'
    ],
  ).toMatchObject({
    objects: expect.stringContaining('held'),
  })
  finalizersOf('held', name)
  expect(await project.run(['up'])).toMatchObject({ code: 0, problems: [] })
})
