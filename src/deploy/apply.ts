import type { ApiFailure, Kube } from '../kube/kube.ts'
import { DevkitError, messageOf } from '../lib/errors.ts'
import { type KubeObject, type Manifest, nameOf, placeOf, refOf } from '../lib/objects.ts'

/** What applying did, and the object as the server holds it now. */
export interface Applied {
  readonly outcome: 'created' | 'configured' | 'unchanged'
  readonly object: KubeObject
}

/** Labels on everything that devkit applies for an environment. */
export function ownLabels(project: string, env: string): Readonly<Record<string, string>> {
  return { 'devkit.dev/project': project, 'devkit.dev/env': env }
}

/**
 * Makes one live object what its manifest says. An object that already is so is not written.
 * A Job whose template changed is made anew: nothing of a Job but its work can be lost.
 * @throws APPLY-101 … APPLY-105 with the manifest's place
 */
export async function applyManifest(
  kube: Kube,
  { object, origin }: Manifest,
  labels: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Applied> {
  const wanted: KubeObject = { ...object, metadata: { ...object.metadata, labels: { ...object.metadata.labels, ...labels } } }
  try {
    const before = await kube.get(refOf(object), signal)
    const after = await kube.apply(wanted, signal).catch(async (thrown: unknown) => {
      if (object.kind !== 'Job' || !before || !isImmutable(thrown)) throw thrown
      await kube.remove(refOf(object), signal, { wait: true })
      return kube.apply(wanted, signal)
    })
    const outcome = !before
      ? 'created'
      : before.metadata.resourceVersion === after.metadata.resourceVersion
        ? 'unchanged'
        : 'configured'
    return { outcome, object: after }
  } catch (thrown) {
    signal.throwIfAborted()
    throw applyProblem(thrown, object, placeOf(origin))
  }
}

/** Asks the server what it thinks of a manifest, without a write. @throws as above */
export async function dryRun(kube: Kube, { object, origin }: Manifest, signal: AbortSignal): Promise<void> {
  try {
    await kube.apply(object, signal, { dryRun: true })
  } catch (thrown) {
    signal.throwIfAborted()
    // what a new Job or an immutable field means is decided when it is applied
    if (!isImmutable(thrown)) throw applyProblem(thrown, object, placeOf(origin))
  }
}

function isImmutable(thrown: unknown): boolean {
  return (
    isFailure(thrown) && thrown.status === 422 && /immutable|may not be updated|updates to .* are forbidden/i.test(thrown.message)
  )
}

function isFailure(thrown: unknown): thrown is ApiFailure {
  return thrown instanceof Error && thrown.name === 'ApiFailure'
}

function applyProblem(thrown: unknown, object: KubeObject, place: string): unknown {
  if (thrown instanceof DevkitError) return thrown
  const name = nameOf(object)
  if (!isFailure(thrown))
    return new DevkitError('APPLY-104', {
      message: `${place}: ${name} could not be applied: ${messageOf(thrown)}.`,
      hint: 'Check the cluster with `devkit status`, then run this again.',
      object: name,
      cause: thrown,
    })
  const said = thrown.causes.map(({ field, message }) => [field, message].filter(Boolean).join(': ')).join('; ') || thrown.message
  const text = { message: `${place}: ${name}: ${said.replace(/\.$/, '')}.`, object: name, cause: thrown }
  if (thrown.status === 404)
    return new DevkitError('APPLY-103', {
      ...text,
      message: `${place}: the cluster does not know ${object.kind} in ${object.apiVersion}.`,
      hint: 'Correct apiVersion and kind, or add the CRD to the manifests.',
    })
  if (thrown.status === 409)
    return new DevkitError('APPLY-102', { ...text, hint: 'Remove the field from the manifest, or from the other owner.' })
  if (isImmutable(thrown))
    return new DevkitError('APPLY-105', {
      ...text,
      hint: `Delete it (\`kubectl delete ${object.kind.toLowerCase()} ${object.metadata.name}\`) if nothing in it is needed, then run \`devkit up\`.`,
    })
  if (thrown.status === 400 || thrown.status === 422)
    return new DevkitError('APPLY-101', { ...text, hint: 'Correct the manifest.' })
  return new DevkitError('APPLY-104', { ...text, hint: 'Read what the API server says.' })
}
