import { DevkitError } from '../lib/errors.ts'
import { repositoryOf } from '../lib/image.ts'
import { nearest } from '../lib/nearest.ts'
import { isWorkload, type KubeObject, type Manifest, nameOf, placeOf, podSpecOf } from '../lib/objects.ts'
import { groupOf } from '../lib/select.ts'
import { imagesIn } from './transforms/images.ts'
import { namespaceNamed } from './transforms/namespace.ts'
import type { ServiceTarget } from './transforms/transforms.ts'

/** What of a service's config says where it is in the manifests. */
export interface ServiceNames {
  readonly name: string
  readonly image: string | undefined
  readonly workload: string | undefined
}

/** The workload and container of each service: as named, else by the image, else by the name. @throws PLAN-104, PLAN-106, RENDER-104 */
export function serviceTargets(
  manifests: readonly Manifest[],
  services: readonly ServiceNames[],
): ReadonlyMap<string, ServiceTarget> {
  checkTwice(manifests)
  const workloads = manifests.map(({ object }) => object).filter(isWorkload)
  const images = imagesIn(manifests)
  const taken = new Set(services.flatMap(({ workload }) => (workload === undefined ? [] : [workload])))
  const running = new Map<string, Set<KubeObject>>()
  for (const object of workloads)
    for (const { image = '' } of podSpecOf(object)?.containers ?? []) {
      const repository = repositoryOf(image)
      running.set(repository, (running.get(repository) ?? new Set()).add(object))
    }
  const byName = new Map(workloads.toReversed().map((object) => [nameOf(object), object]))
  return new Map(
    services.map((service) => {
      const { name, image, workload } = service
      if (image !== undefined && !images.has(repositoryOf(image))) throw imageNowhere(service, [...images])
      const withImage = image === undefined ? workloads : [...(running.get(repositoryOf(image)) ?? [])]
      const found =
        workload === undefined
          ? (withImage.find((object) => object.metadata.name === name) ??
            withImage.find((object) => image !== undefined && !taken.has(nameOf(object))))
          : byName.get(workload)
      if (!found) throw workloadNowhere(service, workloads)
      const containers = podSpecOf(found)?.containers ?? []
      const container =
        containers.find((candidate) => image !== undefined && repositoryOf(candidate.image ?? '') === repositoryOf(image)) ??
        containers[0]
      return [name, { workload: nameOf(found), container: container?.name ?? '' }]
    }),
  )
}

/** @throws RENDER-104, of all of them */
function checkTwice(manifests: readonly Manifest[]): void {
  const seen = new Map<string, Manifest>()
  const twice: string[] = []
  for (const manifest of manifests) {
    const { kind, metadata } = manifest.object
    // versions of a group are the same objects
    const key = [groupOf(manifest.object), kind, metadata.namespace ?? '', metadata.name].join('/')
    const first = seen.get(key)
    if (first)
      twice.push(`${placeOf(manifest.origin)}: ${nameOf(manifest.object)} is defined already at ${placeOf(first.origin)}`)
    else seen.set(key, manifest)
  }
  if (twice.length === 0) return
  throw new DevkitError('RENDER-104', { message: `${twice.join('.\n')}.`, hint: 'Remove one of the two.' })
}

/**
 * An environment owns one namespace, which stands for production's `home`. What asks for another would be shared with every other
 * environment. @throws PLAN-107
 */
export function checkNamespaces(manifests: readonly Manifest[], namespace: string, home: string | undefined): void {
  const foreign = manifests.filter(({ object }) => ![namespace, home, undefined].includes(namespaceNamed(object)))
  if (foreign.length === 0) return
  const lines = foreign.map(
    (manifest) =>
      `${placeOf(manifest.origin)}: ${nameOf(manifest.object)} is of the namespace ${namespaceNamed(manifest.object)}`,
  )
  throw new DevkitError('PLAN-107', {
    message: `${lines.join('\n')}, but this environment owns ${namespace}.`,
    hint: 'Leave namespaces out of the manifests, or let all of them name the same one: each environment puts them into its own.',
    object: foreign[0] && nameOf(foreign[0].object),
  })
}

function imageNowhere({ name, image = '' }: ServiceNames, images: readonly string[]): DevkitError {
  const better = nearest(image, images)
  return new DevkitError('PLAN-104', {
    message: `The image ${image} of ${name} is in no manifest.`,
    hint: better
      ? `Did you mean ${better}?`
      : `Write services.${name}.image as it stands in the manifests: ${images.join(', ') || 'they name none'}.`,
    service: name,
  })
}

function workloadNowhere({ name, workload }: ServiceNames, workloads: readonly KubeObject[]): DevkitError {
  const known = workloads.map(nameOf)
  return new DevkitError('PLAN-106', {
    message:
      workload === undefined
        ? `No workload of the manifests belongs to ${name}.`
        : `The workload ${workload} of ${name} is in no manifest.`,
    hint: `Set services.${name}.workload to one of ${known.join(', ') || 'none'}.`,
    service: name,
  })
}

/** A port of the Service that leads to a service's workload. @throws PLAN-105 */
export function servicePort(
  manifests: readonly Manifest[],
  service: string,
  { workload }: ServiceTarget,
  port: string | number,
): { readonly selector: Readonly<Record<string, string>>; readonly targetPort: string | number } {
  const target = manifests.find(({ object }) => nameOf(object) === workload)?.object
  const labels =
    (target?.['spec'] as { template?: { metadata?: { labels?: Record<string, string> } } } | undefined)?.template?.metadata
      ?.labels ?? {}
  interface ServiceSpec {
    readonly selector?: Readonly<Record<string, string>>
    readonly ports?: readonly { readonly name?: string; readonly port: number; readonly targetPort?: string | number }[]
  }
  // Knative has a kind of this name too
  const isService = ({ object: { apiVersion, kind } }: Manifest): boolean => apiVersion === 'v1' && kind === 'Service'
  const specs = manifests.filter(isService).map(({ object }) => object['spec'] as ServiceSpec)
  const leading = specs.filter(
    ({ selector }) => selector && Object.entries(selector).every(([key, value]) => labels[key] === value),
  )
  for (const { selector, ports } of leading) {
    const found = ports?.find((candidate) => candidate.name === port || candidate.port === port)
    if (found && selector) return { selector, targetPort: found.targetPort ?? found.port }
  }
  const known = leading.flatMap(({ ports }) => ports ?? []).map((candidate) => candidate.name ?? candidate.port)
  throw new DevkitError('PLAN-105', {
    message: `No Service of ${service} has the port ${port}.`,
    hint: known.length > 0 ? `Its ports are ${known.join(', ')}.` : `No Service selects the pods of ${workload}: add one.`,
    service,
  })
}
