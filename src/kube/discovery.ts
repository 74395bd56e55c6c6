import { isRecord } from '../lib/record.ts'
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
  'coordination.k8s.io/v1/Lease': ['leases', true],
}

/** Kinds that every cluster has: for them nothing needs to be asked. */
export function wellKnown(apiVersion: string, kind: string): Resource | undefined {
  const found = core[`${apiVersion}/${kind}`]
  return found && { plural: found[0], namespaced: found[1] }
}

/** Where what a cluster serves is kept between two runs. */
export interface DiscoveryMemory {
  /** What was written last; anything, when somebody else wrote it. */
  read(): Promise<unknown>
  write(known: unknown): Promise<void>
}

/** What one of the two requests gave. */
interface Part {
  readonly etag: string
  /** `APIVERSION/KIND` → plural and whether it is namespaced. */
  readonly kinds: Readonly<Record<string, readonly [plural: string, namespaced: boolean]>>
}

const paths = ['/api', '/apis'] as const

/**
 * Asks for all kinds of a cluster, in two requests. What was asked before, in this run or an earlier one, is not sent again: the server says
 * whether it is still so, so that what is remembered is never older than the question.
 * @see https://kubernetes.io/docs/concepts/overview/kubernetes-api/#aggregated-discovery
 */
export function makeDiscovery(api: Api, memory: DiscoveryMemory): (signal: AbortSignal) => Promise<Resources> {
  let known: Readonly<Record<string, Part>> | undefined
  return async (signal) => {
    const before = known ?? partsIn(await memory.read())
    const now = await Promise.all(paths.map((path) => askPart(api, path, before[path], signal)))
    known = Object.fromEntries(paths.flatMap((path, index) => (now[index]?.etag ? [[path, now[index]]] : [])))
    if (paths.some((path) => known?.[path] !== before[path])) await memory.write({ v: 1, parts: known })
    const kinds = now.flatMap((part) => Object.entries(part.kinds))
    return new Map(kinds.map(([name, [plural, namespaced]]) => [name, { plural, namespaced }]))
  }
}

/** What an earlier run wrote, as far as it is that: the rest is asked for anew. */
function partsIn(written: unknown): Readonly<Record<string, Part>> {
  if (!isRecord(written) || written['v'] !== 1 || !isRecord(written['parts'])) return {}
  return Object.fromEntries(Object.entries(written['parts']).filter((entry): entry is [string, Part] => isPart(entry[1])))
}

function isPart(part: unknown): part is Part {
  const isKind = (kind: unknown): boolean => Array.isArray(kind) && typeof kind[0] === 'string' && typeof kind[1] === 'boolean'
  return (
    isRecord(part) && typeof part['etag'] === 'string' && isRecord(part['kinds']) && Object.values(part['kinds']).every(isKind)
  )
}

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

async function askPart(api: Api, path: string, before: Part | undefined, signal: AbortSignal): Promise<Part> {
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
  const answer = await api.jsonUnless<Discovery>(before?.etag, { path, accept, signal })
  if (!answer) return before ?? { etag: '', kinds: {} }
  const kinds: Record<string, readonly [string, boolean]> = {}
  for (const { metadata, versions } of answer.value.items) {
    for (const { version, resources: found } of versions) {
      const apiVersion = metadata.name ? `${metadata.name}/${version}` : version
      for (const { resource, scope, responseKind } of found ?? [])
        if (responseKind?.kind) kinds[`${apiVersion}/${responseKind.kind}`] = [resource, scope === 'Namespaced']
    }
  }
  return { etag: answer.etag ?? '', kinds }
}
