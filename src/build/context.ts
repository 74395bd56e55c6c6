import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileState } from '../host/files.ts'
import type { Files } from '../host/host.ts'

/** Says whether a path (relative to the context, `/` between names) is in the build context. */
export type ContextFilter = (path: string) => boolean

/**
 * The rules of the context's `.dockerignore`; a `DOCKERFILE.dockerignore` beside the Dockerfile goes before it.
 * @see https://docs.docker.com/build/concepts/context/#dockerignore-files
 */
export async function contextFilter(context: string, dockerfile: string): Promise<ContextFilter> {
  const own = await textOf(join(context, `${dockerfile}.dockerignore`))
  const rules = own ?? (await textOf(join(context, '.dockerignore')))
  if (rules === undefined) return () => true
  const { default: ignore } = (await import('@balena/dockerignore')) as unknown as {
    default: (options?: { ignorecase: boolean }) => { add(rules: string): { ignores(path: string): boolean } }
  }
  const matcher = ignore({ ignorecase: false }).add(rules)
  return (path) => !matcher.ignores(path)
}

/** Everything that a build of the context reads: path → state. The Dockerfile is in it also where the rules leave it out. */
export async function contextFiles(context: string, dockerfile: string, files: Files): Promise<ReadonlyMap<string, FileState>> {
  const inContext = await contextFilter(context, dockerfile)
  const tree = await files.treeOf(context, (path, directory) => (directory ? path === '.git' : !inContext(path)))
  const own = await files.stateOf(join(context, dockerfile))
  return own === undefined || tree.has(dockerfile) ? tree : new Map([...tree, [dockerfile, own]])
}

async function textOf(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(() => undefined)
}
