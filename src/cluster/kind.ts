import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { EngineContainer, ExecResult, Host } from '../host/host.ts'
import { delay } from '../lib/async.ts'
import { engineFull } from '../lib/disk-full.ts'
import { DevkitError } from '../lib/errors.ts'
import type { Step } from '../lib/step.ts'
import { accessOf, withAccess, withoutAccess } from './kubeconfig.ts'
import type { Cluster, ClusterProvider, ClusterRequest, ClusterState, EnsuredCluster, PortMapping } from './provider.ts'

/** What a provider of kind clusters may touch. */
export interface KindParts extends Pick<Host, 'exec' | 'engine' | 'files'> {
  /** Directory of devkit's own kubeconfigs. */
  readonly stateDirectory: string
  /** The kubeconfig that kubectl reads by default; it gets one context per cluster. */
  readonly userKubeconfig: string
  /** From the machine's settings file. */
  readonly nodeImage: string | undefined
}

const label = 'io.x-k8s.kind.cluster'

/** Network that the kind program makes with its first cluster and leaves behind with its last. */
const network = 'kind'

/** Clusters whose nodes are containers, made by the kind program. In the config: `cluster: { kind: {} }`. */
export function kind(parts: KindParts): ClusterProvider {
  const { engine } = parts

  const find = async ({ name, project }: ClusterRequest, step: Step): Promise<ClusterState> => {
    const nodes = await (await engine()).containersWithLabel(`${label}=${name}`)
    step.signal.throwIfAborted()
    if (nodes.length === 0) return { state: 'absent' }
    const cluster = clusterOf(parts, name, nodes)
    if (!(await madeByDevkit(parts, cluster, project)))
      throw new DevkitError('CLUSTER-103', {
        message: `The kind cluster ${name} was not made by devkit on this machine (there is no ${ownerFile(parts, name)}).`,
        hint: `Remove it with \`kind delete cluster --name ${name}\`, or give the project another name.`,
      })
    if ((await ownerOf(parts, name))?.state === 'making') return { state: 'making', cluster }
    const states = new Set(nodes.map((node) => node.state))
    return {
      state: states.has('paused') ? 'paused' : states.size === 1 && states.has('running') ? 'running' : 'stopped',
      cluster,
    }
  }

  const ensured = async (cluster: Cluster, outcome: EnsuredCluster['outcome']): Promise<EnsuredCluster> => {
    const docker = await engine()
    const started = await Promise.all(cluster.nodes.map((node) => docker.startedAt(node)))
    return { cluster, outcome, runningSince: Math.min(...started) }
  }

  return {
    own: true,
    find,
    async ensure(request, ports, step, nodesRun = () => undefined) {
      const found = await find(request, step)
      if (found.state === 'absent' || found.state === 'making') {
        if (found.state === 'making') await discard(parts, request.name)
        return ensured(await create(parts, request, { ports, nodesRun }, step), 'created')
      }
      const { cluster, state } = found
      if (!(await parts.files.exists(cluster.kubeconfig))) await exportKubeconfig(parts, cluster, step)
      if (state === 'running') return ensured(cluster, 'unchanged')
      for (const node of cluster.nodes)
        await (state === 'paused' ? (await engine()).unpauseContainer(node) : (await engine()).startContainer(node))
      return ensured(cluster, 'configured')
    },
    async remove(request, step) {
      const found = await find(request, step)
      if (found.state !== 'absent') {
        const { exitCode, tail } = await deleteNodes(parts, request.name, step)
        if (exitCode === 'missing') throw kindMissing()
        const left = await (await engine()).containersWithLabel(`${label}=${request.name}`)
        if (exitCode !== 0 || left.length > 0)
          throw new DevkitError('CLUSTER-105', {
            message: `The cluster ${request.name} could not be removed.`,
            hint: 'Look at the lines below, then run `devkit down` again.',
            detail: tail.join('\n'),
          })
      }
      await changeUserKubeconfig(parts, (text) => withoutAccess(text, request.name), step)
      await removeOwnNetwork(parts, request.name)
      await rm(directoryOf(parts, request.name), { recursive: true, force: true })
    },
  }
}

function directoryOf({ stateDirectory }: KindParts, name: string): string {
  return join(stateDirectory, 'clusters', name)
}

function kubeconfigFile(parts: KindParts, name: string): string {
  return join(directoryOf(parts, name), 'kubeconfig')
}

interface Owner {
  readonly project: string
  /** Whether the network is to go with this cluster, if nothing else uses it then. */
  readonly madeNetwork: boolean
  /** A run that is killed leaves `making`: such a cluster never works and is made anew. */
  readonly state: 'making' | 'made'
}

/** Says that devkit made the cluster. Written before the cluster, so that an interrupted creation is known as ours. */
function ownerFile(parts: KindParts, name: string): string {
  return join(directoryOf(parts, name), 'cluster.json')
}

