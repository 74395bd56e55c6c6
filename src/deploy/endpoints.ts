import { isWorkload, type KubeObject } from '../lib/objects.ts'

/** What leads to the pods of Services. @see https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/ */
export const endpointSlices = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' } as const

interface EndpointSlice extends KubeObject {
  readonly endpoints?:
    | readonly {
        readonly conditions?: { readonly ready?: boolean }
        readonly targetRef?: { readonly uid?: string }
      }[]
    | null
}

/** Those of the Services that lead to a workload's pods. None of a workload that is to end, and of one without pods. */
export function servicesOf(workload: KubeObject, services: readonly KubeObject[]): readonly KubeObject[] {
  if (['Job', 'CronJob'].includes(workload.kind) || !isWorkload(workload)) return []
  const labels = podLabels(workload)
  return services.filter(({ spec }) => {
    const { type, selector } = (spec ?? {}) as { readonly type?: string; readonly selector?: Readonly<Record<string, string>> }
    const wanted = Object.entries(selector ?? {})
    return type !== 'ExternalName' && wanted.length > 0 && wanted.every(([name, value]) => labels[name] === value)
  })
}

function podLabels(workload: KubeObject): Readonly<Record<string, string>> {
  if (workload.kind === 'Pod') return workload.metadata.labels ?? {}
  const { template } = workload['spec'] as { readonly template?: { readonly metadata?: KubeObject['metadata'] } }
  return template?.metadata?.labels ?? {}
}

/** The first of the Services that does not yet lead to any of the pods. */
export function withoutEndpoint(
  services: readonly KubeObject[],
  slices: readonly KubeObject[],
  pods: readonly KubeObject[],
): KubeObject | undefined {
  const uids = new Set(pods.map(({ metadata }) => metadata.uid))
  const leads = ({ endpoints }: EndpointSlice): boolean =>
    (endpoints ?? []).some(({ conditions, targetRef }) => conditions?.ready !== false && uids.has(targetRef?.uid))
  return services.find(
    ({ metadata }) =>
      !slices.some((slice) => slice.metadata.labels?.['kubernetes.io/service-name'] === metadata.name && leads(slice)),
  )
}
