import { afterAll, beforeAll } from 'vitest'
import type { KubeObject } from '../../../src/lib/objects.ts'
import { type ApiRig, openApiRig } from '../api-rig.ts'
import { hosts, login, openRegistries } from './registries.ts'
import { bash, type Chain, type Compound, container, deployment, job, object, testChains, testCompounds } from './rig.ts'
import { answering } from './servers.ts'

let rig: ApiRig
let registries: AsyncDisposable

beforeAll(async () => {
  rig = await openApiRig()
  registries = await openRegistries(rig)
}, 180_000)
afterAll(async () => {
  await registries?.[Symbol.asyncDispose]()
  await rig?.[Symbol.asyncDispose]()
})

type Over = Readonly<Record<string, unknown>>

/** A Deployment of one container, with what is laid over it and over its pod. */
const web = (over: Over = {}, pod: object = {}, spec: object = {}): KubeObject => deployment(container(over), { pod, spec })
const absent = { image: 'shop/web:no-such-tag' }
const fails = bash('echo no such table; exit 3')
const endsAtOnce = bash('echo done')
const small = { resources: { limits: { memory: '16Mi' } } }
const much = { resources: { requests: { cpu: '640' } } }
const atNothing = { readinessProbe: { tcpSocket: { port: 8081 }, periodSeconds: 1 } }
const atMissingPort = { readinessProbe: { httpGet: { path: '/', port: 'htp' }, periodSeconds: 1 } }
const get = (path = '/') => ({ httpGet: { path, port: 8080 }, periodSeconds: 1 })
const answers404 = { ...bash(answering(404)), ports: [{ name: 'http', containerPort: 8080 }] }
const byTls = { httpGet: { path: '/', port: 8080, scheme: 'HTTPS' }, periodSeconds: 1 }
const ofSecret = { env: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'database', key: 'password' } } }] }
const ofMap = { envFrom: [{ configMapRef: { name: 'settings' } }] }
const mounted = { volumeMounts: [{ name: 'data', mountPath: '/data' }] }
const secretVolume = { volumes: [{ name: 'data', secret: { secretName: 'keys' } }] }
const claimVolume = { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] }
const elsewhere = { nodeSelector: { disktype: 'ssd' } }
const init = (over: Over): object => ({ initContainers: [container({ name: 'setup', ...over })] })
const database = object('v1', 'Secret', 'database', { stringData: { password: 'right' } })
const settings = object('v1', 'ConfigMap', 'settings', { data: { LEVEL: 'info' } })
const quota = (hard: object): KubeObject => object('v1', 'ResourceQuota', 'few', { spec: { hard } })
const service = (selector: object, targetPort: string | number = 8080): KubeObject =>
  object('v1', 'Service', 'web', { spec: { selector, ports: [{ port: 80, targetPort }] } })
const secured = (level: string): KubeObject =>
  object('v1', 'Namespace', 'NAMESPACE', { metadata: { labels: { 'pod-security.kubernetes.io/enforce': level } } })
const claim = (storageClassName: string): KubeObject =>
  object('v1', 'PersistentVolumeClaim', 'data', {
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } }, storageClassName },
  })
/** What is only in registries has neither a shell nor `sleep`. */
const pulled = (image: string, over: Over = {}): Over => ({
  image,
  imagePullPolicy: 'IfNotPresent',
  command: ['/pause'],
  ...over,
})
const byLogin = { imagePullSecrets: [{ name: 'login' }] }
const loginSecret = object('v1', 'Secret', 'login', {
  type: 'kubernetes.io/dockerconfigjson',
  stringData: {
    '.dockerconfigjson': JSON.stringify({
      auths: { [hosts.closed]: { auth: Buffer.from(`${login.user}:${login.password}`).toString('base64') } },
    }),
  },
})
/** A quota that nobody has counted yet refuses for that. */
const counted = async (namespace: string, { kube, signal }: ApiRig): Promise<void> => {
  const isCounted = ({ status }: KubeObject): boolean => Object.keys((status as { hard?: object })?.hard ?? {}).length > 0
  for await (const event of kube.watch({ apiVersion: 'v1', kind: 'ResourceQuota', namespace }, signal))
    if (event.type === 'set' && isCounted(event.object)) return
}

