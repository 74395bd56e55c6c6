/** Path of a value → who said it. */
export type Origins = Readonly<Record<string, string>>

/** Who said a value, or else the first that said something in it. */
export function originOf(origins: Origins, path: string): string | undefined {
  return origins[path] ?? Object.entries(origins).find(([below]) => below.startsWith(`${path}.`))?.[1]
}
