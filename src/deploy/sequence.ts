import { DevkitError } from '../lib/errors.ts'
import { type Hook, hookOf, isForFailure, phasesOf } from '../lib/hooks.ts'
import { isWorkload, type KubeObject, type Manifest, nameOf, placeOf } from '../lib/objects.ts'

/** Kinds that others need: they are applied first, in this order. Everything else follows, workloads last. */
const first = ['Namespace', 'CustomResourceDefinition', 'PriorityClass', 'StorageClass', 'ResourceQuota', 'LimitRange', 'ServiceAccount', 'Role', 'ClusterRole', 'RoleBinding', 'ClusterRoleBinding', 'Secret', 'ConfigMap', 'PersistentVolume', 'PersistentVolumeClaim', 'Service'] // biome-ignore format: a list

/** What is applied together; all of it is ready before the next stage begins. */
export type Stage = readonly Manifest[]

/** A rollout, in the order of time. */
export interface Sequence {
  /** What even hooks may need: the kinds that manifests bring, and what `isNeededFirst`. No workload is among it. */
  readonly basis: Stage
  /** The hooks before. */
  readonly before: readonly Stage[]
  /** What is no hook, and hooks that go with it. One stage unless something says its wave; never none. */
  readonly sync: readonly [Stage, ...Stage[]]
  /** Helm's hooks after: they begin when all of `sync` is applied, ready or not, as without `helm --wait`. */
  readonly afterApplied: readonly Stage[]
  /** Argo CD's hooks after: when all of `sync` is ready. */
  readonly afterReady: readonly Stage[]
  /** Argo CD's hooks for when any of it has failed. */
  readonly afterFailure: readonly Stage[]
}

interface Options {
  /** Whether what is no hook was there before: which of its hooks Helm would run. */
  readonly isUpgrade: boolean
  /** Whether even hooks may need an object. */
  readonly isNeededFirst?: (object: KubeObject) => boolean
}

type Part = Exclude<keyof Sequence, 'basis'>

interface Placed {
  readonly manifest: Manifest
  readonly tool: Hook['tool'] | undefined
  readonly part: Part
  readonly wave: number
}

/**
 * The manifests in the order that Helm's and Argo CD's annotations ask for: by phase, wave, kind and name.
 * Hooks of Helm run one after another, everything else of a wave at once. A hook for an upgrade alone is in none of it at an install.
 * Their waves and weights are whole numbers: see `wrongWaves`.
 */
export function sequence(manifests: readonly Manifest[], { isUpgrade, isNeededFirst = () => false }: Options): Sequence {
  const needed = ({ object }: Manifest): boolean =>
    isNeededFirst(object) || (object.kind === 'CustomResourceDefinition' && !hookOf(object) && waveOf(object) === 0)
  const placed = manifests.filter((manifest) => !needed(manifest)).flatMap((manifest) => place(manifest, isUpgrade))
  const stages = (part: Part): readonly Stage[] => inStages(placed.filter((one) => one.part === part))
  const [first = [], ...others] = stages('sync')
  return {
    basis: manifests.filter(needed),
    before: stages('before'),
    sync: [first, ...others],
    afterApplied: stages('afterApplied'),
    afterReady: stages('afterReady'),
    afterFailure: stages('afterFailure'),
  }
}

/** The manifests in groups: those of a group need nothing of each other. Workloads are the last group. */
export function byKind(manifests: readonly Manifest[]): readonly (readonly Manifest[])[] {
  const groups = new Map<number, Manifest[]>()
  for (const manifest of manifests) {
    const rank = rankOf(manifest.object)
    groups.set(rank, [...(groups.get(rank) ?? []), manifest])
  }
  return [...groups].toSorted(([a], [b]) => a - b).map(([, group]) => group)
}

function rankOf(object: KubeObject): number {
  if (isWorkload(object)) return first.length + 1
  const known = first.indexOf(object.kind)
  return known < 0 ? first.length : known
}

/** In none where its tool would not run it; in several where it names several phases of Argo CD. */
function place(manifest: Manifest, isUpgrade: boolean): readonly Placed[] {
  const { object } = manifest
  const hook = hookOf(object)
  const part = hook?.tool === 'Helm' ? partOfHelm(hook, isUpgrade) : undefined
  const parts = part ? [part] : hook ? phasesOf(object).map((phase) => partsOfArgo[phase]) : (['sync'] as const)
  const all: readonly Part[] = isForFailure(object) ? [...parts, 'afterFailure'] : parts
  return all.map((one) => ({ manifest, tool: hook?.tool, part: one, wave: waveOf(object) }))
}

const partsOfArgo = { PreSync: 'before', Sync: 'sync', PostSync: 'afterReady' } as const satisfies Record<string, Part>

function partOfHelm({ types }: Hook, isUpgrade: boolean): Part | undefined {
  // one for an install alone that has not run yet, or whose content changed, runs at an upgrade too
  for (const event of isUpgrade ? ['upgrade', 'install'] : ['install']) {
    if (types.includes(`pre-${event}`) || (event === 'install' && types.includes('crd-install'))) return 'before'
    if (types.includes(`post-${event}`)) return 'afterApplied'
  }
  return undefined
}

const waveAnnotation = 'argocd.argoproj.io/sync-wave'
const weightAnnotation = 'helm.sh/hook-weight'

function waveOf(object: KubeObject): number {
  const wave = object.metadata.annotations?.[waveAnnotation]
  if (wave !== undefined) return Number(wave)
  return hookOf(object)?.tool === 'Helm' ? Number(object.metadata.annotations?.[weightAnnotation] ?? 0) : 0
}

/** A problem for each wave and weight that is no whole number: RENDER-110. */
export function wrongWaves({ object, origin }: Manifest): readonly DevkitError[] {
  return [waveAnnotation, weightAnnotation].flatMap((annotation) => {
    const said = object.metadata.annotations?.[annotation]
    if (said === undefined || /^[+-]?\d+$/.test(said)) return []
    return new DevkitError('RENDER-110', {
      message: `${annotation} of ${nameOf(object)} is ${JSON.stringify(said)}, which is no whole number (${placeOf(origin)}).`,
      hint: 'Write a whole number in quotes, such as "-1" or "5": lower ones are applied first.',
      object: nameOf(object),
    })
  })
}

function inStages(placed: readonly Placed[]): readonly Stage[] {
  const ordered = placed.toSorted(
    (a, b) =>
      a.wave - b.wave ||
      rankOf(a.manifest.object) - rankOf(b.manifest.object) ||
      compare(a.manifest.object.metadata.name, b.manifest.object.metadata.name),
  )
  const stages = new Map<string, Manifest[]>()
  for (const { manifest, tool, wave } of ordered) {
    const key = tool === 'Helm' ? `weight ${wave}, ${nameOf(manifest.object)}` : `wave ${wave}`
    stages.set(key, [...(stages.get(key) ?? []), manifest])
  }
  return [...stages.values()]
}

function compare(a: string, b: string): number {
  return Number(a > b) - Number(a < b)
}
