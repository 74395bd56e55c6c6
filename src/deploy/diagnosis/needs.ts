import { nearest } from '../../lib/nearest.ts'
import type { KubeObject } from '../../lib/objects.ts'
import {
  allocatableOf,
  fitsTerms,
  freeOf,
  isOn,
  type LabelSelector,
  type Misfit,
  meetsSelector,
  misfitsOf,
  nodeSelectorOf,
  nodeTermsOf,
  type Requirement,
  requestOf,
  type Taint,
} from './fit.ts'
import { bornAt, conditionOf, makerOf, podPath, specOf, statusOf, timeOf } from './pod.ts'
import type { Blocked, Need } from './scheduling.ts'
import type { Filter } from './text/scheduler.ts'

/** A node that has just come is not ready at once, in ms. */
const becomesReadyMs = 60_000
/** How long a node that is not ready is believed to come back, in ms. */
const comesBackMs = 30_000
/** How long a node under pressure is given to get rid of it, in ms. */
const relievedMs = 30_000

interface Said {
  readonly misfit: Misfit | undefined
  /** The scheduler's own word for it. */
  readonly what: string
}

/** What a pod needs of nodes and none has, for each filter of the scheduler that devkit understands. */
export const needs: Partial<Readonly<Record<Filter, (blocked: Blocked, said: Said) => Need | undefined>>> = {
  resource: (blocked, { what, misfit }) => resource(blocked, misfit?.filter === 'resource' ? misfit.resource : what),
  'too-many-pods': tooManyPods,
  'node-affinity': (blocked) => nodeSelector(blocked) ?? nodeAffinity(blocked),
  taint: (blocked, { misfit, what }) => taint(blocked, misfit?.filter === 'taint' ? misfit.taint : { key: what, effect: '' }),
  unschedulable: cordoned,
  ports: (blocked, { misfit }) => (misfit?.filter === 'ports' ? port(blocked, misfit) : undefined),
  'pod-affinity': podAffinity,
  'pod-anti-affinity': podAntiAffinity,
  'others-anti-affinity': othersAntiAffinity,
  'topology-spread': topologySpread,
  'volume-affinity': volumeAffinity,
}

function resource(blocked: Blocked, wanted: string): Need | undefined {
  const { pod, patient, nodes, others } = blocked
  const { name, facts, workload } = patient
  const asked = requestOf(pod, wanted)
  if (asked === 0 || nodes.length === 0) return undefined
  const index = mostOf(specOf(pod).containers, wanted)
  const place = facts.where(name, podPath(workload, ['containers', index, 'resources', 'requests', wanted]))
  const largest = Math.max(...nodes.map((node) => allocatableOf(node, wanted)))
  if (wanted !== 'cpu' && wanted !== 'memory') return extended(blocked, wanted, { asked, largest, place })
  const [code, noun] = wanted === 'cpu' ? (['READY-176', 'CPUs'] as const) : (['READY-177', 'memory'] as const)
  const hint = `Lower resources.requests.${wanted} in ${place} (profiles: \`requests\`), or give the engine more ${noun}.`
  const amount = amountFor(wanted)
  if (asked > largest) {
    const message = `No node has the ${amount(asked)} that a pod of ${name} asks for: the largest has ${number(wanted, largest)}.`
    return { code, message, hint }
  }
  const best = nodes.toSorted((a, b) => freeOf(b, wanted, others) - freeOf(a, wanted, others))[0]
  if (!best) return undefined
  const taken = new Map<string, number>()
  for (const other of others.filter((one) => isOn(one, best))) {
    const maker = makerOf(other, facts.namespace)
    taken.set(maker, (taken.get(maker) ?? 0) + requestOf(other, wanted))
  }
  const most = [...taken].toSorted((a, b) => b[1] - a[1]).find(([, takes]) => takes > 0)
  const free = number(wanted, Math.max(0, freeOf(best, wanted, others)))
  return {
    code,
    message: `No node has the ${amount(asked)} free that a pod of ${name} asks for: at most ${free} of ${number(wanted, allocatableOf(best, wanted))} are${most ? `, and ${most[0]} takes ${number(wanted, most[1])}` : ''}.`,
    hint: most ? hint.replace(', or give', ' or of what else runs there, or give') : hint,
  }
}

