import { servicesIn } from '../../lib/hosts.ts'
import { type Container, type KubeObject, podSpecOf } from '../../lib/objects.ts'
import type { Patient } from './facts.ts'
import { type ContainerStatus, containersOf, lastEnd, specOfContainer, timeOf } from './pod.ts'

/** So many ends in a row, and time is no longer believed to mend it. */
const endsInRow = 3

/** Variables whose value is a host though it is only a word. */
const namesHosts = /(?:^|[_.-])(?:HOST|HOSTNAME|SERVER|ADDR|ADDRESS|ENDPOINT)$/i

/** Most programs are ready by then, and nobody needs to read what they write, in ms. */
const startsForMs = 2000

/** A container that does not do what it is to do, and what it wrote last. */
export interface Trouble {
  readonly pod: KubeObject
  readonly container: ContainerStatus
  readonly lines: readonly string[]
  /** Whether its last instance has ended. */
  readonly hasEnded: boolean
  /** Whether it ended so often that it is not believed to mend itself. */
  readonly isAgainAndAgain: boolean
  /** In ms since the epoch. */
  readonly since: number
}

/** Containers that ended with an error, and those that run and are not ready, as far as their last lines are known. */
export function troublesOf({ pods, facts }: Patient): readonly Trouble[] {
  return pods.flatMap((pod) =>
    containersOf(pod).flatMap((container): readonly Trouble[] => {
      const { isInit } = specOfContainer(pod, container.name)
      const end = lastEnd(container)
      const ref = { pod, container: container.name }
      if (end && !container.state?.running) {
        if (isInit && end.exitCode === 0) return []
        const ends = facts.ends(ref)
        // those of its last end may still be on their way, or could not be read
        const known = ends.filter(({ exitCode }) => exitCode === end.exitCode).flatMap(({ tail }) => (tail ? [tail] : []))
        const lines = known.find((tail) => tail.length > 0) ?? known[0]
        const isAgainAndAgain = Math.max(ends.length, container.restartCount + 1) >= endsInRow
        const since = timeOf(ends.at(-1)?.finishedAt ?? end.finishedAt)
        return lines ? [{ pod, container, lines, hasEnded: true, isAgainAndAgain, since }] : []
      }
      const startedAt = timeOf(container.state?.running?.startedAt)
      if (startedAt === 0 || (container.ready && !isInit) || !facts.hasPassed(startedAt, startsForMs)) return []
      const lines = facts.tail(ref)
      return lines ? [{ pod, container, lines, hasEnded: false, isAgainAndAgain: false, since: startedAt }] : []
    }),
  )
}

/** A Service that a workload's values name, and where: an object and a path in it. */
export interface Asked {
  readonly service: string
  readonly object: string
  readonly path: readonly (string | number)[]
  /** Whether it is written as an address, and not a word that may be the name of anything. */
  readonly isAddress: boolean
}

/** Services of the namespace that the variables, commands and arguments of a workload name, those of its ConfigMaps too. */
export function askedBy({ workload, name, facts }: Patient): readonly Asked[] {
  const spec = podSpecOf(workload)
  const way = workload.kind === 'Pod' ? ['spec'] : ['spec', 'template', 'spec']
  const maps = new Map(
    spec && usesMaps([...spec.containers, ...(spec.initContainers ?? [])])
      ? (facts.known('v1', 'ConfigMap') ?? []).map((map) => [map.metadata.name, map] as const)
      : [],
  )
  const of = (value: unknown, object: string, path: Asked['path'], variable = ''): readonly Asked[] => {
    if (typeof value !== 'string') return []
    if (/^[a-z][a-z0-9-]*$/.test(value)) return [{ service: value, object, path, isAddress: namesHosts.test(variable) }]
    return servicesIn(value, facts.namespace)
      .filter(({ namespace = facts.namespace }) => namespace === facts.namespace)
      .map(({ service }) => ({ service, object, path, isAddress: true }))
  }
  const ofMap = (map: string | undefined, key?: string): readonly Asked[] =>
    Object.entries((maps.get(map ?? '')?.['data'] ?? {}) as Readonly<Record<string, string>>)
      .filter(([one]) => key === undefined || one === key)
      .flatMap(([one, value]) => of(value, `ConfigMap/${map}`, ['data', one], one))
  return (['containers', 'initContainers'] as const).flatMap((list) =>
    (spec?.[list] ?? []).flatMap((container, index) => {
      const path = [...way, list, index]
      const words = (['command', 'args'] as const).flatMap((field) =>
        ((container[field] ?? []) as readonly string[]).flatMap((word, at) => of(word, name, [...path, field, at])),
      )
      const variables = envOf(container).flatMap(({ name: variable, value, valueFrom }, at) => [
        ...of(value, name, [...path, 'env', at], variable),
        ...(valueFrom?.configMapKeyRef ? ofMap(valueFrom.configMapKeyRef.name, valueFrom.configMapKeyRef.key) : []),
      ])
      return [
        ...variables,
        ...envFromOf(container).flatMap(({ configMapRef }) => (configMapRef ? ofMap(configMapRef.name) : [])),
        ...words,
      ]
    }),
  )
}

function usesMaps(containers: readonly Container[]): boolean {
  return containers.some(
    (one) =>
      envOf(one).some(({ valueFrom }) => valueFrom?.configMapKeyRef) || envFromOf(one).some(({ configMapRef }) => configMapRef),
  )
}

interface Variable {
  readonly name?: string
  readonly value?: string
  readonly valueFrom?: { readonly configMapKeyRef?: { readonly name?: string; readonly key?: string } }
}

function envOf(container: Container): readonly Variable[] {
  return (container['env'] ?? []) as readonly Variable[]
}

function envFromOf(container: Container): readonly { readonly configMapRef?: { readonly name?: string } }[] {
  return (container['envFrom'] ?? []) as readonly { readonly configMapRef?: { readonly name?: string } }[]
}
