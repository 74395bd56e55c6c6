import type { Kube } from '../kube/kube.ts'
import { mapLimited } from '../lib/async.ts'
import { DevkitError } from '../lib/errors.ts'
import { isLabelled, type Manifest, type ObjectRef, refOf } from '../lib/objects.ts'
import { isRecord } from '../lib/record.ts'
import { ownLabels } from './apply.ts'
import { damaged, type Environment, forgetMap, type OwnMap, readMap, writeMap } from './own-map.ts'
import { isForbidden } from './refusal.ts'
import { type RemovalOptions, untilGone } from './remove.ts'

const map: OwnMap = {
  name: 'devkit-inventory',
  keeps: 'what it applied',
  without:
    'what is in the manifests is written down again, what left them before has to be removed by hand (`kubectl get all,configmap -l devkit.dev/project`)',
}

/**
 * Writes down what is applied for an environment, before it is applied: whatever happens, nothing of ours is forgotten.
 * `known`: what is written down, where that was read already.
 * Gives what an earlier run applied and these manifests do not have: it stays written down until `prune` has removed it.
 */
export async function recordInventory(
  kube: Kube,
  environment: Environment,
  { manifests, known }: { readonly manifests: readonly Manifest[]; readonly known?: readonly ObjectRef[] | undefined },
  signal: AbortSignal,
): Promise<readonly ObjectRef[]> {
  const before = known ?? (await readInventory(kube, environment.namespace, signal))
  const left = leftOf(before, manifests)
  const refs = [...manifests.map(({ object }) => refOf(object)), ...left]
  if (textOf(refs) !== textOf(before)) await write(kube, environment, refs, signal)
  return left
}

/** What an inventory means for these manifests. */
export interface InventoryOutlook {
  /** What is written down; undefined where it may not be read. */
  readonly known: readonly ObjectRef[] | undefined
  /** What of it `prune` will remove. */
  readonly leaving: readonly ObjectRef[]
  /** Whether it is written anew. */
  readonly isChanging: boolean
}

/** Looks ahead at `recordInventory` and `prune`, which does away with what holds data where `pruneData`. */
export async function lookAtInventory(
  kube: Kube,
  environment: Environment,
  { manifests, pruneData }: { readonly manifests: readonly Manifest[]; readonly pruneData: boolean },
  signal: AbortSignal,
): Promise<InventoryOutlook> {
  const known = await unlessForbidden(readInventory(kube, environment.namespace, signal), undefined)
  const before = known ?? []
  const left = leftOf(before, manifests)
  const isChanging = textOf([...manifests.map(({ object }) => refOf(object)), ...left]) !== textOf(before)
  const labels = ownLabels(environment.project, environment.env)
  const due = left.filter((ref) => !isMapped(ref) && (pruneData || !holdsData(ref)))
  const leaving = await mapLimited(due, 8, async (ref) => {
    const found = await unlessForbidden(kube.get(ref, signal), 'hidden' as const)
    return found === 'hidden' || (found && isLabelled(found, labels)) ? [ref] : []
  })
  return { known, leaving: leaving.flat(), isChanging }
}

async function unlessForbidden<T, Other>(asked: Promise<T>, other: Other): Promise<T | Other> {
  try {
    return await asked
  } catch (thrown) {
    if (isForbidden(thrown)) return other
    throw thrown
  }
}

/** What was applied, of that inventory, and is not among the manifests. */
export function leftOf(inventory: readonly ObjectRef[], manifests: readonly Manifest[]): readonly ObjectRef[] {
  const wanted = new Set(manifests.map(({ object }) => keyOf(refOf(object))))
  return inventory.filter((ref) => !wanted.has(keyOf(ref)))
}

interface Left {
  readonly manifests: readonly Manifest[]
  readonly left: readonly ObjectRef[]
  /** Whether what holds data may go, with all of it. Asked once, when everything else is gone. */
  readonly mayGo: (data: readonly ObjectRef[]) => Promise<boolean>
  /** How long to wait for what was removed to go. */
  readonly waiting?: Pick<RemovalOptions, 'patienceMs' | 'say'>
}

/**
 * Removes what left the manifests, newest first. What somebody else has taken over is let go;
 * what holds data and may not go stays, and stays written down.
 * @throws APPLY-112 when something does not go: all stays written down then
 */
