import type { KubeObject } from '../lib/objects.ts'
import { isRecord } from '../lib/record.ts'
import { groupOf } from '../lib/select.ts'

/** Text, a list of something, or names with something each; a name with `!` has to be there. */
type Shape = 'text' | readonly [Shape] | { readonly [field: string]: Shape }

/** Where an object is not as devkit reads it, and what it has to be there. */
export interface Misfit {
  readonly path: readonly (string | number)[]
  readonly expected: string
}

/** What devkit itself reads of an object has to have the shape that it reads; the rest is the API server's to judge. */
export function misfitOf(object: KubeObject): Misfit | undefined {
  const shape = shapes[`${groupOf(object)}/${object.kind}`] ?? {}
  return misfit(object, { ...shape, metadata: { labels: names, annotations: names } }, [])
}

const names: Shape = {}
const probe: Shape = { exec: { command: ['text'] }, httpGet: names, tcpSocket: names, grpc: names }

const container: Shape = {
  'name!': 'text',
  image: 'text',
  command: ['text'],
  args: ['text'],
  env: [{ 'name!': 'text', valueFrom: names }],
  envFrom: [names],
  ports: [names],
  resources: { requests: names, limits: names },
  startupProbe: probe,
  livenessProbe: probe,
  readinessProbe: probe,
  lifecycle: { preStop: { exec: { command: ['text'] }, sleep: names } },
  securityContext: names,
  volumeMounts: [{ mountPath: 'text' }],
}

const affinity: Shape = {
  requiredDuringSchedulingIgnoredDuringExecution: [names],
  preferredDuringSchedulingIgnoredDuringExecution: [names],
}

const pod: Shape = {
  'containers!': [container],
  initContainers: [container],
  volumes: [{ persistentVolumeClaim: { claimName: 'text' } }],
  imagePullSecrets: [names],
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: { 'nodeSelectorTerms!': [names] },
      preferredDuringSchedulingIgnoredDuringExecution: [names],
    },
    podAffinity: affinity,
    podAntiAffinity: affinity,
  },
  nodeSelector: names,
  priorityClassName: 'text',
  topologySpreadConstraints: [names],
}

const template: Shape = { metadata: { labels: names, annotations: names }, 'spec!': pod }

const claim: Shape = {
  metadata: { annotations: names },
  spec: { storageClassName: 'text', accessModes: ['text'], resources: { requests: names } },
}

const workload: Shape = { 'spec!': { 'template!': template, strategy: names, volumeClaimTemplates: [claim] } }
const route: Shape = { spec: { hostnames: ['text'] } }

/** By group and kind, in every version. */
const shapes: Readonly<Record<string, { readonly [field: string]: Shape }>> = {
  '/Pod': { 'spec!': pod },
  '/Service': { 'spec!': { type: 'text', selector: names, ports: [names] } },
  '/PersistentVolumeClaim': claim,
  ...Object.fromEntries(
    ['apps', 'extensions'].flatMap((group) =>
      ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet'].map((kind) => [`${group}/${kind}`, workload]),
    ),
  ),
  'batch/Job': workload,
  'batch/CronJob': { 'spec!': { 'jobTemplate!': workload } },
  ...Object.fromEntries(
    ['networking.k8s.io', 'extensions'].map((group) => [
      `${group}/Ingress`,
      { spec: { rules: [{ host: 'text' }], tls: [{ hosts: ['text'] }] } },
    ]),
  ),
  'gateway.networking.k8s.io/Gateway': { spec: { listeners: [{ hostname: 'text' }] } },
  'gateway.networking.k8s.io/HTTPRoute': route,
  'gateway.networking.k8s.io/GRPCRoute': route,
  'gateway.networking.k8s.io/TLSRoute': route,
}

/** Nothing at all, written as null, is what is not there. */
function misfit(value: unknown, shape: Shape, path: Misfit['path']): Misfit | undefined {
  if (shape === 'text') return typeof value === 'string' ? undefined : { path, expected: 'a text' }
  if (isList(shape)) {
    if (!Array.isArray(value)) return { path, expected: 'a list' }
    return first(value, (item, index) => misfit(item, shape[0], [...path, index]))
  }
  if (!isRecord(value)) return { path, expected: 'names and values' }
  return first(Object.entries(shape), ([field, inner]) => {
    const name = field.replace(/!$/, '')
    const at = [...path, name]
    const isThere = value[name] !== undefined && value[name] !== null
    if (!isThere || (field !== name && Array.isArray(value[name]) && value[name].length === 0))
      return field === name ? undefined : { path: at, expected: 'there' }
    return misfit(value[name], inner, at)
  })
}

function isList(shape: Shape): shape is readonly [Shape] {
  return Array.isArray(shape)
}

function first<Item>(items: readonly Item[], look: (item: Item, index: number) => Misfit | undefined): Misfit | undefined {
  for (const [index, item] of items.entries()) {
    const found = look(item, index)
    if (found) return found
  }
  return undefined
}
