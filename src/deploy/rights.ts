import type { Denial, Kube, Need } from '../kube/kube.ts'
import { type KubeObject, type Manifest, type ObjectRef, placeOf } from '../lib/objects.ts'
import { groupOf } from '../lib/select.ts'
import { lackOf } from './lacking.ts'
import { followedKinds } from './live.ts'

const writing = ['get', 'patch', 'create']

/** What is known to be written and removed. */
export interface Intended {
  readonly namespace: string
  /** Whether the namespace is there. */
  readonly isThere: boolean
  readonly removals?: readonly ObjectRef[] | undefined
}

/**
 * Asks for everything that deploying these manifests takes, before the first write: to follow the namespace (and to make it unless it
 * is there), to keep the inventory, to write each kind, and to remove what goes.
 * @throws CLUSTER-113 with all rights that are lacking
 */
export async function checkRights(
  kube: Pick<Kube, 'denials'>,
  manifests: readonly Manifest[],
  { namespace, isThere, removals = [] }: Intended,
  signal: AbortSignal,
): Promise<void> {
  const needs: readonly Need[] = [
    ...followedKinds.map(([apiVersion, kind]) => ({ verbs: ['list', 'watch'], apiVersion, kind, namespace })),
    { verbs: writing, apiVersion: 'v1', kind: 'ConfigMap', namespace },
    ...(isThere ? [] : [{ verbs: writing, apiVersion: 'v1', kind: 'Namespace' }]),
    ...manifests.map(({ object: { apiVersion, kind, metadata } }) => ({
      verbs: writing,
      apiVersion,
      kind,
      namespace: metadata.namespace,
    })),
    ...removing(removals),
  ]
  const denied = await kube.denials(needs, signal)
  const [first, ...others] = denied.map((denial) => ({ ...denial, places: placesOf(denial, manifests) }))
  if (first) throw lackOf(first, others)
}

/** Asks whether these may be removed: what is found out only by the dry run. @throws CLUSTER-113 */
export async function checkRemovals(
  kube: Pick<Kube, 'denials'>,
  removals: readonly ObjectRef[],
  signal: AbortSignal,
): Promise<void> {
  if (removals.length === 0) return
  const [first, ...others] = await kube.denials(removing(removals), signal)
  if (first) throw lackOf(first, others)
}

function removing(refs: readonly ObjectRef[]): readonly Need[] {
  return refs.map(({ apiVersion, kind, namespace }) => ({ verbs: ['get', 'delete'], apiVersion, kind, namespace }))
}

/** Where it stands what a right to write is needed for. */
function placesOf(denial: Denial, manifests: readonly Manifest[]): readonly string[] {
  if (!writing.includes(denial.verb)) return []
  return manifests.filter(({ object }) => isAbout(denial, object)).map(({ origin }) => placeOf(origin))
}

function isAbout({ kind, group, namespace }: Denial, object: KubeObject): boolean {
  return object.kind === kind && groupOf(object) === group && (namespace === undefined || object.metadata.namespace === namespace)
}
