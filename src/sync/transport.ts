import type { Step } from '../lib/step.ts'

/** A way into running containers. One session per node, kept open; a save costs no new connection. */
export interface SyncTransport {
  /** @throws SYNC-101 */
  open(node: string, step: Step): Promise<SyncSession>
}

/** A stream into a node. It ends with its scope or with the node; `closed` tells. */
export interface SyncSession extends AsyncDisposable {
  /** Puts the batch into the container and resolves when the container has all of it. @throws SYNC-101, SYNC-102 */
  push(container: ContainerRef, batch: Batch): Promise<Ack>
  readonly closed: Promise<void>
}

/** A running container: its id in containerd. */
export interface ContainerRef {
  readonly id: string
}

export interface Batch {
  readonly writes: readonly FileWrite[]
  /** Absolute paths in the container. */
  readonly deletes: readonly string[]
}

/** A file, directory or symlink to make or replace. Paths are absolute in the container and below the rule's `to`. */
export type FileWrite =
  | { readonly kind: 'file'; readonly target: string; readonly source: string; readonly mode: number; readonly bytes: number }
  | { readonly kind: 'link'; readonly target: string; readonly to: string }
  | { readonly kind: 'directory'; readonly target: string; readonly mode: number }

export interface Ack {
  readonly files: number
  readonly bytes: number
  readonly deleted: number
}
