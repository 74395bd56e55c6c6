import * as v from 'valibot'
import { type ProblemCode, problems } from '../lib/errors.ts'

/**
 * Everything devkit tells the world, as schemas: the types below and `schema/events.json` are made from them.
 * Plain data: `JSON.stringify` loses nothing. Times in `ms` are milliseconds, sizes in `bytes` bytes.
 */

const text = v.string()
const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const ms = v.pipe(v.number(), v.minValue(0))
const time = v.pipe(v.string(), v.isoTimestamp())
const code = v.picklist(Object.keys(problems) as [ProblemCode, ...ProblemCode[]])
const urls = v.record(text, text)

/** How a step or an object came out, where it makes a difference. */
export const outcomeSchema = v.picklist(['created', 'configured', 'unchanged', 'pruned', 'kept', 'built', 'cached', 'skipped'])

const problemEntries = {
  severity: v.picklist(['warning', 'failure']),
  code,
  /** What happened and why. */
  message: text,
  /** What to do next, verb first. */
  hint: text,
  /** Page that explains the code. */
  docs: text,
  step: v.optional(text),
  service: v.optional(text),
  /** `Kind/name`. */
  object: v.optional(text),
  /** Output of the tool or server behind it, several lines. */
  detail: v.optional(text),
}

/** A failure or a warning. */
export const problemSchema = v.strictObject(problemEntries)

const told = <const Type extends string, const Entries extends v.ObjectEntries>(type: Type, entries: Entries) =>
  v.strictObject({ v: v.literal(1), time, type: v.literal(type), ...entries })

/** One line of `--json`: `v` is the version of this vocabulary, `time` is ISO 8601 in UTC. */
export const eventSchema = v.variant('type', [
  told('run.started', { command: text, project: text, env: text, profile: text, version: text }),
  told('step.started', { step: text, service: v.optional(text) }),
  told('step.output', { step: text, stream: v.picklist(['stdout', 'stderr']), line: text }),
  told('step.finished', { step: text, service: v.optional(text), ms, outcome: v.optional(outcomeSchema) }),
  /** `overtaken`: it did not fail, a newer change made it pointless. */
  told('step.failed', { step: text, service: v.optional(text), ms, overtaken: v.optional(v.boolean()) }),
  told('object', {
    kind: text,
    name: text,
    namespace: v.optional(text),
    outcome: outcomeSchema,
    /** How many fields changed, where it is `configured`. */
    count: v.optional(count),
    /** The first 20 of them, as in `spec.template.spec.containers[web].image`. */
    fields: v.optional(v.array(text)),
  }),
  told('service.ready', { service: text, workload: text, ms }),
  /** The first 20 of the paths, relative to the project. */
  told('files.changed', { count, paths: v.array(text) }),
  told('action', {
    service: v.optional(text),
    do: v.picklist(['sync', 'rebuild', 'rerender', 'replan', 'none']),
    reason: text,
  }),
  told('synced', {
    service: text,
    pod: text,
    container: text,
    files: count,
    bytes: count,
    deleted: count,
    /** From the first file event to the container's last acknowledgement. */
    ms,
    /** The program was started again with the new files. */
    restarted: v.optional(v.boolean()),
    /** Where the time went; the parts add up to `ms`. */
    stages: v.optional(
      v.strictObject({ debounce: v.optional(ms), hash: v.optional(ms), send: v.optional(ms), ack: v.optional(ms) }),
    ),
  }),
  /** A container that does not yet hold the working tree. */
  told('stale', { service: text, pod: text, container: text, files: count }),
  told('restarted', {
    service: text,
    pod: v.optional(text),
    container: text,
    ms,
    /** The program before did not end by itself within so many ms. */
    killedAfterMs: v.optional(ms),
  }),
  told('forward.opened', { service: text, port: count, url: text }),
  /** `ts`: when the container wrote it, ISO 8601 with nanoseconds. */
  told('log', { service: text, pod: text, container: text, line: text, ts: text }),
  told('problem', problemEntries),
  told('problem.resolved', { code, service: v.optional(text), object: v.optional(text) }),
  told('run.finished', { ok: v.boolean(), exitCode: count, ms, urls }),
])

type Immutable<T> = T extends readonly (infer Item)[]
  ? readonly Immutable<Item>[]
  : T extends object
    ? { readonly [key in keyof T]: Immutable<T[key]> }
    : T

type WithoutHead<T> = T extends unknown ? Omit<T, 'v' | 'time'> : never

/** An event as readers get it. */
export type Event = Immutable<v.InferOutput<typeof eventSchema>>

/** An event as it is told: the bus puts `v` and `time` to it. */
export type EventBody = WithoutHead<Event>

/** How a step or an object came out. */
export type Outcome = v.InferOutput<typeof outcomeSchema>

/** A failure or a warning as it is told: what, why, what to do. */
export type Problem = Omit<Extract<Event, { readonly type: 'problem' }>, 'v' | 'time' | 'type'>
