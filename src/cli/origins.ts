import { relative } from 'node:path'
import { isWritten } from '../config/overrides.ts'
import { type Path, type Place, shownPlace } from '../config/places.ts'
import type { ShownConfig } from '../events/config.ts'
import { isRecord } from '../lib/record.ts'
import { pathInConfig, saidBy, type WholeLoadedPlan } from './plan.ts'

/** What is resolved, and where each value of it comes from: a place, a flag, a variable, a profile, the manifests, a default. */
export async function shownConfig(read: WholeLoadedPlan): Promise<ShownConfig> {
  const { loaded, plan, profile, env, inferred } = read
  const { file, directory, written } = loaded
  const places = await loaded.places()
  const show = (place: Place): string =>
    shownPlace({ ...place, file: place.line === 0 ? place.file : relative(directory, place.file) })
  const originOf = (path: Path, value: unknown): string => {
    const found = inferred.find((one) => one.path.every((key, index) => path[index] === key))
    if (found) return `inferred from ${found.from}`
    return isWritten(written, path) ? show(places(path, value).value) : 'default'
  }
  const originInProfile = (path: Path): string => {
    const [name = 'default', own] = [saidBy(plan, path), pathInConfig(read, path)]
    return own ? `${name}, ${show(places(own).value)}` : name
  }
  const { $schema: _, profiles: __, ...config } = loaded.config
  const services = Object.fromEntries(
    plan.services.map(({ name, ports, ...service }) => [
      name,
      { ...service, ports: ports.map(({ port, host }) => ({ port, host })) },
    ]),
  )
  const whole = { ...config, services }
  const origins = [
    ['profile', profile.origin],
    ['env', env.origin],
    ...leavesOf(whole).map(({ path, value }) => [path.join('.'), originOf(path, value)]),
    ...leavesOf(plan.profile).map(({ path }) => [['profile', ...path].join('.'), originInProfile(path)]),
  ]
  return {
    file,
    config: { ...whole, profiles: loaded.config.profiles },
    plan: { ...plan, services: [...plan.services] },
    origins: Object.fromEntries(origins),
  }
}

/** Path, value and origin of every value, in the order of the config. */
export function rowsOf(
  { plan }: WholeLoadedPlan,
  { config: { profiles: _, ...config }, origins }: ShownConfig,
): readonly (readonly string[])[] {
  const row = (path: string, value: unknown): readonly string[] => [
    path,
    typeof value === 'string' ? value : typeof value === 'function' ? 'a function' : JSON.stringify(value),
    origins[path] ?? '',
  ]
  return [
    row('profile', plan.profileName),
    row('env', plan.env),
    ...leavesOf(config).map(({ path, value }) => row(path.join('.'), value)),
    ...leavesOf(plan.profile).map(({ path, value }) => row(['profile', ...path].join('.'), value)),
  ]
}

interface Leaf {
  readonly path: Path
  readonly value: unknown
}

/** The values at the ends of an object; a list of words is one value. */
function leavesOf(value: unknown, path: Path = []): readonly Leaf[] {
  if (value === undefined) return []
  const inner = isRecord(value) || (Array.isArray(value) && value.some((item) => !isWord(item))) ? Object.entries(value) : []
  return inner.length === 0 ? [{ path, value }] : inner.flatMap(([key, one]) => leavesOf(one, [...path, key]))
}

function isWord(value: unknown): boolean {
  return typeof value !== 'object' && typeof value !== 'function'
}
