import type { Kube } from '../kube/kube.ts'
import type { Difference } from '../lib/difference.ts'
import { type KubeObject, type Manifest, refOf } from '../lib/objects.ts'
import { asApplied } from './apply.ts'
import { changesBetween, changesTo } from './changes.ts'
import { isImmutable, refusal } from './refusal.ts'
import { forbiddenDefault, withStrategyOf } from './strategy.ts'

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
    const dryRun = (object: KubeObject) => kube.apply(object, signal, { dryRun: true, force: true })
    if (!forbiddenDefault({ live, wanted: wanted(), forceConflicts: true })) return changesBetween(live, await dryRun(wanted()))
    const rest = await dryRun(withStrategyOf(live, wanted()))
    return changesBetween(live, withStrategyOf(wanted(), rest))
  } catch (thrown) {
    signal.throwIfAborted()
    if (!live || !isImmutable(thrown)) throw await refusal(kube, thrown, manifest, signal)
    // what the server would not change it cannot show: the manifest's own fields are compared
    return changesTo(live, wanted())
  }
}
