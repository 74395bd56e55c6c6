import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { openKube } from '../../src/kube/client.ts'
import type { Kube } from '../../src/kube/kube.ts'
import { labUp } from '../lab/lab.ts'
import { locked } from '../lab/lock.ts'
import { placesOf } from '../lab/places.ts'
import { baseImage, nodeImage } from '../lab/recipe.ts'
import type { Voice } from '../lab/run.ts'
import type { MachineSettings } from '../lab/settings.ts'

/** The API of a real cluster that all files of this layer share: each works in namespaces of its own. Pods there run `baseImage`. */
export interface ApiRig extends AsyncDisposable {
  readonly kube: Kube
  readonly signal: AbortSignal
  readonly scratch: string
  /** Of the kubeconfig in `scratch`. */
  readonly context: string
  /** Makes a namespace that goes with the rig; `name` begins with `t-`. */
  namespace(name: string): string
  /** The API as a new ServiceAccount sees it, which may do what these rules of a Role in its namespace say. */
  kubeOf(account: string, namespace: string, rules: readonly object[]): Promise<Kube>
  /** Another program at the same API. */
  kubectl(args: readonly string[], input?: string): string
  /** The same for what takes long, such as `wait`: everything else goes on meanwhile. */
  kubectlUntil(args: readonly string[]): Promise<void>
  /** Runs a program in the cluster's node. */
  inNode(...command: readonly string[]): string
}

const shared = 't-api'

/**
 * Opens the shared cluster, making it when it is not there; `removeApiCluster` takes it away after the layer.
 * Who does harm to its parts names a cluster of his own, which goes with the rig.
 */
export async function openApiRig(cluster = shared): Promise<ApiRig> {
  const abort = new AbortController()
  const voice: Voice = { say: (line) => void process.stderr.write(`${line}\n`), signal: abort.signal }
  const settings = await labUp(voice)
  const scratch = mkdtempSync(join(tmpdir(), 't-api-'))
  const kubeconfig = join(scratch, 'kubeconfig')
  // files run beside each other: the first makes it, the others wait
  await locked(lockOf(cluster), 'Who makes the cluster', voice, () => makeCluster(settings, cluster, kubeconfig))
  writeFileSync(kubeconfig, kind(settings, ['get', 'kubeconfig', '--name', cluster]), { mode: 0o600 })
  const kube = await openKube(kubeconfig)
  await kube.untilReady(60_000, abort.signal)
  const kubectl: ApiRig['kubectl'] = (args, input = '') =>
    run(settings, settings.tools.kubectl, ['--kubeconfig', kubeconfig, ...args], input)
  const made: string[] = []
  const others: Kube[] = []
  return {
    kube,
    signal: abort.signal,
    scratch,
    context: `kind-${cluster}`,
    namespace(name) {
      kubectl(['create', 'namespace', name])
      made.push(name)
      return name
    },
    async kubeOf(account, namespace, rules) {
      const metadata = { name: account, namespace }
      const apiVersion = 'rbac.authorization.k8s.io/v1'
      const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: account }
      const items = [
        { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
        { apiVersion, kind: 'Role', metadata, rules },
        { apiVersion, kind: 'RoleBinding', metadata, roleRef, subjects: [{ kind: 'ServiceAccount', ...metadata }] },
      ]
      kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
      const token = kubectl(['create', 'token', account, '--namespace', namespace])
      const config = JSON.parse(kubectl(['config', 'view', '--raw', '--output=json'])) as { readonly users: readonly object[] }
      const file = join(scratch, `${namespace}-${account}`)
      const users = config.users.map((user) => ({ ...user, user: { token } }))
      writeFileSync(file, JSON.stringify({ ...config, users }), { mode: 0o600 })
      const opened = await openKube(file)
      others.push(opened)
      return opened
    },
    kubectl,
    kubectlUntil: (args) => runLong(settings, settings.tools.kubectl, ['--kubeconfig', kubeconfig, ...args]),
    inNode: (...command) => run(settings, settings.tools.docker, ['exec', `${cluster}-control-plane`, ...command]),
    async [Symbol.asyncDispose]() {
      abort.abort()
      for (const one of [kube, ...others]) await one[Symbol.asyncDispose]()
      if (cluster !== shared) kind(settings, ['delete', 'cluster', '--name', cluster])
      else if (made.length > 0) kubectl(['delete', 'namespace', '--ignore-not-found', '--wait=false', ...made])
      rmSync(scratch, { recursive: true, force: true })
    },
  }
}

/** Takes the shared cluster away; there may be none. */
export async function removeApiCluster(): Promise<void> {
  const voice: Voice = { say: () => undefined, signal: new AbortController().signal }
  const settings = await labUp(voice)
  await locked(lockOf(shared), 'Who removes the cluster', voice, async () => {
    if (isThere(settings, shared)) kind(settings, ['delete', 'cluster', '--name', shared])
  })
}

/** Who makes or removes the cluster holds it. */
function lockOf(cluster: string): string {
  return join(placesOf(process.env).cache, `${cluster}-lock`)
}

async function makeCluster(settings: MachineSettings, cluster: string, kubeconfig: string): Promise<void> {
  if (isThere(settings, cluster)) return
  const words = ['create', 'cluster', '--name', cluster, '--image', nodeImage, '--kubeconfig', kubeconfig]
  await runLong(settings, settings.tools.kind, words)
  // no node of the layer reaches a registry: pods run what is imported here
  const pipe = `"$0" save ${baseImage} | "$0" exec -i ${cluster}-control-plane ctr --namespace=k8s.io images import --local -`
  await runLong(settings, 'bash', ['-o', 'pipefail', '-c', pipe, settings.tools.docker])
}

function isThere(settings: MachineSettings, cluster: string): boolean {
  return kind(settings, ['get', 'clusters']).split('\n').includes(cluster)
}

function kind(settings: MachineSettings, args: readonly string[]): string {
  return run(settings, settings.tools.kind, args)
}

function run(settings: MachineSettings, file: string, args: readonly string[], input = ''): string {
  return execFileSync(file, args, { ...options(settings), input, stdio: ['pipe', 'pipe', 'pipe'] })
}

async function runLong(settings: MachineSettings, file: string, args: readonly string[]): Promise<void> {
  await promisify(execFile)(file, args, options(settings))
}

function options(settings: MachineSettings) {
  const env = { ...process.env, DOCKER_HOST: settings.engine, PATH: `${dirname(settings.tools.docker)}:${process.env['PATH']}` }
  return { encoding: 'utf8', env, timeout: 240_000 } as const
}
