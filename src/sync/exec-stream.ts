import { randomBytes } from 'node:crypto'
import type { ExecEnd, ExecStream } from '../kube/kube.ts'
import { delay } from '../lib/async.ts'
import { linkHash } from '../lib/content.ts'
import { DevkitError, messageOf } from '../lib/errors.ts'
import type { Step } from '../lib/step.ts'
import { execScript } from './exec-script.ts'
import { AckMaker, type Answer, bigBytes, deepestFirst, partBytes, progressOf, smallBytes } from './sending.ts'
import { type FileSource, isNotRead, type NotRead, openSource, readAttempts, readSmall } from './source.ts'
import {
  type Ack,
  type Batch,
  type ContainerRef,
  type FileWrite,
  type Refusal,
  rootOf,
  SyncGone,
  type SyncSession,
  type SyncTarget,
  type SyncTransport,
} from './transport.ts'

/** Where nodes cannot be entered: a shell in each container, held open through the cluster's API. The image needs `sh`, `dd` and a few more. */
export function execStream(): SyncTransport {
  return { way: 'exec stream', open: async (target, step) => new ExecSession(target, step) }
}

class ExecSession implements SyncSession {
  readonly closed: Promise<void>
  readonly #target: SyncTarget
  readonly #signal: AbortSignal
  readonly #close: () => void
  /** By the container's id. A big file has a shell of its own. */
  readonly #shells = new Map<string, Promise<Shell>>()

