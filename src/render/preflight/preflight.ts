import { wrongApis } from './apis.ts'
import { unserved } from './controllers.ts'
import type { Finding } from './finding.ts'
import { missingServices } from './hosts.ts'
import { unnamedImages } from './images.ts'
import { missingPorts } from './ports.ts'
import { missingReferences } from './references.ts'
import { emptySelectors } from './selectors.ts'
import { type PreflightInput, type Stack, stackOf } from './stack.ts'

/** Each looks for one sort of thing, and leaves alone what it cannot be sure of. */
const checks: readonly ((stack: Stack) => readonly Finding[])[] = [
  wrongApis,
  missingReferences,
  missingServices,
  missingPorts,
  emptySelectors,
  unnamedImages,
  unserved,
]

/** What of a set of manifests will not work, before anything is touched. Pure and offline; failures first. */
export function preflight(input: PreflightInput): readonly Finding[] {
  const stack = stackOf(input)
  return checks.flatMap((check) => check(stack)).toSorted((a, b) => a.severity.localeCompare(b.severity))
}
