import type { KubeObject } from '../../lib/objects.ts'
import type { Terminated } from './pod.ts'
import type { ContainerRef, Verdict } from './verdict.ts'

/** An event that Kubernetes wrote about an object. */
export interface Warning {
  readonly reason: string
  readonly message: string
  /** The container of a pod that it is about. */
  readonly container: string | undefined
  /** How often it happened. */
  readonly count: number
  /** First and last time, in ms since the epoch. */
  readonly from: number
  readonly at: number
}

/** Something that an event tells. */
export interface Happening extends Warning {
  /** Whom it happened to, by kind and name. */
  readonly kind: string
  readonly name: string
}

/** How an instance of a container ended, seen while it could be. */
export interface End extends Terminated, ContainerRef {
  /** Its last lines; undefined while they are not known. */
  readonly tail: readonly string[] | undefined
}

/**
 * What is known of the cluster at one moment. Rules ask, and decide by nothing else. What is asked for and is not yet known is looked up, and the
 * rules are asked again when it has come.
 */
export interface Facts {
  /** In ms since the epoch. */
  readonly now: number
  readonly namespace: string
  /** Objects of a kind, of the namespace or of the whole cluster; undefined while they are not known, and where nobody may look at them. */
  known(apiVersion: string, kind: string, where?: 'cluster'): readonly KubeObject[] | undefined
  /** Whether nobody may look at them, so that they will not be known. */
  isHidden(apiVersion: string, kind: string, where?: 'cluster'): boolean
  /** Warnings about an object, newest first. */
  warnings(about: KubeObject): readonly Warning[]
  /** Times that the kubelet said that it ends containers of a pod, newest first. */
  kills(of: KubeObject): readonly Warning[]
  /** Those of the ports of a pod at which somebody listens now, if only on its 127.0.0.1; undefined while nobody knows, and where nobody may ask. */
  openPorts(of: KubeObject, ports: readonly number[]): readonly number[] | undefined
  /** The last lines of a container that runs, as they were a moment ago; undefined while they are not known. */
  tail(of: { readonly pod: KubeObject; readonly container: string }): readonly string[] | undefined
  /** What events of a reason tell of the namespace, newest first; also of objects that are gone. */
  happened(reason: string): readonly Happening[]
  /** Objects of the manifests, as they were applied. */
  readonly manifests: readonly KubeObject[]
  /** All that Kubernetes wrote about an object of the namespace, newest first: not only warnings. */
  notes(about: KubeObject): readonly Warning[]
  /** Ends of a container of a pod that were seen, newest first; with a workload, of all its pods, those that are gone too. */
  ends(of: { readonly pod: KubeObject; readonly container: string } | { readonly workload: KubeObject }): readonly End[]
  /** Whether `ms` milliseconds have passed since a time. Where they have not, the rules are asked again when they have. */
  hasPassed(since: number, ms: number): boolean
  /** Where an object (`Kind/name`) is written: `Secret/db (k8s/db.yaml:12)`; only its name where nobody knows. `path`: a field of it. */
  where(object: string, path?: readonly (string | number)[]): string
  /** Workloads (`Kind/name`) that this one needs and that are not ready. `hosts`: names of Services that it was heard to ask for. */
  lacking(workload: KubeObject, hosts: readonly string[]): readonly string[]
  /** Other workloads that are not ready and that nothing is known to be wrong with. */
  onTheirWay(but: KubeObject): readonly KubeObject[]
  /** Whether anything else is still on its way that the workload may be waiting for, though nothing says that it needs it. */
  isAnythingOnItsWay(but: KubeObject): boolean
}

/** A workload that is not ready. */
export interface Patient {
  readonly workload: KubeObject
  /** `Kind/name`. */
  readonly name: string
  /** Pods of its newest rollout that are not on their way out, newest first. */
  readonly pods: readonly KubeObject[]
  /** The ReplicaSet of a Deployment's newest rollout. */
  readonly replicaSet: KubeObject | undefined
  readonly facts: Facts
}

/** Looks for one sort of cause. Undefined when it is not this. */
export type Rule = (patient: Patient) => Verdict | undefined

/** The first that a rule finds in a pod, in the order of the pods. */
export function inPods(look: (pod: KubeObject, patient: Patient) => Verdict | undefined): Rule {
  return (patient) => {
    const found = patient.pods.flatMap((pod) => look(pod, patient) ?? [])
    return found.find(({ severity, waitsFor }) => severity === 'failure' && !waitsFor) ?? found[0]
  }
}
