import { nearest } from '../../lib/nearest.ts'
import { type Container, type KubeObject, nameOf, podSpecOf } from '../../lib/objects.ts'
import { servicesOf } from '../endpoints.ts'
import { type Asked, askedBy, type Trouble, troublesOf } from './asked.ts'
import type { Facts, Rule } from './facts.ts'
import { bornAt, conditionOf, specOf, timeOf } from './pod.ts'
import { portOf as portOfProbe, probeOf } from './probe.ts'
import { unresolved } from './text/dns.ts'
import type { Verdict } from './verdict.ts'

/** What is not in the manifests may be made by a controller a moment later, in ms. */
const missingAfterMs = 5000
/** A program that runs and tries again: so long it may be about to get what it asks for, in ms. */
const triesForMs = 30_000
/** A program that only just counts as ready may not listen yet, in ms. */
const listensAfterMs = 5000
/** So many pods of a Service are asked at which ports they listen. */
const mostAsked = 3

interface ServicePort {
  readonly name?: string
  readonly port: number
  readonly protocol?: string
  readonly targetPort?: string | number
}

interface ServiceSpec {
  readonly type?: string
  readonly selector?: Readonly<Record<string, string>>
  readonly clusterIP?: string
  readonly ports?: readonly ServicePort[]
}

/** A program says that it can't resolve a name, and it is one of a Service that is not there. */
const noSuchName: Rule = (patient) => {
  const { facts, name } = patient
  for (const trouble of troublesOf(patient)) {
    const { hosts, isUnnamed } = unresolved(trouble.lines)
    if (hosts.length === 0 && !isUnnamed) continue
    const services = facts.known('v1', 'Service')
    if (!services) return undefined
    const asked = askedBy(patient)
    const names = services.map(({ metadata }) => metadata.name)
    const wanted = hosts.length > 0 ? hosts.flatMap((host) => serviceOf(host, facts) ?? []) : likely(asked)
    const missing = wanted.find((service) => !names.includes(service))
    if (missing === undefined) continue
    const written = asked.find(({ service }) => service === missing)
    const where = facts.where(written?.object ?? name, written?.path)
    const better = nearest(missing, names)
    // of several names that it may have meant, another may be the one
    const isOver = !isUnnamed && facts.hasPassed(trouble.since, missingAfterMs) && !facts.isAnythingOnItsWay(patient.workload)
    return {
      code: 'READY-157',
      severity: isOver ? 'failure' : 'warning',
      message: `The container ${trouble.container.name} of ${name} asks for the host ${missing}, and there is no Service of that name.`,
      hint: better
        ? `Write ${better} in the place of ${missing} in ${where}.`
        : `Add the Service ${missing} to the manifests, or correct ${where}.`,
      lines: linesOf(trouble),
      since: trouble.since,
    }
  }
  return undefined
}

/** The Service that a host of the namespace means; undefined for what is not of the cluster, or of another namespace. */
function serviceOf(host: string, { namespace }: Facts): string | undefined {
  const [service, second = namespace, third = 'svc', ...rest] = host.split('.')
  const isHere = second === namespace && third === 'svc' && (rest.length === 0 || rest.join('.') === 'cluster.local')
  return isHere && service !== 'localhost' && !/^\d+$/.test(service ?? '') ? service : undefined
}

/** Words of values may be anything: only what is written as an address is taken for a host. */
function likely(asked: readonly Asked[]): readonly string[] {
  return asked.filter(({ isAddress }) => isAddress).map(({ service }) => service)
}

/** A program says that it does not get through to a Service that leads nowhere. */
const leadsNowhere: Rule = (patient) => {
  const { facts, workload } = patient
  const troubles = troublesOf(patient).filter(({ lines }) => lines.length > 0)
  if (troubles.length === 0) return undefined
  const services = facts.known('v1', 'Service') ?? []
  const asked = new Set(askedBy(patient).map(({ service }) => service))
  for (const trouble of troubles)
    for (const service of services) {
      if (!asked.has(service.metadata.name) || servicesOf(workload, [service]).length > 0) continue
      const said = trouble.lines.filter((line) => noWay.test(line) && isNamedIn(line, service))
      const wrong = said.length > 0 ? wrongWith(service, said, facts) : undefined
      if (!wrong) continue
      const { mayMend, ...told } = wrong
      const isLong = trouble.hasEnded ? trouble.isAgainAndAgain : facts.hasPassed(trouble.since, triesForMs)
      const isOver = !mayMend && isLong && !facts.isAnythingOnItsWay(workload)
      return { ...told, severity: isOver ? 'failure' : 'warning', lines: linesOf(trouble), since: trouble.since }
    }
  return undefined
}

/** How programs say that they do not get through. */
const noWay = /refus|time[sd]?[ -]?out|unreach|reset|connect|no route|unavailable|deadline/i

function isNamedIn(line: string, service: KubeObject): boolean {
  const { clusterIP = '' } = service['spec'] as ServiceSpec
  const words = [service.metadata.name, ...(/^[\d.:a-f]+$/.test(clusterIP) ? [clusterIP] : [])]
  const parts = line.split(/[^\w.-]+/)
  return words.some((word) => parts.some((part) => part === word || part.startsWith(`${word}.`)))
}

