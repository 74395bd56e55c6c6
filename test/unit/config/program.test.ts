import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { type LoadRequest, openNodeLoader } from './node-loader.ts'

const loader = openNodeLoader()
afterAll(() => loader[Symbol.dispose]())

let directory: string
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'devkit-program-')))
})
afterEach(() => rmSync(directory, { recursive: true }))

function write(name: string, text: string): void {
  mkdirSync(dirname(join(directory, name)), { recursive: true })
  writeFileSync(join(directory, name), text)
}

const context = { command: 'up', profile: 'dev', env: 'default', ci: false }
const load = (over: Partial<LoadRequest> = {}) => loader.load({ cwd: directory, context, ...over })

/** The lines of the message that a wrong config gets, without the directory. */
async function told(): Promise<readonly string[]> {
  const { message = '' } = await load()
  return message
    .replaceAll(`${directory}/`, '')
    .split('\n')
    .filter((line) => /:\d+:\d+: /.test(line))
}

const whole = (rest: string): string => `project: 'shop', manifests: ['k8s'], ${rest}`

test.each([
  ['ts', `export default { ${whole('')} }`],
  ['mts', `export default { ${whole('')} } satisfies object`],
  ['js', `export default { ${whole('')} }`],
  ['mjs', `export default { ${whole('')} }`],
  ['js', `module.exports = { ${whole('')} }`],
])('a config may be written in %s as %s', async (extension, text) => {
  // as `npm init` makes it
  write('package.json', '{"type":"commonjs"}')
  if (text.startsWith('export') && extension === 'js') write('package.json', '{"type":"module"}')
  write(`devkit.config.${extension}`, text)
  expect((await load()).config?.project).toBe('shop')
})

test.each([
  [
    'a value',
    `export default { ${whole("services: { web: { ports: [{ port: 'a', host: 'x' }] } }")} }`,
    '1:101: services.web.ports.0.host',
  ],
  [
    'a name',
    `export default { ${whole("services: {\n web: { imagge: 'x' } }")} }`,
    "2:9: services.web.imagge: unknown name; did you mean 'image'?",
  ],
  [
    'a constant',
    `const port = 0\nexport default { ${whole("services: { web: { ports: [{ port: 'a', host: port }] } }")} }`,
    '1:14: services.web.ports.0.host',
  ],
  [
    'a spread',
    `const base = {\n image: 1 }\nexport default { ${whole('services: { web: { ...base } }')} }`,
    '2:9: services.web.image',
  ],
  [
    'a spread list',
    `const more = [{ port: 'a' }]\nexport default { ${whole("services: { web: { ports: [...more,\n { port: 'b', host: '' }] } }")} }`,
    '3:21: services.web.ports.1.host',
  ],
  [
    'a function',
    `function web(image) { return { image, sync: [],\n workload: 'x' } }\nexport default { ${whole("services: { web: web('a') }")} }`,
    '2:12: services.web.workload',
  ],
  [
    'a function as the config',
    `import { defineConfig } from 'devkit'\nexport default defineConfig(async () => {\n const inner = () => { return 1 }\n return { ${whole('ignore: 5')} }\n})`,
    '4:56: ignore',
  ],
  ['a choice', `export default { ${whole("ignore: 1 > 2 ? ['a'] : [1]")} }`, '1:80: ignore.0'],
  [
    'a member',
    `const all = { web: { image: 5 } }\nexport default { ${whole('services: { web: all.web }')} }`,
    '1:29: services.web.image',
  ],
  ['a type assertion', `export default ({ ${whole('ignore: [1 as unknown as string]')} }) as object`, '1:65: ignore.0'],
  ['what is computed, by its name', `export default { ${whole("ignore: [[1].join() + 1,\n Number('1')]")} }`, '2:2: ignore.1'],
  [
    'what is missing, by what it is missing in',
    `export default { ${whole("services: { web: { sync: [\n{ from: 'a' }] } }")} }`,
    '2:1: services.web.sync.0.to: missing. Absolute path in the container.',
  ],
])('the place of %s is exact', async (_, text, wanted) => {
  write('devkit.config.ts', text)
  expect(await told()).toEqual([expect.stringContaining(`devkit.config.ts:${wanted}`)])
})

