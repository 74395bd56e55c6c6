import type { Cluster } from '../../cluster/provider.ts'
import { checkRights } from '../../deploy/rights.ts'
import { rollout } from '../../deploy/rollout.ts'
import type { KindRef } from '../../kube/kube.ts'
import { type KubeObject, nameOf } from '../../lib/objects.ts'
import { amountOf } from '../../lib/quantity.ts'
import { providerOf } from '../../toolbox.ts'
import { findingsOfVersion } from '../preflight.ts'
import { type Found, type Look, ok, skipped } from './check.ts'
import { clockVerdict } from './engine.ts'
import { type ApiFacts, type ClusterFacts, type Examined, type Facts, given, told } from './facts.ts'
import { preflightVerdicts } from './project.ts'
import { bytesText, counted } from './words.ts'

/** Namespaces of what a cluster that devkit makes works by. */
const systemNamespaces = ['kube-system', 'local-path-storage']

/** The cluster: whether it runs and answers, its nodes, its own parts, and what its user may do. */
export function clusterLooks({ parts }: Examined, facts: Facts): readonly Look[] {
  const look = (name: string, look: Look['look']): Look => ({ area: 'cluster', name, after: [facts.api, facts.manifests], look })
  const list = (kind: KindRef, { kube }: ApiFacts, signal: AbortSignal) => kube.list(kind, signal)
  return [
    look('state', () => told(facts.cluster, stateVerdict)),
    look('API', () => told(facts.api, ({ version, ms }) => ok(`Kubernetes ${version} answers in ${ms} ms`))),
    look('version', (signal) =>
      given(facts.api, async ({ plan, kube }) => {
        const found = await findingsOfVersion(plan, kube, signal)
        return found.length > 0
          ? preflightVerdicts(found)
          : ok(plan.kubernetes === undefined ? 'the config names none' : `${plan.kubernetes}, as the config says`)
      }),
    ),
    look('clock', () => given(facts.api, (api) => (api.isOwn ? [] : clockVerdict("the cluster's API server", api)))),
    {
      ...look('saves', (signal) =>
        given(facts.api, async ({ plan, isOwn }) => {
          // into the nodes of its own clusters they always go
          if (isOwn) return []
          const found = await providerOf(parts.tools, plan.cluster.spec).find(plan.cluster, { signal, say: () => undefined })
          return found.state === 'absent' ? [] : savesVerdict(found.cluster)
        }),
      ),
      ms: proofMs,
    },
    look('nodes', (signal) =>
      given(facts.api, async (api) => nodesVerdicts(await list({ apiVersion: 'v1', kind: 'Node' }, api, signal), api)),
    ),
    look('room', (signal) =>
      given(facts.api, async (api) => {
        const [nodes, pods] = await Promise.all(['Node', 'Pod'].map((kind) => list({ apiVersion: 'v1', kind }, api, signal)))
        return roomVerdict(nodes ?? [], pods ?? [])
      }),
    ),
    look('DNS', (signal) =>
      given(facts.api, async (api) => {
        const namespace = 'kube-system'
        const slices = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', namespace }
        const [found, servers] = await Promise.all([
          list({ ...slices, labelSelector: 'kubernetes.io/service-name=kube-dns' }, api, signal),
          list({ apiVersion: 'apps/v1', kind: 'Deployment', namespace, labelSelector: 'k8s-app=kube-dns' }, api, signal),
        ])
        return dnsVerdict(found, servers, api)
      }),
    ),
    look('own parts', (signal) =>
      given(facts.api, async (api) => {
        const found = await Promise.all(
          systemNamespaces.flatMap((namespace) =>
            [
              ['apps/v1', 'Deployment'],
              ['apps/v1', 'DaemonSet'],
              ['v1', 'Pod'],
            ].map(([apiVersion = '', kind = '']) => list({ apiVersion, kind, namespace }, api, signal)),
          ),
        )
        return partsVerdicts(found.flat(), api, Date.now())
      }),
    ),
    look('rights', (signal) =>
      given(facts.api, ({ kube, plan: { namespace } }) =>
        given(facts.manifests, async ({ outline }) => {
          const isThere = (await kube.get({ apiVersion: 'v1', kind: 'Namespace', name: namespace }, signal)) !== undefined
          await checkRights(kube, outline.manifests, { namespace, isThere }, signal)
          return ok(`all that ${counted(outline.manifests.length, 'object')} take`)
        }),
      ),
    ),
  ]
}

