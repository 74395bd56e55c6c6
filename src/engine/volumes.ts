import type { Kube } from '../kube/kube.ts'
import type { KubeObject } from '../lib/objects.ts'

/** A claim that a volume was made for: something may be in it. */
export interface BoundVolume {
  readonly namespace: string
  readonly name: string
  /** As Kubernetes writes it, e.g. `1Gi`. */
  readonly size: string
}

/** The claims with a volume, of one namespace or of all. */
export async function boundVolumes(
  kube: Kube,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<readonly BoundVolume[]> {
  const claims = await kube.list({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace }, signal)
  return claims
    .filter((claim) => statusOf(claim).phase === 'Bound')
    .map((claim) => ({
      namespace: claim.metadata.namespace ?? '',
      name: claim.metadata.name,
      size: statusOf(claim).capacity?.['storage'] ?? 'size unknown',
    }))
}

function statusOf(claim: KubeObject) {
  return (claim['status'] ?? {}) as { readonly phase?: string; readonly capacity?: Readonly<Record<string, string>> }
}
