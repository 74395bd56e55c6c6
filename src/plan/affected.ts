import { join, relative, sep } from 'node:path'
import type { Action, Plan, ServicePlan } from './plan.ts'

/** What the plan's paths are to the outside: whether a path is in a service's build context, which the build room knows. */
export type InContext = (service: ServicePlan, path: string) => boolean

/**
 * What changed paths mean, cheapest first. `paths` are absolute; `configFiles` are those the config was loaded from.
 * A path under a sync rule is synced, never rebuilt; what else the build reads means rebuild; manifests mean rerender; the config means replan.
 */
export function affected(
  plan: Plan,
  paths: readonly string[],
  inContext: InContext,
  configFiles: readonly string[],
): readonly Action[] {
  const config = paths.find((path) => configFiles.includes(path))
  if (config !== undefined) return [{ do: 'replan', reason: `${shown(plan, config)} changed` }]
  const actions: Action[] = []
  for (const service of plan.services) {
    const synced = paths.filter((path) => service.sync.some((rule) => isUnder(path, join(plan.directory, rule.from))))
    if (synced.length > 0) actions.push({ do: 'sync', service: service.name, paths: synced, reason: some(plan, synced) })
    const built = paths.filter((path) => service.build && !synced.includes(path) && inContext(service, path))
    if (built.length > 0) actions.push({ do: 'rebuild', service: service.name, reason: some(plan, built) })
  }
  const manifests = paths.filter(
    (path) => plan.sources.some((source) => isUnder(path, join(plan.directory, source))) && /\.(ya?ml|json)$/.test(path),
  )
  if (manifests.length > 0) actions.push({ do: 'rerender', reason: some(plan, manifests) })
  return actions
}

export function isUnder(path: string, root: string): boolean {
  const rest = relative(root, path)
  return rest === '' || (!rest.startsWith(`..${sep}`) && rest !== '..')
}

function some(plan: Plan, paths: readonly string[]): string {
  const first = shown(plan, paths[0] ?? '')
  return paths.length === 1 ? `${first} changed` : `${first} and ${paths.length - 1} more changed`
}

function shown({ directory }: Plan, path: string): string {
  return relative(directory, path)
}
