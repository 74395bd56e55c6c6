import type { Denial, Kube, Need } from '../kube/kube.ts'
import { type KubeObject, type Manifest, placeOf } from '../lib/objects.ts'
import { groupOf } from '../lib/select.ts'
import { lackOf } from './lacking.ts'
import { followedKinds } from './live.ts'

const writing = ['get', 'patch', 'create']

/**
 * Asks for everything that deploying these manifests takes, before the first write: to follow the namespace (and to make it unless it
 * is there), to keep the inventory, and to write each kind.
 * @throws CLUSTER-113 with all rights that are lacking
 */
export async function checkRights(
  kube: Pick<Kube, 'denials'>,
  manifests: readonly Manifest[],
  { namespace, isThere }: { readonly namespace: string; readonly isThere: boolean },
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
  ]
  const denied = await kube.denials(needs, signal)
  const [first, ...others] = denied.map((denial) => ({ ...denial, places: placesOf(denial, manifests) }))
  if (first) throw lackOf(first, others)
}

/** Where it stands what a right to write is needed for. */
function placesOf(denial: Denial, manifests: readonly Manifest[]): readonly string[] {
  if (!writing.includes(denial.verb)) return []
  return manifests.filter(({ object }) => isAbout(denial, object)).map(({ origin }) => placeOf(origin))
}

function isAbout({ kind, group, namespace }: Denial, object: KubeObject): boolean {
  return object.kind === kind && groupOf(object) === group && (namespace === undefined || object.metadata.namespace === namespace)
}
