import { mergeKeyOf } from '../../lib/merge-keys.ts'
import { isRecord } from '../../lib/record.ts'

/**
 * A value with a part laid over it, as the API's strategic merge patch does: names one by one, lists item by item where the API can tell
 * items apart and else whole, null for what goes; `$patch: delete` and `$patch: replace` too.
 * https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
 */
export function merged(under: unknown, over: unknown, field?: string): unknown {
  if (Array.isArray(over)) return Array.isArray(under) ? mergedList(under, over, field) : withoutDirectives(over)
  if (!isRecord(over)) return over
  const { $patch, ...values } = over
  if ($patch === 'replace' || !isRecord(under)) return withoutDirectives(values)
  const names = new Set([...Object.keys(under), ...Object.keys(values)])
  const entries = [...names].flatMap((name) => {
    if (!(name in values)) return [[name, under[name]] as const]
    const value = values[name]
    return value === null || isDeletion(value) ? [] : [[name, merged(under[name], value, name)] as const]
  })
  return Object.fromEntries(entries)
}

function mergedList(under: readonly unknown[], over: readonly unknown[], field: string | undefined): readonly unknown[] {
  const items = over.filter((item) => !(isRecord(item) && item['$patch'] === 'replace'))
  const key = mergeKeyOf(field, [...under, ...items])
  if (key === undefined || items.length < over.length) return withoutDirectives(items) as readonly unknown[]
  const keyOf = (item: unknown): unknown => (item as Record<string, unknown>)[key]
  const byKey = new Map(under.map((item) => [keyOf(item), item]))
  for (const item of items) {
    const there = byKey.get(keyOf(item))
    if (isDeletion(item)) byKey.delete(keyOf(item))
    else byKey.set(keyOf(item), there === undefined ? withoutDirectives(item) : merged(there, item))
  }
  return [...byKey.values()]
}

function isDeletion(value: unknown): boolean {
  return isRecord(value) && value['$patch'] === 'delete'
}

/** What is new has nothing to delete from. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((item) => !isDeletion(item)).map(withoutDirectives)
  if (!isRecord(value)) return value
  const kept = Object.entries(value).filter(([name, inner]) => name !== '$patch' && inner !== null && !isDeletion(inner))
  return Object.fromEntries(kept.map(([name, inner]) => [name, withoutDirectives(inner)]))
}
