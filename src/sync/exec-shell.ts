import { randomBytes } from 'node:crypto'
import type { ExecEnd, ExecStream } from '../kube/kube.ts'
import { DevkitError, messageOf } from '../lib/errors.ts'
import type { Owner } from './archive.ts'
import { execScript } from './exec-script.ts'
import { type Answer, drained } from './sending.ts'
import { type ContainerRef, type Refusal, SyncGone, type SyncTarget } from './transport.ts'

/** A line that the shell said: which call it answers, how that came out, and what else. */
export interface Line {
  readonly call: number
  readonly how: string
  readonly what: string
}

/** A shell in a container, and what it was asked: it answers in the order of the questions. */
export class Shell implements AsyncDisposable {
  readonly closed: Promise<void>
  readonly #stream: ExecStream
  readonly #gone: () => Promise<SyncGone>
  readonly #waiting: { readonly lines: Line[]; readonly answer: PromiseWithResolvers<readonly Line[]> }[] = []
  readonly #mounts = new Set<string>()
  readonly #mark = randomBytes(4).toString('hex')
  owner: Owner = { user: 0, group: 0 }
  #calls = 0
  #error = ''

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

  /** Waits until what was sent is on its way, and others had their turn. */
  drained(): Promise<void> {
    return drained(this.#stream.stdin)
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

/** A word for the shell. */
export function quoted(word: string): string {
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
