import type { Host } from '../../host/host.ts'
import type { Space, WatchUse } from '../../host/resources.ts'
import type { Plan } from '../../plan/plan.ts'
import { type Found, foundProblem, type Look, ok, skipped } from './check.ts'
import type { Examined, Facts } from './facts.ts'
import { bytesText } from './words.ts'

/** What this machine has: its settings, room for devkit's own files, watches, and the programs that devkit runs. */
export function machineLooks({ parts, node, settings }: Examined, facts: Facts): readonly Look[] {
  const area = 'machine'
  const { host, stateDirectory } = parts
  return [
    { area, name: 'node', look: async () => ok(`Node ${node}`) },
    { area, name: 'settings', look: async () => settingsVerdict(settings) },
    { area, name: 'disk', look: async () => stateVerdict(stateDirectory, await host.spaceAt(stateDirectory)) },
    { area, name: 'watches', look: async () => watchVerdict(await host.watchUse()) },
    ...programs.map(
      (program) =>
        ({
          area,
          name: program.name,
          after: [facts.config],
          look: async (signal: AbortSignal) => {
            const [version, plan] = await Promise.all([versionOf(program, host, signal), planOf(facts)])
            return programVerdict(program, version, plan)
          },
        }) satisfies Look,
    ),
  ]
}

function settingsVerdict({ file, found, problem }: Examined['settings']): Found {
  if (problem) return foundProblem(problem)
  return ok(found ? file : `none at ${file}, none needed`)
}

const GiB = 2 ** 30

/** Whether devkit can keep its own files. */
export function stateVerdict(directory: string, { freeBytes, isWritable, directory: nearest }: Space): Found {
  const free = `${bytesText(freeBytes)} free for ${directory}`
  const remedy = `Make room or rights at ${nearest}; XDG_STATE_HOME names another directory for devkit’s state.`
  if (!isWritable) return { verdict: 'failure', code: 'CONFIG-202', said: `devkit may not write to ${nearest}`, remedy }
  if (freeBytes < 0.05 * GiB) return { verdict: 'failure', code: 'CONFIG-202', said: free, remedy }
  return freeBytes < GiB ? { verdict: 'warning', code: 'CONFIG-203', said: free, remedy } : ok(free)
}

/** Whether a `watch` will get its watches: of both sorts a fifth should be left. */
export function watchVerdict(use: WatchUse | undefined): Found {
  if (!use) return skipped('this system has no inotify and none of its limits')
  const { instances, maxInstances, watches, maxWatches } = use
  const said = `${watches} of ${maxWatches} watches, ${instances} of ${maxInstances} instances in use`
  const raise = [
    ...(instances > 0.8 * maxInstances ? [`fs.inotify.max_user_instances=${Math.max(1024, 2 * maxInstances)}`] : []),
    ...(watches > 0.8 * maxWatches ? [`fs.inotify.max_user_watches=${Math.max(524_288, 2 * maxWatches)}`] : []),
  ]
  return raise.length === 0 ? ok(said) : { verdict: 'warning', code: 'SYNC-103', said, remedy: `sudo sysctl ${raise.join(' ')}` }
}

/** A program that devkit runs, and what it is needed for. */
interface Program {
  readonly name: string
  readonly args: readonly string[]
  readonly code: 'CLUSTER-101' | 'BUILD-104' | 'RENDER-105' | undefined
  /** Without a plan: whether a project usually needs it. */
  readonly isNeeded: (plan: Plan | undefined) => boolean
  readonly remedy: string
}

const fromSource = (name: 'helm' | 'kustomize') => (plan: Plan | undefined) =>
  plan?.sources.some((source) => typeof source !== 'string' && name in source) ?? false

const programs: readonly Program[] = [
  {
    name: 'kind',
    args: ['version'],
    code: 'CLUSTER-101',
    isNeeded: (plan) => !plan || 'kind' in plan.cluster.spec,
    remedy:
      'Install it (https://kind.sigs.k8s.io/docs/user/quick-start/#installation), or name its path as tools.kind in the machine settings file.',
  },
  {
    name: 'buildx',
    args: ['version'],
    code: 'BUILD-104',
    isNeeded: (plan) => !plan || plan.services.some(({ build }) => build !== undefined),
    remedy: 'Install Docker’s buildx plug-in, or name its path as tools.buildx in the machine settings file.',
  },
  {
    name: 'helm',
    args: ['version', '--short'],
    code: 'RENDER-105',
    isNeeded: fromSource('helm'),
    remedy: 'Install it (https://helm.sh/docs/intro/install/), or name its path as tools.helm in the machine settings file.',
  },
  {
    name: 'kustomize',
    args: ['version'],
    // kubectl has one too
    code: undefined,
    isNeeded: fromSource('kustomize'),
    remedy: 'Install it, or kubectl, which has one.',
  },
  {
    name: 'kubectl',
    args: ['version', '--client'],
    code: undefined,
    isNeeded: () => false,
    remedy: 'Install it to look into the cluster by hand; devkit runs without it.',
  },
]

/** What became of asking a program for its version. */
export type Asked = { readonly version: string } | { readonly failed: string } | 'missing' | 'late'

/** How long a program may take to tell its version, in ms: a machine that is busy is no fault of it. */
const versionMs = 3000

async function versionOf(
  { name, args }: Program,
  { exec, programFile }: Pick<Host, 'exec' | 'programFile'>,
  signal: AbortSignal,
): Promise<Asked> {
  if ((await programFile(name)) === undefined) return 'missing'
  const late = AbortSignal.timeout(versionMs)
  try {
    const step = { signal: AbortSignal.any([signal, late]), say: () => undefined }
    const { exitCode, stdout, tail } = await exec(name, args, step, { quiet: true })
    if (exitCode === 'missing') return 'missing'
    if (exitCode !== 0) return { failed: tail.at(-1) ?? `it ends with ${exitCode}` }
    return { version: /v?\d+\.\d+[\w.+~-]*/.exec(stdout)?.[0] ?? stdout.split('\n')[0] ?? '' }
  } catch (thrown) {
    if (late.aborted && !signal.aborted) return 'late'
    throw thrown
  }
}

/** Whether a program that is needed is there and runs. */
export function programVerdict(
  { name, code, isNeeded, remedy }: Pick<Program, 'name' | 'code' | 'isNeeded' | 'remedy'>,
  asked: Asked,
  plan: Plan | undefined,
): Found {
  if (asked === 'late') return ok('there; its version was not told in time')
  if (asked !== 'missing' && 'version' in asked) return ok(asked.version)
  const said = asked === 'missing' ? `${name} is not there` : `${name} does not run: ${asked.failed}`
  if (!isNeeded(plan)) return skipped(`${said}; ${plan ? 'nothing of this project needs it' : 'not every project needs it'}`)
  return { verdict: code === undefined ? 'warning' : 'failure', said, code, remedy }
}

async function planOf({ config }: Facts): Promise<Plan | undefined> {
  const known = await config
  return 'is' in known ? known.is.plan : undefined
}
