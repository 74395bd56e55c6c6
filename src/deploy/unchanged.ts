import { isDeepStrictEqual } from 'node:util'
import type { KubeObject } from '../lib/objects.ts'
import { amountOf } from '../lib/quantity.ts'
import { isRecord } from '../lib/record.ts'
import { type FieldSet, isKubectlApply, managedFieldsOf, ownFieldsOf } from './managed-fields.ts'

/**
 * Whether applying `wanted` over `live` would change nothing, told without asking the server: devkit owns exactly the fields of the manifest,
 * each has its value, and nothing is to be adopted. Where that cannot be told (a value that the server writes otherwise, another version of
 * the API) the answer is no, and the server has to be asked.
 */
export function isUnchanged(live: KubeObject, wanted: KubeObject): boolean {
  const own = ownFieldsOf(live)
  if (!own?.fieldsV1 || own.apiVersion !== wanted.apiVersion || managedFieldsOf(live).some(isKubectlApply)) return false
  if (live.metadata.deletionTimestamp !== undefined) return false
  // who an object is belongs to nobody
  const { apiVersion: _, kind: __, metadata, ...rest } = wanted
  const { name: ___, namespace: ____, ...told } = metadata
  const equal = rewritten.has(wanted.apiVersion) ? isEqual : isExactly
  return isSame({ ...rest, metadata: told }, live, own.fieldsV1, { equal, field: '' })
}

/** APIs whose values the server writes in its own way. Custom resources are not among them: those it keeps as they were sent. */
const rewritten = new Set(['v1', 'apps/v1', 'batch/v1', 'networking.k8s.io/v1'])

function isExactly(wanted: unknown, live: unknown): boolean {
  return isDeepStrictEqual(wanted, live)
}

/** `field` is the name that led to a value. */
interface Way {
  readonly equal: (wanted: unknown, live: unknown, field: string) => boolean
  readonly field: string
}

/** Whether the fields below `owned` are those of `wanted`, and equal in `live`. */
function isSame(wanted: unknown, live: unknown, owned: FieldSet, { equal, field }: Way): boolean {
  const below = Object.keys(owned).filter((key) => key !== '.')
  if (below.length === 0) return equal(wanted, live, field)
  if (Array.isArray(wanted)) return Array.isArray(live) && isSameList(wanted, live, owned, { equal, below })
  if (!isRecord(wanted) || !isRecord(live) || below.length !== Object.keys(wanted).length) return false
  return Object.entries(wanted).every(([name, value]) => {
    const set = owned[`f:${name}`]
    return (
      set !== undefined && Object.hasOwn(live, name) && isSame(value, live[name], set, { equal, field: nameOfEntry(field, name) })
    )
  })
}

/** A list whose items are told apart: each of `wanted` has its own entry in `owned`, and they are in the same order in `live`. */
function isSameList(
  wanted: readonly unknown[],
  live: readonly unknown[],
  owned: FieldSet,
  { equal, below }: Pick<Way, 'equal'> & { readonly below: readonly string[] },
): boolean {
  if (below.length !== wanted.length) return false
  const places = below.map((entry) => {
    const key = JSON.parse(entry.slice(2)) as unknown
    if (entry.startsWith('v:')) return { mine: wanted.indexOf(key), there: live.indexOf(key) }
    if (!entry.startsWith('k:') || !isRecord(key)) return { mine: -1, there: -1 }
    const mine = wanted.findIndex((item) => hasKey(item, key, { orNone: true }))
    const there = live.findIndex((item) => hasKey(item, key, { orNone: false }))
    const same = mine >= 0 && there >= 0 && isSame(wanted[mine], live[there], owned[entry] ?? {}, { equal, field: '' })
    return same ? { mine, there } : { mine: -1, there: -1 }
  })
  if (places.some(({ mine, there }) => mine < 0 || there < 0)) return false
  const inOrder = places.toSorted((a, b) => a.mine - b.mine)
  return inOrder.every(({ mine, there }, index) => mine === index && there > (inOrder[index - 1]?.there ?? -1))
}

/** Whether an item has those fields; `orNone`: one that the manifest leaves to the server's default is as good. */
function hasKey(item: unknown, key: Readonly<Record<string, unknown>>, { orNone }: { readonly orNone: boolean }): boolean {
  return (
    isRecord(item) && Object.entries(key).every(([name, value]) => item[name] === value || (orNone && item[name] === undefined))
  )
}

/** What the server adds inside of values that are owned as one, by the name of the field. */
const defaults: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  fieldRef: { apiVersion: 'v1' },
  resourceFieldRef: { divisor: '0' },
  // of a NetworkPolicy; elsewhere ports are owned one by one
  ports: { protocol: 'TCP' },
  volumeClaimTemplates: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', status: { phase: 'Pending' } },
  // of such a template
  spec: { volumeMode: 'Filesystem' },
}

function isEqual(wanted: unknown, live: unknown, field: string): boolean {
  if (Array.isArray(wanted) && Array.isArray(live))
    return wanted.length === live.length && wanted.every((item, index) => isEqual(item, live[index], field))
  if (isRecord(wanted) && isRecord(live)) {
    const whole = { ...defaults[field], ...wanted }
    const names = Object.keys(whole)
    return (
      names.length === Object.keys(live).length &&
      names.every((name) => Object.hasOwn(live, name) && isEqual(whole[name], live[name], nameOfEntry(field, name)))
    )
  }
  if (wanted === live) return true
  if (field !== amountField || !isAmount(wanted) || !isAmount(live)) return false
  const amount = amountOf(wanted)
  return amount !== undefined && amount === amountOf(live)
}

function isAmount(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number'
}

const amountField = '(amount)'

/** What is in `requests` and `limits` are quantities: the server writes `0.5` as `500m`. Not what is itself called so, such as a label. */
function nameOfEntry(field: string, name: string): string {
  return field === 'requests' || field === 'limits' ? amountField : name
}
