import { projectLabel } from '../build/builder.ts'
import type { ClusterProvider, ClusterState } from '../cluster/provider.ts'
import { ownLabels } from '../deploy/apply.ts'
import { forgetHooks } from '../deploy/hooks.ts'
import { forgetInventory, holdsData, readInventory } from '../deploy/inventory.ts'
import { isStatusOf } from '../deploy/refusal.ts'
import { untilGone } from '../deploy/remove.ts'
import { forgetTurn } from '../deploy/turn.ts'
import { type PortBook, portBookFile } from '../forward/mapped.ts'
import type { Kube } from '../kube/kube.ts'
import { mapLimited } from '../lib/async.ts'
import { DevkitError } from '../lib/errors.ts'
import { isLabelled, type KubeObject, type ObjectRef, refOf, spotOf } from '../lib/objects.ts'
import { Scope } from '../lib/scope.ts'
import type { Step } from '../lib/step.ts'
import type { Plan } from '../plan/plan.ts'
import { leaseMap } from '../render/transforms/supervisor.ts'
import { providerOf } from '../toolbox.ts'
import {
  aloneWithCluster,
  checkHolder,
  type EngineRun,
  heldBy,
  neighbours,
  openApi,
  othersPatienceMs,
  patienceOf,
  releaseEnvironment,
} from './environment.ts'
import { runStep } from './step.ts'
import { haveTurn, turnFor } from './turn.ts'
import { type BoundVolume, boundVolumes } from './volumes.ts'

export interface DownOptions {
  /** Whether what holds data goes too where the cluster stays: volumes, kinds, and claims outside the environment's namespace. */
  readonly pruneData: boolean
}

/**
 * Removes what devkit made for the environment; the cluster too, unless another environment lives in it. Nothing there is fine.
 * Where the cluster stays, so does what holds data outside the environment's namespace, unless `pruneData` asks for it.
 * @throws CLUSTER-107 when data would go and nobody says yes: nothing is removed then; APPLY-112 when something does not go
 */
export async function down(plan: Plan, run: EngineRun, options: DownOptions): Promise<void> {
  const { parts, signal } = run
  await checkHolder(plan, parts)
  const provider = providerOf(parts.tools, plan.cluster.spec)
  const quiet: Step = { signal, say: () => undefined }
  await confirmLoss(plan, run, await provider.find(plan.cluster, quiet), options)
  await aloneWithCluster(plan, parts, quiet, async () => {
    const others = await neighbours(plan, parts)
    if (others.length === 0 && provider.own)
      await runStep(
        run,
        'cluster',
        (step) => removeCluster(plan, run, provider, step),
        (outcome) => outcome,
      )
    else
      await runStep(
        run,
        'prune',
        async (step) => {
          const outcome = await removeEnvironment(plan, run, { provider, others, pruneData: options.pruneData }, step)
          if (others.length === 0) await provider.remove(plan.cluster, step)
          return outcome
        },
        (outcome) => outcome,
      )
  })
  await releaseEnvironment(plan, parts)
}

async function confirmLoss(plan: Plan, run: EngineRun, found: ClusterState, { pruneData }: DownOptions): Promise<void> {
  const lost = await dataToLose(plan, run, found, pruneData)
  if (lost.length === 0) return
  const what = `${lost.length === 1 ? 'a volume with data goes' : `${lost.length} volumes with data go`}: ${lost.join(', ')}`
  if (await run.confirm(`With the environment ${plan.project}/${plan.env} ${what}. Remove?`)) return
  throw new DevkitError('CLUSTER-107', {
    message: `Nothing was removed: with the environment ${plan.project}/${plan.env} ${what}.`,
    hint: `Say \`devkit down${pruneData ? ' --prune-data' : ''} --yes\` to remove them too.`,
  })
}

/** What holds data and goes, as a person may know it. A cluster that cannot be asked may hold some once anything was applied. */
async function dataToLose(
  plan: Plan,
  { parts, signal }: EngineRun,
  found: ClusterState,
  pruneData: boolean,
): Promise<readonly string[]> {
  if (found.state === 'absent' || found.state === 'making') return []
  const unknown = (await heldBy(plan, parts))?.applied
    ? [`those of the cluster ${plan.cluster.name}, which is ${found.state} and cannot be asked`]
    : []
  if (found.state !== 'running') return unknown
  await using scope = new Scope()
  const alone = (await neighbours(plan, parts)).length === 0 && providerOf(parts.tools, plan.cluster.spec).own
  try {
    const kube = scope.use(await parts.openKube(found.cluster))
    await kube.untilReady(10_000, signal)
    const volumes = await boundVolumes(kube, alone ? undefined : plan.namespace, signal)
    const told = ({ namespace, name, size }: BoundVolume): string => `${namespace}/${name} (${size})`
    if (alone) return volumes.map(told)
    const own = await ownObjects(kube, plan, holdsData, signal)
    const isOwn = (volume: BoundVolume): boolean =>
      own.some(({ metadata: { name, namespace } }) => name === volume.name && namespace === volume.namespace)
    const isWhole = (await ownObject(kube, namespaceOf(plan), plan, signal)) !== undefined
    const outside = own.map(refOf).filter((ref) => pruneData && outlasts(ref, plan))
    return [...volumes.filter((volume) => isWhole || isOwn(volume)).map(told), ...outside.map(spotOf)]
  } catch (thrown) {
    signal.throwIfAborted()
    if (thrown instanceof DevkitError && thrown.code === 'CLUSTER-104') return unknown
    throw thrown
  }
}

