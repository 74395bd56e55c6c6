import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { entranceTo } from '../../src/cluster/entrance.ts'
import { openEngine } from '../../src/host/engine.ts'
import { openKube } from '../../src/kube/client.ts'
import type { Kube } from '../../src/kube/kube.ts'
import type { Step } from '../../src/lib/step.ts'
import { execStream } from '../../src/sync/exec-stream.ts'
import { nodeStream } from '../../src/sync/node-stream.ts'
import type { ContainerRef, SyncTarget, SyncTransport } from '../../src/sync/transport.ts'
import { labUp } from '../lab/lab.ts'
import { baseImage, nodeImage } from '../lab/recipe.ts'

/** A cluster with one container of each sort that a transport meets, and eyes that do not belong to devkit. */
export interface SyncRig extends AsyncDisposable {
  readonly node: string
  readonly kube: Kube
  /** The node, entered as one of a cluster that exists: by the id of its container. */
  readonly target: SyncTarget
  readonly step: Step
  /** What the steps said. */
  readonly said: readonly string[]
  readonly scratch: string
  readonly transports: Readonly<Record<'node' | 'exec', SyncTransport>>
  readonly containers: Readonly<Record<Sort, ContainerRef>>
  /** Runs a command line in the container's root, seen from the node: `$R` is the root. Its output, without the last newline. */
  look(container: ContainerRef, script: string): string
  /** Reads a file of 200,000 equal letters again and again; `enough` after 200 times. `wrong` counts the reads that found another thing, or nothing. */
  watchReads(container: ContainerRef, path: string): { readonly enough: Promise<void>; stop(): Promise<{ wrong: number }> }
  /** A reader of a FIFO: `opened` once it listens, `line` the first that it got. */
  reader(container: ContainerRef, fifo: string): { readonly opened: Promise<void>; readonly line: Promise<string> }
  inNode(...args: string[]): string
  /** Waits for a command line in the node to end well, while devkit goes on; `$R` is the root of the container. */
  until(container: ContainerRef, script: string): Promise<void>
  kubectl(args: readonly string[], input?: string): string
}

/** `bare` has neither shell nor tar. `user` runs as somebody who may write only what is its own. `readOnly` has a root that cannot be written. */
export type Sort = 'bare' | 'debian' | 'busybox' | 'user' | 'readOnly'

const cluster = 't-sync'
const busybox = 'registry.example.com/t-sync/busybox:1'
const etcd = 'registry.k8s.io/etcd:3.6.5-0'

