import { readFile, stat } from 'node:fs/promises'
import { dirname, extname, join, resolve } from 'node:path'
import { DevkitError, messageOf } from '../lib/errors.ts'
import { utf8 } from '../lib/utf8.ts'
import { checkValue, together } from './check.ts'
import { crossCheck } from './cross-check.ts'
import { type Override, placesWithOverrides, withOverrides } from './overrides.ts'
import { type Places, placesInProgram, placesInYaml } from './places.ts'
import type { Profile } from './profile-schema.ts'
import { importConfig } from './program.ts'
import type { Config, ConfigContext } from './schema.ts'

/** What a config file may be, in the order of preference. */
const extensions = ['ts', 'mts', 'js', 'mjs', 'json', 'yaml']

/** How long a config may take that is a program, in ms: one that waits for ever would end the run without a word. */
const programPatienceMs = 60_000

export interface ConfigRequest {
  /** Where the search for the file begins. */
  readonly cwd: string
  /** The file, in place of a search. */
  readonly file?: string | undefined
  readonly context: ConfigContext
  /** The profiles that devkit ships, which those of the config may extend. */
  readonly shipped: Readonly<Record<string, Profile>>
  readonly overrides?: readonly Override[]
  /** How long a program may take to make its config, in ms; default: a minute. */
  readonly patienceMs?: number
  /** Told of each file that is read, also when one cannot be: a change of it is a change of the config. */
  readonly onFile?: (file: string) => void
}

export interface LoadedConfig {
  /** Absolute path of the file. */
  readonly file: string
  /** Its directory: every path in the config is relative to it. */
  readonly directory: string
  readonly config: Config
  /** The value as it is written, with the overrides in it. */
  readonly written: unknown
  /** Where its values are written; reads the files again. */
  readonly places: () => Promise<Places>
  readonly warnings: readonly DevkitError[]
}

/** Finds the nearest config upwards from `cwd` (or takes `file`), reads and checks it. @throws CONFIG-101 … CONFIG-105, PLAN-102 */
export async function loadConfig(request: ConfigRequest): Promise<LoadedConfig> {
  const { cwd, overrides = [], shipped } = request
  const file = request.file === undefined ? await findUpwards(cwd) : await named(resolve(cwd, request.file))
  const files = new Set([file])
  request.onFile?.(file)
  const onFile = (read: string): void => {
    files.add(read)
    request.onFile?.(read)
  }
  const reading = async () => {
    const { value, warnings } = await read(file, request, onFile)
    const written = withOverrides(value, overrides)
    // a value of a program may be one that throws when it is looked at
    return { value, written, warnings, ...checkValue(written) }
  }
  const { value, written, warnings, config, problems } = await reading().catch((cause: unknown) => {
    throw notLoaded(cause, files)
  })
  const places = async (): Promise<Places> => placesWithOverrides(await placesIn([...files]), overrides, value)
  const all = [...problems, ...crossCheck(written, shipped)]
  if (!config || all.length > 0) throw together(all, await places())
  return { file, directory: dirname(file), config, written, places, warnings }
}

async function findUpwards(from: string): Promise<string> {
  for (let directory = resolve(from); ; directory = dirname(directory)) {
    for (const extension of extensions) {
      const file = join(directory, `devkit.config.${extension}`)
      if (await isFile(file)) return file
    }
    if (directory === dirname(directory))
      throw new DevkitError('CONFIG-101', {
        message: `There is no devkit.config.ts in ${from} or above it.`,
        hint: 'Go to the project, name its directory with -C, or write a devkit.config.ts.',
      })
  }
}

async function named(file: string): Promise<string> {
  if (!(await isFile(file)))
    throw new DevkitError('CONFIG-101', { message: `There is no config file ${file}.`, hint: 'Correct --config.' })
  if (extensions.includes(extname(file).slice(1))) return file
  throw new DevkitError('CONFIG-101', {
    message: `${file} is no config file.`,
    hint: `Its name has to end in one of .${extensions.join(', .')}.`,
  })
}

function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
}

interface Read {
  readonly value: unknown
  readonly warnings: readonly DevkitError[]
}

