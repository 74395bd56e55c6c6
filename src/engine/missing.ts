import { join } from 'node:path'
import { DevkitError } from '../lib/errors.ts'
import type { Plan } from '../plan/plan.ts'
import type { EngineRun } from './environment.ts'
import { problemEvent } from './step.ts'

/** Sync rules that begin at something that does not exist: told once for each service, and told as resolved when it is there. */
export class MissingSources {
  readonly #run: Pick<EngineRun, 'bus' | 'parts'>
  /** What was told, by service. */
  readonly #told = new Map<string, string>()

  constructor(run: Pick<EngineRun, 'bus' | 'parts'>) {
    this.#run = run
  }

  /** Whether anything was missing when last looked at. */
  get isAny(): boolean {
    return this.#told.size > 0
  }

  /** Looks what is there of the plan's rules now. */
  async look(plan: Plan): Promise<void> {
    const { bus, parts } = this.#run
    const open = new Map<string, DevkitError>()
    for (const { name, sync } of plan.services) {
      const missing: string[] = []
      for (const [index, { from }] of sync.entries())
        if (!(await parts.host.files.exists(join(plan.directory, from))))
          missing.push(`${from} (services.${name}.sync[${index}].from)`)
      if (missing.length > 0) open.set(name, problemOf(name, missing))
    }
    for (const service of [...this.#told.keys()])
      if (!open.has(service)) {
        this.#told.delete(service)
        bus.emit({ type: 'problem.resolved', code: 'SYNC-114', service })
      }
    for (const [service, problem] of open) {
      if (this.#told.get(service) === problem.message) continue
      this.#told.set(service, problem.message)
      bus.emit(problemEvent(problem, 'warning'))
    }
  }
}

function problemOf(service: string, missing: readonly string[]): DevkitError {
  return new DevkitError('SYNC-114', {
    message: `Nothing is synced for ${service} from what does not exist: ${missing.join(', ')}.`,
    hint: 'Make it, or correct the path in the config; it is relative to the config file.',
    service,
  })
}