const refused: readonly Compound[] = [
  {
    what: 'no ServiceAccount, and no image',
    objects: [web(absent, { serviceAccountName: 'reader' })],
    first: { code: 'READY-153', says: /no ServiceAccount reader/ },
    mend: [object('v1', 'ServiceAccount', 'reader')],
    next: { code: 'READY-114', says: /no-such-tag/ },
  },
  {
    what: 'no PriorityClass, and more CPUs than there are',
    objects: [web(much, { priorityClassName: 'high' })],
    first: { code: 'READY-156', says: /no PriorityClass high/ },
    mend: [web(much)],
    next: { code: 'READY-176', says: /640 CPUs/ },
  },
  {
    what: 'a quota of no pods, and no Secret',
    objects: [quota({ pods: '0' }), web(ofSecret)],
    before: counted,
    first: { code: 'READY-190', says: /ResourceQuota few has too little left of pods/ },
    mend: [quota({ pods: '9' })],
    next: { code: 'READY-151', says: /no Secret database/ },
  },
  {
    what: 'a quota of limits that are not set, and a nodeSelector that no node has',
    objects: [quota({ 'limits.memory': '1Gi' }), web({}, elsewhere)],
    before: counted,
    first: { code: 'READY-190', says: /limits\.memory/ },
    mend: [web(small, elsewhere)],
    next: { code: 'READY-178', says: /disktype=ssd/ },
  },
  {
    what: 'more memory than a LimitRange allows, and a command that is not there',
    objects: [
      object('v1', 'LimitRange', 'bounds', { spec: { limits: [{ type: 'Container', max: { memory: '8Mi' } }] } }),
      web({ ...small, command: ['no-such-program'] }),
    ],
    first: { code: 'READY-191', says: /the LimitRange (?:bounds )?does not allow its resources/ },
    mend: [object('v1', 'LimitRange', 'bounds', { spec: { limits: [{ type: 'Container', max: { memory: '1Gi' } }] } })],
    next: { code: 'READY-120', says: /no program no-such-program/ },
  },
  {
    what: 'a pod that its namespace does not allow, and no ConfigMap',
    objects: [secured('baseline'), web({ ...ofMap, securityContext: { privileged: true } })],
    first: { code: 'READY-192', says: /enforces the Pod Security Standard baseline/ },
    mend: [secured('privileged')],
    next: { code: 'READY-150', says: /no ConfigMap settings/ },
  },
  {
    what: 'a third replica that a quota has no room for, and no Secret for the two',
    objects: [quota({ pods: '2' }), web(mounted, secretVolume, { replicas: 3 })],
    before: counted,
    first: { code: 'READY-190', says: /No further pod .* pods \(asks for 1, 2 of 2 are used\)/ },
    warns: ['READY-151'],
    mend: [quota({ pods: '9' })],
    next: { code: 'READY-151', says: /no Secret keys/ },
  },
]

