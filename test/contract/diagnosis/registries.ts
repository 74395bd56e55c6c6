import { createHash, randomBytes } from 'node:crypto'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Login, startRegistry } from '../../lab/registry.ts'
import type { ApiRig } from '../api-rig.ts'

/** Hosts that the node of the rig takes for registries; each run has its own. Repositories are under `shop/`. */
export const hosts = {
  /** Takes everybody. Its repositories `busy` and `limited` answer with 503 and 429, `later` only at first. */
  open: `open-${process.pid}.example.com`,
  /** Wants `login`. */
  closed: `closed-${process.pid}.example.com`,
  /** Nobody listens there. */
  refusing: `refusing-${process.pid}.example.com`,
  /** Speaks HTTP where HTTPS is expected. */
  plain: `plain-${process.pid}.example.com`,
} as const

/** Of the closed registry, made anew for each run. */
export const login: Login = { user: 'shop', password: randomBytes(8).toString('hex') }

/** How long the repository `later` fails, from the first that is asked of it, in ms. */
const failsForMs = 3000

/**
 * Real registries that the node of the rig pulls from, with these images under `shop/`: `web:1` runs for good, `named:1` runs as a user without a
 * number, `foreign:1` is for another processor and `foreign:2` for another system, `damaged:1` has a layer that is none and `damaged:2` one that is
 * not what its configuration says.
 */
export async function openRegistries(rig: ApiRig): Promise<AsyncDisposable> {
  const gateway = rig.inNode('sh', '-c', "ip route | sed -n 's/^default via \\([0-9.]*\\).*/\\1/p'").trim()
  const data = join(rig.scratch, 'registry')
  const mark = `diagnosis-${process.pid}`
  const open = await startRegistry(gateway, data, mark)
  const closed = await startRegistry(gateway, data, mark, login)
  await fill(open.address, rig)
  const proxy = await startProxy(gateway, open.address)
  const servers = {
    [hosts.open]: `http://${proxy.address}`,
    [hosts.closed]: `http://${closed.address}`,
    [hosts.refusing]: `http://${gateway}:1`,
    [hosts.plain]: `https://${proxy.address}`,
  }
  const certs = '/etc/containerd/certs.d'
  for (const [host, server] of Object.entries(servers))
    rig.inNode('sh', '-c', `mkdir -p ${certs}/${host} && echo 'server = "${server}"' > ${certs}/${host}/hosts.toml`)
  return {
    [Symbol.asyncDispose]: async () => {
      rig.inNode('rm', '-r', ...Object.keys(servers).map((host) => `${certs}/${host}`))
      await proxy[Symbol.asyncDispose]()
      await open[Symbol.asyncDispose]()
      await closed[Symbol.asyncDispose]()
    },
  }
}

interface Blob {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly bytes: Buffer
}

const oci = 'application/vnd.oci.image'

