import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { expect, test } from 'vitest'

/** Who may import whom. A room may always import itself; `types` rooms may be imported for their types only. */
const rooms: Readonly<
  Record<
    string,
    { readonly rooms?: readonly string[]; readonly types?: readonly string[]; readonly packages?: readonly string[] }
  >
> = {
  lib: {},
  config: { rooms: ['lib'], packages: ['@babel/parser', 'jiti', 'valibot', 'yaml'] },
  plan: { rooms: ['lib', 'config'] },
  events: { rooms: ['lib'], packages: ['valibot'] },
  host: { rooms: ['lib'], packages: ['execa', 'dockerode', 'chokidar'] },
  kube: { rooms: ['lib'], packages: ['@kubernetes/client-node', 'undici', 'ws'] },
  cluster: { rooms: ['lib'], types: ['config', 'host', 'kube'], packages: ['js-yaml', 'yaml'] },
  build: { rooms: ['lib'], types: ['config', 'host', 'kube'], packages: [] },
  images: { rooms: ['lib'], types: ['config', 'host', 'kube'], packages: ['tar-stream'] },
  render: { rooms: ['lib'], types: ['config', 'host', 'kube'], packages: ['js-yaml'] },
  deploy: { rooms: ['lib'], types: ['config', 'host', 'kube'], packages: ['ajv'] },
  sync: { rooms: ['lib'], types: ['config', 'host', 'kube'] },
  secrets: { rooms: ['lib'], types: ['config'], packages: ['dotenv'] },
  forward: { rooms: ['lib'], types: ['config', 'host', 'kube', 'cluster'] },
  logs: { rooms: ['lib'], types: ['config', 'host', 'kube'] },
  toolbox: { rooms: ['cluster', 'build', 'images', 'render', 'secrets', 'sync'], types: ['config'] },
  engine: {
    rooms: [
      'lib',
      'plan',
      'events',
      'toolbox',
      'cluster',
      'build',
      'images',
      'render',
      'secrets',
      'deploy',
      'sync',
      'forward',
      'logs',
    ],
    types: ['host', 'kube', 'config'],
  },
  explain: { rooms: ['lib'] },
  ui: { rooms: ['lib', 'events'], packages: ['listr2'] },
  cli: {
    rooms: ['lib', 'config', 'plan', 'events', 'host', 'kube', 'engine', 'explain', 'render', 'ui', 'toolbox', 'profiles'],
    packages: ['commander', 'yaml'],
  },
  index: { types: ['config', 'events'] },
}

const source = join(import.meta.dirname, '../src')
const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))

interface Import {
  readonly file: string
  readonly from: string
  readonly to: string
  readonly typesOnly: boolean
}

function importsOf(file: string): readonly Import[] {
  const text = readFileSync(join(source, file), 'utf8')
  const from = roomOf(file)
  const statements = [...text.matchAll(/^(?:import|export)(\s+type)?\s[^'"();]*?from\s+'([^']+)'/gm)].map(
    ([, type, to = '']) => ({
      typesOnly: type !== undefined,
      to,
    }),
  )
  const lazy = [...text.matchAll(/\bimport\('([^']+)'\)/g)].map(([whole, to = '']) => ({
    typesOnly: text.includes(`typeof ${whole}`) && text.split(whole).length === text.split(`typeof ${whole}`).length,
    to,
  }))
  return [...statements, ...lazy].map((found) => ({ file, from, ...found }))
}

function roomOf(file: string): string {
  const [first = ''] = file.split('/')
  return first.replace(/\.ts$/, '')
}

const all = files.flatMap(importsOf)

test('rooms import only the rooms that the table gives them', () => {
  const wrong = all.filter(({ file, from, to, typesOnly }) => {
    if (!to.startsWith('.')) return false
    const target = roomOf(relative(source, join(source, file, '..', to)).replace(/^\.\.\//, ''))
    if (target === from) return false
    return !(rooms[from]?.rooms?.includes(target) || (typesOnly && rooms[from]?.types?.includes(target)))
  })
  expect(wrong.map(({ file, to }) => `${file} → ${to}`)).toEqual([])
})

test('rooms import only the packages that the table gives them', () => {
  const wrong = all.filter(
    ({ from, to, typesOnly }) =>
      !to.startsWith('.') &&
      !to.startsWith('node:') &&
      !typesOnly &&
      !rooms[from]?.packages?.some((name) => to === name || to.startsWith(`${name}/`)),
  )
  expect(wrong.map(({ file, to }) => `${file} → ${to}`)).toEqual([])
})

test('every room is in the table, every dependency belongs to one', () => {
  expect([...new Set(files.map(roomOf))].filter((room) => rooms[room] === undefined)).toEqual([])
  const { dependencies } = JSON.parse(readFileSync(join(source, '../package.json'), 'utf8')) as {
    dependencies: Readonly<Record<string, string>>
  }
  const given = new Set(Object.values(rooms).flatMap(({ packages = [] }) => packages))
  expect([...given].toSorted()).toEqual(Object.keys(dependencies).toSorted())
})

test('heavy packages are imported when first used, never at the top of a file', () => {
  const heavy = [
    '@babel/parser',
    '@kubernetes/client-node',
    'dockerode',
    'dotenv',
    'execa',
    'jiti',
    'js-yaml',
    'listr2',
    'undici',
    'ws',
    'yaml',
    'tar-stream',
  ]
  const wrong = files.filter((file) =>
    heavy.some((name) =>
      new RegExp(`^import (?!type )[^\\n]*from '${name}'`, 'm').test(readFileSync(join(source, file), 'utf8')),
    ),
  )
  expect(wrong).toEqual([])
})

test('only the door to the process says process', () => {
  const wrong = files.filter(
    (file) =>
      !['cli/main.ts', 'cli/bin.ts'].includes(file) &&
      /\bprocess\.[a-z]|from '(?:node:)?process'|\bglobalThis\b/.test(
        readFileSync(join(source, file), 'utf8').replace(/String\.raw`[\s\S]*?`/g, ''),
      ),
  )
  expect(wrong).toEqual([])
})