const placed: readonly Compound[] = [
  {
    what: 'a storage class that is not there, and more CPUs than there are',
    objects: [claim('standrad'), web(much, claimVolume)],
    first: { code: 'READY-166', says: /no StorageClass standrad/ },
    warns: ['READY-105'],
    mend: [web(much)],
    next: { code: 'READY-176', says: /640 CPUs/ },
  },
  {
    what: 'no claim, and more memory than there is',
    objects: [web({ resources: { requests: { memory: '4Ti' } } }, claimVolume)],
    first: { code: 'READY-154', says: /no PersistentVolumeClaim data/ },
    mend: [claim('standard')],
    next: { code: 'READY-177', says: /4096Gi/ },
  },
  {
    what: 'more CPUs than there are, and no ConfigMap',
    objects: [web({ ...much, ...ofMap })],
    first: { code: 'READY-176', says: /640 CPUs/ },
    mend: [web(ofMap)],
    next: { code: 'READY-150', says: /no ConfigMap settings/ },
  },
  {
    what: 'a nodeSelector that no node has, and no image',
    objects: [web(absent, elsewhere)],
    first: { code: 'READY-178', says: /disktype=ssd/ },
    mend: [web(absent)],
    next: { code: 'READY-114', says: /no-such-tag/ },
  },
  {
    what: 'an affinity to what nobody runs, and a program that fails',
    objects: [
      web(fails, {
        affinity: {
          podAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { labelSelector: { matchLabels: { app: 'cache' } }, topologyKey: 'kubernetes.io/hostname' },
            ],
          },
        },
      }),
    ],
    first: { code: 'READY-180', says: /cache/ },
    mend: [web(fails)],
    next: { code: 'READY-101', says: /ended with 3/ },
  },
  {
    what: 'a node affinity that no node fits, and a path of the node that is not there',
    objects: [
      web(mounted, {
        volumes: [{ name: 'data', hostPath: { path: '/tmp/nothing-here', type: 'Directory' } }],
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: 'example.com/pool', operator: 'Exists' }] }],
            },
          },
        },
      }),
    ],
    first: { code: 'READY-179', says: /example\.com\/pool/ },
    mend: [web(mounted, { volumes: [{ name: 'data', hostPath: { path: '/tmp/nothing-here', type: 'Directory' } }] })],
    next: { code: 'READY-172', says: /nothing-here/ },
  },
]

const referred: readonly Compound[] = [
  {
    what: 'no Secret for a variable, and no image',
    objects: [web({ ...absent, ...ofSecret })],
    first: { code: 'READY-151', says: /no Secret database/ },
    mend: [database],
    next: { code: 'READY-114', says: /no-such-tag/ },
  },
  {
    what: 'no Secret for a volume, and a tag that was never pushed',
    objects: [web(pulled(`${hosts.open}/shop/web:2`, mounted), secretVolume)],
    first: { code: 'READY-151', says: /no Secret keys/ },
    mend: [object('v1', 'Secret', 'keys')],
    next: { code: 'READY-104', says: /shop\/web:2/ },
  },
  {
    what: 'no Secret for one container, and no image for the other',
    objects: [deployment([container({ ...absent, name: 'proxy' }), container(ofSecret)])],
    first: { code: 'READY-151', says: /no Secret database/ },
    mend: [database],
    next: { code: 'READY-114', says: /no-such-tag/ },
  },
  {
    what: 'no key in a Secret, and a program that fails',
    objects: [object('v1', 'Secret', 'database', { stringData: { user: 'shop' } }), web({ ...fails, ...ofSecret })],
    first: { code: 'READY-152', says: /Secret database has no key password/ },
    mend: [database],
    next: { code: 'READY-101', says: /ended with 3/ },
  },
  {
    what: 'no ConfigMap, and a probe of a port that nothing listens at',
    objects: [web({ ...ofMap, ...atNothing })],
    first: { code: 'READY-150', says: /no ConfigMap settings/ },
    mend: [settings],
    next: { code: 'READY-141', says: /nothing listens on port 8081/ },
  },
  {
    what: 'no pull secret, and an init container without its program',
    objects: [web({}, { ...byLogin, ...init(pulled(`${hosts.closed}/shop/web:1`, { command: ['/setup'] })) })],
    first: { code: 'READY-155', says: /no Secret login/ },
    mend: [loginSecret],
    next: { code: 'READY-120', says: /no program \/setup/ },
  },
  {
    what: 'an init container that fails, and no pull secret for what comes after it',
    objects: [web(pulled(`${hosts.closed}/shop/web:1`), { ...byLogin, ...init(fails) })],
    first: { code: 'READY-203', says: /setup \(1 of 1\) .* fails with 3/ },
    warns: ['READY-155'],
    mend: [web(pulled(`${hosts.closed}/shop/web:1`), { ...byLogin, ...init(endsAtOnce) })],
    next: { code: 'READY-155', says: /no Secret login/ },
  },
]