function extended(
  { nodes, patient: { name } }: Blocked,
  wanted: string,
  { asked, largest, place }: { readonly asked: number; readonly largest: number; readonly place: string },
): Need {
  const offered = [
    ...new Set(nodes.flatMap((node) => Object.keys((node['status'] as { allocatable?: object }).allocatable ?? {}))),
  ]
  const near = largest === 0 ? nearest(wanted, offered) : undefined
  const isOffered = largest >= asked
  const amount = amountFor(wanted)(asked)
  return {
    code: 'READY-189',
    message:
      largest === 0
        ? `No node has ${wanted}, of which a pod of ${name} asks for ${number(wanted, asked)}.`
        : `No node has the ${amount} ${isOffered ? 'free ' : ''}that a pod of ${name} asks for: the largest has ${number(wanted, largest)}${isOffered ? ' in all' : ''}.`,
    hint: near
      ? `Write ${near} in ${place}.`
      : `Take ${wanted} out of the resources in ${place} (profiles: \`devices\`), or run what makes nodes offer it.`,
  }
}

function mostOf(containers: readonly object[], wanted: string): number {
  const amounts = containers.map((one) => requestOf({ spec: { containers: [one] } } as unknown as KubeObject, wanted))
  return Math.max(0, amounts.indexOf(Math.max(...amounts)))
}

function amountFor(wanted: string): (amount: number) => string {
  return (amount) => {
    const text = number(wanted, amount)
    if (wanted === 'cpu') return text === '1' ? '1 CPU' : `${text} CPUs`
    return isBytes(wanted) ? `${text} of ${wanted}` : `${text} ${wanted}`
  }
}

function number(wanted: string, amount: number): string {
  if (!isBytes(wanted)) return String(Math.round(amount * 1000) / 1000)
  const [unit, size] = (
    [
      ['Gi', 1024 ** 3],
      ['Mi', 1024 ** 2],
      ['Ki', 1024],
    ] as const
  ).find(([, one]) => amount >= one) ?? ['', 1]
  return `${Math.floor((amount / size) * 10) / 10}${unit}`
}

function isBytes(wanted: string): boolean {
  return wanted === 'memory' || wanted === 'ephemeral-storage' || wanted.startsWith('hugepages-')
}

function tooManyPods({ nodes, others, patient: { name } }: Blocked): Need | undefined {
  const [first] = nodes.toSorted((a, b) => allocatableOf(b, 'pods') - allocatableOf(a, 'pods'))
  if (!first) return undefined
  const there = others.filter((other) => isOn(other, first)).length
  return {
    code: 'READY-187',
    message: `No node takes another pod, so none of ${name} is started: ${first.metadata.name} runs ${there} of at most ${allocatableOf(first, 'pods')}.`,
    hint: 'Remove what nobody needs (`kubectl get pods --all-namespaces`, `devkit down` in other projects), or raise maxPods of the kubelet.',
  }
}

function nodeSelector({ pod, nodes, patient: { name, workload, facts } }: Blocked): Need | undefined {
  const wanted = Object.entries(nodeSelectorOf(pod))
  if (nodes.some(({ metadata }) => wanted.every(([key, value]) => metadata.labels?.[key] === value))) return undefined
  const path = podPath(workload, ['nodeSelector'])
  const missing = wanted.find(([key, value]) => nodes.every(({ metadata }) => metadata.labels?.[key] !== value))
  if (nodes.length === 0) return undefined
  const near = missing && nearestLabel(missing, nodes)
  const place = facts.where(name, missing ? [...path, missing[0]] : path)
  const labels = (missing ? [missing] : wanted).map(([key, value]) => `${key}=${value}`)
  return {
    code: 'READY-178',
    message: `No node has the label${missing ? '' : 's'} ${labels.join(' and ')} that nodeSelector of ${name} asks for${near ? `; there is ${near}` : ''}.`,
    hint: `Correct nodeSelector in ${place} (profiles: \`scheduling.nodes\`), or label a node: \`kubectl label node ${nodes[0]?.metadata.name} ${labels.join(' ')}\`.`,
  }
}

