import type { RawData } from 'ws'
import { type ExecConnection, opened } from './exec.ts'
import type { PortsRef } from './kube.ts'

/** How long after the last refusal a port that was not refused is taken for open, in ms. */
const quietMs = 700
/** How long nothing at all may be heard, in ms. */
const patienceMs = 10_000
/** Nobody listens here: its refusal shows that refusals are told. @see https://www.iana.org/assignments/service-names-port-numbers */
const never = 1

/**
 * Which of the ports somebody listens at in a pod, asked by the API's port forwarding: a connection to 127.0.0.1 inside the pod, closed at once.
 * @throws ApiFailure when the server says no
 * @see https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#get-connect-portforward-requests-to-portforward-of-pod
 */
export async function openPorts(
  { server, options }: ExecConnection,
  ref: PortsRef,
  signal: AbortSignal,
): Promise<readonly number[]> {
  signal.throwIfAborted()
  const { WebSocket: Socket } = await import('ws')
  const ports = [...new Set([...ref.ports, never])]
  const query = new URLSearchParams(ports.map((port): [string, string] => ['ports', String(port)]))
  const path = `/api/v1/namespaces/${encodeURIComponent(ref.namespace)}/pods/${encodeURIComponent(ref.pod)}/portforward?${query}`
  const socket = new Socket(new URL(`${server.replace(/^http/, 'ws')}${path}`), ['v4.channel.k8s.io'], {
    ...options,
    handshakeTimeout: 30_000,
  })
  const closed = new Set<number>()
  const done = Promise.withResolvers<void>()
  let quiet = setTimeout(done.resolve, patienceMs)
  socket.binaryType = 'nodebuffer'
  socket.on('message', (data: RawData) => {
    const [channel = 0, ...said] = data as Buffer
    // a channel for data and one for errors of each port; both begin with its number, in two bytes
    const port = ports[channel >> 1]
    if (channel % 2 === 0 || said.length <= 2 || port === undefined) return
    closed.add(port)
    clearTimeout(quiet)
    quiet = setTimeout(done.resolve, quietMs)
  })
  socket.once('close', () => done.resolve())
  const abort = (): void => socket.terminate()
  signal.addEventListener('abort', abort, { once: true })
  try {
    await opened(socket)
    await done.promise
    signal.throwIfAborted()
    // whoever does not refuse this one tells of no refusal
    return closed.has(never) ? ports.filter((port) => !closed.has(port)) : []
  } finally {
    clearTimeout(quiet)
    signal.removeEventListener('abort', abort)
    socket.terminate()
  }
}
