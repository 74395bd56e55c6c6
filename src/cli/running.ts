import { join } from 'node:path'
import type { LoadedConfig } from '../config/load.ts'
import { type EngineRun, occupyEnvironment } from '../engine/environment.ts'
import { problemEvent } from '../engine/step.ts'
import { Bus } from '../events/bus.ts'
import { DevkitError, Interrupted } from '../lib/errors.ts'
import { Scope } from '../lib/scope.ts'
import type { Plan } from '../plan/plan.ts'
import { ask } from './ask.ts'
import { exitCodeOf, type GlobalFlags, type Io, isJson } from './io.ts'
import { openParts } from './parts.ts'
import { completePlan, type LoadedPlan, loadPlan, placesIn } from './plan.ts'
import { version } from './version.ts'
import { openVoice } from './voice.ts'

/** How a plan is read again after its config changed. */
export interface Reload {
  /** The files that it was read from, those of a load that failed too. */
  readonly files: () => readonly string[]
  readonly load: () => Promise<Plan>
}

/** The work of a verb; resolves with service → URL. */
export type Work = (plan: Plan, run: EngineRun, scope: Scope, reload: Reload) => Promise<Readonly<Record<string, string>>>

/** A verb that does something: its events, its scope, its exit code. */
export async function running(
  io: Io,
  flags: GlobalFlags & { readonly forceConflicts?: boolean },
  command: string,
  work: Work,
): Promise<number> {
  const began = performance.now()
  const bus = new Bus()
  const voice = await openVoice(io, flags)
  bus.subscribe(voice.listener)
  const scope = new Scope()
  const abort = (): void => void scope.close(io.signal.reason).catch(() => undefined)
  io.signal.addEventListener('abort', abort, { once: true })
  if (io.signal.aborted) abort()
  const limit = flags.timeout === undefined ? undefined : milliseconds(flags.timeout)
  const open = new Set<string>()
  const warned = new Set<string>()
  bus.subscribe((event) => {
    if (event.type === 'step.started') open.add(event.step)
    if (event.type === 'step.finished' || event.type === 'step.failed') open.delete(event.step)
  })
  const timer =
    limit === undefined ? undefined : setTimeout(() => void scope.close(tooLong(flags, [...open])).catch(() => undefined), limit)
  let exitCode = 0
  let urls: Readonly<Record<string, string>> = {}
  let isUp = false
  const tell = (thrown: unknown): void => {
    if (io.signal.reason instanceof Interrupted) exitCode = command === 'watch' ? 0 : 130
    else {
      const ended = io.signal.aborted ? io.signal.reason : scope.signal.reason
      const failure = ended instanceof DevkitError || io.signal.aborted ? ended : thrown
      bus.emit(problemEvent(failure))
      exitCode = exitCodeOf(failure)
    }
  }
  try {
    let files: string[] = []
    let latest: LoadedConfig
    const load = async (): Promise<LoadedPlan> => {
      files = []
      const read = await loadPlan(io, flags, command, (file) => files.push(file))
      latest = read.loaded
      for (const warning of read.loaded.warnings) {
        if (!warned.has(warning.message)) bus.emit(problemEvent(warning, 'warning'))
        warned.add(warning.message)
      }
      return read
    }
    const first = await load()
    bus.emit({
      type: 'run.started',
      command,
      project: first.plan.project,
      env: first.plan.env,
      profile: first.plan.profileName,
      version,
    })
    const parts = { ...(await openParts(io, command)), placeOf: placesIn(() => latest) }
    // what is removed is known without its manifests
    const whole: LoadedPlan & { readonly problem?: DevkitError } =
      command === 'down' ? first : { ...first, ...(await completePlan(first, parts, scope)) }
    // a watch waits for it to be mended
    if (whole.problem && command !== 'watch') throw whole.problem
    const { plan } = whole
    const reload = async (): Promise<Plan> => {
      const { plan: next, problem } = await completePlan(await load(), parts, scope)
      if (problem) throw problem
      return next
    }
    await occupyEnvironment(plan, { parts, bus }, scope)
    scope.use(await parts.host.files.remember(join(plan.directory, '.devkit', 'hashes.json')))
    const run: EngineRun = {
      bus,
      signal: scope.signal,
      parts,
      // a workload that is late is told with what its pods say: that is worth more than the run's own end
      timeoutMs: () =>
        limit === undefined ? milliseconds() : Math.max(1, (isUp ? limit : limit - (performance.now() - began)) - lateMs),
      confirm: async (question) => {
        if (flags.yes) return true
        await voice.close()
        return ask(io, question, scope.signal)
      },
      forceConflicts: flags.forceConflicts,
      isUp: () => {
        isUp = true
        clearTimeout(timer)
      },
    }
    urls = await work(plan, run, scope, { files: () => files, load: reload })
    // work that only waits ends with its scope; by itself that does not say why
    const ended = io.signal.aborted ? io.signal.reason : scope.signal.reason
    if (ended !== undefined && !(ended instanceof Interrupted)) throw ended
  } catch (thrown) {
    tell(thrown)
  } finally {
    clearTimeout(timer)
    io.signal.removeEventListener('abort', abort)
    await scope.close(io.signal.reason).catch(tell)
  }
  bus.emit({ type: 'run.finished', ok: exitCode === 0, exitCode, ms: Math.round(performance.now() - began), urls })
  await voice.close()
  // what was said on the same terminal is not said twice
  const seen = io.stdout.isTTY && io.stderr.isTTY && !flags.quiet
  if (!isJson(flags) && exitCode === 0 && !seen)
    for (const [service, url] of Object.entries(urls)) io.stdout.write(`${service} ${url}\n`)
  return exitCode
}

/** What is left of the run's time for telling why a workload is late. */
const lateMs = 1500

function tooLong({ timeout }: GlobalFlags, open: readonly string[]): DevkitError {
  return new DevkitError('INTERNAL-002', {
    message: `The run took longer than --timeout ${timeout}${open.length === 0 ? '' : `; it still waited for ${open.join(', ')}`}.`,
    hint: 'Run it again with more time; what is done already is not done again.',
  })
}

/** `90s`, `5m`, `1h` in ms. @throws CONFIG-001 */
export function milliseconds(time = '5m'): number {
  const [, amount, unit = 's'] = /^(\d+)(ms|s|m|h)?$/.exec(time) ?? []
  const factor = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit]
  if (amount === undefined || factor === undefined)
    throw new DevkitError('CONFIG-001', { message: `'${time}' is no time.`, hint: 'Write 90s, 5m or 1h.' })
  return Number(amount) * factor
}