/** The label that was most likely meant: the same key with another value, or a key that is written nearly so. */
function nearestLabel([key, value]: readonly [string, string], nodes: readonly KubeObject[]): string | undefined {
  const labels = nodes.flatMap(({ metadata }) => Object.entries(metadata.labels ?? {}))
  const ofKey = labels.filter(([other]) => other === key).map(([, other]) => other)
  if (ofKey.length > 0) return `${key}=${nearest(value, ofKey) ?? ofKey[0]}`
  const near = nearest(key, [...new Set(labels.map(([other]) => other))])
  return near && `${near}=${labels.find(([other]) => other === near)?.[1]}`
}

function nodeAffinity({ pod, nodes, patient: { name, workload, facts } }: Blocked): Need | undefined {
  const terms = nodeTermsOf(pod) ?? []
  const asked = terms.map(({ matchExpressions = [], matchFields = [] }) =>
    [...matchExpressions, ...matchFields].map(requirement).join(' and '),
  )
  const [first] = terms.flatMap(({ matchExpressions = [] }) => matchExpressions)
  if (asked.length === 0 || nodes.length === 0) return undefined
  const near = first?.values?.[0] === undefined ? undefined : nearestLabel([first.key, first.values[0]], nodes)
  const path = podPath(workload, ['affinity', 'nodeAffinity'])
  return {
    code: 'READY-179',
    message: `No node is what the required node affinity of ${name} asks for (${asked.join(', or ')})${near ? `; there is ${near}` : ''}.`,
    hint: `Correct affinity.nodeAffinity in ${facts.where(name, path)} (profiles: \`scheduling.affinity\`), or label a node.`,
  }
}

function requirement({ key, operator, values = [] }: Requirement): string {
  return `${key} ${operator}${values.length > 0 ? ` ${values.join(', ')}` : ''}`
}

function taint(blocked: Blocked, found: Taint): Need {
  const { nodes, patient, pod, others, since } = blocked
  const { name, workload, facts } = patient
  const holders = nodes.filter((node) => misfitsOf(pod, node, others).some((one) => isOf(one, found.key)))
  const [first] = holders.length > 0 ? holders : nodes
  if (/^node\.kubernetes\.io\/(?:not-ready|unreachable|network-unavailable)$/.test(found.key)) return notReady(blocked, first)
  const pressure = /^node\.kubernetes\.io\/(disk|memory|pid)-pressure$/.exec(found.key)?.[1]
  if (pressure) return pressed(blocked, first, pressure)
  const text = `${found.key}${found.value ? `=${found.value}` : ''}${found.effect ? `:${found.effect}` : ''}`
  const node = first?.metadata.name
  // what starts on a node takes such a taint away when it is ready
  const isOfStart = /uninitialized|not-?ready|startup/i.test(found.key)
  return {
    code: 'READY-181',
    message: `No node takes a pod of ${name}: ${node ?? 'each'} has the taint ${text}, which it does not tolerate.`,
    hint: `Add a toleration to ${facts.where(name, podPath(workload, ['tolerations']))}, or take the taint away: \`kubectl taint node ${node ?? 'NODE'} ${found.key}${found.effect ? `:${found.effect}` : ''}-\`.`,
    mends: isOfStart && !facts.hasPassed(since, becomesReadyMs),
  }
}

function isOf(misfit: Misfit, key: string): boolean {
  return misfit.filter === 'taint' && misfit.taint.key === key
}