test('the place of a value that another file has is there', async () => {
  write('services/web.ts', "export const web = { image: 1 }\nexport default [\n  { from: 'a', to: 'b' }]\n")
  write(
    'devkit.config.ts',
    `import sync, { web } from './services/web.ts'\nexport default { ${whole('services: { web: { ...web, sync } }')} }`,
  )
  expect(await told()).toEqual([
    expect.stringContaining('services/web.ts:1:29: services.web.image'),
    expect.stringContaining('services/web.ts:3:20: services.web.sync.0.to'),
  ])
})

test('all that is wrong is told at once: values, names that lead nowhere, loops', async () => {
  write(
    'devkit.config.yaml',
    `project: shop
manifests: [k8s]
base: &base
  image: 1
services:
  web: {dependsOn: [api], ports: [{port: a, host: 80}]}
  api: {<<: *base, dependsOn: [web], ports: [{port: a, host: 80}], sync: [{from: a, to: /b, restart: proces}]}
profiles:
  dev: {extends: cii, cpuLimits: dropp}
  one: {extends: two}
  two: {extends: one}
  production: {maxReplicas: 1}
`,
  )
  expect(await told()).toEqual([
    expect.stringMatching(/^devkit.config.yaml:3:1: base: unknown name; known are .*project, .*manifests, .*profiles\.$/),
    'devkit.config.yaml:4:10: services.api.image: expected string, got 1.',
    'devkit.config.yaml:7:32: services.api.dependsOn.0: services depend on each other in a loop: web → api → web.',
    'devkit.config.yaml:7:62: services.api.ports.0.host: port 80 is that of web already.',
    expect.stringMatching(/^devkit.config.yaml:7:102: services.api.sync.0.restart: .*; did you mean 'process'\?$/),
    "devkit.config.yaml:9:18: profiles.dev.extends: there is no profile 'cii'; did you mean 'ci'?",
    expect.stringMatching(/^devkit.config.yaml:9:34: profiles.dev.cpuLimits: .*did you mean 'drop'\?$/),
    'devkit.config.yaml:11:18: profiles.two.extends: the profile extends itself: one → two → one.',
    'devkit.config.yaml:12:3: profiles.production: production is the manifests as they are, and nothing is laid over them.',
  ])
})

test('a config may be a function of the run', async () => {
  write(
    'devkit.config.ts',
    "export default async (run) => ({ project: 'shop', manifests: [run.command, run.profile, run.env, String(run.ci)] })\n",
  )
  const { config } = await load({ context: { command: 'watch', profile: 'mine', env: 'two', ci: true } })
  expect(config?.manifests).toEqual(['watch', 'mine', 'two', 'true'])
})

test('what the config imports is known, read anew at every load, and also known when the load fails', async () => {
  write(
    'devkit.config.ts',
    "import { image } from './lib/image.ts'\nimport old from './old.cjs'\nexport default { project: 'shop', manifests: [old], services: { web: { image } } }\n",
  )
  write('old.cjs', "module.exports = 'one'\n")
  write('lib/image.ts', "import { tag } from './tag.ts'\nexport const image = 'web-' + tag\n")
  write('lib/tag.ts', "export const tag = 'one'\n")
  const read = async () => {
    const { config, code, files } = await load()
    const read = config ? [config.manifests[0], config.services['web']?.image] : code
    return { read, files: [...new Set(files.map((file) => file.slice(directory.length + 1)))].toSorted() }
  }
  const files = ['devkit.config.ts', 'lib/image.ts', 'lib/tag.ts', 'old.cjs']
  expect(await read()).toEqual({ read: ['one', 'web-one'], files })
  write('lib/tag.ts', "export const tag = 'two'\n")
  write('old.cjs', "module.exports = 'two'\n")
  expect(await read()).toEqual({ read: ['two', 'web-two'], files })
  write('lib/tag.ts', 'export const = ')
  expect(await read()).toMatchObject({ read: 'CONFIG-102', files: expect.arrayContaining(['lib/tag.ts']) })
  write('devkit.config.ts', "import './missing.ts'\nexport default {}\n")
  expect(await read()).toMatchObject({ read: 'CONFIG-102', files: ['devkit.config.ts', 'missing.ts'] })
})

