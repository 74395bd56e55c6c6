import { DevkitError, type ProblemCode } from '../lib/errors.ts'
import type { Due } from '../sync/replica.ts'
import type { Ack, ContainerRef, Refusal } from '../sync/transport.ts'
import { problemEvent, type Run } from './step.ts'

const firstPauseMs = 1000
const longestPauseMs = 15_000

const words: Readonly<Record<Refusal['reason'], { readonly code: ProblemCode; readonly hint: string }>> = {
  'no space': { code: 'SYNC-104', hint: 'Make room in the container or raise the limit of its volume; devkit tries again.' },
  'read-only': {
    code: 'SYNC-105',
    hint: 'Sync to a path that can be written, or mount a volume there in the dev profile; devkit tries again.',
  },
  'no permission': { code: 'SYNC-106', hint: 'Let the container’s user write there; devkit tries again.' },
  outside: { code: 'SYNC-102', hint: 'Remove the symlink in the container that leads out of the rule’s target.' },
  'in the way': { code: 'SYNC-102', hint: 'Remove what is in the way in the container; devkit tries again.' },
  changing: { code: 'SYNC-102', hint: 'devkit tries again when the file is at rest.' },
  unreadable: { code: 'SYNC-102', hint: 'Make the file readable for yourself, or leave it out: services.….sync[].ignore.' },
  other: { code: 'SYNC-102', hint: 'Check that the path can be written in the container; devkit tries again.' },
}

/** What a container does not take: told once, resolved when it has taken it. */
export class RefusalBook {
  readonly #run: Run
  readonly #service: string
  readonly #ref: ContainerRef
  readonly #refused = new Map<string, Refusal>()
  /** Codes that were told, with what was told. */
  readonly #told = new Map<ProblemCode, string>()
  readonly #inPlace = new Set<string>()
  #pauseMs = firstPauseMs

  constructor(run: Run, service: string, ref: ContainerRef) {
    this.#run = run
    this.#service = service
    this.#ref = ref
  }

  /** Paths in the container that it did not take. */
  get targets(): readonly string[] {
    return [...this.#refused.keys()]
  }

  /** Nothing could be sent at all: told once, resolved when something was. */
  failed(thrown: unknown): void {
    const problem = problemEvent(thrown)
    if (this.#told.has(problem.code)) return
    this.#told.set(problem.code, problem.message)
    this.#run.bus.emit({ ...problem, service: this.#service, object: `Pod/${this.#ref.pod}` })
  }

  /** How long to wait before the next try, longer each time. */
  pauseMs(): number {
    const pause = this.#pauseMs
    this.#pauseMs = Math.min(pause * 2, longestPauseMs)
    return pause
  }

  /** Takes in what became of a batch. */
  note({ batch }: Due, { refused, inPlace, kept }: Ack): void {
    for (const { target } of batch.writes) this.#refused.delete(target)
    for (const target of batch.deletes) this.#refused.delete(target)
    for (const refusal of refused) this.#refused.set(refusal.target, refusal)
    for (const target of inPlace)
      this.#once(target, 'SYNC-108', `${target} is a mount in ${this.#where}: it is written over in place.`)
    for (const target of kept)
      this.#once(target, 'SYNC-109', `${target} stays in ${this.#where}: it holds files that were not synced.`)
  }

  /** Tells what is refused still, and what no longer is. */
  settle(still: (refusals: readonly Refusal[]) => readonly Refusal[]): void {
    const open = new Map<ProblemCode, Refusal[]>()
    const left = new Set(still([...this.#refused.values()]).map(({ target }) => target))
    for (const [target, refusal] of this.#refused) {
      if (!left.has(target)) this.#refused.delete(target)
      else open.set(words[refusal.reason].code, [...(open.get(words[refusal.reason].code) ?? []), refusal])
    }
    for (const code of this.#told.keys()) if (!open.has(code)) this.#resolve(code)
    for (const [code, refusals] of open) this.#tell(code, refusals)
    if (this.#refused.size === 0) this.#pauseMs = firstPauseMs
  }

  /** The container is gone, and its problems with it. */
  clear(): void {
    this.#refused.clear()
    for (const code of this.#told.keys()) this.#resolve(code)
  }

  get #where(): string {
    return `the container ${this.#ref.name} of ${this.#ref.pod}`
  }

  #tell(code: ProblemCode, refusals: readonly Refusal[]): void {
    const [first] = refusals
    if (!first || this.#told.has(code)) return
    const more = refusals.length > 1 ? ` and ${refusals.length - 1} more` : ''
    const message = `${first.target}${more} could not be synced to ${this.#where}: ${first.why}.`
    this.#told.set(code, message)
    const detail =
      refusals.length > 1
        ? refusals
            .slice(0, 50)
            .map(({ why }) => why)
            .join('\n')
        : undefined
    const problem = new DevkitError(code, {
      message,
      hint: words[first.reason].hint,
      detail,
      service: this.#service,
      object: `Pod/${this.#ref.pod}`,
    })
    this.#run.bus.emit(problemEvent(problem))
  }

  #resolve(code: ProblemCode): void {
    this.#told.delete(code)
    this.#run.bus.emit({ type: 'problem.resolved', code, service: this.#service, object: `Pod/${this.#ref.pod}` })
  }

  #once(target: string, code: 'SYNC-108' | 'SYNC-109', message: string): void {
    if (this.#inPlace.has(target)) return
    this.#inPlace.add(target)
    const hint =
      code === 'SYNC-108'
        ? 'A program that reads it at that moment may see half of it: mount the directory, not the file, where that matters.'
        : 'Remove it in the container if it is not needed.'
    const problem = new DevkitError(code, { message, hint, service: this.#service, object: `Pod/${this.#ref.pod}` })
    this.#run.bus.emit(problemEvent(problem, 'warning'))
  }
}
