import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openKube } from '../../../src/kube/client.ts'

test('an API that is let go lets go of the connection that never came about, at once', async () => {
  const ended = Promise.withResolvers<'ended'>()
  const taken = Promise.withResolvers<void>()
  // takes connections and says nothing: no TLS comes about
  const server = createServer((socket) => {
    socket.on('error', () => undefined).on('close', () => ended.resolve('ended'))
    socket.once('data', () => taken.resolve())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const directory = mkdtempSync(join(tmpdir(), 'devkit-client-'))
  const kubeconfig = join(directory, 'kubeconfig')
  const named = (name: string, part: object) => [{ name: 'a', [name]: part }]
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'a',
      clusters: named('cluster', { server: `https://127.0.0.1:${port}` }),
      users: named('user', {}),
      contexts: named('context', { cluster: 'a', user: 'a' }),
    }),
  )
  const asking = new AbortController()
  try {
    const kube = await openKube(kubeconfig)
    const asked = kube.version(asking.signal).catch(() => 'no answer')
    await taken.promise
    asking.abort(new Error('patience is over'))
    await kube[Symbol.asyncDispose]()
    const late = AbortSignal.timeout(5000)
    const tooLate = new Promise((resolve) => late.addEventListener('abort', () => resolve('too late'), { once: true }))
    expect(await Promise.race([ended.promise, tooLate])).toBe('ended')
    expect(await asked).toBe('no answer')
  } finally {
    server.close()
    rmSync(directory, { recursive: true, force: true })
  }
})
