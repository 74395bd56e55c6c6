import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, inject, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { app, deployment, manifestsOf, serviceOf } from './tools/app.ts'
import type { AnyEvent } from './tools/devkit.ts'
import { useRig } from './tools/rig.ts'

// Production stays production: what devkit prints of it, what differs from it, and what must never be printed.

const project = 't-production'
/** Values that may be in the cluster and nowhere else. */
const sentinels = {
  dotenv: 'sentinel/dotenv+8a1f',
  environment: 'sentinel/environment+93bd',
  saved: 'sentinel/saved+77c0',
  live: 'sentinel/live+1e5d',
}
const secrets = {
  'web-env': {
    from: [{ dotenv: '.env' }, { environment: { prefix: 'T_' } }],
    keys: { FROM_FILE: 'string', FROM_ENVIRONMENT: {}, MADE_UP: { generate: 40 }, PORT: { type: 'number', optional: true } },
  },
}
const theirs = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'theirs' },
  stringData: { password: 'of production' },
}
const files = app({
  project,
  container: { envFrom: [{ secretRef: { name: 'web-env' } }] },
  top: { secrets, profiles: { dev: { services: { web: { env: { DEBUG: '1' } } } } } },
})
const rig = useRig(project, {
  ...files,
  'k8s/secret.yaml': manifestsOf(theirs),
  '.env': `FROM_FILE='${sentinels.dotenv}'\nUNUSED=${sentinels.dotenv}\n`,
  '.gitignore': '.env\n',
})
const environment = { T_FROM_ENVIRONMENT: sentinels.environment }

/** All that devkit printed and told in the tests of this file, and the arguments of every process while it ran. */
const printed: string[] = []
const argvs = new Set<string>()

/** Runs devkit as a person would. */
function text(...args: string[]) {
  const ended = rig.text(args, { env: environment })
  printed.push(ended.stdout, ended.stderr)
  return ended
}

/** Runs devkit as a program would, and looks at what runs meanwhile. */
async function end(...args: string[]) {
  const looking = setInterval(lookAtProcesses, 100)
  const ended = await rig.end(args, { env: environment })
  clearInterval(looking)
  keep(ended.events, ended.stderr)
  return ended
}

function keep(events: readonly AnyEvent[], stderr: string): void {
  printed.push(JSON.stringify(events), stderr)
}

function lookAtProcesses(): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
    try {
      argvs.add(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
    } catch {
      // it has ended
    }
}

const inPod = (variable: string): string => rig.kubectl('exec', 'deploy/web', '--', 'printenv', variable).trimEnd()
const liveSecret = (): Readonly<Record<string, string>> =>
  (JSON.parse(rig.kubectl('get', 'secret', 'web-env', '-o', 'json')) as { data: Record<string, string> }).data

const kustomization =
  'namePrefix: prod-\nresources: [../base]\nimages: [{ name: registry.example.com/t-production/web, newTag: "2.0" }]\npatches:\n- patch: |-\n    - {op: replace, path: /spec/replicas, value: 3}\n  target: { kind: Deployment }\nconfigMapGenerator: [{ name: settings, literals: [MODE=production] }]\n'
const sources: Readonly<Record<string, { readonly manifests: unknown; readonly files: Readonly<Record<string, string>> }>> = {
  files: {
    manifests: ['k8s'],
    files: {
      'k8s/b.yaml': manifestsOf(deployment({ project }), serviceOf()),
      'k8s/a/z.yaml':
        '# read in the order of names\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: ä}\ndata: {mode: "0400", switch: "on"}\n',
      'k8s/B.json': JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'json' } }),
    },
  },
  kustomize: {
    manifests: [{ kustomize: 'overlay' }],
    files: {
      'base/app.yaml': manifestsOf(deployment({ project }), serviceOf()),
      'base/kustomization.yaml': 'resources: [app.yaml]\n',
      'overlay/kustomization.yaml': kustomization,
    },
  },
  helm: {
    manifests: [{ helm: { chart: 'chart', release: 'shop', values: ['production.yaml'], set: { 'web.tag': '3.0' } } }],
    files: {
      'chart/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
      'chart/values.yaml': 'replicas: 1\nweb: { tag: "1.0" }\n',
      'production.yaml': 'replicas: 4\n',
      'chart/templates/settings.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-settings\ndata:\n  replicas: {{ .Values.replicas | quote }}\n  tag: {{ .Values.web.tag | quote }}\n  mode: "0400"\n',
    },
  },
}

