import { join, relative } from 'node:path'
import type { Image } from '../build/builder.ts'
import { contextFiles, contextFilter } from '../build/context.ts'
import type { Kube } from '../kube/kube.ts'
import { DevkitError } from '../lib/errors.ts'
import { gitIgnoreRules } from '../lib/ignore.ts'
import { podSpecOf } from '../lib/objects.ts'
import type { Scope } from '../lib/scope.ts'
import { affected, isUnder } from '../plan/affected.ts'
import type { Action, Plan, ServicePlan } from '../plan/plan.ts'
import { repositoryOf } from '../render/transforms/transforms.ts'
import { neverSynced } from '../sync/mapping.ts'
import type { EngineRun } from './environment.ts'
import { tellLogs } from './logs.ts'
import { renderSource } from './render.ts'
import { Sessions } from './sessions.ts'
import { problemEvent, runStep } from './step.ts'
import { imageFile, type Running, targetOf, up } from './up.ts'

/** Where a new plan comes from when the config changed. */
export interface Replan {
  readonly files: readonly string[]
  readonly load: () => Promise<Plan>
}

/**
 * Brings the environment up and keeps it equal to the working tree until the run is ended.
 *
 *   paths ─► affected ─► sync ───► the open streams
 *                    ├─► rebuild ┐
 *                    ├─► rerender├► `up` again, one at a time; what changes meanwhile asks for one more
 *                    └─► replan ─┘
 */
export async function watch(first: Plan, run: EngineRun, scope: Scope, replan: Replan): Promise<void> {
  let plan = first
  // before the first build: what is saved while it runs must not be missed
  const roots = rootsOf(plan, replan).map((path) => ({
    path,
    ignore: [{ base: plan.directory, rules: gitIgnoreRules(plan.ignore) }],
  }))
  const warn = (problem: unknown): void => run.bus.emit(problemEvent(problem, 'warning'))
  const watching = scope.use(await run.parts.host.watch(roots, { never: neverSynced, warn }, scope.signal))
  let generation = scope.child()
  let running = await up(plan, run, generation, (service, kube) => runningImage(plan, service, kube, run))
  let sessions = follow(running, run, generation)
  const logs = tellLogs(run, scope)
  logs(running)
  for (const [service, url] of Object.entries(running.urls))
    run.bus.emit({ type: 'action', service, do: 'none', reason: `watching; ${url}` })

  let wanted: Action | undefined
  let working: Promise<void> | undefined
  /** Problems of the last tries; the next that comes up resolves them. */
  const unresolved = new Map<string, DevkitError>()
  const bringUp = async (): Promise<void> => {
    while (wanted && !scope.signal.aborted) {
      const action = wanted
      wanted = undefined
      try {
        if (action.do === 'replan') plan = await replan.load()
        const next = scope.child()
        try {
          const reuse =
            action.do === 'rebuild' ? undefined : (service: ServicePlan, kube: Kube) => runningImage(plan, service, kube, run)
          const after = await up(plan, run, next, reuse)
          const old = generation
          generation = next
          running = after
          sessions = follow(running, run, generation)
          logs(running)
          for (const { code, service, object } of unresolved.values())
            run.bus.emit({ type: 'problem.resolved', code, service, object })
          unresolved.clear()
          await old.close()
        } catch (thrown) {
          await next.close()
          throw thrown
        }
      } catch (thrown) {
        // the last good state goes on; the next save tries again
        if (scope.signal.aborted) continue
        run.bus.emit(problemEvent(thrown))
        if (thrown instanceof DevkitError) unresolved.set(`${thrown.code} ${thrown.service} ${thrown.object}`, thrown)
      }
    }
    working = undefined
  }

  for await (const batch of watching.batches) {
    const filters = await filtersOf(plan)
    const actions = affected(plan, batch.paths, (service, path) => filters.get(service.name)?.(path) ?? false, replan.files)
    if (actions.length === 0) continue
    run.bus.emit({
      type: 'files.changed',
      count: batch.paths.length,
      paths: batch.paths.slice(0, 20).map((path) => relative(plan.directory, path)),
    })
    for (const action of actions) {
      run.bus.emit({
        type: 'action',
        service: 'service' in action ? action.service : undefined,
        do: action.do,
        reason: action.reason,
      })
      if (action.do === 'sync') {
        const service = running.plan.services.find(({ name }) => name === action.service)
        if (service) void sessions.sync(service, batch.firstEvent)
      } else wanted = stronger(wanted, action)
    }
    if (wanted) working ??= bringUp()
  }
  await working
}

