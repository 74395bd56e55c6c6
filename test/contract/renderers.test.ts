import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Source } from '../../src/config/sources.ts'
import { makeExec, makeProgramFile, programEnv } from '../../src/host/exec.ts'
import { openFiles } from '../../src/host/hash-cache.ts'
import type { KubeObject, Manifest } from '../../src/lib/objects.ts'
import { placeOf } from '../../src/lib/objects.ts'
import { Scope } from '../../src/lib/scope.ts'
import { capabilitiesOf } from '../../src/render/capabilities.ts'
import { command } from '../../src/render/command.ts'
import { helm } from '../../src/render/helm.ts'
import { kustomize } from '../../src/render/kustomize.ts'
import { manifests } from '../../src/render/manifests.ts'
import type { RenderInput } from '../../src/render/renderer.ts'
import { template } from '../../src/render/template.ts'
import { makeToolbox, rendererOf } from '../../src/toolbox.ts'
import { labUp } from '../lab/lab.ts'

// What holds for every renderer, and then what each has of its own. The programs are the real ones.

// as the engine passes it: its signal is no property of its own
const step = new Scope()
let tools: Readonly<Record<string, string>>
let directory: string
beforeAll(async () => {
  const settings = await labUp({ say: () => undefined, signal: step.signal })
  tools = { helm: settings.tools.helm, kubectl: settings.tools.kubectl }
})
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'devkit-renderers-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function write(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), text)
  }
}

/** Programs that run, by their names. */
const ran: string[] = []

function renderers(withTools = tools) {
  const settings = { tools: withTools, env: programEnv({ PATH: '/usr/bin:/bin', HOME: directory }, withTools, 'unix:///none') }
  const run = makeExec(settings)
  const exec: typeof run = (program, ...rest) => {
    ran.push(program)
    return run(program, ...rest)
  }
  const parts = { exec, programFile: makeProgramFile(settings), files: openFiles() }
  return { renderer: { files: manifests, kustomize: kustomize(parts), helm: helm(parts), template, command: command(parts) } }
}

const input = (): RenderInput => ({ directory, namespace: 'shop', ...capabilitiesOf('1.34'), invents: true })

function render(source: Source, toolbox = renderers()): Promise<readonly Manifest[]> {
  return rendererOf(toolbox, source).render(source, input(), step)
}

const objects = (all: readonly Manifest[]): readonly KubeObject[] => all.map(({ object }) => object)
const byName = (all: readonly Manifest[]) => new Map(all.map((manifest) => [manifest.object.metadata.name, manifest]))

