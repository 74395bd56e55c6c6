import type { Step } from '../lib/step.ts'

/** What takes no longer needs no word, in ms. */
const patienceMs = 3000

/** Says what an object waits for once it takes long, and again when the reason is another. */
export class Waits {
  readonly #name: string
  readonly #step: Step
  readonly #since = Date.now()
  #said: string | undefined

  /** `name`: `Kind/name`. */
  constructor(name: string, step: Step) {
    this.#name = name
    this.#step = step
  }

  /** In how many ms it is time to say something that was not said; undefined once it is past. */
  get dueInMs(): number | undefined {
    const ms = this.#since + patienceMs - Date.now()
    return ms > 0 ? ms : undefined
  }

  /** The reason as it is now, said or not. */
  because(reason: string): void {
    if (this.dueInMs !== undefined || reason === this.#said) return
    this.#said = reason
    this.#step.say(`${this.#name} waits: ${reason}`)
  }
}
