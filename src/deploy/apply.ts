import type { Kube } from '../kube/kube.ts'
import { delay, mapLimited } from '../lib/async.ts'
import { DevkitError } from '../lib/errors.ts'
import { hookOf } from '../lib/hooks.ts'
import { dataOf, isLabelled, isWorkload, type KubeObject, type Manifest, nameOf, type ObjectRef, refOf } from '../lib/objects.ts'
import { isRecord } from '../lib/record.ts'
import { adopt } from './adopt.ts'
import { changesBetween, changesTo } from './changes.ts'
import { checkBySchema, servedVersions } from './crd-schema.ts'
import { lookAtNamespace, nothingObserved, type Observed } from './observed.ts'
import { isHarmless, makeRoom, recreationFor, remarkOf, unheaded, unwanted } from './recreate.ts'
import { type Conflict, conflictsOf, isByHand, isImmutable, isSilentWebhook, isStatusOf, refusal } from './refusal.ts'
import { removeWhole } from './remove.ts'
import { checkRemovals, checkRights } from './rights.ts'
import { forbiddenDefault, withoutNullParameters, withStrategyOf } from './strategy.ts'
import { isUnchanged } from './unchanged.ts'

/** What applying did, and the object as the server holds it now. */
export interface Applied {
  readonly outcome: 'created' | 'configured' | 'unchanged'
  readonly object: KubeObject
  /** Paths of what is otherwise now, where it is `configured`. */
  readonly fields: readonly string[]
  /** Fields that others owned with other values, and that are now what the manifest says. */
  readonly taken: readonly Conflict[]
  /** Why it was made anew, where it was. */
  readonly remark?: string | undefined
}

type Labels = Readonly<Record<string, string>>

/** How objects are applied. */
interface Manner {
  readonly labels: Labels
  /** Fields that controllers own are taken from them. */
  readonly forceConflicts?: boolean | undefined
}

/** Labels on everything that devkit applies for an environment. */
export function ownLabels(project: string, env: string): Labels {
  return { 'devkit.dev/project': project, 'devkit.dev/env': env }
}

interface ApplyOptions extends Manner {
  readonly observed?: Observed | undefined
  /** Whether an object may be made anew that holds data. */
  readonly mayLose?: boolean
}

/**
 * Makes one live object what its manifest says. An object that was observed to be so is not even asked for.
 * What a person changed by hand is put right, what kubectl applied is taken over, what a controller owns is left to it
 * (APPLY-102), unless `forceConflicts` takes that too.
 * A Job that failed is made anew, and so is what cannot be changed as its manifest says, where nothing goes for good or `mayLose` allows it.
 * @throws APPLY-101 … APPLY-105 with the manifest's place, APPLY-112
 */
export async function applyManifest(
  kube: Kube,
  manifest: Manifest,
  { labels, observed = nothingObserved, forceConflicts, mayLose = false }: ApplyOptions,
  signal: AbortSignal,
): Promise<Applied> {
  const { object } = manifest
  const seen = observed.get(object)
  const wanted = asApplied(object, labels, seen)
  if (seen && isDone(seen, wanted)) return { outcome: 'unchanged', object: seen, fields: [], taken: [] }
  try {
    let before = await kube.get(refOf(object), signal)
    if (before && hasFailed(before)) {
      await removeWhole(kube, before, {}, signal)
      before = undefined
    }
    const adopted = before ? await adopt(kube, { live: before, wanted, forceConflicts }, signal) : undefined
    const change = { wanted, live: before, mayLose, forceConflicts }
    const { object: after, taken, remark } = await applyOrRecreate(kube, manifest, change, signal)
    if (object.kind === 'CustomResourceDefinition') await untilServed(kube, after, signal)
    if (!before) return { outcome: 'created', object: after, fields: [], taken }
    const unchanged = !adopted && before.metadata.resourceVersion === after.metadata.resourceVersion
    if (unchanged) return { outcome: 'unchanged', object: after, fields: [], taken }
    // what was made anew has other fields of the server's
    const changes = before.metadata.uid === after.metadata.uid ? changesBetween(before, after) : changesTo(before, wanted)
    return { outcome: 'configured', object: after, fields: changes.map(({ path }) => path), taken, remark }
  } catch (thrown) {
    signal.throwIfAborted()
    throw await refusal(kube, thrown, manifest, signal)
  }
}

/**
 * Asks the server what it thinks of all manifests, without a write. Objects of kinds that the manifests themselves bring or change are checked by
 * the schemas of these kinds; what is fixed in a hook is left to the apply, since that is made anew.
 * Gives what could not be checked, in words, what would be lost of the objects that have to be made anew, and whether there is anything to
 * write at all.
 * @throws as `applyManifest`, everything that is refused at once; a webhook that does not answer, at once
 */
