import { isAbsolute, join, posix, relative, sep } from 'node:path'
import type { SyncRule } from '../config/schema.ts'

/** What is never watched or synced, whatever the rules say: version control, devkit's own, what programs generate, what editors put beside a file while they save it. */
export const neverSynced =
  /(^|[/\\])(\.git|\.hg|\.svn|\.devkit|node_modules|__pycache__|\.DS_Store|4913|\.#[^/\\]+|#[^/\\]+#|\.goutputstream-[^/\\]+|\.subl[0-9a-f]+\.tmp)([/\\]|$)|~$|(^|[/\\])\.[^/\\]+\.sw[a-px]{1,2}$|___jb_(tmp|old|bak)___$/

/** A sync rule with its questions answered: where it begins, where it leads, what it leaves out. */
export interface Mapping {
  readonly rule: SyncRule
  /** File or directory, absolute. */
  readonly from: string
  /** Absolute path in the container, without a slash at its end. */
  readonly to: string
  /** Whether a path below `from` (relative to it, `/` between names) is never synced. */
  readonly ignored: (path: string, directory: boolean) => boolean
}

/** Where a path of this machine goes; undefined when the mapping has no word about it. */
export function targetOf({ from, to, ignored }: Mapping, path: string, directory = false): string | undefined {
  const below = relative(from, path).split(sep).join('/')
  if (below === '..' || below.startsWith('../') || isAbsolute(below)) return undefined
  if (below !== '' && (neverSynced.test(below) || ignored(below, directory))) return undefined
  return posix.join(to, below)
}

/** Where a path of the container comes from. */
export function sourceOf({ from, to }: Mapping, target: string): string | undefined {
  if (target === to) return from
  const prefix = to === '/' ? to : `${to}/`
  return target.startsWith(prefix) ? join(from, target.slice(prefix.length)) : undefined
}

/** `to` of a rule as paths are compared with it. */
export function plainTarget(to: string): string {
  const plain = posix.normalize(to)
  return plain.length > 1 ? plain.replace(/\/+$/, '') : plain
}
