import type { Listener } from '../events/bus.ts'
import { json } from '../ui/json.ts'
import { plain } from '../ui/plain.ts'
import { type GlobalFlags, type Io, isJson } from './io.ts'

/** Who tells the events of a run, as its flags and streams ask for it. */
export interface Voice {
  readonly listener: Listener
  /** Resolves when everything is written. */
  close(): Promise<void>
}

export async function openVoice(io: Io, flags: Pick<GlobalFlags, 'json' | 'output' | 'verbose' | 'quiet'>): Promise<Voice> {
  const close = async (): Promise<void> => undefined
  if (isJson(flags)) return { listener: json(io.stdout), close }
  return { listener: plain(io.stderr, { verbose: flags.verbose ?? false, quiet: flags.quiet ?? false }), close }
}