const web = (replicas: number | string) =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: ${replicas}\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers:\n      - {name: web, image: registry.example.com/web}\n`
const settings = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  MODE: "0400"\n'
const both = `${web(1)}---\n${settings}`
const indented = (text: string): string =>
  text
    .replace(/^/gm, '  ')
    .replace(/^ {2}apiVersion/gm, '- apiVersion')
    .trimEnd()
const templateOf = (replicas: string) =>
  `apiVersion: template.openshift.io/v1\nkind: Template\nmetadata: {name: shop}\nparameters:\n- {name: REPLICAS, value: "1"}\nobjects:\n${indented(web(replicas))}\n${indented(settings)}\n`

interface Sort {
  readonly name: string
  readonly source: Source
  /** The same two objects in the words of this sort. */
  readonly files: Readonly<Record<string, string>>
  /** The file that says the number of replicas; the number is 1. */
  readonly says: string
  /** Where the Deployment is from. */
  readonly place: string
  readonly broken: Readonly<Record<string, string>>
  readonly absent: Source
}

const sorts: readonly Sort[] = [
  {
    name: 'files',
    source: 'k8s',
    files: { 'k8s/all.yaml': both },
    says: 'k8s/all.yaml',
    place: 'k8s/all.yaml:1',
    broken: { 'k8s/all.yaml': 'a: b: c\n' },
    absent: 'k8z',
  },
  {
    name: 'kustomize',
    source: { kustomize: 'k8s/overlay' },
    files: {
      'k8s/overlay/kustomization.yaml': 'resources: [../base]\npatches:\n- path: replicas.yaml\n',
      'k8s/overlay/replicas.yaml': 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 1}\n',
      'k8s/base/kustomization.yaml': 'resources: [settings.yaml, web.yaml]\n',
      'k8s/base/web.yaml': `# the web\n${web(3)}`,
      'k8s/base/settings.yaml': settings,
    },
    says: 'k8s/overlay/replicas.yaml',
    place: 'k8s/base/web.yaml:2',
    broken: { 'k8s/overlay/kustomization.yaml': 'resources: [nowhere.yaml]\n' },
    absent: { kustomize: 'k8s/nowhere' },
  },
  {
    name: 'helm',
    source: { helm: { chart: 'chart', values: ['values/shop.yaml'], set: { mode: '0400' } } },
    files: {
      'chart/Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
      'chart/values.yaml': 'replicas: 5\n',
      'chart/templates/web.yaml': `{{/* the web */}}\n${web('{{ .Values.replicas }}')}`,
      'chart/templates/settings.yaml': settings.replace('"0400"', '{{ .Values.mode | quote }}'),
      'values/shop.yaml': 'replicas: 1\n',
    },
    says: 'values/shop.yaml',
    place: 'chart/templates/web.yaml:3',
    broken: { 'chart/templates/web.yaml': '{{ fail "no" }}\n' },
    absent: { helm: { chart: 'charts/nowhere', values: [], set: {} } },
  },
  {
    name: 'template',
    source: { template: { file: 'shop.yaml', parameters: {} } },
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the language of OpenShift
    files: { 'shop.yaml': templateOf('${{REPLICAS}}') },
    says: 'shop.yaml',
    place: 'shop.yaml:7',
    broken: { 'shop.yaml': 'a: b: c\n' },
    absent: { template: { file: 'nowhere.yaml', parameters: {} } },
  },
  {
    name: 'command',
    source: { command: ['sh', 'render.sh'], inputs: ['k8s'] },
    files: { 'render.sh': 'cat k8s/all.yaml\n', 'k8s/all.yaml': both },
    says: 'k8s/all.yaml',
    place: 'sh render.sh:1',
    broken: { 'render.sh': 'echo some of it; echo no >&2; exit 3\n' },
    absent: { command: ['devkit-test-nowhere'], inputs: [] },
  },
]

describe.each(sorts)('$name', ({ source, files, says, place, broken, absent }) => {
  test('renders the same objects as every other sort', async () => {
    write(files)
    write({ 'plain/all.yaml': both })
    const sorted = (all: readonly Manifest[]) => objects(all).toSorted((a, b) => a.kind.localeCompare(b.kind))
    expect(sorted(await render(source))).toEqual(sorted(await render('plain')))
  })

  test('an object knows where it is from', async () => {
    write(files)
    const origin = byName(await render(source)).get('web')?.origin
    expect(origin && placeOf(origin)).toBe(place)
  })

  test('what it reads is watched, and a change of it renders anew, also in another run', async () => {
    write(files)
    const toolbox = renderers()
    const replicas = (all: readonly Manifest[]) => byName(all).get('web')?.object['spec']
    expect(replicas(await render(source, toolbox))).toMatchObject({ replicas: 1 })
    const file = join(directory, says)
    const inputs = await rendererOf(toolbox, source).inputs(source, directory)
    expect(inputs.some(({ path, counts }) => (file === path || file.startsWith(`${path}/`)) && (counts?.(file) ?? true))).toBe(
      true,
    )
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.replace(/(replicas: |value: ")1/, '$12'))
    expect(replicas(await render(source, toolbox))).toMatchObject({ replicas: 2 })
    writeFileSync(file, text)
    expect(replicas(await render(source))).toMatchObject({ replicas: 1 })
  })

  test('nothing but .devkit is written, nothing is left elsewhere', async () => {
    write(files)
    const scratch = mkdtempSync(join(tmpdir(), 'devkit-scratch-'))
    const [before, usual] = [filesIn(directory), process.env['TMPDIR']]
    try {
      process.env['TMPDIR'] = scratch
      await render(source)
      expect(filesIn(directory)).toEqual(before)
      expect(readdirSync(scratch)).toEqual([])
    } finally {
      if (usual === undefined) delete process.env['TMPDIR']
      else process.env['TMPDIR'] = usual
      rmSync(scratch, { recursive: true })
    }
  })

  test('what is wrong is told with its place and the way out', async () => {
    write(files)
    write(broken)
    await expect(render(source)).rejects.toMatchObject({
      code: expect.stringMatching(/^RENDER-10[16]$/),
      message: expect.stringMatching(/(all|shop)\.yaml:1: |nowhere\.yaml|web\.yaml:1.*no|sh render\.sh.*: no/),
    })
  })

  test('one that is not there is told by its name', async () => {
    await expect(render(absent)).rejects.toMatchObject({
      code: expect.stringMatching(/^RENDER-10[35]$/),
      message: expect.stringMatching(/nowhere|k8z/),
    })
  })
})

function filesIn(root: string): readonly string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => !path.startsWith('.devkit') && !path.startsWith('.cache') && !path.startsWith('.config'))
    .map(
      (path) =>
        `${path} ${
          path.includes('.')
            ? createHash('md5')
                .update(readFileSync(join(root, path)))
                .digest('hex')
            : ''
        }`,
    )
    .sort()
}

