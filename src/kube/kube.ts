import type { Readable, Writable } from 'node:stream'
import type { KubeObject, ObjectRef } from '../lib/objects.ts'
import type { DiscoveryMemory } from './discovery.ts'

/**
 * The API of one cluster, spoken as raw JSON. A server that is away for a moment or asks for patience is asked again, for a minute.
 * @throws CLUSTER-104 when it stays away, ApiFailure when it says no
 */
export interface Kube extends AsyncDisposable {
  /** Resolves when the API server says it is ready. @throws CLUSTER-104 after `ms` milliseconds. */
  untilReady(ms: number, signal: AbortSignal): Promise<void>
  /** Version of the API server, such as `v1.34.3`. */
  version(signal: AbortSignal): Promise<string>
  /** The server's clock, in ms since the epoch, to the second. */
  time(signal: AbortSignal): Promise<number>
  get(ref: ObjectRef, signal: AbortSignal): Promise<KubeObject | undefined>
  list(kind: KindRef, signal: AbortSignal): Promise<readonly KubeObject[]>
  /**
   * Server-side apply by the field manager `devkit`; unknown fields are refused. `force` takes fields that somebody else owns.
   * @throws ApiFailure; 409 when somebody else owns a field, with a cause for each
   */
  apply(object: KubeObject, signal: AbortSignal, options?: ApplyOptions): Promise<KubeObject>
  /** JSON patch. @throws ApiFailure @see https://www.rfc-editor.org/rfc/rfc6902 */
  patch(ref: ObjectRef, operations: readonly PatchOperation[], signal: AbortSignal): Promise<KubeObject>
  /** Deletes and, when asked, waits until the object is gone. An object that is not there, or that is on its way, is fine. */
  remove(ref: ObjectRef, signal: AbortSignal, options?: RemoveOptions): Promise<void>
  /** Every object of a kind as it is now and each change after; survives broken connections and compaction until `signal` aborts. */
  watch(kind: KindRef, signal: AbortSignal): AsyncIterable<KubeEvent>
  /** Lines of a container's log, with the time of each. Ends with the container or the signal. */
  logs(of: LogRef, signal: AbortSignal): AsyncIterable<LogLine>
  /** Runs a command in a container; its streams stay open until it ends or `signal` aborts. @throws ApiFailure when the server says no */
  exec(ref: ExecRef, signal: AbortSignal): Promise<ExecStream>
  /** Those of the ports of a pod at which somebody listens, on its 127.0.0.1 too. @throws ApiFailure when the server says no */
  openPorts(of: PortsRef, signal: AbortSignal): Promise<readonly number[]>
  /** Whether the kind lives in a namespace; undefined when the cluster does not know it. */
  scopeOf(apiVersion: string, kind: string, signal: AbortSignal): Promise<'namespaced' | 'cluster' | undefined>
  /** Every kind that the cluster knows, as `apiVersion/kind`, asked anew. */
  kinds(signal: AbortSignal): Promise<readonly string[]>
  /** Which of these the user of the kubeconfig may not do, with the user's name. A kind that the cluster does not know is left out. */
  denials(needs: readonly Need[], signal: AbortSignal): Promise<readonly Denial[]>
  /** Names of the fields that the schema of a kind has below a path; none when the cluster does not tell. */
  fieldsAt(apiVersion: string, kind: string, path: readonly string[], signal: AbortSignal): Promise<readonly string[]>
}

/** How a cluster's API is opened. */
export interface OpenOptions {
  /** Default: the kubeconfig's current context. */
  readonly context?: string
  /** Called when the server could not be asked for some seconds, with why; and with nothing when it answers again. */
  readonly onAbsence?: (why: string | undefined) => void
  /** What to do when it does not answer, is not trusted, or the kubeconfig cannot be used, as a sentence. Default: what helps a cluster of devkit's. */
  readonly whenSilent?: string | undefined
  /** Where what a cluster serves is remembered, by a name of the cluster. Default: nowhere. */
  readonly memoryOf?: (cluster: string) => DiscoveryMemory
}

