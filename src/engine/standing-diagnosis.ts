import { isFailure } from '../deploy/diagnosis/diagnose.ts'
import type { Evidence } from '../deploy/diagnosis/evidence.ts'
import { problemOf, type Verdict, withWaiters } from '../deploy/diagnosis/verdict.ts'
import type { Live } from '../deploy/live.ts'
import { Nudge } from '../deploy/nudge.ts'
import { recheckMs } from '../deploy/readiness.ts'
import { rollout } from '../deploy/rollout.ts'
import { isWorkload, type KubeObject, nameOf } from '../lib/objects.ts'
import type { Scope } from '../lib/scope.ts'
import type { Plan } from '../plan/plan.ts'
import type { ProblemBook } from './problem-book.ts'
import { type Source, targetOf } from './render.ts'
import type { Run } from './step.ts'

/** How long changes gather until workloads are looked at, in ms: a rollout makes dozens at once. */
const gatherMs = 50
/** A workload is mended when it has been ready for so long: a program that ends again and again is ready in between. In ms. */
const mendedAfterMs = 2000

/** What was applied is seen by everybody after so long, in ms. */
const seenAfterMs = 1000

/** What is looked after, and who is told. */
export interface Charge {
  readonly plan: Plan
  readonly source: Source
  readonly live: Live
  readonly evidence: Evidence
  readonly problems: ProblemBook
  /** What a person saved last that touches a service, as a sentence; undefined when that was long before `since` (ms since the epoch). */
  readonly savedBefore?: ((service: string, since: number) => string | undefined) | undefined
  /** Told when something that was wrong is well again. */
  readonly onMended?: (() => void) | undefined
}

interface Sick {
  /** Undefined of what an earlier look at the environment told. */
  readonly verdict: Verdict | undefined
  /** When it was seen ready, in ms since the epoch; undefined while it is not. */
  readySince: number | undefined
}

/**
 * Looks after the workloads of an environment until `scope` closes: tells what is wrong when it arises, and that it is mended.
 *
 *   well ─► warning ─► failure       of a deployment that runs, a failure is the deployment's to tell
 *     ▲ └────────────────┴─► waits for another (the problem is the other's)
 *     └── ready for a while
 */
export class StandingDiagnosis {
  readonly #charge: Charge
  readonly #run: Run
  readonly #sick = new Map<string, Sick>()
  readonly #waiting = new Map<string, string>()
  readonly #services: ReadonlyMap<string, string>
  readonly #workloads: readonly string[]
  /** Workloads that the deployment has applied → when, in ms since the epoch: what they were before is nobody's trouble any more. */
  readonly #applied = new Map<string, number>()
  #isDeploying = true
  #telling: Promise<void> = Promise.resolve()

