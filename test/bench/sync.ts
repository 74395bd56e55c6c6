import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { AnyEvent, Run } from '../e2e/tools/devkit.ts'
import type { Row, Target } from './figures.ts'
import { usageOf } from './processes.ts'
import { type Check, holds, type Reader, type Seen } from './reader.ts'
import { type Stand, say } from './stand.ts'
import { differences, treeHere, treeThere } from './tree.ts'

/** Rows that can be chosen, in the order in which they are measured. */
export const syncRows: readonly string[] = [
  'start',
  'idle',
  'save',
  'rename',
  'served',
  'many',
  'branch',
  'torn',
  'kinds',
  'directories',
  'container',
  'big',
  'rebuild',
  'pod',
  'crash',
  'replicas',
  'restart',
  'api',
]

export interface SyncOptions {
  /** Times that each row is measured, where a row is not slow: those say how often they were. */
  readonly n: number
  readonly rows: readonly string[]
  /** Files beside the flagship's own in what is synced. */
  readonly moreFiles: number
  readonly transport: 'node' | 'exec'
}

const project = 'bench-sync'
/** What is synced: on this machine below the project, and in the container. */
const source = 'examples/django/web/src'
const target = '/app/src'
/** A path by which a container of the service is known. */
const marker = `${target}/manage.py`
const greeting = 'guestbook/greeting.py'
const [manyFiles, changedFiles, deletedFiles] = [200, 3000, 300]

/** All that issue the figures of hot sync need, seen from outside devkit: files through the node, pages through their URL. */
export async function sync(
  stand: Stand,
  options: SyncOptions,
): Promise<{ readonly rows: readonly Row[]; readonly wrong: readonly string[] }> {
  const { moreFiles } = options
  const asked = (row: string): boolean => options.rows.includes(row)
  say(`the flagship with ${moreFiles} files more …`)
  const cluster = await makeCluster(stand, options)
  const directory = stand.copyFlagship('more', moreFiles)
  fillBenchFiles(directory)
  const write = (config: Variant = {}): void => configure(stand, directory, options, config)
  write()
  await stand.end(directory, 'up')
  const bench = new Bench(stand, options, { directory, namespace: project, node: `${cluster}-control-plane` })
  if (asked('start')) await bench.starts(`start of watch, with ${moreFiles} files more`, { most: 2500 })
  if (options.rows.some((row) => !['start', 'replicas', 'restart'].includes(row))) {
    await bench.watching([], async () => {
      if (asked('idle')) await bench.idle(`idle, with ${moreFiles} files more`, 140)
      if (asked('save')) await bench.saves('save', 'one save of 4 KB → readable in the container', inPlace, { p50: 20, p95: 50 })
      if (asked('rename')) await bench.saves('rename', 'the same by write-to-temp and rename', byRename, { p50: 20, p95: 50 })
      if (asked('served')) await bench.served()
      if (asked('many')) await bench.many()
      if (asked('branch')) await bench.branch()
      if (asked('torn')) await bench.torn()
      if (asked('kinds')) await bench.kinds()
      if (asked('directories')) await bench.directories()
      if (asked('container')) await bench.container()
      if (asked('big')) await bench.big()
      if (asked('rebuild')) await bench.rebuild()
      if (asked('pod')) await bench.replaced('pod')
      if (asked('crash')) await bench.replaced('crash')
      await bench.compare()
    })
  }
  if (asked('replicas')) {
    write({ replicas: 3 })
    await bench.watching([], async () => {
      await bench.saves('replicas', 'the same with 3 replicas, all of them', inPlace, { p95: 80 }, 3)
      await bench.compare()
    })
  }
  if (asked('restart')) {
    write({ restart: true })
    await bench.watching([], async () => {
      await bench.restart()
      await bench.compare()
    })
  }
  // last: controllers that lose their lease over it start anew, and are slow for a while
  if (asked('api')) {
    write()
    await bench.watching([], async () => {
      await bench.api()
      await bench.compare()
    })
  }
  const rows = [...bench.rows]
  if (asked('start') || asked('idle')) {
    const plain = stand.copyFlagship('plain', 0)
    configure(stand, plain, options, {})
    await stand.end(plain, 'up', '--env', 'plain')
    const small = new Bench(stand, options, { directory: plain, namespace: `${project}-plain`, node: `${cluster}-control-plane` })
    if (asked('start')) await small.starts('start of watch on an environment that is up', { most: 1500 }, ['--env', 'plain'])
    if (asked('idle')) await small.watching(['--env', 'plain'], () => small.idle('idle', 120))
    rows.push(...small.rows)
  }
  return { rows, wrong: bench.wrong }
}

