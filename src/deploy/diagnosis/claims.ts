import type { KubeObject } from '../../lib/objects.ts'
import { specOf } from './pod.ts'

/** A claim that a pod has a volume of. */
export interface Claimed {
  readonly name: string
  /** Of the volume in the pod spec. */
  readonly index: number
  readonly volume: string
  /** Whether a controller makes it: by a StatefulSet's template, or as the pod's own. */
  readonly isMade: boolean
}

interface Volume {
  readonly name: string
  readonly persistentVolumeClaim?: { readonly claimName: string }
  readonly ephemeral?: object
}

/** The claims of a pod, in the order of its volumes. @see https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#generic-ephemeral-volumes */
export function claimsOf(pod: KubeObject): readonly Claimed[] {
  const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller)
  return ((specOf(pod)['volumes'] ?? []) as readonly Volume[]).flatMap(
    ({ name: volume, persistentVolumeClaim, ephemeral }, index) => {
      if (ephemeral) return [{ name: `${pod.metadata.name}-${volume}`, index, volume, isMade: true }]
      if (!persistentVolumeClaim) return []
      const name = persistentVolumeClaim.claimName
      return [{ name, index, volume, isMade: owner?.kind === 'StatefulSet' && name === `${volume}-${pod.metadata.name}` }]
    },
  )
}
