import type { Problem } from '../events/event.ts'
import { DevkitError } from '../lib/errors.ts'
import { problemEvent, type Run } from './step.ts'

type Severity = Problem['severity']

interface Open {
  readonly problem: DevkitError
  readonly severity: Severity
}

/** Problems that are shown and not yet mended, by what they are about. What is the same is shown once, whoever tells it. */
export class ProblemBook {
  readonly #run: Pick<Run, 'bus'>
  readonly #open = new Map<string, Open>()
  /** The next problem comes from a retry that nobody asked for: it is shown only when it is another. */
  patient = false

  constructor(run: Pick<Run, 'bus'>) {
    this.#run = run
  }

  /** Shows what was thrown: again when somebody asked for the try, else only when it is new. */
  show(about: string, thrown: unknown): void {
    const quiet = this.patient
    this.patient = false
    if (!(thrown instanceof DevkitError)) {
      this.#run.bus.emit(problemEvent(thrown))
      return
    }
    this.#tell(about, { problem: thrown, severity: 'failure' }, quiet)
  }

  /** Shows what was found, once. */
  found(about: string, problem: DevkitError, severity: Severity): void {
    this.#tell(about, { problem, severity }, true)
  }

  resolve(about: string): void {
    const open = this.#open.get(about)
    if (!open) return
    this.#open.delete(about)
    const { code, service, object } = open.problem
    if ([...this.#open.values()].some(({ problem }) => isAboutTheSame(problem, open.problem))) return
    this.#run.bus.emit({ type: 'problem.resolved', code, service, object })
  }

  /** Of what there are open problems. */
  get abouts(): readonly string[] {
    return [...this.#open.keys()]
  }

  #tell(about: string, open: Open, quiet: boolean): void {
    const before = this.#open.get(about)
    const isKnown = [...this.#open.values()].some((one) => one.severity === open.severity && isSame(one.problem, open.problem))
    if (before && !isAboutTheSame(before.problem, open.problem)) this.resolve(about)
    this.#open.set(about, open)
    if (!(isKnown && quiet)) this.#run.bus.emit(problemEvent(open.problem, open.severity))
  }
}

function isSame(one: DevkitError, other: DevkitError): boolean {
  return isAboutTheSame(one, other) && one.message === other.message
}

function isAboutTheSame(one: DevkitError, other: DevkitError): boolean {
  return one.code === other.code && one.service === other.service && one.object === other.object
}
