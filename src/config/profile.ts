import { DevkitError } from '../lib/errors.ts'
import type { Profile, ServiceOverlay } from './profile-schema.ts'
import type { Config } from './schema.ts'

/**
 * The profile of that name with all that it extends laid under it. A profile of the config is laid over the shipped one of the same name.
 * @throws CONFIG-104
 */
export function resolveProfile(
  name: string,
  shipped: Readonly<Record<string, Profile>>,
  own: Config['profiles'],
  seen: readonly string[] = [],
): Profile {
  const layers = [shipped[name], own[name]].filter((profile) => profile !== undefined)
  if (layers.length === 0) {
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
  return layers.reduce<Profile>((under, layer) => {
    const base =
      layer.extends === undefined || layer.extends === name
        ? under
        : overlay(resolveProfile(layer.extends, shipped, own, [...seen, name]), under)
    return overlay(base, layer)
  }, {})
}

/** Every value of `over` that is there, else that of `under`; services one by one, variables one by one. */
function overlay(under: Profile, { extends: _, ...over }: Profile): Profile {
  const names = new Set([...Object.keys(under.services ?? {}), ...Object.keys(over.services ?? {})])
  const services = Object.fromEntries(
    [...names].map((name) => [name, overlayService(under.services?.[name] ?? {}, over.services?.[name] ?? {})]),
  )
  return { ...under, ...over, ...(names.size > 0 ? { services } : {}) }
}

function overlayService(under: ServiceOverlay, over: ServiceOverlay): ServiceOverlay {
  return { ...under, ...over, ...(under.env || over.env ? { env: { ...under.env, ...over.env } } : {}) }
}
