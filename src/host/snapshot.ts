import { lstatSync, readdirSync, type Stats, statSync } from 'node:fs'
import { basename, dirname, join, sep } from 'node:path'
import { type Ignores, ignoring, takesBackIn } from '../lib/ignore.ts'
import { DirectoryEvents } from './directory-events.ts'
import type { WatchRoot } from './host.ts'
import { silentFileSystem } from './silent-files.ts'

/** In a directory's table: the name is a directory. Files have a positive number, see `signatureOf`. */
const isDirectory = -1
/** A file that changed so shortly before it was looked at that another change may carry the same time, in ms. */
const racyMs = 20
/** A file that came and was written to so shortly before may be one that is about to be renamed over another, in ms. */
const freshMs = 15

interface Directory {
  readonly path: string
  /** Tells it from another of the same name, see `identityOf`. */
  readonly identity: string
  readonly entries: Map<string, number>
  /** The names that matter in a directory that is only watched for them; undefined: all. */
  only: Set<string> | undefined
  handle: Disposable | undefined
  /** Its file system may not tell what changes. */
  readonly silent: boolean
}

/** What became of a name that something happened to. */
export type Verdict = 'changed' | 'nothing' | 'hold'

/** Who hears what the snapshot notices. */
export interface Listener {
  /** Something happened to a name in a directory; what, a look tells. */
  readonly stirred: (directory: string, name: string) => void
  /** The machine gives no watch for a directory: code and message of the first refusal. */
  readonly refused: (code: string, message: string) => void
  /** A directory is on a file system that may not tell what changes; heard once for each. */
  readonly silent: (directory: string, fileSystem: string) => void
}

/**
 * What is below the roots, and a watch on each of its directories. Events are hints, the table is the truth: a name that something happened to is
 * looked at and compared, and so can be a whole tree of which events were lost.
 *
 * One watch and one small table per directory, a number per file.
 */
export class Snapshot {
  readonly #directories = new Map<string, Directory>()
  readonly #never: RegExp
  readonly #listen: Listener
  /** File systems, by device number: whether they may be silent about changes. */
  readonly #silent = new Map<number, boolean>()
  readonly #events = new DirectoryEvents((directory, name) => this.#stirred(directory, name))
  #roots: readonly { readonly path: string; readonly ignore: readonly { readonly base: string; readonly ignores: Ignores }[] }[] =
    []

  constructor(never: RegExp, listen: Listener) {
    this.#never = never
    this.#listen = listen
  }

