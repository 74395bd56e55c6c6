import { readFileSync } from 'node:fs'
import { glob, readdir, stat } from 'node:fs/promises'
import { join, matchesGlob, relative } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { DevkitError, messageOf } from '../lib/errors.ts'
import { manifestsOf, type ReadManifests, readManifests } from './read.ts'
import type { Input, Renderer } from './renderer.ts'

/** Plain YAML and JSON: a file, a glob, or every manifest of a directory and below it, in the order of their names. */
export const manifests: Renderer<string> = {
  async render(source, { directory }, { signal }) {
    const read: ReadManifests[] = []
    for (const file of await filesOf(source, directory)) {
      // others have their turn between two files
      await setImmediate()
      signal.throwIfAborted()
      const shown = relative(directory, file)
      read.push(await readManifests(contentOf(file, shown), shown))
    }
    return manifestsOf(read)
  },

  async inputs(source, directory): Promise<readonly Input[]> {
    const path = join(directory, source)
    if (!isGlob(source) || (await stat(path).catch(() => undefined)))
      return [{ path, counts: (file) => file === path || isManifest(file) }]
    const plain = source.split('/')
    const root = join(directory, ...plain.slice(0, plain.findIndex(isGlob)))
    return [{ path: root, counts: (file) => matchesGlob(file, path) }]
  },
}

/** A small file is read in less time than it takes to hand it to another thread and back. @throws RENDER-103 */
function contentOf(file: string, shown: string): Uint8Array {
  try {
    return readFileSync(file)
  } catch (thrown) {
    throw new DevkitError('RENDER-103', {
      message: `${shown} cannot be read: ${messageOf(thrown)}.`,
      hint: 'Let it be read by you, or leave it out of `manifests`.',
      cause: thrown,
    })
  }
}

const isGlob = (source: string): boolean => /[*?[{]/.test(source)
const isManifest = (file: string): boolean => /\.(ya?ml|json)$/.test(file)

async function filesOf(source: string, directory: string): Promise<readonly string[]> {
  const path = join(directory, source)
  const found = await stat(path).catch(() => undefined)
  if (found?.isFile()) return [path]
  if (!found && !isGlob(source)) throw nowhere(`The manifest source ${source} does not exist.`)
  const files = found ? await manifestsBelow(path) : await manifestsLike(source, directory)
  if (files.length === 0)
    throw nowhere(found ? `There is no manifest in ${source}.` : `No file matches the manifest source ${source}.`)
  return files.toSorted()
}

async function manifestsLike(pattern: string, directory: string): Promise<readonly string[]> {
  const files: string[] = []
  for await (const path of glob(pattern, { cwd: directory })) {
    const file = join(directory, path)
    if (await isFile(file)) files.push(file)
  }
  return files
}

async function manifestsBelow(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files: string[] = []
  for (const entry of entries) {
    const file = join(entry.parentPath, entry.name)
    // what devkit itself keeps beside the config
    if (file.startsWith(join(directory, '.devkit/'))) continue
    // a link is followed to a file, as kubectl does, not into a directory
    if (isManifest(entry.name) && (entry.isFile() || (entry.isSymbolicLink() && (await isFile(file))))) files.push(file)
  }
  return files
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() === true
}

/** The problem of a source that is not there: RENDER-103. */
export function nowhere(message: string): DevkitError {
  return new DevkitError('RENDER-103', { message, hint: 'Correct `manifests` in the config; paths are relative to it.' })
}