/** The cluster that is devkit's own, or one that exists already, for the way through the API. */
async function makeCluster(stand: Stand, { transport }: SyncOptions): Promise<string> {
  const name = transport === 'node' ? `devkit-${project}` : `${project}-existing`
  stand.ownCluster(name)
  if (transport === 'exec') {
    say('kind create cluster …')
    mkdirSync(join(stand.scratch, 'home/.kube'), { recursive: true })
    const kubeconfig = join(stand.scratch, 'home/.kube/config')
    stand.kind('create', 'cluster', '--name', name, '--image', stand.settings.nodeImage, '--kubeconfig', kubeconfig)
  }
  return name
}

/** What a part of the rows needs to be different in the config. */
interface Variant {
  readonly replicas?: number
  /** The program does not reload itself: devkit restarts it. */
  readonly restart?: boolean
}

function configure(stand: Stand, directory: string, { transport }: SyncOptions, { replicas, restart }: Variant): void {
  stand.writeConfig(directory, (config) => {
    config.project = project
    if (transport === 'exec') Object.assign(config, { cluster: { existing: { context: `kind-${project}-existing` } } })
    const web = config.services?.['web']
    const dev = config.profiles?.['dev']
    const overlay = dev?.services?.['web']
    const [rule] = web?.sync ?? []
    if (!dev || !overlay || !rule) throw new Error('the flagship has no service web with a sync rule and a dev profile')
    rule.restart = restart ? 'process' : 'none'
    if (restart) overlay.args = (overlay.args ?? []).filter((arg) => !arg.startsWith('--reload'))
    if (replicas !== undefined) {
      dev.maxReplicas = replicas
      overlay.replicas = replicas
    }
  })
}

/** Files that the rows change; they are in the image from the beginning. */
function fillBenchFiles(directory: string): void {
  const at = (path: string): string => join(directory, source, path)
  for (const folder of ['bench/many', 'bench/branch']) mkdirSync(at(folder), { recursive: true })
  writeFileSync(at('bench/save.txt'), 'nothing yet\n')
  for (let file = 0; file < manyFiles; file++) writeFileSync(at(`bench/many/${file}.txt`), 'nothing yet\n')
  for (let file = 0; file < changedFiles + deletedFiles; file++) writeFileSync(at(`bench/branch/${file}.txt`), 'branch 0\n')
}

/** A way of saving. */
type Save = (path: string, content: string | Uint8Array) => void

const inPlace: Save = (path, content) => writeFileSync(path, content)
const byRename: Save = (path, content) => {
  writeFileSync(`${path}~`, content)
  renameSync(`${path}~`, path)
}

/** The rows of one environment. What goes wrong is kept, so that one bad row does not hide the others. */
class Bench {
  readonly rows: Row[] = []
  readonly wrong: string[] = []
  readonly #stand: Stand
  readonly #options: SyncOptions
  readonly #place: { readonly directory: string; readonly namespace: string; readonly node: string }
  readonly #reader: Reader
  #run: Run | undefined
  #saves = 0

  constructor(
    stand: Stand,
    options: SyncOptions,
    place: { readonly directory: string; readonly namespace: string; readonly node: string },
  ) {
    this.#stand = stand
    this.#options = options
    this.#place = place
    this.#reader = stand.reader(place.node)
  }

  /** Runs `watch` until the work is done. */
  async watching(args: readonly string[], work: () => Promise<void>): Promise<void> {
    await using run = await this.#watch(args)
    this.#run = run
    await work()
    this.#run = undefined
    run.kill('SIGINT')
    await run.exited
  }

