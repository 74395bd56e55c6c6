import { afterEach, beforeEach, expect, test } from 'vitest'
import { openPorts } from '../../../src/kube/ports.ts'
import { WebSockets } from './web-sockets.ts'

let sockets: WebSockets

beforeEach(async () => {
  sockets = await WebSockets.listen()
})
afterEach(() => sockets[Symbol.asyncDispose]())

const ask = (ports: readonly number[]): Promise<readonly number[]> => {
  const ref = { namespace: 'shop', pod: 'web-1', ports }
  return openPorts({ server: sockets.url, options: {} }, ref, new AbortController().signal)
}

/** Answers as a kubelet does: each channel begins with its port, and a port that nobody listens at has its error. */
function refuse(...channels: readonly number[]): void {
  sockets.onNext((peer) => {
    const count = new URL(sockets.request?.url ?? '', 'http://x').searchParams.getAll('ports').length
    for (let channel = 0; channel < count * 2; channel++) peer.send(Buffer.of(channel, 144, 31))
    for (const channel of channels) peer.send(Buffer.concat([Buffer.of(channel), Buffer.from('error forwarding port')]))
  })
}

test('a port that is not refused is open, once others are', async () => {
  refuse(1, 5)
  expect(await ask([8080, 3000])).toEqual([3000])
  expect(sockets.request?.url).toBe('/k8s/api/v1/namespaces/shop/pods/web-1/portforward?ports=8080&ports=3000&ports=1')
})

test('nothing is taken for open where refusals are not told', async () => {
  refuse(1)
  expect(await ask([8080, 3000])).toEqual([])
})

test('the server may say no', async () => {
  const said = JSON.stringify({ message: 'no', reason: 'Forbidden' })
  sockets.refuseNext((socket) =>
    socket.end(`HTTP/1.1 403 Forbidden\r\ncontent-length: ${said.length}\r\nconnection: close\r\n\r\n${said}`),
  )
  await expect(ask([8080])).rejects.toMatchObject({ status: 403 })
})
