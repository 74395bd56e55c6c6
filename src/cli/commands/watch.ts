import { watch } from '../../engine/watch.ts'
import { selectServices } from '../../plan/make-plan.ts'
import type { Plan } from '../../plan/plan.ts'
import type { GlobalFlags, Io } from '../io.ts'
import { running } from '../running.ts'

/** `devkit watch [service…]` */
export function watchVerb(io: Io, flags: GlobalFlags, services: readonly string[]): Promise<number> {
  return running(io, flags, 'watch', async (plan, run, scope, reload) => {
    const select = (whole: Plan): Plan => selectServices(whole, services)
    await watch(select(plan), run, scope, { files: reload.files, load: async () => select(await reload.load()) })
    return {}
  })
}
