import { posix } from 'node:path'
import type { Kube } from '../kube/kube.ts'
import { DevkitError } from '../lib/errors.ts'
import type { Step } from '../lib/step.ts'

/** A way into running containers. One session per node, kept open; a save costs no new connection. */
export interface SyncTransport {
  /** As people read it in `status`. */
  readonly way: 'node stream' | 'exec stream'
  /** @throws SyncGone (SYNC-101) when the node cannot be entered */
  open(target: SyncTarget, step: Step): Promise<SyncSession>
}

/** Where containers are reached: a node by its name in the cluster, and the cluster's API. */
export interface SyncTarget {
  readonly node: string
  /** The engine's container that the node is; by default that of its name. */
  readonly container?: string | undefined
  readonly kube: Kube
}

/**
 * A way into the containers of one node. It ends with its scope or with the node; `closed` tells, and then it is opened anew.
 * Calls may run at the same time, also for one container: a small change does not wait for a big file. The caller puts those
 * that touch the same paths in their order.
 */
export interface SyncSession extends AsyncDisposable {
  /**
   * Puts the batch into the container and resolves when the container has all of it but what `Ack.refused` names: first the deletes, then the writes.
   * Of a big file it says now and then how far it is.
   * @throws SyncGone when the container or the stream is gone: nothing is known then of what this batch has done
   */
  push(container: ContainerRef, batch: Batch, step: Step): Promise<Ack>
  /** Which of the paths the container does not have, by their index. A symlink is there whatever it leads to. @throws SyncGone */
  probe(container: ContainerRef, targets: readonly string[]): Promise<readonly number[]>
  /** Sends the container's first process a signal, such as `HUP` or `SIGHUP`. @throws SyncGone, SYNC-102 */
  signal(container: ContainerRef, signal: string): Promise<void>
  /** Writes a line into a FIFO in the container; says whether somebody was reading it. Never waits for long for a reader. @throws SyncGone */
  tell(container: ContainerRef, fifo: string, line: string): Promise<boolean>
  /** Told each container the moment it starts, long before the API server knows. Only where the node can be entered. */
  onStart?(listener: (container: ContainerRef) => void): Disposable
  /** Writes the file `/run/devkit/NAME` of the node itself, whole; `undefined` removes it. Only where the node can be entered. @throws SyncGone, SYNC-102 */
  note?(name: string, text: string | undefined): Promise<void>
  readonly closed: Promise<void>
}

/** A running container: its id in the runtime (without `containerd://`), and how the API names it. */
export interface ContainerRef {
  readonly id: string
  readonly namespace: string
  readonly pod: string
  /** Name of the container in its pod. */
  readonly name: string
}

export interface Batch {
  /** Targets of the rules, absolute: nothing is written that is not below one of them, also not through a symlink. */
  readonly roots: readonly string[]
  readonly writes: readonly FileWrite[]
  /**
   * Paths that go: files, symlinks, and directories. A directory goes if what remains in it is only what programs generate
   * (`__pycache__` …), else it is kept and told. What is not there is fine.
   */
  readonly deletes: readonly string[]
}

/**
 * A file, directory or symlink to make or replace. Paths are absolute in the container and at or below a root.
 * `source` is a path of this machine or the content itself. What exists keeps its owner, what is new takes its directory's;
 * a directory that exists keeps its mode too.
 */
export type FileWrite =
  | {
      readonly kind: 'file'
      readonly target: string
      readonly source: string | Uint8Array
      readonly mode: number
      /** As far as known: for telling how far a big file is. */
      readonly bytes: number
    }
  | { readonly kind: 'link'; readonly target: string; readonly to: string }
  | { readonly kind: 'directory'; readonly target: string; readonly mode: number }

/** What became of a batch. */
export interface Ack {
  /** Writes that the container has. */
  readonly files: number
  readonly bytes: number
  readonly deleted: number
  /** Files and symlinks that the container has now: target → hash (lib/content.ts) of what was really sent. */
  readonly sent: ReadonlyMap<string, string>
  /** Targets that could only be written over in place (a file that is mounted): a reader may have seen them half. */
  readonly inPlace: readonly string[]
  /** Directories that stay, because files are in them that are not ours. */
  readonly kept: readonly string[]
  readonly refused: readonly Refusal[]
}

/** A path that the container does not take. The others of its batch are not held up by it. */
export interface Refusal {
  readonly target: string
  readonly reason:
    | 'no space' // the disk, or the volume's limit, is full
    | 'read-only' // the file system is mounted so
    | 'no permission'
    | 'outside' // a symlink leads out of the rule's target
    | 'in the way' // a directory where a file goes, a file where a directory goes, a mount where a link goes
    | 'changing' // the source changed each time that it was read
    | 'unreadable' // the source cannot be read on this machine
    | 'other'
  /** In words, with the path. */
  readonly why: string
}

/** The way into a container is gone. */
export class SyncGone extends DevkitError {
  /** `ended`: the container runs no more, another will take its place. `lost`: the stream broke, open another. */
  readonly reason: 'ended' | 'lost'

  constructor(reason: SyncGone['reason'], message: string, cause?: unknown) {
    super('SYNC-101', {
      message,
      hint:
        reason === 'ended'
          ? 'devkit goes on with the container that follows it.'
          : 'devkit opens it again when the node is back.',
      cause,
    })
    this.reason = reason
  }
}

/**
 * The root that a path is at or below, without a slash at its end, the longest where several are. Undefined for a path outside all, and for one
 * that is not as plain as it could be (`..`, `//`): nobody may be led out by a path.
 */
export function rootOf(roots: readonly string[], target: string): string | undefined {
  if (target !== posix.normalize(target) || !target.startsWith('/') || target.endsWith('/')) return undefined
  return roots
    .map((root) => (root === '/' ? root : root.replace(/\/+$/, '')))
    .filter((root) => root === '/' || target === root || target.startsWith(`${root}/`))
    .toSorted((a, b) => b.length - a.length)[0]
}
