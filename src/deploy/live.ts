import type { KindRef, Kube } from '../kube/kube.ts'
import { DevkitError, messageOf } from '../lib/errors.ts'
import type { KubeObject } from '../lib/objects.ts'
import type { Scope } from '../lib/scope.ts'
import { problemOfRights } from './lacking.ts'

/** What is followed of a namespace. */
export const followedKinds = [
  ['apps/v1', 'Deployment'],
  ['apps/v1', 'StatefulSet'],
  ['apps/v1', 'DaemonSet'],
  ['apps/v1', 'ReplicaSet'],
  ['batch/v1', 'Job'],
  ['v1', 'Pod'],
] as const

/** Objects of one more kind as they are now, until it is disposed of. */
export interface Followed extends AsyncDisposable {
  /** What is known so far; undefined until everything that was there at the beginning is, and where the server does not tell. */
  readonly objects: readonly KubeObject[] | undefined
  /** Whether the server refuses to tell. */
  readonly isRefused: boolean
}

/** A watch that several follow: the last one to leave ends it. */
interface Shared {
  followers: number
  readonly objects: Map<string, KubeObject>
  isListed: boolean
  isRefused: boolean
  readonly abort: AbortController
  ended: Promise<void>
}

/** The workloads and pods of a namespace as they are now, kept true by watches that end with `scope`. */
export class Live {
  readonly #kube: Kube
  readonly #scope: Scope
  readonly #shared = new Map<string, Shared>()
  readonly #objects = new Map<string, KubeObject>()
  readonly #listeners = new Set<() => void>()
  readonly #listed = new Set<string>()
  readonly #failure: Promise<never>

  constructor(kube: Kube, namespace: string, scope: Scope) {
    this.#kube = kube
    this.#scope = scope
    const failure = Promise.withResolvers<never>()
    this.#failure = failure.promise
    failure.promise.catch(() => undefined)
    for (const [apiVersion, kind] of followedKinds) {
      const follow = async (): Promise<void> => {
        for await (const event of kube.watch({ apiVersion, kind, namespace }, scope.signal)) {
          if (event.type === 'set') this.#objects.set(`${kind}/${event.object.metadata.name}`, event.object)
          else if (event.type === 'deleted') this.#objects.delete(`${kind}/${event.object.metadata.name}`)
          else this.#listed.add(kind)
          this.lookAgain()
        }
      }
      const following = follow().catch((thrown: unknown) => {
        if (scope.signal.aborted) return
        failure.reject(
          problemOfRights(thrown) ??
            new DevkitError('CLUSTER-104', {
              message: `The API server does not let ${kind}s be watched: ${messageOf(thrown).replace(/\.$/, '')}.`,
              hint: 'Look at the credentials of the kubeconfig; `devkit down` and `devkit up` make the cluster anew.',
              cause: thrown,
            }),
        )
      })
      scope.defer(() => following)
    }
  }

  /** Whether everything of a kind that was there at the beginning is known: what is not, is not there. */
  isListed(kind: string): boolean {
    return this.#listed.has(kind)
  }

  /** Follows one more kind, for those who wait for something of it: `until` looks again after its changes too. */
  follow(kind: KindRef): Followed {
    const key = JSON.stringify([kind.apiVersion, kind.kind, kind.namespace, kind.fieldSelector])
    const shared = this.#shared.get(key) ?? this.#begin(key, kind)
    shared.followers++
    return {
      get objects() {
        return shared.isListed ? [...shared.objects.values()] : undefined
      },
      get isRefused() {
        return shared.isRefused
      },
      [Symbol.asyncDispose]: async () => {
        if (--shared.followers > 0) return
        this.#shared.delete(key)
        shared.abort.abort()
        await shared.ended
      },
    }
  }

