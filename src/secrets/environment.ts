import type { Given, SecretProvider } from './provider.ts'

/** What the environment is read from. */
export interface EnvironmentParts {
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Values from devkit's own environment, e.g. of a CI run. In the config: `{ environment: {} }`. */
export function environment({ env }: EnvironmentParts): SecretProvider<{ readonly prefix?: string | undefined }> {
  return {
    read: async ({ prefix = '' }, names) => {
      // without a prefix everything in the environment would be meant
      const wanted =
        names ??
        (prefix === '' ? [] : Object.keys(env).flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : [])))
      return new Map(
        wanted.flatMap((name): [string, Given][] => {
          const text = env[prefix + name]
          return text === undefined ? [] : [[name, { text, place: `the variable ${prefix}${name}` }]]
        }),
      )
    },
    wayIn: ({ prefix = '' }, name) => `set the variable ${prefix}${name}`,
    files: () => [],
  }
}
