import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../../../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const contract = 'test/contract/diagnosis'
const files = readdirSync(join(root, contract)).filter((name) => name.endsWith('.test.ts'))
const families = files.filter((name) => name !== 'compound.test.ts')
const rules = readdirSync(join(root, 'src/deploy/diagnosis'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => read(`src/deploy/diagnosis/${name}`))
const given = [...new Set(rules.flatMap((source) => source.match(/READY-\d+/g) ?? []))].toSorted()

/** How often a file of the contract layer expects a code: where it is shared by several, each that takes it counts. */
function waysIn(source: string, code: string): number {
  const plain = source.split(`code: '${code}'`).length - 1
  const shared = [...source.matchAll(/const (\w+) = \{[^{}]*?code: '(READY-\d+)'/g)].filter(([, , of]) => of === code)
  const taken = shared.map(([, name]) => source.split(`...${name},`).length - 1)
  return plain - shared.length + taken.reduce((sum, one) => sum + one, 0)
}

/** What only a node, a driver or a moment that no test can make provokes, or harms too much to do twice: how often the lab does it. */
const fewer: Readonly<Record<string, number>> = {
  'READY-105': 0,
  'READY-175': 0,
  'READY-216': 1,
  'READY-217': 0,
}

test('every code that a rule gives is provoked in two ways on a cluster, but for those of which is written why not', () => {
  const sources = families.map((name) => read(join(contract, name)))
  const ways = given.map((code) => [code, sources.reduce((sum, source) => sum + waysIn(source, code), 0)] as const)
  expect(Object.fromEntries(ways.filter(([, count]) => count < 2))).toEqual(fewer)
})

test('a code that the lab provokes less than twice is held by made-up objects', () => {
  const folder = 'test/unit/deploy'
  const units = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts') && !name.endsWith('coverage.test.ts'))
    .map((name) => read(join(folder, name)))
  expect(Object.keys(fewer).filter((code) => !units.some((source) => source.includes(code)))).toEqual([])
})

test('every family has healthy twins', () => {
  expect(families.filter((name) => !/testTwins\(|staysWell\(/.test(read(join(contract, name))))).toEqual([])
})

test('at least 55 causes are told, and 30 pairs of faults have their first one told', () => {
  expect(given.length - Object.keys(fewer).length).toBeGreaterThanOrEqual(55)
  expect(read(join(contract, 'compound.test.ts')).match(/^ {4}what: /gm)?.length).toBeGreaterThanOrEqual(30)
})
