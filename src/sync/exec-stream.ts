import { randomBytes } from 'node:crypto'
import type { ExecEnd, ExecStream } from '../kube/kube.ts'
import { delay } from '../lib/async.ts'
import { linkHash } from '../lib/content.ts'
import { DevkitError, messageOf } from '../lib/errors.ts'
import type { Step } from '../lib/step.ts'
import { execScript } from './exec-script.ts'
import { AckMaker, type Answer, bigBytes, deepestFirst, partBytes, progressOf, smallBytes } from './sending.ts'
import { type Content, type FileSource, isNotRead, type NotRead, openSource, readAttempts, readSmall } from './source.ts'
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

/** From so many changes on they are made together. */
const few = 4

interface Write {
  readonly write: FileWrite
  readonly root: string
}

interface Delete {
  readonly path: string
  readonly root: string
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
    const below = (path: string): string | undefined => {
      const root = rootOf(batch.roots, path)
      if (root === undefined)
        made.refuse({ target: path, reason: 'outside', why: `${path} is not below ${batch.roots.join(', ')}` })
      return root
    }
    const deletes = batch.deletes.flatMap((path) => {
      const root = below(path)
      return root === undefined ? [] : [{ path, root }]
    })
    const writes = batch.writes.flatMap((write) => {
      const root = below(write.target)
      return root === undefined ? [] : [{ write, root }]
    })
    await this.#delete(shell, deletes, made)
    const isBig = ({ write }: Write): boolean => write.kind === 'file' && write.bytes > bigBytes
    const single = await this.#together(shell, writes, made, step)
    await inTurn(
      single.filter((one) => !isBig(one)),
      shell,
      step,
      ({ write, root }) => this.#small(shell, container, write, root, made, step),
    )
    for (const { write, root } of single.filter(isBig))
      if (write.kind === 'file') await this.#inParts(container, write, root, made, step)
    return made.ack()
  }

  /** What is in one directory goes by one program; what stays (directories, what is refused) is looked at alone, the innermost first. */
  async #delete(shell: Shell, deletes: readonly Delete[], made: AckMaker): Promise<void> {
    const left: Delete[] = []
    const together: Delete[] = []
    for (const one of deletes) {
      const { path } = one
      if (shell.mountAt(path))
        made.refuse({ target: path, reason: 'in the way', why: `${path} is a mount in the container, it cannot be deleted` })
      else if (shell.mountBelow(path)) made.deleted(path, { how: 'kept', what: '' })
      else if (deletes.length <= few) left.push(one)
      else together.push(one)
    }
    const commands = groups(together, ({ path, root }) => `${root}\n${upper(path)}`).map(async (group) => {
      const [{ path: first, root }] = group as [Delete]
      const words = group.map(({ path }) => quoted(path))
      const directory = quoted(upper(first))
      const stays = await shell.run(
        [
          `if [ -d ${directory} ] && inside ${quoted(root)} ${quoted(first)} ${directory}; then rm -f -- ${words.join(' ')} 2>/dev/null; fi`,
          ...words.map((word, index) => `[ -e ${word} ] || [ -L ${word} ] && say ${index} left`),
        ].join('\n'),
      )
      const still = new Set(stays.map(({ call }) => call))
      for (const [index, one] of group.entries())
        if (still.has(index)) left.push(one)
        else made.deleted(one.path, { how: 'ok', what: '' })
    })
    await Promise.all(commands)
    const order = new Map(deepestFirst(left.map(({ path }) => path)).map((path, index) => [path, index]))
    const ordered = left.toSorted((a, b) => (order.get(a.path) ?? 0) - (order.get(b.path) ?? 0))
    const answers = ordered.map(async ({ path, root }) => made.deleted(path, await shell.call('del', [root, path, upper(path)])))
    await Promise.all(answers)
  }

  /**
   * Many small files: one archive is unpacked into a directory beside each file's place, then each directory's files are moved by one program, each
   * in one step. Hands back what has to go alone: few files, big ones, what needs another owner, and all where that way failed.
   */
  async #together(shell: Shell, writes: readonly Write[], made: AckMaker, step: Step): Promise<readonly Write[]> {
    const isFit = ({ write }: Write): boolean =>
      write.kind === 'file' && write.bytes <= smallBytes && !shell.mountAt(write.target)
    const candidates = writes.filter(isFit)
    if (candidates.length <= few) return writes
    const single: Write[] = writes.filter((one) => !isFit(one))
    for (const part of inPortions(candidates)) {
      step.signal.throwIfAborted()
      single.push(...(await this.#unpack(shell, part, made)))
    }
    return single
  }

  async #unpack(shell: Shell, writes: readonly Write[], made: AckMaker): Promise<readonly Write[]> {
    const directories = groups(writes, ({ write, root }) => `${root}\n${upper(write.target)}`)
    const numbered = new Map(writes.map((one, index) => [one, index]))
    const answers = await shell.run(
      directories
        .map((group) => {
          const [{ write, root }] = group as [Write]
          const directory = quoted(upper(write.target))
          const fits = group.map((one) => `fits ${numbered.get(one)} ${quoted(one.write.target)} ${directory}`)
          return `if place ${quoted(root)} ${quoted(write.target)} ${directory}; then\n${fits.join('\n')}\nfi`
        })
        .join('\n'),
    )
    const fitting = new Set(answers.filter(({ how }) => how === 'fits').map(({ call }) => call))
    const single = new Set(writes)
    const archive: Uint8Array[] = []
    const moves: {
      readonly stage: string
      readonly directory: string
      readonly files: Map<Write, { name: string; content: Content }>
    }[] = []
    for (const group of directories) {
      const directory = upper((group[0] as Write).write.target)
      const stage = shell.temporary(directory)
      const files = new Map<Write, { name: string; content: Content }>()
      for (const one of group) {
        if (!fitting.has(numbered.get(one) ?? -1) || one.write.kind !== 'file') continue
        const content = readSmall(one.write, smallBytes)
        if (content === undefined || isNotRead(content)) continue
        const name = one.write.target.slice(one.write.target.lastIndexOf('/') + 1)
        archive.push(...archived(`${stage}/${name}`.slice(1), content, shell.owner))
        files.set(one, { name, content })
      }
      if (files.size > 0) moves.push({ stage, directory, files })
    }
    if (moves.length === 0) return writes
    const data = Buffer.concat([...archive, Buffer.alloc(1024)])
    const clean = `rm -rf -- ${moves.map(({ stage }) => quoted(stage)).join(' ')}`
    const lines = await shell.run(
      [
        `T=${quoted(clean)}`,
        `if unpack ${data.length}; then`,
        ...moves.flatMap(({ stage, directory, files }) => [
          `mv -f ${[...files.values()].map(({ name }) => quoted(`${stage}/${name}`)).join(' ')} ${quoted(`${directory === '/' ? '' : directory}/`)} 2>/dev/null`,
          ...[...files].map(([one, { name }]) => {
            const word = quoted(`${stage}/${name}`)
            return `[ -e ${word} ] || say ${numbered.get(one)} ok`
          }),
        ]),
        'eval "$T"; T=; fi',
      ].join('\n'),
      data,
    )
    const done = new Set(lines.filter(({ how }) => how === 'ok').map(({ call }) => call))
    for (const { files } of moves)
      for (const [one, { content }] of files) {
        if (!done.has(numbered.get(one) ?? -1)) continue
        single.delete(one)
        made.written(one.write.target, content.data.length, content.hash, { how: 'ok', what: '' })
      }
    return [...single]
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

/** One after the other down the stream, the answers all together; now and then others have their turn. */
async function inTurn<T>(items: readonly T[], shell: Shell, step: Step, work: (item: T) => Promise<void>): Promise<void> {
  const answers: Promise<void>[] = []
  try {
    for (const [index, item] of items.entries()) {
      if (index % 64 === 0) {
        await shell.drained()
        step.signal.throwIfAborted()
      }
      const answer = work(item)
      // awaited all together below: until then a failure is nobody's
      answer.catch(() => undefined)
      answers.push(answer)
    }
    await Promise.all(answers)
  } catch (thrown) {
    await Promise.allSettled(answers)
    throw thrown
  }
}

/** So many names fit into one call of a program. */
const groupSize = 500

function groups<T>(items: readonly T[], key: (item: T) => string): readonly (readonly T[])[] {
  return [...Map.groupBy(items, key).values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / groupSize) }, (_, index) =>
      group.slice(index * groupSize, (index + 1) * groupSize),
    ),
  )
}

