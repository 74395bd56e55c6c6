import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** What a path in a container has to be. */
export type Check =
  | { readonly kind: 'content'; readonly path: string; readonly bytes: number; readonly md5: string }
  | { readonly kind: 'size'; readonly path: string; readonly bytes: number }
  | { readonly kind: 'mode'; readonly path: string; readonly mode: string }
  | { readonly kind: 'link'; readonly path: string; readonly to: string }
  | { readonly kind: 'gone'; readonly path: string }

/** A running container, seen from its node: `pid` is its first process there. */
export interface Seen {
  readonly id: string
  readonly pid: number
  /** uid of its pod. */
  readonly pod: string
}

/** A process in the node that looks into containers: one for all looks, since starting one costs a hundred times what a look does. */
export interface Reader extends AsyncDisposable {
  /** Looks from now on. `held` resolves when every check holds in every container. @throws after `ms` with what did not. */
  expect(pids: readonly number[], checks: readonly Check[], ms?: number): Promise<Held<void>>
  /** Running containers in which there is `marker`. */
  containers(marker: string): Promise<readonly Seen[]>
  /** Looks from now on for a container that is none of `known`, and how many ms it runs before all checks hold. */
  fresh(
    marker: string,
    known: readonly Seen[],
    checks: readonly Check[],
    ms?: number,
  ): Promise<Held<Seen & { readonly ms: number }>>
  /** Reads a file until `stop` is called. Whole is: of this length, and its first 16 bytes equal its last. */
  torn(pid: number, path: string, bytes: number): Promise<{ stop(): Promise<Torn> }>
  /** Programs in a container whose command line has the words. */
  programs(pid: number, words: string): Promise<readonly string[]>
  /** Looks from now on for such a program that is none of `known`. */
  program(pid: number, words: string, known: readonly string[], ms?: number): Promise<Held<void>>
}

/** A look that has begun. */
export interface Held<T> {
  readonly held: Promise<T>
}

export interface Torn {
  readonly reads: number
  readonly torn: number
  readonly missing: number
}

/** Starts a reader in a node. */
export function openReader(docker: string, env: NodeJS.ProcessEnv, node: string): Reader {
  const script = readFileSync(join(import.meta.dirname, 'reader.pl'), 'utf8')
  const child = spawn(docker, ['exec', '-i', node, 'perl', '-e', script], { env, stdio: ['pipe', 'pipe', 'inherit'] })
  const waiting = new Map<number, { began: () => void; resolve: (answer: Answer) => void; reject: (failure: Error) => void }>()
  let last = 0
  createInterface({ input: child.stdout }).on('line', (line) => {
    const answer = JSON.parse(line) as Answer
    const asked = waiting.get(answer.id)
    if (answer.ready) return asked?.began()
    asked?.resolve(answer)
    waiting.delete(answer.id)
  })
  const closed = new Promise<void>((resolve) =>
    child.once('close', () => {
      for (const { reject } of waiting.values()) reject(new Error('the reader in the node has ended'))
      waiting.clear()
      resolve()
    }),
  )
  // whoever waits is told by `close`
  child.stdin.on('error', () => undefined)
  /** Resolves when the reader has understood and looks. */
  const begin = async (request: object): Promise<Held<Answer>> => {
    const id = ++last
    const [began, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<Answer>()]
    waiting.set(id, { began: began.resolve, resolve: answered.resolve, reject: answered.reject })
    child.stdin.write(`${JSON.stringify({ id, ...request })}\n`)
    const held = answered.promise.then((answer) => {
      if (answer.failed !== undefined) throw new Error(`the reader failed: ${answer.failed}`)
      if (answer.late !== undefined)
        throw new Error(
          `not in the container in time: ${answer.late}${answer.left === undefined ? '' : ` and ${answer.left - 1} more`}`,
        )
      return answer
    })
    held.catch(() => undefined)
    await Promise.race([began.promise, held])
    return { held }
  }
  const ask = async (request: object): Promise<Answer> => (await begin(request)).held
  return {
    expect: async (pids, checks, ms = 60_000) => {
      const { held } = await begin({ do: 'wait', pids, checks, ms })
      return { held: held.then(() => undefined) }
    },
    containers: async (marker) => (await ask({ do: 'containers', marker })).containers ?? [],
    fresh: async (marker, known, checks, ms = 120_000) => {
      const { held } = await begin({ do: 'fresh', marker, known: known.map(({ id }) => id), checks, ms })
      return {
        held: held.then(({ container, pid, pod, took }) => ({
          id: container ?? '',
          pid: pid ?? 0,
          pod: pod ?? '',
          ms: took ?? 0,
        })),
      }
    },
    torn: async (pid, path, bytes) => {
      const { held } = await begin({ do: 'torn', pids: [pid], path, bytes })
      return {
        stop: async () => {
          // any other request ends it
          const next = ask({ do: 'containers', marker: '/nothing' })
          const { reads = 0, torn = 0, missing = 0 } = await held
          await next
          return { reads, torn, missing }
        },
      }
    },
    programs: async (pid, words) => (await ask({ do: 'programs', pids: [pid], words })).programs ?? [],
    program: async (pid, words, known, ms = 60_000) => {
      const { held } = await begin({ do: 'program', pids: [pid], words, known, ms })
      return { held: held.then(() => undefined) }
    },
    [Symbol.asyncDispose]: async () => {
      child.stdin.end()
      child.kill('SIGKILL')
      await closed
    },
  }
}

interface Answer {
  readonly id: number
  readonly ready?: boolean
  readonly failed?: string
  readonly late?: string
  readonly left?: number
  readonly containers?: readonly Seen[]
  readonly container?: string
  readonly pid?: number
  readonly pod?: string
  readonly took?: number
  readonly programs?: readonly string[]
  readonly reads?: number
  readonly torn?: number
  readonly missing?: number
}

/** The check that a file holds exactly this. */
export function holds(path: string, content: string | Uint8Array): Check {
  return {
    kind: 'content',
    path,
    bytes: Buffer.byteLength(content),
    md5: createHash('md5').update(content).digest('hex'),
  }
}
