import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ConfigRequest, loadConfig } from '../../../src/config/load.ts'
import { loadMachine } from '../../../src/config/machine.ts'
import { type ConfigContext, defineConfig } from '../../../src/index.ts'
import { manifests } from '../../../src/render/manifests.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'devkit-config-'))
})
afterEach(() => rmSync(directory, { recursive: true }))
const write = (name: string, text: string): void => writeFileSync(join(directory, name), text)
const context = { command: 'up', profile: 'dev', env: 'default', ci: false }
const load = (over: Partial<ConfigRequest> = {}) => loadConfig({ cwd: directory, context, shipped: { dev: {} }, ...over })

test.each([
  ['json', '{"project":"shop","manifests":["k8s"]}'],
  ['yaml', 'project: shop\nmanifests: [k8s]\n'],
])('a %s config is found upwards and filled in', async (extension, text) => {
  write(`devkit.config.${extension}`, text)
  mkdirSync(join(directory, 'deep/er'), { recursive: true })
  const { config, directory: found } = await load({ cwd: join(directory, 'deep/er') })
  expect(found).toBe(directory)
  expect(config).toMatchObject({ project: 'shop', cluster: { kind: {} }, services: {} })
})

test('all wrong values at once, each with its line and the nearest right word', async () => {
  write(
    'devkit.config.yaml',
    'project: Shop\nmanifests: [k8s]\nservices:\n  web:\n    imagge: a\n    ports:\n      - port: http\n        host: 99999\n',
  )
  const problem = await load().catch((thrown: unknown) => thrown)
  expect(problem).toMatchObject({ code: 'CONFIG-103' })
  const { message } = problem as Error
  expect(message).toMatch(/devkit\.config\.yaml:1:10: project: lower-case/)
  expect(message).toMatch(/devkit\.config\.yaml:5:5: services\.web\.imagge: unknown name; did you mean 'image'\?/)
  expect(message).toMatch(/devkit\.config\.yaml:8:15: services\.web\.ports\.0\.host: a port from 1 to 65535, got 99999/)
})

test.each([
  [
    'yaml',
    'project: shop\nmanifests: [k8s]\nservices:\n  web:\n    ports:\n    - port: a\n      host: 1\n    - port: b\n      host: x\n',
    '9:13',
  ],
  [
    'json',
    '{"project":"shop","manifests":["k8s"],\n"services":{"web":{"ports":[{"port":"a","host":1},\n{"port":"b","host":"x"}]}}}',
    '3:20',
  ],
  [
    'ts',
    'export default {\n  project: "shop", manifests: ["k8s"],\n  services: { web: { ports: [\n    { port: "a", host: 1 },\n    { port: "b", host: "x" } ] } },\n}',
    '5:24',
  ],
])('in %s the line is that of the item meant', async (extension, text, line) => {
  write(`devkit.config.${extension}`, text)
  await expect(load()).rejects.toMatchObject({
    code: 'CONFIG-103',
    message: expect.stringContaining(`devkit.config.${extension}:${line}: services.web.ports.1.host: expected number, got "x".`),
  })
})

test.each([
  ['devkit.config.yaml', '', /\(config\): expected names and values, got null/],
  ['devkit.config.json', '[]', /project: missing/],
  ['devkit.config.ts', 'export default () => 1\n', /expected names and values, got 1/],
])('%s with %j is no config', async (name, text, message) => {
  write(name, text)
  await expect(load()).rejects.toMatchObject({ code: 'CONFIG-103', message: expect.stringMatching(message) })
})

test.each([
  ['cluster: { minikube: {} }', 'CONFIG-105'],
  ['cluster: { kindd: {} }', 'CONFIG-103'],
  ['kubernetes: 1.30', 'CONFIG-103', /:3:13: kubernetes: a version in quotes such as '1\.34', got 1\.3\.$/],
])('%s is %s', async (line, code, message = /./) => {
  write('devkit.config.yaml', `project: shop\nmanifests: [k8s]\n${line}\n`)
  await expect(load()).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
})

test.each([
  ['{kustomise: x}', /manifests\.0\.kustomise: unknown name; did you mean 'kustomize'/],
  ['{helm: {}}', /manifests\.0\.helm\.chart: missing/],
  ['{helm: {chart: x, value: [y]}}', /manifests\.0\.helm\.value: unknown name; did you mean 'values'/],
  ['{kustomize: x, helm: {chart: y}}', /manifests\.0: one of kustomize, helm, /],
  ['{command: []}', /manifests\.0\.command: a program and its arguments/],
  ['5', /manifests\.0: a path, or one of /],
])('the source %s is told by what was meant', async (source, message) => {
  write('devkit.config.yaml', `project: shop\nmanifests: [${source}]\n`)
  await expect(load()).rejects.toMatchObject({ code: 'CONFIG-103', message: expect.stringMatching(message) })
})

