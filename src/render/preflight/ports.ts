import { nearest } from '../../lib/nearest.ts'
import { nameOf } from '../../lib/objects.ts'
import { groupOf } from '../../lib/select.ts'
import { Field } from './field.ts'
import type { Finding } from './finding.ts'
import { podsWith } from './selectors.ts'
import type { Stack } from './stack.ts'

/** The probes of a container. */
export const probes = ['startupProbe', 'readinessProbe', 'livenessProbe'] as const

/** Ports that a probe, a Service, an Ingress or a route names, and that what they lead to does not have. */
export function missingPorts(stack: Stack): readonly Finding[] {
  return [...portsOfProbes(stack), ...portsOfServices(stack), ...portsOfBackends(stack)]
}

/** A number is a port wherever it is; numbers in quotes are taken for what they mean. */
function nameOfPort({ text }: Field): string | undefined {
  return text === undefined || /^\d+$/.test(text) ? undefined : text
}

function namesOf(containers: readonly Field[]): readonly string[] {
  return containers.flatMap((container) => container.get('ports').items.flatMap((port) => port.get('name').text ?? []))
}

/** A probe looks for the name among the ports of its own container. */
function portsOfProbes(stack: Stack): readonly Finding[] {
  return stack.pods.flatMap(({ workload, containers, count }) =>
    containers.flatMap((container) =>
      probes.flatMap((probe) =>
        ['httpGet', 'tcpSocket'].flatMap((way) => {
          const port = container.get(probe, way, 'port')
          const name = nameOfPort(port)
          const known = namesOf([container])
          if (name === undefined || known.includes(name)) return []
          const who = `container ${container.get('name').text ?? ''}`.trim()
          return finding(stack, port, {
            severity: count > 0 ? 'failure' : 'warning',
            what: `${probe} asks the port ${name}, ${who} names none so`,
            known,
            name,
            object: workload,
          })
        }),
      ),
    ),
  )
}

function portsOfServices(stack: Stack): readonly Finding[] {
  return [...stack.of('Service').values()].flatMap((manifest) => {
    const spec = Field.of(manifest).get('spec')
    const pods = podsWith(stack, spec.get('selector').labels)
    if (pods.length === 0) return []
    const known = namesOf(pods.flatMap(({ containers }) => containers))
    return spec.get('ports').items.flatMap((port) => {
      const target = port.get('targetPort')
      const name = nameOfPort(target)
      if (name === undefined || known.includes(name)) return []
      const who = [...new Set(pods.map(({ workload }) => workload))].join(', ')
      return finding(stack, target, {
        severity: 'warning',
        what: `targetPort ${name} is no port of ${who}: nothing answers there`,
        known,
        name,
        object: nameOf(manifest.object),
      })
    })
  })
}

function portsOfBackends(stack: Stack): readonly Finding[] {
  return backendsOf(stack).flatMap(({ name, namespace, port }) => {
    const service = stack.of('Service').get(name.text ?? '')
    const isSaid = ['number', 'string'].includes(typeof port.value)
    if (!service || !isSaid || (namespace ?? stack.namespace) !== stack.namespace) return []
    const ports = Field.of(service).get('spec', 'ports').items
    if (ports.some((one) => [one.get('name').value, one.get('port').value].includes(port.value))) return []
    return finding(stack, port, {
      severity: 'warning',
      what: `the port ${port.value} is none of ${nameOf(service.object)}`,
      known: ports.map((one) => String(one.get('name').text ?? one.get('port').value)),
      name: String(port.value),
      object: nameOf(port.manifest.object),
    })
  })
}

/** What an Ingress or a route leads to. */
export interface Backend {
  /** The name of the Service. */
  readonly name: Field
  readonly namespace: string | undefined
  /** Its number, or its name. */
  readonly port: Field
}

const routes = ['HTTPRoute', 'GRPCRoute', 'TLSRoute', 'TCPRoute', 'UDPRoute']

/** Every Service that an Ingress or a route of the Gateway API leads to. */
export function backendsOf(stack: Stack): readonly Backend[] {
  const specsOf = (kind: string, group: string): readonly Field[] =>
    [...stack.of(kind).values()]
      .filter(({ object }) => groupOf(object) === group)
      .map((manifest) => Field.of(manifest).get('spec'))
  const ofIngresses = specsOf('Ingress', 'networking.k8s.io').flatMap((spec) => {
    const paths = spec.get('rules').items.flatMap((rule) => rule.get('http', 'paths').items)
    return [spec.get('defaultBackend'), ...paths.map((path) => path.get('backend'))].map((backend) => {
      const [name, number] = [backend.get('service', 'port', 'name'), backend.get('service', 'port', 'number')]
      return { name: backend.get('service', 'name'), namespace: undefined, port: name.text === undefined ? number : name }
    })
  })
  const ofRoutes = routes
    .flatMap((kind) => specsOf(kind, 'gateway.networking.k8s.io'))
    .flatMap((spec) => spec.get('rules').items.flatMap((rule) => rule.get('backendRefs').items))
    .filter((backend) => (backend.get('kind').text ?? 'Service') === 'Service')
    .map((backend) => ({
      name: backend.get('name'),
      namespace: backend.get('namespace').text,
      port: backend.get('port'),
    }))
  return [...ofIngresses, ...ofRoutes]
}

interface Missing {
  readonly severity: Finding['severity']
  readonly what: string
  readonly name: string
  readonly known: readonly string[]
  readonly object: string
}

function finding(stack: Stack, field: Field, { severity, what, name, known, object }: Missing): Finding {
  const better = nearest(name, known)
  return {
    severity,
    code: 'RENDER-202',
    message: `${stack.placeOf(field)}: ${object}: ${what}.`,
    hint: better
      ? `Did you mean ${better}?`
      : known.length > 0
        ? `Name one of ${[...new Set(known)].join(', ')}, or the number.`
        : `Name the port there (\`ports: [{ name: ${name}, … }]\`), or write the number.`,
    object,
  }
}
