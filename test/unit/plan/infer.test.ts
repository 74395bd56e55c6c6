import { expect, test } from 'vitest'
import type { Config, ServiceSpec } from '../../../src/config/schema.ts'
import type { KubeObject, Manifest } from '../../../src/lib/objects.ts'
import { infer } from '../../../src/plan/infer.ts'
import { makePlan } from '../../../src/plan/make-plan.ts'
import { serviceTargets } from '../../../src/render/references.ts'

const silent: ServiceSpec = { image: undefined, workload: undefined, build: undefined, sync: [] }

interface Container {
  readonly image?: string
  readonly env?: readonly object[]
  readonly envFrom?: readonly object[]
  readonly args?: readonly string[]
}

function workload(name: string, container: Container = {}, kind = 'Deployment'): KubeObject {
  const spec = { containers: [{ name: 'main', image: `registry.example.com/${name}:1`, ...container }] }
  return { apiVersion: 'apps/v1', kind, metadata: { name }, spec: { template: { metadata: { labels: { app: name } }, spec } } }
}

function service(name: string, ...ports: object[]): KubeObject {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { selector: { app: name }, ports } }
}

function other(kind: string, name: string, rest: object): KubeObject {
  return { apiVersion: 'v1', kind, metadata: { name }, ...rest }
}

function inferred(
  objects: readonly KubeObject[],
  services: Readonly<Record<string, Partial<ServiceSpec>>> = {},
  skipped: readonly string[] = [],
) {
  const config: Config = {
    project: 'shop',
    cluster: { kind: { nodeImage: undefined } },
    manifests: ['k8s'],
    services: Object.fromEntries(Object.entries(services).map(([name, spec]) => [name, { ...silent, ...spec }])),
    secrets: {},
    ignore: [],
    profiles: {},
  }
  const manifests = objects.map((object, index): Manifest => ({ object, origin: { file: 'k8s/all.yaml', line: index + 1 } }))
  const plan = makePlan({ config, file: '/shop/devkit.config.ts', env: 'default', profileName: 'dev', profile: {}, origins: {} })
  const targets = serviceTargets(manifests, plan.services)
  const found = infer(plan, { config, manifests, targets, isApplied: (name) => !skipped.includes(name) })
  return {
    services: Object.fromEntries(found.plan.services.map((one) => [one.name, one])),
    order: found.plan.services.map(({ name }) => name),
    from: Object.fromEntries(found.inferred.map(({ path, from }) => [path.join('.'), from])),
  }
}

test('a kind of another group that has the name of a workload is none', () => {
  const batch = { ...workload('train', {}, 'Job'), apiVersion: 'batch.volcano.sh/v1alpha1' }
  expect(Object.keys(inferred([workload('web'), batch]).services)).toEqual(['web'])
})

test('every workload is a service, with its image and the port that browsers open', () => {
  const { services, from } = inferred([
    workload('web'),
    service('web', { name: 'http', port: 8080 }, { name: 'metrics', port: 9000 }),
    workload('db', {}, 'StatefulSet'),
    service('db', { port: 5432 }),
    workload('migrate', {}, 'Job'),
    workload('nightly', {}, 'CronJob'),
  ])
  expect(Object.keys(services)).toEqual(['web', 'db', 'migrate'])
  expect(services['web']).toMatchObject({
    workload: 'Deployment/web',
    image: 'registry.example.com/web',
    ports: [{ port: 'http', inferred: true }],
  })
  expect(services['db']?.ports).toEqual([])
  expect(from).toEqual({
    'services.web.workload': 'k8s/all.yaml:1',
    'services.web.image': 'k8s/all.yaml:1',
    'services.web.ports': 'k8s/all.yaml:2',
    'services.db.workload': 'k8s/all.yaml:3',
    'services.db.image': 'k8s/all.yaml:3',
    'services.migrate.workload': 'k8s/all.yaml:5',
    'services.migrate.image': 'k8s/all.yaml:5',
  })
})

test('what the config says holds, an empty list too; the rest of the service is inferred', () => {
  const objects = [
    workload('web', { env: [{ name: 'DB_HOST', value: 'db' }] }),
    service('web', { port: 80 }),
    workload('db'),
    service('db', { port: 5432 }),
  ]
  const build = { context: 'web', dockerfile: 'Dockerfile', target: undefined, args: {}, rebuildOn: [] }
  const { services, from } = inferred(objects, { web: { build, ports: [], dependsOn: [] } })
  expect(services['web']).toMatchObject({ build, image: 'registry.example.com/web', ports: [], dependsOn: [] })
  expect(from).not.toHaveProperty('services.web.ports')
  const named = inferred(objects, { front: { workload: 'Deployment/web', ports: [{ port: 80, host: 8080 }] } })
  expect(Object.keys(named.services).toSorted()).toEqual(['db', 'front'])
  expect(named.services['front']).toMatchObject({ ports: [{ port: 80, host: 8080 }], dependsOn: ['db'] })
})