function follow(running: Running, run: EngineRun, scope: Scope): Sessions {
  const sessions = new Sessions(running, run, scope)
  const following = sessions.followContainers(running.plan.services.filter(({ sync }) => sync.length > 0))
  scope.defer(() => following)
  return sessions
}

function stronger(a: Action | undefined, b: Action): Action {
  const order = ['sync', 'rerender', 'rebuild', 'replan']
  return a && order.indexOf(a.do) > order.indexOf(b.do) ? a : b
}

function rootsOf(plan: Plan, { files }: Replan): readonly string[] {
  const paths = [
    ...plan.sources,
    ...plan.services.flatMap(({ build, sync }) => [...(build ? [build.context] : []), ...sync.map(({ from }) => from)]),
  ].map((path) => join(plan.directory, path))
  const roots = [...new Set([...paths, ...files])]
  return roots.filter((path) => !roots.some((other) => other !== path && isUnder(path, other)))
}

/** Whether the build of a service reads a path (absolute). */
async function filtersOf(plan: Plan): Promise<ReadonlyMap<string, (path: string) => boolean>> {
  const filters = plan.services.flatMap(({ name, build }) => {
    if (!build) return []
    const context = join(plan.directory, build.context)
    return [
      (async () => {
        const filter = await contextFilter(context, build.dockerfile)
        const decides = [build.dockerfile, '.dockerignore', `${build.dockerfile}.dockerignore`]
        return [
          name,
          (path: string) =>
            isUnder(path, context) && (decides.includes(relative(context, path)) || filter(relative(context, path))),
        ] as const
      })(),
    ]
  })
  return new Map(await Promise.all(filters))
}

/** The image that the service runs already, when the tree differs from it only where a sync rule covers the difference. */
async function runningImage(plan: Plan, service: ServicePlan, kube: Kube, run: EngineRun): Promise<Image | undefined> {
  const { files, engine } = run.parts.host
  if (!service.build || service.image === undefined || service.sync.length === 0) return undefined
  const source = await renderSource(plan, run.parts, run)
  const [kind = '', name = ''] = targetOf(source, service).workload.split('/')
  const apiVersion =
    source.manifests.find(({ object }) => object.kind === kind && object.metadata.name === name)?.object.apiVersion ?? ''
  const live = await kube.get({ apiVersion, kind, name, namespace: plan.namespace }, run.signal)
  const reference =
    live &&
    podSpecOf(live)?.containers.find(
      ({ image }) => image !== undefined && repositoryOf(image) === repositoryOf(service.image ?? ''),
    )?.image
  if (reference === undefined) return undefined
  const inImage = await files.readJson<Record<string, string>>(imageFile(plan, reference))
  const image = await (await engine()).image(reference)
  if (!inImage || !image) return undefined
  const context = join(plan.directory, service.build.context)
  const tree = await contextFiles(context, service.build.dockerfile, files)
  const differing = [...new Set([...Object.keys(inImage), ...tree.keys()])].filter(
    (path) => inImage[path] !== tree.get(path)?.hash,
  )
  const covered = differing.every((path) =>
    service.sync.some((rule) => isUnder(join(context, path), join(plan.directory, rule.from))),
  )
  if (!covered) return undefined
  return runStep(
    run,
    `build/${service.name}`,
    async () => ({ reference, id: image.id, outcome: 'cached' as const, files: inImage }),
    () => 'skipped',
  )
}
