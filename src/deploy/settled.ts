import type { KindRef, Kube } from '../kube/kube.ts'
import { DevkitError } from '../lib/errors.ts'
import { isWorkload, type KubeObject, nameOf } from '../lib/objects.ts'
import { groupOf } from '../lib/select.ts'
import type { Step } from '../lib/step.ts'
import type { Followed, Live } from './live.ts'
import { Nudge } from './nudge.ts'
import { isOlder } from './readiness.ts'
import { isStatusOf } from './refusal.ts'
import { hasConditions, type Known, rollout } from './rollout.ts'
import { Waits } from './waits.ts'

/** How long the controller of a new custom resource has for its first word about it, in ms. */
const firstWordMs = 1000

/** An object that is no workload, as it was applied, and what it takes to say that it is ready. */
export interface Unsettled extends Known {
  readonly applied: KubeObject
}

/**
 * What there is to wait for of an object that is no workload: a claim whose class binds at once, a custom resource until its conditions say
 * so. Undefined when there is nothing. The apply itself waits for kinds.
 */
export async function unsettled(
  kube: Kube,
  live: Live,
  applied: KubeObject,
  signal: AbortSignal,
): Promise<Unsettled | undefined> {
  if (isWorkload(applied) || applied.kind === 'CustomResourceDefinition') return undefined
  const known: Known = isClaim(applied) && !isBound(applied) ? await storageClasses(kube, signal) : {}
  const latest = isNew(applied) ? await firstWord(live, applied, signal) : applied
  return rollout(latest, known) === 'ready' ? undefined : { ...known, applied }
}

/**
 * Resolves when the object is ready. One that nobody may look at is.
 * @throws READY-107 as soon as time can't mend it, READY-102 after `timeoutMs` milliseconds
 */
export async function untilSettled(live: Live, of: Unsettled, timeoutMs: number, step: Step): Promise<void> {
  const { applied } = of
  await using followed = live.follow(kindOf(applied))
  const waits = new Waits(nameOf(applied), step)
  const began = Date.now()
  let last = 'nothing is known of it'
  const look = (): 'ready' | DevkitError | undefined => {
    if (followed.isRefused) return 'ready'
    const object = named(followed, applied)
    if (!object || isOlder(object, applied)) return undefined
    const state = rollout(object, of)
    if (state === 'ready') return 'ready'
    last = state.waiting
    if (state.failed)
      return new DevkitError('READY-107', {
        message: `${nameOf(applied)} cannot become ready: ${last}.`,
        hint: 'Mend what it says, then run this again.',
        object: nameOf(applied),
      })
    waits.because(last)
    return undefined
  }
  using nudge = new Nudge()
  for (let left = timeoutMs; left > 0; left = began + timeoutMs - Date.now()) {
    nudge.in(Math.min(left, waits.dueInMs ?? left))
    const round = AbortSignal.any([step.signal, nudge.signal])
    const found = await live.until(look, round).catch((thrown: unknown) => {
      step.signal.throwIfAborted()
      if (!round.aborted) throw thrown
      return look()
    })
    if (found === 'ready') return
    if (found) throw found
  }
  throw new DevkitError('READY-102', {
    message: `${nameOf(applied)} is not ready in time: ${last}.`,
    hint: 'Look at what its controller says of it; `--timeout` waits longer.',
    object: nameOf(applied),
  })
}

function isClaim(object: KubeObject): boolean {
  return object.kind === 'PersistentVolumeClaim' && groupOf(object) === ''
}

function isBound({ status }: KubeObject): boolean {
  return ((status ?? {}) as { readonly phase?: string }).phase === 'Bound'
}

/** None when they can't be had: a claim is not waited for then. */
async function storageClasses(kube: Kube, signal: AbortSignal): Promise<Known> {
  try {
    return { storageClasses: await kube.list({ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass' }, signal) }
  } catch (thrown) {
    if (isStatusOf(thrown, 403, 404)) return {}
    throw thrown
  }
}

/** Whether an object was just made, and its controller may be about to say how it is. Kubernetes' own kinds have no such word. */
function isNew(object: KubeObject): boolean {
  const group = groupOf(object)
  const isOwn = !group.includes('.') || group.endsWith('.k8s.io')
  return !isOwn && !hasConditions(object) && Date.now() - Date.parse(object.metadata.creationTimestamp ?? '') < 2 * firstWordMs
}

/** The object once its controller has told anything of it, or as it is after a while. */
async function firstWord(live: Live, applied: KubeObject, signal: AbortSignal): Promise<KubeObject> {
  await using followed = live.follow(kindOf(applied))
  using nudge = new Nudge()
  nudge.in(firstWordMs)
  const round = AbortSignal.any([signal, nudge.signal])
  const look = (): KubeObject | undefined => {
    if (followed.isRefused) return applied
    const object = named(followed, applied)
    return object && hasConditions(object) ? object : undefined
  }
  return await live.until(look, round).catch((thrown: unknown) => {
    signal.throwIfAborted()
    if (!round.aborted) throw thrown
    return named(followed, applied) ?? applied
  })
}

function kindOf({ apiVersion, kind, metadata }: KubeObject): KindRef {
  return { apiVersion, kind, namespace: metadata.namespace }
}

function named({ objects }: Followed, { metadata }: KubeObject): KubeObject | undefined {
  return objects?.find(({ metadata: { name } }) => name === metadata.name)
}
