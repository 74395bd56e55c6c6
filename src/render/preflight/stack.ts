import { type Manifest, nameOf } from '../../lib/objects.ts'
import { type Capabilities, capabilitiesOf } from '../capabilities.ts'
import { Field, type PlaceOf, placesIn } from './field.ts'

/** What pre-flight goes by; all of it decided before. */
export interface PreflightInput {
  /** As they would be applied. */
  readonly manifests: readonly Manifest[]
  /** As the sources have them: places and images are told of these. */
  readonly sources: readonly Manifest[]
  readonly namespace: string
  readonly capabilities: Capabilities
  /** Whether the cluster is one that devkit makes: what is in it is known then. */
  readonly own: boolean
  /** Images that services of the config name. */
  readonly images: readonly { readonly image: string; readonly isBuilt: boolean }[]
}

/** What pods may ask of a node. */
export interface Capacity {
  readonly cpus: number
  readonly bytes: number
}

/** Labels of an object, or those that a selector asks for. */
export type Labels = Readonly<Record<string, string>>

/** A template of pods, and whose it is. */
export interface Pods {
  /** `Kind/name` of the workload. */
  readonly workload: string
  readonly manifest: Manifest
  readonly labels: Labels
  readonly spec: Field
  /** All containers, those that run first too. */
  readonly containers: readonly Field[]
  /** How many there are as soon as all is applied. */
  readonly count: number
}

/** A set of manifests, looked up. */
export interface Stack extends PreflightInput {
  readonly pods: readonly Pods[]
  /** Objects of kinds that Kubernetes itself does not have. */
  readonly foreign: readonly Manifest[]
  readonly placeOf: PlaceOf
  /** Objects of a kind, whatever the version, by their names. */
  of(kind: string): ReadonlyMap<string, Manifest>
}

export function stackOf(input: PreflightInput): Stack {
  const kinds = new Map<string, Map<string, Manifest>>()
  for (const manifest of input.manifests) {
    const { kind, metadata } = manifest.object
    const names = kinds.get(kind) ?? new Map<string, Manifest>()
    kinds.set(kind, names.set(metadata.name, manifest))
  }
  const { isForeign } = capabilitiesOf(input.capabilities.kubernetes)
  const of = (kind: string): ReadonlyMap<string, Manifest> => kinds.get(kind) ?? new Map()
  return {
    ...input,
    pods: scaled(input.manifests.flatMap(podsOf), [...of('HorizontalPodAutoscaler').values()]),
    foreign: input.manifests.filter(({ object }) => isForeign(object)),
    placeOf: placesIn(input.sources),
    of,
  }
}

/** Also of kinds that are not Kubernetes' own: what looks like a pod template is one. */
function podsOf(manifest: Manifest): readonly Pods[] {
  const { object } = manifest
  const root = Field.of(manifest)
  const ways = [['spec', 'template'], ['spec', 'jobTemplate', 'spec', 'template'], ...(object.kind === 'Pod' ? [[]] : [])]
  return ways.flatMap((way) => {
    const template = root.get(...way)
    const spec = template.get('spec')
    const containers = [...spec.get('initContainers').items, ...spec.get('containers').items]
    if (spec.get('containers').items.length === 0) return []
    return [
      {
        workload: nameOf(object),
        manifest,
        labels: template.get('metadata', 'labels').labels,
        spec,
        containers,
        count: countOf(manifest),
      },
    ]
  })
}

/** As many pods as autoscalers want at least; of what has no replicas they leave it so. */
function scaled(pods: readonly Pods[], autoscalers: readonly Manifest[]): readonly Pods[] {
  const least = new Map(
    autoscalers.map((manifest) => {
      const spec = Field.of(manifest).get('spec')
      const [kind, name] = ['kind', 'name'].map((word) => spec.get('scaleTargetRef', word).text)
      return [`${kind}/${name}`, Number(spec.get('minReplicas').value ?? 1) || 1]
    }),
  )
  return pods.map((one) => ({ ...one, count: one.count && Math.max(one.count, least.get(one.workload) ?? 0) }))
}

function countOf(manifest: Manifest): number {
  const spec = Field.of(manifest).get('spec')
  const number = (name: string): number => {
    const { value } = spec.get(name)
    return typeof value === 'number' ? value : 1
  }
  switch (manifest.object.kind) {
    case 'Pod':
    case 'DaemonSet':
      return 1
    case 'CronJob':
      return 0
    case 'Job':
      return spec.get('suspend').value === true ? 0 : number('parallelism')
    default:
      return number('replicas')
  }
}

/** Whether labels fit a selector with matchLabels and matchExpressions; an empty one fits all. */
export function isSelected(selector: Field, labels: Labels): boolean {
  const wanted = Object.entries(selector.get('matchLabels').labels)
  return (
    wanted.every(([key, value]) => labels[key] === value) &&
    selector.get('matchExpressions').items.every((expression) => {
      const key = expression.get('key').text ?? ''
      const values = expression.get('values').items.map(({ value }) => value)
      switch (expression.get('operator').value) {
        case 'In':
          return values.includes(labels[key])
        case 'NotIn':
          return !values.includes(labels[key])
        case 'DoesNotExist':
          return labels[key] === undefined
        default:
          return labels[key] !== undefined
      }
    })
  )
}