/** Parts of a batch that are unpacked together: what the shell gets as one text stays short, and memory bounded. */
function* inPortions(writes: readonly Write[]): Iterable<readonly Write[]> {
  let portion: Write[] = []
  let bytes = 0
  for (const one of writes) {
    const size = one.write.kind === 'file' ? one.write.bytes : 0
    if (portion.length >= 250 || bytes + size > 2 * 1024 * 1024) {
      yield portion
      portion = []
      bytes = 0
    }
    portion.push(one)
    bytes += size
  }
  if (portion.length > 0) yield portion
}

/** A file as an entry of a tar archive. @see https://www.gnu.org/software/tar/manual/html_node/Standard.html; a long name has an entry of its own before */
function archived(name: string, { data, mode }: Content, owner: Owner): readonly Uint8Array[] {
  const bytes = Buffer.from(name)
  const long =
    bytes.length > 100
      ? [header('././@LongLink', 'L', bytes.length + 1, 0, owner), padded(Buffer.concat([bytes, Buffer.of(0)]))]
      : []
  return [...long, header(bytes.subarray(0, 100), '0', data.length, mode, owner), padded(data)]
}

function header(name: string | Uint8Array, type: string, size: number, mode: number, { user, group }: Owner): Uint8Array {
  const block = Buffer.alloc(512)
  const octalAt = (value: number, at: number, length: number): void =>
    void block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1')
  block.set(typeof name === 'string' ? Buffer.from(name) : name, 0)
  octalAt(mode, 100, 8)
  octalAt(user, 108, 8)
  octalAt(group, 116, 8)
  octalAt(size, 124, 12)
  octalAt(Math.floor(Date.now() / 1000), 136, 12)
  block.write('        ', 148, 'latin1')
  block.write(type, 156, 'latin1')
  block.write('ustar  \0', 257, 'latin1')
  octalAt(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  )
  return block
}

function padded(data: Uint8Array): Uint8Array {
  const rest = data.length % 512
  return rest === 0 ? data : Buffer.concat([data, Buffer.alloc(512 - rest)])
}

/** Who the shell in the container is. */
interface Owner {
  readonly user: number
  readonly group: number
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
  owner: Owner = { user: 0, group: 0 }
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
      const [user = 0, group = 0] = (lines.find(({ how }) => how === 'ok')?.what ?? '').split(' ').map(Number)
      shell.owner = { user, group }
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
