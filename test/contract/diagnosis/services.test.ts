import { afterAll, beforeAll } from 'vitest'
import type { KubeObject } from '../../../src/lib/objects.ts'
import { type ApiRig, openApiRig } from '../api-rig.ts'
import { bash, container, deployment, object, testFaults, testTwins } from './rig.ts'
import { answering } from './servers.ts'

let rig: ApiRig

beforeAll(async () => {
  rig = await openApiRig()
}, 120_000)
afterAll(() => rig?.[Symbol.asyncDispose]())

const service = (name: string, selector: object, ports: readonly object[] = [{ port: 80, targetPort: 8080 }]): KubeObject =>
  object('v1', 'Service', name, { spec: { selector, ports } })
const db = (name = 'db', app = name): readonly KubeObject[] => [
  service(name, { app }, [{ port: 5432, targetPort: 8080 }]),
  deployment(container({ ...bash(answering(200)), ports: [{ name: 'sql', containerPort: 8080 }] }), { name }),
]
const here = 'Deployment/web (k8s/all.yaml:3)'
const env = (name: string, value: string): object => ({ env: [{ name, value }] })
/** Connects to a host and a port, and says what comes of it as most clients do. */
const connecting = (host: string, port: number): string =>
  `perl -MIO::Socket::INET -e 'IO::Socket::INET->new(PeerAddr => "${host}", PeerPort => ${port}, Timeout => 3) or die "cannot connect to ${host}:${port}: $!\\n"'`

testFaults(
  () => rig,
  [
    {
      what: 'a misspelt host in a variable of a program that ends',
      objects: [
        ...db('postgres'),
        deployment(
          container({
            ...bash('ping() { getent hosts $1 || echo "ping: $1: Name or service not known"; }; ping $PGHOST; exit 1'),
            ...env('PGHOST', 'postgress'),
          }),
        ),
      ],
      code: 'READY-157',
      says: 'The container main of Deployment/web asks for the host postgress, and there is no Service of that name.',
      hint: `Write postgres in the place of postgress in ${here}.`,
      evidence: /postgress: Name or service not known/,
      withinMs: 60_000,
    },
    {
      what: 'a host of a ConfigMap that a program asks for again and again',
      objects: [
        object('v1', 'ConfigMap', 'settings', { data: { CACHE_URL: 'redis://cache:6379/0' } }),
        deployment(
          container({
            ...bash('while :; do echo "Error: getaddrinfo ENOTFOUND cache"; sleep 1; done'),
            envFrom: [{ configMapRef: { name: 'settings' } }],
            readinessProbe: { exec: { command: ['false'] }, periodSeconds: 1 },
          }),
        ),
      ],
      code: 'READY-157',
      says: 'The container main of Deployment/web asks for the host cache, and there is no Service of that name.',
      hint: 'Add the Service cache to the manifests, or correct ConfigMap/settings (k8s/all.yaml:1).',
      evidence: /ENOTFOUND cache/,
      withinMs: 60_000,
    },
    {
      what: 'a misspelt host and a probe of another port: it never comes to the probe',
      objects: [
        ...db('postgres'),
        deployment(
          container({
            ...bash('echo "Error: getaddrinfo ENOTFOUND postgress"; exit 1'),
            ...env('DATABASE_URL', 'postgres://postgress:5432/shop'),
            readinessProbe: { httpGet: { path: '/', port: 8081 }, periodSeconds: 1 },
          }),
        ),
      ],
      code: 'READY-157',
      says: 'The container main of Deployment/web asks for the host postgress, and there is no Service of that name.',
      hint: `Write postgres in the place of postgress in ${here}.`,
      withinMs: 45_000,
    },
    {
      what: 'a probe of a path that is not there and a Service of a wrong port: the probe comes first',
      objects: [
        service('web', { app: 'web' }, [{ port: 80, targetPort: 'htp' }]),
        deployment(container(), { name: 'other' }),
        deployment(
          container({
            ...bash(answering(404)),
            ports: [{ name: 'http', containerPort: 8080 }],
            readinessProbe: { httpGet: { path: '/ready', port: 'http' }, periodSeconds: 1 },
          }),
        ),
      ],
      code: 'READY-142',
      says: 'The readiness probe of the container main of Deployment/web fails: /ready on port 8080 answers 404.',
      hint: `Correct the path in ${here}, or let the program answer /ready.`,
      withinMs: 45_000,
    },
    {
      what: 'a Service of another label than the pods of the same name have',
      objects: [
        ...db('db', 'dbb'),
        deployment(container({ ...bash(connecting('db', 5432)), ...env('DATABASE_URL', 'postgres://db:5432/shop') })),
      ],
      code: 'READY-158',
      says: 'Service/db selects no pod: it asks for app=dbb, the pods of Deployment/db have app=db.',
      hint: 'Write app: db into the selector of Service/db (k8s/all.yaml:1), or label the pods as it asks.',
      evidence: /cannot connect to db:5432/,
      withinMs: 60_000,
    },
    {
      what: 'a Service that was written for a workload and does not select it',
      objects: [service('front', { app: 'wbe' }), deployment(container({ ...bash(answering(200)) }))],
      code: 'READY-158',
      severity: 'warning',
      says: 'Service/front selects no pod: it asks for app=wbe, the pods of Deployment/web have app=web.',
      hint: 'Write app: web into the selector of Service/front (k8s/all.yaml:1), or label the pods as it asks.',
      withinMs: 30_000,
    },
    {
      what: 'a Service that leads to another port than the program listens on',
      objects: [
        service('web', { app: 'web' }, [{ port: 80 }]),
        deployment(container({ ...bash(answering(200)), ports: [{ containerPort: 8080 }] })),
      ],
      code: 'READY-159',
      severity: 'warning',
      says: 'Service/web leads to port 80 of the pods of Deployment/web, where nothing listens; they have 8080.',
      hint: 'Write 8080 into targetPort of Service/web (k8s/all.yaml:1), or let the program listen on 80.',
      evidence: /nobody takes a connection to 127\.0\.0\.1:80/,
      withinMs: 40_000,
    },
    {
      what: 'a program that is refused by a Service which leads to a port that nobody listens at',
      objects: [
        service('db', { app: 'db' }, [{ port: 5432, targetPort: 5433 }]),
        deployment(container({ ...bash(answering(200)), readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 } }), {
          name: 'db',
        }),
        deployment(container({ ...bash(connecting('db', 5432)), ...env('DATABASE_URL', 'postgres://db:5432/shop') })),
      ],
      code: 'READY-159',
      says: 'Service/db leads to port 5433 of the pods of Deployment/db, where nothing listens.',
      hint: 'Correct targetPort of Service/db (k8s/all.yaml:1), or let the program listen on 5433.',
      evidence: /cannot connect to db:5432/,
      withinMs: 60_000,
    },
    {
      what: 'a Service that names a port that no container has',
      objects: [
        service('web', { app: 'web' }, [{ port: 80, targetPort: 'htp' }]),
        deployment(container({ ...bash(answering(200)), ports: [{ name: 'http', containerPort: 8080 }] })),
      ],
      code: 'READY-160',
      severity: 'warning',
      says: 'Service/web leads to the port htp of its pods, and no container of Deployment/web has a port of that name.',
      hint: 'Write http into targetPort of Service/web (k8s/all.yaml:1), or name the port of the container htp.',
      withinMs: 30_000,
    },
    {
      what: 'a program that does not get through a Service whose port nobody has',
      objects: [
        service('db', { app: 'db' }, [{ port: 5432, targetPort: 'pg' }]),
        deployment(container(bash(answering(200))), { name: 'db' }),
        deployment(container({ ...bash(connecting('db', 5432)), ...env('DATABASE_URL', 'postgres://db:5432/shop') })),
      ],
      code: 'READY-160',
      says: 'Service/db leads to the port pg of its pods, and no container of Deployment/db has a port of that name.',
      hint: 'Name the port of the container pg, or write its number into targetPort of Service/db (k8s/all.yaml:1).',
      evidence: /cannot connect to db:5432/,
      withinMs: 60_000,
    },
  ],
)