test('what a profile leaves out, and names that are taken, make no second service', () => {
  const objects = [workload('web'), workload('web', {}, 'StatefulSet'), workload('gone')]
  expect(Object.keys(inferred(objects, { web: { workload: 'Deployment/web' } }, ['Deployment/gone']).services)).toEqual([
    'web',
    'web-statefulset',
  ])
})

test.each<[string, object, readonly (string | number)[]]>([
  ['by its name', { name: 'http-admin', port: 9001 }, ['http-admin']],
  ['by its protocol', { name: 'main', port: 9001, appProtocol: 'http' }, ['main']],
  ['by its number', { port: 80 }, [80]],
  ['of no kind that browsers know', { name: 'grpc', port: 9001 }, []],
  ['that an Ingress leads to', { name: 'x', port: 9001 }, ['x']],
])('a port %s', (what, port, ports) => {
  const ingress = other('Ingress', 'front', {
    spec: { rules: [{ http: { paths: [{ backend: { service: { name: 'web', port: { number: 9001 } } } }] } }] },
  })
  const { services } = inferred([workload('web'), service('web', port), ...(what.includes('Ingress') ? [ingress] : [])])
  expect(services['web']?.ports.map(({ port: one }) => one)).toEqual(ports)
})

test.each<[string, Container, readonly string[]]>([
  ['a URL', { env: [{ name: 'DATABASE', value: 'postgres://me:secret@db:5432/shop' }] }, ['db']],
  ['host and port', { env: [{ name: 'X', value: 'db:5432,cache:6379' }] }, ['db', 'cache']],
  ['a name for a host', { env: [{ name: 'CACHE_HOST', value: 'cache' }] }, ['cache']],
  ['a host in the namespace', { env: [{ name: 'X', value: 'http://cache.shop.svc.cluster.local/' }] }, ['cache']],
  ['an argument', { args: ['--db=db:5432'] }, ['db']],
  ['a ConfigMap, whole', { envFrom: [{ configMapRef: { name: 'settings' } }] }, ['cache', 'db']],
  ['a key of a ConfigMap', { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'settings', key: 'URL' } } }] }, ['db']],
  ['a host of another namespace', { env: [{ name: 'X', value: 'http://cache.other.svc:80' }] }, []],
  [
    'a word that is no host',
    {
      env: [
        { name: 'MODE', value: 'cache' },
        { name: 'FILE', value: 'db.sqlite' },
      ],
    },
    [],
  ],
  ['itself', { env: [{ name: 'OWN_URL', value: 'http://web:80' }] }, []],
])('dependencies by %s', (_, container, dependsOn) => {
  const settings = other('ConfigMap', 'settings', { data: { CACHE_ADDR: 'cache', URL: 'jdbc:postgresql://db/shop' } })
  const objects = ['db', 'cache'].flatMap((name) => [workload(name), service(name, { port: 5432 })])
  const { services, order, from } = inferred([workload('web', container), service('web', { port: 80 }), ...objects, settings])
  expect(services['web']?.dependsOn).toEqual(dependsOn)
  for (const name of dependsOn) expect(order.indexOf(name)).toBeLessThan(order.indexOf('web'))
  expect('services.web.dependsOn' in from).toBe(dependsOn.length > 0)
})

test('services that name each other make no loop, nor with what the config says', () => {
  const url = (name: string) => ({ env: [{ name: 'URL', value: `http://${name}:80` }] })
  const objects = [
    workload('a', url('b')),
    workload('b', url('c')),
    workload('c', url('a')),
    ...['a', 'b', 'c'].map((name) => service(name, { port: 80 })),
  ]
  const { services } = inferred(objects)
  expect([services['a']?.dependsOn, services['b']?.dependsOn, services['c']?.dependsOn]).toEqual([['b'], ['c'], []])
  expect(inferred(objects, { c: { dependsOn: ['b'] } }).services['b']?.dependsOn).toEqual([])
})

test('objects of any shape infer nothing and break nothing', () => {
  const odd = [
    other('Service', 'a', { spec: { selector: [1], ports: 'x' } }),
    other('Ingress', 'b', { spec: { rules: [null, { http: 1 }] } }),
    other('ConfigMap', 'c', { data: 5 }),
  ]
  expect(
    Object.keys(
      inferred([workload('web', { env: [{ name: 'A', value: 'http://a' }], envFrom: [{ configMapRef: { name: 'c' } }] }), ...odd])
        .services,
    ),
  ).toEqual(['web'])
})