/** How a cluster that is there stands. */
export function stateVerdict({ state, cluster: { name, nodes }, isOwn, plan }: ClusterFacts): Found {
  if (state === 'running')
    return ok(isOwn ? `${name} runs, ${counted(nodes.length, 'node')}` : `somebody else's: ${contextOption(plan)}`)
  const said =
    state === 'making'
      ? `a run makes the cluster ${name} at this moment, or was killed while it did`
      : `the cluster ${name} is ${state}`
  return { verdict: 'warning', code: 'CLUSTER-115', said, remedy: '`devkit up`' }
}

/** How long it may take to prove which containers the nodes of a cluster are, in ms. */
const proofMs = 7000

function savesVerdict({ nodes, whyNotEntered }: Cluster): Found {
  return ok(nodes.length > 0 ? 'go through its nodes' : `go through its API: ${whyNotEntered ?? 'its nodes cannot be entered'}`)
}

interface Condition {
  readonly type: string
  readonly status: string
  readonly message?: string
}

const shortages: Readonly<Record<string, string>> = {
  DiskPressure: 'disk space',
  MemoryPressure: 'memory',
  PIDPressure: 'process ids',
}

/** A line for each thing that is wrong with a node, one for all where nothing is. */
export function nodesVerdicts(nodes: readonly KubeObject[], { isOwn, plan }: Pick<ApiFacts, 'isOwn' | 'plan'>): Found | Found[] {
  const wrong = nodes.flatMap((node) => nodeVerdicts(node, isOwn, contextOption(plan)))
  return wrong.length > 0 ? wrong : ok(`${counted(nodes.length, 'node')} ready`)
}

function nodeVerdicts(node: KubeObject, isOwn: boolean, context: string): readonly Found[] {
  const { name } = node.metadata
  const conditions = ((node['status'] ?? {}) as { readonly conditions?: readonly Condition[] }).conditions ?? []
  const of = (type: string): Condition | undefined => conditions.find((condition) => condition.type === type)
  const because = (condition: Condition | undefined): string => (condition?.message ? `: ${condition.message}` : '')
  const log = isOwn ? `\`docker exec ${name} journalctl -u kubelet -n 50\`` : `\`kubectl ${context} describe node ${name}\``
  const ready = of('Ready')
  const short = Object.entries(shortages).filter(([type]) => of(type)?.status === 'True')
  const isCordoned = ((node['spec'] ?? {}) as { readonly unschedulable?: boolean }).unschedulable === true
  return [
    ...(ready?.status === 'True'
      ? []
      : [
          {
            verdict: 'failure' as const,
            code: 'CLUSTER-114' as const,
            said: `${name} is not ready${because(ready)}`,
            remedy: log,
          },
        ]),
    ...(of('NetworkUnavailable')?.status === 'True'
      ? [
          {
            verdict: 'failure' as const,
            code: 'CLUSTER-114' as const,
            said: `${name} has no network for pods${because(of('NetworkUnavailable'))}`,
            remedy: log,
          },
        ]
      : []),
    ...short.map(([type, what]) => ({
      verdict: 'failure' as const,
      code: 'CLUSTER-116' as const,
      said: `${name} is short of ${what}, and evicts pods${because(of(type))}`,
      remedy:
        type === 'DiskPressure'
          ? '`docker image prune --all`, or a larger disk for the engine.'
          : 'Lower `requests` and replicas in the profile, or give the engine more.',
    })),
    ...(isCordoned
      ? [
          {
            verdict: 'warning' as const,
            code: 'CLUSTER-118' as const,
            said: `${name} is cordoned: it takes no new pods`,
            remedy: `\`kubectl ${context} uncordon ${name}\``,
          },
        ]
      : []),
  ]
}

interface Requesting {
  readonly restartPolicy?: string
  readonly resources?: { readonly requests?: Readonly<Record<string, string | number>> }
}

