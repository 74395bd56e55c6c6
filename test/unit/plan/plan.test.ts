import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Config } from '../../../src/config/schema.ts'
import { DevkitError } from '../../../src/lib/errors.ts'
import { dockerIgnoreRules, ignoring } from '../../../src/lib/ignore.ts'
import { affected } from '../../../src/plan/affected.ts'
import { makePlan, selectServices } from '../../../src/plan/make-plan.ts'
import { neverSynced } from '../../../src/sync/mapping.ts'

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
  secrets: {},
  ignore: [],
  profiles: {},
}
const input = { config, file: '/shop/devkit.config.ts', env: 'default', profileName: 'dev', profile: {}, origins: {} }
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

test('unknown services and wrong environment names are told by code', () => {
  expect(codeOf(() => selectServices(plan, ['wep']))).toBe('PLAN-101')
  expect(codeOf(() => makePlan({ ...input, env: 'No' }))).toBe('CONFIG-001')
})

const surroundings = {
  dockerIgnores: new Map([['web', ignoring(dockerIgnoreRules('docs\nDockerfile\nsrc/left-out.txt\n'))]]),
  never: neverSynced,
  configFiles: ['/shop/devkit.config.ts'],
  secretFiles: ['/shop/.env'],
  renders: (path: string) => /^\/shop\/k8s\/.*\.yaml$/.test(path),
}
const rule = { from: 'web/src', to: '/app', ignore: ['*.md', 'out/'], restart: undefined, run: [] }
const watched = makePlan({
  ...input,
  config: {
    ...config,
    ignore: ['*.tmp', 'cache/'],
    services: {
      web: {
        ...service,
        image: 'shop/web',
        build: { context: 'web', dockerfile: 'Dockerfile', target: undefined, args: {}, rebuildOn: ['requirements.txt'] },
        sync: [
          rule,
          { ...rule, from: 'web/src/docs', to: '/docs', ignore: [] },
          { ...rule, from: 'web/one.txt', to: '/one.txt' },
        ],
      },
      worker: { ...service, image: 'shop/worker', sync: [{ ...rule, to: '/worker' }] },
      other: {
        ...service,
        image: 'shop/other',
        build: { context: 'other', dockerfile: 'Dockerfile', target: undefined, args: {}, rebuildOn: [] },
      },
    },
  },
})

test.each<[string, string[], string[]]>([
  ['a path under a rule is synced, never built, for every service', ['web/src/a.py'], ['web sync', 'worker sync']],
  ['so is a rule’s only file', ['web/one.txt'], ['web sync']],
  ['the Dockerfile builds, also where .dockerignore leaves it out', ['web/Dockerfile'], ['web rebuild']],
  ['.dockerignore builds', ['web/.dockerignore'], ['web rebuild']],
  ['the context without a rule builds', ['web/setup.cfg'], ['web rebuild']],
  ['rebuildOn builds also under a rule', ['web/src/requirements.txt'], ['web rebuild', 'worker sync']],
  ['several kinds at once', ['web/src/a.py', 'web/setup.cfg'], ['web sync', 'web rebuild', 'worker sync']],
  ['what one rule ignores another may take', ['web/src/docs/a.md'], ['web sync', 'worker none']],
  ['what a rule ignores is nothing', ['web/src/a.md'], ['web none', 'worker none']],
  ['what .dockerignore leaves out is nothing', ['web/docs/a.txt'], ['web none']],
  ['what is left out of the image a rule takes all the same', ['web/src/left-out.txt'], ['web sync', 'worker sync']],
  ['a directory that a pattern for directories ignores is nothing', ['web/src/cache/', 'web/src/out/'], []],
  [
    'nor is what is in it; a file of that name is another thing',
    ['web/src/out/x', 'other/cache'],
    ['web none', 'worker none', 'other rebuild'],
  ],
  ['what the config ignores is nothing', ['web/src/a.tmp', 'web/b.tmp'], ['web none', 'worker none']],
  ['what is never synced is not even that', ['web/src/__pycache__/a.pyc', 'web/src/.a.py.swp', 'web/node_modules/a/b.js'], []],
  ['only the service that it is about', ['other/a'], ['other rebuild']],
  ['a directory says nothing to a build', ['web/new/', 'web/src/new/'], ['web sync', 'worker sync']],
  ['manifests', ['k8s/web.yaml'], ['undefined rerender']],
  ['the file of a Secret', ['.env'], ['undefined rerender']],
  ['no manifest', ['k8s/notes.md'], []],
  ['the config, and the rest with it', ['devkit.config.ts', 'other/a'], ['undefined replan', 'other rebuild']],
  ['a neighbour whose name begins alike', ['web2/file', 'elsewhere'], []],
])('%s: %j means %j', (_, paths, wanted) => {
  const actions = affected(
    watched,
    paths.map((path) => ({ path: join('/shop', path), directory: path.endsWith('/') })),
    surroundings,
  )
  expect(actions.map((action) => `${'service' in action ? action.service : undefined} ${action.do}`)).toEqual(wanted)
  for (const { reason } of actions) expect(paths.some((path) => reason.startsWith(path.replace(/\/$/, '')))).toBe(true)
})
