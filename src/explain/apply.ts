import type { PagesOf } from './page.ts'

/** Objects on their way into the cluster, and out of it. */
export const applyPages: PagesOf<'APPLY'> = {
  'APPLY-101': {
    means:
      'The API server, an admission webhook or the schema of a custom resource refuses the content of a manifest. Each field that is wrong is named with file and line.',
    looks: `✗ APPLY-101 k8s/web.yaml:18: Deployment/web: spec.template.spec.containers[0].imagePullPolic: unknown field; did you mean 'imagePullPolicy'?
  → Correct the manifest.`,
    causes: [
      'A field is misspelt, or stands a level too high or too low.',
      'A value is not allowed: a name with upper-case letters, a port above 65535, a quantity without unit.',
      'The field is of a newer Kubernetes than the cluster’s.',
      'A policy refuses it: Pod Security, a quota, a validating webhook. The message is its own.',
    ],
    remedies: [
      'Correct the line that the message names.',
      'Look up what is allowed: `kubectl explain deployment.spec.template.spec.containers`.',
      'Give the policy what it asks for, in the manifest or by the profile.',
    ],
  },
  'APPLY-102': {
    means:
      'A field of the manifest is owned by somebody else in the cluster, who would set it back: most often a controller. What people changed by hand is set back, and said.',
    looks: `✗ APPLY-102 k8s/web.yaml:7: Deployment/web: .spec.replicas is owned by horizontal-pod-autoscaler.
  → Remove the field from the manifest, so that horizontal-pod-autoscaler decides; or take it with \`devkit up --force-conflicts\`.`,
    causes: [
      'An autoscaler decides `spec.replicas`, and the manifest has it too.',
      'An operator or GitOps controller manages the same object.',
      'A webhook or controller fills in what the manifest says otherwise.',
    ],
    remedies: [
      'Leave the field out of the manifest.',
      'Take it with `devkit up --force-conflicts`; the controller may take it back.',
      'Stop the other controller in this cluster if devkit is to manage the object.',
    ],
  },
  'APPLY-103': {
    means: 'The cluster serves no such kind in that API version.',
    looks: `✗ APPLY-103 k8s/cert.yaml:1: the cluster does not know Certificate in cert-manager.io/v1.
  → Correct apiVersion and kind, or add the CRD to the manifests.`,
    causes: [
      'The CustomResourceDefinition is not in this cluster.',
      'The API version is gone in this version of Kubernetes, or not there yet.',
      'Kind or apiVersion is misspelt.',
    ],
    remedies: [
      'Add the CRD to the manifests: it is applied first.',
      'Write the apiVersion that the hint names; `kubectl api-resources` shows all.',
      "Let the profile leave it out: `foreignKinds: 'skip'`.",
    ],
  },
  'APPLY-104': {
    means:
      'Applying an object failed for a reason that is not the manifest’s: the API server was away or had an error, for longer than it was asked again.',
    looks: `✗ APPLY-104 k8s/web.yaml:1: Deployment/web: the API server says 500: etcdserver: request timed out.
  → Read what the API server says.`,
    causes: [
      'The API server is being restarted or has no memory left.',
      'The disk of the node is slow or full: etcd times out.',
      'The connection was cut: a VPN, a laptop that slept.',
    ],
    remedies: [
      'Run `devkit up` again: what is applied already is left as it is.',
      'Look at the cluster: `devkit status`, `kubectl get --raw /readyz?verbose`.',
      'Give the engine more memory or disk if it happens again.',
    ],
  },
  'APPLY-105': {
    means:
      'A field that is fixed for the object’s lifetime has another value in the manifest. Making the object anew would lose data or touch others, so it is not done unasked.',
    looks: `✗ APPLY-105 k8s/data.yaml:1: PersistentVolumeClaim/data has to be made anew, since spec can't be changed: all that is in its volume goes, and the pods that use it are started anew.
  → Take the change back, or say \`devkit up --recreate-data\`, which asks first; with \`--yes\` it does not.`,
    causes: [
      'The storage class, access mode or size of a claim was changed.',
      'The scope or names of a CustomResourceDefinition, or the source of a bound volume, were changed.',
      'A profile changes such a field, and the object was made with another one.',
    ],
    remedies: [
      'Take the change back.',
      'Make it anew with its data gone: `devkit up --recreate-data`.',
      'Save the data first if it is needed, or use an environment of its own: `--env NAME`.',
    ],
  },
  'APPLY-106': {
    means:
      'An admission webhook has to agree to the object, and can’t be reached. Nothing that it watches over can be applied until it answers.',
    looks: `✗ APPLY-106 k8s/web.yaml:1: Deployment/web: the webhook policy.example.com of ValidatingWebhookConfiguration/policy, which has to agree, does not answer: no endpoints available for service "policy".
  → Look at the pods of Service policy/policy, or remove it: \`kubectl delete validatingwebhookconfiguration/policy\`.`,
    causes: [
      'The pods behind the webhook are not ready: still starting, crashed, scaled to none.',
      'The operator was removed, and its webhook configuration was left over.',
      'Its certificate has run out or is of another name.',
      'A network policy keeps the API server from it.',
    ],
    remedies: [
      'Look at the pods of the Service that the hint names.',
      'Remove the webhook configuration if its operator is gone.',
      'Bring the operator up in an earlier wave than what it watches over.',
    ],
  },
  'APPLY-111': {
    means:
      'devkit writes down in a ConfigMap of the namespace what it applied, so that it can remove what leaves the manifests. That note can’t be read.',
    looks: `✗ APPLY-111 ConfigMap/devkit-inventory in shop-default, where devkit keeps what it applied, is damaged: it has no list of objects.
  → Delete it (\`kubectl delete configmap devkit-inventory -n shop-default\`): what is in the manifests is written down again, what left them before has to be removed by hand.`,
    causes: ['It was edited by hand, or by a tool that rewrites ConfigMaps.', 'A newer devkit wrote it.'],
    remedies: [
      'Use the newer devkit if the message says that it is of one.',
      'Delete it, as the hint says; then look for what is left over: `kubectl get all,configmap -l devkit.dev/project`.',
    ],
  },
  'APPLY-112': {
    means: 'An object was deleted and is still there: something holds it. What holds it is named.',
    looks: `✗ APPLY-112 Database/store in shop-default is deleted and does not go: the finalizer db.example.com/backup is not done.
  → Start again the controller that is to take its finalizer away; when nobody will, take it away yourself with \`kubectl edit database store -n shop-default\`. Then run this again.`,
    causes: [
      'Its finalizer is taken away by a controller that is gone, or removed in the same run.',
      'A claim is still used by a pod (kubernetes.io/pvc-protection).',
      'A namespace waits for an API service that does not answer, or for objects of its own that don’t go.',
    ],
    remedies: [
      'Start the controller again, and wait.',
      'End the pods that still use it.',
      'Take the finalizer away yourself with `kubectl edit` when nobody will; what it was to clean up stays.',
    ],
  },
}
