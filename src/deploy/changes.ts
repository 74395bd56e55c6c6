import { type Difference, differences } from '../lib/difference.ts'
import type { KubeObject } from '../lib/objects.ts'
import { isRecord } from '../lib/record.ts'

/** Fields that the server alone writes. */
const serverSide = ['managedFields', 'resourceVersion', 'generation', 'uid', 'creationTimestamp']

/** What differs between two states of an object, as the server has them; what it alone writes is no difference. */
export function changesBetween(before: KubeObject, after: KubeObject): readonly Difference[] {
  return differences(plain(before), plain(after))
}

/** What differs from a manifest, of the fields that it has: for what the server was not asked about. */
export function changesTo(live: KubeObject, wanted: KubeObject): readonly Difference[] {
  return differences(within(live, wanted), wanted)
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
