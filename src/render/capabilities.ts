import type { KubeObject, Manifest } from '../lib/objects.ts'
import { groupOf } from '../lib/select.ts'

/** What an API server serves: for what has to be known of it before there is one. */
export interface Capabilities {
  /** Minor version, such as `1.34`. */
  readonly kubernetes: string
  /** Group versions and the kinds of each (`apps/v1`, `apps/v1/Deployment`), as Helm's `--api-versions` takes them. */
  readonly apiVersions: readonly string[]
  /** Whether a kind is built in: needs no CRD. */
  isBuiltIn(object: Pick<KubeObject, 'apiVersion' | 'kind'>): boolean
  /** Whether a kind is of a group that Kubernetes has not, and no CRD brings it. */
  isForeign(object: Pick<KubeObject, 'apiVersion' | 'kind'>): boolean
  /** Whether objects of a kind live in a namespace; of a kind that is not known what is likely. */
  isNamespaced(object: Pick<KubeObject, 'apiVersion' | 'kind'>): boolean
}

/** The newest whose kinds are known: taken when the config says none. */
export const newestKubernetes = '1.35'

/**
 * Kinds that versions 1.32 to 1.35 serve by default, read from an API server of 1.34; a test asks the lab's for them. `*`: lives in no namespace.
 * `@34`: since 1.34. Beta versions are off by default since 1.24: https://kubernetes.io/docs/reference/using-api/#api-groups
 */
const builtIn: Readonly<Record<string, string>> = {
  v1: 'Binding ComponentStatus* ConfigMap Endpoints Event LimitRange Namespace* Node* PersistentVolume* PersistentVolumeClaim Pod PodTemplate ReplicationController ResourceQuota Secret Service ServiceAccount',
  'admissionregistration.k8s.io/v1':
    'MutatingWebhookConfiguration* ValidatingAdmissionPolicy* ValidatingAdmissionPolicyBinding* ValidatingWebhookConfiguration*',
  'apiextensions.k8s.io/v1': 'CustomResourceDefinition*',
  'apiregistration.k8s.io/v1': 'APIService*',
  'apps/v1': 'ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet',
  'authentication.k8s.io/v1': 'SelfSubjectReview* TokenReview*',
  'authorization.k8s.io/v1': 'LocalSubjectAccessReview SelfSubjectAccessReview* SelfSubjectRulesReview* SubjectAccessReview*',
  'autoscaling/v1': 'HorizontalPodAutoscaler',
  'autoscaling/v2': 'HorizontalPodAutoscaler',
  'batch/v1': 'CronJob Job',
  'certificates.k8s.io/v1': 'CertificateSigningRequest*',
  'coordination.k8s.io/v1': 'Lease',
  'discovery.k8s.io/v1': 'EndpointSlice',
  'events.k8s.io/v1': 'Event',
  'flowcontrol.apiserver.k8s.io/v1': 'FlowSchema* PriorityLevelConfiguration*',
  'networking.k8s.io/v1': 'IPAddress*@33 Ingress IngressClass* NetworkPolicy ServiceCIDR*@33',
  'node.k8s.io/v1': 'RuntimeClass*',
  'policy/v1': 'PodDisruptionBudget',
  'rbac.authorization.k8s.io/v1': 'ClusterRole* ClusterRoleBinding* Role RoleBinding',
  'resource.k8s.io/v1': 'DeviceClass*@34 ResourceClaim@34 ResourceClaimTemplate@34 ResourceSlice*@34',
  'scheduling.k8s.io/v1': 'PriorityClass*',
  'storage.k8s.io/v1': 'CSIDriver* CSINode* CSIStorageCapacity StorageClass* VolumeAttachment* VolumeAttributesClass*@34',
}

interface Kind {
  readonly apiVersion: string
  readonly kind: string
  readonly namespaced: boolean
  /** Minor version that serves it first; 0: all that are known. */
  readonly since: number
}

const kinds: readonly Kind[] = Object.entries(builtIn).flatMap(([apiVersion, words]) =>
  words.split(' ').map((word) => {
    const [, kind = '', star, since] = /^(\w+)(\*?)(?:@(\d+))?$/.exec(word) ?? []
    return { apiVersion, kind, namespaced: star === '', since: Number(since ?? 0) }
  }),
)
const ownGroups = new Set(kinds.map(groupOf))
const clusterKinds = new Set(kinds.filter(({ namespaced }) => !namespaced).map(({ kind }) => kind))
const namespacedKinds = new Set(kinds.filter(({ namespaced }) => namespaced).map(({ kind }) => kind))

/** `34` of `1.34` and of `v1.34.3`. */
export function minorOf(kubernetes: string): number {
  return Number(/^v?1\.(\d+)/.exec(kubernetes)?.[1] ?? Number.NaN)
}

/** What a version serves, with the kinds that CRDs among the manifests add. Older and newer ones than are known count as the nearest. */
export function capabilitiesOf(kubernetes: string = newestKubernetes, manifests: readonly Manifest[] = []): Capabilities {
  const minor = minorOf(kubernetes)
  const served = [...kinds.filter(({ since }) => since <= minor), ...manifests.flatMap(({ object }) => kindsOfCrd(object))]
  const known = new Map(served.map((kind) => [`${kind.apiVersion}/${kind.kind}`, kind]))
  return {
    kubernetes,
    apiVersions: [...new Set(served.map(({ apiVersion }) => apiVersion)), ...known.keys()],
    isBuiltIn: ({ apiVersion, kind }) => known.has(`${apiVersion}/${kind}`),
    // a group without a dot, such as `extensions`, was Kubernetes' own: what is gone is told, not left out
    isForeign: ({ apiVersion, kind }) =>
      !known.has(`${apiVersion}/${kind}`) && groupOf({ apiVersion }).includes('.') && !ownGroups.has(groupOf({ apiVersion })),
    isNamespaced: ({ apiVersion, kind }) =>
      known.get(`${apiVersion}/${kind}`)?.namespaced ??
      // another version of a kind lives where that kind lives; other kinds by how they are usually named
      !(clusterKinds.has(kind) || (!namespacedKinds.has(kind) && /^Cluster|Class$|^PodSecurityPolicy$/.test(kind))),
  }
}

function kindsOfCrd(object: KubeObject): readonly Kind[] {
  if (object.kind !== 'CustomResourceDefinition') return []
  const spec = (object['spec'] ?? {}) as {
    readonly group?: unknown
    readonly scope?: unknown
    readonly version?: unknown
    readonly versions?: unknown
    readonly names?: { readonly kind?: unknown } | null
  }
  const versions = [...(Array.isArray(spec.versions) ? (spec.versions as readonly ({ readonly name?: unknown } | null)[]) : [])]
  return [...versions.map((version) => version?.name), spec.version]
    .filter((version) => typeof version === 'string')
    .map((version) => ({
      apiVersion: `${spec.group}/${version}`,
      kind: String(spec.names?.kind),
      namespaced: spec.scope !== 'Cluster',
      since: 0,
    }))
}
