import { type Container, eachContainer, isWorkload, type KubeObject, podSpecOf, without, withPodSpec } from '../../lib/objects.ts'
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
  if (!isWorkload(object) || (object.kind !== 'Deployment' && object.kind !== 'StatefulSet')) return undefined
  return (object['spec'] as { readonly replicas?: number }).replicas ?? 1
}

/** A Deployment of one pod that mounts one of these claims ends its pod before it starts the next: two would write the same files. */
export function recreatedWith(claims: ReadonlySet<string>): Transform {
  interface Volume {
    readonly persistentVolumeClaim?: { readonly claimName?: string }
  }
  return (object) => {
    if (object.kind !== 'Deployment' || (replicasOf(object) ?? 2) > 1) return object
    const volumes = (podSpecOf(object)?.['volumes'] ?? []) as readonly Volume[]
    if (!volumes.some(({ persistentVolumeClaim }) => claims.has(persistentVolumeClaim?.claimName ?? ''))) return object
    const spec = object['spec'] as { readonly strategy?: { readonly type?: string } }
    return spec.strategy?.type === 'Recreate' ? object : { ...object, spec: { ...spec, strategy: { type: 'Recreate' } } }
  }
}

/**
 * Pods that get at most so many seconds to end, and hooks that only sleep, for a load balancer, are gone. StatefulSets have data to write,
 * and a hook that does something has its reason: both keep their time.
 */
export function atMostGrace(seconds: number): Transform {
  return (object) => {
    if (object.kind === 'StatefulSet') return object
    return withPodSpec(object, (pod) => {
      const awake = eachContainer(pod, withoutSleep)
      const hooked = [...awake.containers, ...(awake.initContainers ?? [])].some(
        ({ lifecycle }) => (lifecycle as Lifecycle)?.preStop,
      )
      // 30 where nothing is said: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
      const grace = (pod['terminationGracePeriodSeconds'] as number | undefined) ?? 30
      if (hooked) return pod
      return grace <= seconds ? awake : { ...awake, terminationGracePeriodSeconds: seconds }
    })
  }
}

/** A workload whose pods are available as soon as they are ready. */
export const withoutMinReady: Transform = (object) => {
  const spec = object['spec'] as Readonly<Record<string, unknown>> | undefined
  if (!isWorkload(object) || spec?.['minReadySeconds'] === undefined) return object
  const { minReadySeconds: _, ...rest } = spec
  return { ...object, spec: rest }
}

type Lifecycle =
  | { readonly preStop?: { readonly sleep?: object; readonly exec?: { readonly command?: readonly string[] } } }
  | undefined

function withoutSleep(container: Container): Container {
  const lifecycle = container['lifecycle'] as Lifecycle
  const { preStop, ...others } = lifecycle ?? {}
  const words = preStop?.exec?.command?.join(' ') ?? ''
  if (!preStop?.sleep && !/^((\/bin\/)?(ba)?sh -c )?(\/bin\/)?sleep [\d.]+s?$/.test(words)) return container
  return Object.keys(others).length > 0 ? { ...container, lifecycle: others } : without(container, 'lifecycle')
}
