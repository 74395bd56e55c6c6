import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fromDebian } from './debian.ts'

/** A real image registry on one address of this machine. It ends with the value. */
export interface Registry extends AsyncDisposable {
  /** `HOST:PORT`, without TLS. */
  readonly address: string
  /** What it was asked so far: method and path of each request. */
  readonly requests: readonly string[]
}

/** Who may use a registry. */
export interface Login {
  readonly user: string
  readonly password: string
}

/**
 * Starts Debian's docker-registry on a free port of `host`, over the images in `data`. `mark` is the value of DEVKIT_TEST in its environment.
 * `login`: it wants this one of everybody.
 */
export async function startRegistry(host: string, data: string, mark: string, login?: Login): Promise<Registry> {
  mkdirSync(data, { recursive: true })
  const config = join(data, `config-${host}${login ? '-login' : ''}.json`)
  // JSON is YAML
  writeFileSync(
    config,
    JSON.stringify({
      version: 0.1,
      log: { formatter: 'json' },
      storage: { filesystem: { rootdirectory: data } },
      http: { addr: `${host}:0` },
      ...(login && { auth: { htpasswd: { realm: 'lab', path: htpasswd(data, login) } } }),
    }),
  )
  const child = spawn(fromDebian('docker-registry', 'usr/bin/docker-registry'), ['serve', config], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], DEVKIT_TEST: mark, OTEL_TRACES_EXPORTER: 'none' },
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const requests: string[] = []
  const listening = Promise.withResolvers<string>()
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => {
      const address = /listening on (\S+?:\d+)/.exec(line)?.[1]
      if (address !== undefined) listening.resolve(address)
      const request = /"((?:GET|HEAD|PUT|POST|PATCH) \S+) HTTP/.exec(line.replaceAll('\\"', '"'))?.[1]
      if (request !== undefined) requests.push(request)
    })
  void ended.then(() => listening.reject(new Error('the registry ended before it listened')))
  return {
    address: await listening.promise,
    requests,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** A file of one login, with a hash of bcrypt as the registry wants it: the C library's `crypt` makes it. */
function htpasswd(data: string, { user, password }: Login): string {
  const file = join(data, 'htpasswd')
  const salt = `$2b$05$${randomBytes(11).toString('hex')}`
  const hash = execFileSync('perl', ['-e', 'print crypt($ARGV[0], $ARGV[1])', password, salt], { encoding: 'utf8' })
  writeFileSync(file, `${user}:${hash}\n`)
  return file
}

/**
 * A registry that a kind node pulls from: one store with two doors. The engine of this machine pushes to the loopback address, which images are
 * named by; the node reaches the same at its gateway. `docker` runs the docker program.
 */
export async function startRegistryFor(
  node: string,
  docker: (...args: readonly string[]) => string,
  data: string,
  mark: string,
): Promise<Registry> {
  const gateways = docker('network', 'inspect', 'kind', '-f', '{{range .IPAM.Config}}{{.Gateway}} {{end}}')
  const gateway = gateways.split(/\s+/).find((one) => /^\d+\.\d+\.\d+\.\d+$/.test(one))
  if (gateway === undefined) throw new Error(`no gateway in ${gateways}`)
  const pushed = await startRegistry('127.0.0.1', data, mark)
  const pulled = await startRegistry(gateway, data, mark)
  const hosts = `/etc/containerd/certs.d/${pushed.address}`
  const script = `mkdir -p "$2" && printf '[host."http://%s"]\\n' "$1" > "$2/hosts.toml"`
  docker('exec', node, 'sh', '-c', script, 'sh', pulled.address, hosts)
  return {
    ...pushed,
    [Symbol.asyncDispose]: async () => {
      await pushed[Symbol.asyncDispose]()
      await pulled[Symbol.asyncDispose]()
    },
  }
}
