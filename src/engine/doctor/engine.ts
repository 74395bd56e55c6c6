import type { EngineInfo, EngineUsage } from '../../host/host.ts'
import type { Space } from '../../host/resources.ts'
import { type Found, type Look, ok, skipped } from './check.ts'
import { type EngineFacts, type Examined, type Facts, given, told } from './facts.ts'
import { bytesText, counted, spanText } from './words.ts'

const GiB = 2 ** 30

/** The container engine: whether it answers, its machine, its disk and its clock. */
export function engineLooks({ parts: { host } }: Examined, facts: Facts): readonly Look[] {
  const area = 'engine'
  const after = [facts.engine]
  return [
    { area, name: 'answers', after, look: () => told(facts.engine, ({ info }) => ok(infoText(info))) },
    { area, name: 'machine', after, look: () => given(facts.engine, ({ info }) => sizeVerdict(info)) },
    {
      area,
      name: 'disk',
      after: [facts.engine, facts.cluster],
      look: (signal) =>
        given(facts.engine, async (known) => {
          const [space, usage] = await Promise.all([
            nodeOf(facts).then((node) => spaceOf(known, node, host, signal)),
            usageOf(known, signal),
          ])
          return space ? diskVerdict(space, usage) : skipped('no node runs to see its disk from')
        }),
    },
    { area, name: 'clock', after, look: () => given(facts.engine, (known) => clockVerdict('the container engine', known)) },
  ]
}

function infoText({ version, system, architecture, cgroup, storage }: EngineInfo): string {
  return `${version} on ${system}, ${architecture}, cgroup v${cgroup}, ${storage}`
}

/** Kubernetes alone takes about one CPU and 0.7 GiB. */
export function sizeVerdict({ cpus, bytes }: Pick<EngineInfo, 'cpus' | 'bytes'>): Found {
  const said = `${counted(cpus, 'CPU')}, ${bytesText(bytes)} of memory`
  return cpus >= 2 && bytes >= 1.9 * GiB
    ? ok(said)
    : {
        verdict: 'warning',
        code: 'ENGINE-106',
        said,
        remedy: 'Give it 2 CPUs and 2 GiB at least: in the settings of Docker Desktop, or `colima start --cpu 4 --memory 8`.',
      }
}

/** The node of a cluster that runs, to look at the engine's disk from. */
async function nodeOf({ cluster }: Facts): Promise<string | undefined> {
  const known = await cluster
  return 'is' in known && known.is.state === 'running' ? known.is.cluster.nodes[0] : undefined
}

/** How long an engine may add up what its data take, in ms: what is free is worth telling without. */
const usageMs = 2500

async function usageOf({ engine }: EngineFacts, signal: AbortSignal): Promise<EngineUsage | undefined> {
  return engine.usage(AbortSignal.any([signal, AbortSignal.timeout(usageMs)])).catch(() => undefined)
}

/** The disk that the engine has its data on: this machine's own, or else as a node sees it, whose data are a volume of the engine. */
async function spaceOf(
  { engine, info }: EngineFacts,
  node: string | undefined,
  host: Examined['parts']['host'],
  signal: AbortSignal,
): Promise<Pick<Space, 'freeBytes' | 'totalBytes'> | undefined> {
  const { name, kernel } = host.identity()
  if (info.name === name && info.kernel === kernel && (await host.files.exists(info.directory)))
    return host.spaceAt(info.directory)
  if (node === undefined) return undefined
  const { exitCode, stdout } = await engine.run(node, ['df', '-Pk', '/var'], { signal })
  return exitCode === 0 ? spaceIn(stdout) : undefined
}

/** What `df -Pk` says. @see https://pubs.opengroup.org/onlinepubs/9799919799/utilities/df.html */
export function spaceIn(df: string): Pick<Space, 'freeBytes' | 'totalBytes'> | undefined {
  const [, total, , available] = /\s(\d+)\s+(\d+)\s+(\d+)\s+\d+%/.exec(df) ?? []
  return total === undefined || available === undefined
    ? undefined
    : { freeBytes: Number(available) * 1024, totalBytes: Number(total) * 1024 }
}

/** Whether images, layers and volumes have room. */
export function diskVerdict(
  { freeBytes, totalBytes }: Pick<Space, 'freeBytes' | 'totalBytes'>,
  usage: EngineUsage | undefined,
): Found {
  const parts = usage
    ? `; images take ${bytesText(usage.images)}, volumes ${bytesText(usage.volumes)}, the build cache ${bytesText(usage.buildCache)}`
    : ''
  const said = `${bytesText(freeBytes)} of ${bytesText(totalBytes)} free${parts}`
  if (freeBytes >= 5 * GiB) return ok(said)
  const remedy =
    usage && usage.buildCache > usage.images
      ? '`docker builder prune` removes what no build has used lately; or give the engine a larger disk.'
      : '`docker image prune --all` removes images that no container uses, `docker builder prune` the build cache; or give the engine a larger disk.'
  return { verdict: freeBytes < GiB ? 'failure' : 'warning', code: 'ENGINE-104', said, remedy }
}

/** Clocks apart: after a sleep, mostly. Certificates and tokens of a cluster have a beginning and an end. */
export function clockVerdict(whose: string, { skewMs, doubtMs }: Pick<EngineFacts, 'skewMs' | 'doubtMs'>): Found {
  const surely = Math.abs(skewMs) - doubtMs
  if (surely <= 2000) return ok(`within ${spanText(Math.max(100, Math.abs(skewMs) + doubtMs))} of this machine's`)
  return {
    verdict: surely > 300_000 ? 'failure' : 'warning',
    code: 'ENGINE-105',
    said: `the clock of ${whose} is ${spanText(Math.abs(skewMs))} ${skewMs < 0 ? 'behind' : 'ahead of'} this machine's`,
    remedy:
      'Restart what the engine runs in (Docker Desktop, `colima restart`, `wsl --shutdown`), or set the clocks by the network: `sudo timedatectl set-ntp true`.',
  }
}
