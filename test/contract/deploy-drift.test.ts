import { expect, test } from 'vitest'
import type { KubeObject } from '../../src/lib/objects.ts'
import { baseImage } from '../lab/recipe.ts'
import { useProject } from './program.ts'

// What is told of objects that are not what their manifests say.

const id = `t-drift-${process.pid}`
const on = useProject(id)

const web: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'web', image: baseImage, imagePullPolicy: 'Never', command: ['sleep', 'infinity'] }],
      },
    },
  },
}
const settings = (data: object): KubeObject => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data })

/** The fields that `up` says it changed, by object. */
async function up(): Promise<Readonly<Record<string, unknown>>> {
  const { code, events } = await on.project.run(['up'])
  expect(code).toBe(0)
  return Object.fromEntries(
    events.flatMap(({ type, outcome, name, fields }) =>
      type === 'object' && outcome === 'configured' ? [[String(name), fields]] : [],
    ),
  )
}

/** The fields that `diff` finds, by object. */
async function diff(): Promise<Readonly<Record<string, unknown>>> {
  const { events } = await on.project.run(['diff'])
  const [{ objects }] = events as unknown as [{ objects: readonly { object: string; fields: readonly { path: string }[] }[] }]
  return Object.fromEntries(objects.map(({ object, fields }) => [object.split('/')[1], fields.map(({ path }) => path)]))
}

test('what somebody scaled by hand is drift; up puts it right and names the field', async () => {
  on.project.write(web, settings({ a: '1' }))
  expect(await up()).toEqual({})
  expect(await diff()).toEqual({})
  on.rig.kubectl(['scale', 'deployment/web', '--replicas=2', '--namespace', id])
  expect(await diff()).toEqual({ web: ['spec.replicas'] })
  expect(await up()).toEqual({ web: ['spec.replicas'] })
  expect(await diff()).toEqual({})
  expect(await up()).toEqual({})
}, 60_000)

test('what changed in the manifests is told field by field, what left them too', async () => {
  on.project.write(web, settings({ a: '1', b: '1', c: '1' }))
  await up()
  on.project.write(web, settings({ a: '2', b: '1', d: '1' }))
  expect(await diff()).toEqual({ settings: ['data.a', 'data.c', 'data.d'] })
  expect(await up()).toEqual({ settings: ['data.a', 'data.c', 'data.d'] })
}, 60_000)

test('of very many fields the first are named', async () => {
  const many = (value: string): object => Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`k${index}`, value]))
  on.project.write(settings(many('1')))
  await up()
  on.project.write(settings(many('2')))
  const { events } = await on.project.run(['up'])
  const told = events.find(({ type, name }) => type === 'object' && name === 'settings')
  expect(told).toMatchObject({ outcome: 'configured', count: 30 })
  expect(told?.['fields']).toHaveLength(20)
}, 60_000)
