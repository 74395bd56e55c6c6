import { type Container, eachContainer, withPodSpec } from '../../lib/objects.ts'
import { amountOf, quantityOf } from './quantity.ts'
import type { Transform } from './rule.ts'

type Amounts = Readonly<Record<string, string | number>>

interface Resources {
  readonly requests?: Amounts
  readonly limits?: Amounts
  readonly [field: string]: unknown
}

/** Containers without a limit of their CPU. */
export const withoutCpuLimits: Transform = (object) =>
  withPodSpec(object, (pod) =>
    eachContainer(pod, (container) => {
      const { limits, ...resources } = resourcesOf(container)
      if (limits?.['cpu'] === undefined) return container
      const { cpu, ...kept } = limits
      // a limit alone is a request too
      const requests = { cpu, ...resources.requests }
      return { ...container, resources: { ...resources, requests, limits: kept } }
    }),
  )

/** Requests of CPU and memory times `share`. A limit without a request counts as one, as it does in Kubernetes. */
export function shareOfRequests(share: number): Transform {
  return (object) =>
    withPodSpec(object, (pod) =>
      eachContainer(pod, (container) => {
        const { requests, limits, ...rest } = resourcesOf(container)
        const asked = Object.entries({ ...scalable(limits), ...requests })
        if (asked.length === 0) return container
        const scaled = asked.map(([name, quantity]) => {
          const amount = name in scalable({ [name]: quantity }) ? amountOf(quantity) : undefined
          return [name, amount === undefined ? quantity : quantityOf(amount * share, name)]
        })
        return { ...container, resources: { ...rest, ...(limits && { limits }), requests: Object.fromEntries(scaled) } }
      }),
    )
}

/** What can be had in parts: not devices and huge pages, whose requests have to equal their limits. */
function scalable(amounts: Amounts = {}): Amounts {
  return Object.fromEntries(Object.entries(amounts).filter(([name]) => ['cpu', 'memory', 'ephemeral-storage'].includes(name)))
}

function resourcesOf(container: Container): Resources {
  return (container['resources'] as Resources | undefined) ?? {}
}
