const label = '[a-z](?:[a-z0-9-]*[a-z0-9])?'
const inUrl = new RegExp(`^[a-z][a-z0-9+.:-]*://(?:[^/@\\s]*@)?(${label}(?:\\.${label})*)(?::\\d+)?(?:[/?#]|$)`)
// a number of one or two digits is more likely the tag of an image
const withPort = new RegExp(`^(${label}(?:\\.${label})*):(?:80|\\d{3,5})$`)
const inCluster = new RegExp(`^(${label})\\.(${label})\\.svc(?:\\.cluster\\.local)?$`)

/**
 * Services that a value names: as the host of a URL, as `HOST:PORT`, as `NAME.NAMESPACE.svc`; of `NAME.NAMESPACE` those of one namespace. What has
 * other dots in it is not of the cluster. https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
 */
export function servicesIn(
  value: string,
  here?: string,
): readonly { readonly service: string; readonly namespace?: string | undefined }[] {
  return value.split(/[,;=\s]+/).flatMap((part) => {
    const host = inUrl.exec(part)?.[1] ?? withPort.exec(part)?.[1] ?? (inCluster.test(part) ? part : undefined)
    if (host === undefined || host === 'localhost') return []
    const [, service, namespace] = inCluster.exec(host) ?? []
    if (service !== undefined) return [{ service, namespace }]
    const [first = '', second, ...more] = host.split('.')
    return second === undefined || (second === here && more.length === 0) ? [{ service: first, namespace: second }] : []
  })
}
