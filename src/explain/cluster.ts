import type { PagesOf } from './page.ts'

/** The cluster, and what the user may do in it. */
export const clusterPages: PagesOf<'CLUSTER'> = {
  'CLUSTER-101': {
    means: 'devkit makes clusters with the kind program, and it was not found.',
    looks: `✗ CLUSTER-101 The kind program is not on PATH.
  → Install it (https://kind.sigs.k8s.io/docs/user/quick-start/#installation), or name its path as tools.kind in the machine settings file.`,
    causes: ['kind is not installed.', 'It is installed where PATH does not lead, such as ~/go/bin.'],
    remedies: ['Install kind.', 'Put its directory on PATH, or name its path as `tools.kind` in the machine’s settings.'],
  },
  'CLUSTER-102': {
    means: 'kind began to make the cluster and gave up. Its last lines stand below the message.',
    looks: `✗ CLUSTER-102 The cluster shop could not be created.
    ERROR: failed to create cluster: could not find a log line that matches "Reached target .*Multi-User System.*"
  → Raise the inotify limits: sudo sysctl fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=524288; then run \`devkit up\` again.`,
    causes: [
      'The machine’s inotify limits are too low for another node: a log line is not found, or there are too many open files.',
      'The engine has too little memory or disk for the node.',
      'The node image does not fit the kind program or the machine’s architecture.',
      'The engine’s network or cgroups are set up in a way that the node can’t use.',
    ],
    remedies: [
      'Do what the hint says, then `devkit up` again: what is half made is made anew.',
      'Give the engine more memory, or remove other clusters: `kind get clusters`.',
      'Upgrade kind, or take the node image that its release names.',
    ],
  },
  'CLUSTER-103': {
    means: 'A kind cluster with the project’s name is there, and devkit has no note that it made it. It is left alone.',
    looks: `✗ CLUSTER-103 The kind cluster shop was not made by devkit on this machine (there is no ~/.local/state/devkit/clusters/shop/cluster.json).
  → Remove it with \`kind delete cluster --name shop\`, or give the project another name.`,
    causes: [
      'Somebody made it with kind itself, or another tool did.',
      'devkit’s state directory was removed, or XDG_STATE_HOME names another one.',
      'Another project of the same name made it.',
    ],
    remedies: [
      'Remove it with `kind delete cluster --name NAME` if nothing in it is needed.',
      'Give the project another name in the config.',
      "Use it as it is: `cluster: { existing: { context: 'kind-NAME' } }`.",
    ],
  },
  'CLUSTER-104': {
    means: 'The API server can’t be asked: no answer in time, a kubeconfig that can’t be used, or a cluster that is stopped.',
    looks: `✗ CLUSTER-104 The API server at https://127.0.0.1:40331 does not answer: connect ECONNREFUSED 127.0.0.1:40331.
  → Look at the node with \`docker logs\`; \`devkit down\` and \`devkit up\` make the cluster anew.`,
    causes: [
      'The node is stopped or paused, or the engine was restarted and the node is still starting.',
      'The machine has no memory left, and the API server was ended.',
      'The cluster was removed by hand, and its kubeconfig is still there.',
      'Its certificates have ended, after a year mostly, or this machine’s clock is ahead.',
      'Of a cluster that exists: a VPN is down, a login has run out.',
      'Its certificate is not the one that the kubeconfig trusts: it was made anew by hand, or a proxy answers in its place.',
    ],
    remedies: [
      'Run `devkit up`, which starts the node and waits for it.',
      'Look at the node: `docker ps -a`, `docker logs NODE`.',
      'Make the cluster anew if nothing helps: `devkit down`, then `devkit up`.',
      'Of a cluster that exists: try `kubectl get nodes` with the same context.',
    ],
  },
  'CLUSTER-105': {
    means: 'kind was asked to remove the cluster and ended with an error, or a container of it is still there.',
    looks: `✗ CLUSTER-105 The cluster shop could not be removed.
  → Look at the lines below, then run \`devkit down\` again.`,
    causes: ['The engine does not answer or is being restarted.', 'The engine can’t stop or remove the node’s container.'],
    remedies: [
      'Run `devkit down` again.',
      'Remove the node yourself with `docker rm -f NODE`, then `devkit down` again.',
      'Restart the engine if it can’t remove it either.',
    ],
  },
  'CLUSTER-106': {
    means: 'A new cluster needs the image of its node. The engine does not have it and can’t pull it.',
    looks: `✗ CLUSTER-106 The image for the node cannot be pulled.
    ERROR: failed to create cluster: failed to pull image "kindest/node:v1.34.3"
  → Check the network, or name an image that this machine has as nodeImage in the machine settings file.`,
    causes: [
      'The machine is offline, or a proxy keeps the engine from the registry.',
      'The registry allows no more pulls for now.',
      '`nodeImage` names an image that does not exist.',
    ],
    remedies: [
      'Try `docker pull IMAGE`: it says why.',
      'Name an image that the machine has as `nodeImage` in the machine’s settings or the config: `docker images kindest/node`.',
    ],
  },
  'CLUSTER-107': {
    means:
      'What was asked for removes data for good (volumes, kinds with their objects), and nobody agreed: there was no terminal to ask at, or the answer was no. The data is untouched.',
    looks: `✗ CLUSTER-107 Nothing was removed: with the environment shop/default a volume with data goes: shop/data-store-0 (1Gi).
  → Say \`devkit down --yes\` to remove them too.`,
    causes: ['devkit runs in a script or in CI, where it can’t ask.', 'The question was answered with no.'],
    remedies: ['Say `--yes` if the data may go.', 'Save it first, else: a dump, or `kubectl cp`.'],
  },
  'CLUSTER-108': {
    means:
      'One run at a time changes an environment. A `devkit watch` works on this one; runs that end by themselves are waited for. In a cluster that several machines reach it is also said by a run that was silent for so long that another has begun: it ends in the middle of its work.',
    looks: `✗ CLUSTER-108 devkit watch in /home/me/shop (pid 4711, since 2026-01-01T09:12:00.000Z) works on the environment shop/default.
  → Wait for it to end, or end it (Ctrl-C where it runs).`,
    causes: [
      'A `devkit watch` runs in another terminal.',
      'It runs in a terminal that was lost, such as a session in the background.',
      'This machine slept, or lost its network, during a run in a cluster that others reach too.',
    ],
    remedies: [
      'End it with Ctrl-C where it runs: the environment stays up.',
      'Work beside it with an environment of your own: `--env NAME`.',
      'Leave it running: it applies each save by itself, so that no `devkit up` is needed.',
    ],
  },
  'CLUSTER-110': {
    means:
      'The `mirrors` of the machine’s settings are written into each node of a cluster that devkit makes. Writing them into this node failed.',
    looks: `✗ CLUSTER-110 The node shop-control-plane of shop did not take the registry mirrors of the machine settings file.
  → Look at the lines below; \`devkit config --machine\` shows the mirrors.`,
    causes: ['The node’s disk is full or read-only.', 'The node is not a kind node of the usual layout.'],
    remedies: [
      'Read the lines below the message.',
      'Look at the node’s disk: `docker exec NODE df -h /etc`.',
      'Make the cluster anew: `devkit down`, then `devkit up`.',
    ],
  },
  'CLUSTER-111': {
    means: '`cluster.existing.context` names a context that none of the user’s kubeconfigs has, or a kubeconfig can’t be read.',
    looks: `✗ CLUSTER-111 There is no context 'dev-clutser', named in cluster.existing.context, in ~/.kube/config.
  → Did you mean 'dev-cluster'?`,
    causes: [
      'The name is misspelt.',
      'The login to the cluster was never done on this machine, or its entry was removed.',
      'KUBECONFIG names other files than those of your shell.',
      'The kubeconfig is no valid YAML.',
    ],
    remedies: [
      'Use one of the names that `kubectl config get-contexts` shows.',
      'Log in to the cluster anew, so that its entry is written.',
      'Check KUBECONFIG.',
    ],
  },
  'CLUSTER-112': {
    means:
      'A warning: the cluster runs another minor version of Kubernetes than `kubernetes` of the config says the manifests are for. They are checked by the one and run on the other.',
    looks: `! CLUSTER-112 The cluster runs Kubernetes v1.34.3, the config says that the manifests are for 1.31.
  → Write \`kubernetes: '1.34'\` in the config, or use a cluster of 1.31: one that devkit makes is of the version of its \`nodeImage\`.`,
    causes: [
      'Production was upgraded, or the node image, and the config was not.',
      'The cluster was made before `kubernetes` or `nodeImage` was changed.',
    ],
    remedies: [
      'Write the version in the config that production has.',
      'Use a node image of that version, and make the cluster anew: `devkit down`, then `devkit up`.',
    ],
  },
  'CLUSTER-113': {
    means:
      'The user of the kubeconfig lacks a right that devkit needs in this cluster. All that is known to be lacking is told at once, with the rules that would give it.',
    looks: `✗ CLUSTER-113 k8s/web.yaml:1: jane may not create, patch deployments.apps in the namespace shop-default.
    Role in shop-default: { apiGroups: ["apps"], resources: [deployments], verbs: [create, patch] }
  → Ask who runs the cluster for the rules below; \`kubectl auth can-i create deployments.apps --namespace shop-default\` tells whether you have it.`,
    causes: [
      'The user has no Role or ClusterRole with that verb on that resource.',
      'The user has it in another namespace than the environment’s.',
      'The manifests have objects for the whole cluster (CRDs, ClusterRoles), which only its administrators may make.',
      'The kubeconfig has another user than meant.',
    ],
    remedies: [
      'Ask who runs the cluster for the rules below the message.',
      'Leave out what only administrators may make with `skip` of the profile, and let them apply it once.',
      'Check the user: `kubectl auth whoami`.',
    ],
  },
  'CLUSTER-114': {
    means:
      'A node says that it is not ready, has said nothing for a while, or has no network for pods. Pods on it are not started, and are moved away in time.',
    looks: `✗ CLUSTER-114 devkit-shop-control-plane is not ready: container runtime network not ready: cni plugin not initialized
  → \`docker exec devkit-shop-control-plane journalctl -u kubelet -n 50\``,
    causes: [
      'The node was started a moment ago, or the machine woke up.',
      'Its kubelet or its containerd has ended, often for lack of memory or disk.',
      'The network plug-in does not run.',
      'Of a cluster of several machines: the way to that one is broken.',
    ],
    remedies: [
      'Wait a minute, and run `devkit doctor` again.',
      'Read the kubelet’s log: `docker exec NODE journalctl -u kubelet -n 50`.',
      'Restart the node with `docker restart NODE`, then run `devkit up`.',
      'Make the cluster anew if nothing helps: `devkit down`, then `devkit up`.',
    ],
  },
  'CLUSTER-115': {
    means: 'A warning: the cluster of the project is there and stands still. Its data are kept, and nothing in it answers.',
    looks: `! CLUSTER-115 the cluster devkit-shop is paused
  → \`devkit up\``,
    causes: [
      'Somebody has stopped or paused it, to save memory.',
      'The machine or the engine was restarted.',
      'A run makes it at this moment, or was killed while it did.',
    ],
    remedies: ['Run `devkit up`: it goes on where it was, on the same ports.'],
  },
  'CLUSTER-116': {
    means:
      'A node has too little disk, memory or process ids left, and says so: it starts no new pods and evicts those that are there.',
    looks: `✗ CLUSTER-116 devkit-shop-control-plane is short of disk space, and evicts pods: kubelet has disk pressure
  → \`docker image prune --all\`, or a larger disk for the engine.`,
    causes: [
      'The disk that the node is on is full of images, logs or volumes.',
      'Pods take more memory than they ask for.',
      'A program starts processes and never ends them.',
    ],
    remedies: [
      'See what has the disk: `docker system df`, then `docker image prune --all` and `docker builder prune`.',
      'See who has the memory: `docker stats`, or `kubectl top pods -A` where the cluster has metrics.',
      'Give the pods limits in the profile, or the engine more.',
    ],
  },
  'CLUSTER-117': {
    means:
      'Something that the cluster itself works by is not ready: DNS (CoreDNS), the network of Services (kube-proxy), the network of pods, the provisioner of volumes, the control plane. Programs fail with errors that look like their own: names that are not found, connections that time out, claims that stay Pending.',
    looks: `✗ CLUSTER-117 nothing answers DNS names in the cluster: Deployment/coredns is scaled to 0
  → \`kubectl --context devkit-shop -n kube-system scale deployment coredns --replicas=2\``,
    causes: [
      'The cluster has just begun, and they are still starting.',
      'Somebody has scaled, changed or removed them.',
      'The node has too little memory, CPU or disk for them.',
      'DNS: the forwarder of the machine leads back to the cluster (a loop), as some VPNs and resolvers have it.',
    ],
    remedies: [
      'Run what the hint says: it tells why the pod is not ready.',
      'Look at all of them: `kubectl -n kube-system get pods`.',
      'Make the cluster anew if nothing helps: `devkit down`, then `devkit up`.',
    ],
  },
  'CLUSTER-118': {
    means:
      'A warning: a node is cordoned. What runs on it goes on, and no new pod is put there; with one node that is none at all.',
    looks: `! CLUSTER-118 devkit-shop-control-plane is cordoned: it takes no new pods
  → \`kubectl --context devkit-shop uncordon devkit-shop-control-plane\``,
    causes: ['Somebody has cordoned or drained it.', 'A program that looks after nodes (an upgrade, an autoscaler) has.'],
    remedies: ['Take it back with `kubectl uncordon NODE`.'],
  },
}
