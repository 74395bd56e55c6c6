import type { Kube } from '../kube/kube.ts'
import type { Difference } from '../lib/difference.ts'
import { type KubeObject, type Manifest, refOf } from '../lib/objects.ts'
import { asApplied } from './apply.ts'
import { changesBetween, changesTo } from './changes.ts'
import { isImmutable, refusal } from './refusal.ts'

/**
 * What applying a manifest would change in the cluster, by asking the server without a write: its defaults are no difference. Undefined
 * where the object is not there.
 * @throws as `applyManifest`
 */
export async function driftOf(
  kube: Kube,
  manifest: Manifest,
  labels: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<readonly Difference[] | undefined> {
  let live: KubeObject | undefined
  const wanted = (): KubeObject => asApplied(manifest.object, labels, live)
  try {
    live = await kube.get(refOf(manifest.object), signal)
    if (!live) return undefined
    return changesBetween(live, await kube.apply(wanted(), signal, { dryRun: true, force: true }))
  } catch (thrown) {
    signal.throwIfAborted()
    if (!live || !isImmutable(thrown)) throw await refusal(kube, thrown, manifest, signal)
    // what the server would not change it cannot show: the manifest's own fields are compared
    return changesTo(live, wanted())
  }
}
