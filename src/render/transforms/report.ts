import { type Difference, differences } from '../../lib/difference.ts'
import { type Manifest, nameOf } from '../../lib/objects.ts'
import { type Origins, originOf } from '../../lib/origins.ts'
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
  | LeftOutReport

interface LeftOutReport {
  readonly outcome: 'left out'
  readonly manifest: Manifest
  readonly rule: string
  readonly reason: string
}

/**
 * What the transforms do to each manifest, field by field, with the rule that did it: in the order of the rules, so that a field that two
 * rules change is there twice. Nothing is compared before it is asked for.
 */
export function* report(manifests: readonly Manifest[], input: TransformInput, origins: Origins): Generator<Report> {
  const rules = rulesOf(input)
  for (const manifest of manifests) {
    const changes: Change[] = []
    let left: LeftOutReport | undefined
    follow(manifest.object, rules, (rule, before, after) => {
      const name = nameOfRule(rule, origins)
      if (after instanceof LeftOut) left = { outcome: 'left out', manifest, rule: name, reason: after.reason }
      else changes.push(...differences(before, after).map((difference) => ({ ...difference, rule: name })))
    })
    yield left ?? { outcome: 'kept', manifest, changes }
  }
}

/** Words that name what they are for: one that fits nothing is most likely misspelt. */
const aimed = /^(skip|skipContainers|images|hosts|patches)\./

/** What the transforms make, and what people should know of it. */
export interface Profiled {
  readonly manifests: readonly Manifest[]
  /** What is left out and why, a line for each rule and reason, and rules of people's own that fit nothing. */
  readonly remarks: readonly string[]
}

/** As `transform`, with remarks. */
export function profiled(manifests: readonly Manifest[], input: TransformInput, origins: Origins): Profiled {
  const rules = rulesOf(input)
  const acted = new Set<Rule>()
  const left = new Map<string, string[]>()
  const made = manifests.flatMap(({ object, origin }) => {
    const changed = follow(object, rules, (rule, _, after) => {
      acted.add(rule)
      if (!(after instanceof LeftOut)) return
      const why = `${after.reason} (${nameOfRule(rule, origins)})`
      left.set(why, [...(left.get(why) ?? []), nameOf(object)])
    })
    return changed instanceof LeftOut ? [] : [{ object: changed, origin }]
  })
  const idle = rules.filter(
    (rule) => !acted.has(rule) && aimed.test(rule.path) && !originOf(origins, rule.path)?.endsWith(' (shipped)'),
  )
  const remarks = [
    ...[...left].map(([why, names]) => `${names.join(', ')} left out: ${why}`),
    ...idle.map((rule) => `${nameOfRule(rule, origins)} fits nothing in the manifests`),
  ]
  return { manifests: made, remarks }
}

function nameOfRule({ by, path }: Rule, origins: Origins): string {
  return by === 'devkit' ? `devkit: ${path}` : `${originOf(origins, path) ?? 'profile'}: ${path}`
}
