import { applyManifest, checkManifests, ownLabels } from '../deploy/apply.ts'
import { contentsIn, withContentMarks } from '../deploy/content-marks.ts'
import type { Evidence } from '../deploy/diagnosis/evidence.ts'
import { Hooks } from '../deploy/hooks.ts'
import { lookAtInventory, prune, recordInventory } from '../deploy/inventory.ts'
import type { Live } from '../deploy/live.ts'
import { lookAtNamespace, nothingObserved, type Observed, observe } from '../deploy/observed.ts'
import { type Conflict, isByHand } from '../deploy/refusal.ts'
import { untilGone } from '../deploy/remove.ts'
import { byKind, type Stage, sequence } from '../deploy/sequence.ts'
import type { Outcome } from '../events/event.ts'
import type { Kube } from '../kube/kube.ts'
import { mapLimited } from '../lib/async.ts'
import { DevkitError } from '../lib/errors.ts'
import { hookOf } from '../lib/hooks.ts'
import { isLabelled, isWorkload, type KubeObject, type Manifest, nameOf, type ObjectRef, refOf, spotOf } from '../lib/objects.ts'
import type { Plan } from '../plan/plan.ts'
import { type EngineRun, patienceOf } from './environment.ts'
import type { Source } from './render.ts'
import { isOwnSecret } from './secrets.ts'
import { type AfterApplied, type Other, rollOutStage } from './stage.ts'
import { runStep } from './step.ts'
import { haveTurn, turnFor } from './turn.ts'

interface Deployment {
  readonly plan: Plan
  readonly source: Source
  readonly kube: Kube
  readonly live: Live
  /** What is known of why something is not ready. */
  readonly evidence: Evidence
  /** What is to be applied; asked again when another run was waited for. */
  readonly manifests: () => Promise<readonly Manifest[]>
  /** Told what is to be said once, however often is deployed. */
  readonly remark?: ((reason: string) => void) | undefined
  /** A service counts as ready when this has resolved too. */
  readonly synced?: ((service: string) => Promise<void>) | undefined
  /** Whether what holds data goes too when it left the manifests, after a yes. */
  readonly pruneData?: boolean | undefined
  /** Whether an object that holds data is made anew, after a yes, when it cannot be changed as its manifest says. */
  readonly recreateData?: boolean | undefined
}

interface AsSeen extends Deployment {
  /** Called before the first write, unless there is none; undefined where nobody else writes. `after a wait`: what was seen may be otherwise now. */
  readonly beforeWriting: (() => Promise<'at once' | 'after a wait'>) | undefined
}

/**
 * Deploys. In a cluster that other machines reach, one run at a time writes: those that wait for another look at everything again.
 * @throws as `deployAsSeen`; CLUSTER-108 when another run took over after a long silence
 */
export async function deploy(deployment: Deployment, run: EngineRun): Promise<readonly Outcome[]> {
  const { plan, kube } = deployment
  await using turn = turnFor(plan, kube, run)
  const signal = turn ? AbortSignal.any([run.signal, turn.lost]) : run.signal
  const remark = deployment.remark ?? sayOf(run)
  const beforeWriting = turn && (() => haveTurn(turn, { plan, kube, remark }, { signal }))
  try {
    for (;;) {
      const outcomes = await deployAsSeen({ ...deployment, beforeWriting }, { ...run, signal })
      if (outcomes !== 'look again') return outcomes
    }
  } catch (thrown) {
    turn?.lost.throwIfAborted()
    throw thrown
  }
}

/**
 * Applies everything in its order and waits until it is ready: by the phases and waves of Helm's and Argo CD's annotations,
 * and in each of them by what services depend on.
 * @throws CLUSTER-107 when data was to go and nobody said yes: before anything is applied, or at the end for what left the manifests
 */