export async function checkManifests(
  kube: Kube,
  manifests: readonly Manifest[],
  { labels, namespace, observed, forceConflicts, mayLose = false, removals = [] }: CheckOptions,
  signal: AbortSignal,
): Promise<{ readonly unchecked: readonly string[]; readonly losses: readonly string[]; readonly isDue: boolean }> {
  const losses: string[] = []
  const isThere = await hasNamespace(kube, namespace, signal)
  const changed = manifests.filter(({ object }) => {
    const seen = observed.get(object)
    return !(seen && isDone(seen, asApplied(object, labels, seen)))
  })
  const definitions = changed.map(({ object }) => object).filter(({ kind }) => kind === 'CustomResourceDefinition')
  const broughtKinds = new Set(definitions.flatMap(kindsOf))
  const asked = changed.filter(({ object }) => !broughtKinds.has(kindOf(object)))
  const bySchema = await checkBySchema(
    changed.filter(({ object }) => broughtKinds.has(kindOf(object))),
    definitions,
  )
  const failed = changed.flatMap(({ object }) => {
    const seen = observed.get(object)
    return seen && hasFailed(seen) ? [refOf(object)] : []
  })
  await checkRights(kube, asked, { namespace, isThere, removals: [...removals, ...failed] }, signal)
  const recreated: ObjectRef[] = []
  const coming = new Set<string | undefined>(isThere ? [] : [namespace])
  for (const { object } of changed)
    if (object.kind === 'Namespace' && !(await hasNamespace(kube, object.metadata.name, signal))) coming.add(object.metadata.name)
  const refused = await mapLimited(asked, 8, async (manifest) => {
    const seen = observed.get(manifest.object)
    const wanted = asApplied(manifest.object, labels, seen)
    // a dry run in a namespace that does not exist is refused as such: the default one is the same for every check but that of names
    const placed = coming.has(wanted.metadata.namespace) ? inNamespace(wanted, 'default') : wanted
    try {
      // what has the same name there is somebody else's, and no conflict with this
      await tryOver(kube, placed, { live: seen, forceConflicts: forceConflicts || placed !== wanted }, signal)
      return undefined
    } catch (thrown) {
      signal.throwIfAborted()
      // each of the others would wait for it as long
      if (isSilentWebhook(thrown)) throw await refusal(kube, thrown, manifest, signal)
      if (isImmutable(thrown) && (hookOf(manifest.object) || placed !== wanted)) return undefined
      const live = seen ?? (await kube.get(refOf(manifest.object), signal))
      const recreation = live && recreationFor(live, wanted, thrown)
      if (!recreation) return refusal(kube, thrown, manifest, signal)
      if (!isHarmless(recreation) && (recreation.how !== 'lose' || !mayLose)) return unwanted(manifest, recreation, thrown)
      recreated.push(refOf(manifest.object))
      if (recreation.how !== 'lose') return refusalOfNew(kube, manifest, wanted, signal)
      losses.push(`${nameOf(manifest.object)}: ${recreation.what}`)
      return undefined
    }
  })
  const problems = [...refused.filter((problem) => problem !== undefined), ...bySchema.problems]
  if (problems.length === 0) await checkRemovals(kube, recreated, signal)
  const [first, ...others] = problems
  if (!first) return { unchecked: bySchema.unchecked, losses: losses.toSorted(), isDue: changed.length > 0 }
  if (others.length === 0 || !(first instanceof DevkitError)) throw first
  const told = problems.filter((problem): problem is DevkitError => problem instanceof DevkitError)
  throw new DevkitError(first.code, {
    message: `${problems.length} objects are refused:\n${told.map(({ code, message }) => `${code} ${message}`).join('\n')}`,
    hint: [...new Set(told.map(({ hint }) => hint))].join(' '),
    object: first.object,
    cause: first,
  })
}

interface CheckOptions extends ApplyOptions {
  readonly namespace: string
  readonly observed: Observed
  /** What goes in this run besides: it is asked whether it may. */
  readonly removals?: readonly ObjectRef[]
}

/** What the server thinks of a workload that takes the place of another: that one goes only when it is good. */
async function refusalOfNew(kube: Kube, manifest: Manifest, wanted: KubeObject, signal: AbortSignal): Promise<unknown> {
  if (!isWorkload(wanted)) return undefined
  try {
    await kube.apply({ ...wanted, metadata: { ...wanted.metadata, name: 'devkit-check' } }, signal, { dryRun: true })
    return undefined
  } catch (thrown) {
    signal.throwIfAborted()
    // a quota, for one, still counts the other
    return isStatusOf(thrown, 400, 422) ? refusal(kube, thrown, manifest, signal) : undefined
  }
}

async function hasNamespace(kube: Kube, name: string, signal: AbortSignal): Promise<boolean> {
  return (await lookAtNamespace(kube, name, signal)) !== undefined
}

interface Change {
  readonly wanted: KubeObject
  readonly live: KubeObject | undefined
  readonly mayLose: boolean
  readonly forceConflicts: Manner['forceConflicts']
}

