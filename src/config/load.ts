import { access, readFile } from 'node:fs/promises'
import { registerHooks } from 'node:module'
import { dirname, extname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as v from 'valibot'
import { DevkitError, messageOf } from '../lib/errors.ts'
import { nearest } from '../lib/nearest.ts'
import { type Config, configSchema, notYet } from './schema.ts'

/** Names of a config file, in the order of preference. */
const fileNames = ['ts', 'mts', 'js', 'mjs', 'json', 'yaml'].map((extension) => `devkit.config.${extension}`)

export interface LoadedConfig {
  /** Absolute path of the file. */
  readonly file: string
  /** Its directory: every path in the config is relative to it. */
  readonly directory: string
  readonly config: Config
}

/** Finds the nearest config upwards from `cwd` (or takes `file`), reads and checks it. @throws CONFIG-101, CONFIG-102, CONFIG-103, CONFIG-105 */
export async function loadConfig({
  cwd,
  file,
}: {
  readonly cwd: string
  readonly file?: string | undefined
}): Promise<LoadedConfig> {
  const found = file === undefined ? await findUpwards(cwd) : resolve(cwd, file)
  if (found === undefined)
    throw new DevkitError('CONFIG-101', {
      message: `There is no devkit.config.ts in ${cwd} or above it.`,
      hint: 'Go to the project, name its directory with -C, or write a devkit.config.ts.',
    })
  const value = await read(found)
  return { file: found, directory: dirname(found), config: await check(value, found) }
}

async function findUpwards(from: string): Promise<string | undefined> {
  for (let directory = resolve(from); ; directory = dirname(directory)) {
    for (const name of fileNames) {
      const file = join(directory, name)
      if (
        await access(file).then(
          () => true,
          () => false,
        )
      )
        return file
    }
    if (directory === dirname(directory)) return undefined
  }
}

async function read(file: string): Promise<unknown> {
  try {
    const extension = extname(file)
    if (extension === '.json') return JSON.parse(await readFile(file, 'utf8'))
    if (extension === '.yaml' || extension === '.yml') {
      const { parse } = await import('yaml')
      return parse(await readFile(file, 'utf8'))
    }
    return await importConfig(file)
  } catch (cause) {
    if (cause instanceof DevkitError) throw cause
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT')
      throw new DevkitError('CONFIG-101', { message: `There is no config file ${file}.`, hint: 'Correct --config.', cause })
    throw new DevkitError('CONFIG-102', {
      message: `${placeOfFailure(cause, file)}: ${messageOf(cause).split('\n')[0]?.replace(/[.:]$/, '')}.`,
      hint: 'Mend the file: it cannot be loaded.',
      cause,
    })
  }
}

let loads = 0

/** Imports the file by Node's own type stripping. `devkit` inside it is this program, whatever is or is not in node_modules. */
async function importConfig(file: string): Promise<unknown> {
  const own = new URL(import.meta.url.endsWith('.ts') ? '../index.ts' : './index.js', import.meta.url).href
  const hooks = registerHooks({
    resolve: (specifier, context, next) => (specifier === 'devkit' ? { url: own, shortCircuit: true } : next(specifier, context)),
    // a package of type commonjs, as `npm init` makes it, must not decide how a devkit.config.ts is read
    load: (url, context, next) =>
      next(
        url,
        /\.ts(\?|$)/.test(url) && !url.includes('/node_modules/') ? { ...context, format: 'module-typescript' } : context,
      ),
  })
  try {
    // the query makes a reload a new module
    const module = (await import(`${pathToFileURL(file).href}?load=${loads++}`)) as { default?: unknown }
    if (module.default === undefined)
      throw new DevkitError('CONFIG-102', {
        message: `${file} has no default export.`,
        hint: 'Write `export default defineConfig({ … })`.',
      })
    return module.default
  } finally {
    hooks.deregister()
  }
}

/** `file:line` where a config failed, also when that is in a file that it imports; the file alone when nothing tells. */
function placeOfFailure(cause: unknown, file: string): string {
  const {
    message = '',
    stack = '',
    linePos,
  } = (cause instanceof Error ? cause : {}) as {
    readonly message?: string
    readonly stack?: string
    /** Of the yaml parser. */
    readonly linePos?: readonly { readonly line: number }[]
  }
  if (linePos?.[0]) return `${file}:${linePos[0].line}`
  const ofJson = /\(line (\d+) column \d+\)/.exec(message)?.[1]
  if (ofJson !== undefined) return `${file}:${ofJson}`
  // JSON that ends too early
  if (/JSON/.test(message)) return file
  // a syntax error stands above its stack as PATH:LINE, a throw inside it as (file://PATH?load=N:LINE:COLUMN)
  const found =
    /^(?:file:\/\/)?(\/[^\n?]*?)(?:\?load=\d+)?:(\d+)$/m.exec(stack) ??
    /(?:file:\/\/)(\/[^\n?)]*?)(?:\?load=\d+)?:(\d+):\d+\)?$/m.exec(stack)
  return found?.[1] === undefined || /node_modules|\/dist\//.test(found[1]) ? file : `${decodeURI(found[1])}:${found[2]}`
}

