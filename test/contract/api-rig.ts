import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { openKube } from '../../src/kube/client.ts'
import type { Kube } from '../../src/kube/kube.ts'
import { labUp } from '../lab/lab.ts'
import { baseImage, nodeImage } from '../lab/recipe.ts'
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
  const settings = await labUp({ say: (line) => void process.stderr.write(`${line}\n`), signal: abort.signal })
  const scratch = mkdtempSync(join(tmpdir(), 't-api-'))
  const kubeconfig = join(scratch, 'kubeconfig')
  if (!isThere(settings, cluster)) {
    kind(settings, ['create', 'cluster', '--name', cluster, '--image', nodeImage, '--kubeconfig', kubeconfig])
    // no node of the layer reaches a registry: pods run what is imported here
    const pipe = `"$0" save ${baseImage} | "$0" exec -i ${cluster}-control-plane ctr --namespace=k8s.io images import --local -`
    run(settings, 'bash', ['-o', 'pipefail', '-c', pipe, settings.tools.docker])
  }
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
  const settings = await labUp({ say: () => undefined, signal: new AbortController().signal })
  if (isThere(settings, shared)) kind(settings, ['delete', 'cluster', '--name', shared])
}

function isThere(settings: MachineSettings, cluster: string): boolean {
  return kind(settings, ['get', 'clusters']).split('\n').includes(cluster)
}

function kind(settings: MachineSettings, args: readonly string[]): string {
  return run(settings, settings.tools.kind, args)
}

function run(settings: MachineSettings, file: string, args: readonly string[], input = ''): string {
  const env = { ...process.env, DOCKER_HOST: settings.engine, PATH: `${dirname(settings.tools.docker)}:${process.env['PATH']}` }
  return execFileSync(file, args, { encoding: 'utf8', env, input, stdio: ['pipe', 'pipe', 'pipe'], timeout: 240_000 })
}
