import type { Patient, Rule } from './facts.ts'
import { image } from './image.ts'
import { inits, lasting } from './inits.ts'
import { jobs } from './jobs.ts'
import { nodes } from './nodes.ts'
import { probeKills, probes } from './probes.ts'
import { references, referencesOfMakers, referencesOfVolumes } from './references.ts'
import { refusals } from './refusals.ts'
import { scheduling } from './scheduling.ts'
import { names, services } from './services.ts'
import { start } from './start.ts'
import { storage } from './storage.ts'
import type { Verdict } from './verdict.ts'

/**
 * In the order of a pod's life: what comes earlier is the cause, what comes later its consequence.
 *
 *   refused ─► scheduled ─► volumes mounted ─► references found ─► image pulled ─► started ─► probes pass ─► Services lead to it
 */
const rules: readonly Rule[] = [
  ...referencesOfMakers,
  ...refusals,
  ...nodes,
  ...referencesOfVolumes,
  ...storage,
  ...scheduling,
  ...references,
  ...image,
  ...names,
  ...probeKills,
  ...inits,
  ...start,
  ...probes,
  ...jobs,
  ...lasting,
  ...services,
]

/** The root cause of why a workload is not ready, undefined when nothing is wrong with it or nobody can tell. */
export function diagnose(patient: Patient): Verdict | undefined {
  const found = rules.flatMap((rule) => rule(patient) ?? [])
  const early = found.findIndex(({ isEarly }) => isEarly)
  const told = early < 0 ? found : found.slice(0, found[early]?.isEarly === 'told' ? early + 1 : early)
  return told.find(isFailure) ?? told[0]
}

/** Whether time can't mend it, and nobody else either. */
export function isFailure({ severity, waitsFor }: Verdict): boolean {
  return severity === 'failure' && !waitsFor
}
