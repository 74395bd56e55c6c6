import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Run } from '../e2e/tools/devkit.ts'
import { figureOf, type Row, type Target } from './figures.ts'
import { holds, type Reader, type Seen } from './reader.ts'
import { type Stand, say } from './stand.ts'
import { differences, treeHere, treeThere } from './tree.ts'

/** What is synced: on this machine below the project, and in the container. */
export const source = 'examples/django/web/src'
export const target = '/app/src'
/** A path by which a container of the service is known. */
export const marker = `${target}/manage.py`
/** A source file, below `source`, whose value is on the page. */
export const greeting = 'guestbook/greeting.py'

/** Times and way of a run of the benchmark. */
export interface SyncOptions {
  /** Times that each row is measured, where a row is not slow: those say how often they were. */
  readonly n: number
  readonly rows: readonly string[]
  /** Files beside the flagship's own in what is synced. */
  readonly moreFiles: number
  readonly transport: 'node' | 'exec'
}

/** Rows by the words that they are asked for by, each with what measures it. */
export type Rows = Readonly<Record<string, (bench: Bench) => Promise<void>>>

/** Where an environment is. */
export interface Place {
  readonly directory: string
  readonly namespace: string
  /** The container that is its cluster's node. */
  readonly node: string
  /** Where the page is, for clusters whose ports devkit does not map. */
  readonly page?: string | undefined
}

/** One environment under measurement, seen from outside. What goes wrong is kept, so that one bad row does not hide the others. */
export class Bench {
  readonly rows: Row[] = []
  readonly wrong: string[] = []
  readonly stand: Stand
  /** Times that a row is measured. */
  readonly n: number
  readonly transport: 'node' | 'exec'
  /** The project's. */
  readonly directory: string
  readonly reader: Reader
  readonly #namespace: string
  readonly #node: string
  readonly #page: string | undefined
  readonly #asked: readonly string[]
  #run: Run | undefined
  #saves = 0

  constructor(stand: Stand, { n, transport, rows }: SyncOptions, { directory, namespace, node, page }: Place) {
    this.stand = stand
    this.n = n
    this.transport = transport
    this.directory = directory
    this.#namespace = namespace
    this.#node = node
    this.#page = page
    this.#asked = rows
    this.reader = stand.reader(node)
  }

