import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import type { KubeObject } from '../../src/lib/objects.ts'
import { devkitOn } from '../unit/devkit.ts'
import { type ApiRig, openApiRig } from './api-rig.ts'

/** A project whose environment is in the shared cluster, and the program run on it. */
export interface Project {
  readonly directory: string
  /** Where a program of its own runs. */
  readonly place: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }
  /** Writes the manifests, in place of those before. */
  write(...objects: readonly KubeObject[]): void
  /** Runs `devkit … --json` in this process. */
  run(argv: readonly string[], signal?: AbortSignal): Promise<Ended>
}

interface Ended {
  readonly code: number
  readonly events: readonly Readonly<Record<string, unknown>>[]
  /** What became of objects: `pruned ConfigMap/old`. */
  readonly objects: readonly string[]
  /** The codes of what was reported, and what was said of it. */
  readonly problems: readonly { readonly code: string; readonly message: string; readonly hint: string }[]
}

/** The API and a project whose name is its namespace's too; both go after the file. Call it at the top of the file. */
export function useProject(name: string): { readonly rig: ApiRig; readonly project: Project } {
  let opened: { readonly rig: ApiRig; readonly project: Project } | undefined
  const get = (): { readonly rig: ApiRig; readonly project: Project } => {
    if (!opened) throw new Error('the rig is there in tests only')
    return opened
  }
  beforeAll(async () => {
    const rig = await openApiRig()
    opened = { rig, project: projectOn(rig, name) }
  })
  afterAll(async () => {
    opened?.rig.kubectl(['delete', '--ignore-not-found', '--wait=false', `namespace/${name}`])
    await opened?.rig[Symbol.asyncDispose]()
  })
  return {
    get rig() {
      return get().rig
    },
    get project() {
      return get().project
    },
  }
}

/**
 * Makes a project of that name: its namespace has it too. It builds nothing, so no container engine is there.
 * `machine`: where it is, with a home of its own, as two machines have it.
 */
export function projectOn(rig: ApiRig, project: string, machine = ''): Project {
  const directory = join(rig.scratch, machine, project)
  const settings = join(directory, '.devkit/machine.json')
  mkdirSync(dirname(settings), { recursive: true })
  mkdirSync(join(directory, 'k8s'), { recursive: true })
  writeFileSync(settings, JSON.stringify({ engine: `unix://${join(directory, 'nobody.sock')}` }))
  const config = { project, cluster: { existing: { context: rig.context } }, manifests: ['k8s'] }
  writeFileSync(join(directory, 'devkit.config.json'), JSON.stringify(config))
  const env = { HOME: directory, KUBECONFIG: join(rig.scratch, 'kubeconfig'), DEVKIT_MACHINE: settings }
  return {
    directory,
    place: { cwd: directory, env: { PATH: process.env['PATH'], ...env } },
    write: (...objects) =>
      writeFileSync(join(directory, 'k8s/all.yaml'), objects.map((object) => JSON.stringify(object)).join('\n---\n')),
    async run(argv, signal) {
      const { code, stdout } = await devkitOn({ directory, env, ...(signal && { signal }) }, ...argv, '--json')
      const events = stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
      return {
        code,
        events,
        objects: events
          .filter(({ type }) => type === 'object')
          .map(({ outcome, kind, name }) => `${outcome} ${kind}/${name}`)
          .toSorted(),
        problems: events.filter(({ type }) => type === 'problem') as unknown as Ended['problems'],
      }
    },
  }
}
