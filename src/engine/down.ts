import { projectLabel } from '../build/builder.ts'
import { readInventory } from '../deploy/inventory.ts'
import { type PortBook, portBookFile } from '../forward/mapped.ts'
import { Scope } from '../lib/scope.ts'
import type { Plan } from '../plan/plan.ts'
import { providerOf } from '../toolbox.ts'
import { checkHolder, type EngineRun, neighbours, releaseEnvironment } from './environment.ts'
import { runStep } from './step.ts'

/** Removes what devkit made for the environment; the cluster too, unless another environment lives in it. Nothing there is fine. */
export async function down(plan: Plan, run: EngineRun): Promise<void> {
  const { parts, signal } = run
  await checkHolder(plan, parts)
  const provider = providerOf(parts.tools, plan.cluster.spec)
  const others = await neighbours(plan, parts)
  if (others.length === 0) {
    await runStep(
      run,
      'cluster',
      (step) => provider.remove(plan.cluster, step),
      () => 'pruned',
    )
    const engine = await parts.host.engine()
    for (const reference of await engine.imagesWithLabel(`${projectLabel}=${plan.project}`)) await engine.removeImage(reference)
  } else {
    await runStep(
      run,
      'prune',
      async (step) => {
        const found = await provider.find(plan.cluster, step)
        if (found.state === 'absent') return
        await using scope = new Scope()
        const kube = scope.use(await parts.openKube(found.cluster.kubeconfig))
        await kube.untilReady(60_000, signal)
        const inventory = await readInventory(kube, plan.namespace, signal)
        for (const ref of inventory.toReversed()) await kube.remove(ref, signal)
        await kube.remove({ apiVersion: 'v1', kind: 'Namespace', name: plan.namespace }, signal, { wait: true })
        step.say(`the cluster stays for ${others.join(', ')}`)
        const file = portBookFile(parts.stateDirectory, plan.cluster.name)
        const book = await parts.host.files.readJson<PortBook>(file)
        if (book)
          await parts.host.files.writePrivate(
            file,
            JSON.stringify({
              ...book,
              taken: Object.fromEntries(Object.entries(book.taken).filter(([key]) => !key.startsWith(`${plan.env}/`))),
            }),
          )
      },
      () => 'pruned',
    )
  }
  await releaseEnvironment(plan, parts)
}
