import type { Kube, RemoveOptions } from '../kube/kube.ts'
import { delay } from '../lib/async.ts'
import { DevkitError } from '../lib/errors.ts'
import { type KubeObject, nameOf, refOf, spotOf } from '../lib/objects.ts'

/** How long an object that is deleted may take to go, in ms: pods have half a minute by default to end, and what belongs to them comes after. */
const patienceMs = 120_000
/** After which time it is said what is waited for, in ms. */
const quietMs = 3000

export interface RemovalOptions extends Pick<RemoveOptions, 'propagation'> {
  /** In ms. Default: two minutes. */
  readonly patienceMs?: number | undefined
  /** Told once of what is waited for. */
  readonly say?: ((line: string) => void) | undefined
}

/** Deletes the very object, and waits until it is gone. @throws APPLY-112 when something holds it */
export async function removeWhole(
  kube: Kube,
  object: KubeObject,
  { propagation, ...waiting }: RemovalOptions,
  signal: AbortSignal,
): Promise<void> {
  await kube.remove(refOf(object), signal, { uid: object.metadata.uid, ...(propagation && { propagation }) })
  await untilGone(kube, object, waiting, signal)
}

/** Waits until the very object is gone. @throws APPLY-112 when something holds it */
export async function untilGone(
  kube: Kube,
  object: KubeObject,
  { patienceMs: patience = patienceMs, say }: Omit<RemovalOptions, 'propagation'>,
  signal: AbortSignal,
): Promise<void> {
  const began = Date.now()
  for (let said = false; ; await delay(100, signal)) {
    const found = await kube.get(refOf(object), signal)
    if (found?.metadata.uid !== object.metadata.uid || !found) return
    const waited = Date.now() - began
    if (waited > patience) throw stuck(found)
    if (!said && waited > quietMs) {
      say?.(`waits for ${spotOf(refOf(found))} to go: ${holdersOf(found).join('; ') || 'the cluster removes it'}`)
      said = true
    }
  }
}

/** An object that is deleted and stays, with what holds it. */
export function stuck(object: KubeObject): DevkitError {
  const holders = holdersOf(object)
  const isNamespace = object.kind === 'Namespace'
  return new DevkitError('APPLY-112', {
    message: `${spotOf(refOf(object))} is deleted and does not go: ${holders.join('; ') || 'the cluster does not say what holds it'}.`,
    hint: isNamespace
      ? 'Remove what is named, or start again the controller that is to do it, then run this again.'
      : `Start again the controller that is to take its finalizer away; when nobody will, take it away yourself with \`kubectl edit ${object.kind.toLowerCase()} ${object.metadata.name}${object.metadata.namespace ? ` -n ${object.metadata.namespace}` : ''}\`. Then run this again.`,
    object: nameOf(object),
  })
}

/** What keeps an object that is deleted: its finalizers, and what a namespace says is left in it. */
export function holdersOf({ kind, metadata, spec, status }: KubeObject): readonly string[] {
  const { conditions = [] } = (status ?? {}) as { readonly conditions?: readonly NamespaceCondition[] }
  const told = conditions.flatMap(({ type, status: set, message }) =>
    kind === 'Namespace' && /^Namespace(Content|Deletion|Finalizers)/.test(type) && set === 'True' && message ? [message] : [],
  )
  const finalizers = [
    ...((metadata['finalizers'] as readonly string[] | undefined) ?? []),
    ...(told.length === 0 ? ownFinalizers(spec) : []),
  ]
  return [...finalizers.map((name) => `the finalizer ${name} is not done`), ...told]
}

/** A condition of a namespace that goes. @see https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/namespace-v1/#NamespaceStatus */
interface NamespaceCondition {
  readonly type: string
  readonly status: string
  readonly message?: string
}

/** Those of a namespace stand in its spec. */
function ownFinalizers(spec: unknown): readonly string[] {
  return (spec as { readonly finalizers?: readonly string[] } | undefined)?.finalizers ?? []
}
