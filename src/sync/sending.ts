import type { Step } from '../lib/step.ts'
import { type Ack, type ContainerRef, type Refusal, SyncGone } from './transport.ts'

/** A part of a file on its way. */
export const partBytes = 512 * 1024
/** Up to here a file is one frame, read in one go. */
export const smallBytes = 256 * 1024
/** From here a file is expected to take long enough to be told of, and to have a stream of its own. */
export const bigBytes = 4 * 1024 * 1024

/** How a change came out: `ok`, `in place`, `kept`, `ended`, or the reason of a refusal. */
export interface Answer {
  readonly how: 'ok' | 'in place' | 'kept' | 'ended' | Refusal['reason']
  readonly what: string
}

/** Collects what became of a batch. */
export class AckMaker {
  readonly #container: ContainerRef
  readonly #sent = new Map<string, string>()
  readonly #inPlace: string[] = []
  readonly #kept: string[] = []
  readonly #refused: Refusal[] = []
  #files = 0
  #bytes = 0
  #deleted = 0

  constructor(container: ContainerRef) {
    this.#container = container
  }

  refuse(refusal: Refusal): void {
    this.#refused.push(refusal)
  }

  /** @throws SyncGone when the container said that it has ended */
  written(target: string, bytes: number, hash: string | undefined, { how, what }: Answer): void {
    if (how !== 'ok' && how !== 'in place') {
      this.#no(target, { how, what })
      return
    }
    if (how === 'in place') this.#inPlace.push(target)
    if (hash !== undefined) this.#sent.set(target, hash)
    this.#files++
    this.#bytes += bytes
  }

  /** @throws SyncGone as above */
  deleted(target: string, answer: Answer): void {
    if (answer.how === 'ok') this.#deleted++
    else this.#no(target, answer)
  }

  #no(target: string, { how, what }: Answer): void {
    const { pod, name } = this.#container
    if (how === 'ended') throw new SyncGone('ended', `The container ${name} of the pod ${pod} runs no more.`)
    if (how === 'kept') this.#kept.push(target)
    else {
      const why = what.includes(target) ? what : `${target}: ${what}`
      this.refuse({ target, reason: how === 'ok' || how === 'in place' ? 'other' : how, why })
    }
  }

  ack(): Ack {
    // a directory that stays keeps those that it is in: the innermost is told
    const kept = this.#kept.filter((path) => !this.#kept.some((other) => other.startsWith(`${path}/`)))
    return {
      files: this.#files,
      bytes: this.#bytes,
      deleted: this.#deleted,
      sent: this.#sent,
      inPlace: this.#inPlace,
      kept,
      refused: this.#refused,
    }
  }
}

/** Files before the directories that they are in. */
export function deepestFirst(paths: readonly string[]): readonly string[] {
  const depth = (path: string): number => path.split('/').length
  return paths.toSorted((a, b) => depth(b) - depth(a))
}

/** Says how far a big file is, at most once a second. */
export function progressOf(target: string, bytes: number, step: Step): (more: number) => void {
  let done = 0
  let told = performance.now()
  return (more) => {
    done += more
    if (performance.now() - told < 1000) return
    told = performance.now()
    step.say(`${target}: ${Math.round(done / 1e6)} of ${Math.round(bytes / 1e6)} MB`)
  }
}
