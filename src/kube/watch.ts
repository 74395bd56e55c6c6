import type { KubeObject } from '../lib/objects.ts'
import { type Api, isStatus, listAll } from './api.ts'
import type { KindRef, KubeEvent } from './kube.ts'
import { type Clock, machineClock } from './retry.ts'

const shortestPauseMs = 250
const longestPauseMs = 5000
/** A watch that lasted so long, in ms, goes on without a pause when the server ends it. */
const healthyMs = 10_000
/** The server ends a watch after so many seconds; ours differ a little, so that they do not all come back at once. */
const watchSeconds = 300
/** Bookmarks come about every minute: a connection silent for longer is dead, whatever the socket believes, in ms. */
const silentMs = 150_000
/** How long a refusal has to last before it is believed, in ms. */
const refusedForGoodMs = 30_000

/**
 * Every object of a kind and each change after, until `signal` aborts. Without its managedFields.
 *
 *   list ──► tell what is there, and what has gone since the last list ──► watch ──┐
 *    ▲                                                                     ▲  │    │ ends: goes on from the last resourceVersion
 *    └──────────── 410: that version is too old ◄──────────────────────────┴──┴────┘
 *
 * Own code: client-node's informer asks for no bookmarks, swallows errors inside the stream and does not come back from a broken connection.
 */
export async function* watchObjects(
  { api, path, kind, clock = machineClock }: { api: Api; path: () => Promise<string>; kind: KindRef; clock?: Clock },
  signal: AbortSignal,
): AsyncIterable<KubeEvent> {
  let known = new Map<string, KubeObject>()
  let pauseMs = shortestPauseMs
  let resourceVersion: string | undefined
  let told = false
  let refusedSince: number | undefined
  while (!signal.aborted) {
    const began = clock.now()
    try {
      if (resourceVersion === undefined) {
        const listed = await listAll(api, await path(), kind, signal)
        resourceVersion = listed.resourceVersion
        const now = new Map(listed.items.map((object) => [keyOf(object), slim(object)]))
        for (const [key, object] of known) if (!now.has(key)) yield { type: 'deleted', object }
        for (const object of now.values()) yield { type: 'set', object }
        known = now
        if (!told) yield { type: 'synced' }
        told = true
      }
      const query = {
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion,
        labelSelector: kind.labelSelector,
        fieldSelector: kind.fieldSelector,
        timeoutSeconds: String(watchSeconds + Math.floor(Math.random() * 30)),
      }
      using alive = watchdog(silentMs, signal)
      const body = await api.stream({ path: await path(), query, signal: alive.signal })
      refusedSince = undefined
      for await (const line of linesOf(body)) {
        alive.fed()
        const { type, object: full } = JSON.parse(line) as { type: string; object: KubeObject & { code?: number } }
        if (type === 'ERROR') {
          resourceVersion = undefined
          break
        }
        pauseMs = shortestPauseMs
        resourceVersion = full.metadata.resourceVersion
        if (type === 'BOOKMARK') continue
        const object = slim(full)
        if (type === 'DELETED') known.delete(keyOf(object))
        else known.set(keyOf(object), object)
        yield { type: type === 'DELETED' ? 'deleted' : 'set', object }
      }
    } catch (thrown) {
      if (signal.aborted) return
      // a server that begins says so too, for some seconds: only what stays is meant
      const refused = isStatus(thrown, 401) || isStatus(thrown, 403) || isStatus(thrown, 404)
      refusedSince = refused ? (refusedSince ?? clock.now()) : undefined
      if (refusedSince !== undefined && clock.now() - refusedSince > refusedForGoodMs) throw thrown
      if (isStatus(thrown, 410)) resourceVersion = undefined
    }
    if (clock.now() - began >= healthyMs) {
      pauseMs = shortestPauseMs
      continue
    }
    // whoever ends each watch at once would be asked without end
    await clock.delay(pauseMs * (0.75 + Math.random() / 2), signal).catch(() => undefined)
    pauseMs = Math.min(pauseMs * 2, longestPauseMs)
  }
}

/** A signal that aborts when it was not fed for `ms` milliseconds, or with `signal`. */
function watchdog(ms: number, signal: AbortSignal): Disposable & { readonly signal: AbortSignal; fed(): void } {
  const silent = new AbortController()
  const timer = setTimeout(() => silent.abort(new Error(`nothing came for ${ms} ms`)), ms)
  return {
    signal: AbortSignal.any([signal, silent.signal]),
    fed: () => void timer.refresh(),
    [Symbol.dispose]: () => clearTimeout(timer),
  }
}

/** Who owns which field is a third of an object, and nobody who follows it asks. */
function slim({ metadata, ...rest }: KubeObject): KubeObject {
  const { managedFields: _, ...kept } = metadata
  return { ...rest, metadata: kept } as KubeObject
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`
}

/** Lines of a byte stream, decoded as UTF-8 also where a character is split over two chunks. */
export async function* linesOf(body: AsyncIterable<Buffer>): AsyncIterable<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') yield rest
}
