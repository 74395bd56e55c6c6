import { type Manifest, nameOf } from '../../lib/objects.ts'
import { groupOf } from '../../lib/select.ts'
import { Field } from './field.ts'
import type { Finding } from './finding.ts'
import type { Stack } from './stack.ts'

/** Programs that serve Ingresses, Gateways and LoadBalancers. Where one of them is among the manifests nothing is missing. */
const controllers = /ingress|gateway|traefik|contour|kong|haproxy|metallb|klipper|cloud-provider|istio|envoy|cilium/

/** What only a controller makes work, in a cluster that devkit makes: that has none of itself. A finding for each sort. */
export function unserved(stack: Stack): readonly Finding[] {
  if (hasController(stack)) return []
  const all = (kind: string): readonly Manifest[] => [...stack.of(kind).values()]
  const balanced = all('Service').filter((manifest) => Field.of(manifest).get('spec', 'type').value === 'LoadBalancer')
  // a service mesh has a kind of that name too
  const gateways = all('Gateway').filter(({ object }) => groupOf(object) === 'gateway.networking.k8s.io')
  return [
    ...unservedFinding(stack, servesIngresses(stack) ? [] : all('Ingress'), 'ingress controller'),
    ...unservedFinding(stack, all('GatewayClass').length > 0 ? [] : gateways, 'gateway controller'),
    ...unservedFinding(stack, balanced, 'load balancer'),
  ]
}

/** Whether Ingresses are looked at by anything. */
export function servesIngresses(stack: Stack): boolean {
  return hasController(stack) || stack.of('IngressClass').size > 0
}

/** A cluster that somebody else made may have any. */
function hasController({ own, pods }: Stack): boolean {
  const images = pods.flatMap(({ containers }) => containers.map((container) => container.get('image').text ?? ''))
  return !own || images.some((image) => controllers.test(image))
}

/** A finding for objects that nothing in the cluster serves, `controller` being what it lacks; none for none. */
export function unservedFinding(
  { placeOf }: Pick<Stack, 'placeOf'>,
  manifests: readonly Manifest[],
  controller: string,
): readonly Finding[] {
  const [first, ...others] = manifests
  if (!first) return []
  const more = others.length === 0 ? '' : ` and ${others.length} more`
  return [
    {
      severity: 'warning',
      code: 'RENDER-206',
      message: `${placeOf(Field.of(first).get('spec'))}: ${nameOf(first.object)}${more}: the cluster has no ${controller}; it is applied all the same, and not waited for.`,
      hint: 'Reach the pods by `ports` of a service in the config, or add the controller to the manifests.',
      object: nameOf(first.object),
    },
  ]
}
