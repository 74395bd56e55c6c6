import { loadMachine, type Machine, plainMachine } from '../../config/machine.ts'
import { doctor } from '../../engine/doctor.ts'
import type { Check, Doctor } from '../../events/doctor.ts'
import { DevkitError } from '../../lib/errors.ts'
import { type Paint, paint, tame } from '../../ui/paint.ts'
import { type GlobalFlags, type Io, isJson } from '../io.ts'
import { openParts } from '../parts.ts'
import { completePlan, loadPlan } from '../plan.ts'

/** `devkit doctor` */
export async function doctorVerb(io: Io, flags: GlobalFlags): Promise<number> {
  const { machine, problem } = await settingsOf(io)
  const parts = await openParts(io, 'doctor', machine)
  const began = performance.now()
  const found = await doctor({
    parts,
    node: io.node,
    settings: { file: machine.file, found: machine.found, problem },
    isNamed: flags.config !== undefined,
    signal: io.signal,
    load: async () => {
      const read = await loadPlan(io, flags, 'doctor')
      const { plan, loaded } = read
      return { plan, file: loaded.file, warnings: loaded.warnings, complete: (signal) => completePlan(read, parts, { signal }) }
    },
  })
  const colour = io.stdout.isTTY === true && flags.color && !io.env['NO_COLOR']
  const ms = performance.now() - began
  io.stdout.write(isJson(flags) ? `${JSON.stringify(found)}\n` : text(found, ms, flags, paint(colour)))
  return found.ok ? 0 : 1
}

/** A settings file that is wrong keeps nothing else from being looked at. */
async function settingsOf({ env }: Io): Promise<{ readonly machine: Machine; readonly problem?: DevkitError }> {
  try {
    return { machine: await loadMachine(env) }
  } catch (thrown) {
    if (!(thrown instanceof DevkitError)) throw thrown
    return { machine: plainMachine(env), problem: thrown }
  }
}

/** A block for each area, a line for each check, and what mends it below. */
function text({ checks }: Doctor, ms: number, { quiet, verbose }: GlobalFlags, colours: Paint): string {
  const shown = quiet ? checks.filter(({ verdict }) => verdict === 'warning' || verdict === 'failure') : checks
  const lines = verbose ? shown : together(shown)
  const width = Math.max(0, ...lines.map(({ name }) => name.length))
  const blocks = [...Map.groupBy(lines, ({ area }) => area)].map(
    ([area, own]) => `${colours.bold(area)}\n${own.map((check) => lineOf(check, width, colours)).join('')}`,
  )
  const count = (verdict: Check['verdict']): number => checks.filter((check) => check.verdict === verdict).length
  const [warnings, failures] = [count('warning'), count('failure')]
  const words = [
    `${count('ok')} ok`,
    `${warnings} warning${warnings === 1 ? '' : 's'}`,
    `${failures} failure${failures === 1 ? '' : 's'}`,
    `${count('skipped')} skipped`,
  ]
  const worst = checks.find(({ verdict }) => verdict === 'failure') ?? checks.find(({ verdict }) => verdict === 'warning')
  const more = worst?.code === undefined ? '' : `; devkit explain ${worst.code} says more`
  const sum = `${words.join(', ')} in ${(ms / 1000).toFixed(1)} s${more}`
  return `${blocks.join('\n')}${blocks.length > 0 ? '\n' : ''}${colours.dim(sum)}\n`
}

/** What is skipped for one reason is one line of its area. */
function together(checks: readonly Check[]): readonly Check[] {
  const isSame = (a: Check, b: Check): boolean =>
    b.verdict === 'skipped' && b.code === undefined && b.remedy === undefined && a.area === b.area && a.said === b.said
  return checks.flatMap((check) => {
    const same = checks.filter((other) => isSame(check, other))
    if (same.length < 2 || !same.includes(check)) return [check]
    return same[0] === check ? [{ ...check, name: `${same.length} others` }] : []
  })
}

function lineOf({ name, verdict, said, code, remedy, detail }: Check, width: number, { red, yellow, green, dim }: Paint): string {
  const mark = { ok: green('✓'), warning: yellow('!'), failure: red('✗'), skipped: dim('–') }[verdict]
  const margin = ' '.repeat(width + 6)
  const words = `${code === undefined || verdict === 'ok' ? '' : `${code} `}${said}`.replaceAll('\n', `\n${margin}`)
  const evidence = (detail === undefined ? [] : detail.split('\n'))
    .map((line) => `${margin}  ${dim(tame(line, false))}\n`)
    .join('')
  const advice = remedy === undefined ? '' : `${margin}→ ${remedy.replaceAll('\n', `\n${margin}  `)}\n`
  return `  ${mark} ${name.padEnd(width)}  ${verdict === 'skipped' ? dim(words) : words}\n${evidence}${advice}`
}