function notReady({ patient: { name, facts } }: Blocked, node: KubeObject | undefined): Need {
  const ready = node && conditionOf(node, 'Ready')
  const changed = timeOf(ready?.lastTransitionTime)
  const isComing =
    ready?.status === 'True' ||
    !facts.hasPassed(changed, comesBackMs) ||
    (node !== undefined && !facts.hasPassed(bornAt(node), becomesReadyMs))
  const text = ready?.status === 'Unknown' ? 'it does not answer' : (ready?.message ?? 'it says nothing').replace(/\.$/, '')
  return {
    code: 'READY-185',
    message: `No node takes a pod of ${name}: ${node?.metadata.name ?? 'none'} is not ready (${text}).`,
    hint: `Look at \`kubectl describe node ${node?.metadata.name ?? ''}\`; for a node of devkit's, \`devkit stop\` and \`devkit start\` start it anew.`,
    ...(node && { object: `Node/${node.metadata.name}` }),
    mends: isComing,
  }
}

function pressed({ patient: { name, facts } }: Blocked, node: KubeObject | undefined, what: string): Need {
  const condition = node && conditionOf(node, `${what === 'pid' ? 'PID' : what[0]?.toUpperCase() + what.slice(1)}Pressure`)
  const noun = what === 'pid' ? 'process ids' : what
  return {
    code: 'READY-214',
    message: `No node takes a pod of ${name}: ${node?.metadata.name ?? 'each'} is short of ${noun}, and keeps new pods away.`,
    hint:
      what === 'disk'
        ? 'Make room on the disk of the engine: `docker system df` and `docker system prune`; the kubelet takes the taint away 5 minutes later.'
        : `Give the engine more ${noun}, or stop something that takes much of it.`,
    ...(node && { object: `Node/${node.metadata.name}` }),
    ...(condition?.message && { evidence: [condition.message] }),
    mends: condition?.status !== 'True' || !facts.hasPassed(timeOf(condition.lastTransitionTime), relievedMs),
  }
}

function cordoned({ nodes, patient: { name } }: Blocked): Need | undefined {
  const names = nodes
    .filter((node) => (node['spec'] as { unschedulable?: boolean }).unschedulable)
    .map(({ metadata }) => metadata.name)
  if (names.length === 0) return undefined
  return {
    code: 'READY-184',
    message: `No node takes a pod of ${name}: ${names.join(', ')} ${names.length > 1 ? 'are' : 'is'} cordoned.`,
    hint: `Let it take pods again: \`kubectl uncordon ${names.join(' ')}\`.`,
    object: `Node/${names[0]}`,
  }
}

function port(
  { patient: { name, workload, facts } }: Blocked,
  { port: { port: wanted, protocol }, heldBy }: Extract<Misfit, { filter: 'ports' }>,
): Need {
  const index = specIndexOfPort(workload, wanted)
  const holder = makerOf(heldBy, facts.namespace)
  const place = facts.where(name, podPath(workload, ['containers', index, 'ports']))
  return {
    code: 'READY-183',
    message: `No node has port ${wanted}${protocol === 'TCP' ? '' : `/${protocol}`} free for a pod of ${name}: ${holder === name ? 'another pod of it' : holder} holds it.`,
    hint:
      holder === name
        ? `Take hostPort out of ${place}, or run one pod a node and replace it in place: strategy \`Recreate\`, or a DaemonSet.`
        : `Take hostPort out of ${place} or give it another number; a Service and \`ports\` of the config lead to it without one.`,
  }
}

function specIndexOfPort(workload: KubeObject, wanted: number): number {
  const spec = podPath(workload).reduce<unknown>((holder, key) => (holder as Record<string, unknown>)[key], workload)
  const { containers = [] } = spec as { readonly containers?: readonly { readonly ports?: readonly { hostPort?: number }[] }[] }
  return Math.max(
    0,
    containers.findIndex(({ ports = [] }) => ports.some(({ hostPort }) => hostPort === wanted)),
  )
}

interface AffinityTerm {
  readonly labelSelector?: LabelSelector
  readonly topologyKey: string
  readonly namespaces?: readonly string[]
  readonly namespaceSelector?: unknown
}

function termsOf(pod: KubeObject, kind: 'podAffinity' | 'podAntiAffinity'): readonly AffinityTerm[] {
  const affinity = (specOf(pod)['affinity'] ?? {}) as Readonly<
    Record<string, { readonly requiredDuringSchedulingIgnoredDuringExecution?: readonly AffinityTerm[] } | undefined>
  >
  return affinity[kind]?.requiredDuringSchedulingIgnoredDuringExecution ?? []
}

