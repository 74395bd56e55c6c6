import { down } from '../../engine/down.ts'
import type { GlobalFlags, Io } from '../io.ts'
import { running } from '../running.ts'

/** `devkit down` */
export function downVerb(io: Io, flags: GlobalFlags & { readonly pruneData?: boolean }): Promise<number> {
  return running(io, flags, 'down', async (plan, run) => {
    await down(plan, run, { pruneData: flags.pruneData ?? false })
    return {}
  })
}
