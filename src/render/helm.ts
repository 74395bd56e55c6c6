import { createHash, randomUUID } from 'node:crypto'
import { cp, mkdtemp, readdir, readFile, realpath, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, relative, resolve } from 'node:path'
import type { HelmSource } from '../config/sources.ts'
import type { Manifest } from '../lib/objects.ts'
import type { Step } from '../lib/step.ts'
import { nowhere } from './manifests.ts'
import { type Print, type PrintParts, printing } from './printed.ts'
import { manifestsOf, readManifests } from './read.ts'
import type { Input, Renderer } from './renderer.ts'
import { readYaml } from './yaml.ts'

type Chart = HelmSource['helm']

/** Charts, by `helm template`. In the config: `{ helm: { chart: 'charts/web', values: ['charts/dev.yaml'] } }`. */
export function helm(parts: PrintParts): Renderer<HelmSource> {
  const print = printing(parts)
  const { files } = parts

  /** The directory to render: the chart's, or a copy of it that has the dependencies which the chart lacks. */
  async function complete(chart: string, directory: string, scratch: string, step: Pick<Step, 'signal'>): Promise<string> {
    const missing = await missingDependencies(chart)
    if (missing.length === 0) return chart
    const copy = join(scratch, basename(chart))
    await cp(chart, copy, { recursive: true })
    for (const { name, repository, version } of missing) {
      const local = /^file:\/\/(.*)$/.exec(repository)?.[1]
      if (local !== undefined) {
        await cp(resolve(chart, local), join(copy, 'charts', name), { recursive: true })
        continue
      }
      // fetched once: it is not the working tree's, so it must not be written there
      const hash = createHash('sha256')
        .update(JSON.stringify([name, repository, version]))
        .digest('hex')
        .slice(0, 16)
      const fetched = join(directory, '.devkit', 'charts', `${name}-${hash}`)
      if (!(await files.exists(fetched))) {
        const part = `${fetched}.${randomUUID()}.part`
        await files.makePrivate(part)
        try {
          await print(fetching(name, repository, version, { to: part, directory, by: basename(chart) }), step)
          await rename(part, fetched)
        } finally {
          await rm(part, { recursive: true, force: true })
        }
      }
      await cp(fetched, join(copy, 'charts'), { recursive: true })
    }
    return copy
  }

  return {
    async render({ helm: chart }, input, step) {
      const { directory } = input
      const local = await localChart(chart, directory)
      for (const file of chart.values)
        if (!(await files.exists(join(directory, file))))
          throw nowhere(`The values file ${file} of the chart ${chart.chart} does not exist.`)
      const scratch = await mkdtemp(join(await realpath(tmpdir()), 'devkit-helm-'))
      try {
        const path = local === undefined ? chart.chart : await complete(local, directory, scratch, step)
        const text = await print(
          {
            what: `the chart ${chart.chart}`,
            programs: [['helm', ...argsOf(chart, path, input)]],
            install,
            directory,
            instead: [path, chart.chart],
            // a version that is not said may be another one tomorrow
            inputs: local === undefined && chart.version === undefined ? undefined : await inputsOf(chart, directory),
            key: ['helm', ...argsOf(chart, chart.chart, input)],
          },
          step,
        )
        return await withOrigins(text, local === undefined ? chart.chart : relative(directory, local), directory)
      } finally {
        await rm(scratch, { recursive: true, force: true })
      }
    },
    inputs: ({ helm: chart }, directory) => inputsOf(chart, directory),
  }
}

const install = 'Install helm: https://helm.sh/docs/intro/install/.'

function argsOf(
  chart: Chart,
  path: string,
  { namespace, kubernetes, apiVersions }: Parameters<Renderer<HelmSource>['render']>[1],
): string[] {
  const { release = basename(chart.chart).replace(/(-\d+\.\d+.*)?\.tgz$/, ''), values, set, repo, version } = chart
  return [
    ...['template', release, path, '--namespace', chart.namespace ?? namespace, '--include-crds'],
    ...['--kube-version', `${kubernetes}.0`, ...apiVersions.flatMap((each) => ['--api-versions', each])],
    ...values.flatMap((file) => ['--values', file]),
    ...Object.entries(set).flatMap(([key, value]) => ['--set-json', `${key}=${JSON.stringify(value)}`]),
    ...(repo === undefined ? [] : ['--repo', repo]),
    ...(version === undefined ? [] : ['--version', version]),
  ]
}

