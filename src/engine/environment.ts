import { join } from 'node:path'
import type { Host } from '../host/host.ts'
import type { Kube } from '../kube/kube.ts'
import { DevkitError } from '../lib/errors.ts'
import type { Plan } from '../plan/plan.ts'
import type { Toolbox } from '../toolbox.ts'
import type { Run } from './step.ts'

/** What a run works with. */
export interface Parts {
  readonly tools: Toolbox
  readonly host: Pick<Host, 'engine' | 'files' | 'watch'>
  readonly openKube: (kubeconfig: string) => Promise<Kube>
  readonly stateDirectory: string
}

/** A run over a plan. `timeoutMs` bounds the wait for one workload. */
export interface EngineRun extends Run {
  readonly parts: Parts
  readonly timeoutMs: number
}

/** What this machine remembers of an environment. */
export interface Held {
  /** Directory of the config that it was made from. */
  readonly directory: string
  readonly cluster: string
}

function heldFile({ stateDirectory }: Parts, { project, env }: Plan): string {
  return join(stateDirectory, 'environments', project, `${env}.json`)
}

/** Takes the environment for the plan's directory. @throws PLAN-103 when another directory holds it */
export async function holdEnvironment(plan: Plan, parts: Parts): Promise<void> {
  await checkHolder(plan, parts)
  const held: Held = { directory: plan.directory, cluster: plan.cluster.name }
  await parts.host.files.writePrivate(heldFile(parts, plan), JSON.stringify(held))
}

/** @throws PLAN-103 when another directory, that still exists, holds the environment */
export async function checkHolder(plan: Plan, parts: Parts): Promise<void> {
  const held = await parts.host.files.readJson<Held>(heldFile(parts, plan))
  if (!held || held.directory === plan.directory || !(await parts.host.files.exists(held.directory))) return
  throw new DevkitError('PLAN-103', {
    message: `The environment ${plan.project}/${plan.env} is held by ${held.directory}.`,
    hint: 'Use another with --env NAME, or run `devkit down` there first.',
  })
}

export async function releaseEnvironment(plan: Plan, parts: Parts): Promise<void> {
  const { rm } = await import('node:fs/promises')
  await rm(heldFile(parts, plan), { force: true })
}

/** Names of the other environments that live in the plan's cluster. */
export async function neighbours(plan: Plan, parts: Parts): Promise<readonly string[]> {
  const { readdir } = await import('node:fs/promises')
  const entries = await readdir(join(parts.stateDirectory, 'environments', plan.project)).catch(() => [])
  return entries.map((entry) => entry.replace(/\.json$/, '')).filter((env) => env !== plan.env)
}
