import type { PagesOf } from './page.ts'

/** What a workload refers to and nothing provides. */
export const referencePages = {
  'READY-150': {
    means:
      'A volume or a variable takes something from a ConfigMap that the namespace does not have, so the kubelet makes no container. It is called about two seconds after the pod was made; where a custom resource or a workload on its way may make it, a warning is shown until a minute is over.',
    looks: `✗ READY-150 Deployment/web cannot start: there is no ConfigMap settings, which envFrom of the container main refers to.
  → Write setting instead of settings in Deployment/web (k8s/web.yaml:12), or add ConfigMap/settings to the manifests.`,
    causes: [
      'The name is misspelt, or that of another environment: kustomize and Helm add suffixes and prefixes.',
      'The file with it is not among `manifests`, or the profile skips it.',
      'It lies in another namespace: pods see only those of their own.',
      'What makes it (an operator, a Job) is not installed or has not run.',
    ],
    remedies: [
      'Correct the name at the place that the message gives.',
      'Add the ConfigMap to `manifests`.',
      'Say `optional: true` where the program does without.',
    ],
  },
  'READY-151': {
    means:
      'A volume or a variable takes something from a Secret that the namespace does not have, so the kubelet makes no container. It is called about two seconds after the pod was made; where a custom resource or a workload on its way may make it, a warning is shown until a minute is over.',
    looks: `✗ READY-151 Deployment/api cannot start: there is no Secret db, which env PASSWORD of the container main refers to.
  → Add Secret/db to the manifests, name it in \`secrets\` of the config, or correct Deployment/api (k8s/api.yaml:21).`,
    causes: [
      'It is made by hand or by a pipeline in production, and nobody made it here.',
      'Its name is misspelt, or that of another environment.',
      'What makes it (cert-manager, External Secrets, an operator) is not installed in this cluster.',
      'It lies in another namespace.',
    ],
    remedies: [
      'Name it in `secrets` of the config: values come from a .env file, the environment, or are generated.',
      'Add a Secret with values for development to the manifests of the profile.',
      'Say `optional: true` where the program does without.',
    ],
  },
  'READY-152': {
    means: 'The ConfigMap or Secret is there, and lacks the key that a variable or a volume names.',
    looks: `✗ READY-152 Deployment/web cannot start: the ConfigMap settings has no key LOG_LEVL, which env LOG_LEVL of the container main refers to.
  → Write LOG_LEVEL instead of LOG_LEVL in Deployment/web (k8s/web.yaml:18), or add the key to ConfigMap/settings (k8s/settings.yaml:1).`,
    causes: [
      'The key is misspelt, or was renamed on one side only.',
      'A generator made the keys from file names: `app.yaml` is another key than `config`.',
      'The Secret comes from `secrets` of the config, which has no value of that name.',
    ],
    remedies: [
      'Compare with the keys that the evidence lists.',
      'Correct the key at the place that the message gives, or add it to the object.',
      'Say `optional: true` where the program does without.',
    ],
  },
  'READY-153': {
    means: 'The workload names a ServiceAccount that its namespace does not have: the API server takes no pod of it.',
    looks: `✗ READY-153 No pod of Deployment/web can be created: there is no ServiceAccount reader, which serviceAccountName names.
  → Add ServiceAccount/reader to the manifests, or correct Deployment/web (k8s/web.yaml:9).`,
    causes: [
      'The ServiceAccount is in another file or chart, which is not among the sources.',
      'Its name is misspelt, or a chart was told `serviceAccount.create: false`.',
      'It lies in another namespace.',
    ],
    remedies: [
      'Add the ServiceAccount to the manifests.',
      'Correct serviceAccountName, or leave it out if the program does not ask the API.',
    ],
  },
  'READY-154': {
    means: 'A volume of the workload names a PersistentVolumeClaim that the namespace does not have: no node takes its pods.',
    looks: `✗ READY-154 Deployment/db cannot start: there is no PersistentVolumeClaim data, which the volume data refers to.
  → Add PersistentVolumeClaim/data to the manifests, or correct Deployment/db (k8s/db.yaml:30).`,
    causes: [
      'The claim is made by hand in production, and nobody made it here.',
      'Its name is misspelt; claims of a StatefulSet are called VOLUME-SET-0.',
      'The profile skips it, or it was deleted.',
    ],
    remedies: ['Add the claim to the manifests; its class may be left out for the default of the cluster.', 'Correct claimName.'],
  },
  'READY-155': {
    means:
      'imagePullSecrets of the pod or of its ServiceAccount name a Secret that is not there. The kubelet goes on without it, so this is a warning; it is a failure when the registry then asks for a login.',
    looks: `✗ READY-155 The image ghcr.io/acme/web:1 of Deployment/web cannot be pulled without a login, and there is no Secret registry, which imagePullSecrets name.
  → Make it (\`kubectl create secret docker-registry registry …\`), or remove it from Deployment/web (k8s/web.yaml:14).`,
    causes: [
      'The Secret is made by hand in every namespace of production, and nobody made it here.',
      'Its name is misspelt.',
      'The image is public or built here, and the Secret is not needed at all.',
    ],
    remedies: [
      'Make the Secret with the login of the registry, or name it in `secrets` of the config.',
      'Set `imagePullSecrets: needed` or `drop` in the profile where images are built here or public.',
    ],
  },
  'READY-156': {
    means: 'The workload names a PriorityClass that the cluster does not have: the API server takes no pod of it.',
    looks: `✗ READY-156 No pod of Deployment/web can be created: the cluster has no PriorityClass high, which priorityClassName names.
  → Add PriorityClass/high to the manifests, or remove it from Deployment/web (k8s/web.yaml:11) (profiles: \`scheduling.priority: drop\`).`,
    causes: [
      'Priority classes belong to the cluster of production, and this one has none but those of the system.',
      'Its name is misspelt.',
    ],
    remedies: [
      'Set `scheduling.priority: drop` in the profile: priorities mean nothing on a laptop.',
      'Add the PriorityClass to the manifests.',
    ],
  },
  'READY-162': {
    means: 'The workload names a RuntimeClass that the cluster does not have: the API server takes no pod of it.',
    looks: `✗ READY-162 No pod of Deployment/web can be created: the cluster has no RuntimeClass gvisor, which runtimeClassName names.
  → Add RuntimeClass/gvisor to the manifests, or remove it from Deployment/web (k8s/web.yaml:11) (profiles: \`scheduling.runtime: drop\`).`,
    causes: ['The runtime (gVisor, Kata, a GPU runtime) is part of the nodes of production only.', 'Its name is misspelt.'],
    remedies: ['Set `scheduling.runtime: drop` in the profile.', 'Install the runtime on the nodes and add its RuntimeClass.'],
  },
} as const satisfies Partial<PagesOf<'READY'>>