  async #watch(args: readonly string[]): Promise<Run> {
    const run = this.#stand.start(this.#place.directory, 'watch', ...args)
    await run.next('action', ({ reason }) => String(reason).startsWith('watching'))
    return run
  }

  /** Start of `watch`, until it says that it watches; a save then proves that it does. */
  async starts(what: string, limit: Target, args: readonly string[] = []): Promise<void> {
    const ms: number[] = []
    for (let round = 0; round < Math.min(this.#options.n, 10); round++) {
      const began = performance.now()
      await using run = await this.#watch(args)
      ms.push(performance.now() - began)
      const content = this.#content(100)
      const { held } = await this.#reader.expect(await this.#pids(), [holds(`${target}/start.txt`, content)])
      writeFileSync(this.#at('start.txt'), content)
      await held
      run.kill('SIGINT')
      await run.exited
    }
    this.#add({ id: 'start', what, unit: 'ms', values: ms, target: limit })
  }

  /** Memory and CPU of all of devkit's processes while nothing happens. */
  async idle(what: string, mostMiB: number): Promise<void> {
    const run = this.#watched()
    await delay(5000)
    const [before, began] = [usageOf(run.pid), performance.now()]
    const memory: number[] = []
    for (let sample = 0; sample < 20; sample++) {
      await delay(1000)
      memory.push(usageOf(run.pid).rssMiB)
    }
    const after = usageOf(run.pid)
    const cpu = (100 * (after.cpuMs - before.cpuMs)) / (performance.now() - began)
    const note = `${after.processes} process${after.processes === 1 ? '' : 'es'}`
    this.#add({ id: 'idle', what: `${what}: RSS`, unit: 'MiB', values: memory, target: { most: mostMiB }, note })
    this.#add({ id: 'idle', what: `${what}: CPU of a core, over 20 s`, unit: '%', values: [cpu], target: { most: 0.5 } })
  }

  /** Lone saves of one file, into all containers. */
  async saves(id: string, what: string, save: Save, limit: Target, containers = 1): Promise<void> {
    const run = this.#watched()
    const pids = await this.#pids(containers)
    const ms: number[] = []
    const stages = new Map<string, number[]>()
    // the first save opens the stream
    for (let round = -1; round < this.#options.n; round++) {
      const content = this.#content(4096)
      const { held } = await this.#reader.expect(pids, [holds(`${target}/bench/save.txt`, content)])
      const told = run.events.length
      const began = performance.now()
      save(this.#at('bench/save.txt'), content)
      await held
      if (round >= 0) ms.push(performance.now() - began)
      await run.next('synced')
      if (round >= 0) addStages(stages, run.events.slice(told))
      // nobody saves in step with a clock
      await delay(60 + Math.random() * 80)
    }
    this.#add({ id, what, unit: 'ms', values: ms, target: limit })
    for (const [stage, values] of stages) this.#add({ id, what: `  of it, as devkit tells: ${stage}`, unit: 'ms', values })
  }

  /** A save → the page that shows it; the program reloads itself. */
  async served(): Promise<void> {
    const ms: number[] = []
    for (let round = 0; round < Math.min(this.#options.n, 20); round++) {
      const text = this.#greet(round)
      const began = performance.now()
      writeFileSync(this.#at(greeting), text.content)
      await this.#page(text.greeting)
      ms.push(performance.now() - began)
    }
    this.#add({ id: 'served', what: 'one save → served on the page (gunicorn reloads itself)', unit: 'ms', values: ms })
  }

  async many(): Promise<void> {
    const pids = await this.#pids()
    const paths = Array.from({ length: manyFiles }, (_, file) => `bench/many/${file}.txt`)
    const ms: number[] = []
    for (let round = 0; round < this.#options.n; round++) {
      const content = this.#content(1000)
      const { held } = await this.#reader.expect(
        pids,
        paths.map((path) => holds(`${target}/${path}`, content)),
      )
      const began = performance.now()
      for (const path of paths) writeFileSync(this.#at(path), content)
      await held
      ms.push(performance.now() - began)
      await delay(300)
    }
    this.#add({ id: 'many', what: `${manyFiles} files at once → all right`, unit: 'ms', values: ms, target: { p95: 200 } })
  }

  /** To and fro between two branches. */
  async branch(): Promise<void> {
    const pids = await this.#pids()
    const path = (file: number): string => `bench/branch/${file}.txt`
    const changed = Array.from({ length: changedFiles }, (_, file) => path(file))
    const vanishing = Array.from({ length: deletedFiles }, (_, file) => path(changedFiles + file))
    const ms: number[] = []
    const rounds = Math.min(this.#options.n, 10)
    for (let round = 1; round <= rounds; round++) {
      const content = `branch ${round}\n${'y'.repeat(700)}\n`
      const away = round % 2 === 1
      const { held } = await this.#reader.expect(pids, [
        ...changed.map((file) => holds(`${target}/${file}`, content)),
        ...vanishing.map(
          (file): Check => (away ? { kind: 'gone', path: `${target}/${file}` } : holds(`${target}/${file}`, content)),
        ),
      ])
      const began = performance.now()
      for (const file of changed) writeFileSync(this.#at(file), content)
      for (const file of vanishing) {
        if (away) rmSync(this.#at(file))
        else writeFileSync(this.#at(file), content)
      }
      await held
      ms.push(performance.now() - began)
      await delay(500)
    }
    const what = `${changedFiles} files changed and ${deletedFiles} deleted, or made again → all right`
    this.#add({ id: 'branch', what, unit: 'ms', values: ms, target: { most: 3000 } })
  }

  /** A reader in the container never sees half a file. */
  async torn(): Promise<void> {
    const [bytes, path] = [200_000, 'bench/torn.txt']
    const [pid = 0] = await this.#pids()
    const last = { content: Buffer.alloc(0) }
    const save = async (): Promise<void> => {
      const token = randomBytes(8).toString('hex')
      last.content = Buffer.from(token + 'z'.repeat(bytes - 32) + token)
      byRename(this.#at(path), last.content)
    }
    await save()
    await (await this.#reader.expect([pid], [holds(`${target}/${path}`, last.content)])).held
    const seen = { reads: 0, torn: 0, missing: 0 }
    let saves = 0
    while (saves < Math.max(50, this.#options.n) || seen.reads < 100_000) {
      const reading = await this.#reader.torn(pid, `${target}/${path}`, bytes)
      for (let save20 = 0; save20 < 20; save20++) {
        await save()
        saves += 1
        await delay(100 + Math.random() * 100)
      }
      const { reads, torn, missing } = await reading.stop()
      seen.reads += reads
      seen.torn += torn
      seen.missing += missing
    }
    await (await this.#reader.expect([pid], [holds(`${target}/${path}`, last.content)])).held
    const note = `${saves} saves, ${seen.reads} reads: ${seen.torn} torn, ${seen.missing} missing`
    this.#add({
      id: 'torn',
      what: 'reads of a 200 kB file that was not whole',
      unit: 'of n',
      values: [seen.torn + seen.missing],
      target: { most: 0 },
      note,
    })
  }

  /** What a file has beside its content. */
  async kinds(): Promise<void> {
    const pids = await this.#pids()
    const path = 'bench/kind.txt'
    const put = async (checks: readonly Check[], change: () => void): Promise<number> => {
      const { held } = await this.#reader.expect(pids, checks, 5000)
      change()
      return held.then(
        () => 1,
        () => 0,
      )
    }
    const results: Record<'mode' | 'twin' | 'link', number[]> = { mode: [], twin: [], link: [] }
    for (let round = 0; round < 5; round++) {
      const [first, second] = [`${round} first\n`, `${round} other\n`]
      await put([holds(`${target}/${path}`, first)], () => writeFileSync(this.#at(path), first))
      for (const mode of [0o755, 0o644])
        results.mode.push(
          await put([{ kind: 'mode', path: `${target}/${path}`, mode: mode.toString(8) }], () => chmodSync(this.#at(path), mode)),
        )
      const { atime, mtime } = statSync(this.#at(path))
      results.twin.push(
        await put([holds(`${target}/${path}`, second)], () => {
          writeFileSync(this.#at(path), second)
          utimesSync(this.#at(path), atime, mtime)
        }),
      )
      const link = `bench/link-${round}`
      results.link.push(
        await put([{ kind: 'link', path: `${target}/${link}`, to: 'kind.txt' }], () => symlinkSync('kind.txt', this.#at(link))),
      )
    }
    const always: Target = { least: 1 }
    this.#add({ id: 'kinds', what: 'a mode change alone arrives', unit: 'of n', values: results.mode, target: always })
    this.#add({
      id: 'kinds',
      what: 'a save that keeps size and mtime arrives',
      unit: 'of n',
      values: results.twin,
      target: always,
    })
    this.#add({ id: 'kinds', what: 'a symlink stays one', unit: 'of n', values: results.link, target: always })
  }

  /** Directories that go, or get another name. */
  async directories(): Promise<void> {
    const pids = await this.#pids()
    const gone: number[] = []
    for (let round = 0; round < 5; round++)
      for (const way of ['removed', 'renamed']) {
        const [name, other] = [`bench/dir-${round}-${way}`, `bench/dir-${round}-other`]
        mkdirSync(this.#at(`${name}/deep`), { recursive: true })
        const files = ['a.txt', 'deep/b.txt']
        const made = await this.#reader.expect(
          pids,
          files.map((file) => holds(`${target}/${name}/${file}`, file)),
          10_000,
        )
        for (const file of files) writeFileSync(this.#at(`${name}/${file}`), file)
        await made.held
        const { held } = await this.#reader.expect(
          pids,
          [
            { kind: 'gone', path: `${target}/${name}` },
            ...(way === 'renamed' ? files.map((file) => holds(`${target}/${other}/${file}`, file)) : []),
          ],
          5000,
        )
        if (way === 'removed') rmSync(this.#at(name), { recursive: true })
        else renameSync(this.#at(name), this.#at(other))
        gone.push(
          await held.then(
            () => 1,
            () => 0,
          ),
        )
      }
    this.#add({
      id: 'directories',
      what: 'a directory removed or renamed: the old one is gone',
      unit: 'of n',
      values: gone,
      target: { least: 1 },
    })
  }

  /** What the container changes is the container's. */
  async container(): Promise<void> {
    const pids = await this.#pids()
    const own = join(this.#place.directory, source)
    const content = this.#content(100)
    await this.#put('bench/inside.txt', content, pids)
    const before = treeHere(own)
    for (const pid of pids)
      this.#sh(
        `cd /proc/${pid}/root${target}/bench && echo made > made-inside.txt && echo changed > inside.txt && rm -f many/0.txt`,
      )
    // time to do harm: a save, and more than one round of looking again
    await this.#put('bench/save.txt', this.#content(100), pids)
    await delay(5000)
    const after = treeHere(own)
    const harmed = differences(before, after).filter((what) => !what.startsWith('bench/save.txt:'))
    const note = harmed.length > 0 ? harmed[0] : undefined
    this.#add({
      id: 'container',
      what: 'files of the laptop that a change in the container reached',
      unit: 'of n',
      values: [harmed.length],
      target: { most: 0 },
      ...(note === undefined ? {} : { note }),
    })
    // both sides alike again
    for (const pid of pids) this.#sh(`rm -f /proc/${pid}/root${target}/bench/made-inside.txt`)
    await this.#put('bench/inside.txt', this.#content(100), pids)
    await this.#put('bench/many/0.txt', this.#content(1000), pids)
  }

  /** One very big file. */
  async big(): Promise<void> {
    const run = this.#watched()
    const pids = await this.#pids()
    const bytes = 500_000_000
    const block = randomBytes(10_000_000)
    const speed: number[] = []
    const growth: number[] = []
    for (let round = 0; round < 3; round++) {
      const path = 'bench/big.bin'
      const waiting = join(this.#place.directory, 'big.bin')
      rmSync(waiting, { force: true })
      for (let part = 0; part < bytes / block.length; part++) writeFileSync(waiting, block, { flag: 'a' })
      const { held } = await this.#reader.expect(pids, [{ kind: 'size', path: `${target}/${path}`, bytes }], 120_000)
      const before = usageOf(run.pid).rssMiB
      let most = before
      const sampling = setInterval(() => {
        most = Math.max(most, usageOf(run.pid).rssMiB)
      }, 50)
      const began = performance.now()
      renameSync(waiting, this.#at(path))
      await held
      const seconds = (performance.now() - began) / 1000
      clearInterval(sampling)
      speed.push(bytes / 1e6 / seconds)
      growth.push(most - before)
      const hash = this.#sh(`sha256sum < /proc/${pids[0]}/root${target}/${path}`).slice(0, 64)
      const { createHash } = await import('node:crypto')
      const wanted = createHash('sha256')
      for (let part = 0; part < bytes / block.length; part++) wanted.update(block)
      if (hash !== wanted.digest('hex')) this.wrong.push('the 500 MB file is another in the container')
      const gone = await this.#reader.expect(pids, [{ kind: 'gone', path: `${target}/${path}` }])
      rmSync(this.#at(path))
      await gone.held
    }
    this.#add({ id: 'big', what: 'a 500 MB file', unit: 'MB/s', values: speed, target: { least: 150 } })
    this.#add({ id: 'big', what: 'a 500 MB file: growth of RSS', unit: 'MiB', values: growth, target: { most: 64 } })
  }

  /** Saves while the service is rebuilt: in the old container as always, in the new one before it is ready. */
  async rebuild(): Promise<void> {
    const run = this.#watched()
    const dockerfile = join(this.#place.directory, 'examples/django/web/Dockerfile')
    const ms: number[] = []
    const missing: number[] = []
    const rounds = Math.max(1, Math.ceil(Math.min(this.#options.n, 50) / 10))
    for (let round = 0; round < rounds; round++) {
      const old = await this.#containers()
      const from = run.events.length
      writeFileSync(dockerfile, `ENV BENCH=${Date.now()}\n`, { flag: 'a' })
      await run.next('step.started', ({ step }) => step === 'build/web')
      const isReady = (): boolean =>
        run.events.slice(from).some(({ type, service }) => type === 'service.ready' && service === 'web')
      let last = ''
      while (!isReady()) {
        const content = this.#content(4096)
        const { held } = await this.#reader.expect(
          old.map(({ pid }) => pid),
          [holds(`${target}/bench/save.txt`, content)],
          5000,
        )
        const began = performance.now()
        writeFileSync(this.#at('bench/save.txt'), content)
        last = content
        const arrived = await held.then(
          () => true,
          () => false,
        )
        const stillThere = (await this.#reader.containers(marker)).some(({ id }) => old.some((one) => one.id === id))
        if (arrived) ms.push(performance.now() - began)
        // the old container is gone: nothing to see in it
        else if (stillThere) ms.push(Number.POSITIVE_INFINITY)
        await delay(150 + Math.random() * 200)
      }
      const known = new Set(old.map(({ id }) => id))
      const fresh = (await this.#containers()).filter(({ id }) => !known.has(id))
      const { held } = await this.#reader.expect(
        fresh.map(({ pid }) => pid),
        [holds(`${target}/bench/save.txt`, last)],
        100,
      )
      missing.push(
        await held.then(
          () => 0,
          () => 1,
        ),
      )
    }
    this.#add({
      id: 'rebuild',
      what: 'a save while the service is rebuilt → in the old container',
      unit: 'ms',
      values: ms,
      target: { p95: 100 },
    })
    this.#add({
      id: 'rebuild',
      what: 'new containers that were ready without the last save',
      unit: 'of n',
      values: missing,
      target: { most: 0 },
    })
  }

  /** A container crashes, or its pod goes: the synced state is in the next one, and no answer is stale. */
  async replaced(way: 'crash' | 'pod'): Promise<void> {
    const ms: number[] = []
    const stale: number[] = []
    for (let round = 0; round < Math.min(this.#options.n, 20); round++) {
      this.#stand.signal.throwIfAborted()
      // a pod of its own for each crash: the kubelet waits longer after each in the same one
      if (way === 'crash' && round > 0) await this.#deletePod()
      const text = this.#greet(round)
      writeFileSync(this.#at(greeting), text.content)
      await this.#page(text.greeting)
      const before = await this.#containers()
      const { held } = await this.#reader.fresh(marker, await this.#reader.containers(marker), [
        holds(`${target}/${greeting}`, text.content),
      ])
      if (way === 'crash') for (const { pid } of before) this.#sh(`kill -9 ${pid}`)
      else this.#kubectl('delete', 'pod', '-l', 'app=web', '--wait=false')
      const answers = this.#staleAnswers(text.greeting)
      const found = await held.catch((thrown: unknown) => {
        this.wrong.push(`${way}: ${String(thrown)}`)
        return undefined
      })
      if (found) ms.push(found.ms)
      stale.push(await answers)
    }
    const what = way === 'crash' ? 'container crashes' : 'pod deleted'
    this.#add({
      id: way,
      what: `${what}: synced state back after the container's start`,
      unit: 'ms',
      values: ms,
      target: { p95: 300 },
    })
    this.#add({ id: way, what: `${what}: stale answers`, unit: 'of n', values: stale, target: { most: 0 } })
  }

  /** Deletes the pod and waits until its successor serves. */
  async #deletePod(): Promise<void> {
    const before = new Set((await this.#containers()).map(({ id }) => id))
    this.#kubectl('delete', 'pod', '-l', 'app=web', '--wait=true')
    for (;;) {
      const now = await this.#containers().catch(() => [])
      if (now.length > 0 && now.every(({ id }) => !before.has(id))) break
      await delay(100)
    }
    this.#kubectl('wait', 'pod', '-l', 'app=web', '--for=condition=Ready', '--timeout=120s')
  }

  /** How many answers of another text come until the right one has come again, after a time without. */
  async #staleAnswers(text: string): Promise<number> {
    const url = this.#url()
    let stale = 0
    let wasAway = false
    for (const deadline = Date.now() + 120_000; Date.now() < deadline; await delay(2)) {
      const answer = await get(url)
      if (answer === undefined) wasAway = true
      else if (!answer.includes(text)) stale += 1
      else if (wasAway || Date.now() > deadline - 110_000) return stale
    }
    this.wrong.push(`the page did not come back with '${text}'`)
    return stale
  }

  /** A save → the program runs anew. */
  async restart(): Promise<void> {
    const [pid = 0] = await this.#pids()
    const ms: number[] = []
    for (let round = 0; round < this.#options.n; round++) {
      const text = this.#greet(round)
      const known = await this.#reader.programs(pid, 'guestbook.wsgi')
      const { held } = await this.#reader.program(pid, 'guestbook.wsgi', known)
      const began = performance.now()
      writeFileSync(this.#at(greeting), text.content)
      await held
      ms.push(performance.now() - began)
      await this.#page(text.greeting)
    }
    this.#add({
      id: 'restart',
      what: "restart: 'process': save → new process started",
      unit: 'ms',
      values: ms,
      target: { p95: 250 },
    })
  }

  /** The API server does not answer for 10 s; a save is made in the middle of it. */
  async api(): Promise<void> {
    const pids = await this.#pids()
    const ms: number[] = []
    const through = this.#options.transport === 'exec'
    for (let round = 0; round < Math.min(this.#options.n, 3); round++) {
      const content = this.#content(4096)
      const { held } = await this.#reader.expect(pids, [holds(`${target}/bench/save.txt`, content)])
      this.#sh('pkill -STOP kube-apiserver')
      let began = performance.now()
      try {
        await delay(2000)
        began = performance.now()
        writeFileSync(this.#at('bench/save.txt'), content)
        const arrived = held.then(() => performance.now())
        await delay(8000)
        this.#sh('pkill -CONT kube-apiserver')
        // the API's own stream can only bring it when the API is back
        if (through) began = performance.now()
        ms.push(Math.max(0, (await arrived) - began))
      } finally {
        this.#sh('pkill -CONT kube-apiserver')
      }
      await delay(5000)
    }
    this.#add({
      id: 'api',
      what: `API server unreachable for 10 s: a save made meanwhile is there${through ? ' after its return' : ''}`,
      unit: 'ms',
      values: ms,
      target: { most: through ? 1000 : 100 },
    })
  }

  /** Both sides are the same, in every container of the service. */
  async compare(): Promise<void> {
    const here = treeHere(join(this.#place.directory, source))
    let wrong: readonly string[] = []
    // what is under way may arrive
    for (let attempt = 0; attempt < 5; attempt++) {
      wrong = (await this.#containers()).flatMap(({ pid, id }) =>
        differences(
          here,
          treeThere((script) => this.#sh(script), pid, target),
        ).map((what) => `${id.slice(0, 12)} ${what}`),
      )
      if (wrong.length === 0) break
      await delay(1000)
    }
    say(`${here.size} paths compared: ${wrong.length === 0 ? 'the same on both sides' : `${wrong.length} differ`}`)
    this.wrong.push(...wrong.slice(0, 20))
  }

  #add(row: Row): void {
    say(`${row.what}: ${row.values.length} measured`)
    this.rows.push(row)
  }

  #watched(): Run {
    if (!this.#run) throw new Error('nothing watches')
    return this.#run
  }

  #at(path: string): string {
    return join(this.#place.directory, source, path)
  }

  /** Content that was never there before. */
  #content(bytes: number): string {
    this.#saves += 1
    const token = `save ${this.#saves} ${randomBytes(6).toString('hex')}\n`
    return `${token}${'x'.repeat(Math.max(0, bytes - token.length - 1))}\n`
  }

  #greet(round: number): { readonly greeting: string; readonly content: string } {
    const text = `Greeting ${round} ${randomBytes(4).toString('hex')}`
    return { greeting: text, content: `GREETING = "${text}"\n` }
  }

  async #put(path: string, content: string, pids: readonly number[]): Promise<void> {
    mkdirSync(dirname(this.#at(path)), { recursive: true })
    const { held } = await this.#reader.expect(pids, [holds(`${target}/${path}`, content)])
    writeFileSync(this.#at(path), content)
    await held
  }

  /** Running containers of the service whose pods stay. */
  async #containers(): Promise<readonly Seen[]> {
    const { items } = JSON.parse(this.#kubectl('get', 'pods', '-l', 'app=web', '-o', 'json')) as {
      items: readonly { metadata: { uid: string; deletionTimestamp?: string } }[]
    }
    const pods = new Set(
      items.filter(({ metadata }) => metadata.deletionTimestamp === undefined).map(({ metadata }) => metadata.uid),
    )
    return (await this.#reader.containers(marker)).filter(({ pod }) => pods.has(pod))
  }

  async #pids(count = 1): Promise<readonly number[]> {
    for (const deadline = Date.now() + 60_000; Date.now() < deadline; await delay(200)) {
      const found = await this.#containers()
      if (found.length === count) return found.map(({ pid }) => pid)
    }
    throw new Error(`the service has not ${count} container${count === 1 ? '' : 's'}`)
  }

  /** Asks for the page until it says so. */
  async #page(text: string): Promise<void> {
    const url = this.#url()
    for (const deadline = Date.now() + 60_000; Date.now() < deadline; ) if ((await get(url))?.includes(text)) return
    throw new Error(`${url} does not say '${text}'`)
  }

  #url(): string {
    const opened = this.#watched().events.find(({ type, service }) => type === 'forward.opened' && service === 'web')
    return String(opened?.['url'])
  }

  #sh(script: string): string {
    return this.#stand.docker('exec', this.#place.node, 'sh', '-c', script)
  }

  #kubectl(...args: readonly string[]): string {
    return this.#stand.docker(
      'exec',
      this.#place.node,
      'kubectl',
      '--kubeconfig=/etc/kubernetes/admin.conf',
      '-n',
      this.#place.namespace,
      ...args,
    )
  }
}

/** The page, undefined when nobody serves it. */
async function get(url: string): Promise<string | undefined> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2000), headers: { connection: 'close' } })
    return answer.ok ? await answer.text() : undefined
  } catch {
    return undefined
  }
}

function addStages(stages: Map<string, number[]>, events: readonly AnyEvent[]): void {
  const synced = events.find(({ type }) => type === 'synced')
  for (const [stage, ms] of Object.entries((synced?.['stages'] ?? {}) as Readonly<Record<string, number>>))
    stages.set(stage, [...(stages.get(stage) ?? []), ms])
}
