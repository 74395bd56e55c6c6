import type { KubeObject } from '../../lib/objects.ts'
import { amountOf } from '../../lib/quantity.ts'

/** What a claim asks for, as far as devkit reads it. */
export interface ClaimSpec {
  readonly storageClassName?: string
  readonly volumeName?: string
  readonly accessModes?: readonly string[]
  readonly volumeMode?: string
  readonly selector?: {
    readonly matchLabels?: Readonly<Record<string, string>>
    readonly matchExpressions?: readonly {
      readonly key: string
      readonly operator: string
      readonly values?: readonly string[]
    }[]
  }
  readonly resources?: { readonly requests?: { readonly storage?: string } }
}

interface VolumeSpec {
  readonly storageClassName?: string
  readonly accessModes?: readonly string[]
  readonly volumeMode?: string
  readonly capacity?: { readonly storage?: string }
  readonly claimRef?: { readonly namespace?: string; readonly name?: string; readonly uid?: string }
}

/** Why no volume that is there can be bound to a claim. */
export type NoVolume =
  | { readonly why: 'none' }
  | { readonly why: 'taken'; readonly volumes: readonly string[] }
  | { readonly why: 'selector'; readonly volumes: readonly string[] }
  | { readonly why: 'volume-mode'; readonly offered: readonly string[] }
  | { readonly why: 'access-mode'; readonly offered: readonly string[] }
  | { readonly why: 'size'; readonly largest: string; readonly volume: string }

export function claimSpecOf(claim: KubeObject): ClaimSpec {
  return (claim['spec'] ?? {}) as ClaimSpec
}

function volumeSpecOf(volume: KubeObject): VolumeSpec {
  return (volume['spec'] ?? {}) as VolumeSpec
}

/**
 * Why none of the cluster's volumes is bound to a claim; undefined where one fits: it is about to be bound.
 * @see https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding
 */
export function noVolumeFor(claim: KubeObject, volumes: readonly KubeObject[]): NoVolume | undefined {
  const spec = claimSpecOf(claim)
  const ofClass = volumes.filter((volume) => (volumeSpecOf(volume).storageClassName ?? '') === (spec.storageClassName ?? ''))
  if (ofClass.length === 0) return { why: 'none' }
  const names = (of: readonly KubeObject[]): readonly string[] => of.map(({ metadata }) => metadata.name)
  const free = ofClass.filter((volume) => isFreeFor(claim, volume))
  if (free.length === 0) return { why: 'taken', volumes: names(ofClass) }
  const selected = free.filter((volume) => isSelected(volume, spec))
  if (selected.length === 0) return { why: 'selector', volumes: names(free) }
  const mode = (of: { readonly volumeMode?: string }): string => of.volumeMode ?? 'Filesystem'
  const ofMode = selected.filter((volume) => mode(volumeSpecOf(volume)) === mode(spec))
  if (ofMode.length === 0) return { why: 'volume-mode', offered: unique(selected.map((volume) => mode(volumeSpecOf(volume)))) }
  const modes = (volume: KubeObject): readonly string[] => volumeSpecOf(volume).accessModes ?? []
  const accessible = ofMode.filter((volume) => (spec.accessModes ?? []).every((wanted) => modes(volume).includes(wanted)))
  if (accessible.length === 0) return { why: 'access-mode', offered: unique(ofMode.flatMap(modes)) }
  const size = (volume: KubeObject): number => amountOf(volumeSpecOf(volume).capacity?.storage ?? '0') ?? 0
  const largest = accessible.toSorted((a, b) => size(b) - size(a))[0]
  if (!largest || size(largest) >= (amountOf(spec.resources?.requests?.storage ?? '0') ?? 0)) return undefined
  return { why: 'size', largest: volumeSpecOf(largest).capacity?.storage ?? '0', volume: largest.metadata.name }
}

/** Whether a volume is nobody's, or kept for this claim. One that was released still belongs to the claim that is gone. */
function isFreeFor({ metadata }: KubeObject, volume: KubeObject): boolean {
  if (volume.metadata.deletionTimestamp !== undefined) return false
  const { claimRef } = volumeSpecOf(volume)
  if (!claimRef) return true
  const isIts = claimRef.name === metadata.name && claimRef.namespace === metadata.namespace
  return isIts && (!claimRef.uid || claimRef.uid === metadata.uid)
}

function isSelected(volume: KubeObject, { selector, volumeName }: ClaimSpec): boolean {
  if (volumeName && volume.metadata.name !== volumeName) return false
  const labels = volume.metadata.labels ?? {}
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {}
  return (
    Object.entries(matchLabels).every(([name, value]) => labels[name] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key]
      if (operator === 'In') return value !== undefined && values.includes(value)
      if (operator === 'NotIn') return value === undefined || !values.includes(value)
      return (operator === 'Exists') === (value !== undefined)
    })
  )
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Set(names)]
}
