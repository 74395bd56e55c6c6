import * as v from 'valibot'
import { problemSchema } from './event.ts'

/** The document of `devkit doctor --json`; its type and `schema/doctor.json` are made from this. */

export const areaSchema = v.picklist(['machine', 'engine', 'config', 'manifests', 'cluster', 'environment'])

const checkSchema = v.strictObject({
  area: areaSchema,
  /** What was looked at, such as `disk`; several may have the same. */
  name: v.string(),
  /** `skipped`: it could not be looked at, or there is nothing to look at yet; `said` tells which. */
  verdict: v.picklist(['ok', 'warning', 'failure', 'skipped']),
  said: v.string(),
  /** What it was seen by, several lines. */
  detail: problemSchema.entries.detail,
  code: v.optional(problemSchema.entries.code),
  /** A command or a place that mends it. */
  remedy: v.optional(v.string()),
})

export const doctorSchema = v.strictObject({
  /** Whether there is no failure. */
  ok: v.boolean(),
  /** In the order of the areas; those that everything else leans on come first. */
  checks: v.array(checkSchema),
})

/** What is well and what is not, from the machine up. */
export type Doctor = v.InferOutput<typeof doctorSchema>

export type Check = v.InferOutput<typeof checkSchema>

export type Area = v.InferOutput<typeof areaSchema>
