import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Kube } from '../kube/kube.ts'
import { mapLimited } from '../lib/async.ts'
import { deletePoliciesOf, hookOf, phasesOf } from '../lib/hooks.ts'
import { isWorkload, type KubeObject, type Manifest, nameOf, type ObjectRef, refOf } from '../lib/objects.ts'
import { groupOf } from '../lib/select.ts'
import { asApplied, ownLabels } from './apply.ts'
import { holdsData } from './inventory.ts'
import type { Observed } from './observed.ts'
import { damaged, type Environment, forgetMap, type OwnMap, readMap, writeMap } from './own-map.ts'
import { isImmutable } from './refusal.ts'
import { type RemovalOptions, removeWhole } from './remove.ts'
import { rollout } from './rollout.ts'
import { isUnchanged } from './unchanged.ts'

const map: OwnMap = {
  name: 'devkit-hooks',
  keeps: 'which hooks have done their work',
  without: 'hooks that are gone run again',
}

/** What has done its work in an environment and may be gone: key of the object → hash of its content then. */
type Memory = Readonly<Record<string, string>>

interface Ended {
  readonly manifest: Manifest
  readonly how: 'succeeded' | 'failed'
}

/**
 * The hooks of an environment in one rollout: which of them have done their work and need not come back, which are made anew, and which
 * are removed when they are done, as their delete policies say. What is gone is remembered in the cluster, so that it does not run again.
 */
export class Hooks {
  readonly #kube: Kube
  readonly #environment: Environment
  readonly #observed: Observed
  readonly #manifests: readonly Manifest[]
  /** With the pods, and awaited. */
  readonly #whole: RemovalOptions
  #memory: Memory
  #writing: Promise<unknown> = Promise.resolve()
  /** Key of an object → how often it was begun in this rollout: one of several phases runs in each of them. */
  readonly #rounds = new Map<string, number>()
  #hasFailed = false
  /** What has ended in this rollout and is still there, in the order of time. */
  #ended: readonly Ended[] = []

  private constructor(kube: Kube, environment: Environment, known: Known, memory: Memory) {
    this.#kube = kube
    this.#environment = environment
    this.#observed = known.observed
    this.#manifests = known.manifests
    this.#memory = memory
    this.#whole = { propagation: 'Foreground', patienceMs: known.patienceMs }
  }

  /** Reads what is remembered, where anything may be. */
  static async open(kube: Kube, environment: Environment, known: Known, signal: AbortSignal): Promise<Hooks> {
    const isAny = known.manifests.some(({ object }) => isNoted(object))
    return new Hooks(kube, environment, known, isAny ? await readMemory(kube, environment.namespace, signal) : {})
  }

