import { stat } from 'node:fs/promises'
import ci from '../../profiles/ci.ts'
import debug from '../../profiles/debug.ts'
import dev from '../../profiles/dev.ts'
import production from '../../profiles/production.ts'
import { together } from '../config/check.ts'
import { type LoadedConfig, loadConfig } from '../config/load.ts'
import { isWritten, parseOverride } from '../config/overrides.ts'
import { type Path, shownPlace } from '../config/places.ts'
import { resolveProfile } from '../config/profile.ts'
import type { Profile } from '../config/profile-schema.ts'
import type { Parts } from '../engine/environment.ts'
import { type WholePlan, wholePlan } from '../engine/infer.ts'
import { problemEvent } from '../engine/step.ts'
import { DevkitError } from '../lib/errors.ts'
import type { Step } from '../lib/step.ts'
import { checkServices, makePlan } from '../plan/make-plan.ts'
import type { Plan } from '../plan/plan.ts'
import { directoryOf, type GlobalFlags, type Io } from './io.ts'
import { tellProblems } from './voice.ts'

/** The profiles that devkit ships, by name. */
export const shipped: Readonly<Record<string, Profile>> = { production, dev, ci, debug }

/** A word of the command line, with what it comes from. */
export interface Chosen {
  readonly value: string
  readonly origin: string
}

export interface LoadedPlan {
  readonly plan: Plan
  readonly loaded: LoadedConfig
  readonly profile: Chosen
  readonly env: Chosen
}

/**
 * The plan that the flags and the environment ask for. `onFile` is told of every file that the config is read from.
 * @throws CONFIG-001 when --cwd is no directory or --set leads nowhere, CONFIG-101 … CONFIG-105, PLAN-102
 */
export async function loadPlan(
  io: Io,
  flags: GlobalFlags,
  command: string,
  onFile?: (file: string) => void,
): Promise<LoadedPlan> {
  const cwd = directoryOf(io, flags)
  const isDirectory = await stat(cwd).then(
    (found) => found.isDirectory(),
    () => false,
  )
  if (!isDirectory) throw new DevkitError('CONFIG-001', { message: `There is no directory ${cwd}.`, hint: 'Correct --cwd.' })
  const profile = choose(io, 'DEVKIT_PROFILE', '--profile', flags.profile, 'dev')
  const env = choose(io, 'DEVKIT_ENV', '--env', flags.env, 'default')
  const loaded = await loadConfig({
    cwd,
    file: flags.config,
    context: { command, profile: profile.value, env: env.value, ci: !['', '0', 'false'].includes(io.env['CI'] ?? '') },
    shipped,
    overrides: await Promise.all((flags.set ?? []).map(parseOverride)),
    ...(onFile ? { onFile } : {}),
  })
  const { config, file } = loaded
  const plan = makePlan({
    config,
    file,
    env: env.value,
    profileName: profile.value,
    ...resolveProfile(profile.value, shipped, config.profiles),
  })
  return { plan, loaded, profile, env }
}

/** The plan with what the manifests say; what keeps them from saying it has its place in the config where it is about it. @throws PLAN-101, CONFIG-103 */
export async function completePlan(
  read: LoadedPlan,
  parts: Pick<Parts, 'tools' | 'host'>,
  step: Pick<Step, 'signal'>,
): Promise<WholePlan> {
  const { plan: written, loaded } = read
  const whole = await wholePlan(written, loaded.config, parts, step)
  if (whole.problem) return { ...whole, problem: await placed(whole.problem, read) }
  const problems = checkServices(whole.plan)
  if (problems.length > 0) throw together(problems, await loaded.places())
  return whole
}

/** Where a config has what a path leads to, as messages show it. `loaded` is asked each time: it may be read again. */
export function placesIn(loaded: () => LoadedConfig): NonNullable<Parts['placeOf']> {
  return async (path) => shownPlace((await loaded().places())(path).key)
}

/** What a problem is about, in the config's words. */
const about: Readonly<Record<string, string>> = { 'PLAN-104': 'image', 'PLAN-105': 'ports', 'PLAN-106': 'workload' }

async function placed(problem: DevkitError, read: LoadedPlan): Promise<DevkitError> {
  const { code, message, hint, detail, service, object, rule } = problem
  const name = about[code]
  const ofService = name !== undefined && service !== undefined ? ['services', service, name] : undefined
  const path = rule === undefined ? ofService : pathInConfig(read, rule.split('.'))
  if (!path) return problem
  const place = shownPlace((await read.loaded.places())(path).value)
  return new DevkitError(code, { message: `${place}: ${message}`, hint, detail, service, object, cause: problem })
}

/** The profile that said a value of the plan's profile, or what it is in. */
export function saidBy({ profileOrigins }: Plan, path: Path): string | undefined {
  return path.map((_, index) => profileOrigins[path.slice(0, path.length - index).join('.')]).find(Boolean)
}

/** Where the config has a value of the plan's profile, if it has it; rules that several profiles add to one list have other numbers there. */
export function pathInConfig({ plan, loaded }: LoadedPlan, path: Path): Path | undefined {
  const name = saidBy(plan, path) ?? ''
  let [whole, own]: [unknown, unknown] = [plan.profile, loaded.config.profiles[name]]
  const found = ['profiles', name]
  for (const key of path) {
    // one where several may be is written without a number
    if (found.length > 2 && Array.isArray(whole) && whole.includes(own)) return found
    const rule: unknown = Array.isArray(whole)
      ? whole.find((one, index) => String(index) === key || one?.name === key)
      : undefined
    const there = Array.isArray(own) && rule !== undefined ? String(own.indexOf(rule)) : key
    if (!isWritten(own, [there])) return undefined
    found.push(there)
    whole = rule ?? (whole as Readonly<Record<string, unknown>>)[key]
    own = (own as Readonly<Record<string, unknown>>)[there]
  }
  return found
}

/** A plan with what the manifests say, and all that it comes from. */
export type WholeLoadedPlan = LoadedPlan & WholePlan

/** For verbs that only look: what the config's loader warns of is told on stderr. */
export async function loadWhole(
  io: Io,
  flags: GlobalFlags,
  command: string,
  parts: Pick<Parts, 'tools' | 'host'>,
): Promise<WholeLoadedPlan> {
  const read = await loadPlan(io, flags, command)
  await tellProblems(
    io,
    flags,
    read.loaded.warnings.map((warning) => problemEvent(warning, 'warning')),
  )
  const whole = await completePlan(read, parts, io)
  // whoever asks for the config gets what there is of it
  if (whole.problem && command !== 'config') throw whole.problem
  return { ...read, ...whole }
}

/** A flag, else a variable of the environment, else the default. */
function choose({ env }: Io, variable: string, flag: string, given: string | undefined, preset: string): Chosen {
  if (given !== undefined) return { value: given, origin: flag }
  const fromEnv = env[variable]
  return fromEnv ? { value: fromEnv, origin: variable } : { value: preset, origin: 'default' }
}
