import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Directory of the scripts, Go sources and files that the lab is made from. */
export const recipeDirectory = join(import.meta.dirname, 'recipe')

/** Key of everything that is built: a hash of the recipe's files and versions, 16 hex digits. */
export function recipeKey(directory: string = recipeDirectory): string {
  const hash = createHash('sha256')
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  for (const file of files) hash.update(file.slice(directory.length)).update('\0').update(readFileSync(file)).update('\0')
  return hash.digest('hex').slice(0, 16)
}

/** Values of `versions.env`. */
export function versions(): Readonly<Record<string, string>> {
  const lines = readFileSync(join(recipeDirectory, 'versions.env'), 'utf8').split('\n')
  return Object.fromEntries(lines.filter((line) => /^[A-Z]+=/.test(line)).map((line) => line.split('=') as [string, string]))
}

/** Name of the node image that the lab makes. */
export const nodeImage = `devkit/kind-node:v1.${versions()['KUBERNETES']}`

/** Name of the base image that the examples build from. */
export const baseImage = 'debian:bookworm-slim'
