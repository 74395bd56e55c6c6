import { Evidence } from '../../src/deploy/diagnosis/evidence.ts'
import { Live } from '../../src/deploy/live.ts'
import { untilReady } from '../../src/deploy/readiness.ts'
import { type Unsettled, unsettled, untilSettled } from '../../src/deploy/settled.ts'
import type { Kube, KubeEvent } from '../../src/kube/kube.ts'
import { Inbox } from '../../src/lib/async.ts'
import type { KubeObject } from '../../src/lib/objects.ts'
import { Scope } from '../../src/lib/scope.ts'

/** So many ms ago, as the API writes times. */
export const ago = (ms: number): string => new Date(Date.now() - ms).toISOString()
const apiVersions: Readonly<Record<string, string>> = { Pod: 'v1', Job: 'batch/v1', CronJob: 'batch/v1' }
/** An object with a uid by its name. */
export const object = (kind: string, name: string, rest: Readonly<Record<string, unknown>> = {}): KubeObject => {
  const { metadata, ...fields } = rest as { metadata?: object }
  return {
    apiVersion: apiVersions[kind] ?? 'apps/v1',
    kind,
    metadata: { name, uid: `uid-of-${name}`, generation: 1, creationTimestamp: ago(5000), ...metadata },
    ...fields,
  }
}
/** Metadata of what another object controls. */
export const ownedBy = (name: string, more: object = {}) => ({
  metadata: { ownerReferences: [{ kind: 'x', name, uid: `uid-of-${name}`, controller: true }], ...more },
})
/** The status of a container that waits. */
export const waiting = (reason: string, message = '', restartCount = 0, exitCode = 1) => ({
  name: 'main',
  image: 'image:1',
  ready: false,
  restartCount,
  state: { waiting: { reason, message } },
  lastState: { terminated: { exitCode } },
})
/** A pod of one container. */
export const pod = (name: string, owner: string, container: object, ageMs = 5000): KubeObject =>
  object('Pod', name, {
    ...ownedBy(owner, { creationTimestamp: ago(ageMs) }),
    spec: { containers: [{ name: 'main' }] },
    status: {
      conditions: [{ type: 'Ready', status: (container as { ready?: boolean }).ready ? 'True' : 'False' }],
      containerStatuses: [container],
    },
  })

/** A cluster of which a test tells what is there; it has no events and one line of log. */
export class Told {
  readonly #inboxes = new Map<string, Inbox<KubeEvent>>()
  readonly scope = new Scope()
  readonly #followed = new Set<string>()
  readonly #kube = {
    watch: (kind: { readonly kind: string }, signal: AbortSignal) => this.#follow(kind.kind, signal),
    list: async () => [],
    denials: async (needs: readonly { readonly kind: string }[]) => needs.filter(({ kind }) => this.hidden.has(kind)),
    logs: async function* () {
      yield { time: '', line: 'its last line' }
    },
  } as unknown as Kube
  readonly live = new Live(this.#kube, 'n', this.scope)
  readonly evidence = new Evidence(this.#kube, this.live, { namespace: 'n' }, this.scope)

  set(...objects: readonly KubeObject[]): void {
    for (const one of objects) this.#inbox(one.kind).push({ type: 'set', object: one })
  }

  readonly said = new Inbox<string>()

  /** Kinds that nobody may look at. */
  readonly hidden = new Set<string>()

  /** Kinds that are followed now. */
  get followed(): readonly string[] {
    return [...this.#followed]
  }

  untilReady(applied: KubeObject, timeoutMs = 20_000, services: readonly KubeObject[] = []): Promise<void> {
    const awaited = {
      workload: `${applied.kind}/${applied.metadata.name}`,
      applied,
      namespace: 'n',
      service: undefined,
      services,
      timeoutMs,
    }
    return untilReady(this.live, this.evidence, awaited, { signal: this.scope.signal, say: (line) => this.said.push(line) })
  }

  unsettled(applied: KubeObject): Promise<Unsettled | undefined> {
    return unsettled(this.#kube, this.live, applied, this.scope.signal)
  }

  untilSettled(of: Unsettled): Promise<void> {
    return untilSettled(this.live, of, 20_000, { signal: this.scope.signal, say: (line) => this.said.push(line) })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.scope.close()
  }

  #inbox(kind: string): Inbox<KubeEvent> {
    const inbox = this.#inboxes.get(kind) ?? new Inbox<KubeEvent>()
    this.#inboxes.set(kind, inbox)
    return inbox
  }

  async *#follow(kind: string, signal: AbortSignal): AsyncIterable<KubeEvent> {
    this.#followed.add(kind)
    yield { type: 'synced' }
    while (!signal.aborted)
      yield* await this.#inbox(kind)
        .take(signal)
        .catch(() => [])
    this.#followed.delete(kind)
  }
}
