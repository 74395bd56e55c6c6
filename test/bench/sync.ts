import { Bench, type Place, type SyncOptions } from './environment.ts'
import type { Row } from './figures.ts'
import { api, rebuild, replaced, restart } from './rows/faults.ts'
import { branch, byRename, fillFiles, idle, inPlace, many, saves, served, starts } from './rows/saves.ts'
import { big, container, directories, kinds, torn } from './rows/whole.ts'
import { projectOf, type Stand, say } from './stand.ts'

/** Rows that can be chosen, in the order in which they are measured. */
export const syncRows: readonly string[] = [
  'start',
  'idle',
  'save',
  'rename',
  'served',
  'many',
  'branch',
  'torn',
  'kinds',
  'directories',
  'container',
  'big',
  'rebuild',
  'pod',
  'crash',
  'replicas',
  'restart',
  'api',
]

const project = projectOf('sync')
/** Name of the cluster, and of its context. */
const cluster = `devkit-${project}`
const node = `${cluster}-control-plane`

/** All figures of hot sync, seen from outside devkit: files through the node, pages through their URL. */
export async function sync(
  stand: Stand,
  options: SyncOptions,
): Promise<{ readonly rows: readonly Row[]; readonly wrong: readonly string[] }> {
  const { moreFiles, transport } = options
  // an image built anew could only reach a cluster that exists through a registry
  const asked = (row: string): boolean => options.rows.includes(row) && !(row === 'rebuild' && transport === 'exec')
  say(`the flagship with ${moreFiles} files more …`)
  stand.ownCluster(cluster)
  const large: Place = { directory: stand.copyFlagship('more', moreFiles), namespace: project, node }
  fillFiles(large.directory)
  const page = await bringUp(stand, options, large)
  const bench = new Bench(stand, options, { ...large, page })
  const write = (variant: Variant): void => configure(stand, large.directory, transport, variant)
  if (asked('start')) await starts(bench, `start of watch, with ${moreFiles} files more`, { most: 2500 })
  if (options.rows.some((row) => !['start', 'replicas', 'restart'].includes(row))) {
    await bench.watching([], async () => {
      if (asked('idle')) await idle(bench, `idle, with ${moreFiles} files more`, 140)
      if (asked('save')) await saves(bench, 'save', 'one save of 4 KB → readable in the container', inPlace, { p50: 20, p95: 50 })
      if (asked('rename')) await saves(bench, 'rename', 'the same by write-to-temp and rename', byRename, { p50: 20, p95: 50 })
      if (asked('served')) await served(bench)
      if (asked('many')) await many(bench)
      if (asked('branch')) await branch(bench)
      if (asked('torn')) await torn(bench)
      if (asked('kinds')) await kinds(bench)
      if (asked('directories')) await directories(bench)
      if (asked('container')) await container(bench)
      if (asked('big')) await big(bench)
      if (asked('rebuild')) await rebuild(bench)
      if (asked('pod')) await replaced(bench, 'pod')
      if (asked('crash')) await replaced(bench, 'crash')
      await bench.compare()
    })
  }
  if (asked('replicas')) {
    write({ replicas: 3 })
    await bench.watching([], async () => {
      await saves(bench, 'replicas', 'the same with 3 replicas, all of them', inPlace, { p95: 80 }, 3)
      await bench.compare()
    })
  }
  if (asked('restart')) {
    write({ restart: true })
    await bench.watching([], async () => {
      await restart(bench)
      await bench.compare()
    })
  }
  // last: controllers that lose their lease over it start anew, and are slow for a while
  if (asked('api')) {
    write({})
    await bench.watching([], async () => {
      await api(bench)
      await bench.compare()
    })
  }
  const rows = [...bench.rows]
  if (asked('start') || asked('idle')) {
    const plain: Place = { directory: stand.copyFlagship('plain', 0), namespace: `${project}-plain`, node }
    await bringUp(stand, options, plain, '--env', 'plain')
    const small = new Bench(stand, options, plain)
    if (asked('start')) await starts(small, 'start of watch on an environment that is up', { most: 1500 }, ['--env', 'plain'])
    if (asked('idle')) await small.watching(['--env', 'plain'], () => idle(small, 'idle', 120))
    rows.push(...small.rows)
  }
  return { rows, wrong: bench.wrong }
}

/** Brings the project up; resolves with where its page is, undefined where devkit says it itself. */
async function bringUp(
  stand: Stand,
  { transport }: SyncOptions,
  place: Place,
  ...flags: readonly string[]
): Promise<string | undefined> {
  // its own cluster first: so the node has the images, which no registry of the lab could give it
  configure(stand, place.directory, 'node', {})
  await stand.end(place.directory, 'up', ...flags)
  if (transport === 'node') return undefined
  configure(stand, place.directory, 'exec', {})
  await stand.end(place.directory, 'up', ...flags)
  const overrides = JSON.stringify({ spec: { ports: [{ port: 80, targetPort: 8000 }] } })
  const kubectl = (...args: readonly string[]): string => stand.kubectl(place.node, place.namespace, ...args)
  kubectl('expose', 'deployment', 'web', '--name=bench-page', '--type=NodePort', `--overrides=${overrides}`)
  const port = kubectl('get', 'service', 'bench-page', '-o', 'jsonpath={.spec.ports[0].nodePort}')
  const address = stand.docker('inspect', '-f', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', place.node).trim()
  return `http://${address}:${port}`
}

/** What a part of the rows needs to be different in the config. */
interface Variant {
  readonly replicas?: number
  /** The program does not reload itself: devkit restarts it. */
  readonly restart?: boolean
}

function configure(stand: Stand, directory: string, transport: SyncOptions['transport'], { replicas, restart }: Variant): void {
  stand.writeConfig(directory, (config) => {
    config.project = project
    if (transport === 'exec') config.cluster = { existing: { context: cluster } }
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
