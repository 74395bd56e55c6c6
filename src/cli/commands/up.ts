import { up } from '../../engine/up.ts'
import { selectServices } from '../../plan/make-plan.ts'
import type { GlobalFlags, Io } from '../io.ts'
import { running } from '../running.ts'

/** `devkit up [service…]` */
export function upVerb(
  io: Io,
  flags: GlobalFlags & { readonly pruneData?: boolean; readonly recreateData?: boolean },
  services: readonly string[],
): Promise<number> {
  return running(io, flags, 'up', async (plan, run, scope) => {
    const environment = await up(selectServices(plan, services), run, scope, {
      pruneData: flags.pruneData ?? false,
      recreateData: flags.recreateData ?? false,
    })
    if (environment.unchanged) run.bus.emit({ type: 'action', do: 'none', reason: 'nothing has changed: unchanged' })
    return environment.urls
  })
}