test.each([
  ['an enum', "enum Names { shop = 'shop' }\nexport default { project: Names.shop, manifests: ['k8s'] }\n", /no enum/],
  [
    'an import without extension',
    "import { project } from './name'\nexport default { project, manifests: ['k8s'] }\n",
    /extension/,
  ],
  [
    'a type imported as a value',
    "import { type Name, Kind, project } from './name.ts'\nexport const kind: Kind = 1\nexport default { project, manifests: ['k8s'] }\n",
    /import type/,
  ],
])('%s takes the slower loader, which is said; a reload is one there too', async (_, text, hint) => {
  write('name.ts', "export type Name = string\nexport interface Kind {}\nexport const project = 'shop'\n")
  write('devkit.config.ts', text)
  const { config, warnings, files } = await load()
  expect(config?.project).toBe('shop')
  expect(warnings).toMatchObject([{ code: 'CONFIG-106', hint: expect.stringMatching(hint) }])
  write('name.ts', "export interface Kind {}\nexport const project = 'other'\n")
  if (files.includes(join(directory, 'name.ts'))) expect((await load()).config?.project).toBe('other')
  else expect(text).toContain('enum')
})

test.each([
  ['a file that is not there', "import './nowhere.ts'\nexport default {}\n", /:1:1: Cannot find module.*nowhere\.ts/],
  ['a package that is not there', "import 'no-such-package'\nexport default {}\n", /Cannot find package 'no-such-package'/],
  [
    'a throw in a function',
    'const a = 1\nexport default () => {\n  throw new Error("no " + a)\n}\n',
    /devkit\.config\.ts:3:9: no 1/,
  ],
  ['a slip in JSON that is imported', "import a from './a.json' with { type: 'json' }\nexport default a\n", /a\.json:2:2: /],
  [
    'a file that it reads and that is not there',
    "import { readFileSync } from 'node:fs'\nexport default () => readFileSync('nowhere.txt', 'utf8')\n",
    /devkit\.config\.ts:2:22: ENOENT: .*nowhere\.txt/,
  ],
  ['a value that throws', 'export default {\n get project() { throw new Error("no") } }\n', /devkit\.config\.ts:2:24: no\.$/],
  ['no default export', 'export const a = 1\n', /devkit\.config\.ts:1:1: there is no default export/],
])('%s is told as what keeps the config from being loaded', async (_, text, message) => {
  write('a.json', '{\n {')
  write('devkit.config.ts', text)
  expect(await load()).toMatchObject({ code: 'CONFIG-102', message: expect.stringMatching(message) })
})

test.each([
  ['a function', 'export default () => new Promise(() => {})\n'],
  ['an await', 'export default await new Promise(() => {})\n'],
])('%s that never ends is told, where Node alone would end without a word', async (_, text) => {
  write('devkit.config.ts', text)
  expect(await load({ patienceMs: 100 })).toMatchObject({
    code: 'CONFIG-102',
    message: expect.stringContaining('devkit.config.ts:1:1: it has made no config within 0.1 s'),
  })
})

test('--set lays a value over the config, checked like any other', async () => {
  write('devkit.config.yaml', 'project: shop\nmanifests: [k8s]\nservices: {web: {ports: [{port: http, host: 8080}]}}\n')
  const set = (...texts: string[]) => load({ set: texts })
  const { config } = await set(
    'services.web.ports.0.host=8081',
    'services.api.dependsOn=[web]',
    'services.api.ports.0.port=http',
    'services.api.ports.0.host=8082',
    'manifests.1=more',
    'project=other',
  )
  expect(config).toMatchObject({
    project: 'other',
    manifests: ['k8s', 'more'],
    services: {
      web: { ports: [{ port: 'http', host: 8081 }] },
      api: { dependsOn: ['web'], ports: [{ port: 'http', host: 8082 }] },
    },
  })
  expect(await set('services.web.ports.0.host=many')).toMatchObject({
    code: 'CONFIG-103',
    message: '--set services.web.ports.0.host: services.web.ports.0.host: expected number, got "many".',
    hint: 'Correct --set services.web.ports.0.host.',
  })
  expect(await set('servces.web.image=a')).toMatchObject({
    message: "--set servces.web.image: servces: unknown name; did you mean 'services'?",
  })
  for (const wrong of ['project', '=1', 'a..b=1', 'project.x=1', 'manifests.7=a', 'project="'])
    expect((await set(wrong)).code).toBe('CONFIG-001')
})
