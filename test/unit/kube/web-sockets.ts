import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'

/** The server's side of a stream that the API upgrades to a WebSocket. */
export class WebSockets implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new WebSocketServer({ noServer: true })
  /** The last request that was upgraded. */
  request: IncomingMessage | undefined

  private constructor(server: Server) {
    this.#server = server
  }

  static async listen(): Promise<WebSockets> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new WebSockets(server)
  }

  /** With a path, as that of a cluster behind a proxy. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/k8s`
  }

  /** Upgrades the next request. */
  onNext(take: (peer: WebSocket) => void): void {
    this.#server.once('upgrade', (incoming, socket, head) => {
      this.request = incoming
      this.#sockets.handleUpgrade(incoming, socket, head, take)
    })
  }

  /** Answers the next request in another way. */
  refuseNext(answer: (socket: Duplex) => void): void {
    this.#server.once('upgrade', (_incoming, socket) => answer(socket))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate()
    this.#server.closeAllConnections()
    this.#server.close()
  }
}
