import type { Kube } from '../kube/kube.ts'
import type { KubeObject, Manifest, ObjectRef } from '../lib/objects.ts'
import { ownLabels } from './apply.ts'

const name = 'devkit-inventory'

/** Writes down what is applied for an environment, before it is applied: whatever happens, nothing of ours is forgotten. */
export async function recordInventory(
  kube: Kube,
  { namespace, project, env }: { readonly namespace: string; readonly project: string; readonly env: string },
  manifests: readonly Manifest[],
  signal: AbortSignal,
): Promise<void> {
  const refs = manifests.map(
    ({ object }): ObjectRef => ({
      apiVersion: object.apiVersion,
      kind: object.kind,
      name: object.metadata.name,
      namespace: object.metadata.namespace,
    }),
  )
  const object: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace, labels: ownLabels(project, env) },
    data: { objects: JSON.stringify(refs) },
  }
  await kube.apply(object, signal, { force: true })
}

/** What was applied for the environment of that namespace. */
export async function readInventory(kube: Kube, namespace: string, signal: AbortSignal): Promise<readonly ObjectRef[]> {
  const found = await kube.get({ apiVersion: 'v1', kind: 'ConfigMap', name, namespace }, signal)
  const { objects = '[]' } = (found?.['data'] ?? {}) as { readonly objects?: string }
  return JSON.parse(objects) as readonly ObjectRef[]
}

/** Removes what was written down. */
export function forgetInventory(kube: Kube, namespace: string, signal: AbortSignal): Promise<void> {
  return kube.remove({ apiVersion: 'v1', kind: 'ConfigMap', name, namespace }, signal)
}
