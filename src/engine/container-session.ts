import type { Restart, SyncRun } from '../config/schema.ts'
import type { Files } from '../host/host.ts'
import { delay } from '../lib/async.ts'
import { DevkitError } from '../lib/errors.ts'
import { gitIgnoreRules, ignoring } from '../lib/ignore.ts'
import { askFifo, killedFile, pidFile, startedFile } from '../render/transforms/supervisor.ts'
import type { RestartChoice } from '../sync/infer-restart.ts'
import { Ledger } from '../sync/ledger.ts'
import { sourceOf } from '../sync/mapping.ts'
import type { Due, Replica } from '../sync/replica.ts'
import { type Batch, type Refusal, SyncGone, type SyncSession } from '../sync/transport.ts'
import { absent, directory } from '../sync/tree.ts'
import type { WorkingTree } from '../sync/working-tree.ts'
import type { ImageHeld } from './held.ts'
import { RefusalBook } from './refusals.ts'
import { problemEvent, type Run } from './step.ts'

/** What a container's session works with. */
export interface ContainerParts {
  readonly run: Run
  readonly files: Files
  readonly service: string
  readonly tree: WorkingTree
  readonly replica: Replica
  readonly image: ImageHeld
  /** Whether a path of the container is its image's: nothing is mounted over it. */
  readonly isOfImage: (path: string) => boolean
  /** Where it is written down what the container has. */
  readonly ledgerFile: string
  /** The open stream into the container's node; waits until there is one. */
  readonly stream: () => Promise<SyncSession>
  /** `gated`: the program waits for the first difference. `none`: nothing can start the program anew in place. */
  readonly supervision: 'gated' | 'supervised' | 'none'
  /** What a rule asks of the program, by the rule's number. */
  readonly choices: readonly RestartChoice[]
  /** Runs a command in the container. @throws SYNC-112 */
  readonly command: (command: string | readonly string[]) => Promise<void>
  /** Replaces the pod; the one that follows has the working tree before its program starts. */
  readonly replacePod: () => Promise<void>
  /** The program can be started anew neither in place nor with its container, after a save of this time (ms since the epoch): what then. */
  readonly cannotRestart: (since: number) => void
  /** Paths of this machine that changed while they were sent. */
  readonly changedMeanwhile: (paths: readonly string[]) => void
  /** The container runs no more. */
  readonly onEnd: () => void
  /** Told whenever `isCurrent` may have changed. */
  readonly onChange: () => void
}

/**
 * How long a program has to end by itself before it is killed, in ms, where the config does not say it: an idle server takes less, or waits for
 * connections that nobody will close (docs/sync.md).
 */
const defaultGraceMs = 100

interface Asked {
  readonly signals: Set<string>
  readonly commands: Map<string, SyncRun['command']>
  /** How long the program has to end, in ms, when it is to start anew. */
  graceMs: number | undefined
  container: boolean
}

/**
 * Keeps one container equal to the working tree. Its own work goes one after the other, that of other containers beside it.
 *
 *   entered ─► difference ─► push ─► commands ─► gate opens, or the program is started anew ─► current ──a save──► push …
 */
export class ContainerSession {
  readonly #parts: ContainerParts
  readonly #signal: AbortSignal
  readonly #refusals: RefusalBook
  #ledger: Ledger | undefined
  #pumping: Promise<void> | undefined
  #since = Date.now()
  #heard = Date.now()
  #isNew = true
  /** What the parts of the first difference asked of the program. */
  #first: Asked | undefined
  #ended = false
  #leaving = false
  #restarting: Promise<void> | undefined
  #asked: Asked | undefined

  constructor(parts: ContainerParts) {
    this.#parts = parts
    this.#signal = parts.run.signal
    this.#refusals = new RefusalBook(parts.run, parts.service, parts.replica.ref)
  }

  /** Whether the container has the working tree, its program too, as far as it can be had. */
  get isCurrent(): boolean {
    return (
      this.#ended || (!this.#isNew && !this.#parts.replica.isDue && this.#pumping === undefined && this.#restarting === undefined)
    )
  }

