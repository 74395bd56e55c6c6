import type { Config } from '../config/schema.ts'
import { inDependencyOrder } from '../lib/graph.ts'
import { servicesIn } from '../lib/hosts.ts'
import { repositoryOf } from '../lib/image.ts'
import { type Container, isWorkload, type Manifest, nameOf, placeOf, podSpecOf } from '../lib/objects.ts'
import { isRecord } from '../lib/record.ts'
import type { Plan, ServicePlan } from './plan.ts'

/** A value of the plan that the manifests say. */
export interface Inferred {
  /** As in the config: `services.web.image`. */
  readonly path: readonly string[]
  /** Where it was found: `k8s/web.yaml:12`. */
  readonly from: string
}

/** What inference goes by. */
export interface Findings {
  /** What the config says holds. */
  readonly config: Pick<Config, 'services'>
  readonly manifests: readonly Manifest[]
  /** The workload and the container of each service of the config. */
  readonly targets: ReadonlyMap<string, { readonly workload: string; readonly container: string }>
  /** Whether a workload is applied at all. */
  readonly isApplied: (workload: string) => boolean
}

/** Kinds that run as long as the environment, and those that come to an end before others begin. */
const serviceKinds = ['Deployment', 'StatefulSet', 'DaemonSet', 'Job']

/** What manifests are looked up by. */
interface Index {
  readonly byName: ReadonlyMap<string, Manifest>
  /** Services by the first label of their selector, `name=value`. */
  readonly bySelector: ReadonlyMap<string, readonly Manifest[]>
  /** Data of ConfigMaps, by their names. */
  readonly data: ReadonlyMap<string, Readonly<Record<string, unknown>>>
  /** What Ingresses lead to: `service/port`. */
  readonly entered: ReadonlySet<string>
}

function indexOf(manifests: readonly Manifest[]): Index {
  const ofKind = (wanted: string): readonly Manifest[] => manifests.filter(({ object: { kind } }) => kind === wanted)
  return {
    // the first of a name, as everywhere
    byName: new Map(manifests.toReversed().map((manifest) => [nameOf(manifest.object), manifest])),
    bySelector: Map.groupBy(
      ofKind('Service'),
      ({ object }) => Object.entries(recordAt(object, 'spec', 'selector'))[0]?.join('=') ?? '',
    ),
    data: new Map(ofKind('ConfigMap').map(({ object }) => [object.metadata.name, recordAt(object, 'data')])),
    entered: new Set(ofKind('Ingress').flatMap(({ object }) => backendsIn(object['spec']))),
  }
}

/** A service with its workload. */
interface Found {
  readonly service: ServicePlan
  readonly manifest: Manifest
  readonly container: string | undefined
}

/**
 * Fills in what the config leaves to the manifests: a service for every workload that it names none for, and of every service its workload, its
 * image, the ports that speak HTTP and the services that its variables name. Never a loop.
 */
export function infer(plan: Plan, findings: Findings): { readonly plan: Plan; readonly inferred: readonly Inferred[] } {
  const { config, manifests } = findings
  const index = indexOf(manifests)
  const inferred: Inferred[] = []
  const note = (service: string, name: string, manifest: Manifest): void => {
    inferred.push({ path: ['services', service, name], from: placeOf(manifest.origin) })
  }
  const found = [...ofConfig(plan, findings, index), ...ofManifests(plan, findings)]
  const filled = found.map(({ service, manifest, container }): Found => {
    const { name } = service
    const said = config.services[name]
    const image = service.image ?? imageOf(manifest, container)
    const ports = said?.ports ? [] : httpPorts(manifest, index)
    if (service.workload === undefined || !said) note(name, 'workload', manifest)
    if (service.image === undefined && image !== undefined) note(name, 'image', manifest)
    const [first] = ports
    if (first) note(name, 'ports', first.manifest)
    const filled = {
      ...service,
      workload: nameOf(manifest.object),
      image,
      ports: said?.ports ?? ports.map(({ port }) => ({ port, host: undefined, inferred: true as const })),
    }
    return { service: filled, manifest, container }
  })
  const dependencies = dependenciesOf(plan, filled, config, index)
  const services = filled.map(({ service, manifest }) => {
    const dependsOn = dependencies.get(service.name) ?? []
    if (dependsOn.length > service.dependsOn.length) note(service.name, 'dependsOn', manifest)
    return { ...service, dependsOn }
  })
  return { plan: { ...plan, services: inDependencyOrder(services) }, inferred }
}

function ofConfig({ services }: Plan, { targets }: Findings, { byName }: Index): readonly Found[] {
  return services.flatMap((service) => {
    const target = targets.get(service.name)
    const manifest = byName.get(target?.workload ?? '')
    return manifest ? [{ service, manifest, container: target?.container }] : []
  })
}

/** Workloads that no service of the config is about. */
function ofManifests({ services }: Plan, { manifests, targets, isApplied }: Findings): readonly Found[] {
  const claimed = new Set([...targets.values()].map(({ workload }) => workload))
  const taken = new Set(services.map(({ name }) => name))
  const others = manifests.filter(({ object }) => {
    const workload = nameOf(object)
    return isWorkload(object) && serviceKinds.includes(object.kind) && !claimed.has(workload) && isApplied(workload)
  })
  return others.flatMap((manifest) => {
    const { kind, metadata } = manifest.object
    const plain = metadata.name.replaceAll('.', '-')
    const name = [plain, `${plain}-${kind.toLowerCase()}`].find((candidate) => !taken.has(candidate))
    if (name === undefined) return []
    taken.add(name)
    const service = { name, image: undefined, workload: undefined, build: undefined, sync: [], ports: [], dependsOn: [] }
    return [{ service, manifest, container: podSpecOf(manifest.object)?.containers[0]?.name }]
  })
}