  /** Measures those rows that were asked for. One that fails is wrong, and does not hide the others. */
  async measure(rows: Rows): Promise<void> {
    for (const [id, measure] of Object.entries(rows)) {
      if (!this.#asked.includes(id)) continue
      const began = Date.now()
      try {
        await measure(this)
      } catch (thrown) {
        this.stand.signal.throwIfAborted()
        for (const event of this.#run?.events.slice(-12) ?? []) say(JSON.stringify(event).slice(0, 300))
        say(String((thrown as Error).stack))
        this.wrong.push(`${id}: ${String(thrown)}`)
      }
      say(`${id}: ${Math.round((Date.now() - began) / 1000)} s`)
    }
  }

  /** The same under a running `watch`; in the end both sides are compared. */
  async watching(rows: Rows, ...args: readonly string[]): Promise<void> {
    if (!Object.keys(rows).some((id) => this.#asked.includes(id))) return
    await using run = await this.watch(args)
    this.#run = run
    await this.measure(rows)
    await this.compare()
    this.#run = undefined
    run.kill('SIGINT')
    await run.exited
  }

  /** Starts `watch` and resolves when it watches. */
  async watch(args: readonly string[]): Promise<Run> {
    const run = this.stand.start(this.directory, 'watch', ...args)
    await run.next('action', ({ reason }) => String(reason).startsWith('watching'))
    return run
  }

  /** Both sides are the same, in every container of the service. */
  async compare(): Promise<void> {
    const here = treeHere(join(this.directory, source))
    let wrong: readonly string[] = []
    // what is under way may arrive
    for (let attempt = 0; attempt < 5; attempt++) {
      wrong = (await this.containers()).flatMap(({ pid, id }) =>
        differences(
          here,
          treeThere((script) => this.sh(script), pid, target),
        ).map((what) => `${id.slice(0, 12)} ${what}`),
      )
      if (wrong.length === 0) break
      await delay(1000)
    }
    say(`${here.size} paths compared: ${wrong.length === 0 ? 'the same on both sides' : `${wrong.length} differ`}`)
    this.wrong.push(...wrong.slice(0, 20))
  }

  /** Puts a row into the table. Its target is the node stream's; the exec stream may take twice as long, or what `throughApi` allows. */
  add({ throughApi, ...row }: Row & { readonly throughApi?: Target }): void {
    const { n, p50, p95, unit } = figureOf(row)
    say(`${row.what}: n ${n} · p50 ${p50} · p95 ${p95} ${unit}`)
    const target = this.transport === 'exec' ? (throughApi ?? twiceAsLong(row)) : row.target
    this.rows.push(target === undefined ? row : { ...row, target })
  }

  /** The `watch` that runs. */
  watched(): Run {
    if (!this.#run) throw new Error('nothing watches')
    return this.#run
  }

  /** A path of what is synced, on this machine. */
  at(path: string): string {
    return join(this.directory, source, path)
  }

  /** Content that was never there before. */
  content(bytes: number): string {
    this.#saves += 1
    const token = `save ${this.#saves} ${randomBytes(6).toString('hex')}\n`
    return `${token}${'x'.repeat(Math.max(0, bytes - token.length - 1))}\n`
  }

  /** A greeting that was never on the page, and the file that puts it there. */
  greet(round: number): { readonly greeting: string; readonly content: string } {
    const text = `Greeting ${round} ${randomBytes(4).toString('hex')}`
    return { greeting: text, content: `GREETING = "${text}"\n` }
  }

  /** Saves a file and waits until the containers have it. */
  async put(path: string, content: string, pids: readonly number[]): Promise<void> {
    mkdirSync(dirname(this.at(path)), { recursive: true })
    const { held } = await this.reader.expect(pids, [holds(`${target}/${path}`, content)])
    writeFileSync(this.at(path), content)
    await held
  }

  /** Running containers of the service whose pods stay. */
  async containers(): Promise<readonly Seen[]> {
    const { items } = JSON.parse(this.kubectl('get', 'pods', '-l', 'app=web', '-o', 'json')) as {
      items: readonly { metadata: { uid: string; deletionTimestamp?: string } }[]
    }
    const pods = new Set(
      items.filter(({ metadata }) => metadata.deletionTimestamp === undefined).map(({ metadata }) => metadata.uid),
    )
    return (await this.reader.containers(marker)).filter(({ pod }) => pods.has(pod))
  }

  /** Their first processes, as soon as there are so many. */
  async pids(count = 1): Promise<readonly number[]> {
    for (const deadline = Date.now() + 60_000; Date.now() < deadline; await delay(200)) {
      const found = await this.containers()
      if (found.length === count) return found.map(({ pid }) => pid)
    }
    throw new Error(`the service has not ${count} container${count === 1 ? '' : 's'}`)
  }

  /** Asks for the page until it says so. */
  async page(text: string): Promise<void> {
    const url = this.url()
    for (const deadline = Date.now() + 60_000; Date.now() < deadline; ) if ((await get(url))?.includes(text)) return
    throw new Error(`${url} does not say '${text}'`)
  }

  /** Where the page is. */
  url(): string {
    const opened = this.watched().events.find(({ type, service }) => type === 'forward.opened' && service === 'web')
    return this.#page ?? String(opened?.['url'])
  }

  /** A script in the node; what it prints. */
  sh(script: string): string {
    return this.stand.docker('exec', this.#node, 'sh', '-c', script)
  }

  /** kubectl in the node. */
  kubectl(...args: readonly string[]): string {
    return this.stand.kubectl(this.#node, this.#namespace, ...args)
  }
}

function twiceAsLong({ unit, target }: Row): Target | undefined {
  const factor = { ms: 2, 'MB/s': 0.5 }[unit as string] ?? 1
  return target && Object.fromEntries(Object.entries(target).map(([name, bound]) => [name, bound * factor]))
}

/** The page, undefined when nobody serves it. */
export async function get(url: string): Promise<string | undefined> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2000), headers: { connection: 'close' } })
    return answer.ok ? await answer.text() : undefined
  } catch {
    return undefined
  }
}
