import { DevkitError } from '../lib/errors.ts'
import type { Path, Places } from './places.ts'

/** A value that the command line gives: `--set services.web.ports.0.host=8081`. */
export interface Override {
  readonly path: Path
  readonly value: unknown
}

/** Reads `PATH=VALUE`, the value as YAML. @throws CONFIG-001 */
export async function parseOverride(text: string): Promise<Override> {
  const [, path, value = ''] = /^([^=]+)=(.*)$/s.exec(text) ?? []
  const keys = path?.split('.') ?? []
  if (keys.length === 0 || keys.some((key) => key === '' || key === '__proto__'))
    throw wrong(`--set ${text} is no PATH=VALUE.`, 'Write it as --set services.web.ports.0.host=8081.')
  const { parse } = await import('yaml')
  try {
    return { path: keys, value: parse(value) as unknown }
  } catch (cause) {
    throw wrong(`The value of --set ${text} is no YAML.`, 'Quote it for the shell and for YAML.', cause)
  }
}

/** The value with the overrides in it; what they lead through is made where it is not there. @throws CONFIG-001 */
export function withOverrides(written: unknown, overrides: readonly Override[]): unknown {
  return overrides.reduce((value, override) => put(value, override, 0), written)
}

function put(inside: unknown, override: Override, depth: number): unknown {
  const { path, value } = override
  const key = path[depth]
  if (key === undefined) return value
  if (Array.isArray(inside)) {
    const index = Number(key)
    if (!/^\d+$/.test(key) || index > inside.length)
      throw wrong(
        `--set ${path.join('.')}: ${path.slice(0, depth).join('.')} is a list of ${inside.length}, which has no ${key}.`,
        `Write a number from 0 to ${inside.length}.`,
      )
    return inside.toSpliced(index, 1, put(inside[index], override, depth + 1))
  }
  // no name of the config is a number
  if (inside === undefined && key === '0') return [put(undefined, override, depth + 1)]
  if (inside === undefined || (typeof inside === 'object' && inside !== null)) {
    const names = (inside ?? {}) as Readonly<Record<string, unknown>>
    return { ...names, [key]: put(Object.hasOwn(names, key) ? names[key] : undefined, override, depth + 1) }
  }
  throw wrong(
    `--set ${path.join('.')}: ${path.slice(0, depth).join('.') || 'the config'} has no names below it.`,
    'Correct the path; `devkit config` shows all.',
  )
}

/** Places of a value that has overrides: what a flag gives, or made in `written` on its way, has the flag as its place. */
export function placesWithOverrides(places: Places, overrides: readonly Override[], written: unknown): Places {
  return (path, value) => {
    const leads = (one: Override): boolean => path.every((key, index) => one.path[index] === key)
    const override = overrides.findLast(
      (one) => one.path.every((key, index) => path[index] === key) || (leads(one) && !isWritten(written, path)),
    )
    if (!override) return places(path, value)
    const flag = { file: `--set ${override.path.join('.')}`, line: 0, column: 0 }
    return { key: flag, value: flag }
  }
}

/** Whether a path is written in a value. */
export function isWritten(value: unknown, path: Path): boolean {
  let inside = value
  for (const key of path) {
    if (typeof inside !== 'object' || inside === null || !Object.hasOwn(inside, key)) return false
    inside = (inside as Readonly<Record<string, unknown>>)[key]
  }
  return inside !== undefined
}

function wrong(message: string, hint: string, cause?: unknown): DevkitError {
  return new DevkitError('CONFIG-001', { message, hint, cause })
}
