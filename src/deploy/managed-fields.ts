import type { KubeObject } from '../lib/objects.ts'

/** A set of fields as the server keeps it: `f:NAME`, `k:{…}` and `v:…`, each with the set below it; `.` is the thing itself. */
export type FieldSet = { readonly [key: string]: FieldSet }

/** What one manager owns of an object. @see https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management */
export interface ManagedFields {
  readonly manager?: string
  readonly operation?: string
  readonly apiVersion?: string
  readonly subresource?: string
  readonly fieldsV1?: FieldSet
  readonly [field: string]: unknown
}

/** Who last applied an object, when it was kubectl. Other names that begin with kubectl are single changes by hand. */
const appliers = ['kubectl-client-side-apply', 'kubectl']

/** Who owns what of an object, an entry for each manager. */
export function managedFieldsOf({ metadata }: KubeObject): readonly ManagedFields[] {
  return (metadata['managedFields'] ?? []) as readonly ManagedFields[]
}

/** What devkit has applied of an object. */
export function ownFieldsOf(object: KubeObject): ManagedFields | undefined {
  return managedFieldsOf(object).find(
    ({ manager, operation, subresource }) => manager === 'devkit' && operation === 'Apply' && !subresource,
  )
}

/** Whether these are fields that `kubectl apply` put there. */
export function isKubectlApply({ manager = '', operation, subresource }: ManagedFields): boolean {
  if (subresource) return false
  return manager === 'kubectl-client-side-apply' ? operation === 'Update' : operation === 'Apply' && appliers.includes(manager)
}