function linesOf({ pod, container, hasEnded }: Trouble): NonNullable<Verdict['lines']> {
  return { pod: pod.metadata.name, container: container.name, previous: hasEnded }
}

/** `mayMend`: what is behind it may still be starting. */
type Wrong = Pick<Verdict, 'code' | 'message' | 'hint' | 'object' | 'evidence'> & { readonly mayMend?: boolean }

/** Why nothing gets through a Service though what is behind it is ready. `said`: lines about it. */
function wrongWith(service: KubeObject, said: readonly string[], facts: Facts): Wrong | undefined {
  const workloads = workloadsIn(facts)
  if (!workloads || !leads(service)) return undefined
  const behind = workloads.filter((workload) => servicesOf(workload, [service]).length > 0)
  if (behind.length === 0) return selectsNothing(service, workloads, facts)
  const { ports = [] } = service['spec'] as ServiceSpec
  const named = ports.filter(({ port }) => said.some((line) => line.split(/\D+/).includes(String(port))))
  return wrongPort(service, { behind, ports: named.length > 0 || ports.length > 1 ? named : ports }, facts)
}

function leads(service: KubeObject): boolean {
  const { type, selector = {} } = service['spec'] as ServiceSpec
  return type !== 'ExternalName' && Object.keys(selector).length > 0
}

const makers = [
  ['apps/v1', 'Deployment'],
  ['apps/v1', 'StatefulSet'],
  ['apps/v1', 'DaemonSet'],
  ['apps/v1', 'ReplicaSet'],
  ['batch/v1', 'Job'],
  ['v1', 'Pod'],
] as const

/** Whatever makes pods; undefined while not all are known. */
function workloadsIn(facts: Facts): readonly KubeObject[] | undefined {
  const lists = makers.map(([apiVersion, kind]) => facts.known(apiVersion, kind))
  return lists.some((list) => list === undefined) ? undefined : lists.flatMap((list) => list ?? [])
}

function selectsNothing(service: KubeObject, workloads: readonly KubeObject[], facts: Facts): Wrong | undefined {
  // what it leads to may wait for what is to be ready first
  if (facts.manifests.some((one) => servicesOf(one, [service]).length > 0)) return undefined
  const { selector = {} } = service['spec'] as ServiceSpec
  const meant = meantBy(service, workloads)
  const name = nameOf(service)
  const where = facts.where(name, ['spec', 'selector'])
  const differing = meant ? Object.keys(selector).filter((key) => labelsOf(meant)[key] !== selector[key]) : []
  const theirs = meant
    ? Object.fromEntries(
        differing.flatMap((key) => (labelsOf(meant)[key] === undefined ? [] : [[key, labelsOf(meant)[key] ?? '']])),
      )
    : {}
  return {
    code: 'READY-158',
    message: meant
      ? `${name} selects no pod: it asks for ${shown(selector)}, the pods of ${nameOf(meant)} have ${shown(Object.keys(theirs).length > 0 ? theirs : labelsOf(meant))}.`
      : `${name} selects no pod: nothing has pods with ${shown(selector)}.`,
    hint:
      Object.keys(theirs).length > 0
        ? `Write ${written(theirs)} into the selector of ${where}, or label the pods as it asks.`
        : `Correct the selector of ${where}, or label the pods as it asks.`,
    object: name,
  }
}

/** The workload that a Service which selects nothing was most likely written for. */
function meantBy(service: KubeObject, workloads: readonly KubeObject[]): KubeObject | undefined {
  const { selector = {} } = service['spec'] as ServiceSpec
  const own = workloads.filter(({ kind, metadata }) => !['Job', 'CronJob'].includes(kind) && !metadata.ownerReferences?.length)
  const { name } = service.metadata
  const byName = own.find(({ metadata }) => metadata.name === name)
  if (byName) return byName
  const texts = new Map(own.map((workload) => [shown(pick(labelsOf(workload), Object.keys(selector))), workload]))
  const near = nearest(
    shown(selector),
    [...texts.keys()].filter((text) => text !== 'none'),
  )
  return near === undefined ? undefined : texts.get(near)
}

interface Led {
  readonly behind: readonly KubeObject[]
  /** Those of the Service's that are looked at. */
  readonly ports: readonly ServicePort[]
}

