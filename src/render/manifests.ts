import { glob, readdir, readFile, stat } from 'node:fs/promises'
import { join, matchesGlob, relative } from 'node:path'
import { mapLimited } from '../lib/async.ts'
import { DevkitError } from '../lib/errors.ts'
import { manifestsOf, readManifests } from './read.ts'
import type { Input, Renderer } from './renderer.ts'

/** Plain YAML and JSON: a file, a glob, or every manifest of a directory and below it, in the order of their names. */
export const manifests: Renderer<string> = {
  async render(source, { directory }, { signal }) {
    const read = await mapLimited(await filesOf(source, directory), 32, async (file) => {
      signal.throwIfAborted()
      return readManifests(await readFile(file), relative(directory, file))
    })
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

const isGlob = (source: string): boolean => /[*?[{]/.test(source)
const isManifest = (file: string): boolean => /\.(ya?ml|json)$/.test(file)

async function filesOf(source: string, directory: string): Promise<readonly string[]> {
  const path = join(directory, source)
  const found = await stat(path).catch(() => undefined)
  if (found?.isFile()) return [path]
  if (!found && !isGlob(source)) throw nowhere(`The manifest source ${source} does not exist.`)
  const files = found ? await manifestsBelow(path) : await manifestsLike(source, directory)
  const real = await mapLimited(files, 32, async (file) => ((await stat(file).catch(() => undefined))?.isFile() ? [file] : []))
  if (!found && real.flat().length === 0) throw nowhere(`No file matches the manifest source ${source}.`)
  return real.flat().sort()
}

async function manifestsLike(pattern: string, directory: string): Promise<readonly string[]> {
  const files: string[] = []
  for await (const file of glob(pattern, { cwd: directory })) files.push(join(directory, file))
  return files
}

async function manifestsBelow(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => (entry.isFile() || entry.isSymbolicLink()) && isManifest(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
}

/** The problem of a source that is not there: RENDER-103. */
export function nowhere(message: string): DevkitError {
  return new DevkitError('RENDER-103', { message, hint: 'Correct `manifests` in the config; paths are relative to it.' })
}
