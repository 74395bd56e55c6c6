import { afterAll, beforeAll } from 'vitest'
import { type ApiRig, openApiRig } from '../api-rig.ts'
import { bash, container, deployment, type Fault, object, testFaults, testTwins } from './rig.ts'
import { answering, answeringTls, hangingUp, silent, stays } from './servers.ts'

let rig: ApiRig

beforeAll(async () => {
  rig = await openApiRig()
}, 120_000)
afterAll(() => rig?.[Symbol.asyncDispose]())

const get = (path = '/', over: object = {}): object => ({ httpGet: { path, port: 8080 }, periodSeconds: 1, ...over })
const asks = (probe: object, script: string, over: object = {}) => container({ ...bash(script), readinessProbe: probe, ...over })
const web = (...of: Parameters<typeof asks>) => [deployment(asks(...of))]
/** Until then nothing else is asked. */
const onceItListens = { startupProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, failureThreshold: 100 } }
const here = 'Deployment/web (k8s/all.yaml:1)'
const fails = 'The readiness probe of the container main of Deployment/web fails:'
const podThatStays = { terminationGracePeriodSeconds: 0, containers: [container()] }

const kills: readonly Fault[] = [
  {
    what: 'a liveness probe of a path that is not there',
    objects: [
      deployment(
        container({ ...bash(answering(404)), livenessProbe: get('/live', { initialDelaySeconds: 4, failureThreshold: 1 }) }),
      ),
    ],
    code: 'READY-140',
    says: 'The kubelet kills the container main of Deployment/web, since its liveness probe fails (failureThreshold 1 × periodSeconds 1): /live on port 8080 answers 404.',
    hint: `Correct the liveness probe in ${here}; a program that starts slowly needs a startupProbe, one that is busy a longer timeoutSeconds.`,
    evidence: /Liveness probe failed: HTTP probe failed with statuscode: 404\nkilled \d times/,
    withinMs: 50_000,
  },
  {
    what: 'the first kill by a command as liveness probe',
    objects: [
      deployment(container({ ...stays, livenessProbe: { exec: { command: ['false'] }, periodSeconds: 1, failureThreshold: 2 } })),
    ],
    code: 'READY-140',
    severity: 'warning',
    says: 'The kubelet kills the container main of Deployment/web, since its liveness probe fails (failureThreshold 2 × periodSeconds 1): its command false ends with an error.',
    hint: `Correct the liveness probe in ${here}; a program that starts slowly needs a startupProbe, one that is busy a longer timeoutSeconds.`,
    evidence: /killed once/,
    withinMs: 35_000,
  },
  {
    what: 'a startup probe that gives less time than the program takes',
    objects: [
      deployment(container({ ...bash(answering(200, { afterSeconds: 30 })), startupProbe: get('/', { failureThreshold: 2 }) })),
    ],
    code: 'READY-146',
    says: 'The startup probe of the container main of Deployment/web gives its program 2 s (failureThreshold 2 × periodSeconds 1), then the kubelet kills it: nothing listens on port 8080.',
    hint: `Raise failureThreshold in ${here} if it is only slow to start; else correct what the probe asks.`,
    evidence: /connection refused\nkilled \d times/,
    withinMs: 60_000,
  },
  {
    what: 'the first kill of a program that migrates longer than its startup probe bears',
    objects: [
      deployment(
        container({
          ...stays,
          startupProbe: { exec: { command: ['bash', '-c', 'echo migrating; exit 1'] }, periodSeconds: 1, failureThreshold: 3 },
        }),
      ),
    ],
    code: 'READY-146',
    severity: 'warning',
    says: 'The startup probe of the container main of Deployment/web gives its program 3 s (failureThreshold 3 × periodSeconds 1), then the kubelet kills it: its command bash -c echo migrating; exit 1 ends with an error (migrating).',
    hint: `Raise failureThreshold in ${here} if it is only slow to start; else correct what the probe asks.`,
    withinMs: 40_000,
  },
]