test('every sort of the config has its renderer', () => {
  expect(Object.keys(makeToolbox({} as never).renderer)).toEqual(sorts.map(({ name }) => name))
})

test('a program that is not installed is told with the way to install it: RENDER-105', async () => {
  write({ ...sorts[1]?.files, ...sorts[2]?.files })
  const nothing = renderers({ kubectl: '/nowhere/kubectl', helm: '/nowhere/helm' })
  await expect(render({ kustomize: 'k8s/overlay' }, nothing)).rejects.toMatchObject({
    code: 'RENDER-105',
    message: expect.stringMatching(/kustomize or kubectl/),
    hint: expect.stringMatching(/Install kustomize/),
  })
  await expect(render({ helm: { chart: 'chart', values: [], set: {} } }, nothing)).rejects.toMatchObject({
    code: 'RENDER-105',
    hint: expect.stringMatching(/Install helm/),
  })
})

describe('what was rendered', () => {
  const source: Source = { helm: { chart: 'chart', values: [], set: {} } }
  const chart = (kind: string) => ({
    'chart/Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
    'chart/templates/a.yaml': `apiVersion: v1\nkind: ${kind}\nmetadata: {name: a}\nstringData: {word: sentinel}\n`,
  })

  test('is taken again as long as nothing changed, also by another run', async () => {
    write(chart('ConfigMap'))
    const first = await render(source)
    ran.length = 0
    expect(objects(await render(source))).toEqual(objects(first))
    expect(ran).toEqual([])
  })

  test('is rendered again by another version of the program', async () => {
    write(chart('ConfigMap'))
    await render(source)
    ran.length = 0
    write({ 'bin/helm': `#!/bin/sh\nexec ${tools['helm']} "$@"\n` })
    chmodSync(join(directory, 'bin/helm'), 0o755)
    await render(source, renderers({ ...tools, helm: join(directory, 'bin/helm') }))
    expect(ran).toEqual(['helm'])
  })

  test('is never written down when there is a Secret in it', async () => {
    write(chart('ConfigMap'))
    await render(source)
    write(chart('Secret'))
    const toolbox = renderers()
    await render(source, toolbox)
    const kept = readdirSync(join(directory, '.devkit'), { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    )
    expect(kept.map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8')).join()).not.toContain('sentinel')
    ran.length = 0
    await render(source, toolbox)
    expect(ran).toEqual([])
  })
})

describe('a directory of files', () => {
  test('is read in one order, whatever the language, with all that is wrong at once', async () => {
    write({
      'k8s/b.yaml': settings,
      'k8s/a/Ä.yml': web(1),
      'k8s/B.json': '{"apiVersion":"v1","kind":"B","metadata":{"name":"b"}}',
      'k8s/notes.md': '# no',
    })
    expect((await render('k8s')).map(({ origin }) => placeOf(origin))).toEqual(['k8s/B.json:1', 'k8s/a/Ä.yml:1', 'k8s/b.yaml:1'])
    expect((await render('k8s/**/*.y*ml')).map(({ origin }) => placeOf(origin))).toEqual(['k8s/a/Ä.yml:1', 'k8s/b.yaml:1'])
    write({ 'k8s/b.yaml': 'a: 1\na: 2\n', 'k8s/c.yaml': '\nkind: X\n' })
    await expect(render('k8s')).rejects.toMatchObject({ message: expect.stringMatching(/b\.yaml:2: [\s\S]*c\.yaml:2: /) })
    await expect(render('k8s/*.none')).rejects.toMatchObject({ code: 'RENDER-103' })
  })

  test('that is a kustomization or a chart is told how to be named', async () => {
    write({ 'k8s/kustomization.yaml': 'resources: []\n' })
    await expect(render('k8s')).rejects.toMatchObject({ code: 'RENDER-102', hint: expect.stringContaining('{ kustomize: ') })
    write({ 'k8s/kustomization.yaml': '', 'k8s/Chart.yaml': 'apiVersion: v2\nname: a\n' })
    await expect(render('k8s')).rejects.toMatchObject({ hint: expect.stringContaining('{ helm: ') })
  })
})

describe('kustomize', () => {
  test('prefixes, generators and files beside it: places, annotations and what is watched', async () => {
    write({
      'k8s/kustomization.yaml':
        'namePrefix: my-\nresources: [web.yaml]\nconfigMapGenerator:\n- {name: nginx, files: [default=../conf/nginx.conf]}\ngeneratorOptions: {disableNameSuffixHash: true}\n',
      'k8s/web.yaml': `${settings}---\n${web(1)}`,
      'conf/nginx.conf': 'listen 80;\n',
    })
    // a file outside of its root is what kustomize refuses
    await expect(render({ kustomize: 'k8s' })).rejects.toMatchObject({
      code: 'RENDER-106',
      message: expect.stringContaining('nginx.conf'),
    })
    cpSync(join(directory, 'conf'), join(directory, 'k8s/conf'), { recursive: true })
    write({
      'k8s/kustomization.yaml': readFileSync(join(directory, 'k8s/kustomization.yaml'), 'utf8').replace('../conf', 'conf'),
    })
    const all = byName(await render({ kustomize: 'k8s' }))
    expect([...all].map(([name, { origin }]) => `${name} ${placeOf(origin)}`).sort()).toEqual([
      'my-nginx k8s/kustomization.yaml:1',
      'my-settings k8s/web.yaml:1',
      'my-web k8s/web.yaml:8',
    ])
    expect(all.get('my-web')?.origin.lineAt?.(['spec', 'replicas'])).toBe(13)
    expect([...all.values()].map(({ object }) => object.metadata.annotations)).toEqual([undefined, undefined, undefined])
    const inputs = await rendererOf(renderers(), { kustomize: 'k8s' }).inputs({ kustomize: 'k8s' }, directory)
    expect(inputs.map(({ path }) => basename(path))).toContain('nginx.conf')
  })

  test('what is wrong in a base of a base is told by its file alone', async () => {
    write({
      'k8s/over/kustomization.yaml': 'resources: [../base]\n',
      'k8s/base/kustomization.yaml': 'resources: [web.yaml]\n',
      'k8s/base/web.yaml': 'a: [\n',
    })
    const refused = { code: 'RENDER-106', hint: expect.stringMatching(/kubectl kustomize k8s\/over$/) }
    await expect(render({ kustomize: 'k8s/over' })).rejects.toMatchObject({
      ...refused,
      message: expect.stringMatching(
        /the kustomization k8s\/over: k8s\/base: accumulating resources from 'web\.yaml': [^\n]*yaml: line \d+: [^']*$/,
      ),
    })
    rmSync(join(directory, 'k8s/base/web.yaml'))
    await expect(render({ kustomize: 'k8s/over' })).rejects.toMatchObject({
      ...refused,
      message: expect.stringMatching(
        /k8s\/over: k8s\/base: accumulating resources from 'web\.yaml': [^\n]*no such file or directory$/,
      ),
    })
  })

  test('what only the outermost kustomization says counts: order, labels of its own, annotations that are wanted', async () => {
    write({
      'k8s/kustomization.yaml':
        'resources: [web.yaml]\nsortOptions: {order: legacy}\nbuildMetadata: [managedByLabel, originAnnotations]\n',
      'k8s/web.yaml': both,
    })
    const program = execFileSync(tools['kubectl'] ?? '', ['kustomize', join(directory, 'k8s')], { encoding: 'utf8' })
    write({ 'plain.yaml': program })
    const kinds = (all: readonly Manifest[]) =>
      objects(all).map(({ kind, metadata }) => [kind, metadata.labels, Object.keys(metadata.annotations ?? {})])
    expect(kinds(await render({ kustomize: 'k8s' }))).toEqual(kinds(await render('plain.yaml')))
  })
})

describe('helm', () => {
  const chart = {
    'chart/Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
    'chart/crds/crd.yaml':
      'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.example.com}\nspec: {group: example.com}\n',
    'chart/templates/a.yaml':
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  kube: {{ .Capabilities.KubeVersion.Version }}\n  has: {{ .Capabilities.APIVersions.Has "storage.k8s.io/v1/VolumeAttributesClass" | quote }}\n  release: {{ .Release.Name }}/{{ .Release.Namespace }}\n  count: {{ .Values.count | toJson | quote }}\n  list: {{ .Values.list | toJson | quote }}\n',
    'chart/templates/tests/probe.yaml':
      'apiVersion: v1\nkind: Pod\nmetadata: {name: probe, annotations: {helm.sh/hook: test}}\nspec: {containers: [{name: a}]}\n',
  }

  test('has the pinned version’s capabilities, CRDs, hooks, and values of every type', async () => {
    write(chart)
    const all = byName(await render({ helm: { chart: 'chart', values: [], set: { count: 3, list: ['x', { y: true }] } } }))
    expect(all.get('a')?.object['data']).toEqual({
      kube: 'v1.34.0',
      has: 'true',
      release: 'chart/shop',
      count: '3',
      list: '["x",{"y":true}]',
    })
    expect(all.get('things.example.com')?.object.kind).toBe('CustomResourceDefinition')
    expect(all.get('probe')?.object.metadata.annotations).toEqual({ 'helm.sh/hook': 'test' })
    expect(all.get('probe')?.origin).toEqual({ file: 'chart/templates/tests/probe.yaml', line: 2 })
    const named = await render({ helm: { chart: 'chart', release: 'mine', namespace: 'other', values: [], set: {} } })
    expect(byName(named).get('a')?.object['data']).toMatchObject({ release: 'mine/other' })
  })

  test('dependencies that the chart lacks come from beside it or from a repository, and not into the working tree', async () => {
    const part = (name: string) => ({
      [`${name}/Chart.yaml`]: `apiVersion: v2\nname: ${name}\nversion: 1.2.3\n`,
      [`${name}/templates/a.yaml`]: `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: of-${name}}\n`,
    })
    write({ ...chart, ...part('beside'), ...part('served') })
    const served = join(directory, 'repository')
    const helmRun = (...args: string[]) =>
      execFileSync(tools['helm'] ?? '', args, { env: { HOME: directory, PATH: '/usr/bin:/bin' } })
    mkdirSync(served)
    helmRun('package', join(directory, 'served'), '--destination', served)
    const asked: string[] = []
    const server = createServer((request, response) => {
      asked.push(request.url ?? '')
      const file = join(served, basename(request.url ?? ''))
      if (existsSync(file)) response.end(readFileSync(file))
      else response.writeHead(404).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      helmRun('repo', 'index', served, '--url', url)
      write({
        'chart/Chart.yaml': `apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies:\n- {name: beside, version: ^1.0.0, repository: file://../beside}\n- {name: served, version: ^1.0.0, repository: "${url}"}\n`,
        'chart/Chart.lock': `dependencies:\n- {name: beside, version: 1.2.3, repository: file://../beside}\n- {name: served, version: 1.2.3, repository: "${url}"}\n`,
      })
      const source: Source = { helm: { chart: 'chart', values: [], set: {} } }
      const before = filesIn(directory)
      expect([...byName(await render(source)).keys()]).toEqual(expect.arrayContaining(['of-beside', 'of-served']))
      expect(filesIn(directory)).toEqual(before)
      asked.length = 0
      write({ 'beside/templates/b.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new}\n' })
      expect([...byName(await render(source)).keys()]).toContain('new')
      expect(asked).toEqual([])
    } finally {
      server.close()
    }
  })

  test('a repository that does not answer is told', async () => {
    write({
      ...chart,
      'chart/Chart.yaml':
        'apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies:\n- {name: far, version: 1.0.0, repository: "http://127.0.0.1:9"}\n',
    })
    await expect(render({ helm: { chart: 'chart', values: [], set: {} } })).rejects.toMatchObject({
      code: 'RENDER-106',
      message: expect.stringMatching(/far, which the chart chart depends on: .*127\.0\.0\.1:9/),
    })
  })
})