const pulledWrong: readonly Compound[] = [
  {
    what: 'no image, and a probe of a port that is not there',
    objects: [web({ ...absent, ...atMissingPort })],
    first: { code: 'READY-114', says: /no-such-tag/ },
    mend: [web(atMissingPort)],
    next: { code: 'READY-147', says: /asks the port htp/ },
  },
  {
    what: 'a name that is none, and a command that is not there',
    objects: [web({ image: 'Shop/Web:1', command: ['no-such-program'] })],
    first: { code: 'READY-110', says: /must be lowercase/ },
    mend: [web({ command: ['no-such-program'] })],
    next: { code: 'READY-120', says: /no program no-such-program/ },
  },
  {
    what: 'a tag that was never pushed, and a program that fails',
    objects: [web({ ...pulled(`${hosts.open}/shop/web:2`), ...fails })],
    first: { code: 'READY-104', says: /shop\/web:2/ },
    mend: [web(fails)],
    next: { code: 'READY-101', says: /ended with 3/ },
  },
  {
    what: 'no image for one container, and a program that fails in the other',
    objects: [deployment([container({ ...absent, name: 'proxy' }), container(fails)])],
    first: { code: 'READY-114', says: /no-such-tag/ },
    warns: ['READY-101'],
    mend: [deployment([container({ name: 'proxy' }), container(fails)])],
    next: { code: 'READY-101', says: /container main .* ended with 3/ },
  },
  {
    what: 'no login, and a Service that selects nothing',
    // one that no other case brings onto the node: there it needs no login
    objects: [service({ app: 'wep' }), web(pulled(`${hosts.closed}/shop/later:1`))],
    first: { code: 'READY-112', says: /wants a login/ },
    warns: ['READY-158'],
    mend: [web(pulled(`${hosts.open}/shop/web:1`))],
    next: { code: 'READY-158', says: /selects no pod/ },
  },
  {
    what: 'an image for another processor, and a probe of a port that nothing listens at',
    objects: [web(pulled(`${hosts.open}/shop/foreign:1`, atNothing))],
    first: { code: 'READY-113', says: /not built for the node/ },
    mend: [web(pulled(`${hosts.open}/shop/web:1`, atNothing))],
    next: { code: 'READY-141', says: /nothing listens on port 8081/ },
  },
]