  constructor(charge: Charge, run: Run, scope: Scope) {
    const { plan, source } = charge
    this.#charge = charge
    this.#run = run
    this.#services = new Map(plan.services.map((service) => [targetOf(source, service).workload, service.name]))
    this.#workloads = source.manifests.filter(({ object }) => isWorkload(object)).map(({ object }) => nameOf(object))
    for (const workload of charge.problems.abouts.flatMap((about) => workloadIn(about) ?? []))
      if (this.#workloads.includes(workload)) this.#sick.set(workload, { verdict: undefined, readySince: undefined })
      else charge.problems.resolve(aboutOf(workload))
    const listening = run.bus.subscribe((event) => {
      if (event.type === 'object') this.#applied.set(`${event.kind}/${event.name}`, Date.now())
    })
    scope.defer(() => listening[Symbol.dispose]())
    const looking = this.#look(scope.signal)
    scope.defer(async () => {
      await looking
      await this.#telling
    })
  }

  /** From now on failures are told too. `allReady`: the deployment saw every workload ready, so that nothing is left of the warnings. */
  deployed({ allReady }: { readonly allReady: boolean }): void {
    this.#isDeploying = false
    if (allReady) for (const workload of [...this.#sick.keys()]) this.#mended(workload)
    this.#charge.live.lookAgain()
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { live } = this.#charge
    using again = new Nudge()
    using _ = live.onChange(() => again.in(gatherMs))
    while (!signal.aborted) {
      again.in(Math.min(recheckMs, this.#lookAtAll()))
      await new Promise<void>((resolve) => {
        const round = AbortSignal.any([signal, again.signal])
        if (round.aborted) resolve()
        else round.addEventListener('abort', () => resolve(), { once: true })
      })
    }
  }

  /** In how many ms it is time to look again, though nothing changes. */
  #lookAtAll(): number {
    const dues = this.#workloads.map((name) => {
      const workload = this.#charge.live.get(name)
      if (!workload) return this.#gone(name)
      const dueInMs = this.#isDeploying ? (this.#applied.get(name) ?? Number.POSITIVE_INFINITY) + seenAfterMs - Date.now() : 0
      return dueInMs > 0 ? dueInMs : this.#lookAt(name, workload)
    })
    return Math.min(Number.POSITIVE_INFINITY, ...dues)
  }

  #lookAt(name: string, workload: KubeObject): number {
    const { live, evidence } = this.#charge
    const state = rollout(workload, { pods: live.everyPodOf(workload) })
    if (state === 'ready') return this.#isReady(name)
    const { verdict, againInMs = Number.POSITIVE_INFINITY } = evidence.lookAt(workload)
    const sick = this.#sick.get(name)
    if (sick) sick.readySince = undefined
    if (verdict?.waitsFor) this.#waits(name, verdict.waitsFor)
    else if (verdict) this.#isSick(name, verdict)
    return againInMs
  }

  #isReady(name: string): number {
    this.#waiting.delete(name)
    const sick = this.#sick.get(name)
    if (!sick) return Number.POSITIVE_INFINITY
    sick.readySince ??= Date.now()
    const left = sick.readySince + mendedAfterMs - Date.now()
    if (left <= 0) this.#mended(name)
    return Math.max(0, left)
  }

  #gone(name: string): number {
    this.#waiting.delete(name)
    if (this.#sick.has(name)) this.#mended(name)
    return Number.POSITIVE_INFINITY
  }

  #waits(name: string, others: readonly string[]): void {
    const reason = `${name} waits for ${others.join(', ')}`
    if (this.#waiting.get(name) !== reason)
      this.#run.bus.emit({ type: 'action', service: this.#services.get(name), do: 'none', reason })
    this.#waiting.set(name, reason)
    // what was its own problem is another's now
    if (this.#sick.has(name)) this.#mended(name)
  }

  #isSick(name: string, verdict: Verdict): void {
    this.#waiting.delete(name)
    if (isFailure(verdict) && this.#isDeploying) return
    const before = this.#sick.get(name)?.verdict
    this.#sick.set(name, { verdict, readySince: undefined })
    if (before?.code === verdict.code && before.message === verdict.message && before.severity === verdict.severity) return
    this.#tell(name, verdict)
  }

  #tell(name: string, verdict: Verdict): void {
    const { evidence, savedBefore, problems } = this.#charge
    const service = this.#services.get(name)
    const saved = service === undefined ? undefined : savedBefore?.(service, verdict.since)
    const waiters = evidence.waitersFor(name)
    const tell = async (): Promise<void> => {
      const lines = await evidence.linesOf(verdict, this.#run.signal)
      // it may have been mended meanwhile
      if (this.#sick.get(name)?.verdict !== verdict) return
      const known = withWaiters(verdict, waiters)
      const told = saved ? { ...known, evidence: [saved, ...(known.evidence ?? [])] } : known
      problems.found(aboutOf(name), problemOf(told, { workload: name, service, lines }), verdict.severity)
    }
    this.#telling = this.#telling.then(tell).catch(() => undefined)
  }

  #mended(name: string): void {
    this.#sick.delete(name)
    this.#charge.problems.resolve(aboutOf(name))
    this.#charge.onMended?.()
  }
}

const prefix = 'workload '

function aboutOf(workload: string): string {
  return `${prefix}${workload}`
}

function workloadIn(about: string): string | undefined {
  return about.startsWith(prefix) ? about.slice(prefix.length) : undefined
}
