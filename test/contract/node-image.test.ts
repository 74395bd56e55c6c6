import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { labUp } from '../lab/lab.ts'
import { baseImage, nodeImage, versions } from '../lab/recipe.ts'
import type { MachineSettings } from '../lab/settings.ts'

// What the node image promises: first to the kind program, without a cluster; then to what runs on a cluster.

const signal = new AbortController().signal
let settings: MachineSettings
let env: NodeJS.ProcessEnv

beforeAll(async () => {
  settings = await labUp({ say: (line) => void process.stderr.write(`${line}\n`), signal })
  env = { ...process.env, DOCKER_HOST: settings.engine, PATH: `${dirname(settings.tools.docker)}:${process.env['PATH']}` }
})

const execute = promisify(execFile)

/** Standard output of a program; `input` is its standard input. */
async function run(file: string, args: readonly string[], input = ''): Promise<string> {
  const running = execute(file, args, { env, maxBuffer: 64 << 20, signal: AbortSignal.timeout(110_000) })
  running.child.stdin?.end(input)
  return (await running).stdout
}
const docker = (...args: string[]): Promise<string> => run(settings.tools.docker, args)

/** Waits for a line of the container's log, as kind does. */
async function logged(container: string, line: RegExp): Promise<void> {
  const logs: ChildProcess = spawn(settings.tools.docker, ['logs', '--follow', container], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    if (!logs.stdout) throw new Error('no output')
    for await (const text of createInterface({ input: logs.stdout })) if (line.test(text)) return
    throw new Error(`the log of ${container} ended without ${line}`)
  } finally {
    logs.kill('SIGKILL')
  }
}

