import { linkHash } from '../lib/content.ts'
import { DevkitError } from '../lib/errors.ts'
import type { Step } from '../lib/step.ts'
import { archived } from './archive.ts'
import { type Line, quoted, Shell } from './exec-shell.ts'
import { AckMaker, bigBytes, deepestFirst, partBytes, progressOf, smallBytes, untilSent } from './sending.ts'
import { type Content, type FileSource, isNotRead, type NotRead, openSource, readSmall } from './source.ts'
import {
  type Ack,
  type Batch,
  type ContainerRef,
  type FileWrite,
  SyncGone,
  type SyncSession,
  type SyncTarget,
  type SyncTransport,
} from './transport.ts'

/** Where nodes cannot be entered: a shell in each container, held open through the cluster's API. The image needs `sh`, `dd` and a few more. */
export function execStream(): SyncTransport {
  return { way: 'exec stream', open: async (target, step) => new ExecSession(target, step) }
}

/** So long an API server may say no before it is believed: one that has just begun does not know yet who may what. */
const beginningMs = 3000

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
  /** When the API server began to say no. */
  #refusedSince: number | undefined

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
    const opening = this.#opened(container)
    this.#shells.set(key, opening)
    opening.then(
      (shell) => shell.closed.then(() => this.#shells.delete(key)),
      () => this.#shells.delete(key),
    )
    return opening
  }

  async #opened(container: ContainerRef): Promise<Shell> {
    try {
      const shell = await Shell.open(this.#target, container, this.#signal)
      this.#refusedSince = undefined
      return shell
    } catch (thrown) {
      if (!(thrown instanceof DevkitError) || thrown.code !== 'SYNC-111') throw thrown
      this.#refusedSince ??= performance.now()
      if (performance.now() - this.#refusedSince > beginningMs) throw thrown
      throw new SyncGone('lost', thrown.message, thrown)
    }
  }

  async push(container: ContainerRef, batch: Batch, step: Step): Promise<Ack> {
    const shell = await this.#shell(container)
    const made = new AckMaker(container)
    const below = <T>(path: string, of: (root: string) => T): readonly T[] => {
      const root = made.rootOf(batch, path)
      return root === undefined ? [] : [of(root)]
    }
    const deletes = batch.deletes.flatMap((path) => below(path, (root) => ({ path, root })))
    const writes = batch.writes.flatMap((write) => below(write.target, (root) => ({ write, root })))
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
    // neighbours together: each directory that a portion reaches costs some programs
    const ordered = candidates.toSorted((a, b) => (a.write.target < b.write.target ? -1 : 1))
    for (const part of inPortions(ordered)) {
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
    return untilSent(target, made, step, async () => {
      const content = readSmall(write, smallBytes)
      if (content === undefined) {
        await this.#inParts(container, write, root, made, step)
        return undefined
      }
      if (isNotRead(content)) return content
      const size = String(content.data.length)
      const answer = shell.mountAt(target)
        ? await shell.call('mounted', [size, target, shell.temporary('')], content.data)
        : await shell.call('put', [size, octal(content.mode), root, target, directory, shell.temporary(directory)], content.data)
      made.written(target, content.data.length, content.hash, answer)
      return undefined
    })
  }

  /** A big file, in parts, through a shell of its own. How many bytes come is said before; when they do not come, or are not good, the shell is ended. */
  #inParts(container: ContainerRef, write: FileSource, root: string, made: AckMaker, step: Step): Promise<void> {
    return untilSent(write.target, made, step, () => this.#inPartsOnce(container, write, root, made, step))
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
    const shell = await this.#shell(container)
    const asked: Promise<readonly Line[]>[] = []
    // the names of a whole tree as one text would be megabytes
    for (let from = 0; from < targets.length; from += groupSize) {
      await shell.drained()
      const group = targets.slice(from, from + groupSize)
      asked.push(shell.run(group.map((target, index) => `there ${from + index} ${quoted(target)}`).join('\n')))
    }
    return (await Promise.all(asked)).flatMap((missing) => missing.map(({ call }) => call))
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

/** So many names fit into one call of a program, and are asked for at once. */
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

function upper(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/'
}

function octal(mode: number): string {
  return mode.toString(8)
}
