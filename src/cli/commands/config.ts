import { homedir } from 'node:os'
import { loadMachine } from '../../config/machine.ts'
import { engineAddress } from '../../host/address.ts'
import { type GlobalFlags, type Io, isJson } from '../io.ts'
import { loadPlan } from '../plan.ts'

/** `devkit config` */
export async function configVerb(io: Io, flags: GlobalFlags & { readonly machine?: boolean }): Promise<number> {
  const shown = flags.machine
    ? await machineOf(io)
    : await loadPlan(io, flags, 'config').then(({ loaded, plan }) => ({ file: loaded.file, ...plan }))
  const { stringify } = await import('yaml')
  io.stdout.write(isJson(flags) ? `${JSON.stringify(shown)}\n` : stringify(shown, { lineWidth: 0 }))
  return 0
}

/** The settings file as read, with the engine's address that results. */
async function machineOf(io: Io): Promise<object> {
  const machine = await loadMachine(io.env)
  return { ...machine, engine: await engineAddress(io.env, machine.engine, homedir()) }
}