describe('a container of the image, as the kind program starts it', () => {
  const node = 't-node-stub'
  const inNode = (...args: string[]): Promise<string> => docker('exec', node, ...args)
  const remove = (): Promise<string> => docker('rm', '--force', '--volumes', node)

  beforeAll(async () => {
    await remove()
    // the arguments that kind's docker provider gives
    const mounts = ['--tmpfs=/tmp', '--tmpfs=/run', '--volume=/var', '--volume=/lib/modules:/lib/modules:ro']
    const options = [
      '--detach',
      '--tty',
      '--privileged',
      '--security-opt=seccomp=unconfined',
      '--security-opt=apparmor=unconfined',
    ]
    await docker('run', `--name=${node}`, ...options, ...mounts, '--init=false', '--cgroupns=private', nodeImage)
    await logged(node, /Reached target .*Multi-User System/)
  })
  afterAll(remove)

  test('it boots systemd and containerd, and says its version in one line', async () => {
    expect(await inNode('cat', '/proc/1/comm')).toBe('systemd\n')
    expect(await inNode('pgrep', '--exact', 'containerd')).toMatch(/^\d+\n$/)
    expect(await inNode('cat', '/kind/version')).toBe(`v1.${versions()['KUBERNETES']}\n`)
    expect(await inNode('ctr', '--namespace=k8s.io', 'version')).toContain('Server:')
  })

  test('kubeadm, kubelet and kubectl are of that version', async () => {
    const version = `v1.${versions()['KUBERNETES']}`
    expect(await inNode('kubeadm', 'version', '--output=short')).toBe(`${version}\n`)
    expect(await inNode('kubelet', '--version')).toBe(`Kubernetes ${version}\n`)
    expect(await inNode('kubectl', 'version', '--client')).toContain(version)
  })

  test('every image that kubeadm asks for is in the store, unpacked and pinned', async () => {
    const wanted = (await inNode('kubeadm', 'config', 'images', 'list', `--kubernetes-version=v1.${versions()['KUBERNETES']}`))
      .trim()
      .split('\n')
    expect(wanted.length).toBeGreaterThanOrEqual(7)
    const pinned = await inNode('ctr', '--namespace=k8s.io', 'images', 'ls', '-q', 'labels."io.cri-containerd.pinned"==pinned')
    expect(pinned.split('\n')).toEqual(expect.arrayContaining(wanted))
    // an image that is unpacked already is mounted without a byte being written
    expect(await inNode('ctr', '--namespace=k8s.io', 'images', 'mount', wanted[0] ?? '', '/mnt')).toContain('/mnt')
    expect(await inNode('ls', '/mnt/usr/local/bin')).toContain('kube-apiserver')
    await inNode('ctr', '--namespace=k8s.io', 'images', 'unmount', '/mnt')
  })

  test('kind can write its files, and finds the manifests that it applies', async () => {
    await inNode('mkdir', '-p', '/kind/deep/er')
    await run(settings.tools.docker, ['exec', '--interactive', node, 'cp', '/dev/stdin', '/kind/kubeadm.conf'], 'written\n')
    expect(await inNode('cat', '/kind/kubeadm.conf')).toBe('written\n')
    for (const manifest of ['default-cni.yaml', 'default-storage.yaml'])
      expect(await inNode('cat', `/kind/manifests/${manifest}`)).toMatch(/^kind: /m)
  })

  test('containerd says its config version and reads registry hosts from a directory', async () => {
    const config = await inNode('containerd', 'config', 'dump')
    expect(config).toMatch(/^version = [23]$/m)
    expect(config).toMatch(/snapshotter = ['"]overlayfs['"]/)
    expect(config).toMatch(/config_path = ['"]\/etc\/containerd\/certs\.d['"]/)
    await inNode('systemctl', 'restart', 'containerd')
    expect(await inNode('ctr', '--namespace=k8s.io', 'version')).toContain('Server:')
  })

  test('what devkit needs in a node is there: bash, ctr and a Perl that can do its stream', async () => {
    expect(await inNode('perl', '-MSocket', '-MFcntl', '-MErrno', '-MPOSIX', '-e', 'print $^V')).toMatch(/^v5\./)
    expect(await inNode('bash', '-c', 'command -v ctr')).toBe('/usr/bin/ctr\n')
  })

  test('no unit failed', async () => {
    // kubelet waits for its config, which kubeadm writes
    expect(await inNode('systemctl', 'list-units', '--failed', '--plain', '--no-legend')).toBe('')
  })
})

describe('a cluster of the image', () => {
  const cluster = 't-node-image'
  const node = `${cluster}-control-plane`
  let scratch: string
  let port: number

  const kubectl = (args: readonly string[], input?: string): Promise<string> =>
    run(
      settings.tools.docker,
      ['exec', '--interactive', node, 'kubectl', '--kubeconfig=/etc/kubernetes/admin.conf', ...args],
      input,
    )
  const kind = (args: readonly string[], input?: string): Promise<string> =>
    run(settings.tools.kind, [...args, '--kubeconfig', join(scratch, 'kubeconfig')], input)

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 't-node-'))
    port = await freePort()
    await kind(['delete', 'cluster', '--name', cluster])
    const mapping = { containerPort: 30_080, hostPort: port, listenAddress: '127.0.0.1', protocol: 'TCP' }
    const config = {
      kind: 'Cluster',
      apiVersion: 'kind.x-k8s.io/v1alpha4',
      nodes: [{ role: 'control-plane', extraPortMappings: [mapping] }],
    }
    await kind(['create', 'cluster', '--name', cluster, '--image', nodeImage, '--config', '-'], JSON.stringify(config))
    // a shell and Perl for the pods: the images of the control plane have neither
    const pipe = `"$0" save ${baseImage} | "$0" exec --interactive ${node} ctr --namespace=k8s.io images import --local -`
    await run('bash', ['-o', 'pipefail', '-c', pipe, settings.tools.docker])
    await kubectl(['apply', '-f', '-'], app)
    await kubectl(['wait', '--for=condition=Ready', 'pod/app', '--timeout=90s'])
    await kubectl(['wait', '--for=condition=Available', '-n', 'kube-system', 'deploy/coredns', '--timeout=90s'])
  })
  afterAll(async () => {
    if (!scratch) return
    await kind(['delete', 'cluster', '--name', cluster])
    rmSync(scratch, { recursive: true, force: true })
  })

  /** What the app says through its NodePort, once it answers. */
  const page = (): Promise<string> =>
    eventually(async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(2000) })
      const text = await answer.text()
      // just after a restart of the node the port leads to the app's old address, which may be another pod's now
      if (!answer.ok) throw new Error(`${answer.status}: ${text}`)
      return text
    })

  test('a NodePort answers on 127.0.0.1 of the host', async () => expect(await page()).toBe('here'))

  test('names inside and outside the cluster are resolved', async () => {
    // the DNS server may be ready before the node leads to it
    const resolve = (name: string): Promise<string> =>
      eventually(() => kubectl(['exec', 'app', '--', 'getent', 'ahostsv4', name]))
    expect(await resolve('app.default.svc.cluster.local')).toContain((await serviceAddress()).trim())
    expect(await resolve('kubernetes.default')).toMatch(/^10\./)
    // what the engine's own DNS knows stands for the world: this machine may have no other
    expect(await resolve(node)).toMatch(/^\d+\.\d+\.\d+\.\d+ /)
  })
  const serviceAddress = (): Promise<string> => kubectl(['get', 'service', 'app', '-o', 'jsonpath={.spec.clusterIP}'])

  test('a claim of the default class is bound, and holds what is written', async () => {
    expect(await kubectl(['get', 'pvc', 'data', '-o', 'jsonpath={.status.phase}'])).toBe('Bound')
    await kubectl(['exec', '-i', 'app', '--', 'sh', '-c', 'cat > /data/kept'], 'kept')
    expect(await docker('exec', node, 'bash', '-c', 'cat /var/local-path-provisioner/*_default_data/kept')).toBe('kept')
  })

  test('a container over its memory limit is killed for it', async () => {
    await kubectl(['apply', '-f', '-'], greedy)
    const reason = '{.status.containerStatuses[0].state.terminated.reason}'
    await kubectl(['wait', `--for=jsonpath=${reason}=OOMKilled`, 'pod/greedy', '--timeout=60s'])
    expect(
      await kubectl(['get', 'pod', 'greedy', '-o', 'jsonpath={.status.containerStatuses[0].state.terminated.exitCode}']),
    ).toBe('137')
  })

  test('paused, it stands still; unpaused, it goes on', async () => {
    await docker('pause', node)
    await expect(fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(500) })).rejects.toThrow()
    await docker('unpause', node)
    expect(await page()).toBe('here')
    expect(await kubectl(['get', '--raw', '/readyz'])).toBe('ok')
  })

  test('stopped and started, it comes back with its pods, its data and its port', async () => {
    await docker('stop', node)
    await docker('start', node)
    expect(await eventually(() => kubectl(['get', '--raw', '/readyz']))).toBe('ok')
    expect(await page()).toBe('here')
    expect(await eventually(() => kubectl(['exec', 'app', '--', 'cat', '/data/kept']))).toBe('kept')
    const resolved = await eventually(() => kubectl(['exec', 'app', '--', 'getent', 'ahostsv4', 'app.default.svc.cluster.local']))
    expect(resolved).toMatch(/^10\./)
  })
})

