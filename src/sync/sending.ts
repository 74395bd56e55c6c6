import type { Writable } from 'node:stream'
import { delay } from '../lib/async.ts'
import type { Step } from '../lib/step.ts'
import { type NotRead, readAttempts } from './source.ts'
import { type Ack, type Batch, type ContainerRef, type Refusal, rootOf, SyncGone } from './transport.ts'

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

  /** The root that a path of the batch is below; a path outside of all is refused. */
  rootOf({ roots }: Batch, target: string): string | undefined {
    const root = rootOf(roots, target)
    if (root === undefined) this.refuse({ target, reason: 'outside', why: `${target} is not below ${roots.join(', ')}` })
    return root
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

/** Sends a file, and again while it changes meanwhile: `once` says why it could not be read. What cannot be read at last is refused. */
export async function untilSent(
  target: string,
  made: AckMaker,
  step: Step,
  once: () => Promise<NotRead | undefined>,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const notRead = await once()
    if (notRead === undefined) return
    if (notRead.reason !== 'changing' || attempt === readAttempts) return made.refuse({ target, ...notRead })
    step.say(`${target}: the file changed while it was sent, sending it again`)
    await delay(5 * 2 ** attempt, step.signal)
  }
}

const draining = new WeakMap<Writable, Promise<void>>()

/** Waits until what was written is on its way, and others had their turn. */
export function drained(stream: Writable): Promise<void> {
  if (!stream.writableNeedDrain) return new Promise((resolve) => setImmediate(resolve))
  // many may wait for one stream
  const waiting =
    draining.get(stream) ??
    new Promise<void>((resolve) => {
      const done = (): void => {
        stream.off('drain', done).off('close', done)
        draining.delete(stream)
        resolve()
      }
      stream.once('drain', done).once('close', done)
    })
  draining.set(stream, waiting)
  return waiting
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
