import { Readable } from 'node:stream'
import { pack } from 'tar-stream'
import { expect, test } from 'vitest'
import type { Engine } from '../../../src/host/host.ts'
import { delta } from '../../../src/images/delta.ts'

const reference = 'registry.example.com/shop/web:devkit-1'
const layer = `sha256:${'a'.repeat(64)}`
const bytes = 8_000_000
const said = (stdout: string, exitCode = 0, stderr = '') => ({ exitCode, stdout, stderr })

function* parts(): Iterable<Buffer> {
  for (let sent = 0; sent < bytes; sent += 100_000) yield Buffer.alloc(100_000)
}

/** An engine with one image of one big layer, and a node whose answers are given: by the words of its command, in their order. */
function machine(answers: (command: string, stdin?: Readable) => Promise<ReturnType<typeof said>> | ReturnType<typeof said>) {
  const engine: Pick<Engine, 'image' | 'saveImages' | 'run'> = {
    image: async () => ({ id: 'sha256:1', layers: [layer], bytes, entrypoint: [], cmd: [] }),
    saveImages: async () => {
      const archive = pack()
      archive.entry({ name: 'manifest.json' }, '[]')
      const blob = archive.entry({ name: `blobs/${layer.replace(':', '/')}`, size: bytes }, () => archive.finalize())
      Readable.from(parts(), { objectMode: false }).pipe(blob as unknown as NodeJS.WritableStream)
      return Readable.from(archive, { objectMode: false })
    },
    run: async (_, argv, __, stdin) => answers(argv.join(' '), stdin as Readable | undefined),
  }
  return delta({ engine: async () => engine as Engine })
}

test('an import that is ended in the middle ends the delivery with the reason, and nothing is left to fail on its own', async () => {
  const abort = new AbortController()
  const delivery = machine(async (_, stdin) => {
    if (!stdin) return said('')
    let read = 0
    for await (const _ of stdin) if (++read > 6) break
    abort.abort(new Error('too long'))
    abort.signal.throwIfAborted()
    return said('')
  })
  await expect(delivery.deliver(reference, 'node', { signal: abort.signal, say: () => undefined })).rejects.toThrow('too long')
  // a stream of the archive that fails late does so within some turns of the loop
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
})

test('a node whose containerd has only just begun is asked again', async () => {
  let asked = 0
  const delivery = machine((command) => {
    if (!command.includes('images ls')) return said('')
    return ++asked < 3 ? said('', 1, 'ctr: cannot access socket /run/containerd/containerd.sock: no such file') : said(reference)
  })
  const step = { signal: new AbortController().signal, say: () => undefined }
  expect(await delivery.deliver(reference, 'node', step)).toMatchObject({ outcome: 'unchanged' })
  expect(asked).toBe(3)
})

test('a node that has no room is told as a full disk, and is not sent the whole image then', async () => {
  let imports = 0
  const delivery = machine(async (command, stdin) => {
    // it has the layer, so that a part would do
    if (command.includes('snapshots')) return said(`${layer} - Committed`)
    if (!stdin) return said('')
    imports++
    for await (const _ of stdin);
    return said('', 1, 'ctr: failed to copy: write /var/lib/containerd/ingest: no space left on device')
  })
  const step = { signal: new AbortController().signal, say: () => undefined }
  await expect(delivery.deliver(reference, 'node', step)).rejects.toMatchObject({
    code: 'ENGINE-104',
    message: `The disk of the container engine is full, so the node node does not take ${reference}: ctr: failed to copy: write /var/lib/containerd/ingest: no space left on device.`,
  })
  expect(imports).toBe(1)
})
