import type { Container, KubeObject } from '../../lib/objects.ts'
import { specOf } from './pod.ts'
import type { Asked } from './text/probe.ts'

export type ProbeKind = 'readiness' | 'liveness' | 'startup'

/** A probe of a container as its spec has it, with what Kubernetes puts where nothing is said. */
export interface Probe {
  readonly kind: ProbeKind
  readonly asked: Asked
  /** A number, or the name of a port of the container; none of a command. */
  readonly port: string | number | undefined
  readonly path: string
  readonly scheme: 'HTTP' | 'HTTPS'
  readonly command: readonly string[]
  readonly periodMs: number
  readonly timeoutSeconds: number
  readonly failureThreshold: number
  /** As long as this the kubelet asks nothing. */
  readonly delayMs: number
}

interface Written {
  readonly exec?: { readonly command?: readonly string[] }
  readonly httpGet?: { readonly port?: string | number; readonly path?: string; readonly scheme?: 'HTTP' | 'HTTPS' }
  readonly tcpSocket?: { readonly port?: string | number }
  readonly grpc?: { readonly port?: number }
  readonly periodSeconds?: number
  readonly timeoutSeconds?: number
  readonly failureThreshold?: number
  readonly initialDelaySeconds?: number
}

/** @see https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Probe */
export function probeOf(container: Container | undefined, kind: ProbeKind): Probe | undefined {
  const written = container?.[`${kind}Probe`] as Written | undefined
  if (!written) return undefined
  const { exec, httpGet, tcpSocket, grpc } = written
  return {
    kind,
    asked: exec ? 'exec' : tcpSocket ? 'tcpSocket' : grpc ? 'grpc' : 'httpGet',
    port: (httpGet ?? tcpSocket ?? grpc)?.port,
    path: httpGet?.path ?? '/',
    scheme: httpGet?.scheme ?? 'HTTP',
    command: exec?.command ?? [],
    periodMs: (written.periodSeconds ?? 10) * 1000,
    timeoutSeconds: written.timeoutSeconds ?? 1,
    failureThreshold: written.failureThreshold ?? 3,
    delayMs: (written.initialDelaySeconds ?? 0) * 1000,
  }
}

/** A name of a port where it is none of the container's: numbers in quotes are taken for what they mean. */
export function missingPort({ port }: Probe, container: Container | undefined): string | undefined {
  if (typeof port !== 'string' || /^\d+$/.test(port)) return undefined
  return (container?.ports ?? []).some(({ name }) => name === port) ? undefined : port
}

/** The number of the port that a probe asks. */
export function portOf({ port }: Probe, container: Container | undefined): number | undefined {
  const number = Number(port)
  return Number.isInteger(number) ? number : container?.ports?.find(({ name }) => name === port)?.containerPort
}

/** Ports that the other containers of the pod say are theirs. */
export function portsOfOthers(pod: KubeObject, container: string): readonly number[] {
  const { containers, initContainers = [] } = specOf(pod)
  return [...containers, ...initContainers]
    .filter(({ name }) => name !== container)
    .flatMap(({ ports }) => (ports ?? []).map(({ containerPort }) => containerPort))
}