const started: readonly Compound[] = [
  {
    what: 'a command that is not there, and a probe of a port that nothing listens at',
    objects: [web({ command: ['no-such-program'], ...atNothing })],
    first: { code: 'READY-120', says: /no program no-such-program/ },
    mend: [web(atNothing)],
    next: { code: 'READY-141', says: /nothing listens on port 8081/ },
  },
  {
    what: 'a file that is no program, and a Service that selects nothing',
    objects: [service({ app: 'wep' }), web({ command: ['/etc/passwd'] })],
    first: { code: 'READY-121', says: /\/etc\/passwd may not be executed/ },
    warns: ['READY-158'],
    mend: [web()],
    next: { code: 'READY-158', says: /selects no pod/ },
  },
  {
    what: 'a working directory that is none, and a program that ends with 0',
    objects: [web({ workingDir: '/etc/passwd', ...endsAtOnce })],
    first: { code: 'READY-132', says: /working directory \/etc\/passwd/ },
    mend: [web(endsAtOnce)],
    next: { code: 'READY-123', says: /ended with 0/ },
  },
  {
    what: 'root where nobody may be, and a path that is not there',
    objects: [web({ ...answers404, readinessProbe: get('/ready'), securityContext: { runAsNonRoot: true } })],
    first: { code: 'READY-128', says: /has to run as non-root/ },
    mend: [web({ ...answers404, readinessProbe: get('/ready') })],
    next: { code: 'READY-142', says: /\/ready on port 8080 answers 404/ },
  },
  {
    what: 'an init container that fails, and no image for what comes after it',
    objects: [web(absent, init(fails))],
    first: { code: 'READY-203', says: /setup \(1 of 1\) .* fails with 3/ },
    mend: [web(absent, init(endsAtOnce))],
    next: { code: 'READY-114', says: /no-such-tag/ },
  },
  {
    what: 'an init container without its program, and a program that fails after it',
    objects: [web(fails, init({ command: ['/setup'] }))],
    first: { code: 'READY-120', says: /container setup .* no program \/setup/ },
    mend: [web(fails, init(endsAtOnce))],
    next: { code: 'READY-101', says: /container main .* ended with 3/ },
  },
  {
    what: 'a program that fails, and a Service of a port that no container has',
    objects: [service({ app: 'web' }, 'htp'), web({ ...fails, ports: [{ name: 'http', containerPort: 8080 }] })],
    first: { code: 'READY-101', says: /ends with 3 again and again/ },
    warns: ['READY-160'],
    mend: [web({ ports: [{ name: 'http', containerPort: 8080 }] })],
    next: { code: 'READY-160', says: /leads to the port htp/ },
  },
]

const probed: readonly Compound[] = [
  {
    what: 'a readiness probe of a path that is not there, and a Service of a port that no container has',
    objects: [service({ app: 'web' }, 'htp'), web({ ...answers404, readinessProbe: get('/ready') })],
    first: { code: 'READY-142', says: /\/ready on port 8080 answers 404/ },
    warns: ['READY-160'],
    mend: [web(answers404)],
    next: { code: 'READY-160', says: /leads to the port htp/ },
  },
  {
    what: 'a readiness probe of a port that is not there, and a Service that selects nothing',
    objects: [service({ app: 'wep' }), web(atMissingPort)],
    first: { code: 'READY-147', says: /asks the port htp/ },
    warns: ['READY-158'],
    mend: [web()],
    next: { code: 'READY-158', says: /selects no pod/ },
  },
  {
    what: 'a readiness probe by HTTPS of a program without, and a Service of a port that no container has',
    objects: [service({ app: 'web' }, 'htp'), web({ ...answers404, readinessProbe: byTls })],
    first: { code: 'READY-145', says: /asked by HTTPS and speaks HTTP/ },
    warns: ['READY-160', 'READY-141', 'READY-144'],
    mend: [web(answers404)],
    next: { code: 'READY-160', says: /leads to the port htp/ },
  },
]

const rolled: readonly Compound[] = [
  {
    what: 'old pods that fail, and no image for the new ones',
    old: { objects: [web(fails)], code: 'READY-101' },
    objects: [web({ ...fails, ...absent })],
    first: { code: 'READY-114', says: /no-such-tag/ },
    mend: [web(fails)],
    next: { code: 'READY-101', says: /ended with 3|ends with 3/ },
  },
  {
    what: 'old pods without their Secret, and a command of the new ones that is not there',
    old: { objects: [web(ofSecret)], code: 'READY-151' },
    objects: [web({ command: ['no-such-program'] })],
    first: { code: 'READY-120', says: /no program no-such-program/ },
    mend: [web(ofSecret)],
    next: { code: 'READY-151', says: /no Secret database/ },
  },
]

testCompounds(() => rig, [...refused, ...placed, ...referred, ...pulledWrong, ...started, ...probed, ...rolled])

const named = (name: string, over: Over, pod: object = {}): KubeObject => deployment(container(over), { name, pod })
const at = (name: string, selector: object = { app: name }): KubeObject =>
  object('v1', 'Service', name, { spec: { selector, ports: [{ port: 5432, targetPort: 8080 }] } })
