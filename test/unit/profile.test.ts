import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { expect, test } from 'vitest'
import { resolveProfile } from '../../src/config/profile.ts'
import { type Patch, type Profile, profileSchema } from '../../src/config/profile-schema.ts'
import type { KubeObject } from '../../src/lib/objects.ts'
import { language } from '../../src/render/transforms/transforms.ts'

const shipped = { dev: { maxReplicas: 1, requests: 0.5 }, ci: { extends: 'dev', requests: 0.1 } }

test('a profile lies over the shipped one of its name and over what it extends; each value knows who said it', () => {
  const own: Record<string, Profile> = {
    dev: { services: { web: { env: { A: '1', B: '2' }, args: ['one', 'two'] } } },
    mine: { extends: 'ci', maxReplicas: 2, services: { web: { env: { B: '3' }, args: ['three'] } } },
  }
  expect(resolveProfile('dev', shipped, own)).toEqual({
    profile: { maxReplicas: 1, requests: 0.5, services: { web: { env: { A: '1', B: '2' }, args: ['one', 'two'] } } },
    origins: {
      maxReplicas: 'dev (shipped)',
      requests: 'dev (shipped)',
      'services.web.env.A': 'dev',
      'services.web.env.B': 'dev',
      'services.web.args': 'dev',
    },
  })
  expect(resolveProfile('mine', shipped, own)).toEqual({
    profile: { maxReplicas: 2, requests: 0.1, services: { web: { env: { A: '1', B: '3' }, args: ['three'] } } },
    origins: {
      maxReplicas: 'mine',
      requests: 'ci (shipped)',
      'services.web.env.A': 'dev',
      'services.web.env.B': 'mine',
      'services.web.args': 'mine',
    },
  })
})

test('of several that are extended the later one holds, and a value of its own before both', () => {
  const own = {
    a: { requests: 0.2, maxReplicas: 3 },
    b: { requests: 0.3 },
    both: { extends: ['a', 'b'], cpuLimits: 'keep' as const },
  }
  expect(resolveProfile('both', {}, own)).toEqual({
    profile: { requests: 0.3, maxReplicas: 3, cpuLimits: 'keep' },
    origins: { requests: 'b', maxReplicas: 'a', cpuLimits: 'both' },
  })
})

test('lists of rules are lengthened, a name takes the place of the same name; an empty list empties', () => {
  const [one, two] = [(object: KubeObject) => object, () => undefined]
  const merge = (name: string, to: string): Patch => ({ name, select: 'Job', merge: { to } })
  const unnamed = { select: 'Job', patch: [] }
  const own: Record<string, Profile> = {
    a: { patches: [merge('x', 'a'), unnamed], transform: one, probes: { liveness: 'drop', startup: { every: 1 } } },
    b: {
      extends: 'a',
      patches: [merge('y', 'b'), merge('x', 'b')],
      transform: [two],
      probes: { liveness: { patience: 2 }, startup: 'drop' },
    },
    c: { extends: 'b', patches: [] },
  }
  expect(resolveProfile('b', {}, own)).toEqual({
    profile: {
      patches: [merge('x', 'b'), unnamed, merge('y', 'b')],
      transform: [one, two],
      probes: { liveness: { patience: 2 }, startup: 'drop' },
    },
    origins: {
      'patches.0': 'b',
      'patches.x': 'b',
      'patches.1': 'a',
      'patches.2': 'b',
      'patches.y': 'b',
      'transform.0': 'a',
      'transform.1': 'b',
      'probes.liveness.patience': 'b',
      'probes.startup': 'b',
    },
  })
  expect(resolveProfile('c', {}, own).profile.patches).toEqual([])
})

test('what does not exist and what extends itself is told', () => {
  expect(() => resolveProfile('none', shipped, {})).toThrow("There is no profile 'none'.")
  expect(() => resolveProfile('constructor', shipped, {})).toThrow("There is no profile 'constructor'.")
  expect(() => resolveProfile('a', {}, { a: { extends: 'b' }, b: { extends: ['a'] } })).toThrow('a → b → a')
  expect(() => resolveProfile('a', {}, { a: { extends: 'a' } })).toThrow('a → a')
  // the shipped one of the same name is what it lies over anyway
  expect(resolveProfile('dev', shipped, { dev: { extends: 'dev' } }).profile).toEqual({ maxReplicas: 1, requests: 0.5 })
})

const page = readFileSync(join(import.meta.dirname, '../../docs/profiles.md'), 'utf8')

test('docs/profiles.md has every word in the order of its work, and its example is a config’s', () => {
  const words = [...page.matchAll(/^\| (`\w+`(?:, `\w+`)*) \| [a-z]/gm)].flatMap(([, cell = '']) => cell.match(/\w+/g) ?? [])
  expect(words.filter((word) => !['production', 'dev', 'ci', 'debug'].includes(word))).toEqual(Object.keys(language))
  const [, example = ''] = /^```ts\n(profiles: [\s\S]*?)^```/m.exec(page) ?? []
  const { profiles } = new Function(`return { ${example} }`)() as { profiles: Readonly<Record<string, unknown>> }
  for (const profile of Object.values(profiles)) expect(v.safeParse(profileSchema, profile).issues).toBe(undefined)
})
