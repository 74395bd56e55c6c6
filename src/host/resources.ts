import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { access, constants, readdir, readFile, statfs } from 'node:fs/promises'
import { hostname, release } from 'node:os'
import { dirname } from 'node:path'
import { mapLimited } from '../lib/async.ts'

/** What a directory has room for. */
export interface Space {
  /** The directory that was asked about, or the nearest above it that is there. */
  readonly directory: string
  readonly freeBytes: number
  readonly totalBytes: number
  readonly isWritable: boolean
}

/** How much of what the system allows a user to watch is in use, as far as this user can see. */
export interface WatchUse {
  readonly instances: number
  readonly maxInstances: number
  readonly watches: number
  readonly maxWatches: number
}

/** The room at `path`. @throws what the system says when not even the root can be asked */
export async function spaceAt(path: string): Promise<Space> {
  try {
    const { bavail, blocks, bsize } = await statfs(path)
    const isWritable = await access(path, constants.W_OK).then(
      () => true,
      () => false,
    )
    return { directory: path, freeBytes: bavail * bsize, totalBytes: blocks * bsize, isWritable }
  } catch (cause) {
    if (dirname(path) === path) throw cause
    return spaceAt(dirname(path))
  }
}

/** Name and kernel of this machine: a container engine that says the same runs on it, and not in a machine of its own. */
export function identity(): { readonly name: string; readonly kernel: string } {
  return { name: hostname(), kernel: release() }
}

/**
 * Use of inotify; undefined on a system that has none.
 * @see https://man7.org/linux/man-pages/man7/inotify.7.html
 */
export async function watchUse(): Promise<WatchUse | undefined> {
  const limit = async (name: string): Promise<number> =>
    Number(await readFile(`/proc/sys/fs/inotify/${name}`, 'utf8').catch(() => Number.NaN))
  const [maxInstances, maxWatches] = await Promise.all([limit('max_user_instances'), limit('max_user_watches')])
  if (Number.isNaN(maxInstances) || Number.isNaN(maxWatches)) return undefined
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const used = (await mapLimited(pids, 1, watchesOf)).flat()
  return {
    instances: used.length,
    maxInstances,
    watches: used.reduce((sum, watches) => sum + watches, 0),
    maxWatches,
  }
}

/** The number of watches of each instance that a process has; none where it can't be looked into. */
async function watchesOf(pid: string): Promise<readonly number[]> {
  // a promise of the file system takes ten times as long, which counts for the files of all processes
  const opened = orUndefined(() => readdirSync(`/proc/${pid}/fd`)) ?? []
  const instances = opened.filter((fd) => orUndefined(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) === 'anon_inode:inotify')
  return instances.map((fd) => {
    const info = orUndefined(() => readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8')) ?? ''
    return info.split('\n').filter((line) => line.startsWith('inotify ')).length
  })
}

/** What is gone, or another user's, is nothing. */
function orUndefined<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}
