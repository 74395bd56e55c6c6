import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import type { EngineStream, Host } from '../host/host.ts'
import { fileHash, linkHash } from '../lib/content.ts'
import { nodeScript } from './node-script.ts'
import {
  type Ack,
  type Batch,
  type ContainerRef,
  type FileWrite,
  type Refusal,
  SyncGone,
  type SyncSession,
  type SyncTransport,
} from './transport.ts'

const partBytes = 256 * 1024

/** One stream per node through the engine's API: reaches any container by its root under /proc, however it was made. */
export function nodeStream({ engine }: Pick<Host, 'engine'>): SyncTransport {
  return {
    way: 'node stream',
    async open({ node }, step) {
      const stream = await (await engine()).open(node, ['perl', '-e', nodeScript], step.signal)
      const session = new NodeSession(node, stream)
      await session.ready
      return session
    },
  }
}

/** A change that was sent: '' or what went wrong, once the node has answered. */
interface Pending {
  readonly target: string
  readonly answer: Promise<string>
}

class NodeSession implements SyncSession {
  readonly ready: Promise<string>
  readonly closed: Promise<void>
  readonly #node: string
  readonly #stream: EngineStream
  readonly #waiting = new Map<string, PromiseWithResolvers<string>>()
  #sequence = 0
  /** Parts of two files must not mix: one change after the other is sent. */
  #sending: Promise<unknown> = Promise.resolve()
  #error = ''

  constructor(node: string, stream: EngineStream) {
    this.#node = node
    this.#stream = stream
    this.ready = this.#expect('ready')
    stream.stderr.on('data', (chunk: Buffer) => {
      this.#error = (this.#error + chunk.toString()).slice(-2000)
    })
    this.closed = this.#receive(stream.stdout)
  }

  async push(container: ContainerRef, batch: Batch): Promise<Ack> {
    const acks: Pending[] = []
    const sent = new Map<string, string>()
    let bytes = 0
    const work = async (): Promise<void> => {
      for (const path of batch.deletes) acks.push(await this.#change(container, 'D', path, 0, ''))
      for (const write of batch.writes) {
        acks.push(await this.#write(container, write, sent))
        bytes += write.kind === 'file' ? write.bytes : 0
      }
    }
    const done = this.#sending.then(work)
    this.#sending = done.catch(() => undefined)
    await done
    const refused: Refusal[] = []
    for (const { target, answer } of acks) {
      const why = await answer
      if (why.endsWith('has ended')) throw new SyncGone('ended', `${container.pod}/${container.name} runs no more.`)
      if (why === '') continue
      sent.delete(target)
      refused.push({ target, reason: 'other', why })
    }
    const lost = new Set(refused.map(({ target }) => target))
    return {
      files: batch.writes.filter(({ target }) => !lost.has(target)).length,
      bytes,
      deleted: batch.deletes.filter((target) => !lost.has(target)).length,
      sent,
      inPlace: [],
      kept: [],
      refused,
    }
  }

  async probe(): Promise<readonly number[]> {
    return []
  }

  async signal(): Promise<void> {}

  async tell(): Promise<boolean> {
    return false
  }

  async #write(container: ContainerRef, write: FileWrite, sent: Map<string, string>): Promise<Pending> {
    switch (write.kind) {
      case 'directory':
        return this.#change(container, 'M', write.target, write.mode, '')
      case 'link':
        sent.set(write.target, linkHash(write.to))
        return this.#change(container, 'L', write.target, 0, write.to)
      case 'file': {
        let op: 'F' | 'A' = 'F'
        const hash = fileHash(write.mode)
        const parts =
          typeof write.source === 'string'
            ? createReadStream(write.source, { highWaterMark: partBytes })
            : [Buffer.from(write.source)]
        for await (const part of parts) {
          hash.update(part as Buffer)
          await this.#send([op, '0', container.id, write.target, '0', part as Buffer])
          op = 'A'
        }
        if (op === 'F') await this.#send([op, '0', container.id, write.target, '0', ''])
        sent.set(write.target, hash.digest('hex'))
        return this.#change(container, 'C', write.target, write.mode, '')
      }
    }
  }

  /** Sends a change. Sending and answering are awaited apart: a batch is sent whole before its first answer is asked for. */
  async #change(container: ContainerRef, op: string, path: string, mode: number, data: string): Promise<Pending> {
    const sequence = String(++this.#sequence)
    const answer = this.#expect(sequence)
    answer.catch(() => undefined)
    await this.#send([op, sequence, container.id, path, String(mode), data])
    return { target: path, answer }
  }

  #expect(sequence: string): Promise<string> {
    const waiting = Promise.withResolvers<string>()
    this.#waiting.set(sequence, waiting)
    return waiting.promise
  }

  async #send(fields: readonly (string | Buffer)[]): Promise<void> {
    const body = Buffer.concat(fields.flatMap((field) => [lengthOf(Buffer.byteLength(field)), Buffer.from(field as string)]))
    const { stdin } = this.#stream
    if (stdin.destroyed) throw this.#lost()
    if (!stdin.write(Buffer.concat([lengthOf(body.length), body])))
      await Promise.race([once(stdin, 'drain'), once(stdin, 'close')])
  }

  async #receive(stdout: Readable): Promise<void> {
    let rest = Buffer.alloc(0)
    for await (const chunk of stdout) {
      rest = Buffer.concat([rest, chunk as Buffer])
      while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE(0)) {
        const frame = rest.subarray(4, 4 + rest.readUInt32BE(0))
        rest = rest.subarray(4 + frame.length)
        const sequence = frame.subarray(4, 4 + frame.readUInt32BE(0)).toString()
        const said = frame.subarray(8 + sequence.length).toString()
        this.#waiting.get(sequence)?.resolve(said)
        this.#waiting.delete(sequence)
      }
    }
    for (const waiting of this.#waiting.values()) waiting.reject(this.#lost())
    this.#waiting.clear()
  }

  #lost(): SyncGone {
    return new SyncGone('lost', `The stream into the node ${this.#node} ended${this.#error ? `: ${this.#error.trim()}` : ''}.`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stream[Symbol.asyncDispose]()
    await this.closed
  }
}

function lengthOf(bytes: number): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes)
  return length
}
