import { randomUUID } from 'node:crypto'
import type { Kube } from '../kube/kube.ts'
import { delay } from '../lib/async.ts'
import { DevkitError } from '../lib/errors.ts'
import type { KubeObject, ObjectRef } from '../lib/objects.ts'
import { ownLabels } from './apply.ts'
import type { Environment } from './own-map.ts'
import { isStatusOf } from './refusal.ts'

/** What of a Lease devkit reads and writes. @see https://kubernetes.io/docs/concepts/architecture/leases/ */
interface LeaseSpec {
  readonly holderIdentity?: string
  readonly leaseDurationSeconds?: number
  readonly acquireTime?: string
  readonly renewTime?: string
}

/** Times of a turn, in ms. */
export interface TurnTimes {
  /** How long a run that says nothing more is believed to be at work. */
  readonly lastsMs: number
  readonly renewMs: number
  /** How often one that waits looks again. */
  readonly lookMs: number
}

/** An API server that is away for a moment must not end a turn; who waits for a run that was killed waits for as long. */
const usual: TurnTimes = { lastsMs: 30_000, renewMs: 5000, lookMs: 500 }

/** Who has the turn. */
export interface TurnHolder {
  /** What it does and where: `devkit up on laptop, pid 12`. */
  readonly who: string
  /** ISO 8601. */
  readonly since: string | undefined
}

/** What a turn is told when it is made. */
export interface TurnOptions {
  /** What others are told of this run. */
  readonly who: string
  /** Told of each run that is waited for. */
  readonly onWait: (holder: TurnHolder) => void
  readonly times?: TurnTimes
}

/**
 * The turn of one run to change an environment that several machines reach: a Lease in the environment's namespace.
 *
 *   free, or not renewed for as long as it lasts ─► take ─► renew … ─► give back
 *   had by another ─► wait, look again ──────────────┘         └─► taken by another after a long silence: lost
 */
export class Turn implements AsyncDisposable {
  readonly #kube: Pick<Kube, 'get' | 'apply' | 'patch'>
  readonly #environment: Environment
  readonly #options: TurnOptions
  readonly #times: TurnTimes
  /** Nobody else has it, not even another run of this process. */
  readonly #identity: string
  readonly #lost = new AbortController()
  readonly #ended = new AbortController()
  #renewing: Promise<void> | undefined

  constructor(kube: Pick<Kube, 'get' | 'apply' | 'patch'>, environment: Environment, options: TurnOptions) {
    this.#kube = kube
    this.#environment = environment
    this.#options = options
    this.#times = options.times ?? usual
    this.#identity = `${options.who}, ${randomUUID().slice(0, 8)}`
  }

  /** Aborts when another run has taken the turn, with CLUSTER-108. */
  get lost(): AbortSignal {
    return this.#lost.signal
  }

