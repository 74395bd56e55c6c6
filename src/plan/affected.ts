import { join, relative, sep } from 'node:path'
import { gitIgnoreRules, type Ignores, ignoring } from '../lib/ignore.ts'
import type { Action, Plan, ServicePlan } from './plan.ts'

/** What a change of one path means for one service. */
export interface Meaning {
  readonly do: 'sync' | 'rebuild' | 'none'
  /** In words, without the path. */
  readonly reason: string
}

/** A path (absolute) that something happened to. */
export interface Change {
  readonly path: string
  /** A directory says nothing to a build: what is in it does. */
  readonly directory: boolean
}

/** A service's answer for a path (absolute), `directory` as in `Change`; undefined: the path is no business of the service. */
export type MeaningOf = (path: string, directory?: boolean) => Meaning | undefined

/** What the plan does not know and the answers need. */
export interface Surroundings {
  /** By service: what the `.dockerignore` of its build context leaves out, relative to the context. */
  readonly dockerIgnores: ReadonlyMap<string, Ignores>
  /** Names that are never synced, whatever the rules say. */
  readonly never: RegExp
  /** The files that the config was loaded from. */
  readonly configFiles: readonly string[]
  /** The files that Secrets have their values from. */
  readonly secretFiles: readonly string[]
  /** Whether a path (absolute) is read to render the manifests. */
  readonly renders: (path: string) => boolean
}

/**
 * What paths mean for a service, the first that holds:
 *
 *   the Dockerfile, a .dockerignore, rebuildOn   ─► rebuild, also where a rule covers it
 *   ignored by the config                        ─► nothing
 *   under a sync rule that does not ignore it    ─► sync, never a rebuild
 *   ignored by the sync rule that it is under    ─► nothing
 *   in the build context                         ─► rebuild; nothing when .dockerignore leaves it out
 */
export function meaningsFor(plan: Plan, service: ServicePlan, { dockerIgnores, never }: Surroundings): MeaningOf {
  const { build, sync } = service
  const ignored = ignoring(gitIgnoreRules(plan.ignore))
  const rules = sync.map((rule) => ({
    from: rule.from,
    root: join(plan.directory, rule.from),
    ignores: ignoring(gitIgnoreRules(rule.ignore)),
  }))
  const context = build && join(plan.directory, build.context)
  const decides = build ? [build.dockerfile, '.dockerignore', `${build.dockerfile}.dockerignore`] : []
  const rebuildOn = ignoring(gitIgnoreRules(build?.rebuildOn ?? []))
  const leftOut = dockerIgnores.get(service.name) ?? (() => false)
  return (path, directory = false) => {
    const inContext = context !== undefined && isUnder(path, context) ? below(path, context) : undefined
    if (inContext !== undefined && decides.includes(inContext)) return { do: 'rebuild', reason: 'decides how the image is built' }
    if (inContext && rebuildOn(inContext)) return { do: 'rebuild', reason: 'is named by rebuildOn' }
    const over = rules.filter(({ root }) => isUnder(path, root))
    if (over.length === 0 && inContext === undefined) return undefined
    const inProject = below(path, plan.directory)
    if (never.test(inProject)) return undefined
    if (ignored(inProject, directory)) return { do: 'none', reason: 'is ignored by the config' }
    const takes = over.find(({ root, ignores }) => path === root || !ignores(below(path, root), directory))
    if (takes) return { do: 'sync', reason: `is covered by the sync rule of ${takes.from}` }
    if (over[0]) return { do: 'none', reason: `is ignored by the sync rule of ${over[0].from}` }
    if (inContext && leftOut(inContext)) return { do: 'none', reason: 'is left out by .dockerignore' }
    return { do: 'rebuild', reason: 'is in the build context and no sync rule covers it' }
  }
}

/**
 * What changes mean, cheapest first: per service at most one action of each kind, with its reason. A changed config
 * means replan, and the answers of the others are those of the plan that was.
 */
export function affected(plan: Plan, changes: readonly Change[], surroundings: Surroundings): readonly Action[] {
  const paths = changes.map(({ path }) => path)
  const config = paths.find((path) => surroundings.configFiles.includes(path))
  const actions: Action[] = config === undefined ? [] : [{ do: 'replan', reason: `${shown(plan, config)}, which is the config` }]
  for (const service of plan.services) {
    const meaningOf = meaningsFor(plan, service, surroundings)
    const by: Record<Meaning['do'], { readonly path: string; readonly reason: string }[]> = { sync: [], rebuild: [], none: [] }
    for (const { path, directory } of changes) {
      const meaning = meaningOf(path, directory)
      if (meaning && !(directory && meaning.do !== 'sync')) by[meaning.do].push({ path, reason: meaning.reason })
    }
    const about = { service: service.name }
    if (by.sync.length > 0)
      actions.push({ do: 'sync', ...about, paths: by.sync.map(({ path }) => path), reason: some(plan, by.sync) })
    if (by.rebuild.length > 0) actions.push({ do: 'rebuild', ...about, reason: some(plan, by.rebuild) })
    if (by.none.length > 0 && by.sync.length + by.rebuild.length === 0)
      actions.push({ do: 'none', ...about, reason: some(plan, by.none) })
  }
  const rendered = paths.flatMap((path) => {
    if (surroundings.secretFiles.includes(path)) return [{ path, reason: 'has the values of a Secret' }]
    return surroundings.renders(path) ? [{ path, reason: 'is a manifest' }] : []
  })
  if (rendered.length > 0) actions.push({ do: 'rerender', reason: some(plan, rendered) })
  return actions
}

/** Whether a path is at or below another. */
export function isUnder(path: string, root: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep)
}

function below(path: string, root: string): string {
  return relative(root, path).split(sep).join('/')
}

function some(plan: Plan, changes: readonly { readonly path: string; readonly reason: string }[]): string {
  const [first] = changes
  if (!first) return ''
  const others = changes.length === 1 ? '' : `, and ${changes.length - 1} more`
  return `${shown(plan, first.path)}, which ${first.reason}${others}`
}

function shown({ directory }: Plan, path: string): string {
  return relative(directory, path)
}
