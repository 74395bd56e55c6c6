import * as v from 'valibot'

/** The document of `devkit diff --json`; its type and `schema/diff.json` are made from this. */

const fieldSchema = v.strictObject({
  /** As in `spec.template.spec.containers[web].image`: items of a list by what tells them apart, else by their number. */
  path: v.string(),
  /** Absent where the field is not there. Values of Secrets are `***`. */
  before: v.optional(v.unknown()),
  after: v.optional(v.unknown()),
  /** What changed it: the profile and its word, `dev: services.web.args`, or devkit itself, `devkit: supervisor`. Absent between live and local. */
  rule: v.optional(v.string()),
})

const objectSchema = v.strictObject({
  /** `Kind/name`. */
  object: v.string(),
  /** Relative to the config, and the line from 1; absent where no manifest has the object. */
  file: v.optional(v.string()),
  line: v.optional(v.number()),
  is: v.picklist(['changed', 'added', 'removed']),
  /** Of an object that is added or removed. */
  rule: v.optional(v.string()),
  reason: v.optional(v.string()),
  /** Empty for an object that is added or removed. */
  fields: v.array(fieldSchema),
})

export const diffSchema = v.strictObject({
  /** Name of a profile, or `live`. */
  before: v.string(),
  /** Name of a profile, or `local`. */
  after: v.string(),
  /** Those that differ; with `--check FILE` those that differ in what the file does not allow. */
  objects: v.array(objectSchema),
  /** What could not be told, a line each. */
  notes: v.array(v.string()),
})

/** What differs between two profiles, or between the cluster and the manifests. */
export type Diff = v.InferOutput<typeof diffSchema>
export type ObjectDiff = v.InferOutput<typeof objectSchema>
export type FieldDiff = v.InferOutput<typeof fieldSchema>
