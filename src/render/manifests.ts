import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { ScalarTag } from 'yaml'
import { DevkitError } from '../lib/errors.ts'
import { isWorkload, type KubeObject, type Manifest, nameOf, placeOf } from '../lib/objects.ts'
import type { Renderer } from './renderer.ts'

/** Plain YAML and JSON: a file, or every file of a directory and below it, in the order of their names. */
export const manifests: Renderer = {
  async render(source, directory, { signal }) {
    const all: Manifest[] = []
    const wrong: DevkitError[] = []
    for (const file of await filesOf(source, directory)) {
      signal.throwIfAborted()
      const { rendered, problems } = await read(file, relative(directory, file))
      all.push(...rendered)
      wrong.push(...problems)
    }
    const problem = together(wrong)
    if (problem) throw problem
    return all
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

async function read(path: string, file: string): Promise<{ readonly rendered: Manifest[]; readonly problems: DevkitError[] }> {
  const { isMap, isNode, LineCounter, parseAllDocuments } = await import('yaml')
  const lines = new LineCounter()
  const documents = parseAllDocuments(await readFile(path, 'utf8'), {
    lineCounter: lines,
    customTags: (tags) => [octal, boolean, ...tags],
    merge: true,
    uniqueKeys: true,
  })
  const rendered: Manifest[] = []
  const problems: DevkitError[] = []
  for (const document of Array.isArray(documents) ? documents : []) {
    if (document.errors.length > 0) {
      problems.push(...document.errors.map((error) => invalid(file, error)))
      continue
    }
    const line = lines.linePos(document.contents?.range?.[0] ?? 0).line
    // an alias of nothing and its like are told only when the values are made
    const value = attempt(() => document.toJS({ maxAliasCount: 1000 }) as unknown)
    if (value instanceof Error) {
      problems.push(invalid(file, { message: value.message, linePos: [{ line }] }))
      continue
    }
    // nothing, or comments only, between two lines of dashes
    if (value === null) continue
    const lineOf = (keys: readonly (string | number)[]): number | undefined => {
      const parent = keys.length > 1 ? document.getIn(keys.slice(0, -1), true) : document.contents
      const pair = isMap(parent) ? parent.items.find(({ key }) => String(key) === String(keys.at(-1))) : undefined
      const node = pair?.key ?? document.getIn(keys, true)
      return isNode(node) && node.range ? lines.linePos(node.range[0]).line : undefined
    }
    const inList = isList(value)
    for (const [index, object] of (inList ? value.items : [value]).entries()) {
      const within = inList ? ['items', index] : []
      const origin: Manifest['origin'] = {
        file,
        line: (inList ? lineOf(within) : undefined) ?? line,
        lineAt: (keys) => lineOf([...within, ...keys]),
      }
      const checked = checkObject(object, origin)
      if (checked instanceof DevkitError) problems.push(checked)
      else rendered.push({ object: checked, origin })
    }
  }
  return { rendered, problems }
}

function invalid(
  file: string,
  { message, linePos }: { message: string; linePos?: readonly [{ line: number }, ...unknown[]] },
): DevkitError {
  return new DevkitError('RENDER-101', {
    message: `${file}:${linePos?.[0].line ?? 1}: ${message
      .split('\n')[0]
      ?.replace(/ at line .*/, '')
      .replace(/[.:]$/, '')}.`,
    hint: 'Mend the YAML.',
  })
}

function attempt<T>(work: () => T): T | Error {
  try {
    return work()
  } catch (thrown) {
    return thrown instanceof Error ? thrown : new Error(String(thrown))
  }
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

function checkObject(value: unknown, origin: Manifest['origin']): KubeObject | DevkitError {
  const object = value as Partial<KubeObject> | null
  const missing =
    typeof object !== 'object' || object === null || Array.isArray(object)
      ? 'an object'
      : typeof object.apiVersion !== 'string'
        ? 'apiVersion'
        : typeof object.kind !== 'string'
          ? 'kind'
          : typeof object.metadata?.name !== 'string'
            ? 'metadata.name'
            : undefined
  if (missing === undefined) return wrongShape(object as KubeObject, origin) ?? (object as KubeObject)
  return new DevkitError('RENDER-102', {
    message: `${placeOf(origin)}: not a Kubernetes object: ${missing} is missing.`,
    hint: 'Add it, or leave the file out of `manifests`.',
  })
}

/** What devkit itself reads of a workload or a Service has to have the shape that it reads; the rest is the API server's to judge. */
function wrongShape(object: KubeObject, origin: Manifest['origin']): DevkitError | undefined {
  const isMap = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)
  const at = (path: readonly string[]): unknown =>
    path.reduce<unknown>((value, key) => (isMap(value) ? (value as Record<string, unknown>)[key] : undefined), object)
  const say = (path: readonly string[], expected: string): DevkitError => {
    // the nearest thing that is there
    const line = path.map((_, index) => origin.lineAt?.(path.slice(0, path.length - index))).find((found) => found !== undefined)
    return new DevkitError('RENDER-102', {
      message: `${placeOf({ ...origin, line: line ?? origin.line })}: ${nameOf(object)}: ${path.join('.')} has to be ${expected}.`,
      hint: 'Correct the manifest.',
      object: nameOf(object),
    })
  }
  for (const path of [
    ['metadata', 'labels'],
    ['metadata', 'annotations'],
  ])
    if (at(path) !== undefined && at(path) !== null && !isMap(at(path))) return say(path, 'names and values')
  if (object.kind === 'Service' && object.apiVersion === 'v1' && !isMap(object['spec'])) return say(['spec'], 'there')
  if (!isWorkload(object)) return undefined
  const pod = {
    Pod: ['spec'],
    CronJob: ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
  }[object.kind] ?? ['spec', 'template', 'spec']
  if (!isMap(at(pod))) return say(pod, 'there')
  for (const [list, isNeeded] of [
    ['containers', true],
    ['initContainers', false],
  ] as const) {
    const containers = at([...pod, list])
    if (!isNeeded && (containers === undefined || containers === null)) continue
    if (!Array.isArray(containers) || containers.length === 0 || !containers.every(isMap))
      return say([...pod, list], 'a list of containers')
  }
  return undefined
}

/** One problem as it is; several as one, with all their lines. */
function together(problems: readonly DevkitError[]): DevkitError | undefined {
  const [first, ...others] = problems
  if (!first || others.length === 0) return first
  return new DevkitError(first.code, {
    message: `${problems.length} problems in the manifests:\n${problems.map(({ message }) => message).join('\n')}`,
    hint: [...new Set(problems.map(({ hint }) => hint))].join(' '),
  })
}
