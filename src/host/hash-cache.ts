import { constants, lstatSync, readFileSync, type Stats } from 'node:fs'
import { mkdir, open, readdir, readlink, writeFile } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { mapLimited, Pace } from '../lib/async.ts'
import { fileHash, linkHash } from '../lib/content.ts'
import { DevkitError } from '../lib/errors.ts'
import * as files from './files.ts'
import type { ChangedPath, FileState, Files } from './host.ts'

/**
 * Read at once up to here, in bytes, and without a promise: for thousands of small files the turns of the thread pool would take most of the time.
 * What is bigger goes through in pieces, so that memory stays bounded.
 */
const wholeBytes = 1024 * 1024
/** Files from here on count as changed whenever they are written, in bytes. */
const bigBytes = 8 * 1024 * 1024
const pieceBytes = 256 * 1024
/** Two changes of a file within this time may carry the same time stamp, in ms. */
const racyMs = 20
/** What was learned is written down this much later, in ms, when it is more than so many files; the rest at the end: writing takes a moment. */
const writeMs = 10_000
const manyFiles = 500

interface Entry {
  /** Of size, times, inode and mode; 0 when they cannot be trusted: the file is read again. */
  signature: number
  hash: string
  /** Whether this very content was told as a change, or was there before anybody asked for changes. */
  told: boolean
}

/** The working tree and devkit's own files, with one memory of hashes. */
export function openFiles(): Files {
  const cache = new HashCache()
  return {
    ...files,
    stateOf: (path) => cache.stateOf(path),
    treeOf: (root, skip, onEmpty) => cache.treeOf(root, skip, onEmpty),
    changed: (paths) => cache.changed(paths),
    remember: (file) => cache.remember(file),
  }
}

/**
 * Hashes of files by path, with what the file system said when they were read: a file is read again when that differs. Change time and inode are
 * in it, so a save that keeps size and modification time is seen. Written down, so that a restart does not read 20,000 files.
 */
export class HashCache {
  readonly #entries = new Map<string, Entry>()
  /** What has not changed since then was there from the beginning. */
  #since = Date.now()
  #file: string | undefined
  #timer: NodeJS.Timeout | undefined
  #learned = 0

  /** The file or symlink at `path` now; undefined for what is gone and for everything else (directories, sockets, pipes). */
  async stateOf(path: string): Promise<FileState | undefined> {
    const found = lookNow(path)
    if (!found) return this.#gone(path)
    if (found.isSymbolicLink()) {
      const to = await readlink(path).catch(() => undefined)
      return to === undefined ? this.#gone(path) : { kind: 'link', hash: linkHash(to), to }
    }
    if (!found.isFile()) return this.#gone(path)
    const known = this.#entries.get(path)
    const signature = signatureOf(found)
    if (known && known.signature !== 0 && known.signature === signature) return fileState(known.hash, found)
    const read = await hashOf(path, found)
    if (!read) return this.#gone(path)
    const told = known?.hash === read.hash ? known.told : known === undefined && read.stats.ctimeMs < this.#since
    this.#entries.set(path, { signature: read.signature, hash: read.hash, told })
    this.#changed()
    return fileState(read.hash, read.stats)
  }

  /** See `Files.treeOf`. */
  async treeOf(
    root: string,
    skip: (path: string, directory: boolean) => boolean,
    onEmpty?: (path: string) => void,
  ): Promise<ReadonlyMap<string, FileState>> {
    const paths: string[] = []
    const walk = async (directory: string): Promise<void> => {
      const before = paths.length
      for (const entry of await entriesOf(join(root, directory))) {
        const path = directory === '' ? entry.name : `${directory}/${entry.name}`
        if (skip(path, entry.isDirectory())) continue
        if (entry.isDirectory()) await walk(path)
        else if (entry.isFile() || entry.isSymbolicLink()) paths.push(path)
      }
      if (paths.length === before && directory !== '') onEmpty?.(directory)
    }
    await walk('')
    paths.sort()
    // asking for 20,000 promises of the file system takes five times as long as asking at once
    const states: (FileState | undefined)[] = []
    const unread: number[] = []
    const pace = new Pace()
    for (const [at, path] of paths.entries()) {
      const known = this.#known(join(root, path))
      states.push(known)
      if (!known) unread.push(at)
      if (pace.isDue) await pace.rest()
    }
    await mapLimited(unread, 16, async (at) => {
      states[at] = await this.stateOf(join(root, paths[at] ?? ''))
    })
    const tree = new Map<string, FileState>()
    for (const [at, path] of paths.entries()) {
      const state = states[at]
      if (state) tree.set(path, state)
    }
    return tree
  }

