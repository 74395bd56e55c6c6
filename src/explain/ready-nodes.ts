import type { PagesOf } from './page.ts'

/** What nodes do to pods. */
export const nodePages = {
  'READY-210': {
    means:
      'A node ran short of disk (or inodes, or process ids) and evicted the pod. The second eviction within two minutes is a failure.',
    looks: `✗ READY-210 A pod of Deployment/web was evicted: its node was short of disk, of which its container main took 3Gi.
  → Make room on the disk of the engine: \`docker system df\` and \`docker system prune\`.`,
    causes: [
      'Images, build caches and volumes have filled the disk of the engine.',
      'A container writes much to its own file system or to an emptyDir.',
      "The disk of the engine's virtual machine is small.",
    ],
    remedies: [
      'See who takes it: `docker system df`; remove what nobody needs: `docker system prune`.',
      'Let what writes much write to a claim.',
      'Give the engine a larger disk.',
    ],
  },
  'READY-211': {
    means: 'A node ran short of memory and evicted the pod. The second eviction within two minutes is a failure.',
    looks: `✗ READY-211 A pod of Deployment/web was evicted: its node was short of memory, of which its container main took 1Gi.
  → Give the engine more memory, or let less run there; a request (resources.requests.memory) keeps a pod longer than others.`,
    causes: [
      'Programs take more than they ask for, together more than there is.',
      'Something outside the cluster takes the memory of the machine.',
      'One program leaks.',
    ],
    remedies: [
      'See who takes it: `docker stats`.',
      'Give the engine more memory.',
      'Set memory limits, so that the one that leaks is ended.',
    ],
  },
  'READY-212': {
    means:
      'The pod took more of the local disk than it may: an emptyDir more than its sizeLimit, or a container more than its limit of ephemeral-storage. The second time is a failure.',
    looks: `✗ READY-212 A pod of Deployment/web was evicted: its volume cache holds more than its sizeLimit of 64Mi.
  → Raise emptyDir.sizeLimit of cache in Deployment/web (k8s/web.yaml:44), or let its program keep less there.`,
    causes: ['The limit is too small for what it does.', 'It does not tidy up: logs, temporary files, caches.'],
    remedies: ['Raise the limit where the hint says.', 'Let it write to a claim, or remove what it does not need.'],
  },
  'READY-213': {
    means:
      'The node on which the pod runs is not ready: it does not answer, or says so itself. It is a warning for 30 seconds: after a restart of the machine it comes back.',
    looks: `✗ READY-213 The node dev-control-plane, on which Deployment/web runs, does not answer.
  → Look whether its machine or container runs (\`docker ps\`): \`devkit stop\` and \`devkit start\` start a node of devkit anew.`,
    causes: [
      'Its container was paused or stopped.',
      'The machine was asleep, or has no memory or disk left.',
      'Its kubelet or runtime has ended.',
    ],
    remedies: ['Look at it: `docker ps`, `kubectl describe node NAME`.', 'Start it anew: `devkit stop`, `devkit start`.'],
  },
  'READY-214': {
    means:
      'A node is short of disk, memory or process ids and says by a taint that it takes no new pods. It is a warning for 30 seconds, in which the node tries to help itself.',
    looks: `✗ READY-214 No node takes a pod of Deployment/web: dev-control-plane is short of disk, and keeps new pods away.
  → Make room on the disk of the engine: \`docker system df\` and \`docker system prune\`; the kubelet takes the taint away 5 minutes later.`,
    causes: [
      'Images, build caches and volumes have filled the disk of the engine.',
      'Programs take more memory than there is.',
      'A program starts processes without end.',
    ],
    remedies: [
      'Make room, then wait: the node takes pods again five minutes after it is relieved.',
      'Give the engine more of what lacks.',
    ],
  },
  'READY-215': {
    means: 'The scheduler removed the pod so that one of higher priority has room, and there is none left for it.',
    looks: `✗ READY-215 A pod of Deployment/web had to make room for one of higher priority, of Deployment/pay (1000 against 0), and no node has room for it now.
  → Lower the requests of either (profiles: \`requests\`), let both have the same priorityClassName (profiles: \`scheduling.priority\`), or give the engine more.`,
    causes: [
      'The node is too small for both, and priority classes say who goes.',
      'A priority class is the default of all that name none.',
    ],
    remedies: [
      "Let the profile drop priorities: `scheduling: { priority: 'drop' }`, as `dev` does.",
      'Lower the requests, or give the engine more.',
    ],
  },
  'READY-216': {
    means:
      'The node cannot make what a pod lives in: its network, its sandbox or the runtime that it asks for. A runtime that is not there is a failure at once, anything else after 30 seconds.',
    looks: `✗ READY-216 No pod of Deployment/web can begin: its node has no runtime kata, which runtimeClassName secure asks for.
  → Take runtimeClassName out of Deployment/web (k8s/web.yaml:20) (profiles: \`scheduling.runtime\`), or install that runtime on the node.`,
    causes: [
      'The network plugin does not run, is still beginning, or has no addresses left.',
      'A RuntimeClass names a runtime that the node does not have.',
      'The image of the sandbox cannot be pulled.',
    ],
    remedies: [
      'Look at the pods of the network plugin: `kubectl get pods -n kube-system`.',
      "Let the profile use the node's own runtime: `scheduling: { runtime: 'drop' }`.",
      'Make the cluster anew: `devkit down`, `devkit up`.',
    ],
  },
  'READY-217': {
    means: 'The node was shut down in good order and ended the pod. What a controller made is made again; a bare pod is not.',
    looks: `✗ READY-217 A pod of Pod/tool ended with its node dev-control-plane, which is shutting down.
  → Start the node again (\`devkit start\`); a pod without a Deployment or Job has to be applied again: \`devkit up\`.`,
    causes: ['The machine was shut down or restarted.', 'The node was stopped for an upgrade.'],
    remedies: ['Start the node again and run `devkit up`.', 'Make it a Deployment if it is to come back by itself.'],
  },
} satisfies Partial<PagesOf<'READY'>>
