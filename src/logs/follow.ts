import type { Kube, LogRef } from '../kube/kube.ts'
import { delay } from '../lib/async.ts'
import type { KubeObject } from '../lib/objects.ts'

/** A line that a container of a service wrote. `time` is ISO 8601 with nanoseconds, by the node's clock. */
export interface ServiceLine {
  readonly service: string
  readonly pod: string
  readonly container: string
  readonly time: string
  readonly line: string
}

/** Where lines come from: the services' pods as they are now, and word of every change. */
export interface LogSource {
  readonly kube: Pick<Kube, 'logs'>
  readonly services: readonly { readonly name: string; readonly pods: () => readonly KubeObject[] }[]
  onChange(listener: () => void): Disposable
}

/** Lines that come within so many ms are put in the order of their times: each container has a connection of its own. */
const reorderMs = 25
/** Pause before a broken stream is opened again. */
const pauseMs = 300

/**
 * The logs of all containers of the services from now on, as one stream: what started before the first `follow` is read from its last line
 * on, what starts later from its first. Per container:
 *
 *   waiting ──an instance runs or has ended──► reading ──its end──► waiting
 *                                                │ ▲
 *                          the stream breaks ────┘ └─── goes on after the last line told
 *
 * Ends with `signal`. `follow` may be called again: streams go on over the new source, nothing is told twice.
 */
