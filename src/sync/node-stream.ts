import type { Readable } from 'node:stream'
import type { EngineStream, Host } from '../host/host.ts'
import { delay } from '../lib/async.ts'
import { linkHash } from '../lib/content.ts'
import { DevkitError } from '../lib/errors.ts'
import type { Step } from '../lib/step.ts'
import { nodeScript, startsScript } from './node-script.ts'
import {
  AckMaker,
  type Answer,
  bigBytes,
  deepestFirst,
  drained,
  partBytes,
  progressOf,
  smallBytes,
  untilSent,
} from './sending.ts'
import { type FileSource, isNotRead, type NotRead, openSource, readSmall } from './source.ts'
import {
  type Ack,
  type Batch,
  type ContainerRef,
  type FileWrite,
  SyncGone,
  type SyncSession,
  type SyncTransport,
} from './transport.ts'

/** One stream per node through the engine's API: reaches any container by its root under /proc, however it was made. */
export function nodeStream({ engine }: Pick<Host, 'engine'>): SyncTransport {
  return {
    way: 'node stream',
    async open({ node, container = node }, step) {
      const start = async (script: string): Promise<EngineStream> =>
        (await engine()).open(container, ['perl', '-e', script], step.signal)
      const channel = new Channel(node, await start(nodeScript))
      await channel.ready
      return new NodeSession(node, channel, start)
    },
  }
}

/** How long the runtime is left alone before its events are asked for again. */
const startsPauseMs = 1000

/** Where something goes: the container, the rule's target, the path. */
interface Place {
  readonly id: string
  readonly root: string
  readonly path: string
}

class NodeSession implements SyncSession {
  readonly closed: Promise<void>
  readonly #node: string
  readonly #channel: Channel
  readonly #start: (script: string) => Promise<EngineStream>
  /** Big files have a stream of their own, opened with the first of them: a node that is busy writing one still takes a small save at once. */
  #big: Promise<Channel> | undefined
  readonly #listeners = new Set<(container: ContainerRef) => void>()
  #starts: Promise<void> | undefined
  readonly #ending = new AbortController()

