import type { Kube } from '../kube/kube.ts'
import { mapLimited } from '../lib/async.ts'
import { type KubeObject, type Manifest, refOf } from '../lib/objects.ts'
import { groupOf } from '../lib/select.ts'
import type { Condition } from './diagnosis/pod.ts'
import type { Live } from './live.ts'
import { Nudge } from './nudge.ts'
import { isStatusOf } from './refusal.ts'

/** How long a load balancer's controller has for its first word about a new Service, in ms. */
const firstWordMs = 2000

/** An object that nothing in the cluster serves. */
export interface Unserved {
  readonly manifest: Manifest
  /** What the cluster would need: `ingress controller`, maybe with its class. */
  readonly lacks: string
}

/**
 * Which of the applied Ingresses, Gateways and LoadBalancers nothing in the cluster serves, as far as that can be told. What leaves a doubt
 * is served: a controller that nobody sees may be there. Asks for nothing where there are none of them.
 */
export async function unserved(
  kube: Pick<Kube, 'get' | 'list'>,
  live: Pick<Live, 'follow' | 'until'>,
  manifests: readonly Manifest[],
  signal: AbortSignal,
): Promise<readonly Unserved[]> {
  const of = (kind: string, ...groups: readonly string[]): readonly Manifest[] =>
    manifests.filter(({ object }) => object.kind === kind && groups.includes(groupOf(object)))
  const ingresses = of('Ingress', 'networking.k8s.io', 'extensions')
  const gateways = of('Gateway', 'gateway.networking.k8s.io')
  const balanced = of('Service', '').filter(({ object }) => specOf(object)['type'] === 'LoadBalancer')
  const brought = of('GatewayClass', 'gateway.networking.k8s.io').map(({ object }) => object.metadata.name)
  return [
    ...(ingresses.length > 0 ? withoutClass(ingresses, await ingressClasses(kube, signal)) : []),
    ...(await withoutGatewayClass(kube, gateways, brought, signal)),
    ...(await withoutBalancer(kube, live, balanced, signal)),
  ]
}

function ingressClasses(kube: Pick<Kube, 'list'>, signal: AbortSignal): Promise<readonly KubeObject[] | undefined> {
  return listed(kube, { apiVersion: 'networking.k8s.io/v1', kind: 'IngressClass' }, signal)
}

/**
 * Ingresses whose class is not there; those that name none where there is no class at all. Controllers of before classes go by the annotation
 * alone.
 * @see https://kubernetes.io/docs/concepts/services-networking/ingress/#default-ingress-class
 */
export function withoutClass(ingresses: readonly Manifest[], classes: readonly KubeObject[] | undefined): readonly Unserved[] {
  if (!classes) return []
  const names = classes.map(({ metadata }) => metadata.name)
  return ingresses.flatMap((manifest) => {
    const { ingressClassName: name } = specOf(manifest.object) as { readonly ingressClassName?: string }
    if (name !== undefined) return names.includes(name) ? [] : [{ manifest, lacks: `ingress controller of the class ${name}` }]
    const isOld = manifest.object.metadata.annotations?.['kubernetes.io/ingress.class'] !== undefined
    return names.length > 0 || isOld ? [] : [{ manifest, lacks: 'ingress controller' }]
  })
}

/** Gateways whose class is not there, or that no controller has accepted. One that comes with them has a controller that may be about to. */
async function withoutGatewayClass(
  kube: Pick<Kube, 'list'>,
  gateways: readonly Manifest[],
  brought: readonly string[],
  signal: AbortSignal,
): Promise<readonly Unserved[]> {
  if (gateways.length === 0) return []
  const classes = await listed(kube, { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'GatewayClass' }, signal)
  if (!classes) return []
  const served = [...brought, ...classes.filter(isAccepted).map(({ metadata }) => metadata.name)]
  return gateways.flatMap((manifest) => {
    const name = String(specOf(manifest.object)['gatewayClassName'])
    return served.includes(name) ? [] : [{ manifest, lacks: `gateway controller of the class ${name}` }]
  })
}