const refused: readonly Fault[] = [
  {
    what: 'a probe that asks another port than the program listens on',
    objects: web({ httpGet: { path: '/', port: 8081 }, periodSeconds: 1 }, answering(200), { ports: [{ containerPort: 8080 }] }),
    code: 'READY-141',
    says: `${fails} nothing listens on port 8081, its program listens on 8080.`,
    hint: `Write port 8080 into ${here}, or let the program listen on 8081.`,
    evidence: /connection refused/,
    withinMs: 45_000,
  },
  {
    what: 'a program that listens only inside of its pod',
    objects: web({ tcpSocket: { port: 8080 }, periodSeconds: 1 }, answering(200, { at: '127.0.0.1' })),
    code: 'READY-141',
    says: `${fails} its program listens on port 8080 only at 127.0.0.1, where nobody outside reaches it.`,
    hint: `Let the program listen at 0.0.0.0 instead of 127.0.0.1; the probe is in ${here}.`,
    evidence: /connection refused/,
    withinMs: 75_000,
  },
  {
    what: 'a program that listens nowhere, which may be at its migration',
    objects: web(get(), 'exec sleep infinity'),
    code: 'READY-141',
    severity: 'warning',
    says: `${fails} nothing listens on port 8080.`,
    hint: `Read its last lines: it may still be starting. Else correct the port in ${here}, or the one that the program listens on.`,
    evidence: /connection refused/,
    withinMs: 30_000,
  },
]

const answers: readonly Fault[] = [
  {
    what: 'a path that is not there',
    objects: web(get('/helthz'), answering(404)),
    code: 'READY-142',
    says: `${fails} /helthz on port 8080 answers 404.`,
    hint: `Correct the path in ${here}, or let the program answer /helthz.`,
    evidence: /statuscode: 404/,
    withinMs: 45_000,
  },
  {
    what: 'a path that is not there, as a warning at first',
    objects: [
      deployment(
        container({
          ...bash(answering(404)),
          ...onceItListens,
          ports: [{ name: 'http', containerPort: 8080 }],
          readinessProbe: { httpGet: { path: '/', port: 'http' }, periodSeconds: 5 },
        }),
      ),
    ],
    code: 'READY-142',
    severity: 'warning',
    says: `${fails} / on port 8080 answers 404.`,
    hint: `Correct the path in ${here}, or let the program answer /.`,
    withinMs: 30_000,
  },
  {
    what: 'an error at every request',
    objects: web(get('/ready'), answering(500)),
    code: 'READY-143',
    says: `${fails} /ready on port 8080 answers 500.`,
    hint: `Read its last lines: the program itself says that it is not ready. The probe is in ${here}.`,
    evidence: /statuscode: 500/,
    withinMs: 45_000,
  },
  {
    what: 'a program that says that it is not available',
    objects: web(get('/ready'), answering(503), onceItListens),
    code: 'READY-143',
    severity: 'warning',
    says: `${fails} /ready on port 8080 answers 503.`,
    hint: `Read its last lines: the program itself says that it is not ready. The probe is in ${here}.`,
    withinMs: 30_000,
  },
  {
    what: 'a path that wants a login',
    objects: web(get('/private'), answering(401)),
    code: 'READY-143',
    says: `${fails} /private on port 8080 answers 401.`,
    hint: `Let the program answer /private to everybody, or correct ${here}.`,
    withinMs: 45_000,
  },
  {
    what: 'a program that takes requests and does not answer',
    objects: web(get(), silent, onceItListens),
    code: 'READY-144',
    severity: 'warning',
    says: `${fails} / on port 8080 gives no answer within 1 s.`,
    hint: `Let the program answer sooner, or raise timeoutSeconds (1) in ${here}.`,
    evidence: /deadline exceeded/,
    withinMs: 35_000,
  },
  {
    what: 'a command that does not end',
    objects: web({ exec: { command: ['sleep', '30'] }, periodSeconds: 1, timeoutSeconds: 2 }, 'exec sleep infinity'),
    code: 'READY-144',
    severity: 'warning',
    says: `${fails} the command sleep 30 does not end within 2 s.`,
    hint: `Let the program answer sooner, or raise timeoutSeconds (2) in ${here}.`,
    withinMs: 35_000,
  },
  {
    what: 'HTTPS where the program speaks HTTP',
    objects: web(get('/', { httpGet: { path: '/', port: 8080, scheme: 'HTTPS' } }), answering(200)),
    code: 'READY-145',
    says: `${fails} / on port 8080 is asked by HTTPS and speaks HTTP.`,
    hint: `Write \`scheme: HTTP\` into ${here}, or let the program speak TLS.`,
    evidence: /server gave HTTP response to HTTPS client/,
    withinMs: 35_000,
  },
  {
    what: 'HTTP where the program speaks TLS',
    objects: web(get(), answeringTls),
    code: 'READY-145',
    says: `${fails} / on port 8080 closes the connection without an answer, as what speaks TLS does.`,
    hint: `Write \`scheme: HTTPS\` into ${here} if the program speaks TLS there; else correct the port.`,
    evidence: /EOF/,
    withinMs: 50_000,
  },
  {
    what: 'a port that hangs up',
    objects: web(get(), hangingUp, onceItListens),
    code: 'READY-145',
    severity: 'warning',
    says: `${fails} / on port 8080 closes the connection without an answer, as what speaks TLS does.`,
    hint: `Write \`scheme: HTTPS\` into ${here} if the program speaks TLS there; else correct the port.`,
    withinMs: 30_000,
  },
]