test('no config, and one that is not valid, are told apart', async () => {
  mkdirSync(join(directory, 'devkit.config.ts'))
  write('config.toml', '')
  const told: [string | undefined, string][] = [
    ['none.yaml', 'There is no config file'],
    ['.', 'There is no config file'],
    ['config.toml', 'is no config file'],
    [undefined, 'There is no devkit.config.ts in'],
  ]
  for (const [file, message] of told)
    await expect(load({ file })).rejects.toMatchObject({ code: 'CONFIG-101', message: expect.stringContaining(message) })
  write('devkit.config.json', '{')
  await expect(load()).rejects.toMatchObject({ code: 'CONFIG-102' })
})

test.each([
  ['json', '{"project":"shop","manifests":["k8s"]}'],
  ['yaml', 'project: shop\nmanifests: [k8s]\n'],
])('a %s config may begin with a byte order mark', async (extension, text) => {
  write(`devkit.config.${extension}`, `\ufeff${text}`)
  expect((await load()).config.project).toBe('shop')
})

test.each([
  ['in another encoding', Buffer.from('\ufeffproject: shop\n', 'utf16le'), /yaml:1:1: it is no text in UTF-8\.$/],
  ['of two documents', 'project: shop\n---\nproject: shop\n', /yaml:2:1: there is a second document\.$/],
])('a config %s cannot be loaded', async (_, text, message) => {
  writeFileSync(join(directory, 'devkit.config.yaml'), text)
  await expect(load()).rejects.toMatchObject({ code: 'CONFIG-102', message: expect.stringMatching(message) })
})

test('the machine’s settings: absent is fine, wrong is told with its path', async () => {
  expect(await loadMachine({ HOME: directory })).toMatchObject({ found: false, tools: {} })
  write('machine.json', '{"tools":{"kindd":"/x"}}')
  await expect(loadMachine({ DEVKIT_MACHINE: join(directory, 'machine.json') })).rejects.toMatchObject({
    code: 'CONFIG-201',
    message: expect.stringContaining('kindd'),
  })
})

test('a config is typed as it is written, also one that is a function', () => {
  const small = { project: 'shop', manifests: ['k8s'] }
  expect(defineConfig(small)).toBe(small)
  const ofRun = async ({ command, ci }: ConfigContext) => ({ ...small, ignore: ci ? [command] : [] })
  expect(defineConfig(ofRun)).toBe(ofRun)
  // @ts-expect-error a name that is none
  defineConfig({ project: 'shop', manifests: ['k8s'], service: {} })
  // @ts-expect-error a value of the wrong kind
  defineConfig(({ profile }) => ({ project: profile, manifests: 'k8s' }))
})

const signal = new AbortController().signal
const input = () => ({ directory, namespace: 'shop', kubernetes: '1.34', apiVersions: [], invents: true })

test('manifests are read as kubectl reads them: octal modes, old booleans, merge keys, lists', async () => {
  write(
    'a.yaml',
    'base: &b {x: 1}\nkind: A\napiVersion: v1\nmetadata: {name: a}\nmode: 0400\non: yes\nword: y\ntime: 12:30\nmerged: {<<: *b}\n---\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: B, metadata: {name: b}}\n',
  )
  const [a, b] = await manifests.render('a.yaml', input(), { signal })
  expect(a?.object).toMatchObject({ mode: 256, true: true, word: true, time: '12:30', merged: { x: 1 } })
  expect(b).toMatchObject({ object: { kind: 'B' }, origin: { file: 'a.yaml', line: 15 } })
})

test.each([
  ['a: b: c\n', 'RENDER-101', /bad\.yaml:1/],
  ['a: 1\na: 2\n', 'RENDER-101', /bad\.yaml:2/],
  ['\n\napiVersion: v1\nkind: X\n', 'RENDER-102', /bad\.yaml:3.*metadata\.name/],
  [
    'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  replicas: 1\n',
    'RENDER-102',
    /bad\.yaml:4: .*spec\.template has to be there/,
  ],
  [
    'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers: {name: a}\n',
    'RENDER-102',
    /bad\.yaml:5: Pod\/a: spec\.containers has to be a list/,
  ],
  ['apiVersion: v1\nkind: Service\nmetadata: {name: a}\n', 'RENDER-102', /bad\.yaml:1: Service\/a: spec /],
  ['apiVersion: v1\nkind: X\nmetadata:\n  name: a\n  labels: [a]\n', 'RENDER-102', /bad\.yaml:5: .*metadata\.labels /],
])('%j is %s with its place', async (text, code, message) => {
  write('bad.yaml', text)
  const problem = await manifests.render('bad.yaml', input(), { signal }).catch((thrown: unknown) => thrown)
  expect(problem).toMatchObject({ code, message: expect.stringMatching(message) })
})