/** Ends because it does not get through to a host, as most clients do. */
const needing = (host: string): Over => ({
  ...bash(`echo "cannot connect to ${host}:5432: Connection refused"; exit 1`),
  env: [{ name: 'PGHOST', value: host }],
})

const chains: readonly Chain[] = [
  {
    what: 'a database without its image, and a program that fails for want of it',
    objects: [at('db'), named('db', absent), named('web', needing('db'))],
    root: { of: 'Deployment/db', code: 'READY-114', says: /no-such-tag/ },
    waits: { 'Deployment/web': ['Deployment/db'] },
  },
  {
    what: 'nine programs that wait for one database',
    objects: [at('db'), named('db', absent), ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((index) => named(`web-${index}`, needing('db')))],
    root: { of: 'Deployment/db', code: 'READY-114', says: /no-such-tag/ },
    waits: Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8, 9].map((index) => [`Deployment/web-${index}`, ['Deployment/db']])),
  },
  {
    what: 'a database without its Secret, a program that fails for want of it, and one for want of that',
    objects: [at('db'), at('api'), named('db', ofSecret), named('api', needing('db')), named('web', needing('api'))],
    root: { of: 'Deployment/db', code: 'READY-151', says: /no Secret database/ },
    waits: { 'Deployment/api': ['Deployment/db'], 'Deployment/web': ['Deployment/api'] },
  },
  {
    what: 'a database that fails, and an init container that waits for it',
    objects: [at('db'), named('db', fails), named('web', {}, init(bash('until getent hosts db && false; do sleep 1; done')))],
    root: { of: 'Deployment/db', code: 'READY-101', says: /ends with 3 again and again/ },
    waits: { 'Deployment/web': ['Deployment/db'] },
  },
  {
    what: 'a database that no node takes, and a program that answers 503 as long',
    objects: [
      at('db'),
      named('db', much),
      named('web', { ...bash(answering(503)), env: [{ name: 'PGHOST', value: 'db' }], readinessProbe: get('/ready') }),
    ],
    root: { of: 'Deployment/db', code: 'READY-176', says: /640 CPUs/ },
    waits: { 'Deployment/web': ['Deployment/db'] },
  },
  {
    what: 'a database that is never ready, and a program that is killed as long',
    objects: [
      at('db'),
      named('db', { ...answers404, readinessProbe: get('/ready') }),
      named('web', {
        ...bash(answering(500)),
        env: [{ name: 'PGHOST', value: 'db' }],
        livenessProbe: { ...get('/live'), failureThreshold: 1 },
        readinessProbe: get('/ready'),
      }),
    ],
    root: { of: 'Deployment/db', code: 'READY-142', says: /\/ready on port 8080 answers 404/ },
    waits: { 'Deployment/web': ['Deployment/db'] },
  },
  {
    what: 'a migration without its image, and a program that fails for want of it, by the config',
    objects: [job(container(absent), { name: 'migrate' }), named('web', fails)],
    needs: { 'Deployment/web': ['Job/migrate'] },
    root: { of: 'Job/migrate', code: 'READY-114', says: /no-such-tag/ },
    waits: { 'Deployment/web': ['Job/migrate'] },
  },
  {
    what: 'a database without its image, and a program that lacks a ConfigMap of its own',
    objects: [at('db'), named('db', absent), named('web', { ...needing('db'), ...ofMap })],
    root: { of: 'Deployment/db', code: 'READY-114', says: /no-such-tag/ },
    waits: {},
    own: { 'Deployment/web': 'READY-150' },
  },
  {
    what: 'a Service that does not lead to its database, and a program that fails for want of it',
    objects: [at('db', { app: 'database' }), named('db', bash(answering(200))), named('web', needing('db'))],
    root: { of: 'Deployment/web', code: 'READY-158', says: /^Service\/db selects no pod: it asks for app=database/ },
    waits: {},
  },
]

testChains(() => rig, chains)