export interface ApplyOptions {
  readonly dryRun?: boolean
  readonly force?: boolean
}

export interface RemoveOptions {
  /** Of the object that is meant: one of the same name that somebody has made anew stays. */
  readonly uid?: string | undefined
  /** What becomes of what belongs to the object. Default: it goes too, afterwards. */
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan'
}

/** `path` is a JSON pointer. */
export type PatchOperation =
  | { readonly op: 'test' | 'add' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string }

export interface KindRef {
  readonly apiVersion: string
  readonly kind: string
  readonly namespace?: string | undefined
  readonly labelSelector?: string
  /** Such as `type=Warning`; each kind has its own few fields. */
  readonly fieldSelector?: string
}

/** What is to be done with objects of a kind. */
export interface Need {
  readonly verbs: readonly string[]
  readonly apiVersion: string
  readonly kind: string
  readonly namespace?: string | undefined
}

/** A right that somebody lacks: a verb on a resource, in a namespace or, without one, in the whole cluster. */
export interface Denial {
  /** Undefined where the server does not tell. */
  readonly user?: string | undefined
  readonly verb: string
  /** Its plural, with a subresource: `deployments`, `pods/exec`; or the path of what is no resource. */
  readonly resource: string
  /** Where a kind was asked about. */
  readonly kind?: string | undefined
  /** Empty for the core API. */
  readonly group: string
  readonly namespace?: string | undefined
}

/** `synced` says that everything that existed at the beginning has been told. */
export type KubeEvent =
  | { readonly type: 'set'; readonly object: KubeObject }
  | { readonly type: 'deleted'; readonly object: KubeObject }
  | { readonly type: 'synced' }

export interface LogRef {
  readonly namespace: string
  readonly pod: string
  readonly container: string
  readonly follow?: boolean
  readonly previous?: boolean
  readonly tailLines?: number
  /** RFC 3339. */
  readonly sinceTime?: string
}

export interface LogLine {
  readonly time: string
  readonly line: string
}

/** Ports of a pod. */
export interface PortsRef {
  readonly namespace: string
  readonly pod: string
  readonly ports: readonly number[]
}

/** A command to run in a container. */
export interface ExecRef {
  readonly namespace: string
  readonly pod: string
  readonly container: string
  readonly command: readonly string[]
  /** With a terminal; `stderr` is part of `stdout` then. Default: none. */
  readonly tty?: boolean
  /** Whether it gets input. Default: yes. */
  readonly stdin?: boolean
}

/** A command that runs in a container. Writing waits for the other side, and so does reading: nothing piles up. */
export interface ExecStream extends AsyncDisposable {
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: Readable
  /** How it ended; never rejects. */
  readonly ended: Promise<ExecEnd>
  /** Tells the terminal its size. */
  resize(size: { readonly columns: number; readonly rows: number }): void
}

/** `failed`: it could not be run, e.g. there is no such program. `lost`: the connection broke, nobody knows. */
export type ExecEnd =
  | { readonly how: 'exited'; readonly exitCode: number }
  | { readonly how: 'failed'; readonly message: string }
  | { readonly how: 'lost' }

/** The API server said no. `status` is the HTTP code; `reason` and `causes` are those of the Status object; `UnknownKind` is ours. `denied`: the right that was lacking. */
export class ApiFailure extends Error {
  readonly status: number
  readonly reason: string
  readonly causes: readonly { readonly field?: string; readonly message?: string; readonly reason?: string }[]
  /** How long the server wants to be left alone, in ms. */
  readonly retryAfterMs: number | undefined

  readonly denied: Denial | undefined

  constructor(
    status: number,
    reason: string,
    message: string,
    causes: ApiFailure['causes'] = [],
    { retryAfterMs, denied }: { readonly retryAfterMs?: number | undefined; readonly denied?: Denial | undefined } = {},
  ) {
    super(message)
    this.name = 'ApiFailure'
    this.status = status
    this.reason = reason
    this.causes = causes
    this.retryAfterMs = retryAfterMs
    this.denied = denied
  }
}
