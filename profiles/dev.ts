import { defineProfile } from '../src/index.ts'

/** A laptop: one of each, asking for little, waiting for nothing that only many nodes have, restarting in place, taking files. */
export default defineProfile({
  skip: {
    HorizontalPodAutoscaler: 'there is one pod of each',
    PodDisruptionBudget: 'the only pod could never be replaced',
    ResourceQuota: 'pods without CPU limits would be refused',
    LimitRange: 'limits that the profile takes away would come back',
    StorageClass: "volumes are of the cluster's own class",
    PriorityClass: 'nothing competes',
  },
  foreignKinds: 'skip',
  imagePullSecrets: 'needed',
  maxReplicas: 1,
  cpuLimits: 'drop',
  devices: 'drop',
  requests: 0.25,
  // a laptop starts programs slower, and nobody wants to wait for the next look
  probes: { startup: { patience: 3, every: 1 }, liveness: { patience: 3 }, readiness: { every: 2 } },
  scheduling: {
    affinity: 'prefer',
    topologySpread: 'prefer',
    nodes: 'drop',
    tolerations: 'drop',
    priority: 'drop',
    runtime: 'drop',
  },
  storageClasses: { '*': '(default)' },
  accessModes: { ReadWriteMany: 'ReadWriteOnce', ReadOnlyMany: 'ReadWriteOnce' },
  maxStorage: '1Gi',
  serviceTypes: { LoadBalancer: 'ClusterIP' },
  maxGraceSeconds: 10,
  minReadySeconds: 'drop',
  recreate: 'claims',
  supervise: true,
  writable: true,
})
