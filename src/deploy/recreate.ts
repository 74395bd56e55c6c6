import type { Kube } from '../kube/kube.ts'
import { DevkitError } from '../lib/errors.ts'
import { type KubeObject, type Manifest, nameOf, placeOf, refOf } from '../lib/objects.ts'
import { isRecord } from '../lib/record.ts'
import { groupOf } from '../lib/select.ts'
import { fixedFieldsOf } from './refusal.ts'
import { removeWhole } from './remove.ts'

/**
 * What it takes to change a field that is fixed for an object's lifetime.
 * `replace`: nothing is lost that the manifest does not bring back. `orphan`: pods and claims live on. `lose`: something goes for good.
 * `refuse`: devkit leaves it to the person.
 */
export type Recreation =
  | { readonly how: 'replace'; readonly fields: readonly string[]; readonly propagation: 'Background' | 'Foreground' }
  | { readonly how: 'orphan'; readonly fields: readonly string[] }
  | { readonly how: 'lose'; readonly fields: readonly string[]; readonly what: string }
  | { readonly how: 'refuse'; readonly fields: readonly string[]; readonly hint: string }

/** Kinds of which the manifest is all there is, but for what their controllers make anew. */
const replaceable: ReadonlySet<string> = new Set(
  'apps/Deployment apps/DaemonSet apps/ReplicaSet batch/Job batch/CronJob /Pod /ReplicationController /Service /ConfigMap /Secret rbac.authorization.k8s.io/RoleBinding rbac.authorization.k8s.io/ClusterRoleBinding networking.k8s.io/IngressClass scheduling.k8s.io/PriorityClass node.k8s.io/RuntimeClass'.split(
    ' ',
  ),
)

/** What making the live object anew means, from what the API server said of the change; undefined when it refused something else. */
export function recreationFor(live: KubeObject, wanted: KubeObject, thrown: unknown): Recreation | undefined {
  const fields = fixedFieldsOf(thrown)
  return fields.length === 0 ? undefined : recreationOf(live, wanted, fields)
}

/**
 * A Service without cluster IP that is to get one: the server takes the change and leaves it without.
 * @see https://kubernetes.io/docs/concepts/services-networking/service/#headless-services
 */
export function unheaded(live: KubeObject, wanted: KubeObject): Recreation | undefined {
  if (live.kind !== 'Service' || live.apiVersion !== 'v1') return undefined
  const isHeadless = specOf(live)['clusterIP'] === 'None'
  const { clusterIP, type = 'ClusterIP' } = specOf(wanted)
  return isHeadless && clusterIP === undefined && type === 'ClusterIP'
    ? { how: 'replace', fields: ['spec.clusterIP'], propagation: 'Background' }
    : undefined
}

function recreationOf(live: KubeObject, wanted: KubeObject, fields: readonly string[]): Recreation {
  const kind = `${groupOf(live)}/${live.kind}`
  switch (kind) {
    case 'apps/StatefulSet':
      return { how: 'orphan', fields }
    case '/PersistentVolumeClaim':
      return { how: 'lose', fields, what: 'all that is in its volume goes, and the pods that use it are started anew' }
    case '/PersistentVolume': {
      const { claimRef } = specOf(live) as { readonly claimRef?: { readonly namespace?: string; readonly name?: string } }
      return isBound(live)
        ? { how: 'refuse', fields, hint: `Remove the claim first that it belongs to: ${claimRef?.namespace}/${claimRef?.name}.` }
        : { how: 'lose', fields, what: 'what is kept of it in the cluster goes' }
    }
    case 'storage.k8s.io/StorageClass':
      return { how: 'lose', fields, what: 'its volumes stay, but everybody’s claims find no class for a moment' }
    case 'apiextensions.k8s.io/CustomResourceDefinition':
      return {
        how: 'refuse',
        fields,
        hint: `All its objects would go. When none is needed: \`kubectl delete crd ${live.metadata.name}\`.`,
      }
    default:
      return replaceable.has(kind)
        ? { how: 'replace', fields, propagation: isAlone(wanted) ? 'Foreground' : 'Background' }
        : { how: 'lose', fields, what: 'whatever its controller keeps for it goes' }
  }
}

/** Whether no pod of the old object may run beside those of the new one. */
function isAlone(wanted: KubeObject): boolean {
  const { strategy } = specOf(wanted) as { readonly strategy?: { readonly type?: string } }
  return wanted.kind === 'Deployment' && strategy?.type === 'Recreate'
}

function isBound({ status }: KubeObject): boolean {
  return (status as { readonly phase?: string } | undefined)?.phase === 'Bound'
}

