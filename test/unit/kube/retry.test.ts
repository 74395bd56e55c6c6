import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Agent } from 'undici'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ApiRequest, applyType, makeApi } from '../../../src/kube/api.ts'
import { ApiFailure } from '../../../src/kube/kube.ts'
import { type Clock, isConnectionLost, isWorthAnotherTry, Presence, pauseMs, retried } from '../../../src/kube/retry.ts'

// What is asked again, when and for how long: the decisions with a clock of their own, the rest over real connections.

const signal = new AbortController().signal
const nobody = new Presence(() => undefined)

test('pauses grow to 2 s, differ by a quarter, and are never shorter than the server asks for', () => {
  const middle = [0, 1, 2, 3, 4, 5, 6].map((attempt) => pauseMs(attempt, new Error(), () => 0.5))
  expect(middle).toEqual([100, 200, 400, 800, 1600, 2000, 2000])
  expect([pauseMs(5, new Error(), () => 0), pauseMs(5, new Error(), () => 1)]).toEqual([1500, 2500])
  expect(pauseMs(0, new ApiFailure(429, '', '', [], { retryAfterMs: 7000 }))).toBe(7000)
  expect(pauseMs(5, new ApiFailure(429, '', '', [], { retryAfterMs: 10 }), () => 0.5)).toBe(2000)
})

test.each([
  ['too many requests', new ApiFailure(429, '', ''), true, true],
  ['a server that begins', new ApiFailure(503, '', ''), true, false],
  ['nobody listens', lost('ECONNREFUSED'), true, true],
  ['the answer was lost', lost('ECONNRESET'), true, false],
  ['no bytes for too long', lost('UND_ERR_HEADERS_TIMEOUT'), true, false],
  ['a refusal', new ApiFailure(422, 'Invalid', ''), false, false],
  ['unknown fields', new ApiFailure(500, '', 'failed to create typed patch object (…): .spec.x'), false, false],
  ['a webhook that is down', new ApiFailure(500, '', 'Internal error occurred: failed calling webhook "a.b.c": …'), false, false],
  ['a webhook that denies', new ApiFailure(429, '', 'admission webhook "a.b.c" denied the request: no'), false, false],
  ['a bug', new TypeError('x is not a function'), false, false],
])('%s: again when repeatable, and when not', (_, thrown, repeatable, other) => {
  expect([isWorthAnotherTry(thrown, true), isWorthAnotherTry(thrown, false)]).toEqual([repeatable, other])
})

test('gives up after a minute, and before a pause that would end later', async () => {
  const clock = fakeClock()
  const away = (failure: Error) => retried(() => Promise.reject(failure), { isRepeatable: true, presence: nobody, signal, clock })
  await expect(away(lost('ECONNREFUSED'))).rejects.toThrow('ECONNREFUSED')
  expect(clock.now()).toBeGreaterThan(55_000)
  expect(clock.now()).toBeLessThanOrEqual(60_000)
  const before = clock.now()
  await expect(away(new ApiFailure(429, '', 'much', [], { retryAfterMs: 61_000 }))).rejects.toThrow('much')
  expect(clock.now()).toBe(before)
})

test('a server that has just come back may not know its users yet: its no is not the last word, that of another is', async () => {
  const clock = fakeClock()
  const presence = new Presence(() => undefined, clock)
  const no = new ApiFailure(403, 'Forbidden', 'no')
  const answers = [lost('ECONNREFUSED'), no, no]
  const asked = retried(
    async () => {
      const thrown = answers.shift()
      if (thrown) throw thrown
      return 'done'
    },
    { isRepeatable: true, presence, signal, clock },
  )
  await expect(asked).resolves.toBe('done')
  clock.pass(20_000)
  const before = clock.now()
  const later = retried(() => Promise.reject(no), { isRepeatable: true, presence, signal, clock })
  await expect(later).rejects.toThrow('no')
  expect(clock.now()).toBe(before)
})

test('an abort ends the pause at once', async () => {
  const abort = new AbortController()
  const asked = retried(
    async () => {
      setImmediate(() => abort.abort(new Error('ended')))
      throw new ApiFailure(503, '', '', [], { retryAfterMs: 50_000 })
    },
    { isRepeatable: true, presence: nobody, signal: abort.signal },
  )
  await expect(asked).rejects.toThrow('ended')
})

test('an absence is told once after 5 s, and its end', () => {
  const told: (string | undefined)[] = []
  const clock = fakeClock()
  const presence = new Presence((why) => told.push(why), clock)
  presence.failed(lost('ECONNREFUSED'))
  clock.pass(4000)
  presence.answered()
  for (const ms of [0, 4000, 2000, 2000]) {
    clock.pass(ms)
    presence.failed(lost('ECONNREFUSED'))
  }
  // one that says no is there
  presence.failed(new ApiFailure(404, 'NotFound', ''))
  presence.answered()
  expect(told).toEqual(['ECONNREFUSED', undefined])
})

let server: Server
let handle: RequestListener
let asked: string[]
let dispatcher: Agent

beforeEach(async () => {
  asked = []
  dispatcher = new Agent()
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    handle(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

afterEach(async () => {
  await dispatcher.destroy()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

function json<T>(request: Partial<ApiRequest> = {}): Promise<T> {
  const { port } = server.address() as AddressInfo
  const api = makeApi(`http://127.0.0.1:${port}`, { headers: {}, dispatcher, presence: nobody })
  return api.json<T>({ path: '/x', signal, ...request })
}

test('an answer that ends too early is asked for again', async () => {
  handle = (_, response) => {
    // chunked: the connection itself ends well
    response.end(asked.length === 1 ? '{"a": [1, ' : '{"a": [1, 2]}')
  }
  expect(await json()).toEqual({ a: [1, 2] })
})

test('a connection that breaks inside an answer is opened again', async () => {
  handle = (_, response) => {
    if (asked.length > 1) response.end('{"a": 1}')
    else response.writeHead(200, { 'content-length': '100' }).write('{"a"', () => response.destroy())
  }
  expect(await json()).toEqual({ a: 1 })
})

test('a lost apply is sent again, a lost patch is not', async () => {
  handle = (request, response) => {
    if (asked.length > 1) response.end('{}')
    else request.socket.destroy()
  }
  await json({ method: 'PATCH', contentType: applyType, body: {} })
  expect(asked.length).toBe(2)
  asked = []
  const patch = json({ method: 'PATCH', contentType: 'application/json-patch+json', body: [] })
  expect(isConnectionLost(await patch.catch((thrown: unknown) => thrown))).toBe(true)
  expect(asked.length).toBe(1)
})

test('Retry-After is read from the answer, in seconds and as a date', async () => {
  const after = async (value: string): Promise<number> => {
    handle = (_, response) => response.writeHead(429, { 'retry-after': value }).end('{"message": "too many"}')
    return ((await json().catch((thrown: unknown) => thrown)) as ApiFailure).retryAfterMs ?? 0
  }
  expect(await after('100')).toBe(100_000)
  expect(await after(new Date(Date.now() + 100_000).toUTCString())).toBeGreaterThan(90_000)
})

function lost(code: string): Error {
  return Object.assign(new Error(code), { code })
}

function fakeClock(): Clock & { pass(ms: number): void } {
  let now = 0
  const pass = (ms: number): void => {
    now += ms
  }
  return { now: () => now, pass, delay: async (ms) => pass(ms) }
}
