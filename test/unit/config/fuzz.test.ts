import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { afterAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import dev from '../../../profiles/dev.ts'
import { checkValue } from '../../../src/config/check.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { resolveProfile } from '../../../src/config/profile.ts'
import { DevkitError, problems } from '../../../src/lib/errors.ts'
import { checkServices, makePlan } from '../../../src/plan/make-plan.ts'
import { type Chance, chance, mutatedText, mutatedValue } from '../fuzz.ts'

const directory = mkdtempSync(join(tmpdir(), 'devkit-fuzz-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** Configs that together say everything that one can say. */
const small = { project: 'shop', manifests: ['k8s'] }
const web = {
  image: 'shop/web',
  workload: 'Deployment/web',
  build: { context: 'web', dockerfile: 'Dockerfile', target: 'dev', args: { A: 'b' }, rebuildOn: ['*.txt'] },
  ports: [{ port: 'http', host: 8080 }, { port: 9000 }],
  dependsOn: ['db'],
}
const restarts = [{ signal: 'SIGHUP' }, { command: 'reload' }, 'process'] as const
const sync = restarts.map((restart) => ({
  from: 'src',
  to: '/app',
  ignore: ['*.md'],
  restart,
  run: [{ paths: ['*.po'], command: ['make', 'po'] }],
}))
const secret = { from: [{ dotenv: '.env' }, { environment: { prefix: 'X_' } }], keys: { URL: 'url', KEY: { generate: 8 } } }
const bases: readonly unknown[] = [
  {
    $schema: './config.json',
    ...small,
    kubernetes: '1.34',
    cluster: { existing: { context: 'kind-x', registry: 'localhost:5001' } },
  },
  { ...small, cluster: { kind: { nodeImage: 'x' } }, secrets: { env: secret }, ignore: ['*.tmp'] },
  {
    ...small,
    manifests: [
      'k8s',
      { kustomize: 'overlay' },
      { helm: { chart: 'c', values: ['v.yaml'], set: { a: 1 } } },
      { command: ['make'] },
    ],
  },
  { ...small, services: { web, db: { image: 'postgres', ports: [] } } },
  { ...small, services: { web: { sync } } },
  {
    ...small,
    services: { web: {} },
    profiles: { dev: { maxReplicas: 2, services: { web: { env: { A: '1' }, replicas: 1 } } }, own: { extends: ['dev'] } },
  },
]

/** Loads a text as a config and plans it, as every verb does; undefined when it is valid. */
async function problemOf(text: string, extension: 'json' | 'yaml'): Promise<unknown> {
  const file = join(directory, `devkit.config.${extension}`)
  writeFileSync(file, text)
  const context = { command: 'up', profile: 'dev', env: 'default', ci: false }
  try {
    const { config } = await loadConfig({ cwd: directory, file, context, shipped: { dev } })
    const resolved = resolveProfile('dev', { dev }, config.profiles)
    checkServices(makePlan({ config, file, env: 'default', profileName: 'dev', ...resolved }))
    return undefined
  } catch (thrown) {
    return thrown
  }
}

/** Whatever is written, it is a config or is told as none, with a place. */
function expectTold(problem: unknown, text: string): void {
  const isTold =
    problem === undefined ||
    (problem instanceof DevkitError && problems[problem.code].exit === 2 && /:\d+:\d+: /.test(problem.message))
  if (!isTold) throw new Error(`neither valid nor told with a place: ${String(problem)}\n${text}`, { cause: problem })
}

async function fuzz(times: number, seed: number, make: (random: Chance) => { text: string; extension: 'json' | 'yaml' }) {
  let valid = 0
  for (let round = 0; round < times; round++) {
    const { text, extension } = make(chance(seed + round))
    const problem = await problemOf(text, extension)
    expectTold(problem, text)
    if (problem === undefined) valid++
  }
  return valid
}

test('10,000 changed configs are valid or told with a place', { timeout: 120_000 }, async () => {
  const valid = await fuzz(10_000, 1, (random) => {
    const value = mutatedValue(random.pick(bases), random)
    const text = JSON.stringify(value, undefined, random.pick([0, 2])) ?? 'null'
    return random.below(2) === 0 ? { text, extension: 'json' } : { text: stringify(value ?? null), extension: 'yaml' }
  })
  // neither everything nor nothing: the changes are of the size of a slip
  expect(valid).toBeGreaterThan(500)
  expect(valid).toBeLessThan(9500)
})

test('2,000 changed texts are valid or told with a place', { timeout: 120_000 }, async () => {
  const texts = bases.map((base) => stringify(base))
  const valid = await fuzz(2000, 100_000, (random) => {
    const extension = random.pick(['json', 'yaml'] as const)
    const text = extension === 'json' ? JSON.stringify(random.pick(bases), undefined, 1) : random.pick(texts)
    return { text: mutatedText(text, random), extension }
  })
  expect(valid).toBeGreaterThan(50)
})

test('the JSON Schema takes what devkit takes, and nothing else', () => {
  const schema = JSON.parse(readFileSync(join(import.meta.dirname, '../../../schema/config.json'), 'utf8')) as object
  const isValid = new Ajv({ strict: false }).compile(schema)
  const differing: string[] = []
  for (let round = 0; round < 5000; round++) {
    const random = chance(500_000 + round)
    const text = JSON.stringify(mutatedValue(random.pick(bases), random)) ?? 'null'
    // JSON Schema knows nothing of the names that JavaScript keeps for itself
    if (/__proto__|constructor|prototype/.test(text)) continue
    const value: unknown = JSON.parse(text)
    if ((checkValue(value).config !== undefined) !== isValid(value))
      differing.push(
        `${isValid(value) ? 'the schema' : 'devkit'} takes ${JSON.stringify(value)} ${JSON.stringify(isValid.errors?.[0])}`,
      )
  }
  expect(differing).toEqual([])
})
