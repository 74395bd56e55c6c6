import { mergeKeyOf } from './merge-keys.ts'
import { isRecord } from './record.ts'

/** A field that two values do not have in common; undefined stands for a field that is not there. */
export interface Difference {
  /** As in `spec.template.spec.containers[web].env[DEBUG].value`: items of a list by what tells them apart, else by their number. */
  readonly path: string
  readonly before: unknown
  readonly after: unknown
}

/** Every field that differs, deepest first seen; what is there on one side only is one difference, whatever is in it. */
export function differences(before: unknown, after: unknown, path = '', field?: string): readonly Difference[] {
  if (Object.is(before, after)) return []
  if (isRecord(before) && isRecord(after)) {
    const names = new Set([...Object.keys(before), ...Object.keys(after)])
    return [...names].flatMap((name) => differences(before[name], after[name], below(path, name), name))
  }
  if (Array.isArray(before) && Array.isArray(after)) return itemDifferences(before, after, path, field)
  return [{ path, before, after }]
}

function itemDifferences(
  before: readonly unknown[],
  after: readonly unknown[],
  path: string,
  field: string | undefined,
): readonly Difference[] {
  const nameIn = namesOf(before, after, field)
  const old = new Map(before.map((item, index) => [nameIn(item, index), item]))
  const now = new Map(after.map((item, index) => [nameIn(item, index), item]))
  const found = [...new Set([...old.keys(), ...now.keys()])].flatMap((name) =>
    differences(old.get(name), now.get(name), `${path}[${name}]`),
  )
  const [was, is] = [[...old.keys()].filter((name) => now.has(name)), [...now.keys()].filter((name) => old.has(name))]
  return was.every((name, index) => name === is[index]) ? found : [...found, { path: `${path} (order)`, before: was, after: is }]
}

/** What tells the items of both lists apart, each from all others of its list. */
function namesOf(
  before: readonly unknown[],
  after: readonly unknown[],
  field: string | undefined,
): (item: unknown, index: number) => string {
  const key = mergeKeyOf(field, [...before, ...after]) ?? 'name'
  const nameOf = (item: unknown): unknown => {
    if (!isRecord(item)) return undefined
    return item[key] ?? (isRecord(item['metadata']) ? item['metadata']['name'] : undefined)
  }
  const areNamed = [before, after].every((items) => {
    const names = items.map(nameOf)
    return !names.includes(undefined) && new Set(names).size === items.length
  })
  return areNamed ? (item) => String(nameOf(item)) : (_, index) => String(index)
}

function below(path: string, name: string): string {
  if (/[.[\]"]/.test(name)) return `${path}[${JSON.stringify(name)}]`
  return path === '' ? name : `${path}.${name}`
}
