import { servicesIn } from '../../lib/hosts.ts'
import { nearest } from '../../lib/nearest.ts'
import { nameOf } from '../../lib/objects.ts'
import { Field } from './field.ts'
import type { Finding } from './finding.ts'
import { backendsOf, probes } from './ports.ts'
import { provided } from './provided.ts'
import type { Stack } from './stack.ts'

/** Services that variables of containers and backends of Ingresses and routes name, and that nothing provides. */
export function missingServices(stack: Stack): readonly Finding[] {
  const told = new Set<string>()
  return [...hostsIn(stack), ...backendsIn(stack)].flatMap(({ field, service, namespace, by }) => {
    const is = provided(stack, 'Service', service)
    const elsewhere = namespace !== undefined && namespace !== stack.namespace
    // of other namespaces only what is here is known
    if (elsewhere ? is !== 'yes' || service === 'kubernetes' : is !== 'no') return []
    // a ConfigMap may be the variables of many containers
    const place = stack.placeOf(field)
    if (told.has(`${place} ${service}`)) return []
    told.add(`${place} ${service}`)
    const object = nameOf(field.manifest.object)
    const better = nearest(service, [...stack.of('Service').keys()])
    return [
      {
        severity: 'warning' as const,
        code: 'RENDER-201' as const,
        message: elsewhere
          ? `${place}: ${object}: ${by} names Service ${service} in the namespace ${namespace}, here it is in ${stack.namespace}.`
          : `${place}: ${object}: ${by} names Service ${service}, nothing provides it.`,
        hint: elsewhere
          ? `Write ${service} alone: it means the Service of the pod's own namespace.`
          : better
            ? `Did you mean ${better}?`
            : 'Add the Service to the manifests, or let the profile set the variable.',
        object,
        ...(!elsewhere && { unless: { ref: { apiVersion: 'v1', kind: 'Service', name: service, namespace: stack.namespace } } }),
      },
    ]
  })
}

interface Host {
  readonly field: Field
  readonly service: string
  readonly namespace?: string | undefined
  readonly by: string
}

function* backendsIn(stack: Stack): Iterable<Host> {
  for (const { name, namespace } of backendsOf(stack))
    if (name.text !== undefined) yield { field: name, service: name.text, namespace, by: 'the backend' }
}

/** The values themselves are never told: they may hold passwords. */
function* hostsIn(stack: Stack): Iterable<Host> {
  for (const { spec, containers } of stack.pods) {
    const aliases = spec.get('hostAliases').items.flatMap((alias) => alias.get('hostnames').items.map(({ value }) => value))
    for (const container of containers)
      for (const { text = '', ...from } of textsOf(stack, container))
        for (const host of servicesIn(text, stack.namespace)) if (!aliases.includes(host.service)) yield { ...host, ...from }
  }
}

/** Where a container may name a Service: its variables and the hosts that its probes ask. */
function* textsOf(stack: Stack, container: Field): Iterable<Pick<Host, 'field' | 'by'> & { readonly text: string | undefined }> {
  const name = container.get('name').text ?? ''
  for (const [variable, field] of variablesOf(stack, container)) yield { text: field.text, field, by: `${name}/env ${variable}` }
  for (const probe of probes)
    for (const way of ['httpGet', 'tcpSocket']) {
      const field = container.get(probe, way, 'host')
      yield { text: field.text && `${field.text}:80`, field, by: `${name}/${probe}` }
    }
}

/** Variables of a container with the fields that hold their texts, those of ConfigMaps and readable Secrets too. */
function* variablesOf(stack: Stack, container: Field): Iterable<readonly [string, Field]> {
  const dataOf = (kind: string, name: Field): Field => {
    const manifest = stack.of(kind).get(name.text ?? '')
    return manifest ? Field.of(manifest).get(kind === 'Secret' ? 'stringData' : 'data') : name.get('')
  }
  for (const from of container.get('envFrom').items)
    yield* [
      ...dataOf('ConfigMap', from.get('configMapRef', 'name')).entries,
      ...dataOf('Secret', from.get('secretRef', 'name')).entries,
    ]
  for (const variable of container.get('env').items) {
    const name = variable.get('name').text ?? ''
    yield [name, variable.get('value')]
    const [map, secret] = [variable.get('valueFrom', 'configMapKeyRef'), variable.get('valueFrom', 'secretKeyRef')]
    yield [name, dataOf('ConfigMap', map.get('name')).get(map.get('key').text ?? '')]
    yield [name, dataOf('Secret', secret.get('name')).get(secret.get('key').text ?? '')]
  }
}