export class LogFollower {
  readonly #tell: (line: ServiceLine) => void
  readonly #signal: AbortSignal
  readonly #readers = new Map<string, Promise<void>>()
  /** Start of the following, in ms since the epoch: whole seconds, as the API tells times. */
  #began: number | undefined
  #source: LogSource | undefined
  #watching: Disposable | undefined
  #changed = Promise.withResolvers<void>()
  #held: ServiceLine[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(tell: (line: ServiceLine) => void, signal: AbortSignal) {
    this.#tell = tell
    this.#signal = signal
    const end = (): void => this.#wake()
    signal.addEventListener('abort', end, { once: true })
  }

  /** Follows the services of `source`, in place of those before. */
  follow(source: LogSource): void {
    this.#began ??= Math.floor(Date.now() / 1000) * 1000
    this.#watching?.[Symbol.dispose]()
    this.#source = source
    this.#watching = source.onChange(() => this.#look())
    this.#look()
  }

  /** Resolves after the signal when every stream is closed and every line told. */
  async ended(): Promise<void> {
    if (!this.#signal.aborted)
      await new Promise<void>((resolve) => this.#signal.addEventListener('abort', () => resolve(), { once: true }))
    this.#watching?.[Symbol.dispose]()
    await Promise.all(this.#readers.values())
    this.#flush()
  }

  /** Begins to read containers that are new. */
  #look(): void {
    if (this.#signal.aborted) return
    for (const { name: service, pods } of this.#source?.services ?? [])
      for (const pod of pods())
        for (const container of containersOf(pod)) {
          const key = `${pod.metadata.uid}/${container}`
          if (this.#readers.has(key)) continue
          const reading = this.#read(
            { service, pod: pod.metadata.name, uid: pod.metadata.uid ?? '', container },
            pod.metadata.namespace ?? 'default',
          )
          this.#readers.set(key, reading)
          // a pod that is gone does not come back: a new one has another uid
          void reading.finally(() => this.#readers.delete(key))
        }
    this.#wake()
  }

  #wake(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }

  async #read(of: Of, namespace: string): Promise<void> {
    const told = new Position()
    const seen = new Set<string>()
    const began = this.#began ?? Date.now()
    // before anybody wanted to know: it stays untold
    const isPast = ({ at }: Instance): boolean => at < began
    while (!this.#signal.aborted) {
      const changed = this.#changed.promise
      const now = this.#podOf(of)
      if (!now) return
      const { current, previous } = instancesOf(now, of.container)
      const ref = { namespace, pod: of.pod, container: of.container, ...(told.time === '' ? {} : { sinceTime: told.time }) }
      // an instance that came and went between two looks
      if (previous && !seen.has(previous.id) && !isPast(previous)) {
        if (await this.#copy(of, { ...ref, previous: true }, told)) seen.add(previous.id)
        else await this.#pause()
      } else if (current && !(current.ended && (seen.has(current.id) || isPast(current)))) {
        const first = isPast(current) && !seen.has(current.id)
        seen.add(current.id)
        const since = isPast(current) && told.time === '' ? { sinceTime: new Date(began).toISOString() } : {}
        await this.#copy(of, { ...ref, follow: true, ...(first ? { tailLines: 0 } : since) }, told)
        // the end of a log comes before word of the container's end
        if (instancesOf(this.#podOf(of) ?? now, of.container).current?.id === current.id) await this.#pause(changed)
      } else await changed
    }
  }

  /** Tells the lines of one request that have not been told; false when it failed. */
  async #copy({ service, pod, container }: Of, ref: LogRef, told: Position): Promise<boolean> {
    const kube = this.#source?.kube
    try {
      const before = told.snapshot()
      for await (const { time, line } of kube?.logs(ref, this.#signal) ?? []) {
        if (!told.advance(time, before)) continue
        this.#held.push({ service, pod, container, time, line })
        this.#timer ??= setTimeout(() => this.#flush(), reorderMs)
      }
      return true
    } catch {
      // not begun yet, gone already, or no server for a while: the loop looks again
      return false
    }
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const lines = this.#held.toSorted((a, b) => compareTimes(a.time, b.time))
    this.#held = []
    for (const line of lines) this.#tell(line)
  }

  #podOf({ service, pod, uid }: Of): KubeObject | undefined {
    return this.#source?.services
      .find(({ name }) => name === service)
      ?.pods()
      .find(({ metadata }) => metadata.name === pod && metadata.uid === uid)
  }

  async #pause(changed?: Promise<void>): Promise<void> {
    await Promise.race([delay(pauseMs, this.#signal).catch(() => undefined), ...(changed ? [changed] : [])])
  }
}

interface Of {
  readonly service: string
  readonly pod: string
  readonly uid: string
  readonly container: string
}

/** How far a container's log was told: the server goes back to the full second, and lines of the same nanosecond exist. */
class Position {
  #time = ''
  #count = 0

  /** Time of the last line told, '' before the first. */
  get time(): string {
    return this.#time
  }

  snapshot(): { time: string; left: number } {
    return { time: this.#time, left: this.#count }
  }

  /** Whether a line is new. `before` is where the position stood when the request was made. */
  advance(time: string, before: { time: string; left: number }): boolean {
    if (before.time !== '') {
      const order = compareTimes(time, before.time)
      if (order < 0) return false
      if (order === 0 && before.left > 0) {
        before.left -= 1
        return false
      }
    }
    this.#count = time === this.#time ? this.#count + 1 : 1
    this.#time = time
    return true
  }
}

interface State {
  readonly running?: { readonly startedAt?: string }
  readonly terminated?: { readonly containerID?: string; readonly finishedAt?: string }
}

interface PodStatus {
  readonly containerStatuses?: readonly {
    readonly name: string
    readonly containerID?: string
    readonly state?: State
    readonly lastState?: State
  }[]
}

function containersOf(pod: KubeObject): readonly string[] {
  return (
    (pod['spec'] as { readonly containers?: readonly { readonly name: string }[] } | undefined)?.containers?.map(
      ({ name }) => name,
    ) ?? []
  )
}

/** An instance of a container; `at`: since when it runs or has ended, in ms since the epoch. */
interface Instance {
  readonly id: string
  readonly ended: boolean
  readonly at: number
}

/** The container's instance that runs or has just ended, and the one before it. */
function instancesOf(pod: KubeObject, container: string): { readonly current?: Instance; readonly previous?: Instance } {
  const status = (pod['status'] as PodStatus | undefined)?.containerStatuses?.find(({ name }) => name === container)
  const { state, lastState, containerID } = status ?? {}
  const ended = ({ terminated }: State = {}): { readonly id: string; readonly ended: true; readonly at: number } | undefined =>
    terminated?.containerID ? { id: terminated.containerID, ended: true, at: Date.parse(terminated.finishedAt ?? '') } : undefined
  const running =
    state?.running && containerID ? { id: containerID, ended: false, at: Date.parse(state.running.startedAt ?? '') } : undefined
  const [current, previous] = [running ?? ended(state), ended(lastState)]
  return { ...(current && { current }), ...(previous && { previous }) }
}

/** Orders RFC 3339 times of one zone, whose fractions are of different lengths. */
function compareTimes(a: string, b: string): number {
  const [x, y] = [padded(a), padded(b)]
  return x < y ? -1 : x > y ? 1 : 0
}

function padded(time: string): string {
  const [whole = '', fraction = ''] = time.replace(/Z$/, '').split('.')
  return `${whole}.${fraction.padEnd(9, '0')}`
}
