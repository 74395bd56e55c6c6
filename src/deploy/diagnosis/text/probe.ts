import type { ProbeKind } from '../probe.ts'

/** What a probe asks: who answers writes what there is to be read. */
export type Asked = 'exec' | 'httpGet' | 'tcpSocket' | 'grpc'

/** What came of a probe that failed. */
export type Answer =
  | { readonly is: 'refused' }
  | { readonly is: 'timeout' }
  | { readonly is: 'status'; readonly status: number }
  /** HTTPS was spoken to who speaks HTTP. */
  | { readonly is: 'plain' }
  /** HTTP was spoken to who speaks TLS. */
  | { readonly is: 'tls' }
  /** The connection was closed without an answer. */
  | { readonly is: 'cut' }
  /** There was an answer, and not in the protocol that was asked for. */
  | { readonly is: 'foreign' }
  | { readonly is: 'no such port' }
  | { readonly is: 'unreachable' }
  /** By gRPC's own health protocol. */
  | { readonly is: 'not serving' }
  /** The command ended with an error. `output`: its first line. */
  | { readonly is: 'exited'; readonly output: string }
  /** There is nothing to be started. */
  | { readonly is: 'no command' }
  | { readonly is: 'unknown' }

/** A probe that failed, as the kubelet tells it. */
export interface Failed {
  readonly probe: ProbeKind
  readonly answer: Answer
  /** The kubelet's words about the answer. */
  readonly said: string
}

/** `errored`: the probe itself could not be made. Its state is told since 1.30. */
const failed =
  /^(?:\(combined from similar events\): )?(Readiness|Liveness|Startup) probe (failed|errored)(?: and resulted in \w+ state)?: ?(.*)$/s

/**
 * What an event with the reason Unhealthy tells; undefined when it tells of no probe.
 * @see https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/prober/prober.go
 */
export function failedProbe(message: string, asked: Asked): Failed | undefined {
  const [, probe, how, rest = ''] = failed.exec(message) ?? []
  if (probe === undefined) return undefined
  const said = rest.trim()
  const answer = how === 'errored' ? ofError(said) : answers[asked](said)
  return { probe: probe.toLowerCase() as ProbeKind, answer, said }
}

const notStarted = /executable file not found|no such file or directory|permission denied|exec format error|not a directory/i
const late = /deadline ?exceeded|timed out|timeout/i

function ofError(said: string): Answer {
  if (/strconv\.Atoi: parsing|port \S+ not found|invalid port number|couldn't find port/.test(said)) return { is: 'no such port' }
  if (notStarted.test(said)) return { is: 'no command' }
  return late.test(said) ? { is: 'timeout' } : { is: 'unknown' }
}

const answers: Readonly<Record<Asked, (said: string) => Answer>> = {
  exec: ofCommand,
  httpGet: ofHttp,
  tcpSocket: ofConnection,
  grpc: ofGrpc,
}

/** A shell that does not find what it is to run says so. */
const unknownToShell = /^(?:\S*sh: )?(?:line )?(?:\d+: )*\S+: (?:command )?not found$/m

function ofCommand(said: string): Answer {
  // until 1.33: command "…" timed out; since: command timed out: "…" timed out after 1s
  if (/^command (?:timed out: ".*" timed out after \S+|".*" timed out)$/s.test(said)) return { is: 'timeout' }
  if (/exec failed: unable to start container process/.test(said) && notStarted.test(said)) return { is: 'no command' }
  if (unknownToShell.test(said)) return { is: 'no command' }
  return { is: 'exited', output: said.split('\n')[0] ?? '' }
}

function ofHttp(said: string): Answer {
  const status = /^HTTP probe failed with statuscode: (\d+)$/.exec(said)?.[1]
  if (status !== undefined) return { is: 'status', status: Number(status) }
  if (/server gave HTTP response to HTTPS client|first record does not look like a TLS handshake/.test(said))
    return { is: 'plain' }
  // what TLS says first: an alert (0x15) or a handshake (0x16), in one of its versions
  if (/malformed HTTP (?:response|version|status code) "\\x1[56]\\x03/.test(said)) return { is: 'tls' }
  if (/malformed HTTP/.test(said)) return { is: 'foreign' }
  return ofConnection(said)
}

function ofConnection(said: string): Answer {
  if (/connection refused/.test(said)) return { is: 'refused' }
  if (/no such host|no route to host|network is unreachable|server misbehaving/.test(said)) return { is: 'unreachable' }
  if (late.test(said)) return { is: 'timeout' }
  if (/\bEOF$|connection reset by peer|broken pipe|server closed idle connection/.test(said)) return { is: 'cut' }
  return { is: 'unknown' }
}

function ofGrpc(said: string): Answer {
  if (/^service unhealthy/.test(said)) return { is: 'not serving' }
  if (/does not implement the grpc health protocol/.test(said)) return { is: 'foreign' }
  // gRPC tries again until the time is over, whatever the reason: nobody listens, or nobody who speaks it
  if (/failed to connect service/.test(said)) return { is: 'refused' }
  return late.test(said) ? { is: 'timeout' } : { is: 'unknown' }
}

/** What the kubelet says when it ends a container for a probe; undefined when it ends it for another reason. */
export function killedBy(message: string): 'liveness' | 'startup' | undefined {
  return /^Container .+ failed (liveness|startup) probe, will be (?:restarted|killed)/.exec(message)?.[1] as
    | 'liveness'
    | 'startup'
    | undefined
}
