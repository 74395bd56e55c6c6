import type { Kube } from '../kube/kube.ts'
import { type Difference, differences } from '../lib/difference.ts'
import { type KubeObject, type Manifest, refOf } from '../lib/objects.ts'
import { isRecord } from '../lib/record.ts'
import { asApplied } from './apply.ts'
import { isImmutable, refusal } from './refusal.ts'

/** Fields that the server alone writes. */
const serverSide = ['managedFields', 'resourceVersion', 'generation', 'uid', 'creationTimestamp']

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
    return differences(plain(live), plain(await kube.apply(wanted(), signal, { dryRun: true, force: true })))
  } catch (thrown) {
    signal.throwIfAborted()
    if (!live || !isImmutable(thrown)) throw await refusal(kube, thrown, manifest, signal)
    // what the server would not change it cannot show: the manifest's own fields are compared
    return differences(within(live, wanted()), wanted())
  }
}

function plain({ status: _, ...object }: KubeObject): unknown {
  const metadata = Object.entries(object.metadata).filter(([name]) => !serverSide.includes(name))
  return { ...object, metadata: Object.fromEntries(metadata) }
}

/** Of `live` the fields that `wanted` has. */
function within(live: unknown, wanted: unknown): unknown {
  if (Array.isArray(live) && Array.isArray(wanted))
    return live.map((item, index) => (index < wanted.length ? within(item, wanted[index]) : item))
  if (!isRecord(live) || !isRecord(wanted)) return live
  const names = Object.keys(wanted).filter((name) => name in live)
  return Object.fromEntries(names.map((name) => [name, within(live[name], wanted[name])]))
}