/** What all pods ask for of what the nodes give, as the scheduler counts. */
export function roomVerdict(nodes: readonly KubeObject[], pods: readonly KubeObject[]): Found {
  const statusOf = ({ status }: KubeObject) =>
    (status ?? {}) as { readonly phase?: string; readonly allocatable?: Readonly<Record<string, string>> }
  const given = (resource: string): number =>
    nodes.reduce((sum, node) => sum + (amountOf(statusOf(node).allocatable?.[resource] ?? '0') ?? 0), 0)
  const placed = pods.filter(
    (pod) =>
      (pod['spec'] as { readonly nodeName?: string }).nodeName && !['Succeeded', 'Failed'].includes(statusOf(pod).phase ?? ''),
  )
  const asked = (resource: string): number => placed.reduce((sum, pod) => sum + requestOf(pod, resource), 0)
  const cpus = (amount: number): string => String(Number(amount.toFixed(2)))
  return ok(
    `pods ask for ${cpus(asked('cpu'))} of ${cpus(given('cpu'))} CPUs and ${bytesText(asked('memory'))} of ${bytesText(given('memory'))}`,
  )
}

/** @see https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers */
function requestOf(pod: KubeObject, resource: string): number {
  const { containers = [], initContainers = [] } = pod['spec'] as Readonly<Record<string, readonly Requesting[] | undefined>>
  const of = ({ resources }: Requesting): number => amountOf(resources?.requests?.[resource] ?? 0) ?? 0
  const isSidecar = ({ restartPolicy }: Requesting): boolean => restartPolicy === 'Always'
  const together = [...containers, ...initContainers.filter(isSidecar)].reduce((sum, container) => sum + of(container), 0)
  return Math.max(together, ...initContainers.filter((container) => !isSidecar(container)).map(of))
}

/** Whether anything answers names. */
export function dnsVerdict(
  slices: readonly KubeObject[],
  servers: readonly KubeObject[],
  { isOwn, plan }: Pick<ApiFacts, 'isOwn' | 'plan'>,
): Found {
  interface Endpoint {
    readonly conditions?: { readonly ready?: boolean }
  }
  const endpoints = slices.flatMap((slice) => (slice['endpoints'] ?? []) as readonly Endpoint[])
  const ready = endpoints.filter(({ conditions }) => conditions?.ready !== false).length
  if (ready > 0) return ok(`${counted(ready, 'endpoint')} of kube-dns ready`)
  if (slices.length === 0 && !isOwn) return skipped('the cluster has no Service kube-dns')
  const [server] = servers
  const kubectl = `kubectl ${contextOption(plan)} -n kube-system`
  const none = server && (server['spec'] as { readonly replicas?: number }).replicas === 0
  return {
    verdict: 'failure',
    code: 'CLUSTER-117',
    said: `nothing answers DNS names in the cluster: ${none ? `Deployment/${server.metadata.name} is scaled to 0` : 'no pod of kube-dns is ready'}`,
    remedy: none
      ? `\`${kubectl} scale deployment ${server.metadata.name} --replicas=2\``
      : `\`${kubectl} describe pods -l k8s-app=kube-dns\` says why.`,
  }
}

/** How young a part may be to be still starting, in ms. */
const startMs = 60_000

/** A line for each workload of the system that is not ready, and for each of its pods without one. */
export function partsVerdicts(
  objects: readonly KubeObject[],
  { isOwn, plan }: Pick<ApiFacts, 'isOwn' | 'plan'>,
  now: number,
): Found | Found[] {
  const watched = objects.filter((object) => object.kind !== 'Pod' || isStatic(object))
  const wrong = watched.flatMap((object): readonly Found[] => {
    const state = rollout(object)
    if (state === 'ready') return []
    const { name, namespace, creationTimestamp } = object.metadata as Readonly<Record<string, string>>
    const isYoung = now - Date.parse(creationTimestamp ?? '') < startMs
    return [
      {
        // what a cluster of somebody else has may be as it is
        verdict: isOwn && !isYoung ? 'failure' : 'warning',
        code: 'CLUSTER-117',
        said: `${nameOf(object)} in ${namespace}: ${state.waiting}`,
        remedy: `\`kubectl ${contextOption(plan)} -n ${namespace} describe ${object.kind.toLowerCase()} ${name}\` says why.`,
      },
    ]
  })
  return wrong.length > 0 ? wrong : ok(`${counted(watched.length, 'part')} of ${systemNamespaces[0]} and storage ready`)
}

/** A pod that no controller but its node has, such as the API server's. */
function isStatic({ metadata }: KubeObject): boolean {
  const owners = (metadata['ownerReferences'] ?? []) as readonly { readonly kind: string }[]
  return owners.some(({ kind }) => kind === 'Node')
}

function contextOption({ cluster: { name, spec } }: ApiFacts['plan']): string {
  return `--context ${'existing' in spec ? spec.existing.context : name}`
}
