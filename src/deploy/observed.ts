import type { KindRef, Kube } from '../kube/kube.ts'
import { type KubeObject, type Manifest, type ObjectRef, refOf } from '../lib/objects.ts'
import { isForbidden, isStatusOf } from './refusal.ts'

/** What is live of some manifests, as one look has seen it. */
export interface Observed {
  /** Undefined where it is not there, or could not be seen. */
  get(object: KubeObject): KubeObject | undefined
}

/** Nothing is known. */
export const nothingObserved: Observed = { get: () => undefined }

/** Looks at what is live of the manifests, with one list for each kind and namespace. Kinds that may not be listed, or are not known, stay unseen. */
export async function observe(kube: Kube, manifests: readonly Manifest[], signal: AbortSignal): Promise<Observed> {
  const wanted = new Set(manifests.map(({ object }) => keyOf(refOf(object))))
  const lists = new Map(
    manifests.map(({ object: { apiVersion, kind, metadata } }) => [
      `${apiVersion} ${kind} ${metadata.namespace ?? ''}`,
      { apiVersion, kind, namespace: metadata.namespace },
    ]),
  )
  const seen = new Map<string, KubeObject>()
  const look = async (kind: KindRef): Promise<void> => {
    const found = await kube.list(kind, signal).catch((thrown: unknown) => {
      if (isStatusOf(thrown, 403, 404)) return []
      throw thrown
    })
    for (const object of found) {
      const key = keyOf(refOf(object))
      if (wanted.has(key)) seen.set(key, object)
    }
  }
  await Promise.all([...lists.values()].map(look))
  return { get: (object) => seen.get(keyOf(refOf(object))) }
}

/** A namespace as it is now; `hidden` from a user who may not look at it: somebody else has made it then. */
export async function lookAtNamespace(kube: Kube, name: string, signal: AbortSignal): Promise<KubeObject | 'hidden' | undefined> {
  try {
    return await kube.get({ apiVersion: 'v1', kind: 'Namespace', name }, signal)
  } catch (thrown) {
    if (isForbidden(thrown)) return 'hidden'
    throw thrown
  }
}

function keyOf({ apiVersion, kind, name, namespace = '' }: ObjectRef): string {
  return [apiVersion, kind, namespace, name].join(' ')
}
