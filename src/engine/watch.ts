import { join, relative } from 'node:path'
import { dockerIgnored } from '../build/context.ts'
import type { WatchRoot } from '../host/host.ts'
import { DevkitError } from '../lib/errors.ts'
import { gitIgnoreRules } from '../lib/ignore.ts'
import type { Scope } from '../lib/scope.ts'
import { affected, isUnder } from '../plan/affected.ts'
import type { Plan } from '../plan/plan.ts'
import type { Input } from '../render/renderer.ts'
import { neverSynced } from '../sync/mapping.ts'
import type { EngineRun, Parts } from './environment.ts'
import { tellLogs } from './logs.ts'
import { MissingSources } from './missing.ts'
import { renderInputs } from './render.ts'
import { secretPaths } from './secrets.ts'
import { Sessions } from './sessions.ts'
import { problemEvent } from './step.ts'
import type { Running } from './up.ts'
import { surroundingsOf, Upkeep } from './upkeep.ts'

/** So much quiet is calm, in ms. */
const calmMs = 3000
/** Reading so many files leaves something to give back. */
const manyFiles = 200

/** Where a new plan comes from when the config changed. */
export interface Replan {
  /** The files that the config was read from; the latest try counts, also one that failed. */
  readonly files: () => readonly string[]
  /** @throws whatever keeps the config and the manifests from making a plan */
  readonly load: () => Promise<Plan>
}

/**
 * Brings the environment up and keeps it equal to the working tree until the run is ended.
 *
 *   paths ─► affected ─► sync ─────────────────────► the sessions, at once whatever else goes on
 *                    └─► rebuild, rerender, replan ─► the upkeep, in the background
 *
 * Nothing that fails ends it: a broken start, build, manifest or config is told, the last good state goes on, the next save tries again.
 * @throws PLAN-103 when another directory holds the environment
 */
export async function watch(first: Plan, run: EngineRun, scope: Scope, replan: Replan): Promise<void> {
  let plan = first
  let inputs = await renderInputs(plan, run.parts)
  const { host } = run.parts
  const warn = (problem: unknown): void => run.bus.emit(problemEvent(problem, 'warning'))
  // before the first build: what is saved while it runs must not be missed
  const watching = scope.use(
    await host.watch(await rootsOf(plan, replan, inputs, run.parts), { never: neverSynced, warn }, scope.signal),
  )
  const sessions = new Sessions(run, scope, {
    rebuild: (service) => upkeep.rebuild(service),
    bringUp: () => upkeep.bringUp(),
  })
  const logs = tellLogs(run, scope)
  const follower = {
    attach: (running: Running) => {
      sessions.attach(running)
      logs(running)
    },
    synced: (service: string, signal: AbortSignal) => sessions.synced(service, signal),
  }
  giveMemoryBackWhenCalm(run, scope)
  const upkeep = new Upkeep(plan, run, scope, follower)
  upkeep.bringUp()

  /** A manifest or config that is only touched is told from one that changed by what it is now. */
  const rememberSources = async (): Promise<void> => {
    const paths = [...inputs.map(({ path }) => path), ...replan.files(), ...(await secretPaths(plan, run.parts))]
    await Promise.all(
      paths.map(async (path) => (await host.files.stateOf(path)) ?? host.files.treeOf(path, (name) => neverSynced.test(name))),
      // what cannot be read is told by whoever renders it
    ).catch(() => undefined)
  }
  await rememberSources()
  const missing = new MissingSources(run)
  await missing.look(plan)
  const filesOf = async (of: Plan) => ({
    configFiles: replan.files(),
    secretFiles: await secretPaths(of, run.parts),
    renders: (path: string) => inputs.some((input) => isUnder(path, input.path) && (input.counts?.(path) ?? true)),
  })
  let surroundings = await surroundingsOf(plan, await filesOf(plan))
  const lookAround = async (): Promise<void> => {
    inputs = await renderInputs(plan, run.parts)
    surroundings = await surroundingsOf(plan, await filesOf(plan))
    await watching.update(await rootsOf(plan, replan, inputs, run.parts))
    await rememberSources()
    await missing.look(plan)
  }

  /** What was asked for first is done first: the latest plan is the one that stays. */
  let replanning = Promise.resolve()
  const replanned = (rerender: boolean): Promise<void> => {
    replanning = replanning.then(() => takePlan(rerender))
    return replanning
  }
  const takePlan = async (rerender: boolean): Promise<void> => {
    try {
      const next = await replan.load()
      checkIdentity(plan, next)
      plan = next
      await lookAround()
      upkeep.replan(plan, rerender)
      upkeep.tell('config', undefined)
    } catch (thrown) {
      if (scope.signal.aborted) return
      // the last good plan goes on
      upkeep.tell('config', thrown)
      await lookAround()
    }
  }

  const follow = async (): Promise<void> => {
    for await (const { paths, firstEvent } of watching.batches) {
      if (missing.isAny) await missing.look(plan)
      const changes = await host.files.changed(paths)
      if (changes.some(({ path }) => replan.files().includes(path))) {
        run.bus.emit({ type: 'action', do: 'replan', reason: `${shown(plan, replan.files())} changed` })
        await replanned(false)
      }
      // a kustomization, a chart or a Secret may read other files from now on
      const mayReadOthers = (path: string): boolean =>
        path.endsWith('.dockerignore') || surroundings.renders(path) || surroundings.secretFiles.includes(path)
      if (changes.some(({ path }) => mayReadOthers(path))) await lookAround()
      const actions = affected(plan, changes, surroundings).filter((action) => action.do !== 'replan')
      if (actions.length === 0) continue
      const some = changes.slice(0, 20).map(({ path }) => relative(plan.directory, path))
      run.bus.emit({ type: 'files.changed', count: changes.length, paths: some })
      for (const action of actions) {
        const service = 'service' in action ? action.service : undefined
        run.bus.emit({ type: 'action', service, do: action.do, reason: action.reason })
        for (const { name } of plan.services) if (service === undefined || service === name) upkeep.saved(name, some)
        if (action.do === 'sync') {
          sessions.changed(action.service, action.paths, firstEvent)
          upkeep.retry(action.service)
        } else if (action.do === 'rebuild') upkeep.rebuild(action.service)
        // services may come and go with the manifests; rendering takes its time, which no save waits for
        else if (action.do === 'rerender') void replanned(true)
      }
    }
  }
  await Promise.race([follow(), upkeep.failure.promise])
  await replanning
  await upkeep.ended()
}