  /** Whether an object of such a content has done its work and may be gone. */
  isRemembered(object: KubeObject): boolean {
    const rounds = Array.from({ length: Math.max(1, phasesOf(object).length) }, (_, index) => index + 1)
    return mayBeGone(object) && rounds.every((round) => this.#isDone(object, round))
  }

  /** From now on hooks are for the failure of the rollout: they run each time. */
  beginFailure(): void {
    this.#hasFailed = true
  }

  /** Those of the manifests that have done their work and are gone: they stay so until their content changes. */
  over(): ReadonlySet<Manifest> {
    const gone = this.#manifests.filter(({ object }) => !this.#observed.get(object) && this.isRemembered(object))
    const runs = ({ object }: Manifest): boolean => {
      const seen = this.#observed.get(object)
      return !(seen && rollout(seen) === 'ready' && isUnchanged(seen, this.#asApplied(object)))
    }
    const workloads = this.#manifests.filter(({ object }) => hookOf(object) && isWorkload(object))
    const isAnyDue = workloads.some((manifest) => !gone.includes(manifest) && runs(manifest))
    // what a hook reads comes back with it
    return new Set(gone.filter(({ object }) => isWorkload(object) || !isAnyDue))
  }

  /**
   * Removes what is there of a hook whose content changed, or that failed, with its pods: it is made anew, as its tool does.
   * Whether it did. What holds data stays.
   */
  async makeWay({ object }: Manifest, signal: AbortSignal): Promise<boolean> {
    const round = (this.#rounds.get(keyOf(object)) ?? 0) + 1
    this.#rounds.set(keyOf(object), round)
    if (!hookOf(object) || isKept(object)) return false
    const live = round === 1 && !this.#hasFailed ? this.#observed.get(object) : await this.#kube.get(refOf(object), signal)
    if (!live || !(await this.#isDue(object, { live, round }, signal))) return false
    await removeWhole(this.#kube, live, this.#whole, signal)
    return true
  }

  /** What goes in a rollout of these manifests in which nothing fails: hooks that are made anew, and those that are done. */
  async removals(manifests: readonly Manifest[], signal: AbortSignal): Promise<readonly ObjectRef[]> {
    const goes = async (object: KubeObject): Promise<boolean> => {
      if (!hookOf(object) || isKept(object)) return false
      const live = this.#observed.get(object)
      if (deletePoliciesOf(object).has('succeeded')) return true
      return live !== undefined && (await this.#isDue(object, { live, round: 1 }, signal))
    }
    const found = await mapLimited(manifests, 8, async ({ object }) => ((await goes(object)) ? [refOf(object)] : []))
    return found.flat()
  }

  /** Takes down that a manifest's object has done its work. */
  async succeeded(manifest: Manifest, signal: AbortSignal): Promise<void> {
    const { object } = manifest
    const round = this.#rounds.get(keyOf(object)) ?? 1
    this.#end(manifest, 'succeeded')
    if (this.#hasFailed || !isNoted(object) || this.#isDone(object, round)) return
    const wanted = new Set(this.#manifests.map((one) => keyOf(one.object)))
    const kept = Object.entries(this.#memory).filter(([key]) => wanted.has(key.replace(/#.*/, '')))
    this.#memory = { ...Object.fromEntries(kept), [keyOfRound(object, round)]: hashOf(this.#asApplied(object)) }
    const memory = this.#memory
    this.#writing = this.#writing.then(() => this.#write(memory, signal))
    await this.#writing
  }

  /** Takes down that a manifest's object has failed. */
  failed(manifest: Manifest): void {
    this.#end(manifest, 'failed')
  }

  /**
   * Removes hooks that have ended and whose policy says so, newest first, with their pods; resolves when they are gone.
   * `tools`: those of Helm go when all of their event have succeeded, those of Argo CD when the whole rollout has.
   */
  async sweep(tools: readonly ('Helm' | 'Argo CD')[], signal: AbortSignal): Promise<readonly ObjectRef[]> {
    const isDue = ({ manifest: { object }, how }: Ended): boolean => {
      const hook = hookOf(object)
      return hook !== undefined && tools.includes(hook.tool) && deletePoliciesOf(object).has(how) && !isKept(object)
    }
    const due = this.#ended.filter(isDue).toReversed()
    this.#ended = this.#ended.filter((one) => !isDue(one))
    const refs = due.map(({ manifest }) => refOf(manifest.object))
    await Promise.all(
      refs.map(async (ref) => {
        const live = await this.#kube.get(ref, signal)
        if (live) await removeWhole(this.#kube, live, this.#whole, signal)
      }),
    )
    return refs
  }

  #write(memory: Memory, signal: AbortSignal): Promise<void> {
    return writeMap(this.#kube, map, this.#environment, { done: JSON.stringify(memory) }, signal)
  }

  #asApplied(object: KubeObject): KubeObject {
    return asApplied(object, ownLabels(this.#environment.project, this.#environment.env), this.#observed.get(object))
  }

  #end(manifest: Manifest, how: Ended['how']): void {
    const others = this.#ended.filter((one) => keyOf(one.manifest.object) !== keyOf(manifest.object))
    this.#ended = [...others, { manifest, how }]
  }

  #isDone(object: KubeObject, round: number): boolean {
    return this.#memory[keyOfRound(object, round)] === hashOf(this.#asApplied(object))
  }

  /** Whether a hook that is there has to run again. */
  async #isDue(
    object: KubeObject,
    { live, round }: { readonly live: KubeObject; readonly round: number },
    signal: AbortSignal,
  ): Promise<boolean> {
    if (this.#hasFailed) return true
    const state = isWorkload(object) ? rollout(live) : 'ready'
    if (typeof state === 'object' && state.failed) return true
    if (phasesOf(object).length > 1) return !this.#isDone(object, round)
    return this.#isChanged(live, this.#asApplied(object), signal)
  }

  /** Whether more than an object's metadata would change: asked of the server where the manifest alone does not tell. */
  async #isChanged(live: KubeObject, wanted: KubeObject, signal: AbortSignal): Promise<boolean> {
    if (isUnchanged(live, wanted)) return false
    try {
      const would = await this.#kube.apply(wanted, signal, { dryRun: true, force: true })
      return !isDeepStrictEqual(contentOf(would), contentOf(live))
    } catch (thrown) {
      signal.throwIfAborted()
      // what else the server has against it is told when it is applied
      return isImmutable(thrown)
    }
  }
}

interface Known {
  readonly manifests: readonly Manifest[]
  readonly observed: Observed
  /** How long what is removed may take to be gone, in ms. Default: two minutes. */
  readonly patienceMs?: number
}

/** Whether an object goes when it has done its work: by its delete policy, or by itself. */
function mayBeGone(object: KubeObject): boolean {
  const { ttlSecondsAfterFinished } = (object['spec'] ?? {}) as { readonly ttlSecondsAfterFinished?: number }
  const goesByItself = object.kind === 'Job' && ttlSecondsAfterFinished !== undefined
  return goesByItself || (deletePoliciesOf(object).has('succeeded') && !isKept(object))
}

/** Whether it is to be remembered that an object has done its work: the object alone does not tell. */
function isNoted(object: KubeObject): boolean {
  return mayBeGone(object) || phasesOf(object).length > 1
}

/** Whether no policy takes it away: with it would go what it holds. */
function isKept(object: KubeObject): boolean {
  return holdsData(refOf(object)) || object.kind === 'Namespace'
}

function keyOf(object: KubeObject): string {
  return [groupOf(object), object.metadata.namespace ?? '', nameOf(object)].join('/')
}

/** `round`: 1 for the first phase of an object. */
function keyOfRound(object: KubeObject, round: number): string {
  return round === 1 ? keyOf(object) : `${keyOf(object)}#${round}`
}

/** What an object is beyond its metadata and its state. */
function contentOf({ metadata: _, status: __, ...content }: KubeObject): Readonly<Record<string, unknown>> {
  return content
}

/** Of an object's content; of a Secret the names in it alone, since a hash of a password leads to it. */
function hashOf(object: KubeObject): string {
  const content = contentOf(object)
  const shown = object.kind === 'Secret' ? { ...content, data: Object.keys(object['data'] ?? {}) } : content
  return createHash('sha256').update(JSON.stringify(shown)).digest('hex')
}

/** Tells of an object that is not there whether it went because it has done its work. */
export async function goneWhenDone(kube: Kube, namespace: string, signal: AbortSignal): Promise<(object: KubeObject) => boolean> {
  const memory = await readMemory(kube, namespace, signal)
  return (object) => mayBeGone(object) && keyOf(object) in memory
}

/** @throws APPLY-111 when it is damaged */
async function readMemory(kube: Kube, namespace: string, signal: AbortSignal): Promise<Memory> {
  const { done = '{}' } = (await readMap(kube, map, namespace, signal)) ?? {}
  try {
    return JSON.parse(done) as Memory
  } catch (cause) {
    throw damaged(map, namespace, cause)
  }
}

/** Forgets what hooks have done: they run again. */
export function forgetHooks(kube: Kube, namespace: string, signal: AbortSignal): Promise<void> {
  return forgetMap(kube, map, namespace, signal)
}
