import { expect, test } from 'vitest'
import { applyManifest, ownLabels } from '../../src/deploy/apply.ts'
import type { Kube } from '../../src/kube/kube.ts'
import type { KubeObject } from '../../src/lib/objects.ts'
import { useProject } from './program.ts'

// What becomes of objects and fields that somebody else owns.

const id = `t-owner-${process.pid}`
const on = useProject(id)

const settings = (data: object): KubeObject => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data })
const apply = (object: KubeObject, ...options: readonly string[]): string =>
  on.rig.kubectl(['apply', '--namespace', id, ...options, '-f', '-'], JSON.stringify(object))

interface Live {
  readonly data: Readonly<Record<string, string>>
  readonly metadata: {
    readonly annotations?: object
    readonly managedFields: readonly { readonly manager: string; readonly operation: string; readonly fieldsV1: object }[]
  }
}
const live = (): Live =>
  JSON.parse(on.rig.kubectl(['get', 'configmap/settings', '-n', id, '-o', 'json', '--show-managed-fields']))
const ownersOf = (key: string): readonly string[] =>
  live()
    .metadata.managedFields.filter(({ fieldsV1 }) => JSON.stringify(fieldsV1).includes(`"f:${key}"`))
    .map(({ manager, operation }) => `${manager} ${operation}`)

test('a field of a controller is refused by field and manager; --force-conflicts takes it and says from whom', async () => {
  on.project.write(settings({ mode: 'ours', other: '1' }))
  expect((await on.project.run(['up'])).problems).toEqual([])
  apply(settings({ mode: 'theirs' }), '--server-side', '--force-conflicts', '--field-manager=operator')

  const refused = await on.project.run(['up'])
  expect(refused).toMatchObject({ code: 1, problems: [{ code: 'APPLY-102' }] })
  expect(refused.problems[0]?.message).toMatch(/^k8s\/all\.yaml:\d+: ConfigMap\/settings: \.data\.mode is owned by operator\.$/)
  expect(refused.problems[0]?.hint).toContain('`devkit up --force-conflicts`')
  expect(live().data).toEqual({ mode: 'theirs', other: '1' })
  expect(ownersOf('mode')).toEqual(['operator Apply'])

  const forced = await on.project.run(['up', '--force-conflicts'])
  expect(forced.problems).toEqual([])
  expect(forced.events.flatMap(({ type, reason }) => (type === 'action' ? [reason] : []))).toContain(
    'ConfigMap/settings: .data.mode is taken from operator',
  )
  expect(forced.events).toContainEqual(expect.objectContaining({ type: 'object', outcome: 'configured', fields: ['data.mode'] }))
  expect(ownersOf('mode')).toEqual(['devkit Apply'])
  expect((await on.project.run(['up'])).objects.filter((told) => !told.startsWith('unchanged'))).toEqual([])
}, 60_000)

test('what a person changed is put right without a flag, and said', async () => {
  on.project.write(settings({ mode: 'ours' }))
  expect((await on.project.run(['up'])).problems).toEqual([])
  on.rig.kubectl(['patch', 'configmap/settings', '--type=merge', '-p', '{"data":{"mode":"by hand"}}', '-n', id])
  const { problems, events } = await on.project.run(['up'])
  expect(problems).toEqual([])
  expect(events.flatMap(({ type, reason }) => (type === 'action' ? [reason] : []))).toContain(
    'ConfigMap/settings: .data.mode, changed by kubectl-patch, is what the manifest says again',
  )
  expect(live().data).toEqual({ mode: 'ours' })
}, 60_000)

test('what kubectl applied is adopted without a conflict, and what kubectl applies later as well', async () => {
  on.rig.kubectl(['delete', 'configmap/settings', '-n', id, '--ignore-not-found'])
  apply(settings({ kept: 'theirs', gone: '1' }))
  on.project.write(settings({ kept: 'ours' }))
  expect((await on.project.run(['up'])).problems).toEqual([])
  expect(live().data).toEqual({ kept: 'ours' })
  expect(live().metadata.annotations).toBe(undefined)
  expect(ownersOf('kept')).toEqual(['devkit Apply'])

  // kubectl goes on as with an object that it did not make: it changes what it is told, and takes away nothing
  apply(settings({ kept: 'theirs', more: '1' }))
  expect(live().data).toEqual({ kept: 'theirs', more: '1' })
  expect((await on.project.run(['up'])).problems).toEqual([])
  expect(live().data).toEqual({ kept: 'ours' })
  expect(ownersOf('kept')).toEqual(['devkit Apply'])

  // where it asks the server who owns what, it is told
  expect(() => apply(settings({ kept: 'theirs' }), '--server-side')).toThrow(/conflict with "devkit"/)
}, 60_000)

test('what kubectl applied by the server is adopted too', async () => {
  on.rig.kubectl(['delete', 'configmap/settings', '-n', id, '--ignore-not-found'])
  apply(settings({ kept: 'theirs', gone: '1' }), '--server-side')
  on.project.write(settings({ kept: 'ours' }))
  expect((await on.project.run(['up'])).problems).toEqual([])
  expect(live().data).toEqual({ kept: 'ours' })
  expect(ownersOf('kept')).toEqual(['devkit Apply'])
}, 60_000)

test('who writes while an object is adopted is not overwritten', async () => {
  on.rig.kubectl(['delete', 'configmap/settings', '-n', id, '--ignore-not-found'])
  apply(settings({ kept: 'theirs', gone: '1' }))
  let disturbed = 0
  const kube: Kube = {
    ...on.rig.kube,
    patch: (...args) => {
      if (disturbed++ === 0) on.rig.kubectl(['annotate', 'configmap/settings', '-n', id, 'example.com/meanwhile=yes'])
      return on.rig.kube.patch(...args)
    },
  }
  const object = { ...settings({ kept: 'ours' }), metadata: { name: 'settings', namespace: id } }
  const manifest = { object, origin: { file: 'k8s/all.yaml', line: 1 } }
  await applyManifest(kube, manifest, { labels: ownLabels(id, 'default') }, on.rig.signal)
  expect(disturbed).toBe(2)
  expect(live().data).toEqual({ kept: 'ours' })
  expect(live().metadata.annotations).toEqual({ 'example.com/meanwhile': 'yes' })
})
