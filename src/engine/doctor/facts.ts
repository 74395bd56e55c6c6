import type { Cluster } from '../../cluster/provider.ts'
import type { Engine, EngineInfo, Host } from '../../host/host.ts'
import type { Kube } from '../../kube/kube.ts'
import type { DevkitError } from '../../lib/errors.ts'
import type { Plan } from '../../plan/plan.ts'
import type { Parts } from '../environment.ts'
import type { WholePlan } from '../infer.ts'
import type { Outline, Source } from '../render.ts'
import type { Fact, Found } from './check.ts'

/** What a doctor looks at. */
export interface Examined {
  readonly parts: Parts & { readonly host: Host }
  /** Version of Node. */
  readonly node: string
  /** The machine's settings file: whether it is there, and what is wrong with it. */
  readonly settings: { readonly file: string; readonly found: boolean; readonly problem?: DevkitError | undefined }
  /** Reads the config. @throws CONFIG-1xx, PLAN-1xx */
  readonly load: () => Promise<ReadConfig>
  /** Whether the config was named: one that is not there is a failure then. */
  readonly isNamed: boolean
  readonly signal: AbortSignal
}

/** A config that was read. */
export interface ReadConfig {
  readonly plan: Plan
  /** Absolute path of its file. */
  readonly file: string
  readonly warnings: readonly DevkitError[]
  /** Renders the manifests and fills in what they say. @throws CONFIG-103, PLAN-1xx */
  readonly complete: (signal: AbortSignal) => Promise<WholePlan>
}

/** An engine that answers. */
export interface EngineFacts {
  readonly engine: Engine
  readonly info: EngineInfo
  /** How far its clock is ahead of this machine's, in ms, and how much of that may be the way there and back. */
  readonly skewMs: number
  readonly doubtMs: number
}

/** Manifests that can be rendered. */
export interface Rendered {
  /** The plan with what the manifests say. */
  readonly plan: Plan
  readonly source: Source
  readonly outline: Outline
}

/** A cluster that is there. */
export interface ClusterFacts {
  readonly plan: Plan
  readonly state: 'making' | 'running' | 'stopped' | 'paused'
  readonly cluster: Cluster
  /** Whether devkit makes it. */
  readonly isOwn: boolean
}

/** A cluster that answers. */
export interface ApiFacts extends ClusterFacts {
  readonly kube: Kube
  readonly version: string
  /** How long it took to answer, in ms. */
  readonly ms: number
  readonly skewMs: number
  readonly doubtMs: number
}

/** What several looks need, each asked once. */
export interface Facts {
  readonly engine: Promise<Fact<EngineFacts>>
  readonly config: Promise<Fact<ReadConfig>>
  readonly manifests: Promise<Fact<Rendered>>
  readonly cluster: Promise<Fact<ClusterFacts>>
  readonly api: Promise<Fact<ApiFacts>>
}

/** What was found while a fact was sought, or what it is found to be. */
export async function told<T>(fact: Promise<Fact<T>>, say: (is: T) => Found | Found[]): Promise<Found | Found[]> {
  const known = await fact
  return 'is' in known ? say(known.is) : (known.found ?? { verdict: 'skipped', said: known.why })
}

/** What a look finds that needs a fact; skipped with the reason where that is not known. */
export async function given<T>(
  fact: Promise<Fact<T>>,
  look: (is: T) => Found | Found[] | Promise<Found | Found[]>,
): Promise<Found | Found[]> {
  const known = await fact
  return 'is' in known ? look(known.is) : { verdict: 'skipped', said: known.why }
}
