import type { Kube, PatchOperation } from '../kube/kube.ts'
import { type KubeObject, refOf } from '../lib/objects.ts'
import { type FieldSet, isKubectlApply, managedFieldsOf, ownFieldsOf } from './managed-fields.ts'

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/**
 * Takes over what `kubectl apply` put there: its fields become devkit's, so that one which leaves the manifest leaves the object too.
 * Without this such a field would stay for ever, owned by an apply that nobody repeats. Gives whether anything had to be changed.
 * @see https://kubernetes.io/docs/reference/using-api/server-side-apply/#upgrading-from-client-side-apply-to-server-side-apply
 */
export async function adopt(kube: Kube, object: KubeObject, signal: AbortSignal): Promise<boolean> {
  const entries = managedFieldsOf(object)
  const theirs = entries.filter(isKubectlApply)
  if (theirs.length === 0) return false
  const own = ownFieldsOf(object)
  const fieldsV1 = [...theirs, ...(own ? [own] : [])]
    .map((entry) => withoutLastApplied(entry.fieldsV1 ?? {}))
    .reduce((all, set) => union(all, set), {})
  const kept = entries.filter((entry) => entry !== own && !theirs.includes(entry))
  const adopted = { ...theirs[0], manager: 'devkit', operation: 'Apply', fieldsV1 }
  const operations: PatchOperation[] = [
    // somebody who writes at the same moment is not overwritten
    { op: 'test', path: '/metadata/resourceVersion', value: object.metadata.resourceVersion },
    { op: 'replace', path: '/metadata/managedFields', value: [...kept, adopted] },
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
    return adopt(kube, now, signal)
  }
}

function withoutLastApplied(set: FieldSet): FieldSet {
  const { 'f:metadata': metadata, ...rest } = set
  if (!metadata) return set
  const { 'f:annotations': annotations, ...others } = metadata
  if (!annotations) return set
  const { [`f:${lastApplied}`]: _, ...kept } = annotations
  const left = Object.keys(kept).some((key) => key !== '.') ? { ...others, 'f:annotations': kept } : others
  return Object.keys(left).length === 0 ? rest : { ...rest, 'f:metadata': left }
}

function union(a: FieldSet, b: FieldSet): FieldSet {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)])
  return Object.fromEntries([...keys].map((key) => [key, union(a[key] ?? {}, b[key] ?? {})]))
}