async function deployAsSeen(
  {
    plan,
    source,
    kube,
    live,
    evidence,
    manifests: wanted,
    beforeWriting,
    synced,
    pruneData = false,
    recreateData = false,
  }: AsSeen,
  run: EngineRun,
): Promise<readonly Outcome[] | 'look again'> {
  const labels = ownLabels(plan.project, plan.env)
  const { forceConflicts } = run
  const own: Manifest = {
    object: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: plan.namespace } },
    origin: { file: plan.configFile, line: 1 },
  }
  await untilFree(kube, plan.namespace, run)
  const manifests = await wanted()
  const namespaces = manifests.filter(({ object }) => object.kind === 'Namespace')
  const rest = manifests.filter(({ object }) => object.kind !== 'Namespace')
  const observed = await observe(kube, [own, ...manifests], run.signal)
  const hooks = await Hooks.open(kube, plan, { manifests: rest, observed }, run.signal)
  const over = hooks.over()
  const due = rest.filter((manifest) => !over.has(manifest))
  const stages = sequence(due, {
    isUpgrade: isUpgrade(due, observed),
    isNeededFirst: (object) => isOwnSecret(object, plan),
  })
  const outcomes: Outcome[] = []
  const secrets = new Map<KubeObject, KubeObject>()
  const now: Observed = { get: (object) => secrets.get(object) ?? observed.get(object) }
  const marked = (some: readonly Manifest[]): readonly Manifest[] => {
    const contents = contentsIn(manifests, { before: observed, now })
    return some.map(({ object, origin }) => ({ object: withContentMarks(object, contents, observed.get(object)), origin }))
  }
  const services: KubeObject[] = []
  /** What was applied of a stage besides its workloads, until that is awaited. */
  const others: Other[] = []
  const tell = ({ kind, name, namespace }: ObjectRef, outcome: Outcome, changed: object = {}): void =>
    run.bus.emit({ type: 'object', kind, name, namespace, outcome, ...changed })
  const apply = async (manifest: Manifest): Promise<KubeObject> => {
    const { object } = manifest
    const isAnew = await hooks.makeWay(manifest, run.signal)
    const seen = isAnew ? nothingObserved : observed
    const done = await applyManifest(
      kube,
      manifest,
      { labels, observed: seen, forceConflicts, mayLose: recreateData },
      run.signal,
    )
    const { object: applied, fields, taken, remark } = done
    if (remark) run.bus.emit({ type: 'action', do: 'none', reason: remark })
    const outcome = isAnew ? 'configured' : done.outcome
    outcomes.push(outcome)
    if (object.kind === 'Service' && object.apiVersion === 'v1') services.push(object)
    if (object.kind === 'Secret') secrets.set(object, applied)
    for (const conflict of taken)
      run.bus.emit({ type: 'action', do: 'none', reason: `${nameOf(object)}: ${takenText(conflict)}` })
    tell(refOf(object), outcome, fields.length > 0 ? { count: fields.length, fields: fields.slice(0, 20) } : {})
    return applied
  }
  const sweep = async (tools: Parameters<Hooks['sweep']>[0]): Promise<void> => {
    for (const ref of await hooks.sweep(tools, run.signal)) tell(ref, 'pruned')
  }
  const applyRest = async (stage: Stage): Promise<void> => {
    for (const group of byKind(stage.filter(({ object }) => !isWorkload(object))))
      others.push(...(await mapLimited(group, 8, async (manifest) => ({ manifest, applied: await apply(manifest) }))))
  }
  const main = [...stages.before, ...stages.sync]
  const opening = stages.before[0] ?? stages.sync[0]
  const left = await runStep(
    run,
    'apply',
    async () => {
      // every refusal before the first write
      const { known, leaving, isChanging } = await lookAtInventory(kube, plan, { manifests: rest, pruneData }, run.signal)
      const removals = [
        ...leaving,
        ...(await hooks.removals([...main, ...stages.afterApplied, ...stages.afterReady].flat(), run.signal)),
      ]
      const manner = { labels, namespace: plan.namespace, observed, forceConflicts, mayLose: recreateData, removals }
      const { unchecked, losses, isDue } = await checkManifests(kube, marked([...namespaces, ...due]), manner, run.signal)
      for (const reason of unchecked) run.bus.emit({ type: 'action', do: 'none', reason })
      if (losses.length > 0) await confirmLosses(losses, run)
      const isNamed = namespaces.some(({ object }) => object.metadata.name === plan.namespace)
      // a namespace that somebody else made is used as it is, and stays
      const isUsed = isNamed || (await isSomebodyElses(kube, plan.namespace, labels, run.signal))
      for (const namespace of isUsed ? namespaces : [...namespaces, own]) await apply(namespace)
      const isWriting = isDue || isChanging || removals.length > 0
      if (beforeWriting && isWriting && (await beforeWriting()) === 'after a wait') return undefined
      const before = await recordInventory(kube, plan, { manifests: rest, known }, run.signal)
      for (const { object } of over) tell(refOf(object), 'unchanged')
      await applyRest(stages.basis)
      await applyRest(opening)
      return before
    },
    () => (outcomes.every((each) => each === 'unchanged') ? 'unchanged' : 'configured'),
  )
  if (!left) return 'look again'
  const ready = new Map<string, Promise<void>>()
  const deployStage = async (stage: Stage, signal: AbortSignal, afterApplied?: AfterApplied): Promise<void> => {
    const workloads = marked(stage.filter(({ object }) => isWorkload(object)))
    await rollOutStage(
      {
        plan,
        source,
        kube,
        live,
        evidence,
        workloads,
        others: others.splice(0),
        services,
        ready,
        apply,
        hooks,
        synced,
        afterApplied,
      },
      { ...run, signal },
    )
  }
  const deployNext = async (next: readonly Stage[], signal: AbortSignal): Promise<void> => {
    for (const stage of next) {
      signal.throwIfAborted()
      await applyRest(stage)
      await deployStage(stage, signal)
    }
  }
  const hooksAfter: AfterApplied = async (signal) => {
    await deployNext(stages.afterApplied, signal)
    await sweep(['Helm'])
  }
  const deployAll = async (): Promise<void> => {
    for (const [index, stage] of main.entries()) {
      if (stage !== opening) await applyRest(stage)
      await deployStage(stage, run.signal, index === main.length - 1 ? hooksAfter : undefined)
      if (index === stages.before.length - 1) await sweep(['Helm'])
    }
    await deployNext(stages.afterReady, run.signal)
    await sweep(['Helm', 'Argo CD'])
  }
  const afterFailure = async (): Promise<void> => {
    try {
      hooks.beginFailure()
      await deployNext(stages.afterFailure, run.signal)
    } finally {
      await sweep(['Helm', 'Argo CD'])
    }
  }
  await deployAll().catch(async (thrown: unknown) => {
    // what went wrong is told, whatever becomes of what follows from it
    if (!run.signal.aborted) await afterFailure().catch(() => undefined)
    throw thrown
  })
  // what left the manifests goes when what takes its place is ready
  const told = (ref: ObjectRef, outcome: 'pruned' | 'kept'): void => {
    if (outcome === 'pruned') outcomes.push(outcome)
    tell(ref, outcome)
  }
  await pruneLeft({ plan, kube, manifests: rest, left, pruneData, told }, run)
  return outcomes
}

