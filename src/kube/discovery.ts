import type { Api } from './api.ts'

export interface Resource {
  readonly plural: string
  readonly namespaced: boolean
}

/** `APIVERSION/KIND` → resource. */
export type Resources = ReadonlyMap<string, Resource>

const core: Readonly<Record<string, readonly [plural: string, namespaced: boolean]>> = {
  'v1/Namespace': ['namespaces', false],
  'v1/Node': ['nodes', false],
  'v1/PersistentVolume': ['persistentvolumes', false],
  'v1/Pod': ['pods', true],
  'v1/Service': ['services', true],
  'v1/ConfigMap': ['configmaps', true],
  'v1/Secret': ['secrets', true],
  'v1/ServiceAccount': ['serviceaccounts', true],
  'v1/PersistentVolumeClaim': ['persistentvolumeclaims', true],
  'v1/Event': ['events', true],
  'apps/v1/Deployment': ['deployments', true],
  'apps/v1/StatefulSet': ['statefulsets', true],
  'apps/v1/DaemonSet': ['daemonsets', true],
  'apps/v1/ReplicaSet': ['replicasets', true],
  'batch/v1/Job': ['jobs', true],
  'batch/v1/CronJob': ['cronjobs', true],
  'discovery.k8s.io/v1/EndpointSlice': ['endpointslices', true],
}

/** Kinds that every cluster has: for them nothing needs to be asked. */
export function wellKnown(apiVersion: string, kind: string): Resource | undefined {
  const found = core[`${apiVersion}/${kind}`]
  return found && { plural: found[0], namespaced: found[1] }
}

/** All kinds of a cluster, in two requests. @see https://kubernetes.io/docs/concepts/overview/kubernetes-api/#aggregated-discovery */
export async function discover(api: Api, signal: AbortSignal): Promise<Resources> {
  interface Discovery {
    readonly items: readonly {
      readonly metadata: { readonly name?: string }
      readonly versions: readonly {
        readonly version: string
        readonly resources?: readonly {
          readonly resource: string
          readonly scope: string
          readonly responseKind?: { readonly kind: string }
        }[]
      }[]
    }[]
  }
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
  const answers = await Promise.all(['/api', '/apis'].map((path) => api.json<Discovery>({ path, accept, signal })))
  const resources = new Map<string, Resource>()
  for (const { metadata, versions } of answers.flatMap((answer) => answer.items)) {
    for (const { version, resources: found } of versions) {
      const apiVersion = metadata.name ? `${metadata.name}/${version}` : version
      for (const { resource, scope, responseKind } of found ?? [])
        if (responseKind?.kind)
          resources.set(`${apiVersion}/${responseKind.kind}`, { plural: resource, namespaced: scope === 'Namespaced' })
    }
  }
  return resources
}