const others: readonly Fault[] = [
  {
    what: 'a readiness probe of a port by a misspelt name',
    objects: [
      deployment(
        container({
          ports: [{ name: 'http', containerPort: 8080 }],
          readinessProbe: { httpGet: { path: '/', port: 'htp' }, periodSeconds: 1 },
        }),
      ),
    ],
    code: 'READY-147',
    says: 'The readiness probe of the container main of Deployment/web asks the port htp, which the container does not have.',
    hint: `Write http into ${here}, or name the port of the container htp.`,
    withinMs: 30_000,
  },
  {
    what: 'a startup probe of a port by a name where there are no ports',
    objects: [deployment(container({ startupProbe: { tcpSocket: { port: 'web' }, periodSeconds: 1 } }))],
    code: 'READY-147',
    says: 'The startup probe of the container main of Deployment/web asks the port web, which the container does not have.',
    hint: `Name a port of the container web, or write its number into ${here}.`,
    withinMs: 30_000,
  },
  {
    what: 'a probe by a program that the image does not have',
    objects: web({ exec: { command: ['pg_isready', '-q'] }, periodSeconds: 1 }, 'exec sleep infinity'),
    code: 'READY-148',
    says: `${fails} its command pg_isready -q is not in the image.`,
    hint: `Put the command into the image, or ask in another way in ${here}.`,
    evidence: /executable file not found/,
    withinMs: 35_000,
  },
  {
    what: 'a probe by a shell that does not find its program',
    objects: web({ exec: { command: ['sh', '-c', 'curl -f localhost'] }, periodSeconds: 1 }, 'exec sleep infinity'),
    code: 'READY-148',
    says: `${fails} its command sh -c curl -f localhost is not in the image.`,
    hint: `Put the command into the image, or ask in another way in ${here}.`,
    evidence: /curl: not found/,
    withinMs: 35_000,
  },
  {
    what: 'a command that says no',
    objects: web({ exec: { command: ['cat', '/tmp/ready'] }, periodSeconds: 1 }, 'exec sleep infinity'),
    code: 'READY-148',
    severity: 'warning',
    says: `${fails} its command cat /tmp/ready ends with an error (cat: /tmp/ready: No such file or directory).`,
    hint: `Read its last lines: the program may not be ready yet. Else correct ${here}.`,
    withinMs: 30_000,
  },
  {
    what: 'a readiness gate that nobody sets',
    objects: [deployment(container(), { pod: { readinessGates: [{ conditionType: 'example.com/balanced' }] } })],
    code: 'READY-149',
    says: 'The pods of Deployment/web wait for their readiness gate example.com/balanced, which nobody sets.',
    hint: `Install the controller that sets it, or drop readinessGates in ${here}.`,
    withinMs: 60_000,
  },
  {
    what: 'a readiness gate that somebody says no to',
    objects: [
      object('v1', 'Pod', 'web', { spec: { ...podThatStays, readinessGates: [{ conditionType: 'example.com/balanced' }] } }),
    ],
    of: 'Pod/web',
    afterwards: (namespace) =>
      void rig.kubectl([
        ...['patch', 'pod', 'web', '--namespace', namespace, '--subresource=status', '--patch'],
        JSON.stringify({
          status: { conditions: [{ type: 'example.com/balanced', status: 'False', reason: 'Draining', message: 'no target.' }] },
        }),
      ]),
    code: 'READY-149',
    severity: 'warning',
    says: 'The pods of Pod/web wait for their readiness gate example.com/balanced, which is False (no target).',
    hint: 'Install the controller that sets it, or drop readinessGates in Pod/web (k8s/all.yaml:1).',
    withinMs: 35_000,
  },
]

