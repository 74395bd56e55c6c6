import type { Profile } from '../config/profile-schema.ts'
import type { BuildSpec, ClusterSpec, PortSpec, SyncRule } from '../config/schema.ts'
import type { Secrets } from '../config/secrets.ts'
import type { Source } from '../config/sources.ts'
import type { Origins } from '../lib/origins.ts'

/** All decided, nothing done; plain JSON. */
export interface Plan {
  readonly project: string
  /** Name of the environment; `default` unless `--env` says otherwise. */
  readonly env: string
  /** `PROJECT` for the default environment, else `PROJECT-ENV`. */
  readonly namespace: string
  /** Directory of the config file, absolute; every other path of the plan is relative to it. */
  readonly directory: string
  /** Name of the config file in it. */
  readonly configFile: string
  readonly profileName: string
  readonly profile: Profile
  /** Which profile said what. */
  readonly profileOrigins: Origins
  readonly cluster: ClusterPlan
  /** The version of Kubernetes that the manifests are for, such as `1.34`, where the config says one. */
  readonly kubernetes?: string | undefined
  readonly sources: readonly Source[]
  /** The Secrets that are made for the environment, the profile's word laid over the config's. */
  readonly secrets: Secrets
  /** Patterns as in a .gitignore: what is neither watched nor synced. */
  readonly ignore: readonly string[]
  /** In the order of `dependsOn`: what is depended on comes first. */
  readonly services: readonly ServicePlan[]
}

export interface ClusterPlan {
  /** `devkit-PROJECT`. */
  readonly name: string
  readonly project: string
  readonly spec: ClusterSpec
  /** Host ports that the config names: the cluster maps them when it is made. */
  readonly hostPorts: readonly number[]
}

/** A port of a service. One that is inferred is made reachable where the cluster has room for it. */
export type PlannedPort = PortSpec & { readonly inferred?: true }

export interface ServicePlan {
  readonly name: string
  readonly image: string | undefined
  /** `Kind/name` where the config says so. */
  readonly workload: string | undefined
  readonly build: BuildSpec | undefined
  readonly sync: readonly SyncRule[]
  readonly ports: readonly PlannedPort[]
  readonly dependsOn: readonly string[]
}

/** What a set of changed files means for one service, or for all. */
export type Action =
  | { readonly do: 'sync'; readonly service: string; readonly paths: readonly string[]; readonly reason: string }
  | { readonly do: 'rebuild'; readonly service: string; readonly reason: string }
  | { readonly do: 'none'; readonly service: string; readonly reason: string }
  | { readonly do: 'rerender'; readonly reason: string }
  | { readonly do: 'replan'; readonly reason: string }
