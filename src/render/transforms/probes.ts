import type { ProbeChange } from '../../config/profile-schema.ts'
import { eachContainer, without, withPodSpec } from '../../lib/objects.ts'
import type { Transform } from './rule.ts'

type ProbeName = 'startup' | 'liveness' | 'readiness'

/** Without a word in the manifest. https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/#configure-probes */
const usual = { failureThreshold: 3, periodSeconds: 10, initialDelaySeconds: 0 }

interface Probe extends Partial<typeof usual> {
  readonly [field: string]: unknown
}

/** Probes of one sort, dropped or as patient and as quick as said. */
export function withProbe(name: ProbeName, change: ProbeChange): Transform {
  const field = `${name}Probe`
  return (object) =>
    withPodSpec(object, (pod) =>
      eachContainer(pod, (container) => {
        const probe = container[field] as Probe | undefined
        if (!probe) return container
        if (change === 'drop') return without(container, field)
        return { ...container, [field]: quicker(name, morePatient(probe, change.patience), change.every) }
      }),
    )
}

function morePatient(probe: Probe, patience: number | undefined): Probe {
  if (patience === undefined || patience === 1) return probe
  return { ...probe, failureThreshold: Math.ceil((probe.failureThreshold ?? usual.failureThreshold) * patience) }
}

/** Looks every so many seconds and fails after as long as before. Only a liveness probe needs its delay: it would end what starts. */
function quicker(name: ProbeName, probe: Probe, every: number | undefined): Probe {
  const { failureThreshold, periodSeconds, initialDelaySeconds } = { ...usual, ...probe }
  const delay = name === 'liveness' ? 0 : initialDelaySeconds
  if (every === undefined || (periodSeconds <= every && delay <= every)) return probe
  const period = Math.min(periodSeconds, every)
  const patienceSeconds = failureThreshold * periodSeconds + (name === 'startup' ? delay : 0)
  const { initialDelaySeconds: _, ...rest } = probe
  return {
    ...(name === 'liveness' ? probe : rest),
    periodSeconds: period,
    failureThreshold: Math.ceil(patienceSeconds / period),
  }
}
