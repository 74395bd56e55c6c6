import { randomUUID } from 'node:crypto'
import { lstatSync } from 'node:fs'
import { appendFile, lstat, mkdir, readdir, readFile, readlink, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { DevkitError, messageOf } from '../lib/errors.ts'

/** What is at a path, without its content. */
export type Entry =
  | { readonly kind: 'file'; readonly mode: number; readonly bytes: number }
  | { readonly kind: 'link'; readonly to: string }
  | { readonly kind: 'directory'; readonly mode: number }

/** What is at `path` now; undefined for what is gone and for sockets, pipes and devices. */
export async function entryAt(path: string): Promise<Entry | undefined> {
  try {
    // a promise of the file system takes ten times as long, which counts when thousands of paths are asked about
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (!found) return undefined
    if (found.isSymbolicLink()) return { kind: 'link', to: await readlink(path) }
    if (found.isDirectory()) return { kind: 'directory', mode: found.mode & 0o777 }
    return found.isFile() ? { kind: 'file', mode: found.mode & 0o777, bytes: found.size } : undefined
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '')) return undefined
    throw cause
  }
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
    await makePrivate(dirname(file))
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

/** Writes the file whole or not at all; directories and file are the user's alone. @throws CONFIG-202 */
export async function writePrivate(file: string, text: string): Promise<void> {
  const part = `${file}.${randomUUID()}.part`
  try {
    await makePrivate(dirname(file))
    await writeFile(part, text, { mode: 0o600 })
    await rename(part, file)
  } catch (cause) {
    // a directory that cannot be made has no part in it either
    await rm(part, { force: true }).catch(() => undefined)
    throw unwritable(dirname(file), cause)
  }
}

/** Makes a directory that is the user's alone. One below a project keeps itself out of version control. */
export async function makePrivate(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const own = `${directory}${sep}`.lastIndexOf(`${sep}.devkit${sep}`)
  if (own === -1) return
  const rules = join(directory.slice(0, own), '.devkit', '.gitignore')
  await writeFile(rules, '*\n', { flag: 'wx', mode: 0o600 }).catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
  })
}

/** The problem of a directory of devkit's own that cannot be written: CONFIG-202. */
export function unwritable(directory: string, cause: unknown): DevkitError {
  return new DevkitError('CONFIG-202', {
    message: `devkit cannot write to ${directory}: ${messageOf(cause)}.`,
    hint: 'Make room there, or give yourself the right to write it; XDG_STATE_HOME names another directory for devkit’s state.',
    cause,
  })
}
