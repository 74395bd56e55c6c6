import { join, posix, relative, sep } from 'node:path'
import type { SyncRule } from '../config/schema.ts'
import type { FileState } from '../host/host.ts'
import type { Batch, FileWrite } from './transport.ts'

/** What is never watched or synced, whatever the rules say: version control, devkit's own, what programs generate, what editors put beside a file while they save it. */
export const neverSynced =
  /(^|[/\\])(\.git|\.hg|\.svn|\.devkit|node_modules|__pycache__|\.DS_Store|4913|\.#[^/\\]+|#[^/\\]+#|\.goutputstream-[^/\\]+|\.subl[0-9a-f]+\.tmp)([/\\]|$)|~$|(^|[/\\])\.[^/\\]+\.sw[a-px]{1,2}$|___jb_(tmp|old|bak)___$/

/** A file of the working tree and where it goes. `source` is absolute, `target` a path in the container. */
export interface Mapped {
  readonly source: string
  readonly target: string
  readonly state: FileState
}

/** Where a path (absolute) goes by a rule. */
export function targetOf(rule: SyncRule, directory: string, path: string): string {
  return posix.join(rule.to, relative(join(directory, rule.from), path).split(sep).join('/'))
}

/** What has to be sent so that a container that has `has` (target → hash) has `wanted`. Targets of `has` that are gone are deleted. */
export function difference(wanted: ReadonlyMap<string, Mapped>, has: ReadonlyMap<string, string>): Omit<Batch, 'roots'> {
  const writes: FileWrite[] = []
  for (const [target, { source, state }] of wanted) {
    if (has.get(target) === state.hash) continue
    writes.push(
      state.kind === 'link'
        ? { kind: 'link', target, to: state.to }
        : { kind: 'file', target, source, mode: state.mode, bytes: state.bytes },
    )
  }
  return { writes, deletes: [...has.keys()].filter((target) => !wanted.has(target)) }
}
