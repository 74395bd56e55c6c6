import { join } from 'node:path'
import type { UserConfig } from '../../src/config/schema.ts'
import { startRegistryFor } from '../lab/registry.ts'
import { Bench, type Place, type Rows, type SyncOptions } from './environment.ts'
import type { Row } from './figures.ts'
import { api, rebuild, replaced, restart } from './rows/faults.ts'
import { branch, byRename, fillFiles, idle, inPlace, many, saves, served, starts } from './rows/saves.ts'
import { big, container, directories, kinds, torn } from './rows/whole.ts'
import { projectOf, type Stand, say } from './stand.ts'

const save = { p50: 20, p95: 50 }
/** Rows that one `watch` of the project as it is can measure. */
const ofOneWatch: Rows = {
  save: (bench) => saves(bench, 'save', 'one save of 4 KB → readable in the container', inPlace, save),
  rename: (bench) => saves(bench, 'rename', 'the same by write-to-temp and rename', byRename, save),
  served,
  many,
  branch,
  torn,
  kinds,
  directories,
  container,
  big,
  rebuild,
  pod: (bench) => replaced(bench, 'pod'),
  crash: (bench) => replaced(bench, 'crash'),
}
const ofReplicas: Rows = {
  replicas: (bench) => saves(bench, 'replicas', 'the same with 3 replicas, all of them', inPlace, { p95: 80 }, 3),
}

/** Rows that can be chosen, in the order in which they are measured. */
export const syncRows: readonly string[] = ['start', 'idle', ...Object.keys({ ...ofOneWatch, ...ofReplicas }), 'restart', 'api']

const project = projectOf('sync')
/** Name of the cluster, and of its context. */
const cluster = `devkit-${project}`
const node = `${cluster}-control-plane`

/** All figures of hot sync, seen from outside devkit: files through the node, pages through their URL. */
export async function sync(
  stand: Stand,
  options: SyncOptions,
): Promise<{ readonly rows: readonly Row[]; readonly wrong: readonly string[] }> {
  const { moreFiles } = options
  say(`the flagship with ${moreFiles} files more …`)
  stand.ownCluster(cluster)
  const large: Place = { directory: stand.copyFlagship('more', moreFiles), namespace: project, node }
  fillFiles(large.directory)
  const spec = await makeCluster(stand, options, large)
  const page = await bringUp(stand, spec, large)
  const bench = new Bench(stand, options, { ...large, page })
  const write = (variant: Variant): void => configure(stand, large.directory, spec, variant)
  await bench.measure({ start: () => starts(bench, `start of watch, with ${moreFiles} files more`, { most: 2500 }) })
  await bench.watching({ idle: () => idle(bench, `idle, with ${moreFiles} files more`, 140), ...ofOneWatch })
  write({ replicas: 3 })
  await bench.watching(ofReplicas)
  write({ restart: true })
  await bench.watching({ restart })
  // last: controllers that lose their lease over it start anew, and are slow for a while
  write({})
  await bench.watching({ api })
  if (!options.rows.some((row) => row === 'start' || row === 'idle')) return bench
  const plain: Place = { directory: stand.copyFlagship('plain', 0), namespace: `${project}-plain`, node }
  const args = ['--env', 'plain']
  configure(stand, plain.directory, spec, {})
  await bringUp(stand, spec, plain, ...args)
  const small = new Bench(stand, options, plain)
  await small.measure({ start: () => starts(small, 'start of watch on an environment that is up', { most: 1500 }, args) })
  await small.watching({ idle: () => idle(small, 'idle', 120) }, ...args)
  return { rows: [...bench.rows, ...small.rows], wrong: [...bench.wrong, ...small.wrong] }
}

/** How a config names its cluster; undefined: a cluster of its own. */
type ClusterSpec = UserConfig['cluster']

/** Makes the cluster. For the API's stream it is then as somebody else's, who has a registry. */
async function makeCluster(stand: Stand, { transport }: SyncOptions, { directory }: Place): Promise<ClusterSpec> {
  configure(stand, directory, undefined, {})
  await stand.end(directory, 'up')
  if (transport === 'node') return undefined
  const registry = stand.own(await startRegistryFor(node, stand.docker, join(stand.scratch, 'registry'), stand.scratch))
  const spec = { existing: { context: cluster, registry: registry.address, enterNodes: false } }
  configure(stand, directory, spec, {})
  return spec
}

/** Brings the project up; resolves with where its page is, undefined where devkit says it itself. */
async function bringUp(
  stand: Stand,
  spec: ClusterSpec,
  { directory, namespace }: Place,
  ...flags: readonly string[]
): Promise<string | undefined> {
  await stand.end(directory, 'up', ...flags)
  if (spec === undefined) return undefined
  const overrides = JSON.stringify({ spec: { ports: [{ port: 80, targetPort: 8000 }] } })
  const kubectl = (...args: readonly string[]): string => stand.kubectl(node, namespace, ...args)
  kubectl('expose', 'deployment', 'web', '--name=bench-page', '--type=NodePort', `--overrides=${overrides}`)
  const port = kubectl('get', 'service', 'bench-page', '-o', 'jsonpath={.spec.ports[0].nodePort}')
  const address = stand.docker('inspect', '-f', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', node).trim()
  return `http://${address}:${port}`
}

/** What a part of the rows needs to be different in the config. */
interface Variant {
  readonly replicas?: number
  /** The program does not reload itself: devkit restarts it. */
  readonly restart?: boolean
}

function configure(stand: Stand, directory: string, spec: ClusterSpec, { replicas, restart }: Variant): void {
  stand.writeConfig(directory, (config) => {
    config.project = project
    if (spec !== undefined) config.cluster = spec
    const web = config.services?.['web']
    const dev = config.profiles?.['dev']
    const overlay = dev?.services?.['web']
    const [rule] = web?.sync ?? []
    if (!dev || !overlay || !rule) throw new Error('the flagship has no service web with a sync rule and a dev profile')
    rule.restart = restart ? 'process' : 'none'
    if (restart) overlay.args = (overlay.args ?? []).filter((arg) => !arg.startsWith('--reload'))
    if (replicas !== undefined) {
      dev.maxReplicas = replicas
      overlay.replicas = replicas
    }
  })
}
