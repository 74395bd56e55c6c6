import * as v from 'valibot'
import { DevkitError, type ProblemCode } from '../lib/errors.ts'
import { nearest } from '../lib/nearest.ts'
import type { Path, Places } from './places.ts'
import { shownPlace } from './places.ts'
import { type Config, configSchema, notYet } from './schema.ts'

/** Something wrong in a config. */
export interface ConfigProblem {
  readonly code: ProblemCode
  readonly path: Path
  /** Whether the name is wrong, or what it has. */
  readonly at: 'key' | 'value'
  /** The value that is wrong, where its writing tells the place. */
  readonly value?: unknown
  /** What is wrong, without the place and the path. */
  readonly says: string
  readonly hint?: string
}

/** The config that a value is, or what keeps it from being one. */
export function checkValue(value: unknown): { readonly config?: Config; readonly problems: readonly ConfigProblem[] } {
  const result = v.safeParse(configSchema, value)
  if (result.success) return { config: result.output, problems: [] }
  const problems = result.issues.flatMap((issue) => describe(issue))
  // what is to come is not wrong: what is missing in its place is not either
  const soon = problems.filter(({ code }) => code === 'CONFIG-105')
  return { problems: soon.length > 0 ? soon : problems }
}

/** All problems as one, each with its place, in the order of the text. */
export function together(problems: readonly ConfigProblem[], places: Places): DevkitError {
  const told = problems
    .map((problem) => ({ ...problem, place: places(problem.path, problem.value)[problem.at] }))
    .toSorted((a, b) => a.place.line - b.place.line || a.place.column - b.place.column)
  const lines = [
    ...new Set(
      told.map(
        ({ place, path, says }) =>
          `${shownPlace(place)}: ${path.join('.') || '(config)'}: ${says}${says.endsWith('?') ? '' : '.'}`,
      ),
    ),
  ]
  const codes = new Set(problems.map(({ code }) => code))
  const [code = 'CONFIG-103'] = codes
  const hints = new Set(told.map(({ hint, place }) => hint ?? `Correct ${place.file}.`))
  return new DevkitError(codes.size === 1 ? code : 'CONFIG-103', {
    message: lines.length === 1 ? (lines[0] ?? '') : `${lines.length} values are wrong:\n${lines.join('\n')}`,
    hint: [...hints].join(' '),
  })
}

type Issue = v.BaseIssue<unknown>

/** What an issue of the validator means, with the nearest right word for an unknown name or a wrong choice. */
function describe(issue: Issue): readonly ConfigProblem[] {
  const path = (issue.path ?? []).map((part) => String(part.key))
  if (issue.type === 'union' && issue.issues) {
    // a union reports itself first; what is wrong inside the variant that was meant says more
    const inner = issue.issues.map((one) => ({ ...one, path: [...(issue.path ?? []), ...(one.path ?? [])] }) as Issue)
    const deeper = inner.filter((one) => (one.path?.length ?? 0) > path.length && !isMissingName(one))
    if (deeper.length > 0) return deeper.flatMap(describe)
  }
  const problem = { code: 'CONFIG-103', path, at: 'value', value: issue.input } as const
  const soon = notYet[path.join('.')]
  if (soon !== undefined)
    return [
      { ...problem, code: 'CONFIG-105', says: `${soon} are not supported yet`, hint: 'Use `cluster: { kind: {} }` for now.' },
    ]
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    const known = knownNames(path.slice(0, -1))
    return [{ ...problem, at: 'key', says: `unknown name${suggestion(path.at(-1) ?? '', known)}` }]
  }
  if (issue.input === undefined) {
    const about = schemaAt(path)
    const says = about && v.getDescription(about as unknown as v.GenericSchema)
    return [
      { ...problem, at: 'key', says: says ? `missing. ${says.replace(/\.$/, '')}` : `missing; expected ${expectedBy(issue)}` },
    ]
  }
  const choices = typeof issue.input === 'string' ? choicesIn(schemaAt(path)) : []
  return [
    {
      ...problem,
      says: `${/^Invalid /.test(issue.message) ? `expected ${expectedBy(issue)}` : issue.message}, got ${shown(issue.input)}${
        choices.length > 0 ? suggestion(String(issue.input), choices, '') : ''
      }`,
    },
  ]
}

function isMissingName({ type, expected, input }: Issue): boolean {
  return type === 'strict_object' && expected !== 'never' && input === undefined
}

function suggestion(word: string, known: readonly string[], otherwise = `; known are ${known.join(', ')}`): string {
  const better = nearest(word, known)
  if (better !== undefined) return `; did you mean '${better}'?`
  return known.length > 0 ? otherwise : ''
}

/** The validator's word for a type as people say it. */
function expectedBy({ expected }: Issue): string {
  return (expected ?? 'another value')
    .replaceAll('Object', 'names and values')
    .replaceAll('Array', 'a list')
    .replace(/^\((.*)\)$/, '$1')
}

/** A value as a message shows it; whatever a program's config may hold. */
function shown(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  try {
    return JSON.stringify(value)?.slice(0, 60) ?? String(value)
  } catch {
    return typeof value === 'bigint' ? `${value}n` : 'a value that is no data'
  }
}

/** A schema as its parts are found by name. */
interface Schema {
  readonly type: string
  readonly wrapped?: Schema
  readonly entries?: Readonly<Record<string, Schema>>
  readonly value?: Schema
  readonly item?: Schema
  readonly options?: readonly unknown[]
}

/** The schema of a path, the first where there are several. */
function schemaAt(path: Path): Schema | undefined {
  let schema: Schema | undefined = configSchema as unknown as Schema
  for (const key of path)
    schema = [...leaves(schema)].map((one) => one.entries?.[key] ?? one.value ?? one.item).find((one) => one !== undefined)
  return schema
}

/** The names that the schema knows at a path. */
function knownNames(path: Path): readonly string[] {
  return [...leaves(schemaAt(path))].flatMap(({ entries }) => Object.keys(entries ?? {}))
}

/** The words that a value may be. */
function choicesIn(schema: Schema | undefined): readonly string[] {
  return [...leaves(schema)].flatMap(({ type, options }) => (type === 'picklist' ? (options as readonly string[]) : []))
}

/** A schema without what wraps it: the variants of a union one by one. */
function* leaves(schema: Schema | undefined): Generator<Schema> {
  if (schema?.wrapped) yield* leaves(schema.wrapped)
  else if (schema?.type === 'union') for (const option of schema.options as readonly Schema[]) yield* leaves(option)
  else if (schema) yield schema
}
