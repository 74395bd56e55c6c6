import { delay } from '../lib/async.ts'
import { messageOf } from '../lib/errors.ts'
import { ApiFailure } from './kube.ts'

/** How long a server that is away is asked again, in ms: one that is started anew, or a laptop that wakes, needs that. */
const patienceMs = 60_000
const shortestPauseMs = 100
const longestPauseMs = 2000
/** How long a server is away before it is told, in ms. */
const toldAfterMs = 5000
/** So long after a server came back, in ms, it may not yet know who has which right. */
const beginsMs = 15_000

/** Time as those see it who ask again. */
export interface Clock {
  /** In ms. */
  now(): number
  delay(ms: number, signal: AbortSignal): Promise<void>
}

/** The machine's time. */
export const machineClock: Clock = { now: () => performance.now(), delay }

/** The answer is not what was promised: it ended before it was whole. */
export class AnswerCut extends Error {
  constructor(cause: unknown) {
    super('its answer is not a whole JSON document', { cause })
    this.name = 'AnswerCut'
  }
}

/**
 * Asks until there is an answer: again after too many requests, a server that begins or ends, a lost connection.
 * What may have been carried out is sent again only when `isRepeatable`. Pauses grow from 0.1 s to 2 s, and are never shorter than the
 * server asks for. Own code: undici's RetryAgent sees neither why a server says 500 nor that a JSON ended too early.
 * @throws the last failure after a minute, or when no other try changes it; the signal's reason at once when that aborts
 */
export async function retried<T>(
  ask: () => Promise<T>,
  options: {
    readonly isRepeatable: boolean
    readonly presence: Presence
    readonly signal: AbortSignal
    readonly clock?: Clock
  },
): Promise<T> {
  const { isRepeatable, presence, signal, clock = machineClock } = options
  const deadline = clock.now() + patienceMs
  for (let attempt = 0; ; attempt++) {
    try {
      const answer = await ask()
      presence.answered()
      return answer
    } catch (thrown) {
      signal.throwIfAborted()
      presence.failed(thrown)
      const ms = pauseMs(attempt, thrown)
      const isEarlyNo = presence.isJustBack && thrown instanceof ApiFailure && [401, 403].includes(thrown.status)
      if (!(isEarlyNo || isWorthAnotherTry(thrown, isRepeatable)) || clock.now() + ms > deadline) throw thrown
      await clock.delay(ms, signal)
    }
  }
}

/** The pause after a failed attempt, the first being 0: a quarter more or less, so that not all come back at once. */
export function pauseMs(attempt: number, thrown: unknown, random: () => number = Math.random): number {
  const asked = thrown instanceof ApiFailure ? (thrown.retryAfterMs ?? 0) : 0
  return Math.max(asked, Math.min(shortestPauseMs * 2 ** attempt, longestPauseMs) * (0.75 + random() / 2))
}

/** Whether the same request may get another answer, and does no harm. */
export function isWorthAnotherTry(thrown: unknown, isRepeatable: boolean): boolean {
  if (!isPassing(thrown)) return false
  return isRepeatable || isUnheard(thrown)
}

function isPassing(thrown: unknown): boolean {
  if (!(thrown instanceof ApiFailure)) return isConnectionLost(thrown)
  return [429, 500, 502, 503, 504].includes(thrown.status) && !isOfContent(thrown)
}

// server-side apply says so of unknown fields with a 500, and of a webhook that is down, which was waited for already
function isOfContent({ message }: ApiFailure): boolean {
  return /failed to create typed patch object|field not declared in schema|(failed calling|admission|conversion) webhook/.test(
    message,
  )
}

/** Whether the server has certainly done nothing. */
function isUnheard(thrown: unknown): boolean {
  if (thrown instanceof ApiFailure) return thrown.status === 429
  return /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|UND_ERR_CONNECT_TIMEOUT)$/.test(codeOf(thrown))
}

/** Whether the API server was not reached, or went away before it had answered. */
export function isConnectionLost(thrown: unknown): boolean {
  return (
    thrown instanceof AnswerCut ||
    /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/.test(codeOf(thrown)) ||
    /^UND_ERR_(SOCKET|CONNECT_TIMEOUT|HEADERS_TIMEOUT|BODY_TIMEOUT|RES_CONTENT_LENGTH_MISMATCH)$/.test(codeOf(thrown))
  )
}

function codeOf(thrown: unknown): string {
  return (thrown as NodeJS.ErrnoException).code ?? ''
}

/**
 * Whether the API server can be asked, by how all requests to it fare.
 *
 *   there ──failed──► missed ──failed, 5 s later──► away: told ──answered──► there: told
 *     ▲                  │
 *     └─────answered─────┘
 */
export class Presence {
  readonly #tell: (why: string | undefined) => void
  readonly #clock: Pick<Clock, 'now'>
  #missedSince: number | undefined
  #backSince: number | undefined
  #isTold = false

  constructor(tell: (why: string | undefined) => void, clock: Pick<Clock, 'now'> = machineClock) {
    this.#tell = tell
    this.#clock = clock
  }

  /** Whether the server was away a moment ago. */
  get isJustBack(): boolean {
    return this.#backSince !== undefined && this.#clock.now() - this.#backSince < beginsMs
  }

  answered(): void {
    if (this.#missedSince !== undefined) this.#backSince = this.#clock.now()
    this.#missedSince = undefined
    if (this.#isTold) this.#tell(undefined)
    this.#isTold = false
  }

  failed(thrown: unknown): void {
    if (!isPassing(thrown)) {
      // a server that says no is there
      if (thrown instanceof ApiFailure) this.answered()
      return
    }
    this.#missedSince ??= this.#clock.now()
    if (this.#isTold || this.#clock.now() - this.#missedSince < toldAfterMs) return
    this.#isTold = true
    this.#tell(messageOf(thrown))
  }
}