/** Applies. What cannot be changed so is taken away first, where that is allowed. */
async function applyOrRecreate(
  kube: Kube,
  manifest: Manifest,
  { wanted, live, mayLose, forceConflicts }: Change,
  signal: AbortSignal,
): Promise<Pick<Applied, 'object' | 'taken' | 'remark'>> {
  if (!live) return applyOver(kube, wanted, signal, { forceConflicts })
  const done =
    unheaded(live, wanted) ??
    (await applyOver(kube, wanted, signal, { forceConflicts }).catch((thrown: unknown) => {
      const recreation = recreationFor(live, wanted, thrown)
      if (!recreation) throw thrown
      if (isHarmless(recreation) || (recreation.how === 'lose' && mayLose)) return recreation
      throw unwanted(manifest, recreation, thrown)
    }))
  if (!('how' in done)) return done
  await makeRoom(kube, { live, wanted, recreation: done }, signal)
  return { ...(await applyOver(kube, wanted, signal, { forceConflicts })), remark: remarkOf(wanted, done) }
}

/** Tries to apply, without a write. Where a default is in the way that goes before the write, everything else is tried. */
async function tryOver(
  kube: Kube,
  wanted: KubeObject,
  { live, forceConflicts }: Pick<Change, 'live' | 'forceConflicts'>,
  signal: AbortSignal,
): Promise<void> {
  const options = { dryRun: true, forceConflicts }
  try {
    await applyOver(kube, wanted, signal, options)
  } catch (thrown) {
    signal.throwIfAborted()
    if (!live || !isStatusOf(thrown, 422) || !forbiddenDefault({ live, wanted, forceConflicts })) throw thrown
    await applyOver(kube, withStrategyOf(live, wanted), signal, options)
  }
}

/** Applies; takes what only hands have changed, and with `forceConflicts` what controllers own. */
async function applyOver(
  kube: Kube,
  wanted: KubeObject,
  signal: AbortSignal,
  { dryRun = false, forceConflicts = false }: { readonly dryRun?: boolean; readonly forceConflicts?: boolean | undefined },
): Promise<{ readonly object: KubeObject; readonly taken: readonly Conflict[] }> {
  try {
    return { object: await kube.apply(wanted, signal, { dryRun }), taken: [] }
  } catch (thrown) {
    const conflicts = conflictsOf(thrown)
    if (conflicts.length === 0 || !(forceConflicts || conflicts.every(isByHand))) throw thrown
    return { object: await kube.apply(wanted, signal, { dryRun, force: true }), taken: conflicts }
  }
}

/**
 * An object as it is applied: with devkit’s labels, and without what says nothing (the server writes a custom resource anew for each empty
 * map of annotations). A Secret's texts are its data, which alone the server keeps and compares.
 * A namespace that was `live` before devkit came stays without the labels: its maker's, and what `down` leaves alone.
 */
export function asApplied(object: KubeObject, labels: Labels, live?: KubeObject): KubeObject {
  const isOthers = object.kind === 'Namespace' && live !== undefined && !isLabelled(live, labels)
  const { annotations = {}, creationTimestamp: _, ...told } = object.metadata
  const metadata = {
    ...told,
    ...(Object.keys(annotations).length > 0 && { annotations }),
    labels: { ...object.metadata.labels, ...(!isOthers && labels) },
  }
  const { stringData, ...rest } = object
  if (object.kind !== 'Secret' || !isRecord(stringData)) return { ...withoutNullParameters(object), metadata }
  return { ...rest, metadata, data: dataOf(object) }
}

function inNamespace(object: KubeObject, namespace: string): KubeObject {
  return { ...object, metadata: { ...object.metadata, namespace } }
}

/** Whether nothing is to be done about an object, nor awaited of it. */
function isDone(seen: KubeObject, wanted: KubeObject): boolean {
  const isServed = seen.kind !== 'CustomResourceDefinition' || hasCondition(seen, 'Established')
  return !hasFailed(seen) && isServed && isUnchanged(seen, wanted)
}

/** A Job that has given up stays so: only a new one tries again. */
function hasFailed(object: KubeObject): boolean {
  return object.kind === 'Job' && hasCondition(object, 'Failed')
}

function hasCondition({ status }: KubeObject, wanted: string): boolean {
  const { conditions = [] } = (status ?? {}) as { readonly conditions?: readonly { type: string; status: string }[] }
  return conditions.some(({ type, status: set }) => type === wanted && set === 'True')
}

/** The kinds that a CustomResourceDefinition brings, as `apiVersion/kind`. */
function kindsOf(object: KubeObject): readonly string[] {
  return servedVersions(object).map(kindOf)
}

function kindOf({ apiVersion, kind }: Pick<KubeObject, 'apiVersion' | 'kind'>): string {
  return `${apiVersion}/${kind}`
}

/** Objects of a new kind are refused until the server serves it: moments after the CRD is there. Waits 10 s at most. */
async function untilServed(kube: Kube, crd: KubeObject, signal: AbortSignal): Promise<void> {
  const wanted = kindsOf(crd)
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; await delay(100, signal)) {
    const known = await kube.kinds(signal)
    if (wanted.every((kind) => known.includes(kind))) return
  }
}
