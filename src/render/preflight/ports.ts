import { nearest } from '../../lib/nearest.ts'
import { nameOf } from '../../lib/objects.ts'
import { Field } from './field.ts'
import type { Finding } from './finding.ts'
import { podsWith } from './selectors.ts'
import type { Stack } from './stack.ts'

/** The probes of a container. */
export const probes = ['startupProbe', 'readinessProbe', 'livenessProbe'] as const

/** Ports that a probe, a Service or an Ingress names, and that what they lead to does not have. */
export function missingPorts(stack: Stack): readonly Finding[] {
  return [...portsOfProbes(stack), ...portsOfServices(stack), ...portsOfIngresses(stack)]
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

function portsOfIngresses(stack: Stack): readonly Finding[] {
  return [...stack.of('Ingress').values()].flatMap((manifest) =>
    backendsOf(Field.of(manifest)).flatMap((backend) => {
      const service = stack.of('Service').get(backend.get('service', 'name').text ?? '')
      if (!service) return []
      const ports = Field.of(service).get('spec', 'ports').items
      const [name, number] = [backend.get('service', 'port', 'name'), backend.get('service', 'port', 'number')]
      const has = ports.some((port) =>
        name.text === undefined ? port.get('port').value === number.value : port.get('name').text === name.text,
      )
      const wanted = name.text === undefined ? number : name
      if (has || wanted.value === undefined) return []
      return finding(stack, wanted, {
        severity: 'warning',
        what: `the port ${wanted.value} is none of ${nameOf(service.object)}`,
        known: ports.map((port) => String(port.get('name').text ?? port.get('port').value)),
        name: String(wanted.value),
        object: nameOf(manifest.object),
      })
    }),
  )
}

/** Every backend of an Ingress. */
export function backendsOf(ingress: Field): readonly Field[] {
  const spec = ingress.get('spec')
  const paths = spec.get('rules').items.flatMap((rule) => rule.get('http', 'paths').items)
  return [spec.get('defaultBackend'), ...paths.map((path) => path.get('backend'))]
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
