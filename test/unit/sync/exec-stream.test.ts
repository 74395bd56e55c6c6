import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { openExec } from '../../../src/kube/exec.ts'
import type { Kube } from '../../../src/kube/kube.ts'
import { execStream } from '../../../src/sync/exec-stream.ts'
import { SyncGone } from '../../../src/sync/transport.ts'

const container = { id: 'c1', namespace: 'shop', pod: 'web-1', name: 'web' }

test.concurrent.each([401, 403])(
  'a cluster that answers %i allows no commands in containers: told with the right to ask for',
  async (status) => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const message = 'pods "web-1" is forbidden: User "ada" cannot create resource "pods/exec"'
    server.on('upgrade', (_, socket) => {
      const body = JSON.stringify({ kind: 'Status', status: 'Failure', code: status, message })
      socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`)
    })
    try {
      const { port } = server.address() as AddressInfo
      const connection = { server: `http://127.0.0.1:${port}`, options: {} }
      const kube = { exec: (ref, signal) => openExec(connection, ref, signal) } satisfies Pick<Kube, 'exec'> as unknown as Kube
      const step = { signal: new AbortController().signal, say: () => undefined }
      await using session = await execStream().open({ node: '', kube }, step)
      const push = (): Promise<unknown> => session.push(container, { roots: ['/app'], writes: [], deletes: [] }, step)
      // a server that has just begun says the same for some seconds
      await expect(push()).rejects.toMatchObject({ code: 'SYNC-101', reason: 'lost' })
      const answer = (async () => {
        for (;;)
          await push().catch((thrown: unknown) => {
            if (!(thrown instanceof SyncGone)) throw thrown
          })
      })()
      await expect(answer).rejects.toMatchObject({
        code: 'SYNC-111',
        message: expect.stringContaining(message),
        hint: expect.stringContaining('pods/exec in the namespace shop'),
      })
    } finally {
      server.close()
    }
  },
)