testTwins(
  () => rig,
  [
    {
      what: 'a program that asks for a host before its Service is there',
      objects: [
        deployment(
          container({
            ...bash(`until getent hosts db; do echo "Error: getaddrinfo ENOTFOUND db"; sleep 1; done; ${answering(200)}`),
            ...env('DB_HOST', 'db'),
            readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
          }),
        ),
      ],
      afterwards: async (namespace, { kube, signal }) => {
        const { metadata, ...rest } = service('db', { app: 'web' })
        await kube.apply({ ...rest, metadata: { ...metadata, namespace } }, signal)
      },
      warns: ['READY-157', 'READY-141'],
    },
    {
      what: 'Services that lead to it: by number, by name, by none that is said, without a selector, to elsewhere',
      objects: [
        service('web', { app: 'web' }),
        service('named', { app: 'web' }, [{ port: 81, targetPort: 'http' }]),
        service('same', { app: 'web' }, [{ port: 8080 }]),
        object('v1', 'Service', 'manual', { spec: { ports: [{ port: 80 }] } }),
        object('v1', 'Service', 'elsewhere', { spec: { type: 'ExternalName', externalName: 'db.example.com' } }),
        service('operated', { 'example.com/cluster': 'main' }),
        deployment(
          container({
            ...bash(answering(200, { afterSeconds: 3 })),
            ports: [{ name: 'http', containerPort: 8080 }],
            readinessProbe: { tcpSocket: { port: 'http' }, periodSeconds: 1 },
          }),
        ),
      ],
      warns: ['READY-141'],
    },
    {
      what: 'a program that asks by a name with dots, and ends twice before it is answered',
      objects: [
        deployment(
          container({
            ...bash(
              'read -r n < /keep/n; echo $((n + 1)) > /keep/n; ((n >= 2)) && exec sleep infinity; echo "lookup api.example.com on 10.0.0.1:53: no such host"; exit 1',
            ),
            volumeMounts: [{ name: 'keep', mountPath: '/keep' }],
          }),
          { pod: { volumes: [{ name: 'keep', emptyDir: {} }] } },
        ),
      ],
      warns: ['READY-101'],
    },
  ],
)
