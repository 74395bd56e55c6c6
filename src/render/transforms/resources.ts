import { type Container, eachContainer, withPodSpec } from '../../lib/objects.ts'
import { amountOf, quantityOf } from '../../lib/quantity.ts'
import type { Transform } from './rule.ts'

type Amounts = Readonly<Record<string, string | number>>

interface Resources {
  readonly requests?: Amounts | undefined
  readonly limits?: Amounts | undefined
  readonly [field: string]: unknown
}

/** Containers without a limit of `resource`; what was a limit alone stays the request that Kubernetes makes of it. */
export function withoutLimits(resource: 'cpu' | 'memory'): Transform {
  return onResources(({ requests, limits, ...rest }) => {
    const limit = limits?.[resource]
    if (limit === undefined) return undefined
    return { ...rest, requests: { [resource]: limit, ...requests }, limits: only(limits, (name) => name !== resource) }
  })
}

/** Containers without what only special nodes have: devices and huge pages. */
export const withoutDevices: Transform = onResources(({ requests, limits, ...rest }) => {
  const isDevice = (name: string): boolean => name.includes('/') || name.startsWith('hugepages-')
  if (!Object.keys({ ...requests, ...limits }).some(isDevice)) return undefined
  return { ...rest, requests: only(requests, (name) => !isDevice(name)), limits: only(limits, (name) => !isDevice(name)) }
})

/** Requests of CPU, memory and disk times `share`; done twice, it is done twice. */
export function shareOfRequests(share: number): Transform {
  return onRequests((amount) => amount * share)
}

/** Requests that are no higher than these. */
export function atMostRequests(most: Readonly<Record<string, string | number | undefined>>): Transform {
  return onRequests((amount, name) => Math.min(amount, amountOf(most[name] ?? '') ?? amount))
}

/** Changes what containers ask for, where that can be had in parts. A limit without a request is one, as it is in Kubernetes. */
function onRequests(change: (amount: number, resource: string) => number): Transform {
  return onResources((resources) => {
    const { requests, limits } = resources
    const asked = { ...only(limits, isDivisible), ...requests }
    const changed = Object.entries(asked).flatMap(([name, quantity]) => {
      const before = isDivisible(name) ? amountOf(quantity) : undefined
      const after = before === undefined ? undefined : change(before, name)
      return after === undefined || after === before ? [] : [[name, quantityOf(after, name)] as const]
    })
    return changed.length === 0 ? undefined : { ...resources, requests: { ...asked, ...Object.fromEntries(changed) } }
  })
}

/** Not devices and huge pages: their requests have to equal their limits. */
function isDivisible(resource: string): boolean {
  return ['cpu', 'memory', 'ephemeral-storage'].includes(resource)
}

/** Changes the resources of every container that has some; undefined leaves them. */
function onResources(change: (resources: Resources) => Resources | undefined): Transform {
  return (object) =>
    withPodSpec(object, (pod) =>
      eachContainer(pod, (container) => {
        const changed = change(resourcesOf(container))
        if (!changed) return container
        const { requests, limits, ...rest } = changed
        const some = (amounts: Amounts | undefined): boolean => Object.keys(amounts ?? {}).length > 0
        return { ...container, resources: { ...rest, ...(some(requests) && { requests }), ...(some(limits) && { limits }) } }
      }),
    )
}

function only(amounts: Amounts | undefined, keep: (resource: string) => boolean): Amounts {
  return Object.fromEntries(Object.entries(amounts ?? {}).filter(([name]) => keep(name)))
}

function resourcesOf(container: Container): Resources {
  return (container['resources'] as Resources | undefined) ?? {}
}
