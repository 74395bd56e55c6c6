import { describe, expect, test } from 'vitest'
import { type Answer, type Asked, failedProbe, killedBy } from '../../../../src/deploy/diagnosis/text/probe.ts'

interface Told {
  readonly by: string
  readonly asked?: Asked
  readonly text: string
  readonly answer: Answer
}

const told: readonly Told[] = [
  {
    by: '1.34',
    text: 'Readiness probe failed: Get "http://10.244.0.21:8080/": dial tcp 10.244.0.21:8080: connect: connection refused',
    answer: { is: 'refused' },
  },
  {
    by: '1.29, IPv6',
    text: 'Readiness probe failed: Get "http://[fd00::1]:80/healthz": dial tcp [fd00::1]:80: connect: connection refused',
    answer: { is: 'refused' },
  },
  {
    by: 'aggregated',
    text: '(combined from similar events): Readiness probe failed: Get "http://10.244.0.21:8080/": dial tcp 10.244.0.21:8080: connect: connection refused',
    answer: { is: 'refused' },
  },
  {
    by: 'tcpSocket',
    asked: 'tcpSocket',
    text: 'Liveness probe failed: dial tcp 10.244.0.22:8080: connect: connection refused',
    answer: { is: 'refused' },
  },
  {
    by: 'tcpSocket, filtered',
    asked: 'tcpSocket',
    text: 'Readiness probe failed: dial tcp 10.244.0.22:8080: i/o timeout',
    answer: { is: 'timeout' },
  },
  {
    by: 'a status',
    text: 'Readiness probe failed: HTTP probe failed with statuscode: 404',
    answer: { is: 'status', status: 404 },
  },
  {
    by: '1.34',
    text: 'Readiness probe failed: Get "http://10.244.0.28:8080/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
    answer: { is: 'timeout' },
  },
  {
    by: '1.29',
    text: 'Readiness probe failed: Get "http://10.1.0.28:8080/": net/http: request canceled (Client.Timeout exceeded while awaiting headers)',
    answer: { is: 'timeout' },
  },
  {
    by: 'nobody who routes',
    text: 'Readiness probe failed: Get "http://10.1.0.28:8080/": dial tcp 10.1.0.28:8080: connect: no route to host',
    answer: { is: 'unreachable' },
  },
  {
    by: 'a host of its own',
    text: 'Readiness probe failed: Get "http://nobody.example:8080/": dial tcp: lookup nobody.example on 10.214.0.1:53: no such host',
    answer: { is: 'unreachable' },
  },
  {
    by: 'HTTPS to HTTP',
    text: 'Readiness probe failed: Get "https://10.244.0.26:8080/": http: server gave HTTP response to HTTPS client',
    answer: { is: 'plain' },
  },
  {
    by: 'HTTPS to what is neither',
    text: 'Readiness probe failed: Get "https://10.244.0.26:6379/": tls: first record does not look like a TLS handshake',
    answer: { is: 'plain' },
  },
  {
    by: 'HTTP to TLS that alerts',
    text: 'Readiness probe failed: Get "http://10.244.0.25:8443/": net/http: HTTP/1.x transport connection broken: malformed HTTP response "\\x15\\x03\\x01\\x00\\x02\\x02"',
    answer: { is: 'tls' },
  },
  {
    by: 'HTTP to TLS that hangs up',
    text: 'Readiness probe failed: Get "http://10.244.0.25:8080/": EOF',
    answer: { is: 'cut' },
  },
  {
    by: 'HTTP to what resets',
    text: 'Readiness probe failed: Get "http://10.244.0.25:8080/": read tcp 10.244.0.1:51234->10.244.0.25:8080: read: connection reset by peer',
    answer: { is: 'cut' },
  },
  {
    by: 'HTTP to SSH',
    text: 'Readiness probe failed: Get "http://10.244.0.25:22/": net/http: HTTP/1.x transport connection broken: malformed HTTP status code "OpenSSH_9.2"',
    answer: { is: 'foreign' },
  },
  {
    by: '1.29',
    text: 'Readiness probe errored: strconv.Atoi: parsing "web": invalid syntax',
    answer: { is: 'no such port' },
  },
  {
    by: '1.34',
    text: 'Startup probe errored and resulted in unknown state: strconv.Atoi: parsing "web": invalid syntax',
    answer: { is: 'no such port' },
  },
  {
    by: 'cat',
    asked: 'exec',
    text: 'Readiness probe failed: cat: /tmp/ready: No such file or directory\n',
    answer: { is: 'exited', output: 'cat: /tmp/ready: No such file or directory' },
  },
  {
    by: 'a command that says what a probe may say too',
    asked: 'exec',
    text: 'Readiness probe failed: curl: (7) Failed to connect: connection refused\nHTTP probe failed with statuscode: 404',
    answer: { is: 'exited', output: 'curl: (7) Failed to connect: connection refused' },
  },
  { by: 'a command that says nothing', asked: 'exec', text: 'Readiness probe failed: ', answer: { is: 'exited', output: '' } },
  { by: 'dash', asked: 'exec', text: 'Readiness probe failed: sh: 1: curl: not found\n', answer: { is: 'no command' } },
  { by: 'busybox', asked: 'exec', text: 'Liveness probe failed: sh: curl: not found\n', answer: { is: 'no command' } },
  {
    by: 'bash',
    asked: 'exec',
    text: 'Readiness probe failed: bash: line 1: pg_isready: command not found\n',
    answer: { is: 'no command' },
  },
  {
    by: 'containerd, 1.34',
    asked: 'exec',
    text: 'Readiness probe errored and resulted in unknown state: rpc error: code = Unknown desc = failed to exec in container: failed to start exec "489b": OCI runtime exec failed: exec failed: unable to start container process: exec: "nope": executable file not found in $PATH',
    answer: { is: 'no command' },
  },
  {
    by: 'containerd, 1.29',
    asked: 'exec',
    text: 'Readiness probe errored: rpc error: code = Unknown desc = failed to exec in container: failed to start exec "48": OCI runtime exec failed: exec failed: unable to start container process: exec: "/probe": stat /probe: no such file or directory: unknown',
    answer: { is: 'no command' },
  },
  {
    by: 'CRI-O',
    asked: 'exec',
    text: 'Readiness probe failed: time="2026-01-01T00:00:00Z" level=error msg="exec failed: unable to start container process: exec: \\"nope\\": executable file not found in $PATH"\n',
    answer: { is: 'no command' },
  },
  {
    by: '1.34',
    asked: 'exec',
    text: 'Readiness probe failed: command timed out: "sleep 10" timed out after 1s',
    answer: { is: 'timeout' },
  },
  { by: '1.29', asked: 'exec', text: 'Readiness probe failed: command "sleep 10" timed out', answer: { is: 'timeout' } },
  {
    by: 'CRI-O',
    asked: 'exec',
    text: 'Readiness probe errored: rpc error: code = DeadlineExceeded desc = context deadline exceeded',
    answer: { is: 'timeout' },
  },
  {
    by: 'gRPC without anybody',
    asked: 'grpc',
    text: 'Readiness probe failed: timeout: failed to connect service "10.244.0.33:8080" within 1s: context deadline exceeded',
    answer: { is: 'refused' },
  },
  {
    by: 'gRPC that says no',
    asked: 'grpc',
    text: 'Readiness probe failed: service unhealthy (responded with "NOT_SERVING")',
    answer: { is: 'not serving' },
  },
  {
    by: 'gRPC without a health service',
    asked: 'grpc',
    text: 'Readiness probe failed: error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service',
    answer: { is: 'foreign' },
  },
]

describe('what the kubelet tells of a probe', () => {
  test.each(told)('$by: $text', ({ asked = 'httpGet', text, answer }) => {
    expect(failedProbe(text, asked)?.answer).toEqual(answer)
  })

  test('names the probe and keeps the words', () => {
    expect(failedProbe('Startup probe failed: HTTP probe failed with statuscode: 500', 'httpGet')).toMatchObject({
      probe: 'startup',
      said: 'HTTP probe failed with statuscode: 500',
    })
  })

  test('is nothing where no probe failed', () => {
    expect(failedProbe('Back-off restarting failed container', 'httpGet')).toBeUndefined()
  })
})

test('what ends a container is a probe only where the kubelet says so', () => {
  expect(killedBy('Container main failed liveness probe, will be restarted')).toBe('liveness')
  expect(killedBy('Container main failed startup probe, will be restarted')).toBe('startup')
  expect(killedBy('Stopping container main')).toBeUndefined()
  expect(killedBy('Container main definition changed, will be restarted')).toBeUndefined()
})