/** A start, a rollout and a branch switch need much memory for a moment; a watch lives all day beside the programs that people work with. */
function giveMemoryBackWhenCalm({ bus, parts }: EngineRun, scope: Scope): void {
  let timer: NodeJS.Timeout | undefined
  const listening = bus.subscribe((event) => {
    const much = event.type === 'service.ready' || (event.type === 'files.changed' && event.count > manyFiles)
    if (!much && (!timer || event.type === 'log')) return
    clearTimeout(timer)
    timer = setTimeout(() => {
      timer = undefined
      parts.host.giveMemoryBack()
    }, calmMs)
  })
  scope.defer(() => {
    listening[Symbol.dispose]()
    clearTimeout(timer)
  })
}

/** What a run holds and has opened stays the same while it runs. @throws CONFIG-105 */
function checkIdentity(plan: Plan, next: Plan): void {
  const identity = ({ project, env, cluster }: Plan): string => JSON.stringify([project, env, cluster])
  if (identity(plan) === identity(next)) return
  throw new DevkitError('CONFIG-105', {
    message: 'The project, its cluster or its host ports changed in the config: a watch that runs cannot follow that.',
    hint: 'End it (Ctrl-C), run `devkit down` when the cluster is to be another one, and start it again.',
  })
}

function shown({ directory }: Plan, [file = '']: readonly string[]): string {
  return relative(directory, file)
}

/** Everything that the plan reads, and what of it need not be watched. */
async function rootsOf(plan: Plan, { files }: Replan, inputs: readonly Input[], parts: Parts): Promise<readonly WatchRoot[]> {
  const own = { base: plan.directory, rules: gitIgnoreRules(plan.ignore) }
  const contextRoot = async (path: string, dockerfile: string): Promise<WatchRoot> => ({
    path,
    ignore: [own, { base: path, rules: await dockerIgnored(path, dockerfile) }],
  })
  const services = plan.services.map(async ({ build, sync }) => [
    ...sync.map(({ from, ignore }) => {
      const path = join(plan.directory, from)
      return { path, ignore: [own, { base: path, rules: gitIgnoreRules(ignore) }] }
    }),
    // the Dockerfile and the rules themselves count also where the rules leave them out
    ...(build ? [await contextRoot(join(plan.directory, build.context), build.dockerfile)] : []),
    ...(build ? deciding(join(plan.directory, build.context), build.dockerfile) : []),
  ])
  return [
    ...[...files(), ...(await secretPaths(plan, parts))].map((path) => ({ path, ignore: [] })),
    ...inputs.map(({ path }) => ({ path, ignore: [own] })),
    ...(await Promise.all(services)).flat(),
  ]
}

function deciding(context: string, dockerfile: string): readonly WatchRoot[] {
  const names = [dockerfile, '.dockerignore', `${dockerfile}.dockerignore`]
  return names.map((name) => ({ path: join(context, name), ignore: [] }))
}
