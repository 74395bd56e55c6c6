import { Readable, Writable } from 'node:stream'
import type { SecureContext } from 'node:tls'
import type { ClientOptions, RawData, WebSocket } from 'ws'
import { apiFailure } from './api.ts'
import type { ApiFailure, ExecEnd, ExecRef, ExecStream } from './kube.ts'

/** How a websocket to the API server is opened: address, headers, certificates; these are read once for all connections. */
export interface ExecConnection {
  /** `https://…` */
  readonly server: string
  readonly options: Pick<ClientOptions, 'headers' | 'rejectUnauthorized'> & { readonly secureContext?: SecureContext }
}

const stdin = 0
const stdout = 1
const stderr = 2
const status = 3
const resize = 4
const halfClose = 255

/** The newest first: only v5 can end the input without ending everything. */
const protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io']
const pingMs = 5000
/** A server that is blocked by a slow reader of ours answers late: it is given up only after so many ms. */
const patienceMs = 60_000

/**
 * Runs a command in a container over one websocket. Own code: client-node's has no backpressure in either direction and loses errors.
 * @throws ApiFailure when the server says no
 * @see https://github.com/kubernetes/enhancements/tree/master/keps/sig-api-machinery/4006-transition-spdy-to-websockets
 */
export async function openExec({ server, options }: ExecConnection, ref: ExecRef, signal: AbortSignal): Promise<ExecStream> {
  signal.throwIfAborted()
  const { WebSocket: Socket } = await import('ws')
  const url = new URL(`${server.replace(/^http/, 'ws')}${execPath(ref)}`)
  const socket = new Socket(url, protocols, {
    ...options,
    perMessageDeflate: false,
    handshakeTimeout: 30_000,
    // masks are for proxies that read along, which TLS has none of: all zero, nothing has to be masked
    ...(server.startsWith('https:') && { generateMask: (mask: Buffer) => void mask.fill(0) }),
  })
  const abort = (): void => socket.terminate()
  signal.addEventListener('abort', abort, { once: true })
  socket.once('close', () => signal.removeEventListener('abort', abort))
  const channels = new Channels(socket)
  try {
    await opened(socket)
  } catch (thrown) {
    signal.throwIfAborted()
    throw thrown
  }
  return channels.stream(socket.protocol.startsWith('v5'))
}

function execPath({ namespace, pod, container, command, tty = false, stdin: input = true }: ExecRef): string {
  const query = new URLSearchParams([
    ['container', container],
    ['stdin', String(input)],
    ['stdout', 'true'],
    // a terminal has one stream
    ['stderr', String(!tty)],
    ['tty', String(tty)],
    ...command.map((word): [string, string] => ['command', word]),
  ])
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/exec?${query}`
}

/** Resolves when a websocket is open. @throws ApiFailure when the server says no */
export function opened(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.on('error', reject)
    socket.once('unexpected-response', (_request, response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk
      })
      response.once('close', () => {
        reject(apiFailure(response.statusCode ?? 0, body))
        socket.terminate()
      })
    })
  })
}

/** One message is a byte that names the channel, then its data. */
class Channels {
  readonly #socket: WebSocket
  readonly #end = Promise.withResolvers<ExecEnd>()
  readonly #stdout: Readable
  readonly #stderr: Readable
  #said: ExecEnd | undefined
  #heard = performance.now()

  constructor(socket: WebSocket) {
    this.#socket = socket
    const resume = (): void => {
      if (socket.isPaused) socket.resume()
    }
    this.#stdout = new Readable({ read: resume })
    this.#stderr = new Readable({ read: resume })
    socket.binaryType = 'nodebuffer'
    socket.on('message', (data: RawData) => this.#receive(data as Buffer))
    const ping = setInterval(() => {
      if (performance.now() - this.#heard > patienceMs) socket.terminate()
      else if (socket.readyState === socket.OPEN) socket.ping()
    }, pingMs)
    ping.unref()
    socket.on('pong', () => {
      this.#heard = performance.now()
    })
    socket.once('close', () => {
      clearInterval(ping)
      this.#stdout.push(null)
      this.#stderr.push(null)
      this.#end.resolve(this.#said ?? { how: 'lost' })
    })
  }

  stream(canHalfClose: boolean): ExecStream {
    const socket = this.#socket
    return {
      stdin: this.#input(canHalfClose),
      stdout: this.#stdout,
      stderr: this.#stderr,
      ended: this.#end.promise,
      resize: ({ columns, rows }) =>
        socket.send(Buffer.concat([Buffer.of(resize), Buffer.from(JSON.stringify({ Width: columns, Height: rows }))])),
      [Symbol.asyncDispose]: async () => {
        socket.terminate()
        await this.#end.promise
      },
    }
  }

  #input(canHalfClose: boolean): Writable {
    const socket = this.#socket
    // a write is done when the system has taken it: that is the backpressure
    const send = (message: Buffer, done: (error?: Error | null) => void): void => {
      if (socket.readyState === socket.OPEN) socket.send(message, { binary: true }, (error) => done(error))
      else done(new Error('the stream has ended'))
    }
    // one message is on its way at a time, so they share their memory: a new piece for each would pile up until it is collected
    let room = Buffer.alloc(0)
    const framed = (chunks: readonly Buffer[]): Buffer => {
      const length = chunks.reduce((sum, chunk) => sum + chunk.length, 1)
      if (room.length < length) room = Buffer.alloc(length)
      room[0] = stdin
      let at = 1
      for (const chunk of chunks) at += chunk.copy(room, at)
      return room.subarray(0, length)
    }
    const input = new Writable({
      highWaterMark: 1024 * 1024,
      decodeStrings: true,
      write: (chunk: Buffer, _encoding, done) => send(framed([chunk]), done),
      // what was written together goes as one message, up to what every server takes
      writev: (chunks, done) => send(framed(chunks.map(({ chunk }) => chunk as Buffer)), done),
      final: (done) => (canHalfClose ? send(Buffer.of(halfClose, stdin), done) : done()),
    })
    // told by `ended`
    input.on('error', () => undefined)
    socket.once('close', () => input.destroy())
    return input
  }

  #receive(message: Buffer): void {
    this.#heard = performance.now()
    const data = message.subarray(1)
    switch (message[0]) {
      case stdout:
        if (data.length > 0 && !this.#stdout.push(data)) this.#socket.pause()
        return
      case stderr:
        if (data.length > 0 && !this.#stderr.push(data)) this.#socket.pause()
        return
      case status:
        this.#said = endOf(data.toString())
        this.#socket.close()
        return
      default:
    }
  }
}

/** The Status object at the end of a command. */
function endOf(text: string): ExecEnd {
  const said = JSON.parse(text) as {
    readonly status: string
    readonly reason?: string
    readonly message?: string
    readonly details?: { readonly causes?: ApiFailure['causes'] }
  }
  if (said.status === 'Success') return { how: 'exited', exitCode: 0 }
  const code = said.details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message
  if (said.reason === 'NonZeroExitCode' && code !== undefined) return { how: 'exited', exitCode: Number(code) }
  return { how: 'failed', message: said.message ?? 'the command could not be run' }
}
