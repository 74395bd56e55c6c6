import type { PagesOf } from './page.ts'

/** Why no node takes a pod. */
export const schedulingPages = {
  'READY-176': {
    means:
      'The pod asks for more CPUs than a node has, or than the pods that run there leave. It is called after a second, unless a pod that holds what lacks is on its way out.',
    looks: `✗ READY-176 No node has the 8 CPUs that a pod of Deployment/web asks for: the largest has 4.
    0/1 nodes are available: 1 Insufficient cpu.
  → Lower resources.requests.cpu in Deployment/web (k8s/web.yaml:31) (profiles: \`requests\`), or give the engine more CPUs.`,
    causes: [
      'The requests are those of production nodes.',
      'Several environments or many replicas share the engine: the message names who takes most.',
      'A rolling update wants the new pod beside the old one, and there is no room for both.',
      'The engine was given fewer CPUs than the machine has.',
    ],
    remedies: [
      'Let the profile ask for a share: `requests: 0.1`; that of `dev` asks for a quarter.',
      'Stop or remove what is not needed: `devkit list` shows the environments of the machine.',
      'Give the engine more CPUs in its settings.',
    ],
  },
  'READY-177': {
    means:
      'The pod asks for more memory than a node has, or than the requests of the pods that run there leave. What they really use does not count.',
    looks: `✗ READY-177 No node has the 16Gi of memory that a pod of StatefulSet/db asks for: the largest has 7.6Gi.
    0/1 nodes are available: 1 Insufficient memory.
  → Lower resources.requests.memory in StatefulSet/db (k8s/db.yaml:40) (profiles: \`requests\`), or give the engine more memory.`,
    causes: [
      'The requests are those of production nodes.',
      'Other pods have asked for the rest: the message names who takes most.',
      'The virtual machine of the engine has only a part of the memory.',
      'An init container asks for more than all others.',
    ],
    remedies: [
      'Let the profile ask for a share: `requests: 0.25`.',
      'Remove environments that nobody needs: `devkit list`, `devkit down`.',
      'Give the engine more memory in its settings.',
    ],
  },
  'READY-178': {
    means: 'The pod is only to run on nodes with certain labels, and no node has all of them.',
    looks: `✗ READY-178 No node has the label disktype=ssd that nodeSelector of Deployment/web asks for.
  → Correct nodeSelector in Deployment/web (k8s/web.yaml:22) (profiles: \`scheduling.nodes\`), or label a node: \`kubectl label node dev-control-plane disktype=ssd\`.`,
    causes: [
      'The label is one of production nodes, and the profile keeps it.',
      'Its name or value is written differently on the nodes: the message names the nearest.',
      'A node that had it was made anew.',
    ],
    remedies: [
      "Let the profile choose no nodes: `scheduling: { nodes: 'drop' }`, as `dev` does.",
      'Correct the selector where the hint says.',
      'Label a node if the label says something true about it.',
    ],
  },
  'READY-179': {
    means: 'A required node affinity asks for labels that no node has, or for values that none has.',
    looks: `✗ READY-179 No node is what the required node affinity of Deployment/web asks for (topology.kubernetes.io/zone In eu-1a, eu-1b).
  → Correct affinity.nodeAffinity in Deployment/web (k8s/web.yaml:25) (profiles: \`scheduling.affinity\`), or label a node.`,
    causes: [
      'It names zones, pools or types of machines of production.',
      'It asks for another architecture than the nodes have.',
      'Its expressions contradict each other, so that no node can fit.',
    ],
    remedies: [
      "Let the profile prefer what production requires: `scheduling: { affinity: 'prefer' }`.",
      'Compare it with `kubectl get nodes --show-labels`.',
    ],
  },
  'READY-180': {
    means:
      'The pod has to run next to pods that run nowhere, or may not run next to pods that run on every node. While such a pod is on its way, it is a warning.',
    looks: `✗ READY-180 Every node already runs a pod of Deployment/web, next to which its podAntiAffinity lets no other be (app=web).
  → Make podAntiAffinity in Deployment/web (k8s/web.yaml:27) a preferred one (profiles: \`scheduling.affinity\`), or run as many replicas as there are nodes.`,
    causes: [
      'Replicas are to be on different nodes, and there is one node.',
      'A rolling update may not start the new pod next to the old one, and may not end that first either.',
      'What it wants to be next to is not deployed, has other labels or is in another namespace.',
      'Another workload does not want it beside it.',
    ],
    remedies: [
      "Let the profile prefer what production requires: `scheduling: { affinity: 'prefer' }`.",
      'Run one replica: `maxReplicas: 1` in the profile.',
      'Compare the labels in the message with those of the pods: `kubectl get pods --show-labels`.',
    ],
  },
  'READY-181': {
    means:
      'Every node that would do has a taint that the pod does not tolerate. Taints that a starting node takes away itself are a warning for a minute.',
    looks: `✗ READY-181 No node takes a pod of Deployment/web: worker-2 has the taint team=red:NoSchedule, which it does not tolerate.
  → Add a toleration to Deployment/web (k8s/web.yaml:20), or take the taint away: \`kubectl taint node worker-2 team:NoSchedule-\`.`,
    causes: [
      'The node is reserved for others.',
      "The profile dropped the toleration: `tolerations: 'drop'`.",
      'Its toleration has another key, value or effect.',
      'The only node is one of the control plane and was tainted anew.',
    ],
    remedies: [
      'Take the taint away on a cluster of your own.',
      "Keep tolerations in the profile: `scheduling: { tolerations: 'keep' }`.",
    ],
  },
  'READY-182': {
    means: 'The pods are to be spread over zones or nodes more evenly than the nodes allow.',
    looks: `✗ READY-182 No node takes a pod of Deployment/web by its topologySpreadConstraints: no node has the label topology.kubernetes.io/zone.
  → Correct topologySpreadConstraints in Deployment/web (k8s/web.yaml:24), or let them be kept if possible: \`whenUnsatisfiable: ScheduleAnyway\` (profiles: \`scheduling.topologySpread\`).`,
    causes: [
      'The nodes of a laptop have no zones.',
      'minDomains asks for more zones or nodes than there are.',
      'The nodes where the next pod would have to go are cordoned, full or not ready.',
      'Its labelSelector does not mean its own pods.',
    ],
    remedies: [
      "Let the profile spread where possible: `scheduling: { topologySpread: 'prefer' }`.",
      'Look at the labels of the nodes: `kubectl get nodes --show-labels`.',
    ],
  },
  'READY-183': {
    means:
      'The pod takes a port of its node, and another pod holds that port on every node. While the holder is on its way out, it is a warning.',
    looks: `✗ READY-183 No node has port 9100 free for a pod of DaemonSet/metrics: DaemonSet/exporter in monitoring holds it.
  → Take hostPort out of DaemonSet/metrics (k8s/metrics.yaml:33) or give it another number; a Service and \`ports\` of the config lead to it without one.`,
    causes: [
      'Two workloads want the same port of the node.',
      'A Deployment with a hostPort has more replicas than there are nodes.',
      'A rolling update wants the new pod beside the old one.',
      'Another environment of this cluster runs the same.',
    ],
    remedies: [
      'Take the hostPort away: devkit leads to services by `ports` of the config.',
      'Replace it in place: strategy `Recreate`.',
      'Run it as a DaemonSet if it is to be on every node once.',
    ],
  },
  'READY-184': {
    means: 'The nodes that would take the pod are cordoned: somebody said that they take no new ones.',
    looks: `✗ READY-184 No node takes a pod of Deployment/web: worker-1 is cordoned.
  → Let it take pods again: \`kubectl uncordon worker-1\`.`,
    causes: ['It was drained for an upgrade and not let in again.', 'A program that drains nodes did not get to its end.'],
    remedies: ['Let it take pods again with the command of the hint.', 'Look who did it: `kubectl describe node NAME`.'],
  },
  'READY-185': {
    means:
      'No node is ready to take pods. A node that has just come or come back is a warning; after 30 seconds it is a failure.',
    looks: `✗ READY-185 No node takes a pod of Deployment/web: dev-control-plane is not ready (it does not answer).
  → Look at \`kubectl describe node dev-control-plane\`; for a node of devkit's, \`devkit stop\` and \`devkit start\` start it anew.`,
    causes: [
      'The container or machine of the node is paused, stopped or out of memory.',
      'Its network plugin has not begun or is broken.',
      'Its kubelet has ended, for want of disk or by a wrong setting.',
    ],
    remedies: [
      'Look whether its container runs: `docker ps`.',
      'Start it anew: `devkit stop`, `devkit start`.',
      'Make the cluster anew if that does not help: `devkit down`, `devkit up`.',
    ],
  },
  'READY-186': {
    means: 'The data of the pod lies on a node, or in a zone, that is not there or takes no pods.',
    looks: `✗ READY-186 No node reaches the volume of StatefulSet/db: that of claim data-db-0 (pvc-1) is only on nodes with kubernetes.io/hostname In worker-2, and there is none.
  → Bring that node back, or delete the claim with its data and let it be made anew: \`kubectl delete pvc data-db-0 -n shop\`.`,
    causes: [
      'The node was removed or has another name since the cluster was made anew.',
      'The node is cordoned or full.',
      'The volume is of another zone than the nodes.',
    ],
    remedies: [
      'Bring the node back if its data is needed.',
      'Delete the claim if it is not: it is made anew, empty, by `devkit up`.',
    ],
  },
  'READY-187': {
    means: 'Every node runs as many pods as its kubelet allows: 110 where nobody says otherwise.',
    looks: `✗ READY-187 No node takes another pod, so none of Deployment/web is started: dev-control-plane runs 110 of at most 110.
  → Remove what nobody needs (\`kubectl get pods --all-namespaces\`, \`devkit down\` in other projects), or raise maxPods of the kubelet.`,
    causes: [
      'Many environments share a cluster of one node.',
      'A Job or CronJob leaves pods behind that do not end.',
      'A workload has far too many replicas.',
    ],
    remedies: ['See who has them: `kubectl get pods --all-namespaces`.', 'Remove environments that nobody needs: `devkit list`.'],
  },
  'READY-188': {
    means:
      'The pod has a scheduling gate, so the scheduler does not look at it. A gate that the manifest itself has is a failure after 30 seconds; one that a webhook put there stays a warning.',
    looks: `✗ READY-188 No pod of Job/train is scheduled before somebody removes its scheduling gate example.com/quota.
  → Take schedulingGates out of Job/train (k8s/train.yaml:18), or run the controller that removes it.`,
    causes: ['The controller that removes the gate is only in production.', 'A queue lets it wait until there is room.'],
    remedies: ['Take the gate out with an overlay of the profile.', 'Deploy its controller, or look at its logs.'],
  },
  'READY-189': {
    means: 'The pod asks for a resource such as a GPU, huge pages or local disk that no node has, or not so much of it.',
    looks: `✗ READY-189 No node has nvidia.com/gpu, of which a pod of Deployment/model asks for 1.
  → Take nvidia.com/gpu out of the resources in Deployment/model (k8s/model.yaml:30) (profiles: \`devices\`), or run what makes nodes offer it.`,
    causes: [
      'A laptop has no such device, or no device plugin that offers it.',
      'Its name is written differently by the nodes.',
      'Other pods hold all of it.',
    ],
    remedies: [
      "Let the profile drop devices: `devices: 'drop'`, as `dev` does.",
      'See what nodes offer: `kubectl describe nodes`, under Allocatable.',
    ],
  },
  'READY-218': {
    means:
      'The pod names a scheduler of its own, and nobody of that name has scheduled anything yet. It is a failure after 10 seconds.',
    looks: `✗ READY-218 No scheduler named volcano has looked at a pod of Job/train.
  → Take schedulerName out of Job/train (k8s/train.yaml:17) (profiles: \`scheduling.runtime\`), or run that scheduler.`,
    causes: ['The scheduler is only in production.', 'Its name is misspelt.', 'The scheduler itself does not run.'],
    remedies: [
      "Let the profile use the cluster's own: `scheduling: { runtime: 'drop' }`, as `dev` does.",
      'Deploy the scheduler, or look at its pods.',
    ],
  },
} satisfies Partial<PagesOf<'READY'>>