  /** The state of a file that need not be read, without a promise. */
  #known(path: string): FileState | undefined {
    const entry = this.#entries.get(path)
    if (!entry || entry.signature === 0) return undefined
    const stats = lookNow(path)
    return stats?.isFile() && signatureOf(stats) === entry.signature ? fileState(entry.hash, stats) : undefined
  }

  /** Which of the paths are not what they were when this was last asked, or when this began: a touch is no change. */
  async changed(paths: readonly string[]): Promise<readonly ChangedPath[]> {
    const looked = await mapLimited(paths, 32, async (path): Promise<ChangedPath | undefined> => {
      const before = this.#entries.get(path)
      // what is saved beside a big file does not wait until that is read: who sends it finds out
      if ((lookNow(path)?.size ?? 0) > bigBytes) return { path, directory: false }
      const state = await this.stateOf(path)
      if (!state || state.kind === 'link') {
        // a directory, a link, or nothing: cheap to tell once too often
        return { path, directory: !state && before === undefined }
      }
      const entry = this.#entries.get(path)
      if (entry?.told && before !== undefined) return undefined
      if (entry) entry.told = true
      return { path, directory: false }
    })
    return looked.filter((one) => one !== undefined)
  }

  /** Takes what an earlier run wrote down in the file, and writes down there what this one learns, until closed. */
  async remember(file: string): Promise<AsyncDisposable> {
    this.#since = Date.now()
    if (this.#file === undefined) await this.#read(file)
    this.#file = file
    return {
      [Symbol.asyncDispose]: async () => {
        clearTimeout(this.#timer)
        this.#timer = undefined
        await this.#write().catch(() => undefined)
      },
    }
  }

  #gone(path: string): undefined {
    if (this.#entries.delete(path)) this.#changed()
    return undefined
  }

  #changed(): void {
    this.#learned++
    if (this.#file === undefined || this.#timer || this.#learned < manyFiles) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      // what cannot be written now is written at the end, or computed again
      void this.#write().catch(() => undefined)
    }, writeMs)
    this.#timer.unref()
  }

  async #read(file: string): Promise<void> {
    const written = await files.readJson<{ readonly v: number; readonly files: Readonly<Record<string, [number, string]>> }>(file)
    if (written?.v !== 1) return
    const base = baseOf(file)
    for (const [path, [signature, hash]] of Object.entries(written.files)) {
      const absolute = join(base, path)
      if (!this.#entries.has(absolute)) this.#entries.set(absolute, { signature, hash, told: true })
    }
  }

  async #write(): Promise<void> {
    const file = this.#file
    if (this.#learned === 0 || file === undefined) return
    this.#learned = 0
    const below = `${baseOf(file)}${sep}`
    const lines: string[] = []
    // no save waits for 20,000 files to be put down
    const pace = new Pace()
    for (const [path, { signature, hash }] of this.#entries) {
      if (signature !== 0 && path.startsWith(below))
        lines.push(`${JSON.stringify(path.slice(below.length))}:[${signature},"${hash}"]`)
      if (pace.isDue) await pace.rest()
    }
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await writeFile(join(dirname(file), '.gitignore'), '*\n', { flag: 'wx' }).catch(() => undefined)
    await files.writePrivate(file, `{"v":1,"files":{${lines.join()}}}`)
  }
}

async function entriesOf(directory: string) {
  try {
    return await readdir(directory, { withFileTypes: true })
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return []
    throw new DevkitError('SYNC-113', {
      message: `The directory ${directory} cannot be read (${code}).`,
      hint: 'Allow this user to read it, or leave it out by an `ignore` of the config or in .dockerignore.',
      cause,
    })
  }
}

/** The project: the file is `PROJECT/.devkit/NAME`. */
function baseOf(file: string): string {
  return dirname(dirname(file))
}

function fileState(hash: string, { mode, size }: Stats): FileState {
  return { kind: 'file', hash, mode: mode & 0o777, bytes: size }
}

function lookNow(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

/** A pipe that took the file's place must not hold us. */
const withoutWaiting = constants.O_RDONLY | constants.O_NONBLOCK

/** Reads a file that may change meanwhile: what the hash is of is what the file was at one moment, or its signature is not trusted. */
async function hashOf(
  path: string,
  first: Stats,
): Promise<{ readonly hash: string; readonly signature: number; readonly stats: Stats } | undefined> {
  // reading a big file twice costs more than this wait
  if (first.size > wholeBytes) await wait(Math.max(0, Math.min(racyMs, first.ctimeMs + racyMs - Date.now())))
  for (let before = first, tries = 0; ; tries++) {
    const hash = fileHash(before.mode)
    const asked = Date.now()
    try {
      if (before.size <= wholeBytes) hash.update(readFileSync(path, { flag: withoutWaiting }))
      else await inPieces(path, (piece) => void hash.update(piece))
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code ?? ''
      if (['ENOENT', 'ENOTDIR'].includes(code)) return undefined
      // who sends it will say that it cannot be read; a change of its mode is a change
      hash.update(`unreadable\0${code}`)
    }
    const after = lookNow(path)
    if (!after?.isFile()) return undefined
    const same = signatureOf(after) === signatureOf(before)
    if (!same && tries < 3) {
      before = after
      continue
    }
    const trusted = same && asked - after.ctimeMs >= racyMs
    return { hash: hash.digest('hex'), signature: trusted ? signatureOf(after) : 0, stats: after }
  }
}

async function inPieces(path: string, take: (piece: Uint8Array) => void): Promise<void> {
  await using file = await open(path, 'r')
  const buffer = Buffer.allocUnsafe(pieceBytes)
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, pieceBytes)
    if (bytesRead === 0) return
    take(buffer.subarray(0, bytesRead))
  }
}

const words = new Uint32Array(10)
const numbers = new Float64Array(words.buffer)

/** Size, times, inode and mode in one number of 53 bits, never 0. */
function signatureOf({ size, mtimeMs, ctimeMs, ino, mode }: Stats): number {
  numbers.set([size, mtimeMs, ctimeMs, ino, mode])
  let high = 0xdeadbeef
  let low = 0x41c6ce57
  for (const word of words) {
    high = Math.imul(high ^ word, 2654435761)
    high ^= high >>> 15
    low = Math.imul(low ^ word, 1597334677)
    low ^= low >>> 13
  }
  return (high & 0x1fffff) * 2 ** 32 + (low >>> 0) + 1
}