  constructor(target: SyncTarget, { signal }: Step) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.closed = promise
    this.#close = resolve
    this.#target = target
    this.#signal = signal
  }

  #shell(container: ContainerRef): Promise<Shell> {
    const key = container.id
    const open = this.#shells.get(key)
    if (open) return open
    const opening = Shell.open(this.#target, container, this.#signal)
    this.#shells.set(key, opening)
    opening.then(
      (shell) => shell.closed.then(() => this.#shells.delete(key)),
      () => this.#shells.delete(key),
    )
    return opening
  }

  async push(container: ContainerRef, batch: Batch, step: Step): Promise<Ack> {
    const shell = await this.#shell(container)
    const made = new AckMaker(container)
    const answers: Promise<void>[] = []
    // awaited all together below: until then a failure is nobody's
    const later = (answer: Promise<void>): void => {
      answer.catch(() => undefined)
      answers.push(answer)
    }
    const below = (path: string): string | undefined => {
      const root = rootOf(batch.roots, path)
      if (root === undefined)
        made.refuse({ target: path, reason: 'outside', why: `${path} is not below ${batch.roots.join(', ')}` })
      return root
    }
    for (const path of deepestFirst(batch.deletes)) {
      const root = below(path)
      if (root === undefined) continue
      if (shell.mountAt(path))
        made.refuse({ target: path, reason: 'in the way', why: `${path} is a mount in the container, it cannot be deleted` })
      else if (shell.mountBelow(path)) made.deleted(path, { how: 'kept', what: '' })
      else later(shell.call('del', [root, path, upper(path)]).then((answer) => made.deleted(path, answer)))
    }
    const big: [FileSource, string][] = []
    for (const [index, write] of batch.writes.entries()) {
      const root = below(write.target)
      if (root === undefined) continue
      if (index % 64 === 0) {
        await shell.drained()
        step.signal.throwIfAborted()
      }
      if (write.kind === 'file' && write.bytes > bigBytes) big.push([write, root])
      else later(this.#small(shell, container, write, root, made, step))
    }
    try {
      await Promise.all(answers)
      for (const [write, root] of big) await this.#inParts(container, write, root, made, step)
    } catch (thrown) {
      await Promise.allSettled(answers)
      throw thrown
    }
    return made.ack()
  }

  async #small(shell: Shell, container: ContainerRef, write: FileWrite, root: string, made: AckMaker, step: Step): Promise<void> {
    const { target } = write
    const directory = upper(target)
    if (write.kind === 'directory') {
      const answer = await shell.call('directory', [octal(write.mode), root, target, directory])
      return made.written(target, 0, undefined, answer)
    }
    if (write.kind === 'link') {
      if (shell.mountAt(target)) {
        made.refuse({
          target,
          reason: 'in the way',
          why: `${target} is a mount in the container, a symlink cannot take its place`,
        })
        return
      }
      const name = target.slice(target.lastIndexOf('/') + 1)
      const answer = await shell.call('link', [root, target, directory, name, shell.temporary(directory), write.to])
      return made.written(target, 0, linkHash(write.to), answer)
    }
    for (let attempt = 1; ; attempt++) {
      const content = readSmall(write, smallBytes)
      if (content === undefined) return this.#inParts(container, write, root, made, step)
      if (!isNotRead(content)) {
        const size = String(content.data.length)
        const answer = shell.mountAt(target)
          ? await shell.call('mounted', [size, target, shell.temporary('')], content.data)
          : await shell.call(
              'put',
              [size, octal(content.mode), root, target, directory, shell.temporary(directory)],
              content.data,
            )
        return made.written(target, content.data.length, content.hash, answer)
      }
      if (content.reason !== 'changing' || attempt === readAttempts) return made.refuse({ target, ...content })
      await delay(5 * 2 ** attempt, step.signal)
    }
  }

  /** A big file, in parts, through a shell of its own. How many bytes come is said before; when they do not come, or are not good, the shell is ended. */
  async #inParts(container: ContainerRef, write: FileSource, root: string, made: AckMaker, step: Step): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const read = await this.#inPartsOnce(container, write, root, made, step)
      if (read === undefined) return
      if (read.reason !== 'changing' || attempt === readAttempts) {
        made.refuse({ target: write.target, ...read })
        return
      }
      step.say(`${write.target}: the file changed while it was sent, sending it again`)
      await delay(5 * 2 ** attempt, step.signal)
    }
  }

  async #inPartsOnce(
    container: ContainerRef,
    write: FileSource,
    root: string,
    made: AckMaker,
    step: Step,
  ): Promise<NotRead | undefined> {
    const { target } = write
    const file = await openSource(write)
    if (isNotRead(file)) return file
    await using _ = file
    await using shell = await Shell.open(this.#target, container, this.#signal)
    const progress = progressOf(target, file.bytes, step)
    const answer = shell.mountAt(target)
      ? shell.call('mounted', [String(file.bytes), target, shell.temporary('')])
      : shell.call('big', [String(file.bytes), octal(file.mode), root, target, upper(target), shell.temporary(upper(target))])
    // where it is not waited for, nobody needs it
    answer.catch(() => undefined)
    const read = await file.read(partBytes, async (part) => {
      step.signal.throwIfAborted()
      await shell.data(part)
      progress(part.length)
    })
    if (isNotRead(read)) return read
    if (!shell.mountAt(target)) await shell.data(Buffer.from('good\n'))
    made.written(target, read.bytes, read.hash, await answer)
    return undefined
  }

  async probe(container: ContainerRef, targets: readonly string[]): Promise<readonly number[]> {
    if (targets.length === 0) return []
    const shell = await this.#shell(container)
    const missing = await shell.run(targets.map((target, index) => `there ${index} ${quoted(target)}`).join('\n'))
    return missing.map(({ call }) => call)
  }

  async signal(container: ContainerRef, signal: string): Promise<void> {
    const { how, what } = await (await this.#shell(container)).call('sig', [signal.replace(/^SIG/, '')])
    if (how === 'ok') return
    throw new DevkitError('SYNC-102', {
      message: `${container.pod}/${container.name} does not take the signal ${signal}: ${what}.`,
      hint: 'Let the rule restart it in another way.',
    })
  }

  async tell(container: ContainerRef, fifo: string, line: string): Promise<boolean> {
    const [said] = await (await this.#shell(container)).run(`tell 0 ${quoted(fifo)} ${quoted(line)}`)
    return said?.how === 'told'
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const shells = await Promise.allSettled(this.#shells.values())
    await Promise.all(shells.map((one) => (one.status === 'fulfilled' ? one.value[Symbol.asyncDispose]() : undefined)))
    this.#close()
  }
}

/** A line that the shell said: which call it answers, how that came out, and what else. */
interface Line {
  readonly call: number
  readonly how: string
  readonly what: string
}

/** A shell in a container, and what it was asked: it answers in the order of the questions. */
class Shell implements AsyncDisposable {
  readonly closed: Promise<void>
  readonly #stream: ExecStream
  readonly #gone: () => Promise<SyncGone>
  readonly #waiting: { readonly lines: Line[]; readonly answer: PromiseWithResolvers<readonly Line[]> }[] = []
  readonly #mounts = new Set<string>()
  readonly #mark = randomBytes(4).toString('hex')
  #calls = 0
  #error = ''
  #draining: Promise<void> | undefined

  /** @throws SyncGone when the container or the cluster is gone; SYNC-110 when the image has not what is needed; SYNC-111 when the cluster does not allow it */
  static async open(target: SyncTarget, container: ContainerRef, signal: AbortSignal): Promise<Shell> {
    const { namespace, pod, name } = container
    const boot = `eval "$(dd bs=${Buffer.byteLength(execScript)} count=1 iflag=fullblock 2>/dev/null)"`
    let stream: ExecStream
    try {
      stream = await target.kube.exec({ namespace, pod, container: name, command: ['sh', '-c', boot] }, signal)
    } catch (thrown) {
      signal.throwIfAborted()
      throw await notOpened(target, container, thrown)
    }
    const shell = new Shell(stream, () => whyGone(target, container))
    try {
      const first = shell.#expect()
      shell.#write([Buffer.from(`${execScript}\nabc`)])
      const lines = await Promise.race([first, stream.ended.then((end) => noShell(container, end, shell.#error))])
      const refused = lines.find(({ how }) => how === 'no')
      if (refused) throw cannot(container, refused.what)
      for (const { how, what } of lines) if (how === 'mount') shell.#mounts.add(unescaped(what))
      return shell
    } catch (thrown) {
      await shell[Symbol.asyncDispose]()
      throw thrown
    }
  }

  private constructor(stream: ExecStream, gone: () => Promise<SyncGone>) {
    this.#stream = stream
    this.#gone = gone
    stream.stderr.on('data', (chunk: Buffer) => {
      this.#error = (this.#error + chunk.toString()).slice(-2000)
    })
    this.closed = this.#receive()
  }

  mountAt(path: string): boolean {
    return this.#mounts.has(path)
  }

  mountBelow(path: string): boolean {
    return [...this.#mounts].some((mount) => mount.startsWith(`${path}/`))
  }

  /** A name that nobody else has, in a directory. */
  temporary(directory: string): string {
    return `${directory === '' || directory === '/' ? directory : `${directory}/`}.devkit-${this.#mark}-${++this.#calls}`
  }

  /** Calls a function of the script; `data` follows it. */
  async call(name: string, args: readonly string[], data?: Uint8Array): Promise<Answer> {
    const [line] = await this.run([name, '0', ...args.map(quoted)].join(' '), data)
    return answerOf(line)
  }

  /** Runs commands; what each said by its number. */
  run(commands: string, data?: Uint8Array): Promise<readonly Line[]> {
    const answer = this.#expect()
    const text = Buffer.from(commands)
    // a line is read byte by byte, which is slow for a long one
    const long = commands.includes('\n') || text.length > 1000
    const parts = long ? [Buffer.from(`+${text.length}\n`), text] : [text, Buffer.from('\n')]
    this.#write(data === undefined ? parts : [...parts, data])
    return answer
  }

  /** Sends bytes of a big file; resolves when the memory may be used again. */
  async data(part: Uint8Array): Promise<void> {
    const { stdin } = this.#stream
    await new Promise<void>((resolve) => void stdin.write(part, () => resolve()))
    if (stdin.destroyed) throw await this.#gone()
  }

  async drained(): Promise<void> {
    if (!this.#stream.stdin.writableNeedDrain) return new Promise<void>((resolve) => setImmediate(resolve))
    this.#draining ??= new Promise<void>((resolve) => {
      const { stdin } = this.#stream
      const done = (): void => {
        stdin.off('drain', done).off('close', done)
        this.#draining = undefined
        resolve()
      }
      stdin.once('drain', done).once('close', done)
    })
    return this.#draining
  }

  #write(parts: readonly Uint8Array[]): void {
    const { stdin } = this.#stream
    if (stdin.destroyed) {
      void this.#end()
      return
    }
    stdin.write(Buffer.concat(parts))
  }

  #expect(): Promise<readonly Line[]> {
    const answer = Promise.withResolvers<readonly Line[]>()
    answer.promise.catch(() => undefined)
    this.#waiting.push({ lines: [], answer })
    return answer.promise
  }

  async #receive(): Promise<void> {
    let rest = Buffer.alloc(0) as Buffer
    for await (const chunk of this.#stream.stdout) {
      rest = Buffer.concat([rest, chunk as Buffer])
      let at = 0
      for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10, at)) {
        this.#take(rest.toString('utf8', at, end))
        at = end + 1
      }
      rest = rest.subarray(at)
    }
    await this.#end()
  }

  #take(line: string): void {
    const [first] = this.#waiting
    if (line !== '=') first?.lines.push(lineOf(line))
    else if (first) {
      this.#waiting.shift()
      first.answer.resolve(first.lines)
    }
  }

  async #end(): Promise<void> {
    if (this.#waiting.length === 0) return
    const gone = await this.#gone()
    for (const { answer } of this.#waiting.splice(0)) answer.reject(gone)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stream[Symbol.asyncDispose]()
    await this.closed
  }
}

function lineOf(line: string): Line {
  const [, call = '0', how = '', what = ''] = /^(\d+) (\S+) ?(.*)$/.exec(line) ?? []
  return { call: Number(call), how, what: what.trim() }
}

function answerOf(line: Line | undefined): Answer {
  if (!line) return { how: 'other', what: 'the shell in the container gave no answer' }
  switch (line.how) {
    case 'ok':
    case 'kept':
    case 'outside':
      return { how: line.how, what: line.what }
    case 'place':
      return { how: 'in place', what: '' }
    case 'way':
      return { how: 'in the way', what: line.what }
    default:
      return { how: reasonOf(line.what), what: line.what }
  }
}

/** What the programs in the container say, in the words of the C library (LC_ALL=C). */
function reasonOf(said: string): Refusal['reason'] {
  if (/No space left|quota exceeded/i.test(said)) return 'no space'
  if (/Read-only file system/i.test(said)) return 'read-only'
  if (/Permission denied|not permitted/i.test(said)) return 'no permission'
  if (/Is a directory|Not a directory|File exists|cannot overwrite|busy/i.test(said)) return 'in the way'
  return 'other'
}

function upper(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/'
}

function octal(mode: number): string {
  return mode.toString(8)
}

/** A word for the shell. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}

/** A path of /proc/self/mountinfo, where some characters are written in octal. */
function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}

function noShell(container: ContainerRef, end: ExecEnd, error: string): Promise<never> | never {
  if (end.how === 'failed') throw cannot(container, end.message)
  if (end.how === 'exited') throw cannot(container, error.trim() || `the shell ended with ${end.exitCode}`)
  throw new SyncGone('lost', `The stream into ${container.pod}/${container.name} ended before it began.`)
}

function cannot({ pod, name }: ContainerRef, why: string): DevkitError {
  return new DevkitError('SYNC-110', {
    message: `Files cannot be sent into ${pod}/${name}: its image has not what that takes (${why.replace(/\.$/, '')}).`,
    hint: 'Use a cluster whose nodes devkit can enter (`cluster: { kind: {} }`), or an image with sh, dd, mv and find for development.',
  })
}

async function notOpened(target: SyncTarget, container: ContainerRef, thrown: unknown): Promise<unknown> {
  const { status } = thrown as { status?: number }
  const { namespace, pod, name } = container
  if (status === 401 || status === 403)
    return new DevkitError('SYNC-111', {
      message: `The cluster does not allow a command in ${pod}/${name}: ${messageOf(thrown)}.`,
      hint: `Ask for the verbs get and create on pods/exec in the namespace ${namespace}.`,
      cause: thrown,
    })
  return status === undefined
    ? new SyncGone('lost', `The cluster cannot be reached: ${messageOf(thrown)}.`, thrown)
    : whyGone(target, container)
}

/** Whether the container has ended, or only the way to it. */
async function whyGone({ kube }: SyncTarget, { namespace, pod, name, id }: ContainerRef): Promise<SyncGone> {
  interface PodStatus {
    readonly containerStatuses?: readonly {
      readonly name: string
      readonly containerID?: string
      readonly state?: { readonly running?: object }
    }[]
  }
  const lost = new SyncGone('lost', `The stream into ${pod}/${name} ended.`)
  try {
    const found = await kube.get({ apiVersion: 'v1', kind: 'Pod', namespace, name: pod }, AbortSignal.timeout(5000))
    const statuses = (found?.['status'] as PodStatus | undefined)?.containerStatuses
    const runs = statuses?.some((one) => one.name === name && one.containerID?.endsWith(id) && one.state?.running !== undefined)
    return runs ? lost : new SyncGone('ended', `The container ${name} of the pod ${pod} runs no more.`)
  } catch {
    return lost
  }
}