/** Whether a term of `holder` means a pod. */
function means({ labelSelector, namespaces, namespaceSelector }: AffinityTerm, holder: KubeObject, pod: KubeObject): boolean {
  const here = namespaces ?? [holder.metadata.namespace ?? '']
  const isThere = namespaceSelector !== undefined || here.includes(pod.metadata.namespace ?? '')
  return isThere && labelSelector !== undefined && meetsSelector(labelSelector, pod)
}

function selectorText({ labelSelector = {} }: AffinityTerm): string {
  const labels = Object.entries(labelSelector.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`)
  return [...labels, ...(labelSelector.matchExpressions ?? []).map(requirement)].join(' and ')
}

function podAffinity({ pod, others, nodes, patient: { name, workload, facts } }: Blocked): Need | undefined {
  const terms = termsOf(pod, 'podAffinity')
  const isRunning = (other: KubeObject): boolean =>
    specOf(other)['nodeName'] !== undefined && statusOf(other).phase !== 'Succeeded'
  const unmet = terms.find((term) => !others.some((other) => isRunning(other) && means(term, pod, other))) ?? terms[0]
  if (!unmet) return undefined
  const there = others.filter((other) => means(unmet, pod, other))
  const lacksKey = nodes.length > 0 && nodes.every(({ metadata }) => metadata.labels?.[unmet.topologyKey] === undefined)
  const path = podPath(workload, ['affinity', 'podAffinity'])
  return {
    code: 'READY-180',
    message: lacksKey
      ? `No node has the label ${unmet.topologyKey} by which podAffinity of ${name} tells nodes apart.`
      : `No node runs a pod with ${selectorText(unmet)}, next to which podAffinity of ${name} asks to be.`,
    hint: `Correct affinity.podAffinity in ${facts.where(name, path)} (profiles: \`scheduling.affinity\`), or start what it names.`,
    mends: !lacksKey && (there.some((other) => !isRunning(other)) || facts.isAnythingOnItsWay(workload)),
  }
}

function podAntiAffinity({ pod, others, patient: { name, workload, facts } }: Blocked): Need | undefined {
  const terms = termsOf(pod, 'podAntiAffinity')
  const held = terms.flatMap((term) => {
    const by = others.find((other) => specOf(other)['nodeName'] !== undefined && means(term, pod, other))
    return by ? [{ term, by: makerOf(by, facts.namespace) }] : []
  })[0]
  if (!held) return undefined
  const path = podPath(workload, ['affinity', 'podAntiAffinity'])
  const isOwn = held.by === name
  return {
    code: 'READY-180',
    message: isOwn
      ? `Every node already runs a pod of ${name}, next to which its podAntiAffinity lets no other be (${selectorText(held.term)}).`
      : `Every node runs a pod of ${held.by}, next to which podAntiAffinity of ${name} forbids to be (${selectorText(held.term)}).`,
    hint: `Make podAntiAffinity in ${facts.where(name, path)} a preferred one (profiles: \`scheduling.affinity\`)${isOwn ? ', or run as many replicas as there are nodes' : ''}.`,
  }
}

function othersAntiAffinity({ pod, others, patient: { name, facts } }: Blocked): Need | undefined {
  const by = others.find(
    (other) =>
      specOf(other)['nodeName'] !== undefined && termsOf(other, 'podAntiAffinity').some((term) => means(term, other, pod)),
  )
  if (!by) return undefined
  const maker = makerOf(by, facts.namespace)
  const term = termsOf(by, 'podAntiAffinity').find((one) => means(one, by, pod))
  return {
    code: 'READY-180',
    message: `Every node runs a pod of ${maker}, whose podAntiAffinity lets no pod of ${name} be next to it (${term ? selectorText(term) : ''}).`,
    hint: `Make podAntiAffinity in ${facts.where(maker)} a preferred one (profiles: \`scheduling.affinity\`), or change the labels of ${name}.`,
  }
}

function topologySpread({ pod, nodes, patient: { name, workload, facts } }: Blocked): Need | undefined {
  const constraints = (specOf(pod)['topologySpreadConstraints'] ?? []) as readonly {
    readonly topologyKey: string
    readonly maxSkew: number
    readonly minDomains?: number
    readonly whenUnsatisfiable?: string
  }[]
  const strict = constraints.filter(({ whenUnsatisfiable = 'DoNotSchedule' }) => whenUnsatisfiable === 'DoNotSchedule')
  const domains = (key: string): number => new Set(nodes.flatMap(({ metadata }) => metadata.labels?.[key] ?? [])).size
  const found =
    strict.find(({ topologyKey }) => nodes.length > 0 && domains(topologyKey) === 0) ??
    strict.find(({ topologyKey, minDomains = 0 }) => domains(topologyKey) < minDomains) ??
    strict[0]
  if (!found) return undefined
  const { topologyKey, maxSkew, minDomains } = found
  const count = domains(topologyKey)
  const why =
    nodes.length > 0 && count === 0
      ? `no node has the label ${topologyKey}`
      : minDomains !== undefined && count < minDomains
        ? `minDomains asks for ${minDomains} values of ${topologyKey}, there ${count === 1 ? 'is' : 'are'} ${count}`
        : `one more would make a difference of more than ${maxSkew} (maxSkew) between values of ${topologyKey}`
  return {
    code: 'READY-182',
    message: `No node takes a pod of ${name} by its topologySpreadConstraints: ${why}.`,
    hint: `Correct topologySpreadConstraints in ${facts.where(name, podPath(workload, ['topologySpreadConstraints']))}, or let them be kept if possible: \`whenUnsatisfiable: ScheduleAnyway\` (profiles: \`scheduling.topologySpread\`).`,
  }
}

function volumeAffinity(blocked: Blocked): Need | undefined {
  const { pod, nodes, others, patient } = blocked
  const { name, facts } = patient
  const volumes = (specOf(pod)['volumes'] ?? []) as readonly { readonly persistentVolumeClaim?: { readonly claimName: string } }[]
  const claims = facts.known('v1', 'PersistentVolumeClaim')
  const known = facts.known('v1', 'PersistentVolume', 'cluster')
  if (!claims || !known) return undefined
  const bound = volumes.flatMap(({ persistentVolumeClaim }) => {
    const claim = claims.find(({ metadata }) => metadata.name === persistentVolumeClaim?.claimName)
    const volume = known.find(({ metadata }) => metadata.name === (claim?.['spec'] as { volumeName?: string })?.volumeName)
    const { nodeAffinity } = (volume?.['spec'] ?? {}) as {
      readonly nodeAffinity?: { readonly required?: { readonly nodeSelectorTerms?: Parameters<typeof fitsTerms>[0] } }
    }
    const terms = nodeAffinity?.required?.nodeSelectorTerms
    return claim && volume && terms ? [{ claim, volume, terms }] : []
  })
  const taking = nodes.filter((node) => misfitsOf(pod, node, others).length === 0)
  const found = bound.find(({ terms }) => !taking.some((node) => fitsTerms(terms, node)))
  if (!found) return undefined
  const { claim, volume, terms } = found
  const asked = terms.map(({ matchExpressions = [] }) => matchExpressions.map(requirement).join(' and ')).join(', or ')
  const isThere = nodes.some((node) => fitsTerms(terms, node))
  return {
    code: 'READY-186',
    message: `No node reaches the volume of ${name}: that of claim ${claim.metadata.name} (${volume.metadata.name}) is only on nodes with ${asked}, ${isThere ? 'which do not take its pod' : 'and there is none'}.`,
    hint: isThere
      ? `Look at what keeps pods from that node: \`kubectl describe nodes\`.`
      : `Bring that node back, or delete the claim with its data and let it be made anew: \`kubectl delete pvc ${claim.metadata.name} -n ${facts.namespace}\`.`,
    object: `PersistentVolumeClaim/${claim.metadata.name}`,
  }
}