interface Pruning extends Pick<Deployment, 'plan' | 'kube'> {
  readonly manifests: readonly Manifest[]
  readonly left: readonly ObjectRef[]
  readonly pruneData: boolean
  readonly told: (ref: ObjectRef, outcome: 'pruned' | 'kept') => void
}

/** Removes what left the manifests. @throws CLUSTER-107 when data was to go too and nobody said yes: the rest is gone then */
async function pruneLeft({ plan, kube, manifests, left, pruneData, told }: Pruning, run: EngineRun): Promise<void> {
  const say = sayOf(run)
  const mayGo = async (data: readonly ObjectRef[]): Promise<boolean> =>
    pruneData && (await run.confirm(`${data.map(spotOf).join(', ')} left the manifests and hold data. Remove?`))
  const done = await prune(kube, plan, { manifests, left, mayGo, waiting: { patienceMs: patienceOf(run), say } }, run.signal)
  for (const { ref, outcome } of done) told(ref, outcome)
  const kept = done.filter(({ outcome }) => outcome === 'kept')
  if (pruneData && kept.length > 0)
    throw new DevkitError('CLUSTER-107', {
      message: `All is applied, and nobody said yes to removing ${kept.map(({ ref }) => spotOf(ref)).join(', ')}, with all they hold.`,
      hint: 'Say `devkit up --prune-data --yes` to remove them too.',
    })
}

function sayOf({ bus }: EngineRun): (reason: string) => void {
  return (reason) => bus.emit({ type: 'action', do: 'none', reason })
}

function takenText(conflict: Conflict): string {
  const { field, manager } = conflict
  return isByHand(conflict)
    ? `${field}, changed by ${manager}, is what the manifest says again`
    : `${field} is taken from ${manager}`
}

/** A namespace that goes takes nothing new: it is made again when it has gone. @throws APPLY-112 when it does not */
async function untilFree(kube: Kube, name: string, run: EngineRun): Promise<void> {
  const found = await lookAtNamespace(kube, name, run.signal)
  if (!found || found === 'hidden' || found.metadata.deletionTimestamp === undefined) return
  await runStep(run, 'namespace', (step) => untilGone(kube, found, { patienceMs: patienceOf(run), say: step.say }, run.signal))
}

async function confirmLosses(losses: readonly string[], { confirm }: EngineRun): Promise<void> {
  if (await confirm(`${losses.join('; ')}. Make ${losses.length === 1 ? 'it' : 'them'} anew?`)) return
  throw new DevkitError('CLUSTER-107', {
    message: `Nothing was applied, and nobody said yes to this: ${losses.join('; ')}.`,
    hint: 'Say `devkit up --recreate-data --yes`, or take the change back.',
  })
}

/** Whether all workloads that are no hooks were there before: Helm would run other hooks then. */
function isUpgrade(manifests: readonly Manifest[], observed: Observed): boolean {
  return manifests.every(({ object }) => !isWorkload(object) || hookOf(object) || observed.get(object))
}

async function isSomebodyElses(
  kube: Kube,
  namespace: string,
  labels: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<boolean> {
  const found = await lookAtNamespace(kube, namespace, signal)
  return found === 'hidden' || (found !== undefined && !isLabelled(found, labels))
}
