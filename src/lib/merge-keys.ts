import { isRecord } from './record.ts'

/**
 * Lists of Kubernetes' API that are merged item by item, and the field that tells items apart (`x-kubernetes-patch-merge-key`); all other
 * lists are one value. https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/
 */
const mergeKeys: Readonly<Record<string, readonly string[]>> = {
  containers: ['name'],
  initContainers: ['name'],
  ephemeralContainers: ['name'],
  env: ['name'],
  volumes: ['name'],
  volumeMounts: ['mountPath'],
  volumeDevices: ['devicePath'],
  // of containers, then of Services
  ports: ['containerPort', 'port'],
  imagePullSecrets: ['name'],
  secrets: ['name'],
  hostAliases: ['ip'],
  topologySpreadConstraints: ['topologyKey'],
  resourceClaims: ['name'],
  schedulingGates: ['name'],
  webhooks: ['name'],
  ownerReferences: ['uid'],
}

/** The field that tells the items of a list apart, where the API says so and every one of them has it. */
export function mergeKeyOf(field: string | undefined, items: readonly unknown[]): string | undefined {
  const keys = field !== undefined && Object.hasOwn(mergeKeys, field) ? mergeKeys[field] : undefined
  return keys?.find((key) => items.every((item) => isRecord(item) && item[key] !== undefined))
}
