import * as v from 'valibot'
import { problemSchema } from './event.ts'

/** The document of `devkit status --json`; its type and `schema/status.json` are made from this. */

const portStatusSchema = v.strictObject({
  /** The port of the Service as the config names it. */
  port: v.union([v.string(), v.number()]),
  /** Port on 127.0.0.1; absent until the environment is up. */
  host: v.optional(v.number()),
  url: v.optional(v.string()),
})

const volumeStatusSchema = v.strictObject({
  namespace: v.string(),
  name: v.string(),
  /** As Kubernetes writes it, e.g. `1Gi`. */
  size: v.string(),
})

const serviceStatusSchema = v.strictObject({
  name: v.string(),
  /** `Kind/name`. */
  workload: v.string(),
  image: v.optional(v.string()),
  ready: v.boolean(),
  /** Pods of the workload that are ready, and how many there should be. A Job counts its completions. */
  pods: v.optional(v.strictObject({ ready: v.number(), wanted: v.number() })),
  /** What is waited for, where it is not ready. */
  waiting: v.optional(v.string()),
  ports: v.array(portStatusSchema),
  /** That of the first port. */
  url: v.optional(v.string()),
  /** Containers that do not hold the working tree, and how many files they have otherwise. */
  stale: v.optional(v.array(v.strictObject({ pod: v.string(), container: v.string(), files: v.number() }))),
  /** When devkit last changed the workload, ISO 8601. */
  lastChange: v.optional(v.string()),
})

export const statusSchema = v.strictObject({
  project: v.string(),
  env: v.string(),
  /** `unknown`: the container engine does not answer. `making`: a run makes it at this moment, or was killed while it did. */
  cluster: v.strictObject({
    name: v.string(),
    state: v.picklist(['unknown', 'absent', 'making', 'running', 'stopped', 'paused']),
    /** How saved files come into its containers. */
    sync: v.optional(v.picklist(['node stream', 'exec stream'])),
    /** Why that is not the node stream, which is the faster one. */
    syncReason: v.optional(v.string()),
  }),
  namespace: v.string(),
  services: v.array(serviceStatusSchema),
  volumes: v.array(volumeStatusSchema),
  problems: v.array(problemSchema),
})

/** What is up, service by service. */
export type Status = v.InferOutput<typeof statusSchema>

export type ServiceStatus = v.InferOutput<typeof serviceStatusSchema>
