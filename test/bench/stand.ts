import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { UserConfig } from '../../src/config/schema.ts'
import { type AnyEvent, devkit, type Run } from '../e2e/tools/devkit.ts'
import { installPacked } from '../e2e/tools/packed.ts'
import { labUp } from '../lab/lab.ts'
import { placesOf } from '../lab/places.ts'
import type { MachineSettings } from '../lab/settings.ts'
import { openReader, type Reader } from './reader.ts'

const root = join(import.meta.dirname, '../..')

/** What a benchmark stands on: the packed program, a home of its own, clusters that go with it. */
export interface Stand extends AsyncDisposable {
  readonly bin: string
  readonly settings: MachineSettings
  readonly scratch: string
  readonly env: NodeJS.ProcessEnv
  /** Aborts when the benchmark is interrupted. */
  readonly signal: AbortSignal
  /** A copy of the flagship in a directory of its own; `more`: so many files more in what is synced. */
  copyFlagship(name: string, more: number): string
  /** Writes the project's config: the flagship's, changed, or what `change` gives in its place. */
  writeConfig(directory: string, change: (config: Mutable<UserConfig>) => UserConfig | undefined): void
  start(directory: string, ...args: readonly string[]): Run
  /** Runs a verb to its end. @throws when it does not end with 0 */
  end(directory: string, ...args: readonly string[]): Promise<readonly AnyEvent[]>
  kind(...args: readonly string[]): void
  docker(...args: readonly string[]): string
  /** kubectl in a node. */
  kubectl(node: string, namespace: string, ...args: readonly string[]): string
  reader(node: string): Reader
  /** Ends when the stand does. */
  own<T extends AsyncDisposable>(one: T): T
  /** The cluster of that name goes when the stand does. */
  ownCluster(name: string): void
}

type Mutable<T> = T extends readonly (infer Item)[]
  ? Mutable<Item>[]
  : T extends object
    ? { -readonly [key in keyof T]: Mutable<T[key]> }
    : T

const [flagshipImages, benchImages] = ['registry.example.com/guestbook/', 'registry.example.com/bench/']

/** Name of the project that a benchmark of this checkout brings up: one of another checkout may run beside it. */
export function projectOf(bench: string): string {
  return `bench-${bench}-${createHash('sha256').update(root).digest('hex').slice(0, 4)}`
}

export const say = (line: string): void => void process.stderr.write(`${line}\n`)

/** Brings the lab up, packs and installs the program. */
export async function openStand(signal: AbortSignal): Promise<Stand> {
  const settings = await labUp({ say, signal })
  say('packing and installing the program …')
  const packed = installPacked()
  // the config of this repository imports the package by its name: it is there now
  const { default: flagship } = (await import('../../devkit.config.ts')) as { default: UserConfig }
  const scratch = mkdtempSync(join(tmpdir(), 'devkit-bench-'))
  const env: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    HOME: join(scratch, 'home'),
    TMPDIR: join(scratch, 'tmp'),
    DEVKIT_MACHINE: placesOf(process.env).settings,
  }
  for (const name of ['home', 'tmp']) mkdirSync(join(scratch, name))
  const programs = {
    ...process.env,
    DOCKER_HOST: settings.engine,
    PATH: `${dirname(settings.tools.docker)}:${process.env['PATH']}`,
  }
  const call = (program: string, args: readonly string[]): string =>
    execFileSync(program, args, { encoding: 'utf8', env: programs, stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28 })
  const clusters = new Set<string>()
  const projects = new Set<string>()
  const open = new Set<AsyncDisposable>()
  const stand: Stand = {
    bin: packed.bin,
    settings,
    scratch,
    env,
    signal,
    copyFlagship: (name, more) => {
      const directory = join(scratch, name)
      cpSync(join(root, 'examples/django'), join(directory, 'examples/django'), { recursive: true })
      // images of its own: those of a demo or a test on this machine must not go with them, nor they with those
      for (const file of ['db', 'migrate', 'web'].map((manifest) => join(directory, `examples/django/k8s/${manifest}.yaml`)))
        writeFileSync(file, readFileSync(file, 'utf8').replaceAll(flagshipImages, benchImages))
      // through the API files are written by the container's user, who owns nothing of what COPY brings
      const dockerfile = join(directory, 'examples/django/web/Dockerfile')
      const owned = 'COPY --chown=10001 src /app/src\nRUN chown 10001 /app/src'
      writeFileSync(dockerfile, readFileSync(dockerfile, 'utf8').replace('COPY src /app/src', owned))
      for (let file = 0; file < more; file++) {
        const folder = join(directory, 'examples/django/web/src/more', String(Math.floor(file / 100)))
        if (file % 100 === 0) mkdirSync(folder, { recursive: true })
        writeFileSync(join(folder, `${file}.txt`), `file ${file}\n${'x'.repeat(500)}\n`)
      }
      return directory
    },
    writeConfig: (directory, change) => {
      const flagships = JSON.parse(JSON.stringify(flagship).replaceAll(flagshipImages, benchImages)) as Mutable<UserConfig>
      const config = change(flagships) ?? flagships
      projects.add(config.project)
      writeFileSync(join(directory, 'devkit.config.json'), `${JSON.stringify(config, undefined, 2)}\n`)
    },
    own: (one) => {
      open.add(one)
      return one
    },
    start: (directory, ...args) => {
      signal.throwIfAborted()
      const run = stand.own(devkit(packed.bin, args, { cwd: directory, env }))
      void run.exited.then(() => open.delete(run))
      return run
    },
    end: async (directory, ...args) => {
      await using run = stand.start(directory, ...args)
      const code = await run.exited
      signal.throwIfAborted()
      if (code !== 0) {
        const problem = run.events.find(({ type }) => type === 'problem')
        throw new Error(`devkit ${args.join(' ')} ended with ${code}: ${JSON.stringify(problem)}\n${run.stderr()}`)
      }
      return run.events
    },
    kind: (...args) => void call(settings.tools.kind, args),
    docker: (...args) => call(settings.tools.docker, args),
    kubectl: (node, namespace, ...args) =>
      stand.docker('exec', node, 'kubectl', '--kubeconfig=/etc/kubernetes/admin.conf', '-n', namespace, ...args),
    reader: (node) => stand.own(openReader(settings.tools.docker, programs, node)),
    ownCluster: (name) => {
      clusters.add(name)
      // what a run that was killed has left would be measured as well
      stand.kind('delete', 'cluster', '--name', name, '--kubeconfig', join(scratch, 'none'))
    },
    [Symbol.asyncDispose]: async () => {
      say('removing what the benchmark made …')
      for (const one of open) await one[Symbol.asyncDispose]()
      for (const name of clusters) stand.kind('delete', 'cluster', '--name', name, '--kubeconfig', join(scratch, 'none'))
      for (const project of projects) {
        const images = stand.docker('images', '-q', '--filter', `label=dev.devkit.project=${project}`).split('\n').filter(Boolean)
        if (images.length > 0) stand.docker('rmi', '-f', ...new Set(images))
      }
      packed.remove()
      rmSync(scratch, { recursive: true, force: true })
    },
  }
  return stand
}
