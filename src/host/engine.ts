import { type Duplex, PassThrough, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type Docker from 'dockerode'
import { engineFull } from '../lib/disk-full.ts'
import { DevkitError } from '../lib/errors.ts'
import type { Engine, EngineInfo, EngineStream, EngineUsage } from './host.ts'

/** The container engine at `address`, through its API. The first use loads dockerode. */
export async function openEngine(address: string): Promise<Engine> {
  const { default: Dockerode } = await import('dockerode')
  const docker = new Dockerode(connection(address))
  const ask = async <T>(question: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
    try {
      return await question()
    } catch (cause) {
      // a request that was ended says of it no more than that: whoever ended it knows why
      signal?.throwIfAborted()
      throw engineProblem(cause, address)
    }
  }
  return {
    version: (signal) => ask(() => versionOf(docker, address, signal), signal),
    machine: (signal) => ask(() => infoOf(docker, signal), signal),
    info: (signal) => ask(() => infoOf(docker, signal), signal),
    usage: (signal) => ask(() => usageOf(docker, signal), signal),
    image: (reference) => ask(() => inspectImage(docker, reference)),
    imageHas: (reference, path) => ask(() => lookInImage(docker, reference, path)),
    tagImage: (reference, repository, tag) => ask(() => docker.getImage(reference).tag({ repo: repository, tag })),
    removeImage: (reference) => ask(() => isFine(docker.getImage(reference).remove({ noprune: false }), 404)),
    imagesWithLabel: (label) =>
      ask(async () => (await docker.listImages({ filters: { label: [label] } })).flatMap((image) => image.RepoTags ?? [])),
    saveImages: (references) => ask(async () => (await docker.getImage(references.join('&names=')).get()) as Readable),
    containersWithLabel: (label) =>
      ask(async () =>
        (await docker.listContainers({ all: true, filters: { label: [label] } })).map((found) => ({
          id: found.Id,
          name: found.Names[0]?.slice(1) ?? found.Id,
          state: found.State,
          labels: found.Labels,
        })),
      ),
    networkExists: (name) =>
      ask(async () => (await docker.listNetworks({ filters: { name: [name] } })).some((network) => network.Name === name)),
    removeNetworkWhenUnused: (name) =>
      ask(async () => {
        const network = docker.getNetwork(name)
        const found = await network.inspect().catch(() => undefined)
        if (found && Object.keys(found.Containers ?? {}).length === 0) await isFine(network.remove(), 404)
      }),
    startContainer: (id) => ask(() => isFine(docker.getContainer(id).start(), 304)),
    startedAt: (id) => ask(async () => Date.parse((await docker.getContainer(id).inspect()).State.StartedAt)),
    containerOnPort: (port) =>
      ask(async () => {
        const found = (await docker.listContainers()).find(({ Ports }) => Ports.some(({ PublicPort }) => PublicPort === port))
        return found?.Names[0]?.slice(1)
      }),
    unpauseContainer: (id) => ask(() => docker.getContainer(id).unpause()),
    run: (container, argv, step, stdin) => ask(() => runIn(docker, container, argv, step.signal, stdin), step.signal),
    open: (container, argv, signal) => ask(async () => (await openIn(docker, container, argv, signal)).stream, signal),
  }
}

/** Patience with an engine that takes connections and says nothing, in ms: one that starts, or hangs. */
const enginePatienceMs = 10_000

async function versionOf(docker: Docker, address: string, signal: AbortSignal): Promise<string> {
  const patience = AbortSignal.timeout(enginePatienceMs)
  // its types do not know the option
  const version = docker.version as (options: { abortSignal: AbortSignal }) => Promise<Docker.DockerVersion>
  try {
    return (await version.call(docker, { abortSignal: AbortSignal.any([signal, patience]) })).Version
  } catch (cause) {
    if (signal.aborted || !patience.aborted) throw cause
    throw new DevkitError('ENGINE-101', {
      message: `The container engine at ${address} takes connections and does not answer within ${enginePatienceMs / 1000} s.`,
      hint: 'Wait until it has started, or restart it.',
      cause,
    })
  }
}

/** @see https://docs.docker.com/reference/api/engine/version/v1.51/#tag/System/operation/SystemInfo */
async function infoOf(docker: Docker, signal: AbortSignal): Promise<EngineInfo> {
  // its types do not know the option, nor all that is told
  const info = docker.info as (options: { abortSignal: AbortSignal }) => Promise<{
    readonly ServerVersion: string
    readonly NCPU: number
    readonly MemTotal: number
    readonly Architecture: string
    readonly Name: string
    readonly KernelVersion: string
    readonly OperatingSystem: string
    readonly CgroupVersion?: string
    readonly Driver: string
    readonly DockerRootDir: string
    readonly SystemTime: string
  }>
  const told = await info.call(docker, { abortSignal: signal })
  return {
    version: told.ServerVersion,
    cpus: told.NCPU,
    bytes: told.MemTotal,
    architecture: told.Architecture,
    name: told.Name,
    kernel: told.KernelVersion,
    system: told.OperatingSystem,
    cgroup: told.CgroupVersion ?? '1',
    storage: told.Driver,
    directory: told.DockerRootDir,
    time: Date.parse(told.SystemTime),
  }
}

async function usageOf(docker: Docker, signal: AbortSignal): Promise<EngineUsage> {
  interface Sized {
    readonly Size?: number
    readonly SizeRw?: number
    readonly UsageData?: { readonly Size: number } | null
  }
  // its types do not know the option
  const df = docker.df as (options: { abortSignal: AbortSignal }) => Promise<{
    readonly LayersSize?: number
    readonly Volumes?: readonly Sized[] | null
    readonly Containers?: readonly Sized[] | null
    readonly BuildCache?: readonly Sized[] | null
  }>
  const { LayersSize = 0, Volumes, Containers, BuildCache } = await df.call(docker, { abortSignal: signal })
  const sum = (list: readonly Sized[] | null | undefined, size: (one: Sized) => number | undefined): number =>
    (list ?? []).reduce((all, one) => all + Math.max(0, size(one) ?? 0), 0)
  return {
    images: LayersSize,
    volumes: sum(Volumes, ({ UsageData }) => UsageData?.Size),
    containers: sum(Containers, ({ SizeRw }) => SizeRw),
    buildCache: sum(BuildCache, ({ Size }) => Size),
  }
}

function connection(address: string): Docker.DockerOptions {
  if (address.startsWith('unix://')) return { socketPath: address.slice('unix://'.length) }
  if (address.startsWith('npipe://')) return { socketPath: address.slice('npipe://'.length) }
  const { hostname, port } = new URL(address)
  return { host: hostname, port: Number(port || 2375), protocol: 'http' }
}

/** What an engine's failure means to the person. @see https://docs.docker.com/reference/api/engine/ for the codes */
export function engineProblem(cause: unknown, address: string): unknown {
  if (cause instanceof DevkitError || !(cause instanceof Error)) return cause
  const { code, statusCode } = cause as NodeJS.ErrnoException & { statusCode?: number }
  if (code === 'EACCES' || code === 'EPERM')
    return new DevkitError('ENGINE-102', {
      message: `This user may not use the container engine at ${address}.`,
      hint: 'Add the user to the group of the socket (`sudo usermod -aG docker $USER`, then log in again), or run a rootless engine.',
      cause,
    })
  if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ECONNRESET' || code === 'EPIPE' || code === 'ENOTFOUND')
    return new DevkitError('ENGINE-101', {
      message: `No container engine answers at ${address}.`,
      hint: 'Start it (Docker Desktop, `colima start`, `sudo systemctl start docker`, or `npm run lab` in devkit’s repository), or name another in DOCKER_HOST or in the machine settings file.',
      cause,
    })
  if (statusCode === undefined) return cause
  return (
    engineFull(reasonOf(cause), 'it cannot do what it was asked for', { cause }) ??
    new DevkitError('ENGINE-103', {
      message: `The container engine at ${address} says: ${reasonOf(cause)}.`,
      hint: 'Read the engine’s log.',
      cause,
    })
  )
}

function reasonOf(cause: Error): string {
  const said = (cause as Error & { json?: { message?: string } }).json?.message
  return (said ?? cause.message).replace(/\.$/, '')
}

async function inspectImage(docker: Docker, reference: string) {
  try {
    const found = await docker.getImage(reference).inspect()
    const words = (given: string | string[] | undefined): readonly string[] =>
      typeof given === 'string' ? [given] : (given ?? [])
    return {
      id: found.Id,
      layers: found.RootFS.Layers ?? [],
      bytes: found.Size,
      entrypoint: words(found.Config.Entrypoint),
      cmd: words(found.Config.Cmd),
    }
  } catch (cause) {
    if ((cause as { statusCode?: number }).statusCode === 404) return undefined
    throw cause
  }
}

/** Looks through a container that is made for it, never started, and removed. */
async function lookInImage(docker: Docker, reference: string, path: string): Promise<boolean> {
  const container = await docker.createContainer({ Image: reference, Cmd: [path] })
  try {
    const answer = (await container.infoArchive({ path })) as unknown as Readable
    // left unread, it would keep the process alive
    answer.resume?.()
    return true
  } catch (cause) {
    if ((cause as { statusCode?: number }).statusCode === 404) return false
    throw cause
  } finally {
    await container.remove({ force: true })
  }
}

/** Takes an answer with that code as good: what is asked for is so already. */
async function isFine(work: Promise<unknown>, fine: number): Promise<void> {
  try {
    await work
  } catch (cause) {
    if ((cause as { statusCode?: number }).statusCode !== fine) throw cause
  }
}

async function runIn(
  docker: Docker,
  container: string,
  argv: readonly string[],
  signal: AbortSignal,
  stdin: Readable | Uint8Array | undefined,
) {
  const { stream, exec } = await openIn(docker, container, argv, signal)
  await using _ = stream
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    stream[name].setEncoding('utf8').on('data', (chunk: string) => {
      said[name] += chunk
    })
  const ended = Promise.all([finished(stream.stdout), finished(stream.stderr)])
  // a program that ends before it has read all is told by its exit code, not by the broken pipe
  if (stdin === undefined) stream.stdin.end()
  else
    await Promise.race([
      pipeline(stdin instanceof Uint8Array ? Readable.from([stdin]) : stdin, stream.stdin).catch(() => undefined),
      ended,
    ])
  await ended
  signal.throwIfAborted()
  const { ExitCode } = await exec.inspect()
  return { exitCode: ExitCode ?? -1, ...said }
}

function finished(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    stream.once('end', resolve)
    stream.once('close', resolve)
  })
}

