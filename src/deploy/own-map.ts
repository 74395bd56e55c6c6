import type { Kube } from '../kube/kube.ts'
import { DevkitError, messageOf } from '../lib/errors.ts'
import type { KubeObject, ObjectRef } from '../lib/objects.ts'
import { ownLabels } from './apply.ts'

/** Whose objects these are, and where. */
export interface Environment {
  readonly namespace: string
  readonly project: string
  readonly env: string
}

/** A ConfigMap in which devkit keeps what it has to know of an environment later. */
export interface OwnMap {
  readonly name: string
  /** What it is for, as in `where devkit keeps …`. */
  readonly keeps: string
  /** What deleting it means, for who has to: the rest of a sentence after the command. */
  readonly without: string
}

/** What the map holds; undefined when it is not there. */
export async function readMap(
  kube: Kube,
  { name }: OwnMap,
  namespace: string,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>> | undefined> {
  const found = await kube.get(refTo(name, namespace), signal)
  return found && ((found['data'] ?? {}) as Readonly<Record<string, string>>)
}

/** Puts down what the map is to hold, and nothing else. */
export async function writeMap(
  kube: Kube,
  { name }: OwnMap,
  { namespace, project, env }: Environment,
  data: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  const metadata = { name, namespace, labels: ownLabels(project, env) }
  const object: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data }
  await kube.apply(object, signal, { force: true })
}

/** Removes the map; there may be none. */
export function forgetMap(kube: Kube, { name }: OwnMap, namespace: string, signal: AbortSignal): Promise<void> {
  return kube.remove(refTo(name, namespace), signal)
}

/** What is in a map cannot be read: somebody else has written there. */
export function damaged({ name, keeps, without }: OwnMap, namespace: string, cause: unknown): DevkitError {
  return new DevkitError('APPLY-111', {
    message: `ConfigMap/${name} in ${namespace}, where devkit keeps ${keeps}, is damaged: ${messageOf(cause).replace(/\.$/, '')}.`,
    hint: `Delete it (\`kubectl delete configmap ${name} -n ${namespace}\`): ${without}.`,
    object: `ConfigMap/${name}`,
    cause,
  })
}

function refTo(name: string, namespace: string): ObjectRef {
  return { apiVersion: 'v1', kind: 'ConfigMap', name, namespace }
}
