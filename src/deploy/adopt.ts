import type { Kube, PatchOperation } from '../kube/kube.ts'
import { refOf } from '../lib/objects.ts'
import { type FieldSet, isKubectlApply, type ManagedFields, managedFieldsOf, ownFieldsOf } from './managed-fields.ts'
import { type Aim, forbiddenDefault } from './strategy.ts'

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/**
 * Makes devkit's what has to go with the next apply, which takes away only what devkit owned: what `kubectl apply` put there, so that a field
 * which leaves the manifest leaves the object too, and defaults that what is wanted forbids. No value changes. Gives whether anything had to be
 * taken over.
 * @see https://kubernetes.io/docs/reference/using-api/server-side-apply/#upgrading-from-client-side-apply-to-server-side-apply
 */
export async function adopt(kube: Kube, aim: Aim, signal: AbortSignal): Promise<boolean> {
  const managedFields = ownersOnceAdopted(aim)
  const object = aim.live
  if (!managedFields) return false
  const operations: PatchOperation[] = [
    // somebody who writes at the same moment is not overwritten
    { op: 'test', path: '/metadata/resourceVersion', value: object.metadata.resourceVersion },
    { op: 'replace', path: '/metadata/managedFields', value: managedFields },
  ]
  if (object.metadata.annotations?.[lastApplied] !== undefined)
    operations.push({ op: 'remove', path: `/metadata/annotations/${lastApplied.replaceAll('/', '~1')}` })
  try {
    await kube.patch(refOf(object), operations, signal)
    return true
  } catch (thrown) {
    signal.throwIfAborted()
    const now = await kube.get(refOf(object), signal)
    if (!now || now.metadata.resourceVersion === object.metadata.resourceVersion) throw thrown
    return adopt(kube, { ...aim, live: now }, signal)
  }
}

/** Who owns what of an object when that is done; undefined where nothing is to be taken over. */
export function ownersOnceAdopted(aim: Aim): readonly ManagedFields[] | undefined {
  const entries = managedFieldsOf(aim.live)
  const theirs = entries.filter(isKubectlApply)
  const forbidden = forbiddenDefault(aim)?.map((name) => `f:${name}`)
  if (theirs.length === 0 && !forbidden) return undefined
  const own = ownFieldsOf(aim.live)
  const fieldsV1 = [...theirs, ...(own ? [own] : [])]
    .map((entry) => without(entry.fieldsV1 ?? {}, pathOfLastApplied))
    .reduce(union, forbidden ? only(forbidden) : {})
  const others = entries.filter((entry) => entry !== own && !theirs.includes(entry))
  const kept = forbidden ? others.map((entry) => ({ ...entry, fieldsV1: without(entry.fieldsV1 ?? {}, forbidden) })) : others
  const first = theirs[0] ?? own ?? { apiVersion: aim.live.apiVersion, fieldsType: 'FieldsV1' }
  return [...kept, { ...first, manager: 'devkit', operation: 'Apply', fieldsV1 }]
}

const pathOfLastApplied = ['f:metadata', 'f:annotations', `f:${lastApplied}`]

function only([key = '', ...below]: readonly string[]): FieldSet {
  return { [key]: below.length > 0 ? only(below) : {} }
}

/** A set without what is at a path, nor what is empty above it then. */
function without(set: FieldSet, [key = '', ...below]: readonly string[]): FieldSet {
  const { [key]: there, ...rest } = set
  if (!there) return set
  const left = below.length > 0 ? without(there, below) : {}
  if (left === there) return set
  return Object.keys(left).some((name) => name !== '.') ? { ...rest, [key]: left } : rest
}

function union(a: FieldSet, b: FieldSet): FieldSet {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)])
  return Object.fromEntries([...keys].map((key) => [key, union(a[key] ?? {}, b[key] ?? {})]))
}
