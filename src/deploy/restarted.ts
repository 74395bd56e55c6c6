import type { Kube } from '../kube/kube.ts'
import { delay } from '../lib/async.ts'
import type { KubeObject } from '../lib/objects.ts'
import { isForbidden } from './refusal.ts'

/** How long pods have to come back before their readiness is judged as it stands, in ms. */
const patienceMs = 60_000

/** @see https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-config-mirror */
const mirror = 'kubernetes.io/config.mirror'

interface PodStatus {
  readonly phase?: string
  readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  readonly containerStatuses?: readonly { readonly state?: { readonly running?: Began; readonly terminated?: Began } }[]
}

interface Began {
  readonly startedAt?: string
}

/**
 * After a restart of the nodes the API goes on telling of pods and workloads as they were before it, until kubelet and controllers
 * have looked at them. Resolves when the pods with containers from before `since` (ms since the epoch, the start of the nodes) are ready
 * again, or gone. Whether there were any; `onWait` is told as soon as that is known.
 */
export async function untilLooked(
  kube: Kube,
  { namespace, since, onWait }: { readonly namespace: string; readonly since: number; readonly onWait: () => void },
  signal: AbortSignal,
): Promise<boolean> {
  let told = false
  const outdated = new Set<string>()
  for (const deadline = Date.now() + patienceMs; ; await delay(250, signal)) {
    // without kube-system's a pod that is ready cannot be reached
    const lists = [namespace, 'kube-system'].map((each) => kube.list({ apiVersion: 'v1', kind: 'Pod', namespace: each }, signal))
    const found = await Promise.all(lists).catch((thrown: unknown) => {
      // a server that has just begun does not know yet who may what
      if (isForbidden(thrown) && Date.now() < deadline) return undefined
      throw thrown
    })
    if (!found) continue
    // the control plane's own pods run outside of the API, which answers already
    const pods = found.flat().filter(({ metadata }) => metadata.annotations?.[mirror] === undefined)
    for (const pod of pods) if (isOlder(pod, since) && !isOver(pod)) outdated.add(uidOf(pod))
    const waiting = pods.filter((pod) => outdated.has(uidOf(pod)) && !isOver(pod) && (isOlder(pod, since) || !isReady(pod)))
    if (waiting.length === 0 || Date.now() >= deadline) return outdated.size > 0
    if (!told) onWait()
    told = true
  }
}

/** Whether a container that the pod tells of began before the nodes did. Times of containers are whole seconds. */
function isOlder(pod: KubeObject, since: number): boolean {
  return (statusOf(pod).containerStatuses ?? []).some(
    ({ state }) => Date.parse(state?.running?.startedAt ?? state?.terminated?.startedAt ?? '') < Math.floor(since / 1000) * 1000,
  )
}

function isOver(pod: KubeObject): boolean {
  return ['Succeeded', 'Failed'].includes(statusOf(pod).phase ?? '')
}

function isReady(pod: KubeObject): boolean {
  return statusOf(pod).conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false
}

function statusOf(pod: KubeObject): PodStatus {
  return (pod['status'] ?? {}) as PodStatus
}

function uidOf({ metadata }: KubeObject): string {
  return metadata.uid ?? metadata.name
}