/** Absolute; undefined for one that is fetched. @throws RENDER-103 */
async function localChart({ chart, repo }: Chart, directory: string): Promise<string | undefined> {
  if (repo !== undefined || chart.startsWith('oci://')) return undefined
  const path = join(directory, chart)
  const isChart = chart.endsWith('.tgz') || (await readdir(path).catch((): string[] => [])).includes('Chart.yaml')
  if (!isChart) throw nowhere(`There is no chart in ${chart}.`)
  return path
}

interface Dependency {
  readonly name: string
  readonly repository: string
  /** Exact where Chart.lock says so. */
  readonly version: string
}

async function dependenciesOf(chart: string): Promise<readonly Dependency[]> {
  const said = async (name: string): Promise<readonly Dependency[]> => {
    const bytes = await readFile(join(chart, name)).catch(() => undefined)
    const [document] = bytes ? (await readYaml(bytes)).documents : []
    const { dependencies } = (document?.value ?? {}) as { dependencies?: unknown }
    return Array.isArray(dependencies) ? dependencies.map((each) => ({ repository: '', version: '', ...each })) : []
  }
  const locked = await said('Chart.lock')
  return (await said('Chart.yaml')).map((each) => locked.find(({ name }) => name === each.name) ?? each)
}

async function missingDependencies(chart: string): Promise<readonly Dependency[]> {
  const dependencies = await dependenciesOf(chart)
  if (dependencies.length === 0) return []
  const there = await readdir(join(chart, 'charts')).catch((): string[] => [])
  return dependencies.filter(
    ({ name, repository }) =>
      repository !== '' &&
      !there.some(
        (entry) => entry === name || (entry.startsWith(`${name}-`) && /^\d.*\.tgz$/.test(entry.slice(name.length + 1))),
      ),
  )
}

/** @see https://helm.sh/docs/helm/helm_pull/ */
function fetching(
  name: string,
  repository: string,
  version: string,
  { to, directory, by }: { to: string; directory: string; by: string },
): Print {
  const from = repository.startsWith('oci://')
    ? [`${repository}/${name}`]
    : /^(@|alias:)/.test(repository)
      ? [`${repository.replace(/^(@|alias:)/, '')}/${name}`]
      : [name, '--repo', repository]
  return {
    what: `${name}, which the chart ${by} depends on`,
    programs: [['helm', 'pull', ...from, ...(version === '' ? [] : ['--version', version]), '--destination', to]],
    install,
    directory,
    inputs: undefined,
  }
}

/** The chart, its values, and what it takes from directories beside it. */
async function inputsOf(chart: Chart, directory: string): Promise<readonly Input[]> {
  const values = chart.values.map((file) => ({ path: join(directory, file) }))
  if (chart.repo !== undefined || chart.chart.startsWith('oci://')) return values
  const path = join(directory, chart.chart)
  const beside = (await dependenciesOf(path)).flatMap(({ repository }) => /^file:\/\/(.*)$/.exec(repository)?.[1] ?? [])
  return [{ path }, ...beside.map((each) => ({ path: resolve(path, each) })), ...values]
}

/** helm writes above each object which template it is of: `# Source: web/templates/web.yaml`. */
async function withOrigins(text: string, chart: string, directory: string): Promise<readonly Manifest[]> {
  const parts = text.split(/^---\n(?=# Source: )/m)
  const read = await Promise.all(
    parts.map(async (part) => {
      const source = /^# Source: [^/\n]+\/(.*)/.exec(part)?.[1]
      const file = source === undefined ? chart : `${chart}/${source}`
      const { manifests, problems } = await readManifests(Buffer.from(part), file)
      const template = await readFile(join(directory, file), 'utf8').catch(() => '')
      return {
        manifests: manifests.map(({ object }) => ({ object, origin: { file, line: lineOfKind(template, object.kind) } })),
        problems,
      }
    }),
  )
  return manifestsOf(read)
}

/** The line that says `kind: KIND`, where only one does; else the first. */
function lineOfKind(template: string, kind: string): number {
  const lines = template.split('\n').flatMap((line, index) => (line.trimEnd() === `kind: ${kind}` ? [index + 1] : []))
  return lines.length === 1 ? (lines[0] ?? 1) : 1
}