  constructor(node: string, channel: Channel, start: (script: string) => Promise<EngineStream>) {
    this.#node = node
    this.#channel = channel
    this.#start = start
    this.closed = channel.closed.finally(() => this.#ending.abort())
  }

  async push(container: ContainerRef, batch: Batch, step: Step): Promise<Ack> {
    const made = new AckMaker(container)
    const place = (path: string): Place | undefined => {
      const root = made.rootOf(batch, path)
      return root === undefined ? undefined : { id: container.id, root, path }
    }
    const answers: Promise<void>[] = []
    // awaited all together below: until then a failure is nobody's
    const later = (answer: Promise<void>): void => {
      answer.catch(() => undefined)
      answers.push(answer)
    }
    for (const path of deepestFirst(batch.deletes)) {
      const at = place(path)
      if (at) later(this.#channel.ask('D', at).then((answer) => made.deleted(path, answer)))
    }
    const big: [FileSource, Place][] = []
    for (const [index, write] of batch.writes.entries()) {
      const at = place(write.target)
      if (!at) continue
      // many small changes go down together; now and then the first of them, and everybody else, get their turn
      if (index % 64 === 0) {
        await this.#channel.drained()
        step.signal.throwIfAborted()
      }
      if (write.kind === 'file' && write.bytes > bigBytes) big.push([write, at])
      else later(this.#small(write, at, made, step))
    }
    try {
      await Promise.all(answers)
      for (const [write, at] of big) await this.#inParts(write, at, made, step)
    } catch (thrown) {
      await Promise.allSettled(answers)
      throw thrown
    }
    return made.ack()
  }

  /** A change of one frame. */
  async #small(write: FileWrite, at: Place, made: AckMaker, step: Step): Promise<void> {
    if (write.kind === 'directory') return made.written(write.target, 0, undefined, await this.#channel.ask('M', at, write.mode))
    if (write.kind === 'link')
      return made.written(write.target, 0, linkHash(write.to), await this.#channel.ask('L', at, 0, write.to))
    return untilSent(write.target, made, step, async () => {
      const content = readSmall(write, smallBytes)
      if (content === undefined) {
        await this.#inParts(write, at, made, step)
        return undefined
      }
      if (isNotRead(content)) return content
      const answer = await this.#channel.ask('W', at, content.mode, content.data)
      made.written(write.target, content.data.length, content.hash, answer)
      return undefined
    })
  }

  /** A file in parts. The container has it when the last has come, or not at all. */
  async #inParts(write: FileSource, at: Place, made: AckMaker, step: Step): Promise<void> {
    const channel = await this.#bigChannel()
    return untilSent(write.target, made, step, () => this.#inPartsOnce(channel, write, at, made, step))
  }

  #bigChannel(): Promise<Channel> {
    if (this.#big) return this.#big
    const opening = this.#start(nodeScript).then((stream) => new Channel(this.#node, stream))
    this.#big = opening
    const forget = (): void => {
      if (this.#big === opening) this.#big = undefined
    }
    opening.then(({ closed }) => closed.then(forget), forget)
    return opening
  }

  async #inPartsOnce(channel: Channel, write: FileSource, at: Place, made: AckMaker, step: Step): Promise<NotRead | undefined> {
    const file = await openSource(write)
    if (isNotRead(file)) return file
    await using _ = file
    const progress = progressOf(write.target, file.bytes, step)
    const sequence = channel.begin(at)
    let good = false
    try {
      const read = await file.read(partBytes, async (part) => {
        step.signal.throwIfAborted()
        await channel.part(sequence, part)
        progress(part.length)
      })
      if (isNotRead(read)) return read
      good = true
      made.written(write.target, read.bytes, read.hash, await channel.commit(sequence, read.mode))
      return undefined
    } finally {
      if (!good) channel.abandon(sequence)
    }
  }

  async probe(container: ContainerRef, targets: readonly string[]): Promise<readonly number[]> {
    const chunk = 2000
    const starts = Array.from({ length: Math.ceil(targets.length / chunk) }, (_, index) => index * chunk)
    const missing = await Promise.all(
      starts.map(async (start) => {
        const said = await this.#channel.ask('P', anywhere(container), 0, targets.slice(start, start + chunk).join('\0'))
        return this.#checked(container, said)
          .split(',')
          .filter((index) => index !== '')
          .map((index) => start + Number(index))
      }),
    )
    return missing.flat()
  }

  async signal(container: ContainerRef, signal: string): Promise<void> {
    this.#checked(container, await this.#channel.ask('S', anywhere(container), 0, signal.replace(/^SIG/, '')))
  }

  async tell(container: ContainerRef, fifo: string, line: string): Promise<boolean> {
    return this.#checked(container, await this.#channel.ask('T', { ...anywhere(container), path: fifo }, 0, line)) === 'told'
  }

  async note(name: string, text: string | undefined): Promise<void> {
    const at = { id: '', root: '/', path: name }
    const { how, what } = await this.#channel.ask('K', at, text === undefined ? 0 : 1, text ?? '')
    if (how !== 'ok') throw refused(`/run/devkit/${name} on the node ${this.#node}`, what)
  }

  onStart(listener: (container: ContainerRef) => void): Disposable {
    this.#listeners.add(listener)
    this.#starts ??= this.#followStarts()
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  /** Goes on when the runtime was restarted, as long as the session is open. */
  async #followStarts(): Promise<void> {
    const { signal } = this.#ending
    while (!signal.aborted) {
      try {
        await using stream = await this.#start(startsScript)
        const end = (): void => void stream[Symbol.asyncDispose]()
        signal.addEventListener('abort', end, { once: true })
        if (signal.aborted) end()
        await this.#readStarts(stream)
        signal.removeEventListener('abort', end)
      } catch {
        // the session's own stream tells when the node is gone
      }
      await delay(startsPauseMs, signal).catch(() => undefined)
    }
  }

  async #readStarts({ stdout, stderr }: EngineStream): Promise<void> {
    stderr.resume()
    let rest = ''
    for await (const chunk of stdout) {
      const lines = (rest + (chunk as Buffer).toString()).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const [id = '', namespace = '', pod = '', name = ''] = line.split(' ')
        for (const listener of this.#listeners) listener({ id, namespace, pod, name })
      }
    }
  }

  #checked({ pod, name }: ContainerRef, { how, what }: Answer): string {
    if (how === 'ok') return what
    if (how === 'ended') throw new SyncGone('ended', `The container ${name} of the pod ${pod} runs no more.`)
    throw refused(`${pod}/${name}`, what)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort()
    const [big] = await Promise.allSettled([this.#big, this.#starts])
    if (big.status === 'fulfilled') await big.value?.[Symbol.asyncDispose]()
    await this.#channel[Symbol.asyncDispose]()
  }
}

function anywhere({ id }: ContainerRef): Place {
  return { id, root: '/', path: '/' }
}

function refused(where: string, why: string): DevkitError {
  return new DevkitError('SYNC-102', {
    message: `${where} does not take it: ${why}.`,
    hint: 'Read the reason; devkit tries again with the next change.',
  })
}

/** One script that runs in the node, and what it was asked. Frames are described with it. */
class Channel implements AsyncDisposable {
  readonly ready: Promise<Answer>
  readonly closed: Promise<void>
  readonly #node: string
  readonly #stream: EngineStream
  readonly #waiting = new Map<number, PromiseWithResolvers<Answer>>()
  #sequence = 0
  #error = ''

  constructor(node: string, stream: EngineStream) {
    this.#node = node
    this.#stream = stream
    this.ready = this.#expect(0)
    stream.stderr.on('data', (chunk: Buffer) => {
      this.#error = (this.#error + chunk.toString()).slice(-2000)
    })
    this.closed = this.#receive(stream.stdout)
  }

  /** Asks for a change and waits for its answer. */
  ask(op: string, at: Place, mode = 0, data: string | Uint8Array = ''): Promise<Answer> {
    const sequence = ++this.#sequence
    const answer = this.#expect(sequence)
    this.#send(op, sequence, [...placed(at, mode), ...field(data)])
    return answer
  }

  /** Begins a file that comes in parts; they may mix with those of another. */
  begin(at: Place): number {
    const sequence = ++this.#sequence
    this.#send('F', sequence, [...placed(at, 0), ...field('')])
    return sequence
  }

  /** Resolves when the part's memory may be used again. */
  async part(sequence: number, data: Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => this.#send('A', sequence, [data], resolve))
    if (this.#stream.stdin.destroyed) throw this.#lost()
  }

  commit(sequence: number, mode: number): Promise<Answer> {
    const answer = this.#expect(sequence)
    this.#send('C', sequence, [number(mode)])
    return answer
  }

  abandon(sequence: number): void {
    if (!this.#stream.stdin.destroyed) this.#send('X', sequence, [])
  }

  /** Waits until what was sent is on its way, and others had their turn. */
  drained(): Promise<void> {
    return drained(this.#stream.stdin)
  }

  #expect(sequence: number): Promise<Answer> {
    const waiting = Promise.withResolvers<Answer>()
    waiting.promise.catch(() => undefined)
    this.#waiting.set(sequence, waiting)
    return waiting.promise
  }

  #send(op: string, sequence: number, fields: readonly Uint8Array[], sent: () => void = () => undefined): void {
    const { stdin } = this.#stream
    if (stdin.destroyed) {
      this.#end()
      sent()
      return
    }
    const length = fields.reduce((sum, each) => sum + each.length, 5)
    const head = Buffer.concat([number(length), Buffer.from(op), number(sequence), ...fields.slice(0, -1)])
    const last = fields.at(-1) ?? Buffer.alloc(0)
    // one call of the system for both; the content is not copied
    stdin.cork()
    stdin.write(head)
    stdin.write(last, () => sent())
    nextTurn(stdin)
  }

  async #receive(stdout: Readable): Promise<void> {
    let rest: Buffer = Buffer.alloc(0)
    for await (const chunk of stdout) {
      rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer])
      let at = 0
      for (; rest.length >= at + 4 && rest.length >= at + 4 + rest.readUInt32BE(at); at += 4 + rest.readUInt32BE(at)) {
        const sequence = rest.readUInt32BE(at + 4)
        const howLength = rest.readUInt32BE(at + 8)
        const how = rest.toString('utf8', at + 12, at + 12 + howLength) as Answer['how']
        const what = rest.toString('utf8', at + 16 + howLength, at + 4 + rest.readUInt32BE(at))
        this.#waiting.get(sequence)?.resolve({ how, what })
        this.#waiting.delete(sequence)
      }
      rest = rest.subarray(at)
    }
    this.#stream.stdin.destroy()
    this.#end()
  }

  #end(): void {
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

/** Everything written in one turn of the event loop goes to the socket in one call. */
function nextTurn(stdin: EngineStream['stdin']): void {
  queueMicrotask(() => stdin.uncork())
}

function placed({ id, root, path }: Place, mode: number): Uint8Array[] {
  return [...field(id), ...field(root), ...field(path), number(mode)]
}

function field(content: string | Uint8Array): [Uint8Array, Uint8Array] {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  return [number(bytes.length), bytes]
}

function number(value: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(value)
  return bytes
}
