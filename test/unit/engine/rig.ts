import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { buildx } from '../../../src/build/buildx.ts'
import type { Parts } from '../../../src/engine/environment.ts'
import { openFiles } from '../../../src/host/hash-cache.ts'
import type { Engine, EngineImage } from '../../../src/host/host.ts'
import { DevkitError } from '../../../src/lib/errors.ts'
import type { Plan } from '../../../src/plan/plan.ts'
import { manifests } from '../../../src/render/manifests.ts'
import { dotenv } from '../../../src/secrets/dotenv.ts'
import { environment } from '../../../src/secrets/environment.ts'
import { generate } from '../../../src/secrets/generate.ts'
import { app } from '../../e2e/tools/app.ts'
import { devkitOn, type Start } from '../devkit.ts'

/** Puts the small app, `shop`, into a directory. */
export function writeApp(directory: string, container: object = {}, top: Readonly<Record<string, unknown>> = {}): void {
  for (const [path, text] of Object.entries(app({ project: 'shop', container: { ...container }, top }))) {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), text)
  }
}

/** A plan of the small app. */
export function planIn(directory: string, profile: Plan['profile'] = { supervise: true }, over: Partial<Plan> = {}): Plan {
  return {
    project: 'shop',
    env: 'default',
    namespace: 'shop',
    directory,
    configFile: 'devkit.config.json',
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
    ...over,
  }
}

/** Parts with an engine that has every image that is asked for, with or without a shell; 'none' has no image, undefined does not answer. */
export function partsWith(shell: boolean | 'none' | undefined, architecture = 'x86_64'): Parts {
  const image: EngineImage = { id: 'sha256:1', layers: [], bytes: 0, entrypoint: [], cmd: ['perl', '/app/serve.pl'] }
  const engine: Pick<Engine, 'version' | 'image' | 'imageHas' | 'machine'> = {
    version: async () => {
      if (shell === undefined) throw new DevkitError('ENGINE-101', { message: 'No container engine answers.', hint: 'Start it.' })
      return '1'
    },
    image: async () => (shell === 'none' ? undefined : image),
    imageHas: async () => shell === true,
    machine: async () => ({ cpus: 4, bytes: 2 ** 33, architecture }),
  }
  const host = { files: openFiles(), engine: async () => engine as Engine }
  const exec = async () => Promise.reject(new Error('nothing is run'))
  const tools = {
    builder: buildx({ ...host, exec }),
    renderer: { files: manifests },
    secrets: { dotenv, environment: environment({ env: {} }), generate },
  }
  return { tools, host } as unknown as Parts
}

/** Runs `devkit …` in a directory, on a machine whose engine does not answer. */
export function devkitIn(directory: string, ...argv: string[]) {
  return devkitAt({ directory }, ...argv)
}

/** The same, on a terminal or not. */
export function devkitAt({ directory, isTTY = false }: Omit<Start, 'env'>, ...argv: string[]) {
  const settings = join(directory, '.devkit/machine.json')
  mkdirSync(dirname(settings), { recursive: true })
  writeFileSync(settings, JSON.stringify({ engine: `unix://${join(directory, 'nobody.sock')}` }))
  return devkitOn({ directory, isTTY, env: { DEVKIT_MACHINE: settings } }, ...argv)
}