/** @see https://gateway-api.sigs.k8s.io/reference/spec/#gatewayclassstatus */
function isAccepted({ status }: KubeObject): boolean {
  const { conditions = [] } = (status ?? {}) as { readonly conditions?: readonly Condition[] }
  return conditions.some(({ type, status: set }) => type === 'Accepted' && set === 'True')
}

/** Services that no controller has said a word about, where no other of the cluster has an address either. */
async function withoutBalancer(
  kube: Pick<Kube, 'get' | 'list'>,
  live: Pick<Live, 'follow' | 'until'>,
  services: readonly Manifest[],
  signal: AbortSignal,
): Promise<readonly Unserved[]> {
  const silent = await mapLimited(services, 8, async (manifest) =>
    (await isSilent(kube, live, manifest.object, signal)) ? [manifest] : [],
  )
  if (silent.flat().length === 0) return []
  const all = await listed(kube, { apiVersion: 'v1', kind: 'Service' }, signal)
  if (!all || all.some(hasAddress)) return []
  return silent.flat().map((manifest) => ({ manifest, lacks: 'load balancer' }))
}

/** Whether nothing has looked at a Service: it has no address, no finalizer and no event. */
async function isSilent(
  kube: Pick<Kube, 'get' | 'list'>,
  live: Pick<Live, 'follow' | 'until'>,
  service: KubeObject,
  signal: AbortSignal,
): Promise<boolean> {
  const found = await kube.get(refOf(service), signal)
  if (!found) return false
  const latest = await afterFirstWord(live, found, signal)
  if (hasAddress(latest) || isCared(latest)) return false
  const { name, namespace, uid } = latest.metadata
  const fieldSelector = `involvedObject.kind=Service,involvedObject.name=${name}`
  const events = await listed(kube, { apiVersion: 'v1', kind: 'Event', namespace, fieldSelector }, signal)
  const about = (event: KubeObject): unknown => (event['involvedObject'] as { readonly uid?: string } | undefined)?.uid
  return events !== undefined && !events.some((event) => about(event) === uid)
}

/** A new Service as it is when a controller has said something, or after a while. */
async function afterFirstWord(
  live: Pick<Live, 'follow' | 'until'>,
  service: KubeObject,
  signal: AbortSignal,
): Promise<KubeObject> {
  const { name, namespace, creationTimestamp = '' } = service.metadata
  const leftMs = Date.parse(creationTimestamp) + firstWordMs - Date.now()
  if (!(leftMs > 0) || hasAddress(service) || isCared(service)) return service
  await using followed = live.follow({ apiVersion: 'v1', kind: 'Service', namespace })
  using nudge = new Nudge()
  nudge.in(Math.min(leftMs, firstWordMs))
  const round = AbortSignal.any([signal, nudge.signal])
  const now = (): KubeObject => followed.objects?.find(({ metadata }) => metadata.name === name) ?? service
  const look = (): KubeObject | undefined => (hasAddress(now()) || isCared(now()) ? now() : undefined)
  return await live.until(look, round).catch((thrown: unknown) => {
    signal.throwIfAborted()
    if (!round.aborted) throw thrown
    return now()
  })
}

function hasAddress({ status }: KubeObject): boolean {
  const { loadBalancer } = (status ?? {}) as { readonly loadBalancer?: { readonly ingress?: readonly unknown[] } }
  return (loadBalancer?.ingress?.length ?? 0) > 0
}

/** @see https://kubernetes.io/docs/tasks/access-application-cluster/create-external-load-balancer/#garbage-collecting-load-balancers */
function isCared({ metadata }: KubeObject): boolean {
  return ((metadata['finalizers'] as readonly unknown[] | undefined)?.length ?? 0) > 0
}

/** Undefined where nobody may look, or the cluster has no such kind: nothing can be told then. */
async function listed(
  kube: Pick<Kube, 'list'>,
  kind: Parameters<Kube['list']>[0],
  signal: AbortSignal,
): Promise<readonly KubeObject[] | undefined> {
  try {
    return await kube.list(kind, signal)
  } catch (thrown) {
    if (isStatusOf(thrown, 403, 404)) return undefined
    throw thrown
  }
}

function specOf(object: KubeObject): Readonly<Record<string, unknown>> {
  return (object['spec'] ?? {}) as Readonly<Record<string, unknown>>
}