function clusterOf(parts: KindParts, name: string, nodes: readonly EngineContainer[]): Cluster {
  const isControlPlane = (node: EngineContainer): boolean => node.labels['io.x-k8s.kind.role'] === 'control-plane'
  const names = nodes.toSorted((a, b) => Number(isControlPlane(b)) - Number(isControlPlane(a))).map((node) => node.name)
  return { name, kubeconfig: kubeconfigFile(parts, name), nodes: names }
}

function ownerOf(parts: KindParts, name: string): Promise<Owner | undefined> {
  return parts.files.readJson<Owner>(ownerFile(parts, name))
}

async function madeByDevkit(parts: KindParts, { name }: Cluster, project: string): Promise<boolean> {
  return (await ownerOf(parts, name))?.project === project
}

async function own(parts: KindParts, name: string, owner: Owner): Promise<void> {
  await parts.files.writePrivate(ownerFile(parts, name), `${JSON.stringify(owner)}\n`)
}

async function create(
  parts: KindParts,
  { name, project, spec }: ClusterRequest,
  { ports, nodesRun }: { readonly ports: readonly PortMapping[]; readonly nodesRun: (nodes: readonly string[]) => void },
  step: Step,
): Promise<Cluster> {
  const madeNetwork = !(await (await parts.engine()).networkExists(network))
  await own(parts, name, { project, madeNetwork, state: 'making' })
  const image = ('kind' in spec ? spec.kind.nodeImage : undefined) ?? parts.nodeImage
  const config = kindConfig(ports)
  // --retain: on a failure the node is still there to be asked
  const args = [
    'create',
    'cluster',
    '--name',
    name,
    '--config',
    '-',
    '--kubeconfig',
    kubeconfigFile(parts, name),
    '--retain',
    ...(image === undefined ? [] : ['--image', image]),
  ]
  let made = false
  const working = new AbortController()
  void nodesOf(parts, name, AbortSignal.any([step.signal, working.signal])).then(nodesRun, () => undefined)
  try {
    let { exitCode, tail } = await parts.exec('kind', args, step, { stdin: config })
    if (exitCode !== 0 && isChance(tail)) {
      await deleteNodes(parts, name, step)
      ;({ exitCode, tail } = await parts.exec('kind', args, step, { stdin: config }))
    }
    if (exitCode === 'missing') throw kindMissing()
    if (exitCode !== 0) throw creationProblem(name, tail)
    const cluster = clusterOf(parts, name, await (await parts.engine()).containersWithLabel(`${label}=${name}`))
    const access = await accessOf(await exportKubeconfig(parts, cluster, step), name)
    await changeUserKubeconfig(parts, (text) => withAccess(text, access), step)
    await own(parts, name, { project, madeNetwork, state: 'made' })
    made = true
    return cluster
  } finally {
    working.abort()
    if (!made) await discard(parts, name)
  }
}

/** The nodes of a cluster that is being made, once their containerd answers: seconds after their start, long before kubeadm is done. */
async function nodesOf({ engine }: KindParts, name: string, signal: AbortSignal): Promise<readonly string[]> {
  for (;;) {
    const docker = await engine()
    const nodes = (await docker.containersWithLabel(`${label}=${name}`)).filter(({ state }) => state === 'running')
    // a node that has begun this moment may not yet take an exec
    const answers = nodes.map(({ name: node }) => docker.run(node, ['ctr', 'version'], { signal }).catch(() => undefined))
    if (nodes.length > 0 && (await Promise.all(answers)).every((answer) => answer?.exitCode === 0))
      return nodes.map((node) => node.name)
    await delay(250, signal)
  }
}

/** Failures that come from what somebody else does at the same moment: a kind that outlived its killed devkit, a network that is just removed. */
function isChance(tail: readonly string[]): boolean {
  return /already exist for a cluster|is already in use by container|network kind not found|network with name kind already exists/.test(
    tail.join('\n'),
  )
}

/** A cluster that is half there is worth nothing: nobody has put anything into it. Ports and owner are forgotten with it. */
async function discard(parts: KindParts, name: string): Promise<void> {
  const step: Step = { signal: AbortSignal.timeout(30_000), say: () => undefined }
  await deleteNodes(parts, name, step)
  await changeUserKubeconfig(parts, (text) => withoutAccess(text, name), step)
  await removeOwnNetwork(parts, name).catch(() => undefined)
  await rm(directoryOf(parts, name), { recursive: true, force: true })
}

function deleteNodes(parts: KindParts, name: string, step: Step): Promise<ExecResult> {
  return parts.exec('kind', ['delete', 'cluster', '--name', name, '--kubeconfig', kubeconfigFile(parts, name)], step)
}

