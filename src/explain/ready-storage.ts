import type { PagesOf } from './page.ts'

/** Why a volume is not there. */
export const storagePages = {
  'READY-165': {
    means: 'A claim says nothing of a storage class, the cluster has no default one, and no volume without a class is there.',
    looks: `✗ READY-165 Deployment/db cannot start: its PersistentVolumeClaim data names no storage class, and the cluster has no default one.
  → Name one in PersistentVolumeClaim/data (k8s/db.yaml:40) (there is standard), or make it the default: \`kubectl annotate storageclass standard storageclass.kubernetes.io/is-default-class=true\`.`,
    causes: [
      'The cluster was set up without a default class, or somebody took the annotation away.',
      'No provisioner is installed.',
    ],
    remedies: ['Make a class the default.', 'Name a class in the claim, or by `storageClasses` of the profile.'],
  },
  'READY-166': {
    means: 'A claim names a storage class that the cluster does not have, and no volume of that class is there.',
    looks: `✗ READY-166 Deployment/db cannot start: there is no StorageClass gp3, which its PersistentVolumeClaim data names.
  → Write standard instead of gp3 in PersistentVolumeClaim/data (k8s/db.yaml:40) (profiles: \`storageClasses\`).`,
    causes: [
      'The class is one of the cloud that production runs in.',
      'Its name is misspelt.',
      'What brings the class (a CSI driver) is not installed yet.',
    ],
    remedies: [
      'Map it in the profile: `storageClasses: { gp3: (default) }`.',
      'The class of a claim that is there cannot be changed: delete the claim, then `devkit up`.',
    ],
  },
  'READY-167': {
    means:
      'Only volumes that are there already can be bound to the claim, and the largest that is free and fits otherwise is too small.',
    looks: `✗ READY-167 Deployment/db cannot start: its PersistentVolumeClaim data asks for 10Gi, and the largest free volume of the class fast (disk-1) has 1Gi.
  → Ask for 1Gi or less in PersistentVolumeClaim/data (k8s/db.yaml:40) (profiles: \`maxStorage\`), or add a larger PersistentVolume.`,
    causes: ['The claim asks for what production needs.', 'The volume was made for another claim.'],
    remedies: ['Set `maxStorage` in the profile.', 'Add a PersistentVolume that is large enough.'],
  },
  'READY-168': {
    means: 'Only volumes that are there already can be bound to the claim, and none that is free offers its access mode.',
    looks: `✗ READY-168 Deployment/web cannot start: its PersistentVolumeClaim shared asks for ReadWriteMany, and the free volumes of the class fast offer ReadWriteOnce.
  → Ask for ReadWriteOnce in PersistentVolumeClaim/shared (k8s/web.yaml:40) (profiles: \`accessModes\`), or add a PersistentVolume that offers it.`,
    causes: [
      'Production has a file system that nodes share; disks of a laptop offer ReadWriteOnce.',
      'The volume was written for another use.',
    ],
    remedies: [
      'Map the mode in the profile: `accessModes: { ReadWriteMany: ReadWriteOnce }`.',
      'Add the mode to the PersistentVolume if what lies behind it bears it.',
    ],
  },
  'READY-169': {
    means:
      'Only volumes that are there already can be bound to the claim, and none fits: there is none of its class, all belong to other claims, its selector or volumeName means another, the volume mode differs; or the volume it was bound to is gone.',
    looks: `✗ READY-169 Deployment/db cannot start: its PersistentVolumeClaim data asks for the volume disk-2, which is not among the free ones.
  → Write disk-1 instead of disk-2 in PersistentVolumeClaim/data (k8s/db.yaml:44).`,
    causes: [
      'A volume that was released still belongs to the claim that is gone: it is not given to another.',
      'The claim says `storageClassName: ""`, which means that nothing makes a volume for it.',
      'Labels of the volume are not those of the selector.',
      'The PersistentVolume is not among the manifests, or its name is misspelt.',
    ],
    remedies: [
      'Add a PersistentVolume that fits, or let a class make it.',
      'Free one that was released by removing its claimRef, when nothing in it is needed.',
      'Correct selector or volumeName.',
    ],
  },
  'READY-170': {
    means:
      'The claim waits for the provisioner of its class, and nobody answers for that name: a warning at first, a failure after 20 seconds, or after a minute while Deployments of the cluster are still on their way.',
    looks: `✗ READY-170 Deployment/db cannot start: nobody answers for the provisioner ebs.csi.aws.com of the StorageClass gp3, which its PersistentVolumeClaim data names.
  → Install or start ebs.csi.aws.com, or name another class in PersistentVolumeClaim/data (k8s/db.yaml:40) (profiles: \`storageClasses\`).`,
    causes: [
      'The class was copied from production, its driver was not.',
      'The provisioner is scaled to zero, or its pods do not run.',
      'The name of the provisioner is misspelt in the class.',
    ],
    remedies: [
      'Map the class in the profile: `storageClasses: { gp3: (default) }`.',
      'Look for its pods: `kubectl get pods --all-namespaces`.',
    ],
  },
  'READY-171': {
    means:
      'The node has the volume and cannot mount it where the container wants it: the subPath cannot be had, or a directory would have to be mounted on a file or the other way round.',
    looks: `✗ READY-171 The container main of Deployment/web cannot be created: the subPath app.yaml/x of the volume config cannot be had for /etc/x.
  → Correct Deployment/web (k8s/web.yaml:33): each part of subPath but the last has to be a directory, the last what mountPath is.`,
    causes: [
      'A part of subPath is a file in the volume.',
      'A ConfigMap is mounted on the path of a file without subPath.',
      'The key that subPath names is not there, so that a directory was made in its place.',
      'subPath leads out of the volume by a link.',
    ],
    remedies: [
      'Compare what is in the volume with subPath.',
      'Mount the directory instead of the file, or name the key as subPath.',
    ],
  },
  'READY-172': {
    means:
      'A hostPath volume says of which type the path has to be, and on the node it is not there or is something else. The node of a local cluster is a container or a virtual machine: its paths are not those of the machine.',
    looks: `✗ READY-172 DaemonSet/agent cannot start: /var/run/docker.sock of the node is not what its volume docker asks for (hostPath of type Socket).
  → Correct path or type in DaemonSet/agent (k8s/agent.yaml:25). A path is one of the node, not of this machine.`,
    causes: [
      'The path is one of the nodes of production: a socket of another runtime, a directory of another system.',
      'A program that makes the path has not run yet.',
      'The path is one of this machine and was never given to the node.',
    ],
    remedies: [
      'Let it be made: DirectoryOrCreate or FileOrCreate.',
      'Leave the container or the workload out by `skip` or `skipContainers` of the profile.',
    ],
  },
  'READY-173': {
    means:
      'The program ends, and its last lines say that it has no room to write. A warning at first; a failure by the rule for programs that end again and again.',
    looks: `✗ READY-173 The container main of Deployment/db ends because the volume data at /var/lib/postgresql/data is full.
  → Remove what is not needed from PersistentVolumeClaim/data, or ask for more in PersistentVolumeClaim/data (k8s/db.yaml:40).`,
    causes: [
      'The volume holds what earlier runs left.',
      'The sizeLimit of an emptyDir in memory is small, and counts against the memory limit.',
      'The disk of the node is full: volumes of a local cluster share it.',
      '/dev/shm has 64 MiB in a container.',
    ],
    remedies: ['Remove what is not needed, or give the volume more room.', 'Look at the node: `docker system df`.'],
  },
  'READY-174': {
    means:
      'Another pod uses the claim, whose access mode lets only one pod, or one node, have it. While that pod is on its way out it is a warning.',
    looks: `✗ READY-174 Deployment/db cannot start: its PersistentVolumeClaim data (ReadWriteOncePod) is in use by a pod of the rollout before.
  → Set \`strategy: { type: Recreate }\` in Deployment/db (k8s/db.yaml:8): the old pod then leaves before the new one comes.`,
    causes: [
      'A Deployment with one volume rolls out by a second pod that waits for the first to leave.',
      'Two workloads name the same claim.',
      'A node that went away still holds the volume.',
    ],
    remedies: [
      'Set strategy Recreate, or make it a StatefulSet.',
      'Give each workload a claim of its own, or ask for ReadWriteMany where the class offers it.',
    ],
  },
  'READY-175': {
    means:
      'The provisioner of the class answers that it cannot make the volume. A warning at first; a failure after three tries or 20 seconds.',
    looks: `✗ READY-175 Deployment/db cannot start: rancher.io/local-path cannot make the volume of its PersistentVolumeClaim data: claim.Spec.Selector is not supported.
  → Correct PersistentVolumeClaim/data (k8s/db.yaml:40), or what the StorageClass standard says: \`kubectl get storageclass standard --output yaml\`.`,
    causes: [
      'The claim asks for what the provisioner does not do: a selector, a block device, a mode.',
      'Parameters of the class are wrong, or credentials of the provisioner.',
      'What lies behind it is full or not reachable.',
    ],
    remedies: [
      'Read what the provisioner says; its own log has more.',
      'Correct the claim: what is fixed in it takes deleting it first.',
    ],
  },
} as const satisfies Partial<PagesOf<'READY'>>
