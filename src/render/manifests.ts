import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { ScalarTag } from 'yaml'
import { DevkitError } from '../lib/errors.ts'
import { type KubeObject, type Manifest, placeOf } from '../lib/objects.ts'
import type { Renderer } from './renderer.ts'

/** Plain YAML and JSON: a file, or every file of a directory and below it, in the order of their names. */
export const manifests: Renderer = {
  async render(source, directory, { signal }) {
    const rendered: Manifest[] = []
    for (const file of await filesOf(source, directory)) {
      signal.throwIfAborted()
      rendered.push(...(await read(file, relative(directory, file))))
    }
    return rendered
  },
}

async function filesOf(source: string, directory: string): Promise<readonly string[]> {
  const path = join(directory, source)
  const found = await stat(path).catch(() => undefined)
  if (!found)
    throw new DevkitError('RENDER-103', {
      message: `The manifest source ${source} does not exist.`,
      hint: 'Correct `manifests` in the config.',
    })
  if (!found.isDirectory()) return [path]
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && /\.(ya?ml|json)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

async function read(path: string, file: string): Promise<readonly Manifest[]> {
  const { LineCounter, parseAllDocuments } = await import('yaml')
  const lines = new LineCounter()
  const documents = parseAllDocuments(await readFile(path, 'utf8'), {
    lineCounter: lines,
    customTags: (tags) => [octal, boolean, ...tags],
    merge: true,
    uniqueKeys: true,
  })
  const rendered: Manifest[] = []
  for (const document of Array.isArray(documents) ? documents : []) {
    const error = document.errors[0]
    if (error)
      throw new DevkitError('RENDER-101', {
        message: `${file}:${error.linePos?.[0].line ?? 1}: ${error.message.split('\n')[0]?.replace(/ at line .*/, '')}.`,
        hint: 'Mend the YAML.',
      })
    const line = lines.linePos(document.contents?.range?.[0] ?? 0).line
    const value = document.toJS({ maxAliasCount: 1000 }) as unknown
    // nothing, or comments only, between two lines of dashes
    if (value === null) continue
    for (const object of isList(value) ? value.items : [value])
      rendered.push({ object: checked(object, { file, line }), origin: { file, line } })
  }
  return rendered
}

/** kubectl reads YAML 1.1 octal: `0400` is 256. https://kubernetes.io/docs/concepts/storage/volumes/#secret says "YAML accepts both octal and decimal" */
const octal: ScalarTag = {
  tag: 'tag:yaml.org,2002:int',
  default: true,
  format: 'OCT',
  test: /^[-+]?0[0-7]+$/,
  resolve: (text) => Number.parseInt(text, 8),
}

/** … and its words for booleans, but not `y` and `n`, which are names of axes and of fields. */
const boolean: ScalarTag = {
  tag: 'tag:yaml.org,2002:bool',
  default: true,
  test: /^(yes|Yes|YES|on|On|ON|no|No|NO|off|Off|OFF)$/,
  resolve: (text) => /^(y|on)/i.test(text),
}

function isList(value: unknown): value is { items: readonly unknown[] } {
  const list = value as { kind?: unknown; items?: unknown } | null
  return typeof list === 'object' && list !== null && list.kind === 'List' && Array.isArray(list.items)
}

function checked(value: unknown, origin: Manifest['origin']): KubeObject {
  const object = value as Partial<KubeObject> | null
  const missing =
    typeof object !== 'object' || object === null
      ? 'an object'
      : typeof object.apiVersion !== 'string'
        ? 'apiVersion'
        : typeof object.kind !== 'string'
          ? 'kind'
          : typeof object.metadata?.name !== 'string'
            ? 'metadata.name'
            : undefined
  if (missing === undefined) return object as KubeObject
  throw new DevkitError('RENDER-102', {
    message: `${placeOf(origin)}: not a Kubernetes object: ${missing} is missing.`,
    hint: 'Add it, or leave the file out of `manifests`.',
  })
}
