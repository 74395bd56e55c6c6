import type { PagesOf } from './page.ts'

/** Why the API server takes no pod of a workload. */
export const refusalPages = {
  'READY-190': {
    means:
      'A ResourceQuota of the namespace leaves too little for another pod, or counts what its containers do not say. While pods are on their way out, which give back what they have, it is a warning.',
    looks: `✗ READY-190 No pod of Deployment/web can be created: the ResourceQuota compute has too little left of pods (asks for 1, 2 of 2 are used).
  → Raise spec.hard of ResourceQuota/compute (k8s/quota.yaml:6), or let Deployment/web (k8s/web.yaml:1) have fewer replicas or ask for less (profiles: \`maxReplicas\`, \`requests\`).`,
    causes: [
      'Other workloads of the namespace use it up.',
      'A rollout needs one pod more than the quota allows: maxSurge.',
      'The quota counts limits, and a container sets none.',
    ],
    remedies: [
      'Raise the quota, or lower replicas and requests by the profile.',
      'Leave the quota out here: `skip` of the profile.',
      'Set maxSurge to 0 where there is room for no second pod.',
    ],
  },
  'READY-191': {
    means: 'A LimitRange of the namespace sets bounds that the resources of the pod are outside of.',
    looks: `✗ READY-191 No pod of Deployment/web can be created: the LimitRange bounds does not allow its resources: maximum memory usage per Container is 128Mi, but limit is 1Gi.
  → Correct the resources in Deployment/web (k8s/web.yaml:20), or the limits of LimitRange/bounds (k8s/bounds.yaml:1).`,
    causes: [
      'The container asks for more than the maximum, or less than the minimum.',
      'Its limit is too many times its request.',
      'A profile lowers requests below the minimum.',
    ],
    remedies: ['Correct the resources, or the LimitRange.', 'Leave the LimitRange out here: `skip` of the profile.'],
  },
  'READY-192': {
    means: 'The namespace enforces a Pod Security Standard by its label, and the pod does what that forbids.',
    looks: `✗ READY-192 No pod of Deployment/web can be created: the namespace shop enforces the Pod Security Standard restricted, which forbids runAsNonRoot != true.
  → Correct Deployment/web (k8s/web.yaml:15) (must set securityContext.runAsNonRoot=true), or let the namespace allow more: \`kubectl label namespace shop pod-security.kubernetes.io/enforce=… --overwrite\`.`,
    causes: [
      'The workload was written for a namespace without the label.',
      'A sidecar or debug container of the profile needs more than the standard allows.',
      'It mounts a hostPath or uses the network of its node.',
    ],
    remedies: ['Set the fields that the hint names.', 'Lower the label of the namespace for development.'],
  },
  'READY-193': {
    means: 'An admission webhook or a ValidatingAdmissionPolicy looked at the pod and said no.',
    looks: `✗ READY-193 No pod of Deployment/web can be created: the ValidatingAdmissionPolicy no-latest refuses it: failed expression: object.spec.containers.all(c, !c.image.endsWith(':latest')).
  → Correct Deployment/web (k8s/web.yaml:1) as it says, or what it demands: \`kubectl get validatingadmissionpolicy/no-latest --output yaml\`.`,
    causes: [
      'A policy engine (Kyverno, Gatekeeper) enforces rules of the company.',
      'The image, a label or the security context is not allowed.',
    ],
    remedies: ['Do what it says.', 'Leave the policy out here if it is part of the manifests: `skip` of the profile.'],
  },
  'READY-194': {
    means:
      'An admission webhook has to agree to pods and does not answer. A warning for ten seconds, or for a minute while a Deployment beside it is on its way.',
    looks: `✗ READY-194 No pod of Deployment/web can be created: the webhook inject.acme.test of MutatingWebhookConfiguration/inject, which has to agree, does not answer: dial tcp 10.96.0.9:443: connect: connection refused.
  → Look at the pods of Service acme/inject, or remove it: \`kubectl delete mutatingwebhookconfiguration/inject\`.`,
    causes: [
      'The pods behind it do not run.',
      'What it belongs to was removed and its configuration stayed.',
      'Its certificate is not, or no longer, the right one.',
    ],
    remedies: ['Look at its pods and their log.', 'Remove the configuration if nobody needs it.'],
  },
  'READY-195': {
    means:
      'The API server takes no pod of the workload, for a reason that has no code of its own. What it says of itself (a time-out) is a warning for ten seconds.',
    looks: `✗ READY-195 No pod of DaemonSet/agent can be created: spec.containers[0].volumeMounts[0].name: Not found: "data".
  → Mend what the API server refuses in DaemonSet/agent (k8s/agent.yaml:1).`,
    causes: [
      'A field of the pod is not valid, which only shows when a pod is made.',
      'An admission plugin of the cluster forbids it.',
      'The controller lacks a right.',
    ],
    remedies: [
      'Read what the API server says.',
      '`kubectl get events --field-selector reason=FailedCreate` has it word for word.',
    ],
  },
} as const satisfies Partial<PagesOf<'READY'>>
