import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { buildx } from '../../../src/build/buildx.ts'
import type { Parts } from '../../../src/engine/environment.ts'
import { type Preview, preview } from '../../../src/engine/preview.ts'
import { openFiles } from '../../../src/host/hash-cache.ts'
import type { Engine, EngineImage } from '../../../src/host/host.ts'
import { DevkitError } from '../../../src/lib/errors.ts'
import { podSpecOf } from '../../../src/lib/objects.ts'
import type { Plan } from '../../../src/plan/plan.ts'
import { manifests } from '../../../src/render/manifests.ts'
import { commandOf, isSupervised } from '../../../src/render/transforms/supervisor.ts'
import { dotenv } from '../../../src/secrets/dotenv.ts'
import { environment } from '../../../src/secrets/environment.ts'
import { generate } from '../../../src/secrets/generate.ts'
import { app } from '../../e2e/tools/app.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'devkit-preview-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function project(container: object = {}): void {
  for (const [path, text] of Object.entries(app({ project: 'shop', container: { ...container } }))) {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), text)
  }
}

const plan = (profile: Plan['profile'] = { supervise: true }): Plan => ({
  project: 'shop',
  env: 'default',
  namespace: 'shop',
  directory,
  profileName: 'dev',
  profile,
  profileOrigins: {},
  cluster: { name: 'devkit-shop', project: 'shop', spec: { kind: {} }, hostPorts: [] },
  sources: ['k8s'],
  secrets: {},
  ignore: [],
  services: [
    {
      name: 'web',
      image: 'registry.example.com/shop/web',
      workload: undefined,
      build: { context: 'app', dockerfile: 'Dockerfile', target: undefined, args: {}, rebuildOn: [] },
      sync: [{ from: 'app/src', to: '/app/src', ignore: [], restart: undefined, run: [] }],
      ports: [],
      dependsOn: [],
    },
  ],
})

/** An engine that has every image that is asked for, with or without a shell; 'none' has no image, undefined does not answer. */
function rendered(wanted: Plan, shell: boolean | 'none' | undefined): Promise<Preview> {
  const image: EngineImage = { id: 'sha256:1', layers: [], bytes: 0, entrypoint: [], cmd: ['perl', '/app/serve.pl'] }
  const engine: Pick<Engine, 'version' | 'image' | 'imageHas'> = {
    version: async () => {
      if (shell === undefined) throw new DevkitError('ENGINE-101', { message: 'No container engine answers.', hint: 'Start it.' })
      return '1'
    },
    image: async () => (shell === 'none' ? undefined : image),
    imageHas: async () => shell === true,
  }
  const files = openFiles()
  const host = { files, engine: async () => engine as Engine }
  const exec = async () => Promise.reject(new Error('nothing is run'))
  const tools = {
    builder: buildx({ ...host, exec }),
    renderer: manifests,
    secrets: { dotenv, environment: environment({ env: {} }), generate },
  }
  return preview(wanted, { tools, host } as unknown as Parts, { signal: new AbortController().signal })
}

function web({ manifests: all }: Preview) {
  const container = all.flatMap(({ object }) => podSpecOf(object)?.containers ?? [])[0]
  if (!container) throw new Error('no container')
  return container
}

test('an image that the engine has is shown under its supervisor, by the name that runs', async () => {
  project()
  const shown = await rendered(plan(), true)
  expect(shown.notes).toEqual([])
  expect(isSupervised(web(shown))).toBe(true)
  expect(commandOf(web(shown))).toEqual(['perl', '/app/serve.pl'])
  expect(web(shown).image).toMatch(/^registry\.example\.com\/shop\/web:devkit-[0-9a-f]{12}$/)
  // another tree, another image
  writeFileSync(join(directory, 'app/src/page.txt'), 'changed\n')
  expect(web(await rendered(plan(), true)).image).not.toBe(web(shown).image)
  // the same as `up` does with an image without a shell
  writeFileSync(join(directory, '.devkit/shells.json'), '{}')
  const bare = await rendered(plan(), false)
  expect({ supervised: isSupervised(web(bare)), notes: bare.notes }).toEqual({ supervised: false, notes: [] })
})

test.each(['none', undefined] as const)(
  'an image that is not there (%s): what the manifest says is shown, what only the image says is told',
  async (shell) => {
    project()
    const why = shell === undefined ? 'no container engine answers' : 'its image is not built yet'
    const unknown = await rendered(plan(), shell)
    expect(isSupervised(web(unknown))).toBe(false)
    expect(unknown.notes).toEqual([expect.stringMatching(new RegExp(`^web: ${why}, so what it runs is not known`))])
    project({ command: ['perl'], args: ['/app/other.pl'] })
    const known = await rendered(plan(), shell)
    expect(commandOf(web(known))).toEqual(['perl', '/app/other.pl'])
    expect(isSupervised(web(known))).toBe(true)
    expect(known.notes).toEqual([expect.stringMatching(new RegExp(`^web: ${why}: shown as if`))])
  },
)

test('a profile that supervises nothing needs to know nothing of images', async () => {
  project()
  const shown = await rendered(plan({}), undefined)
  expect({ supervised: isSupervised(web(shown)), notes: shown.notes }).toEqual({ supervised: false, notes: [] })
})

test('devkit render works where no engine is, and says on stderr what it could not know', () => {
  project()
  const settings = join(directory, 'machine.json')
  writeFileSync(settings, JSON.stringify({ engine: `unix://${join(directory, 'nobody.sock')}` }))
  const render = (...flags: string[]) => {
    const env = { PATH: process.env['PATH'], HOME: directory, DEVKIT_MACHINE: settings }
    const bin = join(import.meta.dirname, '../../../src/cli/bin.ts')
    const { status, stdout, stderr } = spawnSync(process.execPath, [bin, 'render', ...flags], {
      cwd: directory,
      env,
      encoding: 'utf8',
    })
    return { status, stdout, stderr }
  }
  const dev = render()
  expect(dev).toMatchObject({ status: 0, stderr: expect.stringContaining('web: no container engine answers') })
  expect(dev.stdout).toContain('kind: Deployment')
  expect(render('--quiet')).toEqual({ ...dev, stderr: '' })
  const production = render('-p', 'production')
  expect({ ...production, stdout: /devkit/.test(production.stdout) }).toEqual({ status: 0, stdout: false, stderr: '' })
})
