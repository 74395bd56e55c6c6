import type { ClusterSpec } from '../config/schema.ts'
import type { Step } from '../lib/step.ts'

/** Makes, finds and removes clusters of one sort. A cluster that it did not make is never touched. */
export interface ClusterProvider {
  /** Whether devkit makes its clusters: then ports are mapped when one is made, and it goes with its last environment. */
  readonly own: boolean
  find(request: ClusterRequest, step: Step): Promise<ClusterState>
  /**
   * The cluster, running: created, started or just found. `ports` are those that it is made with when it is made now.
   * `nodesRun` is told the nodes as soon as they can take images, which is long before a new cluster is done.
   */
  ensure(
    request: ClusterRequest,
    ports: readonly PortMapping[],
    step: Step,
    nodesRun?: (nodes: readonly string[]) => void,
  ): Promise<EnsuredCluster>
  /** Removes the cluster and all that came with it. Nothing there is fine. */
  remove(request: ClusterRequest, step: Step): Promise<void>
}

/** Which cluster is meant. */
export interface ClusterRequest {
  /** `devkit-PROJECT`. */
  readonly name: string
  readonly project: string
  readonly spec: ClusterSpec
}

export type ClusterState =
  | { readonly state: 'absent' }
  /** `making`: a run makes it at this moment, or was killed while it did. */
  | { readonly state: 'making' | 'running' | 'stopped' | 'paused'; readonly cluster: Cluster }

export interface EnsuredCluster {
  readonly cluster: Cluster
  readonly outcome: 'created' | 'configured' | 'unchanged'
  /** When the oldest of its nodes began to run, in ms since the epoch: no container in it is older. */
  readonly runningSince: number
}

export interface Cluster {
  readonly name: string
  /** Path of devkit's own kubeconfig for this cluster. */
  readonly kubeconfig: string
  /** Containers that are the nodes, by name or id. None where nodes cannot be entered. */
  readonly nodes: readonly string[]
  /** Name of a node → its container in `nodes`, where these are ids. */
  readonly containers?: ReadonlyMap<string, string>
  /** Why its nodes cannot be entered. */
  readonly whyNotEntered?: string | undefined
  /** What to do when its API server does not answer, as a sentence. Default: what helps a cluster that devkit made. */
  readonly whenSilent?: string
}

/** A port of 127.0.0.1 that leads to a NodePort, fixed when the cluster is made. */
export interface PortMapping {
  readonly host: number
  readonly node: number
}