export async function prune(
  kube: Kube,
  environment: Environment,
  { manifests, left, mayGo, waiting = {} }: Left,
  signal: AbortSignal,
): Promise<readonly { readonly ref: ObjectRef; readonly outcome: 'pruned' | 'kept' }[]> {
  const labels = ownLabels(environment.project, environment.env)
  const found = await mapLimited(left, 8, async (ref) => ({ ref, object: await kube.get(ref, signal) }))
  const own = found.flatMap(({ ref, object }) => (object && isLabelled(object, labels) ? [{ ref, object }] : []))
  const leaving = own.filter(({ ref }) => !isMapped(ref)).toReversed()
  for (const { ref, object } of leaving) if (!holdsData(ref)) await kube.remove(ref, signal, { uid: object.metadata.uid })
  const data = leaving.filter(({ ref }) => holdsData(ref))
  const goes = data.length > 0 && (await mayGo(data.map(({ ref }) => ref)))
  if (goes) for (const { ref, object } of data) await kube.remove(ref, signal, { uid: object.metadata.uid })
  const stays = own.filter(({ ref }) => isMapped(ref) || (holdsData(ref) && !goes)).map(({ ref }) => ref)
  for (const { ref, object } of leaving) if (!stays.includes(ref)) await untilGone(kube, object, waiting, signal)
  if (stays.length < left.length)
    await write(kube, environment, [...manifests.map(({ object }) => refOf(object)), ...stays], signal)
  return leaving.map(({ ref }) => ({ ref, outcome: stays.includes(ref) ? 'kept' : 'pruned' }))
}

/** Kinds that are more than what is written of them: with a claim or a volume goes its content, with a kind go all its objects. */
const dataKinds: ReadonlySet<string> = new Set([
  'v1 PersistentVolumeClaim',
  'v1 PersistentVolume',
  'apiextensions.k8s.io/v1 CustomResourceDefinition',
])

/** Whether with the object more would go than what its manifest says. */
export function holdsData({ apiVersion, kind }: ObjectRef): boolean {
  return dataKinds.has(`${apiVersion} ${kind}`)
}

/** Host ports are made for the services that a run is about: those of others are none that left. */
export function isMapped({ kind, name: mapped }: ObjectRef): boolean {
  return kind === 'Service' && mapped.startsWith('devkit-')
}

function keyOf({ apiVersion, kind, name: object, namespace = '' }: ObjectRef): string {
  // the version of an API may change without a new object
  return [apiVersion.includes('/') ? apiVersion.split('/')[0] : '', kind, namespace, object].join('/')
}

function write(kube: Kube, environment: Environment, refs: readonly ObjectRef[], signal: AbortSignal): Promise<void> {
  return writeMap(kube, map, environment, { version, objects: textOf(refs) }, signal)
}

/** What was applied for the environment of that namespace. @throws APPLY-111 */
export async function readInventory(kube: Kube, namespace: string, signal: AbortSignal): Promise<readonly ObjectRef[]> {
  const data = await readMap(kube, map, namespace, signal)
  return data ? refsOf(data, namespace) : []
}

/** What the ConfigMap of the inventory has. Devkit's first had no version, and a list of references. */
interface InventoryData {
  readonly version?: string
  readonly objects?: string
}

const version = '2'

/** The objects of one kind in one namespace. An object takes little more than its name: a ConfigMap holds 1 MiB. */
type Group = readonly [apiVersion: string, kind: string, namespace: string, ...names: string[]]

/** The references as they are written down: by kind, in the order in which a kind comes first. */
export function textOf(refs: readonly ObjectRef[]): string {
  const groups = new Map<string, [string, string, string, ...string[]]>()
  for (const { apiVersion, kind, namespace = '', name: object } of refs) {
    const key = JSON.stringify([apiVersion, kind, namespace])
    const group = groups.get(key) ?? [apiVersion, kind, namespace]
    group.push(object)
    groups.set(key, group)
  }
  return JSON.stringify([...groups.values()])
}

/** What is written down. @throws APPLY-111 when a newer devkit wrote it, or it is damaged */
export function refsOf({ version: written = '1', objects = '[]' }: InventoryData, namespace: string): readonly ObjectRef[] {
  if (Number(written) > Number(version))
    throw new DevkitError('APPLY-111', {
      message: `ConfigMap/${map.name} in ${namespace}, where devkit keeps ${map.keeps}, is of a newer devkit: its version is ${written}, this one knows ${version}.`,
      hint: 'Use that devkit, or a newer one.',
      object: `ConfigMap/${map.name}`,
    })
  try {
    const parsed: unknown = JSON.parse(objects)
    if (!Array.isArray(parsed) || !parsed.every(written === '1' ? isRef : isGroup)) throw new Error('it has no list of objects')
    return written === '1' ? (parsed as ObjectRef[]) : (parsed as Group[]).flatMap(refsOfGroup)
  } catch (cause) {
    throw damaged(map, namespace, cause)
  }
}

function isGroup(value: unknown): value is Group {
  return Array.isArray(value) && value.length > 3 && value.every((part) => typeof part === 'string')
}

function isRef(value: unknown): value is ObjectRef {
  return isRecord(value) && [value['apiVersion'], value['kind'], value['name']].every((part) => typeof part === 'string')
}

function refsOfGroup([apiVersion, kind, namespace, ...names]: Group): readonly ObjectRef[] {
  return names.map((object) => ({ apiVersion, kind, name: object, namespace: namespace || undefined }))
}

/** Removes what was written down. */
export function forgetInventory(kube: Kube, namespace: string, signal: AbortSignal): Promise<void> {
  return forgetMap(kube, map, namespace, signal)
}