function imageOf({ object }: Manifest, container: string | undefined): string | undefined {
  const image = podSpecOf(object)?.containers.find(({ name }) => name === container)?.image
  return image === undefined ? undefined : repositoryOf(image)
}

interface HttpPort {
  readonly port: string | number
  /** The Service that has it. */
  readonly manifest: Manifest
}

/** Ports of a workload's Services that browsers can open, as far as the manifests tell: by their name, protocol or number, or since an Ingress leads there. */
function httpPorts(workload: Manifest, index: Index): readonly HttpPort[] {
  return servicesOf(workload, index).flatMap((manifest) =>
    listAt(manifest.object, 'spec', 'ports').flatMap((spec): HttpPort[] => {
      const [name, number, protocol] = [at(spec, 'name'), at(spec, 'port'), at(spec, 'appProtocol')]
      const isHttp =
        /^(http|https|web)(-|$)/.test(String(name ?? '')) ||
        /^https?$/i.test(String(protocol ?? '')) ||
        number === 80 ||
        [name, number].some((port) => index.entered.has(`${manifest.object.metadata.name}/${port}`))
      const port = typeof name === 'string' ? name : number
      return isHttp && (typeof port === 'string' || typeof port === 'number') ? [{ port, manifest }] : []
    }),
  )
}

/** What an Ingress leads to. */
function backendsIn(spec: unknown): readonly string[] {
  const paths = listAt(spec, 'rules').flatMap((rule) => listAt(rule, 'http', 'paths'))
  return [at(spec, 'defaultBackend'), ...paths.map((path) => at(path, 'backend'))].map((backend) => {
    const port = at(backend, 'service', 'port')
    return `${at(backend, 'service', 'name')}/${at(port, 'name') ?? at(port, 'number')}`
  })
}

/** The Services whose selector takes the pods of a workload. */
function servicesOf({ object }: Manifest, { bySelector }: Index): readonly Manifest[] {
  const labels = recordAt(object, 'spec', 'template', 'metadata', 'labels')
  const near = Object.entries(labels).flatMap((label) => bySelector.get(label.join('=')) ?? [])
  return near.filter((service) =>
    Object.entries(recordAt(service.object, 'spec', 'selector')).every(([key, value]) => labels[key] === value),
  )
}

/** Service → what it depends on: as the config says, else the services that its containers' values name. */
function dependenciesOf(
  { namespace }: Plan,
  found: readonly Found[],
  config: Findings['config'],
  index: Index,
): ReadonlyMap<string, readonly string[]> {
  const edges = new Map(found.map(({ service }) => [service.name, [...service.dependsOn]]))
  const behind = new Map(
    found.flatMap(({ service, manifest }) =>
      servicesOf(manifest, index).map(({ object }) => [object.metadata.name, service.name] as const),
    ),
  )
  const reaches = (from: string, to: string, seen = new Set<string>()): boolean =>
    from === to || (!seen.has(from) && (edges.get(from) ?? []).some((next) => reaches(next, to, seen.add(from))))
  for (const { service, manifest } of found) {
    if (config.services[service.name]?.dependsOn) continue
    for (const host of hostsNamedBy(manifest, index, namespace)) {
      const needed = behind.get(host)
      const own = edges.get(service.name)
      if (needed !== undefined && !own?.includes(needed) && !reaches(needed, service.name)) own?.push(needed)
    }
  }
  return edges
}

/** Hosts that the values of a workload's containers name: in URLs, as `host:port`, as `host.namespace.svc`, or alone in a variable for one. */
function hostsNamedBy({ object }: Manifest, index: Index, namespace: string): readonly string[] {
  const pod = podSpecOf(object)
  const values = [...(pod?.containers ?? []), ...(pod?.initContainers ?? [])].flatMap((container) => valuesOf(container, index))
  return values.flatMap(([name, value]) => {
    const alone = hostVariable.test(name) && /^[a-z][-a-z0-9.]*$/.test(value) ? [value] : []
    const services = [value, ...alone.map((host) => `${host}:80`)].flatMap((text) => servicesIn(text, namespace))
    return services.flatMap(({ service, namespace: there = namespace }) => (there === namespace ? [service] : []))
  })
}

const hostVariable = /HOST|ADDR|SERVER|ENDPOINT|SERVICE|BROKER|UPSTREAM|URL/i

/** Names and texts that a container gets: variables, also out of ConfigMaps, and arguments. */
function valuesOf(container: Container, { data }: Index): readonly (readonly [name: string, value: string])[] {
  const dataOf = (name: unknown): Readonly<Record<string, unknown>> => data.get(String(name)) ?? {}
  const variables = listAt(container, 'env').map((variable) => {
    const reference = at(variable, 'valueFrom', 'configMapKeyRef')
    return [at(variable, 'name'), at(variable, 'value') ?? at(dataOf(at(reference, 'name')), String(at(reference, 'key')))]
  })
  const taken = listAt(container, 'envFrom').flatMap((source) => Object.entries(dataOf(at(source, 'configMapRef', 'name'))))
  const words = [...listAt(container, 'command'), ...listAt(container, 'args')].map((word) => ['', word])
  return [...variables, ...taken, ...words].flatMap(([name, value]) =>
    typeof value === 'string' ? [[String(name), value] as const] : [],
  )
}

/** What is at a path of an object, whatever shape the object has. */
function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((inside, key) => (isRecord(inside) && Object.hasOwn(inside, key) ? inside[key] : undefined), value)
}

function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = at(value, ...path)
  return Array.isArray(found) ? found : []
}

function recordAt(value: unknown, ...path: readonly string[]): Readonly<Record<string, unknown>> {
  const found = at(value, ...path)
  return isRecord(found) ? found : {}
}
