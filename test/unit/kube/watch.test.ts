import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Agent } from 'undici'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { listAll, makeApi } from '../../../src/kube/api.ts'
import type { KubeEvent } from '../../../src/kube/kube.ts'
import { Presence } from '../../../src/kube/retry.ts'
import { watchObjects } from '../../../src/kube/watch.ts'

// What a server may do to a watch or a list that no real one does when asked to.

const kind = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default' }
const path = '/api/v1/namespaces/default/configmaps'

let server: Server
/** Answers requests in their order; a test that is asked more often waits. */
let answers: ((response: ServerResponse, request: IncomingMessage) => void)[]
/** The queries of all requests, without what differs by chance. */
let asked: string[]
let dispatcher: Agent
let abort: AbortController

beforeEach(async () => {
  answers = []
  asked = []
  abort = new AbortController()
  dispatcher = new Agent()
  server = createServer((request, response) => {
    const query = new URL(request.url ?? '', 'http://x').searchParams
    query.delete('timeoutSeconds')
    asked.push(query.toString())
    answers.shift()?.(response, request)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

afterEach(async () => {
  abort.abort()
  await dispatcher.destroy()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

function api() {
  const { port } = server.address() as AddressInfo
  return makeApi(`http://127.0.0.1:${port}`, { headers: {}, dispatcher, presence: new Presence(() => undefined) })
}

const object = (name: string, resourceVersion: string) => ({ metadata: { name, namespace: 'default', resourceVersion } })
const list =
  (resourceVersion: string, names: readonly string[], more = '') =>
  (response: ServerResponse): void => {
    const items = names.map((name) => object(name, resourceVersion))
    response.end(JSON.stringify({ metadata: { resourceVersion, ...(more && { continue: more }) }, items }))
  }
const line = (type: string, told: object): string => `${JSON.stringify({ type, object: told })}\n`
const expired = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' }

test('a list that is compacted away between two pages is asked anew, in one', async () => {
  answers = [
    list('1', ['a', 'b'], 'next'),
    (response) => response.writeHead(410).end(JSON.stringify(expired)),
    list('2', ['b', 'c']),
  ]
  const { items, resourceVersion } = await listAll(api(), path, kind, abort.signal)
  expect(items.map(({ metadata }) => metadata.name)).toEqual(['b', 'c'])
  expect(resourceVersion).toBe('2')
  expect(asked).toEqual(['limit=500', 'limit=500&continue=next', ''])
})

/** The first `count` events, with the pauses before them; nothing is really waited for. */
async function follow(count: number): Promise<{ readonly told: readonly string[]; readonly pauses: readonly number[] }> {
  const told: string[] = []
  const pauses: number[] = []
  const clock = { now: () => 0, delay: async (ms: number) => void pauses.push(ms) }
  const name = (event: KubeEvent): string => (event.type === 'synced' ? 'synced' : `${event.type} ${event.object.metadata.name}`)
  for await (const event of watchObjects({ api: api(), path: async () => path, kind, clock }, abort.signal)) {
    told.push(name(event))
    if (told.length === count) break
  }
  return { told, pauses }
}

test.each([
  ['in its stream', (response: ServerResponse) => void response.end(line('ERROR', expired))],
  ['as its answer', (response: ServerResponse) => void response.writeHead(410).end(JSON.stringify(expired))],
])('a version that is too old, said %s, is a list anew: what has gone meanwhile is told', async (_, tooOld) => {
  answers = [list('1', ['a', 'b']), tooOld, list('5', ['b', 'c']), (response) => response.end(line('ADDED', object('d', '6')))]
  const { told } = await follow(7)
  expect(told).toEqual(['set a', 'set b', 'synced', 'deleted a', 'set b', 'set c', 'set d'])
  expect(asked.map((query) => new URLSearchParams(query).get('resourceVersion'))).toEqual([null, '1', null, '5'])
})

test('a watch goes on from its last bookmark, also after a connection that broke inside a line', async () => {
  answers = [
    list('1', []),
    (response) => response.end(line('BOOKMARK', object('', '7'))),
    (response) => response.write(`${line('ADDED', object('a', '9'))}{"type": "ADD`, () => response.destroy()),
    (response) => response.end(line('ADDED', object('b', '11'))),
  ]
  expect((await follow(3)).told).toEqual(['synced', 'set a', 'set b'])
  expect(asked.slice(1)).toEqual(
    ['1', '7', '9'].map((version) => `watch=true&allowWatchBookmarks=true&resourceVersion=${version}`),
  )
})

test('a server that ends each watch at once is asked less and less often', async () => {
  const end = (response: ServerResponse): void => void response.end()
  answers = [list('1', []), ...Array(6).fill(end), (response) => response.end(line('ADDED', object('a', '2')))]
  const { pauses } = await follow(2)
  const longest = [250, 500, 1000, 2000, 4000, 5000]
  expect(pauses.length).toBe(longest.length)
  // a quarter more or less
  for (const [index, ms] of longest.entries()) expect(Math.abs((pauses[index] ?? 0) - ms)).toBeLessThanOrEqual(ms / 4)
})

test('what is followed carries nothing of who owns which field', async () => {
  const owned = (name: string, version: string) => ({
    metadata: { ...object(name, version).metadata, managedFields: [{ manager: 'x' }] },
  })
  answers = [
    (response) => response.end(JSON.stringify({ metadata: { resourceVersion: '1' }, items: [owned('a', '1')] })),
    (response) => response.end(line('ADDED', owned('b', '2'))),
  ]
  const told: object[] = []
  for await (const event of watchObjects({ api: api(), path: async () => path, kind }, abort.signal)) {
    if (event.type === 'set') told.push(event.object.metadata)
    if (told.length === 2) break
  }
  expect(told).toEqual([object('a', '1').metadata, object('b', '2').metadata])
})
