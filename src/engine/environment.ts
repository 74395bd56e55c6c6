import { join } from 'node:path'
import type { Cluster } from '../cluster/provider.ts'
import type { Host, LockHolder } from '../host/host.ts'
import type { Kube, OpenOptions } from '../kube/kube.ts'
import { delay } from '../lib/async.ts'
import { DevkitError } from '../lib/errors.ts'
import type { Scope } from '../lib/scope.ts'
import type { Step } from '../lib/step.ts'
import type { Plan } from '../plan/plan.ts'
import type { Toolbox } from '../toolbox.ts'
import type { Run } from './step.ts'

/** What a run works with. */
export interface Parts {
  readonly tools: Toolbox
  readonly host: Pick<Host, 'engine' | 'files' | 'watch' | 'giveMemoryBack' | 'lock' | 'listenerOn'>
  readonly openKube: (
    cluster: Pick<Cluster, 'kubeconfig' | 'whenSilent'>,
    options?: Pick<OpenOptions, 'onAbsence'>,
  ) => Promise<Kube>
  readonly stateDirectory: string
  /** What other machines are told of this run: `devkit up on laptop, pid 12`. */
  readonly who: string
  /** Where the config has what a path leads to: `devkit.config.ts:4:3`. Without it the path is told. */
  readonly placeOf?: (path: readonly string[]) => Promise<string>
}

/** A run over a plan. */
export interface EngineRun extends Run {
  readonly parts: Parts
  /** How long a workload that is awaited from now on may take, in ms. */
  readonly timeoutMs: () => number
  /** Asks the person before something is lost; false also where nobody can be asked. */
  readonly confirm: (question: string) => Promise<boolean>
  /** Fields that controllers own are taken from them. */
  readonly forceConflicts?: boolean | undefined
  /** Told when everything is up: what bounds the time of the run bounds no watching. */
  readonly isUp: () => void
}

/** How long a run waits for what it has deleted to go, in ms: no longer than it may take itself. */
export function patienceOf({ timeoutMs }: Pick<EngineRun, 'timeoutMs'>): number {
  return Math.min(120_000, timeoutMs())
}

/** What this machine remembers of an environment. */
export interface Held {
  /** Directory of the config that it was made from. */
  readonly directory: string
  readonly cluster: string
  /** Whether anything may have been applied: then its volumes may hold data. */
  readonly applied: boolean
}

/** How long a run waits for the API of a cluster that devkit did not start, in ms: what is not there now comes when somebody does something about it. */
export const othersPatienceMs = 10_000

/** Opens the API that a run works with: that it does not answer for some seconds is told, and that it does again. */
export function openApi({ parts, bus }: EngineRun, cluster: Cluster): Promise<Kube> {
  const onAbsence = (why: string | undefined): void =>
    bus.emit({
      type: 'action',
      do: 'none',
      reason: why === undefined ? 'the API server answers again' : `the API server does not answer and is asked again: ${why}`,
    })
  return parts.openKube(cluster, { onAbsence })
}

function heldFile({ stateDirectory }: Parts, { project, env }: Plan): string {
  return join(stateDirectory, 'environments', project, `${env}.json`)
}

/** What is remembered of the plan's environment; undefined when it was never made. */
export function heldBy(plan: Plan, parts: Parts): Promise<Held | undefined> {
  return parts.host.files.readJson<Held>(heldFile(parts, plan))
}

/** Takes the environment for the plan's directory. @throws PLAN-103 when another directory holds it */
export async function holdEnvironment(plan: Plan, parts: Parts, applied: boolean): Promise<void> {
  await checkHolder(plan, parts)
  const before = await heldBy(plan, parts)
  const held: Held = { directory: plan.directory, cluster: plan.cluster.name, applied: applied || (before?.applied ?? false) }
  await parts.host.files.writePrivate(heldFile(parts, plan), JSON.stringify(held))
}

/** @throws PLAN-103 when another directory, that still exists, holds the environment */
export async function checkHolder(plan: Plan, parts: Parts): Promise<void> {
  const held = await heldBy(plan, parts)
  if (!held || held.directory === plan.directory || !(await parts.host.files.exists(held.directory))) return
  throw new DevkitError('PLAN-103', {
    message: `The environment ${plan.project}/${plan.env} is held by ${held.directory}.`,
    hint: 'Use another with --env NAME, or run `devkit down` there first.',
  })
}

/** Forgets the environment, and directories that are empty then. */
export async function releaseEnvironment(plan: Plan, parts: Parts): Promise<void> {
  const { rm, rmdir } = await import('node:fs/promises')
  await rm(heldFile(parts, plan), { force: true })
  for (const directory of [join('environments', plan.project), 'environments', 'clusters', 'locks', ''])
    await rmdir(join(parts.stateDirectory, directory)).catch(() => undefined)
}

/** Names of the other environments that live in the plan's cluster. */
export async function neighbours(plan: Plan, parts: Parts): Promise<readonly string[]> {
  const { readdir } = await import('node:fs/promises')
  const entries = await readdir(join(parts.stateDirectory, 'environments', plan.project)).catch(() => [])
  return entries.map((entry) => entry.replace(/\.json$/, '')).filter((env) => env !== plan.env)
}

/**
 * Makes this run the only one that changes the environment, until `scope` closes. Waits for a run that ends by itself, and says so.
 * @throws CLUSTER-108 when a `watch` works on it
 */
export async function occupyEnvironment(
  plan: Plan,
  { parts: { host }, bus }: Pick<EngineRun, 'parts' | 'bus'>,
  scope: Scope,
): Promise<void> {
  const environment = `environment ${plan.project}/${plan.env}`
  const taken = await untilTaken(host, environment, scope.signal, (holder) => {
    if (holder.endsByItself) {
      bus.emit({ type: 'action', do: 'none', reason: waitText(plan, holder) })
      return
    }
    throw new DevkitError('CLUSTER-108', {
      message: `${holderName(holder)} works on the ${environment}.`,
      hint: 'Wait for it to end, or end it (Ctrl-C where it runs).',
    })
  })
  scope.use(taken)
}

/** Runs work that concerns the whole cluster. Runs on its other environments wait for each other here. */
export async function aloneWithCluster<T>(plan: Plan, { host }: Parts, step: Step, work: () => Promise<T>): Promise<T> {
  await using _ = await untilTaken(host, `cluster ${plan.cluster.name}`, step.signal, (holder) =>
    step.say(`waits for ${holderName(holder)}, which works on the cluster`),
  )
  return await work()
}

/** Takes a lock as soon as it can be had. `held` hears of each who has it before; what it throws ends the wait. */
async function untilTaken(
  { lock }: Pick<Host, 'lock'>,
  name: string,
  signal: AbortSignal,
  held: (holder: LockHolder) => void,
): Promise<AsyncDisposable> {
  for (let last: LockHolder | undefined; ; await delay(200, signal)) {
    const taken = await lock(name)
    if (!('what' in taken)) return taken
    if (taken.pid !== last?.pid || taken.what !== last?.what) held(taken)
    last = taken
  }
}

/** What is said of a run that another waits for. */
export function waitText({ project, env }: Plan, holder: Omit<LockHolder, 'endsByItself'>): string {
  return `waits for ${holderName(holder)}, which works on the environment ${project}/${env}`
}

function holderName({ what, pid, since }: Omit<LockHolder, 'endsByItself'>): string {
  const details = [pid === undefined ? '' : `pid ${pid}`, since === undefined ? '' : `since ${since}`].filter(Boolean)
  return details.length === 0 ? what : `${what} (${details.join(', ')})`
}