/** Whether an object holds data and does not go with the environment's namespace, whose volumes were asked for. */
function outlasts(ref: ObjectRef, { namespace }: Plan): boolean {
  return holdsData(ref) && ref.namespace !== namespace
}

function namespaceOf({ namespace }: Plan): ObjectRef {
  return { apiVersion: 'v1', kind: 'Namespace', name: namespace }
}

async function removeCluster(
  plan: Plan,
  { parts }: EngineRun,
  provider: ClusterProvider,
  step: Step,
): Promise<'pruned' | 'unchanged'> {
  const { state } = await provider.find(plan.cluster, step)
  await provider.remove(plan.cluster, step)
  const engine = await parts.host.engine()
  const images = await engine.imagesWithLabel(`${projectLabel}=${plan.project}`)
  for (const reference of images) await engine.removeImage(reference)
  return state === 'absent' && images.length === 0 ? 'unchanged' : 'pruned'
}

interface Removal {
  readonly provider: ClusterProvider
  readonly others: readonly string[]
  readonly pruneData: boolean
}

async function removeEnvironment(
  plan: Plan,
  run: EngineRun,
  { provider, others, pruneData }: Removal,
  step: Step,
): Promise<'pruned' | 'unchanged'> {
  const { parts, signal } = run
  const file = portBookFile(parts.stateDirectory, plan.cluster.name)
  const book = await parts.host.files.readJson<PortBook>(file)
  if (book) {
    const taken = Object.fromEntries(Object.entries(book.taken).filter(([key]) => !key.startsWith(`${plan.env}/`)))
    await parts.host.files.writePrivate(file, JSON.stringify({ ...book, taken }))
  }
  if ((await provider.find(plan.cluster, step)).state === 'absent' || !(await heldBy(plan, parts))) return 'unchanged'
  step.say(`the cluster stays${others.length > 0 ? ` for ${others.join(', ')}` : ': devkit did not make it'}`)
  // what can't be asked is started first
  const { cluster } = await provider.ensure(plan.cluster, [], step)
  await using scope = new Scope()
  const kube = scope.use(await openApi(run, cluster))
  await kube.untilReady(provider.own ? 60_000 : othersPatienceMs, signal)
  await using turn = turnFor(plan, kube, run)
  const findNamespace = (): Promise<KubeObject | undefined> => ownObject(kube, namespaceOf(plan), plan, signal)
  const isDue = (await findNamespace()) !== undefined || (await readInventory(kube, plan.namespace, signal)).length > 0
  if (turn && isDue) await haveTurn(turn, { plan, kube, remark: step.say }, run)
  const namespace = await findNamespace()
  const removed: KubeObject[] = []
  for (const object of (await ownObjects(kube, plan, () => true, signal)).toReversed()) {
    const ref = refOf(object)
    const isKept = !pruneData && outlasts(ref, plan)
    if (isKept) step.say(`${spotOf(ref)} is kept, with all that it holds: \`kubectl delete\` removes it`)
    else {
      await kube.remove(ref, signal, { uid: object.metadata.uid })
      removed.push(object)
    }
    run.bus.emit({
      type: 'object',
      kind: ref.kind,
      name: ref.name,
      namespace: ref.namespace,
      outcome: isKept ? 'kept' : 'pruned',
    })
  }
  if (namespace) await kube.remove(refOf(namespace), signal, { uid: namespace.metadata.uid })
  // a namespace goes when all that is in it has gone, and says what has not
  const awaited = namespace ? [...removed.filter(({ metadata }) => metadata.namespace === undefined), namespace] : removed
  for (const object of awaited) await untilGone(kube, object, { patienceMs: patienceOf(run), say: step.say }, signal)
  if (!namespace) {
    await forgetInventory(kube, plan.namespace, signal)
    await forgetHooks(kube, plan.namespace, signal)
    // what a watch that was killed has left
    await kube.remove({ apiVersion: 'v1', kind: 'ConfigMap', name: leaseMap, namespace: plan.namespace }, signal)
    if (turn) await forgetTurn(kube, plan.namespace, signal)
  }
  return 'pruned'
}

/** What is there of the environment's inventory, in its order. */
async function ownObjects(
  kube: Kube,
  plan: Plan,
  isWanted: (ref: ObjectRef) => boolean,
  signal: AbortSignal,
): Promise<readonly KubeObject[]> {
  const wanted = (await readInventory(kube, plan.namespace, signal)).filter(isWanted)
  const found = await mapLimited(wanted, 8, (ref) => ownObject(kube, ref, plan, signal))
  return found.filter((object) => object !== undefined)
}

/** The object, if it was this environment that applied it last: one outside the namespaces may be shared. */
async function ownObject(
  kube: Kube,
  ref: ObjectRef,
  { project, env }: Plan,
  signal: AbortSignal,
): Promise<KubeObject | undefined> {
  try {
    const found = await kube.get(ref, signal)
    return found && isLabelled(found, ownLabels(project, env)) ? found : undefined
  } catch (thrown) {
    // who may not even look at it has not applied it; a kind that is gone took its objects with it
    if (isStatusOf(thrown, 403, 404)) return undefined
    throw thrown
  }
}
