import type { KubeObject } from '../../lib/objects.ts'
import { amountOf } from '../../lib/quantity.ts'
import type { Transform } from './rule.ts'

/** In the config: the storage class that a cluster takes when a claim names none. No class can have this name. */
export const defaultClass = '(default)'

/** Of claims without a class by an API before 1.6; it counts before the field. */
const oldAnnotation = 'volume.beta.kubernetes.io/storage-class'

/** A claim, or a claim template of a StatefulSet. */
interface Claim {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>>; readonly [field: string]: unknown }
  readonly spec?: ClaimSpec
}

interface ClaimSpec {
  readonly storageClassName?: string
  readonly volumeName?: string
  readonly selector?: object
  readonly accessModes?: readonly string[]
  readonly resources?: { readonly requests?: Readonly<Record<string, string | number>> }
}

/** Claims of the class `from` (`*`: of any that is not in `others`) ask for the class `to`. */
export function withStorageClass(from: string, to: string, others: readonly (string | false)[]): Transform {
  return onClaims((claim, spec) => {
    const { [oldAnnotation]: old, ...annotations } = claim.metadata?.annotations ?? {}
    const named = old ?? spec.storageClassName
    if (named === undefined || (from === '*' ? others.includes(named) : named !== from) || named === to) return claim
    const { storageClassName: _, ...rest } = spec
    return {
      ...claim,
      ...(old !== undefined && { metadata: { ...claim.metadata, annotations } }),
      spec: { ...rest, ...(to !== defaultClass && { storageClassName: to }) },
    }
  })
}

/** Claims that ask for one access mode in place of another. */
export function withAccessMode(from: string, to: string): Transform {
  return onClaims((claim, spec) => {
    if (!spec.accessModes?.includes(from)) return claim
    return { ...claim, spec: { ...spec, accessModes: [...new Set(spec.accessModes.map((mode) => (mode === from ? to : mode)))] } }
  })
}

/** Claims that ask for no more than `most`. */
export function atMostStorage(most: string | number): Transform {
  return onClaims((claim, spec) => {
    const asked = spec.resources?.requests?.['storage']
    if (asked === undefined || (amountOf(asked) ?? 0) <= (amountOf(most) ?? 0)) return claim
    const requests = { ...spec.resources?.requests, storage: most }
    return { ...claim, spec: { ...spec, resources: { ...spec.resources, requests } } }
  })
}

/** Names of the claims among the objects that only one node may write. */
export function singleWriterClaims(objects: readonly KubeObject[]): ReadonlySet<string> {
  const single = objects.filter(
    ({ kind, spec }) =>
      kind === 'PersistentVolumeClaim' &&
      ((spec as ClaimSpec | undefined)?.accessModes ?? []).some((mode) => /^ReadWriteOnce(Pod)?$/.test(mode)),
  )
  return new Set(single.map(({ metadata }) => metadata.name))
}

/** Claims of a certain volume are left alone: that volume is as it is. */
function onClaims(change: (claim: Claim, spec: ClaimSpec) => Claim): Transform {
  const changed = <One extends Claim>(claim: One): One => {
    const { spec } = claim
    const isBound = spec?.volumeName !== undefined || spec?.selector !== undefined || spec?.storageClassName === ''
    return spec && !isBound ? (change(claim, spec) as One) : claim
  }
  return (object) => {
    if (object.kind === 'PersistentVolumeClaim') return changed(object)
    const spec = object['spec'] as { readonly volumeClaimTemplates?: readonly Claim[] } | undefined
    if (object.kind !== 'StatefulSet' || !spec?.volumeClaimTemplates) return object
    const volumeClaimTemplates = spec.volumeClaimTemplates.map(changed)
    const isSame = volumeClaimTemplates.every((claim, index) => claim === spec.volumeClaimTemplates?.[index])
    return isSame ? object : { ...object, spec: { ...spec, volumeClaimTemplates } }
  }
}