/** What the program of a source prints, or its files hold, as values. */
function wanted(name: string, directory: string): readonly unknown[] {
  const { kubectl, helm } = inject('lab').tools
  const run = (program: string, ...args: string[]): string =>
    execFileSync(program, args, { cwd: directory, encoding: 'utf8', env: { PATH: process.env['PATH'], HOME: rig.scratch } })
  const inOrder = ['k8s/B.json', 'k8s/a/z.yaml', 'k8s/b.yaml'].map((file) => join(directory, file))
  const printing: Readonly<Record<string, () => string>> = {
    files: () => inOrder.map((file) => readFileSync(file, 'utf8')).join('\n---\n'),
    kustomize: () => run(kubectl, 'kustomize', 'overlay'),
    helm: () =>
      run(helm, 'template', 'shop', 'chart', '--values', 'production.yaml', '--set', 'web.tag=3.0', '--namespace', project),
  }
  const documents = parseAllDocuments(printing[name]?.() ?? '')
  return (Array.isArray(documents) ? documents : [])
    .map((document) => document.toJS() as unknown)
    .filter((value) => value !== null)
}

test.each(Object.keys(sources))(
  '%s: production is what the source has, byte for byte wherever and whenever it is rendered',
  (name) => {
    const { manifests, files: written } = sources[name] ?? { manifests: [], files: {} }
    const all = { ...written, 'devkit.config.json': JSON.stringify({ project, manifests, secrets }) }
    const make = (directory: string, order: readonly (readonly [string, string])[]): string => {
      for (const [path, content] of order) {
        mkdirSync(dirname(join(directory, path)), { recursive: true })
        writeFileSync(join(directory, path), content)
      }
      return directory
    }
    const here = make(join(rig.scratch, name), Object.entries(all))
    const there = make(join(rig.scratch, 'elsewhere', `${name} with a longer name`), Object.entries(all).toReversed())
    const render = (cwd: string, env: Readonly<Record<string, string>>, ...args: string[]) => {
      const { code, stdout, stderr } = rig.text(['render', '-p', 'production', ...args], { cwd, env })
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      return stdout
    }
    const first = render(here, {})
    expect(render(here, {})).toBe(first)
    expect(render(there, { LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8', TZ: 'Pacific/Kiritimati' })).toBe(first)
    // from below, without what an earlier run has kept
    const below = join(there, dirname(Object.keys(written)[0] ?? ''))
    rmSync(join(there, '.devkit'), { recursive: true, force: true })
    expect(render(below, { LC_ALL: 'C' }, '-e', 'other')).toBe(first)
    expect(first).not.toMatch(/devkit/i)
    const { items } = JSON.parse(render(here, {}, '--json')) as { items: unknown }
    expect(items).toEqual(wanted(name, here))
  },
)

test('up gives the pods their Secret: from a file, the environment and chance; a second up changes nothing', async () => {
  execFileSync('git', ['init', '-q', '.'], { cwd: rig.directory })
  execFileSync('git', ['add', '.'], { cwd: rig.directory })
  const { code, problems } = await end('up')
  expect({ code, problems }).toEqual({ code: 0, problems: [] })
  expect(inPod('FROM_FILE')).toBe(sentinels.dotenv)
  expect(inPod('FROM_ENVIRONMENT')).toBe(sentinels.environment)
  expect(inPod('MADE_UP')).toMatch(/^[A-Za-z0-9]{40}$/)
  const before = liveSecret()
  expect(Object.keys(before).sort()).toEqual(['FROM_ENVIRONMENT', 'FROM_FILE', 'MADE_UP'])
  const again = await end('up')
  expect(again.events.filter(({ type, outcome }) => type === 'object' && outcome !== 'unchanged')).toEqual([])
  expect(liveSecret()).toEqual(before)
  expect(rig.kubectl('get', 'secret', 'theirs', '-o', 'jsonpath={.data.password}')).toBe(
    Buffer.from('of production').toString('base64'),
  )
})

test('nothing differs from what is live after up; what a hand, a save or a new file changes is told, field by field', () => {
  const same = text('diff', '--check')
  expect(same).toMatchObject({ code: 0, stdout: 'live → local: no difference\n' })
  rig.kubectl('scale', 'deployment', 'web', '--replicas=2')
  rig.kubectl(
    'patch',
    'secret',
    'web-env',
    '-p',
    JSON.stringify({ stringData: { FROM_FILE: sentinels.live, BY_HAND: sentinels.live } }),
  )
  rig.write('k8s/more.yaml', manifestsOf({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'more' } }))
  const { code, stdout } = text('diff', '--check', '--json')
  expect(code).toBe(1)
  const { objects } = JSON.parse(stdout) as { objects: readonly { object: string; is: string; fields: readonly unknown[] }[] }
  expect(objects.map(({ object, is, fields }) => ({ object, is, fields }))).toEqual([
    {
      object: 'Deployment/web',
      is: 'changed',
      // not its Secret: the pods began with what the file says
      fields: [{ path: 'spec.replicas', before: 2, after: 1 }],
    },
    { object: 'ConfigMap/more', is: 'added', fields: [] },
    { object: 'Secret/web-env', is: 'changed', fields: [{ path: 'data.FROM_FILE', before: '***', after: '***' }] },
  ])
  rmSync(join(rig.directory, 'k8s/more.yaml'))
})

test('watch applies a Secret again when its file is saved; a wrong value is told and mended', async () => {
  const run = rig.start(['watch'], { env: environment })
  await run.next('action', ({ reason }) => String(reason).startsWith('watching'))
  rig.write('.env', `FROM_FILE='${sentinels.saved}'\nPORT='${sentinels.saved}'\n`)
  expect(await run.next('problem')).toMatchObject({ code: 'SECRET-102', message: expect.stringContaining('.env:2') })
  rig.write('.env', `FROM_FILE='${sentinels.saved}'\n`)
  await run.next('object', ({ name, outcome }) => name === 'web-env' && outcome === 'configured')
  // what has it in its environment is made anew
  await run.next('service.ready')
  await run.next('problem.resolved', ({ code }) => code === 'SECRET-102')
  await expect.poll(() => inPod('FROM_FILE'), { timeout: 30_000 }).toBe(sentinels.saved)
  expect(Buffer.from(liveSecret()['FROM_FILE'] ?? '', 'base64').toString()).toBe(sentinels.saved)
  run.kill('SIGINT')
  expect(await run.exited).toBe(0)
  keep(run.events, run.stderr())
})

test('render and diff have every key and no value', () => {
  for (const args of [['render'], ['render', '--json'], ['config'], ['config', '--json'], ['status'], ['status', '--json']])
    expect(text(...args).code).toBe(0)
  expect(text('render').stdout).toMatch(/FROM_FILE: "?\*\*\*/)
  expect(text('render', '--out', 'rendered').code).toBe(0)
  printed.push(rig.read('rendered/t-production_secret_web-env.yaml'))
  rmSync(join(rig.directory, 'rendered'), { recursive: true })
  const { code, stdout } = text('diff', 'production', 'dev', '--verbose')
  expect(code).toBe(0)
  expect(stdout).toMatch(/^\+ Secret\/web-env .* config: secrets\.web-env$/m)
  expect(stdout).toMatch(/dev: services\.web\.env\.DEBUG$/m)
  expect(stdout).toMatch(/devkit: supervisor$/m)
  expect(text('diff').code).toBe(0)
})

test('git knows of nothing new after all of it', () => {
  const status = execFileSync('git', ['status', '--porcelain', '--ignored'], { cwd: rig.directory, encoding: 'utf8' })
  expect(status.split('\n').filter((line) => line !== '' && !line.startsWith('A '))).toEqual(['!! .devkit/', '!! .env'])
})

test('no value of a Secret was printed, told, written down, given to a program or put into an image', () => {
  const values = [...Object.values(sentinels), Buffer.from(liveSecret()['MADE_UP'] ?? '', 'base64').toString()]
  const forms = values.flatMap((value) => [
    value,
    Buffer.from(value).toString('base64'),
    encodeURIComponent(value),
    JSON.stringify(value).slice(1, -1),
  ])
  const holds = (content: string): boolean => forms.some((form) => content.includes(form))
  // the values are found where they are
  expect(holds(rig.read('.env'))).toBe(true)
  expect(printed.length).toBeGreaterThan(20)
  expect(printed.filter(holds)).toEqual([])
  expect(argvs.size).toBeGreaterThan(5)
  expect([...argvs].filter(holds)).toEqual([])
  // a copy, since what is looked at may go meanwhile
  const copy = join(rig.scratch, 'copy')
  for (const place of ['home', 'project with a space']) cpSync(join(rig.scratch, place), join(copy, place), { recursive: true })
  const written = readdirSync(copy, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
  expect(written.some((file) => file.includes('/.devkit/'))).toBe(true)
  expect(written.filter((file) => !file.endsWith('/.env') && holds(readFileSync(file, 'utf8')))).toEqual([])
  const image = rig.kubectl('get', 'deployment', 'web', '-o', 'jsonpath={.spec.template.spec.containers[0].image}')
  expect(holds(rig.docker('image', 'inspect', image) + rig.docker('history', '--no-trunc', image))).toBe(false)
})

test('what is missing is told before anything is touched', async () => {
  const { code, problems, events } = await rig.end(['up'])
  expect(code).toBe(2)
  expect(problems).toMatchObject([
    {
      code: 'SECRET-101',
      message: expect.stringMatching(/devkit\.config\.json:\d+:\d+: Secret\/web-env has no value for FROM_ENVIRONMENT\.$/),
      hint: 'Write FROM_ENVIRONMENT=… into .env, or set the variable T_FROM_ENVIRONMENT.',
    },
  ])
  expect(events.filter(({ type }) => type === 'step.started')).toEqual([])
})