async function check(value: unknown, file: string): Promise<Config> {
  const result = v.safeParse(configSchema, value)
  if (result.success) return result.output
  const lineOf = await linesIn(await readFile(file, 'utf8'), file)
  const problems = result.issues.flatMap((issue) => describe(issue, lineOf, file)).toSorted((a, b) => a.line - b.line)
  const later = problems.find((problem) => problem.notYet)
  if (later)
    throw new DevkitError('CONFIG-105', { message: later.text, hint: 'Use `cluster: { kind: {} }` and plain manifests for now.' })
  const lines = problems.map((problem) => problem.text)
  throw new DevkitError('CONFIG-103', {
    message: lines.length === 1 ? (lines[0] ?? '') : `${lines.length} values are wrong:\n${lines.join('\n')}`,
    hint: `Correct ${file}.`,
  })
}

type Issue = v.BaseIssue<unknown>

/** The line of a path in the file, from 1. */
type LineOf = (path: readonly string[]) => number

interface Described {
  readonly line: number
  readonly text: string
  readonly notYet: boolean
}

/** An issue as `file:line: path: what was expected`, with the nearest right word for an unknown name. */
function describe(issue: Issue, lineOf: LineOf, file: string): Described[] {
  const keys = (issue.path ?? []).map((part) => String(part.key))
  // a union reports itself first; what is wrong inside it says more
  if (issue.type === 'union' && issue.issues)
    return issue.issues.flatMap((inner) =>
      describe({ ...inner, path: [...(issue.path ?? []), ...(inner.path ?? [])] } as Issue, lineOf, file),
    )
  const path = keys.join('.')
  const soon = Object.entries(notYet).find(
    ([name]) =>
      keys.filter((key) => !/^\d+$/.test(key)).join('.') === name ||
      (name.startsWith('manifests.') &&
        keys[0] === 'manifests' &&
        isObject(issue.input) &&
        (name.split('.')[1] ?? '') in issue.input),
  )
  const line = lineOf(keys)
  const place = `${file}:${line}`
  if (soon) return [{ line, text: `${place}: ${soon[1]} (${soon[0]}) are not supported yet.`, notYet: true }]
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    const known = knownKeys(keys.slice(0, -1))
    const better = nearest(keys.at(-1) ?? '', known)
    return [
      {
        line,
        text: `${place}: ${path}: unknown name${better ? `; did you mean '${better}'?` : known.length > 0 ? `; known are ${known.join(', ')}` : ''}`,
        notYet: false,
      },
    ]
  }
  const missing = issue.input === undefined
  const expected = /^Invalid /.test(issue.message) ? `expected ${issue.expected ?? 'another value'}` : issue.message
  return [
    {
      line,
      text: `${place}: ${path || '(config)'}: ${missing ? 'missing; ' : ''}${expected}${missing ? '' : `, got ${JSON.stringify(issue.input)?.slice(0, 60)}`}`,
      notYet: false,
    },
  ]
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** The names that the schema knows at a path. */
function knownKeys(path: readonly string[]): readonly string[] {
  interface Node {
    readonly type: string
    readonly wrapped?: Node
    readonly getter?: (input: unknown) => Node
    readonly entries?: Readonly<Record<string, Node>>
    readonly value?: Node
    readonly item?: Node
    readonly options?: readonly Node[]
  }
  // which variant is meant is told by the names below it
  const named = Object.fromEntries(path.map((key) => [key, undefined]))
  const unwrap = (node: Node | undefined): Node | undefined => {
    const inner = node?.wrapped ?? node?.getter?.(named)
    return inner ? unwrap(inner) : node
  }
  let node = unwrap(configSchema as unknown as Node)
  for (const key of path) {
    const inside: Node | undefined = node?.type === 'union' ? unwrap(node.options?.[0]) : node
    node = unwrap(inside?.entries?.[key] ?? inside?.value ?? inside?.item)
  }
  return Object.keys((node?.type === 'union' ? unwrap(node.options?.[0]) : node)?.entries ?? {})
}

/** Where a path stands in the file: exactly in YAML and JSON; in a program by looking for the names one after the other, from the first line on. */
async function linesIn(text: string, file: string): Promise<LineOf> {
  if (!/\.(json|ya?ml)$/.test(file)) return (path) => lineByNames(text, path)
  const { isMap, isNode, LineCounter, parseDocument } = await import('yaml')
  const counter = new LineCounter()
  const document = parseDocument(text, { lineCounter: counter })
  const lineAt = (path: readonly string[]): number | undefined => {
    if (path.length === 0) return 1
    const parent = path.length > 1 ? document.getIn(path.slice(0, -1), true) : document.contents
    const pair = isMap(parent) ? parent.items.find(({ key }) => String(key) === String(path.at(-1))) : undefined
    const node = pair?.key ?? document.getIn(path, true)
    // what is missing is told at what it is missing in
    return isNode(node) && node.range ? counter.linePos(node.range[0]).line : lineAt(path.slice(0, -1))
  }
  return (path) => lineAt(path) ?? 1
}

function lineByNames(text: string, path: readonly string[]): number {
  let at = 0
  for (const [index, key] of path.entries()) {
    if (/^\d+$/.test(key)) continue
    const name = new RegExp(`(^|[\\s{,'"])${key.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}['"]?\\s*:`, 'm')
    // the name in the second item of a list is the second of that name
    const before = path[index - 1]
    for (let count = before !== undefined && /^\d+$/.test(before) ? Number(before) : 0; count >= 0; count--) {
      const found = name.exec(text.slice(at))
      if (!found) break
      at += found.index + found[0].length
    }
  }
  return text.slice(0, at).split('\n').length
}
