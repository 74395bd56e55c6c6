import type { Origins } from '../../config/profile.ts'
import { type Difference, differences } from '../../lib/difference.ts'
import type { Manifest } from '../../lib/objects.ts'
import { LeftOut, type Rule } from './rule.ts'
import { follow, rulesOf, type TransformInput } from './transforms.ts'

/** A field that is not as its source has it. */
export interface Change extends Difference {
  /** Profile and path of what changed it: `dev: services.web.args`, `dev (shipped): cpuLimits`; of devkit's own: `devkit: supervisor`. */
  readonly rule: string
}

/** What became of one manifest. */
export type Report =
  | { readonly outcome: 'kept'; readonly manifest: Manifest; readonly changes: readonly Change[] }
  | { readonly outcome: 'left out'; readonly manifest: Manifest; readonly rule: string; readonly reason: string }

/**
 * What the transforms do to each manifest, field by field, with the rule that did it: in the order of the rules, so that a field that two
 * rules change is there twice. Nothing is compared before it is asked for.
 */
export function* report(manifests: readonly Manifest[], input: TransformInput, origins: Origins): Generator<Report> {
  const rules = rulesOf(input)
  for (const manifest of manifests) {
    const changes: Change[] = []
    let last: Rule | undefined
    const made = follow(manifest.object, rules, (rule, before, after) => {
      last = rule
      if (after instanceof LeftOut) return
      changes.push(...differences(before, after).map((difference) => ({ ...difference, rule: nameOfRule(rule, origins) })))
    })
    yield made instanceof LeftOut
      ? { outcome: 'left out', manifest, rule: last ? nameOfRule(last, origins) : '', reason: made.reason }
      : { outcome: 'kept', manifest, changes }
  }
}

function nameOfRule({ by, path }: Rule, origins: Origins): string {
  if (by === 'devkit') return `devkit: ${path}`
  const said = origins[path] ?? Object.entries(origins).find(([below]) => below.startsWith(`${path}.`))?.[1]
  return `${said ?? 'profile'}: ${path}`
}