  /** How many files the container has otherwise than the working tree. */
  get differing(): number {
    return [...this.#parts.tree.wanted.differing(this.#parts.replica.has)].length
  }

  /** These paths (by number), or all, may have changed; `since` is the time of the first event. */
  changed(numbers: readonly number[] | undefined, since: number): void {
    const { replica } = this.#parts
    if (!replica.isDue) {
      this.#since = since
      this.#heard = Date.now()
    }
    replica.mark(numbers)
    this.go()
  }

  /** Sends what is due. */
  go(): void {
    if (this.#ended || this.#signal.aborted) return
    this.#pumping ??= this.#pump()
      .catch((thrown: unknown) => {
        if (this.#signal.aborted) return
        if (thrown instanceof SyncGone && thrown.reason === 'ended') this.#end()
        else this.#failed(thrown)
      })
      .finally(() => {
        this.#pumping = undefined
        this.#parts.onChange()
      })
  }

  get hasEnded(): boolean {
    return this.#ended
  }

  /** Whether its pod is being replaced by another. */
  get isLeaving(): boolean {
    return this.#leaving
  }

  /** Sends nothing any more. */
  stop(): void {
    this.#ended = true
    this.#refusals.clear()
  }

  /** Resolves when nothing of it runs any more. */
  async idle(): Promise<void> {
    while (this.#pumping || this.#restarting) await Promise.all([this.#pumping, this.#restarting])
  }

  #end(): void {
    if (this.#ended) return
    this.stop()
    this.#parts.onEnd()
  }

  /** Nothing is known of what was to be sent. It is tried again: somebody may give the right that is missing. */
  #failed(thrown: unknown): void {
    this.#refusals.failed(thrown)
    this.#parts.replica.mark()
    delay(this.#refusals.pauseMs(), this.#signal).then(
      () => this.go(),
      () => undefined,
    )
  }

  async #pump(): Promise<void> {
    const { replica, tree } = this.#parts
    if (!this.#ledger) await this.#enter()
    while (replica.isDue || this.#isNew) {
      this.#signal.throwIfAborted()
      const numbers = replica.take(tree)
      const files = numbers.filter((number) => tree.wanted.get(number) !== directory).length
      if (this.#isNew && files > 0) this.#tellStale(files)
      const due = await replica.batchFor(numbers, tree, this.#parts.files)
      const asked = due.numbers.length > 0 ? await this.#send(due) : undefined
      if (this.#isNew && asked) this.#first = both(this.#first, asked)
      if (replica.isDue && this.#isNew) continue
      if (this.#isNew) await this.#open(this.#first)
      else if (asked) this.#restart(this.#parts.supervision === 'none' ? inPlace(asked) : asked)
    }
    this.#tellRefused()
  }

  /** What the container has is what its image has, and what was sent to it before. */
  async #enter(): Promise<void> {
    const { files, ledgerFile, tree, replica, image } = this.#parts
    const { ledger, known } = await Ledger.open(files, ledgerFile, { tree, has: replica.has })
    if (!known) await ledger.record([...image.corrected, ...(await this.#look())], (number) => replica.has.get(number))
    this.#ledger = ledger
  }

  /** Looks whether what the build read is there: it may have been put elsewhere, or left out. Returns the paths at which there is something else. */
  async #look(): Promise<readonly number[]> {
    const { tree, replica, image, isOfImage, supervision } = this.#parts
    const { ref, has } = replica
    // another container of the image may have been looked into since this one began
    for (const number of image.corrected) if (isOfImage(tree.paths.name(number))) has.set(number, image.contents.get(number))
    const claimed: number[] = []
    for (let number = 0; number < tree.paths.count; number++)
      // of directories nobody has written down what the image has
      if ((has.get(number) !== absent || tree.wanted.get(number) === directory) && !image.isSeen(number)) claimed.push(number)
    if (claimed.length === 0) return []
    const names = claimed.map((number) => tree.paths.name(number))
    const missing = new Set(await this.#ask((session) => session.probe(ref, [...names, pidFile])))
    // what its program has made or removed is not its image's
    const isFresh = supervision !== 'none' && missing.has(names.length)
    const learned: number[] = []
    for (const [index, number] of claimed.entries()) {
      const before = has.get(number)
      const content = missing.has(index) ? absent : before === absent ? directory : before
      if (content !== before) learned.push(number)
      has.set(number, content)
      if (isFresh && isOfImage(names[index] ?? '')) image.see(number, content)
    }
    return learned
  }

  /** Asks the stream, and again when it breaks. */
  async #ask<T>(question: (session: SyncSession) => Promise<T>): Promise<T> {
    for (;;) {
      const session = await this.#parts.stream()
      try {
        return await question(session)
      } catch (thrown) {
        if (!(thrown instanceof SyncGone) || thrown.reason === 'ended') throw thrown
        await delay(100, this.#signal)
      }
    }
  }

  /** Sends a batch and tells what became of it. Returns what its rules ask of the program; undefined when the stream broke. */
  async #send(due: Due): Promise<Asked | undefined> {
    const { replica, tree, run, service, changedMeanwhile } = this.#parts
    const { ref } = replica
    const [since, heard] = [this.#since, this.#heard]
    const step = { signal: this.#signal, say: (line: string) => this.#say(line) }
    await this.#ledger?.intend(due.numbers)
    replica.began(due.numbers)
    const began = Date.now()
    const session = await this.#parts.stream()
    let ack: Awaited<ReturnType<SyncSession['push']>>
    try {
      ack = await session.push(ref, due.batch, step)
    } catch (thrown) {
      if (!(thrown instanceof SyncGone) || thrown.reason === 'ended') throw thrown
      // nobody knows what arrived: all of it again
      replica.mark(due.numbers)
      this.#tellStale(due.numbers.length)
      await delay(100, this.#signal)
      return undefined
    }
    const otherwise = replica.acknowledge(due, ack, tree)
    const asked = this.#askedBy(due.batch, ack.refused)
    const commands = this.#commandsFor(due.batch, ack.refused)
    if (ack.files + ack.deleted > 0)
      run.bus.emit({
        type: 'synced',
        service,
        pod: ref.pod,
        container: ref.name,
        files: ack.files,
        bytes: ack.bytes,
        deleted: ack.deleted,
        ms: Math.max(0, Date.now() - since),
        ...(asked && !this.#isNew ? { restarted: true } : {}),
        stages: { debounce: Math.max(0, heard - since), hash: Math.max(0, began - heard), send: Date.now() - began },
      })
    await this.#ledger?.record(due.numbers, (number) => replica.has.get(number))
    this.#refusals.note(due, ack)
    if (ack.refused.length > 0) this.#retryLater()
    if (otherwise.length > 0) changedMeanwhile(otherwise.flatMap((number) => tree.sourceOf(tree.paths.name(number)) ?? []))
    for (const command of commands) await this.#runCommand(command)
    return asked
  }

  #say(line: string): void {
    this.#parts.run.bus.emit({ type: 'step.output', step: `sync/${this.#parts.service}`, stream: 'stdout', line })
  }

  #tellStale(files: number): void {
    const { run, service, replica } = this.#parts
    run.bus.emit({ type: 'stale', service, pod: replica.ref.pod, container: replica.ref.name, files })
  }

  #tellRefused(): void {
    const { replica, tree } = this.#parts
    this.#refusals.settle((refusals) => replica.stillRefused(refusals, tree))
  }

  /** What was refused is tried again: somebody may make room, or change the container. */
  #retryLater(): void {
    const numbers = this.#refusals.targets.flatMap((target) => this.#parts.tree.paths.find(target) ?? [])
    delay(this.#refusals.pauseMs(), this.#signal).then(
      () => this.changed(numbers, Date.now()),
      () => undefined,
    )
  }

  /** Rules whose files are in the batch, by their numbers. */
  #rulesOf(batch: Batch, refused: readonly Refusal[]): ReadonlyMap<number, readonly string[]> {
    const { tree } = this.#parts
    const not = new Set(refused.map(({ target }) => target))
    const rules = new Map<number, string[]>()
    for (const target of [...batch.writes.map((write) => write.target), ...batch.deletes]) {
      if (not.has(target)) continue
      const mapping = tree.mappingOf(target)
      if (!mapping) continue
      const index = tree.mappings.indexOf(mapping)
      const targets = rules.get(index) ?? []
      targets.push(target)
      rules.set(index, targets)
    }
    return rules
  }

  #askedBy(batch: Batch, refused: readonly Refusal[]): Asked | undefined {
    const asked: Asked = { signals: new Set(), commands: new Map(), graceMs: undefined, container: false }
    for (const index of this.#rulesOf(batch, refused).keys()) addTo(asked, this.#parts.choices[index]?.restart ?? 'none')
    return isNothing(asked) ? undefined : asked
  }

  /** Commands whose patterns match what was sent, each once, in the order of the rules. */
  #commandsFor(batch: Batch, refused: readonly Refusal[]): readonly SyncRun['command'][] {
    const { tree } = this.#parts
    const commands: SyncRun['command'][] = []
    for (const [index, targets] of this.#rulesOf(batch, refused)) {
      const mapping = tree.mappings[index]
      if (!mapping || mapping.rule.run.length === 0) continue
      const paths = targets.map((target) => target.slice(mapping.to === '/' ? 1 : mapping.to.length + 1))
      for (const { paths: patterns, command } of mapping.rule.run) {
        const fits = ignoring(gitIgnoreRules(patterns))
        if (paths.some((path) => fits(path === '' ? ((sourceOf(mapping, mapping.to) ?? '').split('/').at(-1) ?? '') : path)))
          commands.push(command)
      }
    }
    return commands
  }

  async #runCommand(command: SyncRun['command']): Promise<void> {
    try {
      await this.#parts.command(command)
    } catch (thrown) {
      this.#signal.throwIfAborted()
      this.#parts.run.bus.emit(problemEvent(thrown))
    }
  }

  /** The container has its first difference: its program may start, or has to start anew where it has read what was there before. */
  async #open(asked: Asked | undefined): Promise<void> {
    const { replica, supervision } = this.#parts
    this.#isNew = false
    if (supervision === 'gated') {
      // only a supervisor that listens has put away what another container of its pod left
      const listens = await this.#told('ping')
      const started = (await this.#ask((session) => session.probe(replica.ref, [pidFile]))).length === 0
      if (listens && !started && (await this.#told('go'))) return
    }
    // another pod would not have waited either, and begun with the old files again
    if (asked) this.#restart(inPlace(asked))
  }

  /** Tells the supervisor something; waits for one that has just begun. False when there is none: the image has no mkfifo. */
  async #told(line: string): Promise<boolean> {
    const { ref } = this.#parts.replica
    const giveUp = Date.now() + 3000
    for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, 20)) {
      if (await this.#ask((session) => session.tell(ref, askFifo, line))) return true
      if (Date.now() > giveUp) return false
      await delay(pauseMs, this.#signal)
    }
  }

  /** Several wishes while one is fulfilled become one more. */
  #restart(asked: Asked): void {
    this.#asked = both(this.#asked, asked)
    this.#restarting ??= this.#restarts()
      .catch((thrown: unknown) => {
        if (this.#signal.aborted) return
        if (thrown instanceof SyncGone && thrown.reason === 'ended') this.#end()
        else this.#parts.run.bus.emit(problemEvent(thrown))
      })
      .finally(() => {
        this.#restarting = undefined
        this.#parts.onChange()
      })
  }

  async #restarts(): Promise<void> {
    const { run, service, replica, replacePod } = this.#parts
    while (this.#asked) {
      const { signals, commands, graceMs, container } = this.#asked
      this.#asked = undefined
      const began = performance.now()
      for (const signal of signals) await this.#ask((session) => session.signal(replica.ref, signal.replace(/^SIG/, '')))
      for (const command of commands.values()) await this.#runCommand(command)
      if (container) {
        this.#leaving = true
        await replacePod()
        return
      }
      const ended = graceMs === undefined ? 'by itself' : await this.#restartProcess(graceMs)
      if (ended === undefined) return
      run.bus.emit({
        type: 'restarted',
        service,
        pod: replica.ref.pod,
        container: replica.ref.name,
        ms: Math.round(performance.now() - began),
        ...(ended === 'killed' ? { killedAfterMs: graceMs } : {}),
      })
    }
  }

  /** How the program before ended, when it runs anew. Undefined when it cannot be restarted in place. */
  async #restartProcess(graceMs: number): Promise<'by itself' | 'killed' | undefined> {
    const { replica, supervision, cannotRestart } = this.#parts
    const number = `${Date.now()}${Math.floor(Math.random() * 1000)}`
    if (supervision === 'none' || !(await this.#told(`restart ${number} ${graceMs / 1000}`))) {
      cannotRestart(this.#since)
      return undefined
    }
    const giveUp = Date.now() + graceMs + 15_000
    for (let pauseMs = 4; ; pauseMs = Math.min(pauseMs * 1.5, 50)) {
      const files = [startedFile(number), killedFile(number)]
      const missing = await this.#ask((session) => session.probe(replica.ref, files))
      if (!missing.includes(0)) return missing.includes(1) ? 'by itself' : 'killed'
      if (Date.now() > giveUp)
        throw new DevkitError('SYNC-107', {
          message: `The program of ${this.#parts.service} in ${replica.ref.pod} was not started anew within 15 s.`,
          hint: 'Look at its log; the next save tries again.',
          service: this.#parts.service,
          object: `Pod/${replica.ref.pod}`,
        })
      await delay(pauseMs, this.#signal)
    }
  }
}

function addTo(asked: Asked, restart: Restart): void {
  if (restart === 'none') return
  if (restart === 'container') asked.container = true
  else if (restart === 'process') asked.graceMs = longer(asked.graceMs, defaultGraceMs)
  else if ('signal' in restart) asked.signals.add(restart.signal)
  else if ('command' in restart) asked.commands.set(JSON.stringify(restart.command), restart.command)
  else {
    const { process: own } = restart
    asked.graceMs = longer(asked.graceMs, own.graceMs)
  }
}

function both(one: Asked | undefined, other: Asked): Asked {
  return {
    signals: new Set([...(one?.signals ?? []), ...other.signals]),
    commands: new Map([...(one?.commands ?? []), ...other.commands]),
    graceMs: longer(one?.graceMs, other.graceMs),
    container: (one?.container ?? false) || other.container,
  }
}

/** The same without another pod. */
function inPlace(asked: Asked): Asked {
  return asked.container ? { ...asked, container: false, graceMs: longer(asked.graceMs, defaultGraceMs) } : asked
}

function longer(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other)
}

function isNothing({ signals, commands, graceMs, container }: Asked): boolean {
  return signals.size === 0 && commands.size === 0 && graceMs === undefined && !container
}
