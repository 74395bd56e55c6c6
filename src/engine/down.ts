import { projectLabel } from '../build/builder.ts'
import type { ClusterProvider, ClusterState } from '../cluster/provider.ts'
import { ownLabels } from '../deploy/apply.ts'
import { forgetInventory, readInventory } from '../deploy/inventory.ts'
import { isForbidden } from '../deploy/refusal.ts'
import { type PortBook, portBookFile } from '../forward/mapped.ts'
import type { Kube } from '../kube/kube.ts'
import { DevkitError } from '../lib/errors.ts'
import { isLabelled, type ObjectRef } from '../lib/objects.ts'
import { Scope } from '../lib/scope.ts'
import type { Step } from '../lib/step.ts'
import type { Plan } from '../plan/plan.ts'
import { leaseMap } from '../render/transforms/supervisor.ts'
import { providerOf } from '../toolbox.ts'
import { aloneWithCluster, checkHolder, type EngineRun, heldBy, neighbours, releaseEnvironment } from './environment.ts'
import { runStep } from './step.ts'
import { boundVolumes } from './volumes.ts'

/** Asks the person; false also where nobody can be asked. */
export type Confirm = (question: string) => Promise<boolean>

/**
 * Removes what devkit made for the environment; the cluster too, unless another environment lives in it. Nothing there is fine.
 * @throws CLUSTER-107 when volumes with data would go and `confirm` says no: nothing is removed then
 */
export async function down(plan: Plan, run: EngineRun, confirm: Confirm): Promise<void> {
  const { parts, signal } = run
  await checkHolder(plan, parts)
  const provider = providerOf(parts.tools, plan.cluster.spec)
  const quiet: Step = { signal, say: () => undefined }
  await confirmLoss(plan, run, await provider.find(plan.cluster, quiet), confirm)
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
          const outcome = await removeEnvironment(plan, run, { provider, others }, step)
          if (others.length === 0) await provider.remove(plan.cluster, step)
          return outcome
        },
        (outcome) => outcome,
      )
  })
  await releaseEnvironment(plan, parts)
}

async function confirmLoss(plan: Plan, run: EngineRun, found: ClusterState, confirm: Confirm): Promise<void> {
  const lost = await volumesToLose(plan, run, found)
  if (lost.length === 0) return
  const what = `${lost.length === 1 ? 'a volume with data goes' : `${lost.length} volumes with data go`}: ${lost.join(', ')}`
  if (await confirm(`With the environment ${plan.project}/${plan.env} ${what}. Remove?`)) return
  throw new DevkitError('CLUSTER-107', {
    message: `Nothing was removed: with the environment ${plan.project}/${plan.env} ${what}.`,
    hint: 'Say `devkit down --yes` to remove them too.',
  })
}

/** The volumes that hold data as a person may know them. A cluster that cannot be asked may hold some once anything was applied. */
async function volumesToLose(plan: Plan, { parts, signal }: EngineRun, found: ClusterState): Promise<readonly string[]> {
  if (found.state === 'absent' || found.state === 'making') return []
  const unknown = (await heldBy(plan, parts))?.applied
    ? [`those of the cluster ${plan.cluster.name}, which is ${found.state} and cannot be asked`]
    : []
  if (found.state !== 'running') return unknown
  await using scope = new Scope()
  const alone = (await neighbours(plan, parts)).length === 0 && providerOf(parts.tools, plan.cluster.spec).own
  try {
    const kube = scope.use(await parts.openKube(found.cluster.kubeconfig))
    await kube.untilReady(10_000, signal)
    const volumes = await boundVolumes(kube, alone ? undefined : plan.namespace, signal)
    return volumes.map(({ namespace, name, size }) => `${namespace}/${name} (${size})`)
  } catch (thrown) {
    signal.throwIfAborted()
    if (thrown instanceof DevkitError) return unknown
    throw thrown
  }
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

async function removeEnvironment(
  plan: Plan,
  run: EngineRun,
  { provider, others }: { readonly provider: ClusterProvider; readonly others: readonly string[] },
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
  const kube = scope.use(await parts.openKube(cluster.kubeconfig))
  await kube.untilReady(60_000, signal)
  for (const ref of (await readInventory(kube, plan.namespace, signal)).toReversed())
    if (await isOwn(kube, ref, plan, signal)) await kube.remove(ref, signal)
  const namespace: ObjectRef = { apiVersion: 'v1', kind: 'Namespace', name: plan.namespace }
  if (await isOwn(kube, namespace, plan, signal)) await kube.remove(namespace, signal, { wait: true })
  else {
    await forgetInventory(kube, plan.namespace, signal)
    // what a watch that was killed has left
    await kube.remove({ apiVersion: 'v1', kind: 'ConfigMap', name: leaseMap, namespace: plan.namespace }, signal)
  }
  return 'pruned'
}

/** Whether it was this environment that applied the object last: one outside the namespaces may be shared. */
async function isOwn(kube: Kube, ref: ObjectRef, { project, env }: Plan, signal: AbortSignal): Promise<boolean> {
  try {
    const found = await kube.get(ref, signal)
    return found !== undefined && isLabelled(found, ownLabels(project, env))
  } catch (thrown) {
    // who may not even look at it has not applied it
    if (isForbidden(thrown)) return false
    throw thrown
  }
}
