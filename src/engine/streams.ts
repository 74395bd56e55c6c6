import { delay } from '../lib/async.ts'
import { DevkitError } from '../lib/errors.ts'
import type { Scope } from '../lib/scope.ts'
import type { ContainerRef, SyncSession, SyncTarget, SyncTransport } from '../sync/transport.ts'
import { problemEvent, type Run, runStep } from './step.ts'

const longestPauseMs = 2000

/** What streams are opened with. */
export interface StreamParts {
  readonly transport: () => SyncTransport
  /** Where a node is reached now. */
  readonly target: (node: string) => SyncTarget
  /** Told each container that starts, where the transport knows. */
  readonly onStart: (container: ContainerRef, node: string) => void
  /** The engine was away, is back, and has not started the node again. */
  readonly onStopped: () => void
}

/** One open stream per node, opened anew when it breaks, for as long as `scope` lives. */
export class Streams {
  readonly #run: Run
  readonly #scope: Scope
  readonly #transport: () => SyncTransport
  readonly #target: StreamParts['target']
  readonly #onStart: StreamParts['onStart']
  readonly #onStopped: StreamParts['onStopped']
  readonly #open = new Map<string, Promise<SyncSession>>()
  readonly #lost = new Set<string>()

  constructor(run: Run, scope: Scope, { transport, target, onStart, onStopped }: StreamParts) {
    this.#run = run
    this.#onStart = onStart
    this.#onStopped = onStopped
    this.#scope = scope
    this.#transport = transport
    this.#target = target
  }

  /** The stream into a node, as soon as there is one. @throws the scope's reason when it ends first */
  to(node: string): Promise<SyncSession> {
    const open = this.#open.get(node)
    if (open) return open
    const opening = this.#untilOpen(node)
    this.#open.set(node, opening)
    opening.then(
      (session) => {
        const forget = (): void => {
          if (this.#open.get(node) === opening) this.#open.delete(node)
        }
        session.closed.then(forget, forget)
      },
      () => this.#open.delete(node),
    )
    return opening
  }

  async #untilOpen(node: string): Promise<SyncSession> {
    const { signal } = this.#scope
    let engineWasAway = false
    for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      try {
        const target = this.#target(node)
        const session = this.#lost.has(node)
          ? await this.#transport().open(target, { signal, say: () => undefined })
          : await runStep({ bus: this.#run.bus, signal }, `stream/${node}`, (step) => this.#transport().open(target, step))
        this.#scope.defer(() => session[Symbol.asyncDispose]())
        session.onStart?.((container) => this.#onStart(container, node))
        if (this.#lost.delete(node)) this.#run.bus.emit({ type: 'problem.resolved', code: 'SYNC-101', object: `Node/${node}` })
        return session
      } catch (thrown) {
        signal.throwIfAborted()
        if (!this.#lost.has(node)) {
          const problem = problemEvent(thrown, 'warning')
          this.#run.bus.emit(thrown instanceof DevkitError ? { ...problem, code: 'SYNC-101', object: `Node/${node}` } : problem)
        }
        this.#lost.add(node)
        if (thrown instanceof DevkitError && thrown.code === 'ENGINE-101') engineWasAway = true
        else if (engineWasAway) {
          // a node that somebody stopped on purpose stays as it is
          engineWasAway = false
          this.#onStopped()
        }
        await delay(pauseMs, signal)
      }
    }
  }
}
