import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { WebSocket } from 'ws'
import { openExec } from '../../../src/kube/exec.ts'
import { WebSockets } from './web-sockets.ts'

// The server's side of https://github.com/kubernetes/enhancements/tree/master/keps/sig-api-machinery/4006-transition-spdy-to-websockets

let sockets: WebSockets

beforeEach(async () => {
  sockets = await WebSockets.listen()
})
afterEach(() => sockets[Symbol.asyncDispose]())

/** Opens a command and what its server sees of it. */
async function opened(signal = new AbortController().signal) {
  const connected = Promise.withResolvers<WebSocket>()
  sockets.onNext(connected.resolve)
  const stream = await open(signal)
  return { stream, peer: await connected.promise }
}

function open(signal: AbortSignal) {
  const ref = { namespace: 'shop', pod: 'web-1', container: 'web', command: ['sh', '-c', 'a b&c'] }
  return openExec({ server: sockets.url, options: { headers: { authorization: 'Bearer t' } } }, ref, signal)
}

const status = (body: object): Buffer => Buffer.concat([Buffer.of(3), Buffer.from(JSON.stringify(body))])
const message = (peer: WebSocket): Promise<Buffer> => once(peer, 'message').then(([data]) => data as Buffer)

test('a command gets its input, both outputs come apart, and its exit code comes out', async () => {
  const { stream, peer } = await opened()
  expect(sockets.request?.url).toBe(
    '/k8s/api/v1/namespaces/shop/pods/web-1/exec?container=web&stdin=true&stdout=true&stderr=true&tty=false&command=sh&command=-c&command=a+b%26c',
  )
  expect(sockets.request?.headers).toMatchObject({ authorization: 'Bearer t' })
  const first = message(peer)
  stream.stdin.write('in')
  expect(await first).toEqual(Buffer.from('\0in'))
  const end = message(peer)
  stream.stdin.end()
  // only v5 can say that the input has ended without ending the command
  expect(await end).toEqual(Buffer.of(255, 0))
  peer.send(Buffer.from('\x01out'))
  peer.send(Buffer.from('\x02err'))
  peer.send(status({ status: 'Failure', reason: 'NonZeroExitCode', details: { causes: [{ reason: 'ExitCode', message: '7' }] } }))
  expect(await Promise.all([text(stream.stdout), text(stream.stderr)])).toEqual(['out', 'err'])
  expect(await stream.ended).toEqual({ how: 'exited', exitCode: 7 })
})

test('a program that is not there, and a success', async () => {
  const missing = await opened()
  missing.peer.send(status({ status: 'Failure', reason: 'InternalError', message: 'exec: "sh": not found' }))
  missing.stream.stdout.resume()
  expect(await missing.stream.ended).toEqual({ how: 'failed', message: 'exec: "sh": not found' })
  const good = await opened()
  good.peer.send(status({ status: 'Success' }))
  good.stream.stdout.resume()
  expect(await good.stream.ended).toEqual({ how: 'exited', exitCode: 0 })
})

test('a refusal comes with what the server said', async () => {
  sockets.refuseNext((socket) => {
    const body = JSON.stringify({ reason: 'Forbidden', message: 'pods "web-1" is forbidden' })
    socket.end(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`)
  })
  await expect(open(new AbortController().signal)).rejects.toMatchObject({
    status: 403,
    reason: 'Forbidden',
    message: 'pods "web-1" is forbidden',
  })
})

test('a connection that breaks ends the outputs and is told as lost; writing to it does not hang', async () => {
  const { stream, peer } = await opened()
  peer.send(Buffer.from('\x01half'))
  const out = text(stream.stdout)
  peer.terminate()
  expect(await out).toBe('half')
  expect(await stream.ended).toEqual({ how: 'lost' })
  await new Promise<void>((resolve) => stream.stdin.write('more', () => resolve()))
})

test('an abort ends it', async () => {
  const controller = new AbortController()
  const { stream, peer } = await opened(controller.signal)
  const closed = once(peer, 'close')
  controller.abort()
  stream.stdout.resume()
  expect(await stream.ended).toEqual({ how: 'lost' })
  await closed
})

test('a peer that does not read holds the writer, and a reader that does not read holds the peer', async () => {
  const { stream, peer } = await opened()
  peer.pause()
  const part = Buffer.alloc(256 * 1024)
  let taken = 0
  // far more than the system's buffers hold
  while (taken < 400 && stream.stdin.write(part)) {
    taken++
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(taken).toBeLessThan(400)
  expect(stream.stdin.writableLength).toBeLessThan(4 * 1024 * 1024)
  let received = 0
  peer.on('message', (data: Buffer) => {
    received += data.length - 1
  })
  const drained = once(stream.stdin, 'drain')
  peer.resume()
  await drained
  expect(received).toBeGreaterThan(0)

  for (let sent = 0; sent < 400; sent++) peer.send(Buffer.concat([Buffer.of(1), part]))
  await once(stream.stdout, 'readable')
  await new Promise((resolve) => setImmediate(resolve))
  expect(stream.stdout.readableLength).toBeLessThan(8 * 1024 * 1024)
  expect(peer.bufferedAmount).toBeGreaterThan(10 * 1024 * 1024)
  await stream[Symbol.asyncDispose]()
})