/** The network goes with the last cluster that uses it; until then the duty passes to another of devkit's. */
async function removeOwnNetwork(parts: KindParts, name: string): Promise<void> {
  if (!(await ownerOf(parts, name))?.madeNetwork) return
  await (await parts.engine()).removeNetworkWhenUnused(network)
  const clusters = await readdir(join(parts.stateDirectory, 'clusters')).catch(() => [])
  for (const other of clusters.filter((each) => each !== name)) {
    const owner = await ownerOf(parts, other)
    if (owner) return own(parts, other, { ...owner, madeNetwork: true })
  }
}

/** devkit's own kubeconfig, with the cluster's name for its context in place of `kind-NAME`. */
async function exportKubeconfig(parts: KindParts, { name, kubeconfig }: Cluster, step: Step): Promise<string> {
  const { exitCode, stdout, tail } = await parts.exec('kind', ['get', 'kubeconfig', '--name', name], step, { quiet: true })
  if (exitCode === 'missing') throw kindMissing()
  if (exitCode !== 0)
    throw new DevkitError('CLUSTER-104', {
      message: `The kubeconfig of the cluster ${name} cannot be had.`,
      hint: 'Run `devkit down`, then `devkit up`.',
      detail: tail.join('\n'),
    })
  const text = stdout.replaceAll(`kind-${name}`, name)
  await parts.files.writePrivate(kubeconfig, text)
  return text
}

async function changeUserKubeconfig(
  { userKubeconfig, files }: KindParts,
  change: (text: string) => Promise<string | undefined>,
  step: Step,
): Promise<void> {
  const there = await files.exists(userKubeconfig)
  const before = there ? await readFile(userKubeconfig, 'utf8') : ''
  const after = await change(before)
  if (after === undefined) {
    step.say(`${userKubeconfig} is not plain YAML: it is left alone.`, 'stderr')
    return
  }
  if (after === before) return
  if (after === '') await rm(userKubeconfig, { force: true })
  else if (there) await writeFile(userKubeconfig, after)
  else await files.writePrivate(userKubeconfig, after)
}

/**
 * etcd may lose its last second and nothing elects leaders: this cluster can be made again, and has to survive `docker pause`.
 * @see https://kind.sigs.k8s.io/docs/user/configuration/
 */
function kindConfig(ports: readonly PortMapping[]): string {
  const patch = {
    kind: 'ClusterConfiguration',
    etcd: { local: { extraArgs: { 'unsafe-no-fsync': 'true' } } },
    controllerManager: { extraArgs: { 'leader-elect': 'false' } },
    scheduler: { extraArgs: { 'leader-elect': 'false' } },
  }
  const extraPortMappings = ports.map(({ host, node }) => ({
    containerPort: node,
    hostPort: host,
    listenAddress: '127.0.0.1',
    protocol: 'TCP',
  }))
  // JSON is YAML
  return JSON.stringify({
    kind: 'Cluster',
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    networking: { apiServerAddress: '127.0.0.1' },
    nodes: [{ role: 'control-plane', extraPortMappings }],
    kubeadmConfigPatches: [JSON.stringify(patch)],
  })
}

function kindMissing(): DevkitError {
  return new DevkitError('CLUSTER-101', {
    message: 'The kind program is not on PATH.',
    hint: 'Install it (https://kind.sigs.k8s.io/docs/user/quick-start/#installation), or name its path as tools.kind in the machine settings file.',
  })
}

/** The cause stands in kind's last lines, not in its exit code, which is always 1. */
function creationProblem(name: string, tail: readonly string[]): DevkitError {
  const text = tail.join('\n')
  const detail = tail.slice(-15).join('\n')
  const port = /(?:Bind for|bind host port(?: for)?) \S*?:(\d+)/.exec(text)?.[1]
  if (port !== undefined)
    return new DevkitError('PORT-101', {
      message: `Port ${port} of this machine is taken, so the cluster ${name} cannot have it.`,
      hint: 'Stop what listens there, or choose another ports[].host.',
      detail,
    })
  const full = engineFull(text, `the cluster ${name} could not be created`, { detail })
  if (full) return full
  if (/failed to pull image|pull access denied|manifest unknown/.test(text))
    return new DevkitError('CLUSTER-106', {
      message: 'The image for the node cannot be pulled.',
      hint: 'Check the network, or name an image that this machine has as nodeImage in the machine settings file.',
      detail,
    })
  const hint = /could not find a log line|too many open files/.test(text)
    ? 'Raise the inotify limits: sudo sysctl fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=524288; then run `devkit up` again.'
    : 'Read kind’s last lines below; run `devkit up` again when the cause is mended.'
  return new DevkitError('CLUSTER-102', { message: `The cluster ${name} could not be created.`, hint, detail })
}
