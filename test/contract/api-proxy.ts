import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Agent, request as ask } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pipeline } from 'node:stream'
import type { ApiRig } from './api-rig.ts'

/** A door to the API of a rig that goes wrong when it is told to. Requests are matched as `PATCH /api/v1/…?…`. */
export interface ApiProxy extends AsyncDisposable {
  /** A directory with a `kubeconfig` that leads through the door; the context is the rig's. */
  readonly directory: string
  /** Requests that the API has answered, with the status. */
  readonly answered: readonly { readonly request: string; readonly status: number }[]
  /** Says no to the next `times` requests that match, in the API's place. */
  fault(match: RegExp, fault: { readonly status: number; readonly times: number; readonly retryAfter?: number }): void
  /** The next `times` requests that match reach the API; what it answers is lost with the connection. */
  loseAnswers(match: RegExp, times: number): void
  /** Resolves when `count` more requests that match have come. */
  comes(match: RegExp, count: number): Promise<void>
  /** From now on no byte passes, in either direction; connections stay open. */
  pause(): void
  resume(): void
  /** All connections break, and none is taken. */
  away(): Promise<void>
  back(): Promise<void>
  /** Ends all watches: their versions are too old. */
  expireWatches(): number
}

/** Opens the door. */
export async function openApiProxy(rig: ApiRig): Promise<ApiProxy> {
  const config = JSON.parse(rig.kubectl(['config', 'view', '--raw', '--minify', '-o', 'json'])) as Kubeconfig
  const {
    clusters: [{ cluster }],
    users: [{ user }],
  } = config
  const agent = new Agent({
    keepAlive: true,
    ca: decoded(cluster['certificate-authority-data']),
    cert: decoded(user['client-certificate-data']),
    key: decoded(user['client-key-data']),
  })
  const answered: { request: string; status: number }[] = []
  const rules: { match: RegExp; left: number; act: 'lose' | ((response: ServerResponse) => void) }[] = []
  const awaited: { match: RegExp; left: number; come: () => void }[] = []
  const watches = new Set<ServerResponse>()
  let passing = Promise.withResolvers<void>()
  passing.resolve()

  const forward = async (request: IncomingMessage, response: ServerResponse, isLost: boolean): Promise<void> => {
    await passing.promise
    const { method = '', url = '' } = request
    const { host: _, ...headers } = request.headers
    const behind = ask(new URL(url, cluster.server), { method, headers, agent })
    behind.on('error', () => response.destroy())
    response.on('close', () => behind.destroy())
    pipeline(request, behind, () => undefined)
    const [answer] = (await once(behind, 'response')) as [IncomingMessage]
    answered.push({ request: `${method} ${url}`, status: answer.statusCode ?? 0 })
    await passing.promise
    if (isLost) return void answer.resume().on('end', () => response.destroy())
    response.writeHead(answer.statusCode ?? 0, answer.headers).flushHeaders()
    if (url.includes('watch=true')) watches.add(response.on('close', () => watches.delete(response)))
    for await (const chunk of answer) {
      await passing.promise
      response.write(chunk)
    }
    response.end()
  }
  const server = createServer((request, response) => {
    const line = `${request.method} ${request.url}`
    for (const one of awaited) if (one.match.test(line) && --one.left === 0) one.come()
    const rule = rules.find(({ match, left }) => left > 0 && match.test(line))
    if (rule) rule.left--
    if (typeof rule?.act === 'function') return rule.act(response)
    // a connection that breaks is the other side's to see
    forward(request, response, rule?.act === 'lose').catch(() => response.destroy())
  })
  const listen = (port: number): Promise<void> => new Promise((resolve) => server.listen(port, '127.0.0.1', resolve))
  await listen(0)
  const { port } = server.address() as AddressInfo
  const directory = join(rig.scratch, 'through-proxy')
  mkdirSync(directory, { recursive: true })
  const through = { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true }
  const written = {
    ...config,
    clusters: [{ ...config.clusters[0], cluster: through }],
    users: [{ ...config.users[0], user: {} }],
  }
  writeFileSync(join(directory, 'kubeconfig'), JSON.stringify(written), { mode: 0o600 })
  const away = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  }
  return {
    directory,
    answered,
    fault(match, { status, times, retryAfter }) {
      const act = (response: ServerResponse): void => {
        response.writeHead(status, retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) })
        response.end(JSON.stringify({ kind: 'Status', code: status, message: `a fault with ${status}` }))
      }
      rules.push({ match, left: times, act })
    },
    loseAnswers: (match, times) => void rules.push({ match, left: times, act: 'lose' }),
    comes: (match, count) => new Promise((come) => awaited.push({ match, left: count, come })),
    pause() {
      passing = Promise.withResolvers()
    },
    resume: () => passing.resolve(),
    away,
    back: () => listen(port),
    expireWatches() {
      const { size } = watches
      const status = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' }
      for (const response of watches) response.end(`${JSON.stringify({ type: 'ERROR', object: status })}\n`)
      watches.clear()
      return size
    },
    async [Symbol.asyncDispose]() {
      passing.resolve()
      if (server.listening) await away()
      agent.destroy()
    },
  }
}

interface Kubeconfig {
  readonly clusters: readonly [{ readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string } }]
  readonly users: readonly [{ readonly user: { readonly 'client-certificate-data': string; readonly 'client-key-data': string } }]
}

function decoded(base64: string): string {
  return Buffer.from(base64, 'base64').toString()
}