  /** Why some directories are looked at again and again: their file system may be silent, or the machine gives no watch for them. */
  get polls(): 'silent' | 'unwatched' | undefined {
    const polled = [...this.#directories.values()].filter(isPolled)
    return polled.some(({ silent }) => silent) ? 'silent' : polled.length > 0 ? 'unwatched' : undefined
  }

  /** Watches these roots and no others; what stays keeps its table. Returns the paths that are new. */
  setRoots(roots: readonly WatchRoot[]): readonly string[] {
    this.#roots = roots.map(({ path, ignore }) => ({
      path,
      // rules that take something back in leave out no directory: what matters below one is decided path by path, by who gets the batch
      ignore: ignore.filter(({ rules }) => !takesBackIn(rules)).map(({ base, rules }) => ({ base, ignores: ignoring(rules) })),
    }))
    for (const directory of [...this.#directories.values()]) {
      if (directory.only) {
        const kept = [...directory.only].filter((name) => this.#isRoot(join(directory.path, name)))
        directory.only = new Set(kept)
        if (kept.length > 0) continue
      } else if (this.#wanted(directory.path, true)) continue
      this.#forget(directory, [])
    }
    return this.checkRoots()
  }

  /** Looks whether a root came, went or was replaced. Returns what is new or gone. */
  checkRoots(): readonly string[] {
    const found: string[] = []
    for (const { path } of this.#roots) {
      const stats = statOf(path, true)
      const known = this.#directories.get(path)
      if (known && !known.only && known.identity !== identityOf(stats)) this.#forget(known, found)
      if (stats?.isDirectory()) {
        if (this.#directories.get(path)?.only !== undefined) this.#forget(this.#directories.get(path), [])
        if (!this.#directories.has(path)) this.#enter(path, stats, found)
      } else this.#watchName(path, found)
    }
    return found
  }

  /** Looks at a name that something happened to; what is found goes to `found`. `patient`: it may be a save in the middle, when it is missing, empty or just made. */
  look(directory: string, name: string, patient: boolean, found: string[]): Verdict {
    const known = this.#directories.get(directory)
    if (!known) return 'nothing'
    const path = join(directory, name)
    const before = known.entries.get(name)
    if (before === undefined && !this.#relevant(known, name)) return 'nothing'
    const stats = statOf(path, false)
    if (patient && mayBeUnfinished(before, stats)) return 'hold'
    const count = found.length
    if (before === isDirectory && (!stats?.isDirectory() || identityOf(stats) !== this.#directories.get(path)?.identity))
      this.#forget(this.#directories.get(path), found)
    if (!stats) {
      known.entries.delete(name)
      if (before !== undefined && before !== isDirectory) found.push(path)
    } else if (stats.isDirectory()) {
      known.entries.set(name, isDirectory)
      if (!known.only && !this.#directories.has(path) && this.#wanted(path, true)) this.#enter(path, stats, found)
    } else if (stats.isFile() || stats.isSymbolicLink()) {
      known.entries.set(name, signatureOf(stats))
      if (this.#relevant(known, name)) found.push(path)
    } else if (known.entries.delete(name) && before !== isDirectory) found.push(path)
    return found.length > count ? 'changed' : 'nothing'
  }

  /** Compares whole directories with their tables, a slice at a time. `only` polled ones, or all. Returns what differs. */
  *compare(only: 'polled' | 'all'): Generator<undefined, readonly string[]> {
    const found: string[] = []
    for (const directory of [...this.#directories.values()]) {
      if (this.#directories.get(directory.path) !== directory || (only === 'polled' && !isPolled(directory))) continue
      yield
      const names = directory.only ?? namesIn(directory.path)
      for (const name of new Set([...names, ...directory.entries.keys()])) {
        const before = directory.entries.get(name)
        const stats = statOf(join(directory.path, name), false)
        const after = !stats ? undefined : stats.isDirectory() ? isDirectory : signatureOf(stats)
        const replaced =
          after === isDirectory && this.#directories.get(join(directory.path, name))?.identity !== identityOf(stats)
        if (before !== after || before === 0 || replaced) this.look(directory.path, name, false, found)
      }
      if (!directory.handle) this.#watch(directory)
    }
    return found
  }

  /** Takes a directory and all below it into the table; every path goes to `found`. */
  #enter(path: string, stats: Stats, found: string[]): void {
    const directory: Directory = {
      path,
      identity: identityOf(stats),
      entries: new Map(),
      only: undefined,
      handle: undefined,
      silent: this.#isSilent(path, stats),
    }
    this.#directories.set(path, directory)
    // before its names are read: what comes meanwhile is told twice rather than never
    this.#watch(directory)
    found.push(path)
    for (const name of namesIn(path)) this.look(path, name, false, found)
  }

  /** A root that is a file, or is not there (yet): its directory is watched for its name. */
  #watchName(path: string, found: string[]): void {
    const parent = dirname(path)
    const name = basename(path)
    const known = this.#directories.get(parent)
    if (known && !known.only) return
    const stats = statOf(parent, true)
    if (known && known.identity === identityOf(stats) && known.only?.has(name)) return
    if (known && known.identity !== identityOf(stats)) this.#forget(known, found)
    if (!stats?.isDirectory()) return
    const directory: Directory = this.#directories.get(parent) ?? {
      path: parent,
      identity: identityOf(stats),
      entries: new Map(),
      only: new Set(),
      handle: undefined,
      silent: this.#isSilent(parent, stats),
    }
    directory.only?.add(name)
    if (!this.#directories.has(parent)) {
      this.#directories.set(parent, directory)
      this.#watch(directory)
    }
    this.look(parent, name, false, found)
  }

  #watch(directory: Directory): void {
    try {
      directory.handle = this.#events.open(directory.path)
    } catch (cause) {
      const { code = '', message } = cause as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ENOTDIR') return
      this.#listen.refused(code, message)
    }
  }

  #isSilent(path: string, { dev }: Stats): boolean {
    const known = this.#silent.get(dev)
    if (known !== undefined) return known
    const fileSystem = silentFileSystem(path)
    this.#silent.set(dev, fileSystem !== undefined)
    if (fileSystem !== undefined) this.#listen.silent(path, fileSystem)
    return fileSystem !== undefined
  }

  #stirred(path: string, name: string | null): void {
    const known = this.#directories.get(path)
    if (!known) return
    for (const each of name === null ? new Set([...namesIn(path), ...known.entries.keys()]) : [name])
      if (known.entries.has(each) || this.#relevant(known, each)) this.#listen.stirred(path, each)
  }

  /** Forgets a directory and all below it; every path goes to `found`. */
  #forget(directory: Directory | undefined, found: string[]): void {
    if (!directory) return
    directory.handle?.[Symbol.dispose]()
    this.#directories.delete(directory.path)
    found.push(directory.path)
    for (const [name, entry] of directory.entries) {
      const path = join(directory.path, name)
      if (entry === isDirectory) this.#forget(this.#directories.get(path), found)
      else found.push(path)
    }
  }

  #relevant(directory: Directory, name: string): boolean {
    if (directory.only) return directory.only.has(name)
    return !this.#never.test(name) && this.#wanted(join(directory.path, name), false)
  }

  #isRoot(path: string): boolean {
    return this.#roots.some((root) => root.path === path)
  }

  /** Whether some root that the path is below does not ignore it. */
  #wanted(path: string, directory: boolean): boolean {
    return this.#roots.some(
      ({ path: root, ignore }) =>
        path === root ||
        (isBelow(path, root) &&
          !ignore.some(({ base, ignores }) => isBelow(path, base) && ignores(pathBelow(path, base), directory))),
    )
  }
}

