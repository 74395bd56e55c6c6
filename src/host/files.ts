import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { appendFile, lstat, mkdir, readdir, readFile, readlink, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { mapLimited } from '../lib/async.ts'
import { fileHash, linkHash } from '../lib/content.ts'

/** What a path of the working tree is. `hash` covers kind, content (or a link's target) and the exec bit. */
export type FileState =
  | { readonly kind: 'file'; readonly hash: string; readonly mode: number; readonly bytes: number }
  | { readonly kind: 'link'; readonly hash: string; readonly to: string }

/** The file or symlink at `path` now; undefined for what is gone and for everything else (directories, sockets, pipes). */
export async function stateOf(path: string): Promise<FileState | undefined> {
  try {
    const found = await lstat(path)
    if (found.isSymbolicLink()) {
      const to = await readlink(path)
      return { kind: 'link', hash: linkHash(to), to }
    }
    if (!found.isFile()) return undefined
    const hash = fileHash(found.mode)
    // one read for the usual small file; a stream keeps memory bounded for the large one
    if (found.size <= 1024 * 1024) hash.update(await readFile(path))
    else await pipeline(createReadStream(path), hash)
    return { kind: 'file', hash: hash.digest('hex'), mode: found.mode & 0o777, bytes: found.size }
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '')) return undefined
    throw cause
  }
}

/** What is at a path, without its content. */
export type Entry =
  | { readonly kind: 'file'; readonly mode: number; readonly bytes: number }
  | { readonly kind: 'link'; readonly to: string }
  | { readonly kind: 'directory'; readonly mode: number }

/** What is at `path` now; undefined for what is gone and for sockets, pipes and devices. */
export async function entryAt(path: string): Promise<Entry | undefined> {
  try {
    const found = await lstat(path)
    if (found.isSymbolicLink()) return { kind: 'link', to: await readlink(path) }
    if (found.isDirectory()) return { kind: 'directory', mode: found.mode & 0o777 }
    return found.isFile() ? { kind: 'file', mode: found.mode & 0o777, bytes: found.size } : undefined
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '')) return undefined
    throw cause
  }
}

/** All files and symlinks below `root` by their path relative to it, with `/`. `skip` sees relative paths and prunes directories. */
export async function treeOf(
  root: string,
  skip: (path: string, directory: boolean) => boolean,
): Promise<ReadonlyMap<string, FileState>> {
  const paths: string[] = []
  const walk = async (directory: string): Promise<void> => {
    const entries = await readdir(join(root, directory), { withFileTypes: true })
    for (const entry of entries) {
      const path = directory === '' ? entry.name : `${directory}/${entry.name}`
      if (skip(path, entry.isDirectory())) continue
      if (entry.isDirectory()) await walk(path)
      else if (entry.isFile() || entry.isSymbolicLink()) paths.push(path)
    }
  }
  await walk('')
  paths.sort()
  const states = await mapLimited(paths, 16, async (path) => [path, await stateOf(join(root, path))] as const)
  return new Map(states.filter((entry): entry is [string, FileState] => entry[1] !== undefined))
}

/** Whether anything is at `path`. */
export async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}

/** The text of a file; undefined when it cannot be read. */
export async function readText(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(() => undefined)
}

/** Adds to the end of a file that is the user's alone; it and its directory are made where they are not there. */
export async function append(file: string, text: string): Promise<void> {
  try {
    await appendFile(file, text, { mode: 0o600 })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await appendFile(file, text, { mode: 0o600 })
  }
}

/** Names in a directory; none when it is not there. */
export async function namesIn(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch(() => [])
}

/** Removes a file; one that is not there is fine. */
export async function removeFile(file: string): Promise<void> {
  await rm(file, { force: true })
}

/** Reads JSON; undefined when the file is not there or is none. */
export async function readJson<T>(file: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as T
  } catch {
    return undefined
  }
}

/** Writes the file whole or not at all; directories and file are the user's alone. */
export async function writePrivate(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const part = `${file}.${randomUUID()}.part`
  try {
    await writeFile(part, text, { mode: 0o600 })
    await rename(part, file)
  } catch (cause) {
    await rm(part, { force: true })
    throw cause
  }
}
