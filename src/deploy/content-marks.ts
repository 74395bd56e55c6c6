import { createHash, createHmac } from 'node:crypto'
import { hookOf } from '../lib/hooks.ts'
import {
  type Container,
  dataOf,
  isWorkload,
  type KubeObject,
  type Manifest,
  nameOf,
  type PodSpec,
  podSpecOf,
} from '../lib/objects.ts'
import type { Observed } from './observed.ts'

/** On a pod template: what its pods read when they start, as `ConfigMap/settings=1f0c…,Secret/web=88ab…`. */
const annotation = 'devkit.dev/content'

/** Kinds whose pods live on. The next run of a CronJob reads what is new by itself; a Job and a hook have done their work with what there was. */
const markedKinds = ['Deployment', 'StatefulSet', 'DaemonSet']

/** The state of a ConfigMap or Secret of the manifests. */
interface Content {
  /** Undefined for a Secret that is not there yet. */
  readonly version: string | undefined
  /** Whether it was live with another content, or not at all, before this run. */
  readonly isChanged: boolean
}

/** By namespace and name. */
export type Contents = ReadonlyMap<string, Content>

/**
 * The ConfigMaps and Secrets among the manifests by their content. `before`: as they were live before this run; `now`: as they are.
 * A hash of a Secret would let those who read workloads try values: it is keyed with the uid of the live Secret, which only those know
 * who may read the Secret. The resource version will not do, since it changes with every label that somebody sets.
 */
export function contentsIn(
  manifests: readonly Manifest[],
  { before, now = before }: { readonly before: Observed; readonly now?: Observed },
): Contents {
  return new Map(
    manifests
      .filter(({ object }) => object.apiVersion === 'v1' && (object.kind === 'ConfigMap' || object.kind === 'Secret'))
      .map(({ object }): [string, Content] => {
        const content = contentOf(object)
        const live = before.get(object)
        const isChanged = live === undefined || contentOf(live) !== content
        return [keyOf(object, nameOf(object)), { version: versionOf(object, content, now.get(object)), isChanged }]
      }),
  )
}

/** What pods can read of it, the same for the same however it was written. */
function contentOf(object: KubeObject): string {
  const parts = [dataOf(object), { ...(object['binaryData'] as Readonly<Record<string, string>> | null | undefined) }]
  return JSON.stringify(parts.map((part) => Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1))))
}

function versionOf({ kind }: KubeObject, content: string, live: KubeObject | undefined): string | undefined {
  const uid = live?.metadata.uid
  if (kind === 'Secret' && uid === undefined) return undefined
  const hash = kind === 'Secret' && uid ? createHmac('sha256', uid) : createHash('sha256')
  return hash.update(content).digest('hex').slice(0, 16)
}

function keyOf({ metadata }: KubeObject, name: string): string {
  return `${metadata.namespace ?? ''} ${name}`
}

/**
 * A workload marked with the content of what its pods read from the manifests: another content takes new pods, and nothing else would
 * bring them. A `live` one that read the same without a mark, since an earlier devkit or another tool made it, stays as it is until
 * the content changes.
 */
export function withContentMarks(object: KubeObject, contents: Contents, live: KubeObject | undefined): KubeObject {
  if (!markedKinds.includes(object.kind) || !isWorkload(object) || hookOf(object)) return object
  const marked = new Set(marksOf(live))
  const readBefore = readBy(live && podSpecOf(live))
  const marks = [...readBy(podSpecOf(object))].toSorted().flatMap((name) => {
    const { version, isChanged } = contents.get(keyOf(object, name)) ?? {}
    const isAsBefore = readBefore.has(name) && !marked.has(name) && !isChanged
    return version === undefined || isAsBefore ? [] : `${name}=${version}`
  })
  if (marks.length === 0) return object
  const spec = object['spec'] as Templated
  const { metadata } = spec.template
  const annotations = { ...metadata?.annotations, [annotation]: marks.join(',') }
  return { ...object, spec: { ...spec, template: { ...spec.template, metadata: { ...metadata, annotations } } } }
}

interface Templated {
  readonly template: { readonly metadata?: Partial<KubeObject['metadata']> }
}

/** The names in a live workload's mark. */
function marksOf(live: KubeObject | undefined): readonly string[] {
  const mark = (live?.['spec'] as Partial<Templated> | undefined)?.template?.metadata?.annotations?.[annotation]
  return (mark ?? '').split(',').map((one) => one.replace(/=.*/, ''))
}

type Named = { readonly name?: string } | null | undefined

interface Source {
  readonly configMap?: Named
  readonly secret?: (Named & { readonly secretName?: string }) | null
}

/** Names of the ConfigMaps and Secrets that a pod gets, in its environment or as files. */
function readBy(pod: PodSpec | undefined): ReadonlySet<string> {
  const { volumes } = (pod ?? {}) as {
    readonly volumes?:
      | readonly (Source & { readonly projected?: { readonly sources?: readonly Source[] | null } | null })[]
      | null
  }
  const sources = (volumes ?? []).flatMap((volume) => [volume, ...(volume.projected?.sources ?? [])])
  const read = [
    ...[...(pod?.containers ?? []), ...(pod?.initContainers ?? [])].flatMap(readByEnvironment),
    ...sources.flatMap(({ configMap, secret }) => [
      ['ConfigMap', configMap?.name],
      ['Secret', secret?.secretName ?? secret?.name],
    ]),
  ]
  return new Set(read.flatMap(([kind, name]) => (name === undefined ? [] : `${kind}/${name}`)))
}

function readByEnvironment(container: Container): readonly (readonly (string | undefined)[])[] {
  const { env, envFrom } = container as Container & {
    readonly env?: readonly { readonly valueFrom?: { readonly configMapKeyRef?: Named; readonly secretKeyRef?: Named } }[] | null
    readonly envFrom?: readonly { readonly configMapRef?: Named; readonly secretRef?: Named }[] | null
  }
  return [
    ...(envFrom ?? []).flatMap(({ configMapRef, secretRef }) => [
      ['ConfigMap', configMapRef?.name],
      ['Secret', secretRef?.name],
    ]),
    ...(env ?? []).flatMap(({ valueFrom }) => [
      ['ConfigMap', valueFrom?.configMapKeyRef?.name],
      ['Secret', valueFrom?.secretKeyRef?.name],
    ]),
  ]
}