/** Answers every request with `here`. */
const server = `use IO::Socket::INET; $SIG{TERM} = sub { exit };
$l = IO::Socket::INET->new(LocalPort => 8090, Listen => 9, ReuseAddr => 1) or die;
while ($c = $l->accept) { while (<$c>) { last if /^\\r?$/ } print $c "HTTP/1.0 200 OK\\r\\nContent-Length: 4\\r\\n\\r\\nhere"; close $c }`

const image = `docker.io/library/${baseImage}`

const app = [
  {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'data' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'app' },
    spec: { type: 'NodePort', selector: { app: 'app' }, ports: [{ port: 80, targetPort: 8090, nodePort: 30_080 }] },
  },
  pod('app', {
    command: ['perl', '-e', server],
    readinessProbe: { tcpSocket: { port: 8090 }, periodSeconds: 1 },
    volumeMounts: [{ name: 'data', mountPath: '/data' }],
  }),
]
  .map((object) => JSON.stringify(object))
  .join('\n---\n')

const greedy = JSON.stringify(
  pod('greedy', { command: ['perl', '-e', '$x = "x" x 300_000_000; sleep 60'], resources: { limits: { memory: '32Mi' } } }),
)

function pod(name: string, container: object): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name } },
    spec: {
      restartPolicy: name === 'greedy' ? 'Never' : 'Always',
      containers: [{ name, image, imagePullPolicy: 'Never', ...container }],
      ...(name === 'greedy' ? {} : { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] }),
    },
  }
}

/** Asks again until it does not fail, for at most a minute. @throws the last failure */
async function eventually<T>(ask: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + 60_000; ; ) {
    try {
      return await ask()
    } catch (cause) {
      if (Date.now() > deadline) throw cause
    }
  }
}

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  listener.close()
  await once(listener, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
