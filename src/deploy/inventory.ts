import type { Kube } from '../kube/kube.ts'
import { isLabelled, type KubeObject, type Manifest, type ObjectRef, refOf } from '../lib/objects.ts'
import { ownLabels } from './apply.ts'

const name = 'devkit-inventory'

interface Environment {
  readonly namespace: string
  readonly project: string
  readonly env: string
}

/**
 * Writes down what is applied for an environment, before it is applied: whatever happens, nothing of ours is forgotten.
 * Gives what an earlier run applied and these manifests do not have: it stays written down until `prune` has removed it.
 */
export async function recordInventory(
  kube: Kube,
  environment: Environment,
  manifests: readonly Manifest[],
  signal: AbortSignal,
): Promise<readonly ObjectRef[]> {
  const before = await readInventory(kube, environment.namespace, signal)
  const left = leftOf(before, manifests)
  const refs = [...manifests.map(({ object }) => refOf(object)), ...left]
  if (JSON.stringify(refs) !== JSON.stringify(before)) await write(kube, environment, refs, signal)
  return left
}

/** What was applied, of that inventory, and is not among the manifests. */
export function leftOf(inventory: readonly ObjectRef[], manifests: readonly Manifest[]): readonly ObjectRef[] {
  const wanted = new Set(manifests.map(({ object }) => keyOf(refOf(object))))
  return inventory.filter((ref) => !wanted.has(keyOf(ref)))
}

/**
 * Removes what left the manifests, newest first. What somebody else has taken over is let go;
 * what holds data stays, and stays written down until the environment goes.
 */
export async function prune(
  kube: Kube,
  environment: Environment,
  { manifests, left }: { readonly manifests: readonly Manifest[]; readonly left: readonly ObjectRef[] },
  signal: AbortSignal,
): Promise<readonly { readonly ref: ObjectRef; readonly outcome: 'pruned' | 'kept' }[]> {
  const labels = ownLabels(environment.project, environment.env)
  const done: { readonly ref: ObjectRef; readonly outcome: 'pruned' | 'kept' }[] = []
  const stays: ObjectRef[] = []
  for (const ref of left.toReversed()) {
    const found = await kube.get(ref, signal)
    if (!found || !isLabelled(found, labels)) continue
    if (isMapped(ref)) stays.push(ref)
    else if (holdsData(ref)) {
      stays.push(ref)
      done.push({ ref, outcome: 'kept' })
    } else {
      await kube.remove(ref, signal, { uid: found.metadata.uid })
      done.push({ ref, outcome: 'pruned' })
    }
  }
  const still = left.filter((ref) => stays.includes(ref))
  if (still.length < left.length)
    await write(kube, environment, [...manifests.map(({ object }) => refOf(object)), ...still], signal)
  return done
}

/** Kinds that are more than what is written of them: with a claim or a volume goes its content, with a kind go all its objects. */
const dataKinds: ReadonlySet<string> = new Set([
  'v1 PersistentVolumeClaim',
  'v1 PersistentVolume',
  'apiextensions.k8s.io/v1 CustomResourceDefinition',
])

/** Whether with the object more would go than what its manifest says. */
export function holdsData({ apiVersion, kind }: ObjectRef): boolean {
  return dataKinds.has(`${apiVersion} ${kind}`)
}

/** Host ports are made for the services that a run is about: those of others are none that left. */
export function isMapped({ kind, name: mapped }: ObjectRef): boolean {
  return kind === 'Service' && mapped.startsWith('devkit-')
}

function keyOf({ apiVersion, kind, name: object, namespace = '' }: ObjectRef): string {
  // the version of an API may change without a new object
  return [apiVersion.includes('/') ? apiVersion.split('/')[0] : '', kind, namespace, object].join('/')
}

async function write(
  kube: Kube,
  { namespace, project, env }: Environment,
  refs: readonly ObjectRef[],
  signal: AbortSignal,
): Promise<void> {
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
