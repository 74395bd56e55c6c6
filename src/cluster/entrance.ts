import type { Engine, EngineContainer, Host } from '../host/host.ts'
import type { Kube } from '../kube/kube.ts'
import { abortable, delay } from '../lib/async.ts'
import { messageOf } from '../lib/errors.ts'
import type { KubeObject } from '../lib/objects.ts'
import type { Cluster } from './provider.ts'

/** What looking for a way into nodes may touch. */
export interface EntranceParts extends Pick<Host, 'engine'> {
  readonly openKube: (cluster: Pick<Cluster, 'kubeconfig'>) => Promise<Kube>
}

/** Which containers are the nodes of a cluster: all of its nodes, or none and why. */
export interface Entrance {
  /** Name of the node → the engine's id of its container, whole: the beginning of one may be the name of another. */
  readonly containers: ReadonlyMap<string, string>
  readonly whyNot?: string
}

/** Labels that the kind and minikube programs give the containers that they make nodes of. */
const nodeLabels = ['io.x-k8s.kind.role', 'name.minikube.sigs.k8s.io']
/** An engine of this machine answers at once; nobody waits longer for one that he may not need. In ms. */
const enginePatienceMs = 1000
/** How long the cluster may take to prove what its nodes are, once a container of this machine could be one. In ms. */
const proofPatienceMs = 5000

/**
 * Finds the containers of this machine's engine that are the nodes of the cluster. A name proves nothing (every minikube has a node `minikube`),
 * nor does what nodes of one image or of one machine have in common. What proves it are the ids of the containers that run on the node: the runtime
 * draws them by chance, and the cluster tells those of its pods. A container that knows none of them is never entered. Nothing is written for this.
 */
export async function entranceTo(
  kubeconfig: string,
  { engine, openKube }: EntranceParts,
  signal: AbortSignal,
): Promise<Entrance> {
  try {
    const docker = await engine()
    const candidates = await nodeContainers(docker, AbortSignal.any([signal, AbortSignal.timeout(enginePatienceMs)]))
    if (candidates.length === 0) return closed(noneHere)
    const patience = AbortSignal.any([signal, AbortSignal.timeout(proofPatienceMs)])
    await using kube = await openKube({ kubeconfig })
    const nodes = await kube.list({ apiVersion: 'v1', kind: 'Node' }, patience)
    const matched = matchByName(
      nodes.map(({ metadata }) => metadata.name),
      candidates,
    )
    if (typeof matched === 'string') return closed(matched)
    const doubts = await Promise.all(matched.map((pair) => doubtAbout(pair, kube, docker, patience)))
    const doubt = doubts.find((each) => each !== undefined)
    return doubt === undefined ? { containers: new Map(matched.map(({ node, id }) => [node, id])) } : closed(doubt)
  } catch (thrown) {
    signal.throwIfAborted()
    return closed(thrown instanceof Error && thrown.name === 'TimeoutError' ? tooLate : messageOf(thrown).replace(/\.$/, ''))
  }
}

const noneHere = 'none of its nodes is a container of this machine'
const tooLate = 'the engine or the cluster took too long to tell what its nodes are'

function closed(whyNot: string): Entrance {
  return { containers: new Map(), whyNot }
}

async function nodeContainers(docker: Engine, patience: AbortSignal): Promise<readonly EngineContainer[]> {
  await docker.version(patience)
  const found = await abortable(Promise.all(nodeLabels.map((label) => docker.containersWithLabel(label))), patience)
  return found.flat().filter(({ state }) => state === 'running')
}

interface Pair {
  readonly node: string
  /** The container's id. */
  readonly id: string
}

/** The container that each node would be, or why some have none. */
export function matchByName(
  nodes: readonly string[],
  candidates: readonly Omit<EngineContainer, 'labels'>[],
): readonly Pair[] | string {
  const ids = new Map(candidates.map(({ name, id }) => [name, id]))
  const missing = nodes.filter((node) => !ids.has(node))
  if (missing.length === nodes.length) return noneHere
  if (missing.length > 0) return `its node ${missing[0]} is no container of this machine`
  return nodes.map((node) => ({ node, id: ids.get(node) ?? '' }))
}

/** Why the container is not taken for the node; undefined when it is the node. */
async function doubtAbout({ node, id }: Pair, kube: Kube, docker: Engine, signal: AbortSignal): Promise<string | undefined> {
  const told = await containersOn(node, kube, signal)
  // by way of perl, which the other end of the stream is written in
  const { exitCode, stdout, stderr } = await abortable(
    docker.run(id, ['perl', '-e', 'exec @ARGV or die "$ARGV[0]: $!\\n"', 'ctr', '--namespace=k8s.io', 'containers', 'ls', '-q'], {
      signal,
    }),
    signal,
  )
  if (exitCode !== 0)
    return `the container ${node} cannot be asked what it runs: ${(stderr.trim() || stdout.trim()).split('\n')[0] || `exit code ${exitCode}`}`
  return doubtOf(node, told, stdout.split('\n'))
}

/** Ids of what runs on a node as the cluster tells them, such as `containerd://4f3c…`. A node that has just begun is given the time to tell. */
async function containersOn(node: string, kube: Kube, signal: AbortSignal): Promise<readonly string[]> {
  for (;;) {
    const pods = await kube.list({ apiVersion: 'v1', kind: 'Pod', fieldSelector: `spec.nodeName=${node}` }, signal)
    const ids = pods.flatMap(idsOf)
    if (ids.length > 0) return ids
    await delay(250, signal)
  }
}

/** @see https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#PodStatus */
function idsOf(pod: KubeObject): readonly string[] {
  type Status = {
    readonly containerID?: string
    readonly lastState?: { readonly terminated?: { readonly containerID?: string } }
  }
  const status = pod['status'] as
    | Readonly<Partial<Record<'containerStatuses' | 'initContainerStatuses', readonly Status[]>>>
    | undefined
  return [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].flatMap(({ containerID, lastState }) =>
    [containerID ?? [], lastState?.terminated?.containerID ?? []].flat(),
  )
}

/**
 * Why a container is not taken for the node of its name; undefined when it is the node.
 * `told` are the ids that the cluster tells of what runs on the node, `known` those that the container's containerd knows.
 */
export function doubtOf(node: string, told: readonly string[], known: readonly string[]): string | undefined {
  const ids = told.flatMap((id) => /^containerd:\/\/(.+)$/.exec(id)?.[1] ?? [])
  if (ids.length === 0) return `its node ${node} runs containers by ${told[0]?.split(':')[0] ?? 'nothing'}, not by containerd`
  if (ids.some((id) => known.includes(id))) return undefined
  return `the container ${node} of this machine is not its node of that name`
}