function wrongPort(service: KubeObject, { behind, ports }: Led, facts: Facts): Wrong | undefined {
  const containers = behind.flatMap((workload) => {
    const spec = podSpecOf(workload)
    return [...(spec?.containers ?? []), ...(spec?.initContainers ?? []).filter((one) => one['restartPolicy'] === 'Always')]
  })
  const name = nameOf(service)
  const who = nameOf(behind.find(({ metadata }) => !metadata.ownerReferences?.length) ?? behind[0] ?? service)
  const all = (service['spec'] as ServiceSpec).ports ?? []
  for (const port of ports) {
    const index = all.indexOf(port)
    const target = port.targetPort ?? port.port
    const where = facts.where(name, ['spec', 'ports', index, 'targetPort'])
    const declared = containers.flatMap((container) => container.ports ?? [])
    if (typeof target === 'string') {
      const known = declared.flatMap((one) => one.name ?? [])
      if (known.includes(target)) continue
      const better = nearest(target, known) ?? (known.length === 1 ? known[0] : undefined)
      return {
        code: 'READY-160',
        message: `${name} leads to the port ${target} of its pods, and no container of ${who} has a port of that name.`,
        hint: better
          ? `Write ${better} into targetPort of ${where}, or name the port of the container ${target}.`
          : `Name the port of the container ${target}, or write its number into targetPort of ${where}.`,
        object: name,
      }
    }
    if ((port.protocol ?? 'TCP') !== 'TCP') continue
    const closed = nobodyListens(service, target, containers, facts)
    if (!closed) continue
    const said = [...new Set(declared.map(({ containerPort }) => containerPort))].filter((one) => one !== target)
    return {
      code: 'READY-159',
      message: `${name} leads to port ${target} of the pods of ${who}, where nothing listens${said.length > 0 ? `; they have ${said.join(', ')}` : ''}.`,
      hint:
        said.length > 0
          ? `Write ${said[0]} into targetPort of ${where}, or let the program listen on ${target}.`
          : `Correct targetPort of ${where}, or let the program listen on ${target}.`,
      object: name,
      ...closed,
    }
  }
  return undefined
}

/** What says that nothing listens at a port of pods that are all ready: a probe that passes there, else the pods themselves are asked. */
function nobodyListens(
  service: KubeObject,
  port: number,
  containers: readonly Container[],
  facts: Facts,
): Pick<Wrong, 'evidence' | 'mayMend'> | undefined {
  const probes = containers.flatMap((container) => {
    const of = probeOf(container, 'readiness')
    return of ? [{ of, container }] : []
  })
  if (probes.some(({ of, container }) => of.asked !== 'exec' && portOfProbe(of, container) === port)) return undefined
  const { selector = {} } = service['spec'] as ServiceSpec
  const pods = (facts.known('v1', 'Pod') ?? []).filter(
    ({ metadata: { labels, deletionTimestamp } }) =>
      deletionTimestamp === undefined && Object.entries(selector).every(([key, value]) => labels?.[key] === value),
  )
  const isClosed = (pod: KubeObject): boolean => {
    const ready = conditionOf(pod, 'Ready')
    if (ready?.status !== 'True' || !facts.hasPassed(timeOf(ready.lastTransitionTime), listensAfterMs)) return false
    return specOf(pod)['hostNetwork'] !== true && facts.openPorts(pod, [port])?.includes(port) === false
  }
  if (pods.length === 0 || !pods.slice(0, mostAsked).every(isClosed)) return undefined
  // without a probe a pod counts as ready as soon as its program runs
  return { evidence: [`nobody takes a connection to 127.0.0.1:${port} in a pod of it`], mayMend: probes.length === 0 }
}

/** A Service that was written for a workload, or leads to it, and gets nobody through. It does not keep the workload from being ready. */
const ledTo: Rule = (patient) => {
  const { workload, facts } = patient
  if (['Job', 'CronJob'].includes(workload.kind)) return undefined
  const services = facts.known('v1', 'Service') ?? []
  const workloads = workloadsIn(facts)
  if (!workloads) return undefined
  for (const service of services.filter(leads)) {
    const isBehind = servicesOf(workload, [service]).length > 0
    const isMeant =
      !isBehind &&
      workloads.every((one) => servicesOf(one, [service]).length === 0) &&
      meantBy(service, workloads)?.metadata.uid === workload.metadata.uid
    if (!isBehind && !isMeant) continue
    const behind = workloads.filter((one) => servicesOf(one, [service]).length > 0)
    const { ports = [] } = service['spec'] as ServiceSpec
    const wrong = isMeant ? selectsNothing(service, workloads, facts) : wrongPort(service, { behind, ports }, facts)
    if (!wrong) continue
    const { mayMend: _, ...told } = wrong
    return { ...told, severity: 'warning', since: Math.max(bornAt(service), bornAt(workload)) }
  }
  return undefined
}

function labelsOf(workload: KubeObject): Readonly<Record<string, string>> {
  if (workload.kind === 'Pod') return workload.metadata.labels ?? {}
  const { template } = workload['spec'] as { readonly template?: { readonly metadata?: KubeObject['metadata'] } }
  return template?.metadata?.labels ?? {}
}

function pick(labels: Readonly<Record<string, string>>, keys: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(keys.flatMap((key) => (labels[key] === undefined ? [] : [[key, labels[key] ?? '']])))
}

function shown(labels: Readonly<Record<string, string>>): string {
  return (
    Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(', ') || 'none'
  )
}

function written(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}: ${value}`)
    .join(', ')
}

/** What a program itself says that it does not get through to: that is why it ends, or is not ready. */
export const names: readonly Rule[] = [noSuchName, leadsNowhere]

/** Why Services do not lead to a workload that runs. */
export const services: readonly Rule[] = [ledTo]
