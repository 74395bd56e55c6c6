import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileState, Files } from '../host/host.ts'
import { dockerIgnoreRules, type IgnoreRule, ignoring, takesBackIn } from '../lib/ignore.ts'

/**
 * What the rules of the context's `.dockerignore` leave out; a `DOCKERFILE.dockerignore` beside the Dockerfile goes before it.
 * @see https://docs.docker.com/build/concepts/context/#dockerignore-files
 */
export async function dockerIgnored(context: string, dockerfile: string): Promise<readonly IgnoreRule[]> {
  const own = await textOf(join(context, `${dockerfile}.dockerignore`))
  return dockerIgnoreRules(own ?? (await textOf(join(context, '.dockerignore'))) ?? '')
}

/** Everything that a build of the context reads: path → state. The Dockerfile is in it also where the rules leave it out. */
export async function contextFiles(context: string, dockerfile: string, files: Files): Promise<ReadonlyMap<string, FileState>> {
  const rules = await dockerIgnored(context, dockerfile)
  const leftOut = ignoring(rules)
  // a directory is looked into when something below it may be taken back in
  const deep = takesBackIn(rules)
  const skip = (path: string, directory: boolean): boolean =>
    directory ? path === '.git' || (!deep && leftOut(path, true)) : leftOut(path)
  const tree = await files.treeOf(context, skip)
  const own = await files.stateOf(join(context, dockerfile))
  return own === undefined || tree.has(dockerfile) ? tree : new Map([...tree, [dockerfile, own]])
}

async function textOf(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(() => undefined)
}