/** Whether it is done without a word: nothing goes for good. */
export function isHarmless({ how }: Recreation): boolean {
  return how === 'replace' || how === 'orphan'
}

/** What is said of an object that was made anew. */
export function remarkOf(object: KubeObject, { how, fields }: Recreation): string {
  const lives = how === 'orphan' ? '; its claims stay, and all pods that the new one can use' : ''
  return `${nameOf(object)} is made anew, since ${fields.join(', ')} can't be changed${lives}`
}

/** A change that takes more than was allowed. */
export function unwanted({ object, origin }: Manifest, recreation: Recreation, cause: unknown): DevkitError {
  const name = nameOf(object)
  const why = `${placeOf(origin)}: ${name} has to be made anew, since ${recreation.fields.join(', ')} can't be changed`
  return new DevkitError('APPLY-105', {
    message: recreation.how === 'lose' ? `${why}: ${recreation.what}.` : `${why}.`,
    hint:
      recreation.how === 'refuse'
        ? recreation.hint
        : 'Take the change back, or say `devkit up --recreate-data`, which asks first; with `--yes` it does not.',
    object: name,
    cause,
  })
}

/** Takes the live object away, so that what its manifest says can be made. @throws APPLY-112 when it does not go */
export async function makeRoom(
  kube: Kube,
  { live, wanted, recreation }: { readonly live: KubeObject; readonly wanted: KubeObject; readonly recreation: Recreation },
  signal: AbortSignal,
): Promise<void> {
  if (recreation.how === 'orphan') return orphan(kube, live, wanted, signal)
  if (live.kind === 'PersistentVolumeClaim') await letGo(kube, live, signal)
  await removeWhole(kube, live, recreation.how === 'replace' ? { propagation: recreation.propagation } : {}, signal)
}

/** Leaves the pods to the set that is to come, but for those that it could neither find nor change. */
async function orphan(kube: Kube, live: KubeObject, wanted: KubeObject, signal: AbortSignal): Promise<void> {
  const { namespace, uid } = live.metadata
  const pods = await kube.list({ apiVersion: 'v1', kind: 'Pod', namespace }, signal)
  const own = pods.filter(({ metadata }) => metadata.ownerReferences?.some((owner) => owner.uid === uid))
  await removeWhole(kube, live, { propagation: 'Orphan' }, signal)
  for (const pod of own) if (!fits(pod, wanted)) await kube.remove(refOf(pod), signal, { uid: pod.metadata.uid })
}

interface SetSpec {
  readonly serviceName?: string
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> }
  readonly volumeClaimTemplates?: readonly { readonly metadata?: { readonly name?: string } }[]
}

interface BoundPodSpec {
  readonly subdomain?: string
  readonly volumes?: readonly { readonly name: string; readonly persistentVolumeClaim?: { readonly claimName: string } }[]
}

/**
 * Whether a StatefulSet can take a pod over: it selects it, and the pod has its name in the network and its volumes, which no pod can change.
 * @see https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/statefulset/stateful_set_utils.go (identityMatches, storageMatches)
 */
export function fits(pod: KubeObject, set: KubeObject): boolean {
  const { serviceName, selector, volumeClaimTemplates = [] } = specOf(set) as SetSpec
  const { subdomain, volumes = [] } = specOf(pod) as BoundPodSpec
  const isSelected = Object.entries(selector?.matchLabels ?? {}).every(([name, value]) => pod.metadata.labels?.[name] === value)
  const hasVolumes = volumeClaimTemplates.every(({ metadata: { name = '' } = {} }) =>
    volumes.some((volume) => volume.name === name && volume.persistentVolumeClaim?.claimName === `${name}-${pod.metadata.name}`),
  )
  return isSelected && hasVolumes && (subdomain ?? '') === (serviceName ?? '')
}

/** Ends the pods that use a claim: it goes when none does. Those that take their place wait for the new one. */
async function letGo(kube: Kube, claim: KubeObject, signal: AbortSignal): Promise<void> {
  const { name, namespace, uid } = claim.metadata
  await kube.remove(refOf(claim), signal, { uid })
  const pods = await kube.list({ apiVersion: 'v1', kind: 'Pod', namespace }, signal)
  const users = pods.filter((pod) => {
    const { volumes = [] } = specOf(pod) as BoundPodSpec
    return volumes.some(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName === name)
  })
  for (const pod of users) await kube.remove(refOf(pod), signal, { uid: pod.metadata.uid })
}

function specOf(object: KubeObject): Readonly<Record<string, unknown>> {
  return isRecord(object['spec']) ? object['spec'] : {}
}
