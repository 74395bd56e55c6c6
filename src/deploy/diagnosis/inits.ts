import type { Container, KubeObject } from '../../lib/objects.ts'
import { inPods, type Rule } from './facts.ts'
import { type ContainerStatus, initsOf, podPath, seconds, specOfContainer, statusOf, timeOf } from './pod.ts'
import { start } from './start.ts'

/** How long an init container may run before it is worth a word, in ms: known to wait for another, and not. */
const waitsAfterMs = 5000
const longAfterMs = [20_000, 60_000, 300_000, 1_800_000]
/** When a container that runs on after the others of its Job are done is worth a word, and when it is one that never ends, in ms. */
const runsOnAfterMs = 5000
const neverEndsAfterMs = 20_000

const initFails: Rule = (patient) => {
  for (const rule of start) {
    const found = rule(patient)
    const pod = patient.pods.find(({ metadata }) => metadata.name === found?.lines?.pod)
    // what start knows better stays its own
    if (!found?.lines || !pod || found.code !== 'READY-101' || !specOfContainer(pod, found.lines.container).isInit) continue
    const { name, facts } = patient
    const end = facts.ends({ pod, container: found.lines.container })[0]
    const which = place(pod, found.lines.container)
    return {
      ...found,
      code: 'READY-203',
      message: `The init container ${which} of ${name} fails${end ? ` with ${end.exitCode}` : ''}, so no other container of it starts.`,
      hint: `Read its last lines; mend what it does in ${facts.where(name, podPath(patient.workload, ['initContainers']))}.`,
    }
  }
  return undefined
}

/** `load (2 of 3)`: its place in the order. */
function place(pod: KubeObject, name: string): string {
  const inits = initsOf(pod)
  return `${name} (${inits.findIndex((one) => one.name === name) + 1} of ${inits.length})`
}

const initHangs = inPods((pod, { name, workload, facts }) => {
  const found = (statusOf(pod).initContainerStatuses ?? []).find(
    (status) => status.state?.running && specOfContainer(pod, status.name).isInit,
  )
  if (!found) return undefined
  const since = timeOf(found.state?.running?.startedAt)
  const lacking = facts.hasPassed(since, waitsAfterMs) ? facts.lacking(workload, wordsOf(pod, found)) : []
  const passed = [...(lacking.length > 0 ? [waitsAfterMs] : []), ...longAfterMs].filter((ms) => facts.hasPassed(since, ms))
  const longest = passed.at(-1)
  if (longest === undefined) return undefined
  return {
    code: 'READY-204',
    severity: 'warning',
    message: `The init container ${place(pod, found.name)} of ${name} has been running for more than ${seconds(longest)}, and the others wait for it.`,
    hint: 'Read its last lines for what it waits for.',
    ...(lacking.length > 0 && { waitsFor: lacking }),
    lines: { pod: pod.metadata.name, container: found.name },
    since,
  }
})

/** All words of a container's command, among which may be the names of Services: `until nc -z db 5432; do sleep 1; done`. */
function wordsOf(pod: KubeObject, { name }: ContainerStatus): readonly string[] {
  const { command = [], args = [] } = (specOfContainer(pod, name).spec ?? {}) as {
    readonly command?: readonly string[]
    readonly args?: readonly string[]
  }
  return [...command, ...args].flatMap((text) => text.split(/[^a-z0-9-]+/))
}

const runsOn = inPods((pod, { name, workload, facts }) => {
  const statuses = statusOf(pod).containerStatuses ?? []
  const done = statuses.filter(({ state }) => state?.terminated?.exitCode === 0)
  const running = statuses.filter(({ state }) => state?.running)
  const [one] = running
  if (workload.kind !== 'Job' || !one || done.length === 0 || done.length + running.length < statuses.length) return undefined
  const since = Math.max(...done.map(({ state }) => timeOf(state?.terminated?.finishedAt)))
  if (!facts.hasPassed(since, runsOnAfterMs)) return undefined
  const names = running.map((status) => status.name)
  // who serves does not end by itself; anybody else may just take longer
  const isServer = running.every((status) => serves(specOfContainer(pod, status.name).spec))
  return {
    code: 'READY-205',
    severity: isServer && facts.hasPassed(since, neverEndsAfterMs) ? 'failure' : 'warning',
    message: `${name} does not end: its container ${done.map((status) => status.name).join(', ')} is done, but ${names.join(', ')} runs on.`,
    hint: `Make ${names.join(', ')} an init container with \`restartPolicy: Always\` in ${facts.where(name, podPath(workload, ['containers']))}: Kubernetes ends it with the last of the others.`,
    lines: { pod: pod.metadata.name, container: one.name },
    since,
  }
})

function serves(container: Container | undefined): boolean {
  return ['ports', 'livenessProbe', 'readinessProbe', 'startupProbe'].some((field) => container?.[field] !== undefined)
}

/** Why an init container keeps the others from starting; asked before those rules that look at any container. */
export const inits: readonly Rule[] = [initFails]
/** What takes long and may be right. */
export const lasting: readonly Rule[] = [initHangs, runsOn]