async function read(
  file: string,
  { context, patienceMs = programPatienceMs }: ConfigRequest,
  onFile: (file: string) => void,
): Promise<Read> {
  if (isData(file)) return { value: await readData(file), warnings: [] }
  const run = async (): Promise<Read> => {
    const { value, warnings } = await importConfig(file, onFile)
    return {
      value: typeof value === 'function' ? await (value as (context: ConfigContext) => unknown)(context) : value,
      warnings,
    }
  }
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => late.reject(new Error(`it has made no config within ${patienceMs / 1000} s: something that it awaits never comes`)),
    patienceMs,
  )
  return Promise.race([run(), late.promise]).finally(() => clearTimeout(timer))
}

/** What keeps a config from being read, with its place. */
function notLoaded(cause: unknown, files: ReadonlySet<string>): DevkitError {
  if (cause instanceof DevkitError) return cause
  return new DevkitError('CONFIG-102', {
    message: `${placeOfFailure(cause, files)}: ${messageOf(cause).split('\n')[0]?.replace(/[.:]$/, '')}.`,
    hint: 'Mend the file: it cannot be loaded.',
    cause,
  })
}

function isData(file: string): boolean {
  return /\.(json|ya?ml)$/.test(file)
}

async function readData(file: string): Promise<unknown> {
  const text = utf8(await readFile(file))
  if (extname(file) === '.json') return parseJson(text)
  const document = (await import('yaml')).parseDocument(text, { merge: true, logLevel: 'error' })
  // a tag that nobody knows is only warned of, and means something else than it says
  const [problem] = [...document.errors, ...document.warnings]
  if (problem?.code === 'MULTIPLE_DOCS') throw Object.assign(problem, { message: 'there is a second document' })
  if (problem) throw problem
  return document.toJS() as unknown
}

/** JSON whose failure says its line, which JSON.parse does not do at the end of the text. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const [, line, column] = /\(line (\d+) column (\d+)\)/.exec(messageOf(cause)) ?? []
    const lines = text.split('\n')
    const linePos = [{ line: Number(line ?? lines.length), col: Number(column ?? (lines.at(-1)?.length ?? 0) + 1) }]
    const message = messageOf(cause).replace(/ (?:in JSON )?at position \d+.*/s, '')
    throw Object.assign(new SyntaxError(message), { linePos })
  }
}

async function placesIn(files: readonly string[]): Promise<Places> {
  const [file = ''] = files
  if (isData(file)) return placesInYaml(utf8(await readFile(file)), file)
  const programs = files.filter((one) => /\.[cm]?[jt]s$/.test(one))
  return placesInProgram(new Map(await Promise.all(programs.map(async (one) => [one, await readFile(one, 'utf8')] as const))))
}

/** `file:line:column` where a config failed, also when that is in a file that it imports; the beginning when nothing tells. */
function placeOfFailure(cause: unknown, files: ReadonlySet<string>): string {
  const [file = ''] = files
  const { stack = '', linePos } = (cause instanceof Error ? cause : {}) as {
    readonly stack?: string
    /** Of the yaml parser. */
    readonly linePos?: readonly { readonly line: number; readonly col: number }[]
  }
  if (linePos?.[0]) return `${file}:${linePos[0].line}:${linePos[0].col}`
  // a syntax error stands above its stack as PATH:LINE, a throw inside it as (file://PATH?load=N:LINE:COLUMN)
  for (const [, path = '', line, column = '1'] of stack.matchAll(
    /(?:file:\/\/|\(|^)(\/[^\n?)]*?)(?:\?load=\d+)?:(\d+)(?::(\d+))?\)?$/gm,
  ))
    if (files.has(decodeURI(path))) return `${decodeURI(path)}:${line}:${column}`
  const [, json = '', row, column] = /^(\/.*\.json): .*\(line (\d+) column (\d+)\)/.exec(messageOf(cause)) ?? []
  if (files.has(json)) return `${json}:${row}:${column}`
  const importer = / imported from (\/.*)$/m.exec(messageOf(cause))?.[1] ?? ''
  return `${files.has(importer) ? importer : file}:1:1`
}
