import * as v from 'valibot'

/** The document of `devkit status --json`; its type and `schema/status.json` are made from this. */

const serviceStatusSchema = v.strictObject({
  name: v.string(),
  /** `Kind/name`. */
  workload: v.string(),
  image: v.optional(v.string()),
  ready: v.boolean(),
  /** What is waited for, where it is not ready. */
  waiting: v.optional(v.string()),
  url: v.optional(v.string()),
})

export const statusSchema = v.strictObject({
  project: v.string(),
  env: v.string(),
  cluster: v.strictObject({ name: v.string(), state: v.picklist(['absent', 'making', 'running', 'stopped', 'paused']) }),
  namespace: v.string(),
  services: v.array(serviceStatusSchema),
})

/** What is up, service by service. */
export type Status = v.InferOutput<typeof statusSchema>

export type ServiceStatus = v.InferOutput<typeof serviceStatusSchema>