testFaults(() => rig, [...kills, ...refused, ...answers, ...others])

testTwins(
  () => rig,
  [
    {
      what: 'a program that listens only after a long migration',
      objects: web(get('/', { failureThreshold: 30 }), answering(200, { afterSeconds: 40 })),
      warns: ['READY-141'],
    },
    {
      what: 'a slow start under a startup probe that still has tries left',
      objects: [
        deployment(
          container({
            ...bash(answering(200, { afterSeconds: 12 })),
            startupProbe: get('/', { failureThreshold: 60 }),
            readinessProbe: get(),
            livenessProbe: get('/', { failureThreshold: 1 }),
          }),
        ),
      ],
    },
    {
      what: 'a program that serves its metrics long before what is asked',
      objects: [
        deployment(
          container({
            ...bash(`(${answering(200, { port: 9090 })}) & ${answering(200, { afterSeconds: 35 })}`),
            ports: [{ containerPort: 8080 }, { containerPort: 9090 }],
            readinessProbe: get('/', { failureThreshold: 30 }),
          }),
        ),
      ],
      warns: ['READY-141'],
    },
    {
      what: 'a program that is not available for a while',
      objects: web(get(), `${answering(503, { seconds: 15 })}; ${answering(200)}`),
      // on a busy machine its answers are late, too
      warns: ['READY-143', 'READY-141', 'READY-144'],
    },
    {
      what: 'a program that was killed once and then stays',
      objects: [
        deployment(
          container({
            ...bash('[[ -e /keep/once ]] && touch /tmp/alive; touch /keep/once; exec sleep infinity'),
            livenessProbe: { exec: { command: ['cat', '/tmp/alive'] }, periodSeconds: 1, failureThreshold: 2 },
            readinessProbe: { exec: { command: ['cat', '/tmp/alive'] }, periodSeconds: 1 },
            volumeMounts: [{ name: 'keep', mountPath: '/keep' }],
          }),
          { pod: { volumes: [{ name: 'keep', emptyDir: {} }] } },
        ),
      ],
      warns: ['READY-140', 'READY-148'],
    },
    {
      what: 'a rolling update whose old pod dies under its probes',
      objects: [
        deployment(
          container({
            ...bash(`trap 'exec sleep 5' TERM; ${answering(404)}`),
            readinessProbe: { exec: { command: ['true'] } },
            livenessProbe: get(),
          }),
        ),
      ],
      afterwards: async (namespace, { kube, signal }) => {
        const { metadata, ...next } = deployment(
          container({ ...bash(answering(200)), readinessProbe: get(), livenessProbe: get() }),
        )
        await kube.apply({ ...next, metadata: { namespace, ...metadata } }, signal)
      },
      warns: ['READY-141'],
    },
  ],
)
