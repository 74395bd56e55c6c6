import { join } from 'node:path'
import { expect, test } from 'vitest'
import { resolveProfile } from '../../src/config/profile.ts'
import type { Config } from '../../src/config/schema.ts'
import { DevkitError } from '../../src/lib/errors.ts'
import { affected } from '../../src/plan/affected.ts'
import { makePlan, selectServices } from '../../src/plan/make-plan.ts'

const service = { image: undefined, workload: undefined, build: undefined, sync: [], ports: [], dependsOn: [] }
const config: Config = {
  project: 'shop',
  cluster: { kind: { nodeImage: undefined } },
  manifests: ['k8s'],
  services: {
    web: {
      ...service,
      image: 'shop/web',
      build: { context: 'web', dockerfile: 'Dockerfile', target: undefined, args: {}, rebuildOn: [] },
      sync: [{ from: 'web/src', to: '/app', ignore: [], restart: undefined, run: [] }],
      dependsOn: ['db'],
    },
    db: service,
  },
  ignore: [],
  profiles: {},
}
const input = { config, directory: '/shop', env: 'default', profileName: 'dev', profile: {} }
const plan = makePlan(input)

function codeOf(work: () => unknown): string | undefined {
  try {
    work()
    return undefined
  } catch (thrown) {
    return thrown instanceof DevkitError ? thrown.code : String(thrown)
  }
}

test('names follow from project and environment; what is depended on comes first', () => {
  expect(plan.cluster.name).toBe('devkit-shop')
  expect([plan.namespace, makePlan({ ...input, env: 'two' }).namespace]).toEqual(['shop', 'shop-two'])
  expect(plan.services.map(({ name }) => name)).toEqual(['db', 'web'])
  expect(selectServices(plan, ['db']).services.map(({ name }) => name)).toEqual(['db'])
})

test('unknown services, loops and wrong environment names are told by code', () => {
  expect(codeOf(() => selectServices(plan, ['wep']))).toBe('PLAN-101')
  expect(
    codeOf(() =>
      makePlan({
        ...input,
        config: { ...config, services: { a: { ...service, dependsOn: ['b'] }, b: { ...service, dependsOn: ['a'] } } },
      }),
    ),
  ).toBe('PLAN-102')
  expect(codeOf(() => makePlan({ ...input, env: 'No' }))).toBe('CONFIG-001')
})

test.each([
  [['web/src/a.py'], ['sync']],
  [['web/Dockerfile'], ['rebuild']],
  [
    ['web/src/a.py', 'web/requirements.txt'],
    ['sync', 'rebuild'],
  ],
  [['k8s/web.yaml'], ['rerender']],
  [['k8s/notes.md'], []],
  [['devkit.config.ts', 'web/src/a.py'], ['replan']],
  [['other/file'], []],
])('%j means %j', (paths, wanted) => {
  const inContext = (_: unknown, path: string): boolean => path.startsWith('/shop/web/')
  const actions = affected(
    plan,
    paths.map((path) => join('/shop', path)),
    inContext,
    ['/shop/devkit.config.ts'],
  )
  expect(actions.map((action) => action.do)).toEqual(wanted)
})

test('a profile lies over the shipped one of its name and over what it extends', () => {
  const shipped = { dev: { maxReplicas: 1, requests: 0.5 }, ci: { extends: 'dev', requests: 0.1 } }
  const own = { dev: { services: { web: { env: { A: '1' } } } }, mine: { extends: 'ci', maxReplicas: 2 } }
  expect(resolveProfile('dev', shipped, own)).toEqual({ maxReplicas: 1, requests: 0.5, services: { web: { env: { A: '1' } } } })
  expect(resolveProfile('mine', shipped, own)).toMatchObject({
    maxReplicas: 2,
    requests: 0.1,
    services: { web: { env: { A: '1' } } },
  })
  expect(codeOf(() => resolveProfile('none', shipped, own))).toBe('CONFIG-104')
  expect(codeOf(() => resolveProfile('a', {}, { a: { extends: 'b' }, b: { extends: 'a' } }))).toBe('CONFIG-104')
})
