import type { Dispatcher } from 'undici'
import type { KubeObject } from '../lib/objects.ts'
import { ApiFailure, type KindRef } from './kube.ts'
import { AnswerCut, type Presence, retried } from './retry.ts'
import { denialOf, type Said } from './rights.ts'

export const applyType = 'application/apply-patch+yaml'

/** Reading waits for nothing but the server: after so many ms without a byte the connection is dead. */
const silentReadMs = 15_000
/** The server ends a write, its webhooks included, after 34 s: silent for longer than this the connection is dead, in ms. */
const silentWriteMs = 40_000

/** One request to the API server. */
export interface ApiRequest {
  readonly method?: 'GET' | 'PATCH' | 'POST' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string | undefined>>
  readonly body?: unknown
  readonly contentType?: string
  readonly accept?: string
  readonly signal: AbortSignal
}

/** An answer with the name that the server gives its content, if it does. */
export interface Tagged<T> {
  readonly value: T
  readonly etag: string | undefined
}

/** Sends requests over connections that stay open. */
export interface Api {
  /** Asks again while the server is away for a moment, see `retried`. */
  json<T>(request: ApiRequest): Promise<T>
  /** As `json`, but undefined when the answer is still the one with that `etag`: then it is not sent again. */
  jsonUnless<T>(etag: string | undefined, request: ApiRequest): Promise<Tagged<T> | undefined>
  /** When the server says that it answered, in ms since the epoch. */
  date(request: ApiRequest): Promise<number>
  /** The body as it comes, for watches and logs; it may be silent for ever. Asks once. */
  stream(request: ApiRequest): Promise<AsyncIterable<Buffer>>
}

/** The API at `server`, over the connections of `dispatcher`. */
export function makeApi(
  server: string,
  { headers, dispatcher, presence }: { headers: Readonly<Record<string, string>>; dispatcher: Dispatcher; presence: Presence },
): Api {
  const send = async (
    { method = 'GET', path, query = {}, body, contentType, accept, signal }: ApiRequest,
    { etag, ...limits }: Pick<Dispatcher.RequestOptions, 'headersTimeout' | 'bodyTimeout'> & { etag?: string | undefined } = {},
  ) => {
    const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined)
    const search = given.length > 0 ? `?${new URLSearchParams(given)}` : ''
    const { origin, pathname } = new URL(server)
    const response = await dispatcher.request({
      origin,
      path: `${pathname === '/' ? '' : pathname}${path}${search}`,
      method,
      headers: {
        ...headers,
        accept: accept ?? 'application/json',
        ...(etag === undefined ? {} : { 'if-none-match': etag }),
        ...(body === undefined ? {} : { 'content-type': contentType ?? 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...limits,
      signal,
    })
    if (response.statusCode < 400) return response
    const { 'retry-after': retryAfter } = response.headers
    throw apiFailure(response.statusCode, await response.body.text(), {
      asked: { method, path, query },
      retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined,
    })
  }
  const askOnce = async <T>(request: ApiRequest, etag?: string): Promise<Tagged<T> | undefined> => {
    const ms = (request.method ?? 'GET') === 'GET' ? silentReadMs : silentWriteMs
    const { statusCode, headers: answered, body } = await send(request, { headersTimeout: ms, bodyTimeout: ms, etag })
    const text = await body.text()
    if (statusCode === 304) return undefined
    try {
      return { value: JSON.parse(text) as T, etag: answered['etag']?.toString() }
    } catch (cause) {
      throw new AnswerCut(cause)
    }
  }
  const ask = <T>(request: ApiRequest, etag?: string): Promise<Tagged<T> | undefined> =>
    retried(() => askOnce<T>(request, etag), { isRepeatable: isRepeatable(request), presence, signal: request.signal })
  return {
    json: async <T>(request: ApiRequest) => (await ask<T>(request))?.value as T,
    jsonUnless: (etag, request) => ask(request, etag),
    date: async (request) => {
      const { headers: answered, body } = await send(request, { headersTimeout: silentReadMs, bodyTimeout: silentReadMs })
      await body.dump()
      return Date.parse(String(answered['date']))
    },
    stream: async (request) => {
      try {
        const { body } = await send(request)
        presence.answered()
        return body as AsyncIterable<Buffer>
      } catch (thrown) {
        if (!request.signal.aborted) presence.failed(thrown)
        throw thrown
      }
    },
  }
}

/** Whether a request that may have been carried out can be sent again: applied twice is applied, what is gone stays gone, a review is a question. */
function isRepeatable({ method = 'GET', path, contentType }: ApiRequest): boolean {
  return method === 'GET' || method === 'DELETE' || contentType === applyType || path.includes('/selfsubject')
}

interface Circumstances {
  /** What the failure was said to. */
  readonly asked?: Omit<ApiRequest, 'signal'>
  /** The header, in seconds or as a date. */
  readonly retryAfter?: string | undefined
}

/** What the server said, as a failure. */
export function apiFailure(status: number, text: string, { asked, retryAfter }: Circumstances = {}): ApiFailure {
  const retryAfterMs = retryAfter === undefined ? undefined : msOfRetryAfter(retryAfter)
  try {
    const said = JSON.parse(text) as Said & { readonly reason?: string }
    const denied = status === 403 ? denialOf(said, asked) : undefined
    return new ApiFailure(status, said.reason ?? '', said.message ?? text, said.details?.causes, { retryAfterMs, denied })
  } catch {
    return new ApiFailure(status, '', text.trim(), [], { retryAfterMs })
  }
}

/** @see https://www.rfc-editor.org/rfc/rfc9110#name-retry-after */
function msOfRetryAfter(value: string): number | undefined {
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}

interface Page {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string }
  readonly items: readonly KubeObject[]
}

/** Lists in pages of 500. `resourceVersion` is where a watch goes on. */
export async function listAll(
  api: Api,
  path: string,
  { labelSelector, fieldSelector, apiVersion, kind }: KindRef,
  signal: AbortSignal,
) {
  const ask = (paging: { readonly limit?: string; readonly continue?: string }): Promise<Page> =>
    api.json<Page>({ path, query: { labelSelector, fieldSelector, ...paging }, signal })
  const limit = '500'
  let page = await ask({ limit })
  const found = [...page.items]
  for (let rest = page.metadata.continue; rest; rest = page.metadata.continue) {
    try {
      page = await ask({ limit, continue: rest })
    } catch (thrown) {
      if (!isStatus(thrown, 410)) throw thrown
      // the list was compacted away between two pages: all of it anew, in one
      page = await ask({})
      found.length = 0
    }
    found.push(...page.items)
  }
  // items of a list carry neither
  return { items: found.map((item) => ({ ...item, apiVersion, kind })), resourceVersion: page.metadata.resourceVersion }
}

export function isStatus(thrown: unknown, status: number): boolean {
  return thrown instanceof ApiFailure && thrown.status === status
}
