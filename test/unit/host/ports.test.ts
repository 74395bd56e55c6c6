import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { choosePorts } from '../../../src/forward/mapped.ts'
import { untilReachable } from '../../../src/forward/reachable.ts'
import { listenerOn } from '../../../src/host/ports.ts'

async function listening(onConnection: 'keep' | 'close') {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    if (onConnection === 'close') socket.destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { port, [Symbol.asyncDispose]: async () => void server.close() }
}

test('a taken port is told with who has it, a free one with nobody', async () => {
  await using server = await listening('keep')
  expect(await listenerOn(server.port)).toMatch(new RegExp(`\\(pid ${process.pid}\\)$`))
  await expect(choosePorts({ named: [server.port], seed: 'a', earlier: [] }, listenerOn)).rejects.toMatchObject({
    code: 'PORT-101',
    message: expect.stringContaining(`taken by`),
  })
  const { port } = server
  await server[Symbol.asyncDispose]()
  expect(await listenerOn(port)).toBeUndefined()
})

test('the same seed gets the same ports, and a cluster that is made anew those it had', async () => {
  const nobody = async (): Promise<undefined> => undefined
  const first = await choosePorts({ named: [], seed: 'devkit-a', earlier: [] }, nobody)
  expect(await choosePorts({ named: [], seed: 'devkit-a', earlier: [] }, nobody)).toEqual(first)
  const earlier = first.map(({ host }) => host).toReversed()
  expect((await choosePorts({ named: [], seed: 'other', earlier }, nobody)).map(({ host }) => host)).toEqual(earlier)
})

test('a port is reachable when a connection stays open, not when it is closed at once', async () => {
  const { signal } = new AbortController()
  await using open = await listening('keep')
  await using closes = await listening('close')
  expect(await untilReachable(open.port, 2000, signal)).toBe(true)
  expect(await untilReachable(closes.port, 300, signal)).toBe(false)
})