  /** Resolves when it is this run's turn; whether it had to wait, so that what was seen before may be otherwise now. @throws ApiFailure */
  async take(signal: AbortSignal): Promise<'at once' | 'after a wait'> {
    if (this.#renewing) return 'at once'
    let seen: { readonly holder: string; readonly renewed: string | undefined; readonly at: number } | undefined
    for (let how: 'at once' | 'after a wait' = 'at once'; ; how = 'after a wait') {
      const lease = await this.#lease(signal)
      const { holderIdentity: holder, renewTime: renewed, acquireTime: since, leaseDurationSeconds = 0 } = specOf(lease)
      if (holder && holder !== this.#identity) {
        if (holder !== seen?.holder) this.#options.onWait({ who: whoOf(holder), since })
        // clocks of two machines differ: what counts is how long it was seen unchanged
        if (holder !== seen?.holder || renewed !== seen.renewed) seen = { holder, renewed, at: performance.now() }
        if (performance.now() - seen.at < leaseDurationSeconds * 1000) {
          await delay(this.#times.lookMs, signal)
          continue
        }
      }
      if (!(await this.#put(lease, signal))) continue
      this.#renewing = this.#renew()
      return holder && holder !== this.#identity ? 'after a wait' : how
    }
  }

  /** Gives the turn back. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort()
    if (!this.#renewing) return
    await this.#renewing
    const mine = { op: 'test', path: '/spec/holderIdentity', value: this.#identity } as const
    // who does not hear of it waits until it is over
    await this.#kube
      .patch(this.#ref, [mine, { op: 'remove', path: '/spec/holderIdentity' }], AbortSignal.timeout(5000))
      .catch(() => undefined)
  }

  get #ref(): ObjectRef {
    return turnRef(this.#environment.namespace)
  }

  async #lease(signal: AbortSignal): Promise<KubeObject> {
    const { project, env, namespace } = this.#environment
    const { apiVersion, kind, name } = this.#ref
    const metadata = { name, namespace, labels: ownLabels(project, env) }
    return (await this.#kube.get(this.#ref, signal)) ?? (await this.#kube.apply({ apiVersion, kind, metadata }, signal))
  }

  /** Whether nobody was faster. */
  async #put({ metadata }: KubeObject, signal: AbortSignal): Promise<boolean> {
    const spec: LeaseSpec = {
      holderIdentity: this.#identity,
      leaseDurationSeconds: Math.ceil(this.#times.lastsMs / 1000),
      acquireTime: now(),
      renewTime: now(),
    }
    const unchanged = { op: 'test', path: '/metadata/resourceVersion', value: metadata.resourceVersion } as const
    return this.#patched([unchanged, { op: 'add', path: '/spec', value: spec }], signal)
  }

  /** Says that this run is still at work, until it ends or another has the turn. */
  async #renew(): Promise<void> {
    const signal = this.#ended.signal
    const mine = { op: 'test', path: '/spec/holderIdentity', value: this.#identity } as const
    for (;;) {
      try {
        await delay(this.#times.renewMs, signal)
        const renewal = { op: 'replace', path: '/spec/renewTime', value: now() } as const
        if (await this.#patched([mine, renewal], signal)) continue
        const holder = specOf(await this.#kube.get(this.#ref, signal)).holderIdentity
        if (holder === this.#identity) continue
        // where the namespace goes, so does everything of the run
        if (holder) this.#lost.abort(takenBy(whoOf(holder), this.#environment))
        return
      } catch {
        // a server that does not answer lets nobody else have it either
        if (signal.aborted) return
      }
    }
  }

  /** Whether the tests of the patch hold. */
  async #patched(operations: Parameters<Kube['patch']>[1], signal: AbortSignal): Promise<boolean> {
    try {
      await this.#kube.patch(this.#ref, operations, signal)
      return true
    } catch (thrown) {
      if (isStatusOf(thrown, 404, 409, 422)) return false
      throw thrown
    }
  }
}

/** The Lease of an environment. */
export function turnRef(namespace: string): ObjectRef {
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', name: 'devkit', namespace }
}

/** Removes the Lease, with the turn of whoever has it: for who has removed all else. A user who may not leaves it. */
export async function forgetTurn(kube: Pick<Kube, 'remove'>, namespace: string, signal: AbortSignal): Promise<void> {
  await kube.remove(turnRef(namespace), signal).catch((thrown: unknown) => {
    if (!isStatusOf(thrown, 403)) throw thrown
  })
}

function takenBy(who: string, { project, env }: Environment): DevkitError {
  return new DevkitError('CLUSTER-108', {
    message: `${who} works on the environment ${project}/${env}: this run was silent for too long, and ended in the middle of its work.`,
    hint: 'Wait for it to end, then run this again: what is done already is not done again.',
  })
}

function specOf(lease: KubeObject | undefined): LeaseSpec {
  return (lease?.['spec'] ?? {}) as LeaseSpec
}

/** Without what makes it unlike every other. */
function whoOf(identity: string): string {
  return identity.replace(/, [0-9a-f]{8}$/, '')
}

/** Now, as the API writes it: with microseconds. */
function now(): string {
  return new Date().toISOString().replace(/Z$/, '000Z')
}
