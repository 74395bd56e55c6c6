import type { Dispatcher } from 'undici'
import { delay } from '../lib/async.ts'
import type { KubeObject } from '../lib/objects.ts'
import { ApiFailure, type KindRef } from './kube.ts'

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

/** Sends requests over connections that stay open. */
export interface Api {
  json<T>(request: ApiRequest): Promise<T>
  /** The body as it comes, for watches and logs. */
  stream(request: ApiRequest): Promise<AsyncIterable<Buffer>>
}

/** The API at `server`, over the connections of `dispatcher`. */
export function makeApi(server: string, headers: Readonly<Record<string, string>>, dispatcher: Dispatcher): Api {
  const send = async ({ method = 'GET', path, query = {}, body, contentType, accept, signal }: ApiRequest) => {
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
        ...(body === undefined ? {} : { 'content-type': contentType ?? 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal,
    })
    if (response.statusCode < 400) return response
    const text = await response.body.text()
    throw apiFailure(response.statusCode, text)
  }
  return {
    json: async <T>(request: ApiRequest) => (await (await send(request)).body.json()) as T,
    stream: async (request) => (await send(request)).body as AsyncIterable<Buffer>,
  }
}

/** What the server said, as a failure. */
export function apiFailure(status: number, text: string): ApiFailure {
  try {
    const said = JSON.parse(text) as { reason?: string; message?: string; details?: { causes?: ApiFailure['causes'] } }
    return new ApiFailure(status, said.reason ?? '', said.message ?? text, said.details?.causes)
  } catch {
    return new ApiFailure(status, '', text.trim())
  }
}

/** Lists in pages of 500. `resourceVersion` is where a watch goes on. */
export async function listAll(
  api: Api,
  path: string,
  { labelSelector, fieldSelector, apiVersion, kind }: KindRef,
  signal: AbortSignal,
) {
  interface Page {
    readonly metadata: { readonly resourceVersion: string; readonly continue?: string }
    readonly items: readonly KubeObject[]
  }
  const items: KubeObject[] = []
  let page: Page | undefined
  do {
    page = await retried(signal, () =>
      api.json<Page>({ path, query: { labelSelector, fieldSelector, limit: '500', continue: page?.metadata.continue }, signal }),
    )
    // items of a list carry neither
    items.push(...page.items.map((item) => ({ ...item, apiVersion, kind })))
  } while (page.metadata.continue)
  return { items, resourceVersion: page.metadata.resourceVersion }
}

/** Tries again what the server asks to be tried again: too many requests, a server that begins or ends, a lost connection. */
export async function retried<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask()
    } catch (thrown) {
      signal.throwIfAborted()
      const passing =
        thrown instanceof ApiFailure
          ? [429, 500, 502, 503, 504].includes(thrown.status) && !isRefusal(thrown)
          : isConnectionLost(thrown)
      if (!passing || attempt >= 6) throw thrown
      await delay(100 * 2 ** attempt, signal)
    }
  }
}

/** Whether the server refuses what it was given. Server-side apply says so of unknown fields with a 500, which no second try changes. */
export function isRefusal({ status, message }: ApiFailure): boolean {
  return status === 400 || status === 422 || /failed to create typed patch object|field not declared in schema/.test(message)
}

/** Whether the API server was not reached, or went away before it had answered. */
export function isConnectionLost(thrown: unknown): boolean {
  const { code } = thrown as NodeJS.ErrnoException
  return (
    code !== undefined &&
    (/^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)$/.test(code) ||
      /^UND_ERR_(SOCKET|CONNECT_TIMEOUT|HEADERS_TIMEOUT|BODY_TIMEOUT)$/.test(code))
  )
}

export function isStatus(thrown: unknown, status: number): boolean {
  return thrown instanceof ApiFailure && thrown.status === status
}