export async function openSyncRig(): Promise<SyncRig> {
  const signal = new AbortController().signal
  const settings = await labUp({ say: (line) => void process.stderr.write(`${line}\n`), signal })
  const scratch = mkdtempSync(join(tmpdir(), 't-sync-'))
  const node = `${cluster}-control-plane`
  const env = { ...process.env, DOCKER_HOST: settings.engine, PATH: `${dirname(settings.tools.docker)}:${process.env['PATH']}` }
  const run = (file: string, args: readonly string[], input = ''): string =>
    execFileSync(file, args, {
      encoding: 'utf8',
      env,
      input,
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: 180_000,
      maxBuffer: 64 << 20,
    })
  const inNode = (...args: string[]): string => run(settings.tools.docker, ['exec', node, ...args])
  const kubectl = (args: readonly string[], input?: string): string =>
    run(settings.tools.docker, ['exec', '-i', node, 'kubectl', '--kubeconfig=/etc/kubernetes/admin.conf', ...args], input)

  const kubeconfig = join(scratch, 'kubeconfig')
  const remove = (): string => run(settings.tools.kind, ['delete', 'cluster', '--name', cluster, '--kubeconfig', kubeconfig])
  remove()
  run(settings.tools.kind, ['create', 'cluster', '--name', cluster, '--image', nodeImage, '--kubeconfig', kubeconfig])
  const dockerfile = `FROM ${baseImage} AS made
RUN apt-get update && apt-get install -y --no-install-recommends busybox-static
FROM scratch
COPY --from=made /bin/busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
`
  run(settings.tools.docker, ['build', '--quiet', '--tag', busybox, '-'], dockerfile)
  const pipe = `"$0" save ${baseImage} ${busybox} | "$0" exec -i ${node} ctr --namespace=k8s.io images import --local -`
  run('bash', ['-o', 'pipefail', '-c', pipe, settings.tools.docker])
  inNode('bash', '-c', 'mkdir -p /var/lib/t-sync && echo before > /var/lib/t-sync/mounted')
  kubectl(['apply', '-f', '-'], manifests)
  kubectl(['wait', '--for=condition=Ready', 'pod', '--all', '--timeout=120s'])
  const pods = JSON.parse(kubectl(['get', 'pods', '-o', 'json'])) as {
    items: { metadata: { name: string }; status: { containerStatuses: { name: string; containerID: string }[] } }[]
  }
  const containers = Object.fromEntries(
    pods.items.flatMap(({ metadata, status }) =>
      status.containerStatuses.map(({ name, containerID }): [string, ContainerRef] => [
        metadata.name,
        { id: containerID.replace('containerd://', ''), namespace: 'default', pod: metadata.name, name },
      ]),
    ),
  )
  const ref = (name: string): ContainerRef => {
    const found = containers[name]
    if (!found) throw new Error(`no container of the pod ${name}`)
    return found
  }
  const rootOf = (id: string): string => `/proc/$(cat /run/containerd/io.containerd.runtime.v2.task/k8s.io/${id}/init.pid)/root`
  const perl = (id: string, script: string, path: string) => {
    const words = ['exec', '-i', node, 'bash', '-c', `exec perl -e "$0" ${rootOf(id)}"$1"`, script, path]
    const child = spawn(settings.tools.docker, words, { env, stdio: ['pipe', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    return { child, next: async (): Promise<string> => String((await lines.next()).value) }
  }
  const engine = await openEngine(settings.engine)
  const kube = await openKube(kubeconfig)
  const { containers: entered, whyNot } = await entranceTo(
    kubeconfig,
    { engine: async () => engine, openKube: () => openKube(kubeconfig) },
    signal,
  )
  if (whyNot !== undefined) throw new Error(whyNot)
  const said: string[] = []
  return {
    node,
    kube,
    target: { node, container: entered.get(node), kube },
    step: { signal, say: (line) => void said.push(line) },
    said,
    scratch,
    transports: { node: nodeStream({ engine: async () => engine }), exec: execStream() },
    containers: {
      bare: ref('bare'),
      debian: ref('debian'),
      busybox: ref('busybox'),
      user: ref('user'),
      readOnly: ref('read-only'),
    },
    inNode,
    kubectl,
    look({ id }, script) {
      const words = ['exec', '-i', node, 'bash', '-c', `R=${rootOf(id)}; ${script}`]
      const { status, stdout, stderr } = spawnSync(settings.tools.docker, words, { env, encoding: 'utf8', maxBuffer: 64 << 20 })
      if (status !== 0) throw new Error(`${script}: ${stderr}`)
      return stdout.replace(/\n$/, '')
    },
    until({ id }, script) {
      const lines = `R=${rootOf(id)}; for i in $(seq 600); do if ${script}; then exit 0; fi; sleep 0.02; done; exit 1`
      return promisify(execFile)(settings.tools.docker, ['exec', node, 'bash', '-c', lines], { env }).then(() => undefined)
    },
    watchReads({ id }, path) {
      const { child, next } = perl(id, watcher, path)
      const enough = next().then(() => undefined)
      return {
        enough,
        async stop() {
          child.stdin?.end()
          await enough
          return { wrong: Number(await next()) }
        },
      }
    },
    reader({ id }, fifo) {
      const { next } = perl(id, listener, fifo)
      const opened = next()
      return { opened: opened.then(() => undefined), line: opened.then(next) }
    },
    async [Symbol.asyncDispose]() {
      await kube[Symbol.asyncDispose]()
      remove()
      rmSync(scratch, { recursive: true, force: true })
    },
  }
}

/** Until its input ends. */
const watcher = String.raw`
$| = 1; my ($reads, $wrong) = (0, 0); my $in = ''; vec($in, fileno STDIN, 1) = 1;
until (select my $ready = $in, undef, undef, 0) {
  my $got = ''; if (open my $f, '<', $ARGV[0]) { local $/; $got = <$f> }
  print "enough\n" if ++$reads == 200; $wrong++ unless $got =~ /^(?:a+|b+)\z/ && length $got == 200000;
}
print "$wrong\n";
`

const listener = String.raw`
use Fcntl; $| = 1; sysopen my $fifo, $ARGV[0], O_RDONLY | O_NONBLOCK or die $!; print "opened\n";
my $in = ''; vec($in, fileno $fifo, 1) = 1; select my $ready = $in, undef, undef, undef; sysread $fifo, my $line, 4096; print $line;
`

const volumes = [
  { name: 'small', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
  { name: 'mounted', hostPath: { path: '/var/lib/t-sync/mounted', type: 'File' } },
  { name: 'config', configMap: { name: 'config' } },
]

const volumeMounts = [
  { name: 'small', mountPath: '/small' },
  { name: 'mounted', mountPath: '/app/mounted' },
  { name: 'config', mountPath: '/config' },
]

/** Says when it got a signal. */
const sleep = ['sh', '-c', 'trap "echo got > /tmp/signalled" USR1; while :; do sleep 3600 & wait $!; done']

const manifests = [
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'config' }, data: { setting: 'one' } },
  pod('bare', { image: etcd, command: ['etcd', '--data-dir=/tmp/etcd'] }),
  pod('debian', { image: `docker.io/library/${baseImage}`, command: sleep }),
  pod('busybox', { image: busybox, command: sleep }),
  pod('user', {
    image: `docker.io/library/${baseImage}`,
    command: sleep,
    securityContext: { runAsUser: 1000, runAsGroup: 1000 },
  }),
  pod('read-only', {
    image: `docker.io/library/${baseImage}`,
    command: sleep,
    securityContext: { readOnlyRootFilesystem: true },
  }),
]
  .map((object) => JSON.stringify(object))
  .join('\n---\n')

function pod(name: string, container: object): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'app', imagePullPolicy: 'Never', volumeMounts, ...container }],
      volumes,
    },
  }
}
