import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { problemsPage } from '../schema/problems-page.ts'
import { configPage } from '../schema/write.ts'
import { helpText, verbs } from '../src/cli/command-line.ts'

const root = join(import.meta.dirname, '..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'src/README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

test('docs/problems.md is what `devkit explain` says (npm run build writes it)', () => {
  expect(read('docs/problems.md')).toBe(problemsPage())
})

test('docs/config.md says what the schema of the config says (npm run build writes it)', () => {
  expect(read('docs/config.md')).toBe(configPage())
})

/** First cells of a page's table, below a heading. */
function cells(page: string, heading: string): readonly string[] {
  const section = read(page).split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
  return [...section.matchAll(/^\| `([^|]+?)` *\|/gm)].map(([, cell = '']) => cell)
}

/** The names that a part of the help lists. */
function listed(help: string, title: string): readonly string[] {
  const part = help.split(`\n${title}:\n`)[1]?.split('\n\n')[0] ?? ''
  return [...part.matchAll(/^ {2}(\S.*?) {2,}/gm)].map(([, name = '']) => name)
}

test('docs/contract.md has the verbs of devkit --help, in the same order', () => {
  expect(cells('docs/contract.md', 'Verbs')).toEqual(listed(helpText(), 'Verbs'))
})

test('docs/contract.md has the flags of devkit --help, and those of the verbs', () => {
  const everywhere = ['-h, --help', '-V, --version']
  const flags = [helpText(), ...verbs.map((verb) => helpText(verb))].flatMap((help) => listed(help, 'Flags'))
  expect(cells('docs/contract.md', 'Flags').toSorted()).toEqual(
    [...new Set(flags)].filter((flag) => !everywhere.includes(flag)).toSorted(),
  )
})

test('docs/contract.md has every event with its fields', () => {
  interface Variant {
    readonly properties: Readonly<Record<string, { readonly const?: string }>>
    readonly required: readonly string[]
  }
  const { oneOf } = JSON.parse(read('schema/events.json')) as { oneOf: readonly Variant[] }
  const rows = oneOf.map(({ properties, required }) => {
    const fields = Object.keys(properties).filter((name) => !['v', 'time', 'type'].includes(name))
    return `| \`${properties['type']?.const}\` | ${fields.map((name) => `${name}${required.includes(name) ? '' : '?'}`).join(', ')} |`
  })
  const table = (read('docs/contract.md').split('\n## JSON\n')[1] ?? '')
    .split('\n')
    .filter((line) => /^\| `[a-z]+(\.[a-z]+)?` +\| [a-zA-Z]+\??(, |\s*\|$)/.test(line))
    .map((line) => line.replace(/ +\|/g, ' |'))
  expect(table).toEqual(rows)
})

test('src/README.md has every room, and the files that it names are there', () => {
  const table = [...read('src/README.md').matchAll(/^\| `([a-z]+)\/` +\| (.*) \|$/gm)].map(([, room = '', text = '']) => ({
    room,
    text,
  }))
  const rooms = readdirSync(join(root, 'src'), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [entry.name] : [],
  )
  expect(table.map(({ room }) => room).toSorted()).toEqual(rooms.toSorted())
  const missing = table.flatMap(({ room, text }) =>
    [...text.matchAll(/`([\w-]+(?:\.ts|\/))`/g)]
      .map(([, name = '']) => `src/${room}/${name}`)
      .filter((path) => !existsSync(join(root, path))),
  )
  expect(missing).toEqual([])
})

test('every link of the docs leads somewhere', () => {
  const broken = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^https?:/.test(target) && !existsSync(join(root, dirname(page), target)))
      .map((target) => `${page} → ${target}`),
  )
  expect(broken).toEqual([])
})

/** Where the commands that the docs show are run: file and words of it. A verb of devkit may be run by any test. */
const runBy: Readonly<Record<string, readonly [file: string, words: string]>> = {
  'npm run demo': ['test/e2e/demo.test.ts', "'demo'"],
  'npm run demo -- --down': ['test/e2e/demo.test.ts', "'--down'"],
  'npm test': ['.ci/run', 'npm test'],
  'npm test -- unit': ['test/run.ts', "'unit'"],
  'npm run lab': ['test/e2e/tools/global-setup.ts', 'labUp('],
  'npm run check': ['test/run.ts', "'tsc'"],
  'npm run bench -- start': ['test/bench/bench.ts', 'start'],
  'npm run build': ['test/e2e/tools/packed.ts', "'pack'"],
  'npm run picture': ['test/unit/ui/picture.test.ts', 'picture('],
}

test('every command that the docs show is run by a test', () => {
  const shown = pages.flatMap((page) => [
    ...[...read(page).matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap(([, block = '']) =>
      block.split('\n').map((line) => line.replace(/\s*#.*/, '').trim()),
    ),
    ...[...read(page).matchAll(/`((?:devkit|npm) [a-z][^`]*)`/g)].map(([, command = '']) => command),
  ])
  const tests = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts') && file !== 'docs.test.ts')
    .map((file) => read(`test/${file}`))
  const isRun = (command: string): boolean => {
    const [file, words] = runBy[command] ?? []
    if (file !== undefined && words !== undefined) return existsSync(join(root, file)) && read(file).includes(words)
    const [program, ...argv] = command.split(' ')
    return program === 'devkit' && tests.some((text) => argv.every((word) => text.includes(`'${word}'`)))
  }
  expect([...new Set(shown)].filter((command) => command !== '' && !isRun(command))).toEqual([])
})
