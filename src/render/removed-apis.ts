import { minorOf } from './capabilities.ts'

/** An API version of a kind that clusters no longer serve, or will not for long. */
export interface OldApi {
  /** `1.22`; undefined: still served, and deprecated. */
  readonly removedIn: string | undefined
  /** apiVersion to write in its place; undefined: nothing takes its place by another name alone. */
  readonly now: string | undefined
  /** What else has to change. */
  readonly also: string | undefined
}

const selector = 'spec.selector is required: write the labels of the template there'
const backend =
  'spec.backend is spec.defaultBackend, serviceName and servicePort are service.name and service.port.number or .name, each path needs a pathType (ImplementationSpecific is what it was)'

/**
 * Rows of: API version, kinds, minor version that no longer serves it (0: deprecated only), apiVersion that takes its place, what else changes.
 * @see https://kubernetes.io/docs/reference/using-api/deprecation-guide/
 */
const rows: readonly (readonly [
  apiVersion: string,
  kinds: string,
  removedIn: number,
  now?: string | undefined,
  also?: string,
])[] = [
  ['extensions/v1beta1', 'DaemonSet Deployment ReplicaSet', 16, 'apps/v1', selector],
  ['apps/v1beta1', 'Deployment StatefulSet', 16, 'apps/v1', selector],
  ['apps/v1beta2', 'DaemonSet Deployment ReplicaSet StatefulSet', 16, 'apps/v1', selector],
  ['extensions/v1beta1', 'NetworkPolicy', 16, 'networking.k8s.io/v1'],
  [
    'extensions/v1beta1',
    'PodSecurityPolicy',
    16,
    undefined,
    'label the namespace with pod-security.kubernetes.io/enforce in its place',
  ],
  ['settings.k8s.io/v1alpha1', 'PodPreset', 20, undefined, 'write its env and volumes into the workloads'],
  ['batch/v2alpha1', 'CronJob', 21, 'batch/v1'],
  [
    'admissionregistration.k8s.io/v1beta1',
    'MutatingWebhookConfiguration ValidatingWebhookConfiguration',
    22,
    'admissionregistration.k8s.io/v1',
    'webhooks[].sideEffects (None or NoneOnDryRun) and webhooks[].admissionReviewVersions are required',
  ],
  [
    'apiextensions.k8s.io/v1beta1',
    'CustomResourceDefinition',
    22,
    'apiextensions.k8s.io/v1',
    'spec.scope and spec.versions[].schema.openAPIV3Schema are required; version, validation, subresources and additionalPrinterColumns move into spec.versions[]',
  ],
  ['apiregistration.k8s.io/v1beta1', 'APIService', 22, 'apiregistration.k8s.io/v1'],
  ['authentication.k8s.io/v1beta1', 'TokenReview', 22, 'authentication.k8s.io/v1'],
  [
    'authorization.k8s.io/v1beta1',
    'LocalSubjectAccessReview SelfSubjectAccessReview SubjectAccessReview',
    22,
    'authorization.k8s.io/v1',
    'spec.group is spec.groups',
  ],
  [
    'certificates.k8s.io/v1beta1',
    'CertificateSigningRequest',
    22,
    'certificates.k8s.io/v1',
    'spec.signerName and spec.usages are required',
  ],
  ['coordination.k8s.io/v1beta1', 'Lease', 22, 'coordination.k8s.io/v1'],
  ['extensions/v1beta1', 'Ingress', 22, 'networking.k8s.io/v1', backend],
  ['networking.k8s.io/v1beta1', 'Ingress', 22, 'networking.k8s.io/v1', backend],
  ['networking.k8s.io/v1beta1', 'IngressClass', 22, 'networking.k8s.io/v1'],
  ['rbac.authorization.k8s.io/v1beta1', 'ClusterRole ClusterRoleBinding Role RoleBinding', 22, 'rbac.authorization.k8s.io/v1'],
  ['rbac.authorization.k8s.io/v1alpha1', 'ClusterRole ClusterRoleBinding Role RoleBinding', 23, 'rbac.authorization.k8s.io/v1'],
  ['scheduling.k8s.io/v1beta1', 'PriorityClass', 22, 'scheduling.k8s.io/v1'],
  ['storage.k8s.io/v1beta1', 'CSIDriver CSINode StorageClass VolumeAttachment', 22, 'storage.k8s.io/v1'],
  ['batch/v1beta1', 'CronJob', 25, 'batch/v1'],
  [
    'discovery.k8s.io/v1beta1',
    'EndpointSlice',
    25,
    'discovery.k8s.io/v1',
    'endpoints[].topology is endpoints[].nodeName and endpoints[].zone',
  ],
  ['events.k8s.io/v1beta1', 'Event', 25, 'events.k8s.io/v1', 'involvedObject is regarding'],
  ['autoscaling/v2beta1', 'HorizontalPodAutoscaler', 25, 'autoscaling/v2', 'targetAverageUtilization and its like are target'],
  ['policy/v1beta1', 'PodDisruptionBudget', 25, 'policy/v1', 'an empty spec.selector selects all pods of the namespace'],
  [
    'policy/v1beta1',
    'PodSecurityPolicy',
    25,
    undefined,
    'label the namespace with pod-security.kubernetes.io/enforce in its place',
  ],
  ['node.k8s.io/v1beta1', 'RuntimeClass', 25, 'node.k8s.io/v1'],
  ['autoscaling/v2beta2', 'HorizontalPodAutoscaler', 26, 'autoscaling/v2'],
  [
    'flowcontrol.apiserver.k8s.io/v1beta1',
    'FlowSchema PriorityLevelConfiguration',
    26,
    'flowcontrol.apiserver.k8s.io/v1',
    'assuredConcurrencyShares is nominalConcurrencyShares',
  ],
  ['storage.k8s.io/v1beta1', 'CSIStorageCapacity', 27, 'storage.k8s.io/v1'],
  [
    'flowcontrol.apiserver.k8s.io/v1beta2',
    'FlowSchema PriorityLevelConfiguration',
    29,
    'flowcontrol.apiserver.k8s.io/v1',
    'assuredConcurrencyShares is nominalConcurrencyShares',
  ],
  ['flowcontrol.apiserver.k8s.io/v1beta3', 'FlowSchema PriorityLevelConfiguration', 32, 'flowcontrol.apiserver.k8s.io/v1'],
  ['v1', 'ComponentStatus', 0],
  ['v1', 'Endpoints', 0, 'discovery.k8s.io/v1', 'the kind is EndpointSlice: addresses and ports are in endpoints[] and ports[]'],
]

const old: ReadonlyMap<string, OldApi> = new Map(
  rows.flatMap(([apiVersion, kinds, removedIn, now, also]) =>
    kinds
      .split(' ')
      .map((kind) => [
        `${apiVersion}/${kind}`,
        { removedIn: removedIn === 0 ? undefined : `1.${removedIn}`, now, also } satisfies OldApi,
      ]),
  ),
)

/** What is to be said of an API version of a kind that has had its time; undefined of all others. */
export function oldApi(apiVersion: string, kind: string): OldApi | undefined {
  return old.get(`${apiVersion}/${kind}`)
}

/** Whether a version of Kubernetes no longer serves it. */
export function isRemoved({ removedIn }: OldApi, kubernetes: string): boolean {
  return removedIn !== undefined && minorOf(kubernetes) >= minorOf(removedIn)
}