/** Puts the images into a registry. What runs for good is taken from the node: the program of its pods' sandboxes. */
async function fill(address: string, rig: ApiRig): Promise<void> {
  const run = (script: string): string => rig.inNode('bash', '-o', 'pipefail', '-c', script).trim()
  const content = (digest: string): string => `ctr --namespace=k8s.io content get ${digest}`
  const top = run(`ctr --namespace=k8s.io images ls | sed -n 's/^\\S*pause:\\S* .* \\(sha256:[0-9a-f]*\\) .*/\\1/p' | head -n 1`)
  const manifest = JSON.parse(run(content(top))) as {
    readonly layers: readonly { readonly mediaType: string; readonly digest: string }[]
  }
  const [first] = manifest.layers
  if (!first) throw new Error(`no layer in ${top}`)
  const good = blob(first.mediaType, Buffer.from(run(`${content(first.digest)} | base64 --wrap=0`), 'base64'))
  const isZipped = /gzip/.test(first.mediaType)
  const diffId = isZipped ? run(`${content(first.digest)} | gunzip | sha256sum | sed 's/ .*//;s/^/sha256:/'`) : good.digest
  const push = async (name: string, tag: string, layer: Blob, config: object, diff: string): Promise<Blob> => {
    const made = blob(
      `${oci}.config.v1+json`,
      json({ architecture: nodeProcessor, os: 'linux', config, rootfs: { type: 'layers', diff_ids: [diff] } }),
    )
    for (const one of [layer, made]) await putBlob(address, name, one)
    return putManifest(address, name, tag, {
      mediaType: `${oci}.manifest.v1+json`,
      config: descriptor(made),
      layers: [descriptor(layer)],
    })
  }
  const pause = { Entrypoint: ['/pause'] }
  for (const name of ['web', 'later', 'busy', 'limited']) await push(name, '1', good, pause, diffId)
  await push('named', '1', good, { ...pause, User: 'app' }, diffId)
  await push(
    'damaged',
    '1',
    blob(`${oci}.layer.v1.tar+gzip`, Buffer.alloc(1024, 'no layer at all ')),
    pause,
    `sha256:${'1'.repeat(64)}`,
  )
  await push('damaged', '2', good, pause, `sha256:${'0'.repeat(64)}`)
  const some = await push('foreign', 'some', good, pause, diffId)
  const platforms = [
    { architecture: 's390x', os: 'linux' },
    { architecture: nodeProcessor, os: 'windows' },
  ]
  for (const [index, platform] of platforms.entries())
    await putManifest(address, 'foreign', `${index + 1}`, {
      mediaType: `${oci}.index.v1+json`,
      manifests: [{ ...descriptor(some), platform }],
    })
}

const nodeProcessor = process.arch === 'x64' ? 'amd64' : process.arch

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value))
}

function blob(mediaType: string, bytes: Buffer): Blob {
  return { mediaType, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`, size: bytes.length, bytes }
}

function descriptor({ mediaType, digest, size }: Blob): object {
  return { mediaType, digest, size }
}

async function putBlob(address: string, name: string, { digest, bytes }: Blob): Promise<void> {
  const begun = await fetch(`http://${address}/v2/shop/${name}/blobs/uploads/`, { method: 'POST' })
  const to = new URL(begun.headers.get('location') ?? '', `http://${address}`)
  to.searchParams.set('digest', digest)
  const headers = { 'content-type': 'application/octet-stream' }
  expectMade(await fetch(to, { method: 'PUT', headers, body: new Uint8Array(bytes) }))
}

async function putManifest(
  address: string,
  name: string,
  tag: string,
  manifest: { readonly mediaType: string; readonly [field: string]: unknown },
): Promise<Blob> {
  const made = blob(manifest.mediaType, json({ schemaVersion: 2, ...manifest }))
  const headers = { 'content-type': manifest.mediaType }
  expectMade(
    await fetch(`http://${address}/v2/shop/${name}/manifests/${tag}`, {
      method: 'PUT',
      headers,
      body: new Uint8Array(made.bytes),
    }),
  )
  return made
}

function expectMade({ status, url }: Response): void {
  if (status !== 201) throw new Error(`${url} answers ${status}`)
}

/** Passes all on to a registry, but for what is to fail. */
async function startProxy(host: string, to: string): Promise<AsyncDisposable & { readonly address: string }> {
  let firstAsked: number | undefined
  const failureOf = (path: string): number | undefined => {
    if (path.startsWith('/v2/shop/busy/')) return 503
    if (path.startsWith('/v2/shop/limited/')) return 429
    if (!path.startsWith('/v2/shop/later/')) return undefined
    firstAsked ??= Date.now()
    return Date.now() - firstAsked < failsForMs ? 503 : undefined
  }
  const server = createServer((asked, answer) => {
    const failure = failureOf(asked.url ?? '')
    if (failure !== undefined) return answer.writeHead(failure).end()
    const passed = request(`http://${to}${asked.url}`, { method: asked.method, headers: asked.headers }, (said) => {
      answer.writeHead(said.statusCode ?? 502, said.headers)
      said.pipe(answer)
    })
    passed.on('error', () => answer.destroy())
    return asked.pipe(passed)
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  return {
    address: `${host}:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