function isPolled({ handle, silent }: Directory): boolean {
  return silent || !handle
}

/** What was there and is missing or empty, or was not and is being written. */
function mayBeUnfinished(before: number | undefined, stats: Stats | undefined): boolean {
  if (before !== undefined) return !stats || (stats.isFile() && stats.size === 0)
  return stats?.isFile() === true && Date.now() - stats.ctimeMs < freshMs
}

/** The inode alone does not do: the number of a directory that was removed goes to the next that is made. */
function identityOf(stats: Stats | undefined): string {
  return stats ? `${stats.ino}:${stats.birthtimeMs}` : ''
}

function isBelow(path: string, directory: string): boolean {
  return path.startsWith(directory === sep ? sep : directory + sep)
}

function pathBelow(path: string, directory: string): string {
  const rest = path.slice(directory === sep ? 1 : directory.length + 1)
  return sep === '/' ? rest : rest.replaceAll(sep, '/')
}

function statOf(path: string, follow: boolean): Stats | undefined {
  try {
    return follow ? statSync(path) : lstatSync(path)
  } catch {
    return undefined
  }
}

function namesIn(path: string): readonly string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

const words = new Uint32Array(10)
const numbers = new Float64Array(words.buffer)

/** Size, times, inode and mode in one small number; 0 for a file whose time cannot be trusted yet. Small numbers cost no memory beside the table's. */
function signatureOf(stats: Stats): number {
  if (Date.now() - stats.ctimeMs < racyMs) return 0
  numbers[0] = stats.size
  numbers[1] = stats.mtimeMs
  numbers[2] = stats.ctimeMs
  numbers[3] = stats.ino
  numbers[4] = stats.mode
  let hash = 0x811c9dc5
  for (let at = 0; at < words.length; at++) hash = Math.imul(hash ^ (words[at] ?? 0), 0x01000193) ^ (hash >>> 13)
  return (hash & 0x3fffffff) + 1
}
