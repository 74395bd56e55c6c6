import { homedir } from 'node:os'
import { loadMachine } from '../../config/machine.ts'
import { problemsOffline } from '../../engine/preflight.ts'
import { outlineOf } from '../../engine/render.ts'
import { problemEvent } from '../../engine/step.ts'
import { engineAddress } from '../../host/address.ts'
import { paint } from '../../ui/paint.ts'
import { type GlobalFlags, type Io, isJson } from '../io.ts'
import { rowsOf, shownConfig } from '../origins.ts'
import { openParts } from '../parts.ts'
import { loadWhole } from '../plan.ts'
import { tellProblems } from '../voice.ts'

/** A longer value is cut, unless all is asked for. */
const longestValue = 60

/** `devkit config` */
export async function configVerb(io: Io, flags: GlobalFlags & { readonly machine?: boolean }): Promise<number> {
  if (flags.machine) {
    const { stringify } = await import('yaml')
    const machine = await machineOf(io)
    io.stdout.write(isJson(flags) ? `${JSON.stringify(machine)}\n` : stringify(machine, { lineWidth: 0 }))
    return 0
  }
  const parts = await openParts(io, 'config')
  const read = await loadWhole(io, flags, 'config', parts)
  const shown = await shownConfig(read)
  const colour = io.stdout.isTTY === true && flags.color && !io.env['NO_COLOR']
  io.stdout.write(isJson(flags) ? `${JSON.stringify(shown)}\n` : `${shown.file}\n${table(rowsOf(read, shown), flags, colour)}`)
  const { plan, source, problem } = read
  const problems = source ? await problemsOffline(outlineOf(plan, source), source, parts) : []
  await tellProblems(io, flags, problem ? [problemEvent(problem, 'warning')] : problems)
  return 0
}

/** A line per value: its path, the value, where it comes from. */
function table(rows: readonly (readonly string[])[], { verbose }: Pick<GlobalFlags, 'verbose'>, colour: boolean): string {
  const { dim } = paint(colour)
  const cut = (value: string): string =>
    verbose || value.length <= longestValue ? value : `${value.slice(0, longestValue - 1)}…`
  const [paths, values] = [0, 1].map((column) => Math.max(0, ...rows.map((row) => cut(row[column] ?? '').length)))
  return rows
    .map(
      ([path = '', value = '', origin = '']) => `${path.padEnd(paths ?? 0)}  ${cut(value).padEnd(values ?? 0)}  ${dim(origin)}\n`,
    )
    .join('')
}

/** The settings file as read, with the engine's address that results. */
async function machineOf(io: Io): Promise<object> {
  const machine = await loadMachine(io.env)
  return { ...machine, engine: await engineAddress(io.env, machine.engine, homedir()) }
}
