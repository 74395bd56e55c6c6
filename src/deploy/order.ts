import { isWorkload, type Manifest } from '../lib/objects.ts'

/** Kinds that others need: they are applied first, in this order. Everything else follows, workloads last. */
const first = ['Namespace', 'CustomResourceDefinition', 'PriorityClass', 'StorageClass', 'ResourceQuota', 'LimitRange', 'ServiceAccount', 'Role', 'ClusterRole', 'RoleBinding', 'ClusterRoleBinding', 'Secret', 'ConfigMap', 'PersistentVolume', 'PersistentVolumeClaim', 'Service'] // biome-ignore format: a list

/** The manifests in waves: those of a wave need nothing of each other. Workloads are the last wave. */
export function inWaves(manifests: readonly Manifest[]): readonly (readonly Manifest[])[] {
  const waves = new Map<number, Manifest[]>()
  for (const manifest of manifests) {
    const { object } = manifest
    const known = first.indexOf(object.kind)
    const rank = isWorkload(object) ? first.length + 1 : known < 0 ? first.length : known
    waves.set(rank, [...(waves.get(rank) ?? []), manifest])
  }
  return [...waves].toSorted(([a], [b]) => a - b).map(([, wave]) => wave)
}
