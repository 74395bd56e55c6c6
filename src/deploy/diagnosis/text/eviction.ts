/** Why the kubelet evicted a pod. */
export type Eviction =
  | {
      readonly of: 'node'
      readonly resource: string
      readonly taker: { readonly container: string; readonly used: string } | undefined
    }
  | { readonly of: 'volume'; readonly volume: string; readonly limit: string }
  | { readonly of: 'container'; readonly container: string; readonly limit: string }
  | { readonly of: 'pod'; readonly limit: string }
  | { readonly of: 'other' }

/**
 * Reads the message of a pod that was evicted.
 * @see https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/eviction/eviction_manager.go and helpers.go for the texts
 */
export function parseEviction(message: string): Eviction {
  const resource = /^The node was low on resource: (\[?[\w./ -]+\]?)\./.exec(message)?.[1]
  if (resource !== undefined) {
    const [, container, used] = /Container (\S+) was using ([^,\s]+), /.exec(message) ?? []
    return { of: 'node', resource, taker: container && used ? { container, used } : undefined }
  }
  // the kubelet refuses pods that the scheduler sent before it knew
  const condition = /^(?:Pod was rejected: )?The node had condition: \[(Disk|Memory|PID)Pressure/.exec(message)?.[1]
  if (condition)
    return {
      of: 'node',
      resource: { Disk: 'ephemeral-storage', Memory: 'memory', PID: 'pids' }[condition] ?? '',
      taker: undefined,
    }
  const [, volume, ofVolume] = /EmptyDir volume "([^"]+)" exceeds the limit "([^"]+)"/.exec(message) ?? []
  if (volume && ofVolume) return { of: 'volume', volume, limit: ofVolume }
  const [, container, ofContainer] = /Container (\S+) exceeded its local ephemeral storage limit "([^"]+)"/.exec(message) ?? []
  if (container && ofContainer) return { of: 'container', container, limit: ofContainer }
  const ofPod = /ephemeral local storage usage exceeds the total limit of containers ([^\s.]+)/.exec(message)?.[1]
  return ofPod ? { of: 'pod', limit: ofPod } : { of: 'other' }
}
