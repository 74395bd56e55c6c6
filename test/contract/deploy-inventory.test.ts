import { afterAll, beforeAll, expect, test } from 'vitest'
import { applyManifest, ownLabels } from '../../src/deploy/apply.ts'
import { prune, readInventory, recordInventory } from '../../src/deploy/inventory.ts'
import type { KubeObject, Manifest } from '../../src/lib/objects.ts'
import { type ApiRig, openApiRig } from './api-rig.ts'

// What becomes of objects that left the manifests.

let rig: ApiRig
const environment = { namespace: `t-inventory-${process.pid}`, project: 't-inventory', env: 'default' }
const labels = ownLabels(environment.project, environment.env)

beforeAll(async () => {
  rig = await openApiRig()
  rig.namespace(environment.namespace)
})
afterAll(async () => {
  rig.kubectl(['delete', '--ignore-not-found', 'crd/kept.inventory.devkit.test', 'persistentvolume/t-inventory-kept'])
  await rig[Symbol.asyncDispose]()
})

const manifest = (apiVersion: string, kind: string, name: string, rest: object = {}, namespace?: string): Manifest => ({
  object: { apiVersion, kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) }, ...rest } as KubeObject,
  origin: { file: 'k8s/all.yaml', line: 1 },
})
const configMap = (name: string): Manifest => manifest('v1', 'ConfigMap', name, {}, environment.namespace)
const holding: readonly Manifest[] = [
  manifest('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'kept.inventory.devkit.test', {
    spec: {
      group: 'inventory.devkit.test',
      names: { kind: 'Kept', plural: 'kept' },
      scope: 'Namespaced',
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
    },
  }),
  manifest('v1', 'PersistentVolume', 't-inventory-kept', {
    spec: { capacity: { storage: '1Mi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/t-inventory' } },
  }),
  manifest(
    'v1',
    'PersistentVolumeClaim',
    'kept',
    { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } } },
    environment.namespace,
  ),
]

/** What a run does of its manifests, but for waiting. */
async function run(manifests: readonly Manifest[], mayGo = false): Promise<readonly string[]> {
  const left = await recordInventory(rig.kube, environment, { manifests }, rig.signal)
  for (const one of manifests) await applyManifest(rig.kube, one, { labels }, rig.signal)
  const done = await prune(rig.kube, environment, { manifests, left, mayGo: async () => mayGo }, rig.signal)
  return done.map(({ ref, outcome }) => `${outcome} ${ref.kind}/${ref.name}`).toSorted()
}

const version = (): string =>
  rig.kubectl(['get', 'configmap/devkit-inventory', '-n', environment.namespace, '-o', 'jsonpath={.metadata.resourceVersion}'])

test('what holds data is kept, run after run, and everything else goes', async () => {
  const stays = configMap('stays')
  expect(await run([stays, configMap('goes'), ...holding])).toEqual([])
  const kept = ['kept CustomResourceDefinition/kept.inventory.devkit.test', 'kept PersistentVolume/t-inventory-kept']
  expect(await run([stays])).toEqual([...kept, 'kept PersistentVolumeClaim/kept', 'pruned ConfigMap/goes'])
  expect(await run([stays])).toEqual([...kept, 'kept PersistentVolumeClaim/kept'])
  expect((await readInventory(rig.kube, environment.namespace, rig.signal)).map(({ kind }) => kind).toSorted()).toEqual([
    'ConfigMap',
    'CustomResourceDefinition',
    'PersistentVolume',
    'PersistentVolumeClaim',
  ])
})

test('an object that somebody else has taken over is let go', async () => {
  await run([configMap('stays'), configMap('taken')])
  rig.kubectl(['label', 'configmap/taken', 'devkit.dev/project=another', '--overwrite', '-n', environment.namespace])
  expect((await run([configMap('stays')])).filter((line) => line.includes('taken'))).toEqual([])
  expect(rig.kubectl(['get', 'configmap/taken', '-n', environment.namespace, '-o', 'name'])).toContain('taken')
})

test('an inventory that is as it was is not written', async () => {
  await run([configMap('stays')])
  const before = version()
  await run([configMap('stays')])
  expect(version()).toBe(before)
})

test('what holds data goes with the next run that may', async () => {
  await run([configMap('stays'), ...holding])
  expect((await run([configMap('stays')], true)).filter((line) => line.startsWith('pruned'))).toHaveLength(3)
  expect(await readInventory(rig.kube, environment.namespace, rig.signal)).toMatchObject([{ kind: 'ConfigMap', name: 'stays' }])
})

test('what an earlier devkit wrote down is read, and written anew', async () => {
  const goes = configMap('goes')
  await applyManifest(rig.kube, goes, { labels }, rig.signal)
  const refs = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'goes', namespace: environment.namespace }]
  const data = { data: { version: null, objects: JSON.stringify(refs) } }
  rig.kubectl(['patch', 'configmap/devkit-inventory', '-n', environment.namespace, '--type=merge', '-p', JSON.stringify(data)])
  expect(await run([configMap('stays')])).toEqual(['pruned ConfigMap/goes'])
})
