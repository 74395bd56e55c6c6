import type { KubeObject } from '../../lib/objects.ts'
import type { Transform } from './rule.ts'

/** Deployments and StatefulSets with no more than `most` replicas. */
export function atMostReplicas(most: number): Transform {
  return (object) => ((replicasOf(object) ?? 0) > most ? withReplicas(most)(object) : object)
}

/** A Deployment or StatefulSet with so many replicas. */
export function withReplicas(replicas: number): Transform {
  return (object) => {
    if (replicasOf(object) === undefined) return object
    const spec = object['spec'] as { readonly replicas?: number }
    return spec.replicas === replicas ? object : { ...object, spec: { ...spec, replicas } }
  }
}

/** Undefined for kinds that devkit does not scale. */
function replicasOf(object: KubeObject): number | undefined {
  if (object.kind !== 'Deployment' && object.kind !== 'StatefulSet') return undefined
  return (object['spec'] as { readonly replicas?: number }).replicas ?? 1
}