async function openIn(
  docker: Docker,
  container: string,
  argv: readonly string[],
  signal: AbortSignal,
): Promise<{ stream: EngineStream; exec: Docker.Exec }> {
  signal.throwIfAborted()
  const exec = await docker
    .getContainer(container)
    .exec({ Cmd: [...argv], AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: false })
  const socket = (await exec.start({ hijack: true, stdin: true, Tty: false })) as Duplex
  const stdout = new PassThrough()
  const stderr = new PassThrough()
  demultiplex(socket, stdout, stderr)
  const end = (): void => void socket.destroy()
  signal.addEventListener('abort', end, { once: true })
  socket.once('close', () => {
    signal.removeEventListener('abort', end)
    stdout.end()
    stderr.end()
  })
  // told by the ends of the two streams
  socket.on('error', () => undefined)
  const stream: EngineStream = {
    stdin: socket,
    stdout,
    stderr,
    [Symbol.asyncDispose]: async () => {
      socket.destroy()
    },
  }
  return { stream, exec }
}

/**
 * Splits the engine's one stream in two: 8 bytes of header (stream, 0, 0, 0, length as big-endian 32 bits), then the payload.
 * Own code: dockerode's demuxStream copies quadratically and overflows the stack on many small frames.
 * @see https://docs.docker.com/reference/api/engine/version/v1.47/#tag/Container/operation/ContainerAttach
 */
export function demultiplex(source: Readable, stdout: PassThrough, stderr: PassThrough): void {
  let header = Buffer.alloc(0)
  let left = 0
  let target = stdout
  source.on('data', (chunk: Buffer) => {
    let at = 0
    while (at < chunk.length) {
      if (left === 0) {
        const wanted = 8 - header.length
        header = Buffer.concat([header, chunk.subarray(at, at + wanted)])
        at += wanted
        if (header.length < 8) return
        target = header[0] === 2 ? stderr : stdout
        left = header.readUInt32BE(4)
        header = Buffer.alloc(0)
        continue
      }
      const part = chunk.subarray(at, at + left)
      left -= part.length
      at += part.length
      if (!target.write(part)) {
        source.pause()
        target.once('drain', () => source.resume())
      }
    }
  })
  source.once('end', () => {
    stdout.end()
    stderr.end()
  })
}
