import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Engine, EngineImage, Host } from '../host/host.ts'
import { delay } from '../lib/async.ts'
import { engineFull } from '../lib/disk-full.ts'
import { DevkitError, messageOf } from '../lib/errors.ts'
import type { Step } from '../lib/step.ts'
import type { Delivery } from './delivery.ts'

const ctr = ['ctr', '--namespace=k8s.io'] as const

/** So long the containerd of a node may take that was started again this moment, in ms. */
const beginningMs = 60_000

/**
 * Sends a node only the layers that it lacks, straight into its containerd. After a change of a few files that is a few kilobytes
 * where `kind load` sends the whole image.
 */
export function delta({ engine }: Pick<Host, 'engine'>): Delivery {
  return {
    async deliver(reference, node, step) {
      const docker = await engine()
      const has = await onceItAnswers(
        () => inNode(docker, node, [...ctr, 'images', 'ls', '-q', `name==${nodeName(reference)}`], step),
        step,
      )
      if (has.trim() !== '') return { outcome: 'unchanged', sentBytes: 0 }
      const image = await docker.image(reference)
      if (!image)
        throw new DevkitError('IMAGE-101', {
          message: `The engine does not have ${reference}.`,
          hint: 'Run `devkit up` again, which builds it.',
        })
      const present = new Set(
        (await inNode(docker, node, [...ctr, 'snapshots', 'ls'], step)).split('\n').map((line) => line.split(' ', 1)[0] ?? ''),
      )
      const known = layersIn(image, present)
      try {
        return { outcome: 'created', sentBytes: await send(docker, { reference, node, without: known }, step) }
      } catch (thrown) {
        step.signal.throwIfAborted()
        const isFull = thrown instanceof DevkitError && thrown.code === 'ENGINE-104'
        if (known.size === 0 || isFull) throw thrown
        // a node that has dropped what it unpacked, or keeps it elsewhere: everything then
        step.say(`${reference}: ${messageOf(thrown)}; sending the whole image`)
        return { outcome: 'created', sentBytes: await send(docker, { reference, node, without: new Set() }, step) }
      }
    },
  }
}

/** The name that containerd knows an image by. @see https://docs.docker.com/reference/cli/docker/image/tag/ for the default host */
function nodeName(reference: string): string {
  const [first = '', ...rest] = reference.split('/')
  if (rest.length > 0 && (/[.:]/.test(first) || first === 'localhost')) return reference
  return rest.length > 0 ? `docker.io/${reference}` : `docker.io/library/${reference}`
}

/**
 * diffIDs of the layers that the node has unpacked. A snapshot's key is the chain ID of its layers.
 * @see https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid
 */
function layersIn({ layers }: EngineImage, snapshots: ReadonlySet<string>): ReadonlySet<string> {
  const known = new Set<string>()
  let chain: string | undefined
  for (const layer of layers) {
    chain = chain === undefined ? layer : `sha256:${createHash('sha256').update(`${chain} ${layer}`).digest('hex')}`
    if (!snapshots.has(chain)) break
    known.add(layer)
  }
  return known
}

async function send(
  docker: Engine,
  { reference, node, without }: { reference: string; node: string; without: ReadonlySet<string> },
  step: Step,
): Promise<number> {
  // one process does all of it: in two thirds of the time of containerd's transfer service, which is the default where --local exists
  const local = (await inNode(docker, node, ['ctr', 'images', 'import', '--help'], step)).includes('--local')
  const archive = await docker.saveImages([reference])
  const left = await withoutBlobs(archive, new Set([...without].map((digest) => `blobs/${digest.replace(':', '/')}`)))
  let sentBytes = 0
  async function* counted(): AsyncIterable<Uint8Array> {
    for await (const chunk of left) {
      sentBytes += chunk.length
      yield chunk
    }
  }
  const { exitCode, stderr } = await docker.run(
    node,
    [...ctr, 'images', 'import', ...(local ? ['--local'] : []), '--digests=false', '-'],
    step,
    Readable.from(counted(), { objectMode: false }),
  )
  if (exitCode === 0) return sentBytes
  const full = engineFull(stderr, `the node ${node} does not take ${reference}`, { detail: stderr.trim() })
  if (full) throw full
  throw new DevkitError('IMAGE-101', {
    message: `The node ${node} does not take ${reference}: ${stderr.trim().split('\n').at(-1) ?? `ctr ended with ${exitCode}`}.`,
    hint: 'Check the node’s disk (`docker exec NODE df -h /var`), then run `devkit up` again.',
    detail: stderr.trim(),
  })
}

/** The archive without the entries named. */
async function withoutBlobs(archive: Readable, dropped: ReadonlySet<string>): Promise<AsyncIterable<Uint8Array>> {
  const { extract, pack } = await import('tar-stream')
  const result = pack()
  const reader = extract()
  reader.on('entry', (header, body, next) => {
    // an import that is ended closes the entry, and that the body; told by the import
    body.on('error', () => undefined)
    if (dropped.has(header.name)) {
      body.on('end', next)
      body.resume()
      return
    }
    const entry = result.entry(header, (error) => next(error ?? undefined))
    // a node that stops reading ends both; the import's own error tells why
    entry.on('error', () => next())
    body.pipe(entry)
  })
  reader.on('finish', () => result.finalize())
  reader.on('error', (error) => result.destroy(error))
  archive.on('error', (error) => result.destroy(error))
  archive.pipe(reader)
  // tar-stream's types do not say what its chunks are
  return result as AsyncIterable<Uint8Array>
}

/** Asks again as long as the node's containerd has not begun. */
async function onceItAnswers<T>(ask: () => Promise<T>, { signal }: Step): Promise<T> {
  for (const deadline = Date.now() + beginningMs; ; await delay(250, signal)) {
    try {
      return await ask()
    } catch (thrown) {
      if (!/containerd\.sock/.test(messageOf(thrown)) || Date.now() > deadline) throw thrown
    }
  }
}

async function inNode(docker: Engine, node: string, argv: readonly string[], step: Step): Promise<string> {
  const { exitCode, stdout, stderr } = await docker.run(node, argv, step)
  if (exitCode === 0) return stdout
  throw new DevkitError('IMAGE-101', {
    message: `The node ${node} cannot be asked for its images: ${stderr.trim() || stdout.trim() || `${argv[0]} ended with ${exitCode}`}.`,
    hint: 'Check that the node runs: `docker ps`.',
    detail: stderr,
  })
}
