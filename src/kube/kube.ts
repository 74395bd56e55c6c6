import type { KubeObject, ObjectRef } from '../lib/objects.ts'

/** The API of one cluster, spoken as raw JSON. */
export interface Kube extends AsyncDisposable {
  /** Resolves when the API server says it is ready. @throws CLUSTER-104 after `ms` milliseconds. */
  untilReady(ms: number, signal: AbortSignal): Promise<void>
  get(ref: ObjectRef, signal: AbortSignal): Promise<KubeObject | undefined>
  list(kind: KindRef, signal: AbortSignal): Promise<readonly KubeObject[]>
  /** Server-side apply by the field manager `devkit`. @throws ApiFailure */
  apply(object: KubeObject, signal: AbortSignal, options?: { readonly dryRun?: boolean }): Promise<KubeObject>
  /** Deletes and, when asked, waits until the object is gone. An object that is not there is fine. */
  remove(ref: ObjectRef, signal: AbortSignal, options?: { readonly wait?: boolean }): Promise<void>
  /** Every object of a kind as it is now and each change after; survives broken connections and compaction until `signal` aborts. */
  watch(kind: KindRef, signal: AbortSignal): AsyncIterable<KubeEvent>
  /** Lines of a container's log, with the time of each. Ends with the container or the signal. */
  logs(of: LogRef, signal: AbortSignal): AsyncIterable<LogLine>
  /** Whether the kind lives in a namespace; undefined when the cluster does not know it. */
  scopeOf(apiVersion: string, kind: string, signal: AbortSignal): Promise<'namespaced' | 'cluster' | undefined>
}

export interface KindRef {
  readonly apiVersion: string
  readonly kind: string
  readonly namespace?: string | undefined
  readonly labelSelector?: string
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

/** The API server said no. `status` is the HTTP code; `reason` and `causes` are those of the Status object. */
export class ApiFailure extends Error {
  readonly status: number
  readonly reason: string
  readonly causes: readonly { readonly field?: string; readonly message?: string; readonly reason?: string }[]

  constructor(status: number, reason: string, message: string, causes: ApiFailure['causes'] = []) {
    super(message)
    this.name = 'ApiFailure'
    this.status = status
    this.reason = reason
    this.causes = causes
  }
}
