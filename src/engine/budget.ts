import type { Diff, FieldDiff, ObjectDiff } from '../events/diff.ts'

/** The differences that are agreed on: object → field → what differs there, in words; of an object that is there on one side only the words alone. */
export type Budget = Readonly<Record<string, string | Readonly<Record<string, string>>>>

/** All of a diff as agreed on. */
export function budgetOf({ objects }: Diff): Budget {
  return Object.fromEntries(
    objects.flatMap((object) => {
      if (object.is !== 'changed') return [[object.object, wordsOfObject(object)]]
      const fields = object.fields.filter((field) => !isOwn(field)).map((field) => [field.path, wordsOfField(field)])
      return fields.length > 0 ? [[object.object, Object.fromEntries(fields)]] : []
    }),
  )
}

/** What of a diff is not agreed on, and how much that is agreed on no longer differs. */
export function beyond({ objects }: Diff, budget: Budget): { readonly objects: ObjectDiff[]; readonly unused: number } {
  let used = 0
  const isAllowed = (allowed: unknown, words: string): boolean => {
    if (allowed !== words) return false
    used++
    return true
  }
  const left = objects.flatMap((object): ObjectDiff[] => {
    const allowed = budget[object.object]
    if (object.is !== 'changed') return isAllowed(allowed, wordsOfObject(object)) ? [] : [object]
    const byPath = typeof allowed === 'object' ? allowed : {}
    const fields = object.fields.filter((field) => !isOwn(field) && !isAllowed(byPath[field.path], wordsOfField(field)))
    return fields.length > 0 ? [{ ...object, fields }] : []
  })
  const entries = Object.values(budget).map((allowed) => (typeof allowed === 'string' ? 1 : Object.keys(allowed).length))
  return { objects: left, unused: entries.reduce((sum, count) => sum + count, 0) - used }
}

/** What devkit does by itself is no team's decision, and differs from machine to machine: images that are built, what is known of them. */
function isOwn({ rule }: FieldDiff): boolean {
  return rule?.split(', ').every((one) => /^(without )?devkit: /.test(one)) ?? false
}

function wordsOfField({ before, after, rule }: FieldDiff): string {
  const values = `${valueText(before)} → ${valueText(after)}`
  return rule === undefined ? values : `${values} (${rule})`
}

function wordsOfObject({ is, rule }: ObjectDiff): string {
  return rule === undefined ? is : `${is} (${rule})`
}

/** A value on one line. */
export function valueText(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value)
}
