import type { Kube } from '../kube/kube.ts'
import type { KubeObject } from '../lib/objects.ts'
import type { Scope } from '../lib/scope.ts'

const kinds = [
  ['apps/v1', 'Deployment'],
  ['apps/v1', 'StatefulSet'],
  ['apps/v1', 'DaemonSet'],
  ['batch/v1', 'Job'],
  ['v1', 'Pod'],
] as const

/** The workloads and pods of a namespace as they are now, kept true by watches that end with `scope`. */
export class Live {
  readonly #objects = new Map<string, KubeObject>()
  readonly #listeners = new Set<() => void>()
  readonly #failure: Promise<never>

  constructor(kube: Kube, namespace: string, scope: Scope) {
    const failure = Promise.withResolvers<never>()
    this.#failure = failure.promise
    failure.promise.catch(() => undefined)
    for (const [apiVersion, kind] of kinds) {
      const follow = async (): Promise<void> => {
        for await (const event of kube.watch({ apiVersion, kind, namespace }, scope.signal)) {
          if (event.type === 'set') this.#objects.set(`${kind}/${event.object.metadata.name}`, event.object)
          else if (event.type === 'deleted') this.#objects.delete(`${kind}/${event.object.metadata.name}`)
          for (const listener of this.#listeners) listener()
        }
      }
      const following = follow().catch((thrown: unknown) => {
        if (!scope.signal.aborted) failure.reject(thrown)
      })
      scope.defer(() => following)
    }
  }

  /** `Kind/name` → object. */
  get(name: string): KubeObject | undefined {
    return this.#objects.get(name)
  }

  all(kind: string): readonly KubeObject[] {
    return [...this.#objects.values()].filter((object) => object.kind === kind)
  }

  /** Calls `listener` after every change. */
  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  /** What `look` gives as soon as it gives something; looks again after every change. */
  async until<T>(look: () => T | undefined, signal: AbortSignal): Promise<T> {
    const found = Promise.withResolvers<T>()
    const check = (): void => {
      const result = look()
      if (result !== undefined) found.resolve(result)
    }
    const abort = (): void => found.reject(signal.reason)
    signal.throwIfAborted()
    signal.addEventListener('abort', abort, { once: true })
    using _ = this.onChange(check)
    check()
    try {
      return await Promise.race([found.promise, this.#failure])
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  /** Pods that belong to a workload and are not on their way out, newest first. */
  podsOf(workload: KubeObject): readonly KubeObject[] {
    const spec = workload['spec'] as { readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> } }
    const labels = spec.selector?.matchLabels ?? {}
    return this.all('Pod')
      .filter(
        ({ metadata }) =>
          metadata.deletionTimestamp === undefined &&
          Object.keys(labels).length > 0 &&
          Object.entries(labels).every(([key, value]) => metadata.labels?.[key] === value),
      )
      .toSorted((a, b) => (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? ''))
  }
}