  #begin(key: string, kind: KindRef): Shared {
    const abort = new AbortController()
    const shared: Shared = {
      ...{ followers: 0, isListed: false, isRefused: false },
      ...{ objects: new Map(), abort, ended: Promise.resolve() },
    }
    const signal = AbortSignal.any([this.#scope.signal, abort.signal])
    const follow = async (): Promise<void> => {
      // a watch believes a refusal only when it stays: nobody is to wait so long for what he may not see
      const denied = await this.#kube.denials([{ ...kind, verbs: ['list', 'watch'] }], signal)
      shared.isRefused = denied.length > 0
      if (shared.isRefused) return this.lookAgain()
      for await (const event of this.#kube.watch(kind, signal)) {
        if (event.type === 'set') shared.objects.set(keyOf(event.object), event.object)
        else if (event.type === 'deleted') shared.objects.delete(keyOf(event.object))
        else shared.isListed = true
        this.lookAgain()
      }
    }
    shared.ended = follow().catch(() => {
      shared.isRefused = true
      this.lookAgain()
    })
    this.#shared.set(key, shared)
    return shared
  }

  /** Has everybody who waits for something look again. */
  lookAgain(): void {
    for (const listener of this.#listeners) listener()
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

  /** Pods that belong to a workload and are not on their way out, newest first. Of every rollout: see `currentPodsOf`. */
  podsOf(workload: KubeObject): readonly KubeObject[] {
    return this.everyPodOf(workload).filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  }

  /** The pods of a workload's newest rollout, not those that it replaces; newest first. */
  currentPodsOf(workload: KubeObject): readonly KubeObject[] {
    // until its controller has seen the change, what is newest is of the rollout before
    if (!hasSeen(workload)) return []
    const newest = this.newestReplicaSet(workload)
    return this.podsOf(workload).filter((pod) => {
      if (workload.kind === 'Deployment') return ownerOf(pod) === newest?.metadata.uid
      if (workload.kind === 'StatefulSet') return isOfRevision(pod, workload)
      if (workload.kind === 'DaemonSet') return isOfGeneration(pod, workload)
      return true
    })
  }

  /** Pods of a workload, those on their way out too; newest first. */
  everyPodOf(workload: KubeObject): readonly KubeObject[] {
    if (workload.kind === 'Pod') return [workload]
    const owners = new Set([
      workload.metadata.uid,
      ...(workload.kind === 'Deployment' ? this.#replicaSetsOf(workload).map(({ metadata }) => metadata.uid) : []),
    ])
    return this.all('Pod')
      .filter((pod) => owners.has(ownerOf(pod)))
      .toSorted(byAge)
  }

  /** The ReplicaSet of a Deployment's newest rollout; undefined until its watch has told of it. */
  newestReplicaSet(workload: KubeObject): KubeObject | undefined {
    const revision = ({ metadata }: KubeObject): number =>
      Number(metadata.annotations?.['deployment.kubernetes.io/revision'] ?? 0)
    const newest = this.#replicaSetsOf(workload).toSorted((a, b) => revision(b) - revision(a))[0]
    return newest && revision(newest) >= revision(workload) ? newest : undefined
  }

  #replicaSetsOf({ metadata }: KubeObject): readonly KubeObject[] {
    return this.all('ReplicaSet').filter((set) => ownerOf(set) === metadata.uid)
  }
}

/** Of several namespaces two objects may have the same name. */
function keyOf({ metadata: { namespace = '', name } }: KubeObject): string {
  return `${namespace}/${name}`
}

function hasSeen({ kind, metadata, status }: KubeObject): boolean {
  if (kind !== 'Deployment' && kind !== 'StatefulSet') return true
  const { observedGeneration = 0 } = (status ?? {}) as { readonly observedGeneration?: number }
  return observedGeneration >= (metadata.generation ?? 0)
}

/** Uid of what controls an object. Labels would not do: two workloads may carry the same. */
function ownerOf({ metadata }: KubeObject): string | undefined {
  return metadata.ownerReferences?.find(({ controller }) => controller)?.uid
}

function byAge(a: KubeObject, b: KubeObject): number {
  return (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? '')
}

function isOfRevision(pod: KubeObject, { status }: KubeObject): boolean {
  const { updateRevision } = (status ?? {}) as { readonly updateRevision?: string }
  return updateRevision === undefined || pod.metadata.labels?.['controller-revision-hash'] === updateRevision
}

/** @see https://kubernetes.io/docs/reference/labels-annotations-taints/#deprecated-daemonset-template-generation */
function isOfGeneration(pod: KubeObject, { metadata }: KubeObject): boolean {
  const generation = metadata.annotations?.['deprecated.daemonset.template.generation']
  return generation === undefined || pod.metadata.labels?.['pod-template-generation'] === generation
}
