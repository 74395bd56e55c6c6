import { readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Budget, beyond, budgetOf, valueText } from '../../engine/budget.ts'
import { diffLive, diffProfiles } from '../../engine/diff.ts'
import type { Diff, FieldDiff, ObjectDiff } from '../../events/diff.ts'
import { DevkitError, messageOf } from '../../lib/errors.ts'
import { isRecord } from '../../lib/record.ts'
import { type Paint, paint } from '../../ui/paint.ts'
import { directoryOf, type GlobalFlags, type Io, isJson, writing } from '../io.ts'
import { openParts } from '../parts.ts'
import { loadWhole, placesIn } from '../plan.ts'
import { tellProblems } from '../voice.ts'

type Flags = GlobalFlags & { readonly check?: string | true; readonly update?: boolean }

/** A longer value is cut, unless all is asked for. */
const longestValue = 80

/** `devkit diff [profileA] [profileB]` */
export async function diffVerb(io: Io, flags: Flags, [a, b]: readonly string[]): Promise<number> {
  const { check, update } = flags
  if (update && typeof check !== 'string') throw wrong('--update needs a file to write.', 'Write --check FILE --update.')
  if (a !== undefined && b === undefined)
    throw wrong(
      `'${a}' is one profile: what is it to be compared with?`,
      `Write \`devkit diff production ${a === 'production' ? 'dev' : a}\`.`,
    )
  const parts = await openParts(io, 'diff')
  const read = (profile?: string) => loadWhole(io, profile === undefined ? flags : { ...flags, profile }, 'diff', parts)
  const live = async () => {
    const { plan, loaded } = await read()
    return diffLive(plan, { ...parts, placeOf: placesIn(() => loaded) }, { signal: io.signal, say: () => undefined })
  }
  const { problems, ...found } =
    a === undefined ? await live() : await diffProfiles((await read(a)).plan, (await read(b)).plan, parts, io)
  const say = (line: string): unknown => flags.quiet !== true && io.stderr.write(`${line}\n`)
  for (const note of found.notes) say(note)
  await tellProblems(io, flags, problems)
  const file = typeof check === 'string' ? resolve(directoryOf(io, flags), check) : undefined
  if (file !== undefined && update) {
    await writing('--check', file, async () => writeFile(file, await budgetText(found)))
    say(`${check}: ${countOf(found.objects)} agreed on`)
    return 0
  }
  const { objects, unused } = file === undefined ? { objects: found.objects, unused: 0 } : beyond(found, await readBudget(file))
  if (unused > 0) say(`${check}: ${unused} of what it allows no longer differs; --update removes it`)
  const diff: Diff = { ...found, objects }
  const colour = io.stdout.isTTY === true && flags.color && !io.env['NO_COLOR']
  io.stdout.write(isJson(flags) ? `${JSON.stringify(diff)}\n` : text(diff, paint(colour), flags.verbose === true))
  return check !== undefined && objects.length > 0 ? 1 : 0
}

function wrong(message: string, hint: string): DevkitError {
  return new DevkitError('CONFIG-001', { message, hint })
}

/** A block for each object, a line for each field. */
function text({ before, after, objects }: Diff, colours: Paint, whole: boolean): string {
  const heading = `${before} → ${after}: ${objects.length === 0 ? 'no difference' : countOf(objects)}`
  const blocks = objects.map((object) => {
    const fields = object.fields.map((field) => `  ${fieldLine(field, colours, whole)}\n`)
    return `\n${objectLine(object, colours)}\n${fields.join('')}`
  })
  return `${colours.bold(heading)}\n${blocks.join('')}`
}

function countOf(objects: readonly ObjectDiff[]): string {
  const fields = objects.reduce((sum, object) => sum + Math.max(1, object.fields.length), 0)
  return `${fields} difference${fields === 1 ? '' : 's'} in ${objects.length} object${objects.length === 1 ? '' : 's'}`
}

function objectLine({ object, file, line, is, rule, reason }: ObjectDiff, { bold, dim, green, red }: Paint): string {
  const place = file === undefined ? '' : `  ${dim(`${file}:${line}`)}`
  const name = { changed: bold(object), added: green(`+ ${object}`), removed: red(`- ${object}`) }[is]
  const why = [reason, rule].filter(Boolean).join(' · ')
  return `${name}${place}${why === '' ? '' : `  ${dim(why)}`}`
}

function fieldLine({ path, before, after, rule }: FieldDiff, { dim, green, red }: Paint, whole: boolean): string {
  const value = (of: unknown): string => {
    const all = valueText(of)
    return whole || all.length <= longestValue ? all : `${all.slice(0, longestValue)}…`
  }
  const change =
    before === undefined
      ? green(`+ ${path}: ${value(after)}`)
      : after === undefined
        ? red(`- ${path}: ${value(before)}`)
        : `${path}: ${red(value(before))} → ${green(value(after))}`
  return rule === undefined ? change : `${change}  ${dim(rule)}`
}

async function budgetText(diff: Diff): Promise<string> {
  const { stringify } = await import('yaml')
  const { before, after } = diff
  const head = `# What ${after} may have otherwise than ${before}: \`devkit diff … --check\` with this file fails at anything else, and writes it with --update.\n`
  return head + stringify({ before, after, objects: budgetOf(diff) }, { lineWidth: 0 })
}

async function readBudget(file: string): Promise<Budget> {
  const { parse } = await import('yaml')
  try {
    const written = parse(await readFile(file, 'utf8')) as unknown
    const objects = isRecord(written) ? (written['objects'] ?? {}) : (written ?? {})
    if (isBudget(objects)) return objects
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT')
      throw wrong(`There is no file ${file}.`, 'Correct --check, or write the file with --update.')
    throw wrong(`${file} cannot be read: ${messageOf(cause).split('\n')[0]}`, 'Mend it, or write it anew with --update.')
  }
  throw wrong(`${file} is no list of what may differ.`, 'Correct --check, or write the file anew with --update.')
}

function isBudget(value: unknown): value is Budget {
  const isText = (one: unknown): boolean => typeof one === 'string'
  return (
    isRecord(value) && Object.values(value).every((one) => isText(one) || (isRecord(one) && Object.values(one).every(isText)))
  )
}
