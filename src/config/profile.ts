import { DevkitError } from '../lib/errors.ts'
import type { Origins } from '../lib/origins.ts'
import { isRecord } from '../lib/record.ts'
import type { Profile } from './profile-schema.ts'
import type { Config } from './schema.ts'

/** A profile with all that it extends laid under it. */
export interface ResolvedProfile {
  readonly profile: Profile
  /** Path of a value, such as `cpuLimits` or `services.web.env.DEBUG` → the profile that said it: `dev`, or `dev (shipped)`. */
  readonly origins: Origins
}

/**
 * The profile of that name with all that it extends laid under it, the last that it names on top. A profile of the config is laid over the
 * shipped one of the same name.
 * @throws CONFIG-104
 */
export function resolveProfile(
  name: string,
  shipped: Readonly<Record<string, Profile>>,
  own: Config['profiles'],
): ResolvedProfile {
  const layers = layersOf(name, shipped, own, [])
  const origins: Record<string, string> = {}
  const profile = layers.reduce<unknown>((under, { values, label }) => laid(under, values, { path: '', label, origins }), {})
  return { profile: profile as Profile, origins }
}

interface Layer {
  readonly label: string
  readonly values: Omit<Profile, 'extends'>
}

/** What lies under and in a profile, the lowest first. */
function layersOf(
  name: string,
  shipped: Readonly<Record<string, Profile>>,
  own: Config['profiles'],
  seen: readonly string[],
): readonly Layer[] {
  const found = [
    { label: `${name} (shipped)`, profile: Object.hasOwn(shipped, name) ? shipped[name] : undefined },
    { label: name, profile: Object.hasOwn(own, name) ? own[name] : undefined },
  ].flatMap(({ label, profile }) => (profile ? [{ label, profile }] : []))
  if (found.length === 0) {
    const known = [...new Set([...Object.keys(shipped), ...Object.keys(own)])].sort().join(', ')
    throw new DevkitError('CONFIG-104', {
      message: `There is no profile '${name}'.`,
      hint: `Use one of ${known}, or add profiles.${name} to the config.`,
    })
  }
  if (seen.includes(name))
    throw new DevkitError('CONFIG-104', {
      message: `The profile '${name}' extends itself: ${[...seen, name].join(' → ')}.`,
      hint: 'Remove one `extends`.',
    })
  const extended = found
    .flatMap(({ profile }) => profile.extends ?? [])
    // the shipped one of the same name is there anyway
    .filter((base) => base !== name || found.length === 1)
    .flatMap((base) => layersOf(base, shipped, own, [...seen, name]))
  return [...extended, ...found.map(({ label, profile: { extends: _, ...values } }) => ({ label, values }))]
}

interface Place {
  readonly path: string
  readonly label: string
  /** Written to. */
  readonly origins: Record<string, string>
}

/** What is said on `under`: names and values one by one; a list of rules is lengthened, one with the `name` of an earlier one takes its place. */
function laid(under: unknown, said: unknown, place: Place): unknown {
  if (said === undefined) return under
  const over = typeof said === 'function' ? [said] : said
  const at = (name: string | number): Place => ({ ...place, path: place.path === '' ? `${name}` : `${place.path}.${name}` })
  if (isRecord(over)) {
    const below = isRecord(under) ? under : {}
    delete place.origins[place.path]
    const names = Object.keys(over)
    return { ...below, ...Object.fromEntries(names.map((name) => [name, laid(below[name], over[name], at(name))])) }
  }
  if (!isRules(over)) {
    for (const path of Object.keys(place.origins)) if (path.startsWith(`${place.path}.`)) delete place.origins[path]
    place.origins[place.path] = place.label
    return over
  }
  const rules = isRules(under) ? [...under] : []
  for (const rule of over) {
    const name = nameIn(rule)
    const same = rules.findIndex((one) => name !== undefined && nameIn(one) === name)
    const index = same === -1 ? rules.length : same
    rules[index] = rule
    // found by its place in the list and by its name
    for (const key of [index, name ?? index]) place.origins[at(key).path] = place.label
  }
  return rules
}

/** A list of rules, not of words. */
function isRules(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => isRecord(item) || typeof item === 'function')
}

function nameIn(rule: unknown): string | undefined {
  return isRecord(rule) && typeof rule['name'] === 'string' ? rule['name'] : undefined
}
