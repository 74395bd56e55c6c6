import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Server } from 'node:net'
import { dirname, join } from 'node:path'
import { describe, expect, inject, test } from 'vitest'
import { app, deployment, imageOf, manifestsOf, serviceOf } from './tools/app.ts'
import { type Ended, type RunOptions, useRig } from './tools/rig.ts'

// Every problem as a person meets it: its code, its words, its exit code, and that nothing was touched where nothing may be.

const project = 't-problems'
const base = app({ project })
const rig = useRig(project, base)
const lab = inject('lab')

type Over = Readonly<Record<string, string | undefined>>

/** A directory with the app in it and other files laid over; undefined leaves a file out. */
function scene(name: string, over: Over = {}): string {
  const directory = directoryOf(name)
  for (const [path, text] of Object.entries({ ...base, ...over })) {
    if (text === undefined) continue
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), text)
  }
  return directory
}

function directoryOf(name: string): string {
  return join(rig.scratch, 'scenes', name.replaceAll(/\W+/g, '-'))
}

/** The app's config with values laid over. */
function config(over: Readonly<Record<string, unknown>>, service: Readonly<Record<string, unknown>> = {}): Over {
  const text = app({ project, config: service, top: over })['devkit.config.json']
  return { 'devkit.config.json': text }
}

/** The app's manifests with values laid over its Deployment's container, and other objects beside them. */
function workload(container: Readonly<Record<string, unknown>>, ...beside: readonly object[]): Over {
  return { 'k8s/app.yaml': manifestsOf(deployment({ project, container }), serviceOf(), ...beside) }
}

/** Every file below a directory with its content. */
function contentOf(directory: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path.slice(directory.length), readFileSync(path, 'utf8')]),
  )
}

interface Expected {
  readonly code: string
  readonly exit: 1 | 2
  /** In the message. */
  readonly says: RegExp
  /** In the hint. */
  readonly hint?: RegExp
  /** In the detail. */
  readonly detail?: RegExp
}

/** Runs devkit and holds that it ends with exactly this one problem, told whole. */
async function provoke(
  args: readonly string[],
  options: RunOptions,
  { code, exit, says, hint, detail }: Expected,
): Promise<Ended> {
  const ended = await rig.end(args, options)
  const failures = ended.problems.filter(({ severity }) => severity === 'failure')
  expect(failures.map((problem) => [problem['code'], problem['message']])).toEqual([[code, expect.stringMatching(says)]])
  expect(ended.code).toBe(exit)
  const [problem] = failures
  expect(problem?.['docs']).toBe(`docs/problems.md#${code.toLowerCase()}`)
  expect(problem?.['hint']).toMatch(hint ?? /\w/)
  if (detail) expect(problem?.['detail']).toMatch(detail)
  // never a stack, neither here nor beside
  expect(`${JSON.stringify(problem)}${ended.stderr}`).not.toMatch(/\n\s+at |node:internal|node_modules/)
  return ended
}

const broken = { 'k8s/broken.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  name: b\n---\na: b: c\n' }
const withoutLab = (settings: object): Over => ({ 'machine.json': JSON.stringify(settings) })
const tools = { ...lab.tools }

interface Refused extends Expected {
  readonly what: string
  readonly over?: Over
  readonly args?: readonly string[]
  /** Takes the scene's own machine.json in place of the lab's. */
  readonly machine?: true
  readonly env?: Readonly<Record<string, string | undefined>>
}

const refused: readonly Refused[] = [
  { what: 'an unknown verb', args: ['upp'], code: 'CONFIG-001', exit: 2, says: /upp/, hint: /up/ },
  { what: 'an unknown flag', args: ['up', '--tiemout', '5m'], code: 'CONFIG-001', exit: 2, says: /--tiemout/, hint: /--timeout/ },
  { what: 'a time that is none', args: ['up', '--timeout', 'soon'], code: 'CONFIG-001', exit: 2, says: /'soon'/ },
  {
    what: 'an environment that cannot be named so',
    args: ['up', '-e', 'Two Words'],
    code: 'CONFIG-001',
    exit: 2,
    says: /Two Words/,
  },
  { what: 'no config', over: { 'devkit.config.json': undefined }, code: 'CONFIG-101', exit: 2, says: /no devkit\.config/ },
  {
    what: 'a config that is not there',
    args: ['up', '--config', 'other.json'],
    code: 'CONFIG-101',
    exit: 2,
    says: /other\.json/,
  },
  {
    what: 'a config that is not JSON',
    over: { 'devkit.config.json': '{\n  "project": "x",\n}' },
    code: 'CONFIG-102',
    exit: 2,
    says: /devkit\.config\.json:3:1: /,
  },
  {
    what: 'a config with a slip in its TypeScript',
    over: { 'devkit.config.json': undefined, 'devkit.config.ts': 'const a = 1\nexport default {\n  project: ,\n}\n' },
    code: 'CONFIG-102',
    exit: 2,
    says: /devkit\.config\.ts:3:1: /,
  },
  {
    what: 'a config that throws',
    over: { 'devkit.config.json': undefined, 'devkit.config.ts': 'const a = 1\nthrow new Error("no " + a)\n' },
    code: 'CONFIG-102',
    exit: 2,
    says: /devkit\.config\.ts:2:7: no 1/,
  },
  {
    what: 'wrong values and names',
    over: {
      'devkit.config.json': undefined,
      'devkit.config.yaml': `project: ${project}\nmanifest: [k8s]\nmanifests: [k8s]\nservices:\n  web:\n    imagge: a\n    ports:\n    - {port: http, host: 99999}\n`,
    },
    code: 'CONFIG-103',
    exit: 2,
    says: /yaml:2:1: manifest: .*'manifests'[\s\S]*yaml:6:5: services\.web\.imagge: .*'image'[\s\S]*yaml:8:26: services\.web\.ports\.0\.host: .*99999/,
  },
  { what: 'an unknown profile', args: ['up', '-p', 'devv'], code: 'CONFIG-104', exit: 2, says: /'devv'/, hint: /dev/ },
  {
    what: 'profiles that extend each other',
    over: config({ profiles: { one: { extends: 'two' }, two: { extends: 'one' } } }),
    args: ['up', '-p', 'one'],
    code: 'CONFIG-104',
    exit: 2,
    says: /one → two → one/,
  },
  {
    what: 'minikube',
    over: config({ cluster: { minikube: {} } }),
    code: 'CONFIG-105',
    exit: 2,
    says: /minikube.*not supported yet/,
  },
  {
    what: 'machine settings with a wrong name',
    over: withoutLab({ engin: 'unix:///x' }),
    machine: true,
    code: 'CONFIG-201',
    exit: 2,
    says: /machine\.json.*engin/,
  },
  { what: 'an unknown service', args: ['up', 'wep'], code: 'PLAN-101', exit: 2, says: /'wep'/, hint: /'web'/ },
  {
    what: 'a dependency that is no service',
    over: config({}, { dependsOn: ['dbb'] }),
    code: 'PLAN-101',
    exit: 2,
    says: /devkit\.config\.json:\d+:\d+: services\.web\.dependsOn\.0: .*'dbb'/,
  },
  { what: 'a loop', over: config({}, { dependsOn: ['web'] }), code: 'PLAN-102', exit: 2, says: /web → web/ },
  {
    what: 'an image in no manifest',
    over: config({}, { image: `${imageOf(project)}b` }),
    code: 'PLAN-104',
    exit: 2,
    says: /webb of web is in no manifest/,
    hint: new RegExp(`${imageOf(project)}\\?`),
  },
  {
    what: 'a port in no manifest',
    over: config({}, { ports: [{ port: 'htp' }] }),
    code: 'PLAN-105',
    exit: 2,
    says: /port htp/,
    hint: /http/,
  },
  {
    what: 'a workload in no manifest',
    over: config({}, { workload: 'Deployment/wep' }),
    code: 'PLAN-106',
    exit: 2,
    says: /Deployment\/wep/,
    hint: /Deployment\/web/,
  },
  {
    what: 'another namespace',
    over: {
      'k8s/other.yaml': '# of somebody else\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: production}\n',
    },
    code: 'PLAN-107',
    exit: 2,
    says: /k8s\/other\.yaml:2: ConfigMap\/a .*production.*t-problems/,
  },
  {
    what: 'manifests that are not YAML, all at once',
    over: broken,
    code: 'RENDER-101',
    exit: 2,
    says: /k8s\/broken\.yaml:5: [\s\S]*k8s\/broken\.yaml:7: /,
  },
  {
    what: 'a manifest that is no object',
    over: { 'k8s/values.yaml': '\nreplicas: 1\n' },
    code: 'RENDER-102',
    exit: 2,
    says: /k8s\/values\.yaml:2: .*apiVersion/,
  },
  { what: 'manifests that are not there', over: config({ manifests: ['k8z'] }), code: 'RENDER-103', exit: 2, says: /k8z/ },
  {
    what: 'an object twice',
    over: { 'k8s/zwei.yaml': manifestsOf(serviceOf()) },
    code: 'RENDER-104',
    exit: 2,
    says: /k8s\/zwei\.yaml:1: Service\/web .*k8s\/app\.yaml:\d+/,
  },
  {
    what: 'a Secret that nothing provides',
    over: workload({ envFrom: [{ secretRef: { name: 'web-env' } }] }),
    code: 'RENDER-201',
    exit: 2,
    says: /k8s\/app\.yaml:\d+: Deployment\/web: Secret web-env is referenced by web\/envFrom, nothing provides it/,
    hint: /`secrets` of the config/,
  },
  {
    what: 'a probe of a port that is not there',
    over: workload({ readinessProbe: { httpGet: { path: '/', port: 'htpp' } } }),
    code: 'RENDER-202',
    exit: 2,
    says: /readinessProbe asks the port htpp/,
    hint: /http\?/,
  },
  {
    what: 'a workload that does not select its own pods',
    over: { 'k8s/app.yaml': manifestsOf(deployment({ project }), serviceOf()).replace('"app": "web"', '"app": "wep"') },
    code: 'RENDER-203',
    exit: 2,
    says: /Deployment\/web: its selector does not fit/,
  },
  {
    what: 'an API version that is gone',
    over: { 'k8s/app.yaml': manifestsOf(deployment({ project }), serviceOf()).replace('apps/v1', 'extensions/v1beta1') },
    code: 'RENDER-204',
    exit: 2,
    says: /k8s\/app\.yaml:2: Deployment\/web: extensions\/v1beta1 is gone since Kubernetes 1\.16/,
    hint: /apiVersion: apps\/v1; spec\.selector/,
  },
  {
    what: 'a kind that nothing brings',
    over: { 'k8s/slip.yaml': 'apiVersion: v1\nkind: ConfigMapp\nmetadata: {name: a}\n' },
    code: 'RENDER-205',
    exit: 2,
    says: /k8s\/slip\.yaml:1: ConfigMapp\/a: Kubernetes has no ConfigMapp in v1/,
    hint: /Did you mean ConfigMap\?/,
  },
  {
    what: 'no Dockerfile',
    over: { 'app/Dockerfile': undefined },
    code: 'BUILD-101',
    exit: 2,
    says: /no Dockerfile in app/,
    hint: /services\.web\.build\.dockerfile/,
  },
  { what: 'no build context', over: config({}, { build: { context: 'appp' } }), code: 'BUILD-103', exit: 2, says: /appp/ },
  {
    what: 'no engine',
    env: { DOCKER_HOST: 'unix:///nowhere/docker.sock' },
    code: 'ENGINE-101',
    exit: 1,
    says: /unix:\/\/\/nowhere\/docker\.sock/,
    hint: /Start it/,
  },
  {
    what: 'no kind program',
    over: withoutLab({ engine: lab.engine }),
    machine: true,
    env: { PATH: '/usr/bin:/bin' },
    code: 'CLUSTER-101',
    exit: 1,
    says: /kind/,
    hint: /tools\.kind/,
  },
]

describe('refused before anything is touched', () => {
  test.each(refused)('$what: $code', async ({ what, over, args = ['up'], machine, env, ...expected }) => {
    const directory = scene(what, over)
    const before = contentOf(directory)
    await provoke(
      args,
      { cwd: directory, env: { ...env, ...(machine && { DEVKIT_MACHINE: join(directory, 'machine.json') }) } },
      expected,
    )
    if (expected.exit === 2) expect(contentOf(directory)).toEqual(before)
    expect(rig.leftInEngine().filter((name) => !name.startsWith('image'))).toEqual([])
  })

  test('as a person reads it: code, place, what to do, and no stack', () => {
    const { code, stdout, stderr } = rig.text(['up'], { cwd: scene('as text', broken) })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/RENDER-101[\s\S]*k8s\/broken\.yaml:5: [\s\S]*→ Mend the YAML/)
    expect(stderr).not.toMatch(/\n\s+at /)
  })
})

describe('a machine that does not play along', () => {
  test('an engine that refuses this user: ENGINE-102', async () => {
    const directory = scene('another user', withoutLab({ engine: lab.engine }))
    chmodSync(rig.scratch, 0o755)
    const home = join(rig.scratch, 'another-home')
    mkdirSync(home)
    chownSync(home, 65534, 65534)
    const env = { DEVKIT_MACHINE: join(directory, 'machine.json'), HOME: home, TMPDIR: home }
    await provoke(
      ['up'],
      { cwd: directory, env, uid: 65534 },
      { code: 'ENGINE-102', exit: 1, says: /may not use/, hint: /group/ },
    )
  })

  test('an engine that fails: ENGINE-103', async () => {
    const socket = join(rig.scratch, 'broken.sock')
    const server = createHttpServer((_, response) => {
      response.writeHead(500, { 'content-type': 'application/json' }).end('{"message":"its disk is full"}')
    })
    await listening(server, socket)
    try {
      await provoke(
        ['up'],
        { env: { DOCKER_HOST: `unix://${socket}` } },
        { code: 'ENGINE-103', exit: 1, says: /its disk is full/ },
      )
    } finally {
      server.close()
    }
  })

  test('a port that is taken: PORT-101, with its holder', async () => {
    const server = createServer()
    await listening(server, 0)
    const { port } = server.address() as { port: number }
    try {
      const over = config({}, { ports: [{ port: 'http', host: port }] })
      await provoke(['up'], { cwd: scene('port taken', over) }, { code: 'PORT-101', exit: 1, says: new RegExp(`${port}`) })
    } finally {
      server.close()
    }
  })

  test('a node image that cannot be had: CLUSTER-106', async () => {
    const over = config({ cluster: { kind: { nodeImage: 'registry.example.com/no-node:1' } } })
    await provoke(
      ['up'],
      { cwd: scene('no node image', over) },
      { code: 'CLUSTER-106', exit: 1, says: /registry\.example\.com\/no-node:1|cannot be pulled/, detail: /no-node/ },
    )
    expect(rig.leftInEngine().filter((name) => !name.startsWith('image'))).toEqual([])
  })

  test('a node image that is none: CLUSTER-102, with kind’s last lines', async () => {
    // an image with nothing in it: its container cannot even start
    const empty = join(rig.scratch, 'empty.tar')
    execFileSync('tar', ['-cf', empty, '-T', '/dev/null'])
    const nodeImage = `${project}-empty:1`
    rig.docker('import', empty, nodeImage)
    try {
      await provoke(
        ['up'],
        { cwd: scene('wrong node image', config({ cluster: { kind: { nodeImage } } })) },
        { code: 'CLUSTER-102', exit: 1, says: /could not be created/, detail: /ERROR: failed to create cluster/ },
      )
    } finally {
      rig.docker('rmi', nodeImage)
    }
    expect(rig.leftInEngine().filter((name) => !name.startsWith('image'))).toEqual([])
  })

  test('a cluster of that name that is not devkit’s: CLUSTER-103, and it stays', async () => {
    const name = `${rig.cluster}-control-plane`
    rig.docker(
      'run',
      '-d',
      '--name',
      name,
      '--label',
      `io.x-k8s.kind.cluster=${rig.cluster}`,
      'debian:bookworm-slim',
      'sleep',
      '600',
    )
    try {
      await provoke(['up'], {}, { code: 'CLUSTER-103', exit: 1, says: /was not made by devkit/, hint: /kind delete cluster/ })
      expect(rig.docker('inspect', '-f', '{{.State.Running}}', name)).toBe('true\n')
    } finally {
      rig.docker('rm', '-f', name)
    }
  })
})

function listening(server: Server, at: string | number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    if (typeof at === 'string') server.listen(at, resolve)
    else server.listen(at, '127.0.0.1', resolve)
  })
}

/** What lets a program make objects of a kind: they may be missing at first. */
function mayCreate(resource: string): object {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'maker' },
    rules: [{ apiGroups: [''], resources: [resource], verbs: ['create'] }],
  }
}

/** A Deployment of the app's image without the app: no Service, no probe. */
function plainWorkload(
  name: string,
  container: Readonly<Record<string, unknown>>,
  pod: Readonly<Record<string, unknown>> = {},
): object {
  const labels = { app: name }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 0,
          ...pod,
          containers: [{ name: 'main', image: `${imageOf(project)}:1`, ...container }],
        },
      },
    },
  }
}

/** A scene of one workload in an environment of its own. */
function alone(env: string, ...objects: readonly object[]): RunOptions {
  const service = { image: imageOf(project), build: { context: 'app' } }
  const text = JSON.stringify({ project, manifests: ['k8s'], services: { web: service } })
  return { cwd: scene(`alone ${env}`, { 'devkit.config.json': text, 'k8s/app.yaml': manifestsOf(...objects) }) }
}

interface NeverReady extends Expected {
  readonly env: string
  readonly what: string
  readonly objects: readonly object[]
  readonly args?: readonly string[]
}

const sh = (script: string) => ({ command: ['sh', '-c', script] })
const neverReady: readonly NeverReady[] = [
  {
    env: 'crash',
    what: 'a program that ends with an error',
    objects: [plainWorkload('web', sh('echo no database here >&2; exit 3'))],
    code: 'READY-101',
    exit: 1,
    says: /container main of Deployment\/web ends with 3 again/,
    detail: /no database here/,
  },
  {
    env: 'ends',
    what: 'a program that ends at once, well',
    objects: [plainWorkload('web', sh('echo all done'))],
    code: 'READY-123',
    exit: 1,
    says: /ends with 0 again/,
    hint: /Job/,
    detail: /all done/,
  },
  {
    env: 'slow',
    what: 'a probe that never says yes',
    objects: [
      plainWorkload('web', {
        ...sh('echo warming up; exec sleep 600'),
        readinessProbe: { exec: { command: ['sh', '-c', 'echo still cold; exit 1'] }, periodSeconds: 1 },
      }),
    ],
    args: ['--timeout', '25s'],
    code: 'READY-102',
    exit: 1,
    // with what its probe says, on a machine that gets so far in time
    says: /Deployment\/web is not ready in time: 0 of 1 pods are ready\./,
    detail: /warming up/,
  },
  {
    env: 'job',
    what: 'a Job that fails',
    objects: [
      {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name: 'migrate' },
        spec: {
          backoffLimit: 0,
          template: {
            spec: {
              restartPolicy: 'OnFailure',
              containers: [{ name: 'main', image: `${imageOf(project)}:1`, ...sh('echo no such table; exit 4') }],
            },
          },
        },
      },
    ],
    code: 'READY-200',
    exit: 1,
    says: /Job\/migrate failed as often as it may \(backoffLimit 0\): its container main ended with 4/,
    detail: /no such table/,
  },
  {
    env: 'image',
    what: 'an image that is nowhere',
    objects: [plainWorkload('web', {}), plainWorkload('other', { image: 'registry.example.com/nobody/nothing:1' })],
    code: 'READY-111',
    exit: 1,
    says: /registry\.example\.com\/nobody\/nothing:1 of Deployment\/other cannot be pulled: the registry registry\.example\.com cannot be reached/,
  },
  {
    env: 'big',
    what: 'a pod that no node can take',
    objects: [plainWorkload('web', { resources: { requests: { memory: '4Ti' } } })],
    code: 'READY-177',
    exit: 1,
    says: /No node has the [\d.]+Gi of memory that a pod of Deployment\/web asks for/,
  },
  {
    env: 'secret',
    what: 'a Secret that is missing',
    objects: [
      plainWorkload('web', { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'nothing', key: 'a' } } }] }),
      mayCreate('secrets'),
    ],
    code: 'READY-151',
    exit: 1,
    says: /Deployment\/web cannot start: there is no Secret nothing, which .* refers to/,
    hint: /Add Secret\/nothing to the manifests.*\(k8s\/app\.yaml:\d+\)/,
    detail: /Secrets in the namespace: /,
  },
  {
    env: 'mount',
    what: 'a ConfigMap that is to be mounted and missing',
    objects: [
      plainWorkload(
        'web',
        { volumeMounts: [{ name: 'c', mountPath: '/c' }] },
        { volumes: [{ name: 'c', configMap: { name: 'nowhere' } }] },
      ),
      mayCreate('configmaps'),
    ],
    code: 'READY-150',
    exit: 1,
    says: /Deployment\/web cannot start: there is no ConfigMap nowhere, which .* refers to/,
  },
  {
    env: 'account',
    what: 'a ServiceAccount that is missing',
    objects: [plainWorkload('web', {}, { serviceAccountName: 'nobody' }), mayCreate('serviceaccounts')],
    code: 'READY-153',
    exit: 1,
    says: /Deployment\/web.* ServiceAccount nobody/,
  },
]

const inNamespace = (env: string, ...args: readonly string[]): string => rig.kubectl('-n', `${project}-${env}`, ...args)

describe('on a cluster', () => {
  test('the app is up, and a second up changes nothing', async () => {
    const first = await rig.end(['up'])
    expect(first.problems).toEqual([])
    expect(first.code).toBe(0)
    const { urls } = first.events.at(-1) as unknown as { urls: { web: string } }
    await rig.fetchSaying(urls.web, 'the first page')
    const second = await rig.end(['up'])
    expect(second.events.filter(({ type, outcome }) => type === 'object' && outcome !== 'unchanged')).toEqual([])
  })

  test('what production asks of many nodes runs on one under dev, and what is left out is told', async () => {
    const term = { labelSelector: { matchLabels: { app: 'web' } }, topologyKey: 'topology.kubernetes.io/zone' }
    const pod = {
      affinity: {
        podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] },
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'pool', operator: 'In', values: ['web'] }] }],
          },
        },
      },
      nodeSelector: { pool: 'web' },
      priorityClassName: 'high',
      runtimeClassName: 'gvisor',
      tolerations: [{ key: 'web', operator: 'Exists' }],
      topologySpreadConstraints: [{ ...term, maxSkew: 1, minDomains: 3, whenUnsatisfiable: 'DoNotSchedule' }],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }],
    }
    const container = {
      ...sh('exec sleep infinity'),
      startupProbe: { exec: { command: ['true'] }, initialDelaySeconds: 30, periodSeconds: 30 },
      lifecycle: { preStop: { exec: { command: ['sleep', '25'] } } },
      resources: { requests: { cpu: '64', memory: '256Mi' }, limits: { cpu: '64', memory: '256Mi', 'nvidia.com/gpu': 1 } },
      volumeMounts: [{ name: 'data', mountPath: '/data' }],
    }
    const spec = { accessModes: ['ReadWriteMany'], storageClassName: 'nfs', resources: { requests: { storage: '4Ti' } } }
    const metadata = { name: 'web' }
    const scaled = { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, minReplicas: 3, maxReplicas: 9 }
    const options = alone(
      'many',
      plainWorkload('web', container, pod),
      { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data' }, spec },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata,
        spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Local', selector: { app: 'web' }, ports: [{ port: 80 }] },
      },
      { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', metadata, spec: scaled },
      { apiVersion: 'monitoring.coreos.com/v1', kind: 'ServiceMonitor', metadata, spec: {} },
      {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name: 'seed' },
        spec: {
          template: {
            spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: `${imageOf(project)}:1`, ...sh('exit 1') }] },
          },
        },
      },
    )
    const set = [
      'profiles.dev.requests=0.001',
      'profiles.dev.skip.Job/seed=its database is elsewhere',
      'profiles.dev.images.nothing=x',
      'services.seed.workload=Job/seed',
      'services.web.dependsOn=[seed]',
    ].flatMap((value) => ['--set', value])
    const { code, events, problems } = await rig.end(['up', '-e', 'many', ...set], options)
    expect({ code, problems }).toEqual({ code: 0, problems: [] })
    const said = events.filter(({ type }) => type === 'action').map(({ reason }) => reason)
    expect(said).toContain(
      'HorizontalPodAutoscaler/web left out: there is one pod of each (dev (shipped): skip.HorizontalPodAutoscaler)',
    )
    expect(said).toContain(
      'ServiceMonitor/web left out: a new cluster has no kind ServiceMonitor of monitoring.coreos.com (dev (shipped): foreignKinds)',
    )
    expect(said).toContain('Job/seed left out: its database is elsewhere (dev: skip.Job/seed)')
    expect(said).toContain('dev: images.nothing fits nothing in the manifests')
    expect(rig.query(['status', '-e', 'many', ...set], options)).toMatchObject({ services: [{ name: 'web', ready: true }] })
    expect(inNamespace('many', 'get', 'service', 'web', '-o', 'jsonpath={.spec.type}')).toBe('ClusterIP')
  })

  test('what never becomes ready, each in an environment of its own, is told as soon as time cannot mend it', async () => {
    const began = Date.now()
    const results = await Promise.all(
      neverReady.map(async ({ env, what, objects, args = [], ...expected }) =>
        provoke(['up', '-e', env, ...args], alone(env, ...objects), expected).then(
          () => undefined,
          (thrown: unknown) => `${what}: ${String(thrown)}`,
        ),
      ),
    )
    expect(results.filter((result) => result !== undefined)).toEqual([])
    expect(Date.now() - began).toBeLessThan(90_000)
  })

  test('a rollout that fails is told although the one before still serves, and the one after it is not blamed for it', async () => {
    const crash = await provoke(
      ['up'],
      { cwd: changed(workload({ ...sh('echo worse; exit 5'), readinessProbe: undefined })) },
      {
        code: 'READY-101',
        exit: 1,
        says: /ends with 5/,
        detail: /worse/,
      },
    )
    expect(crash.events.filter(({ type }) => type === 'service.ready')).toEqual([])
    const good = await rig.end(['up'], { cwd: changed({}) })
    expect(good.problems).toEqual([])
  })

  test('a Job that failed runs again with the next up', async () => {
    const options = alone('again', {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'migrate' },
      spec: {
        backoffLimit: 0,
        template: {
          spec: {
            restartPolicy: 'Never',
            containers: [
              {
                name: 'main',
                image: `${imageOf(project)}:1`,
                ...sh('test "$READY" = yes'),
                env: [{ name: 'READY', valueFrom: { configMapKeyRef: { name: 'state', key: 'ready', optional: true } } }],
              },
            ],
          },
        },
      },
    })
    await provoke(['up', '-e', 'again'], options, { code: 'READY-200', exit: 1, says: /Job\/migrate failed/ })
    inNamespace('again', 'create', 'configmap', 'state', '--from-literal=ready=yes')
    const second = await rig.end(['up', '-e', 'again'], options)
    expect(second.problems).toEqual([])
  })

  test('refusals of the API server: each with its line, all at once, before the first write', async () => {
    const over = {
      'k8s/wrong.yaml': [
        'apiVersion: apps/v1',
        'kind: Deployment',
        'metadata: {name: second}',
        'spec:',
        '  replicas: 1',
        '  selector: {matchLabels: {app: second}}',
        '  template:',
        '    metadata: {labels: {app: second}}',
        '    spec:',
        '      containers:',
        '      - name: main',
        '        imagee: debian:bookworm-slim',
        '---',
        'apiVersion: v1',
        'kind: ConfigMap',
        'metadata:',
        '  name: numbers',
        'data:',
        '  port: 80',
        '---',
        'apiVersion: v1',
        'kind: Service',
        'metadata: {name: far}',
        'spec:',
        '  ports:',
        '  - port: 99999',
        '---',
        'apiVersion: apps/v1beta1',
        'kind: Deployment',
        'metadata: {name: ancient}',
        'spec: {template: {spec: {containers: [{name: main}]}}}',
        '',
      ].join('\n'),
    }
    const before = live()
    const { problems } = await provoke(
      ['up'],
      { cwd: changed(over) },
      {
        code: 'APPLY-101',
        exit: 2,
        says: /k8s\/wrong\.yaml:12: Deployment\/second: .*imagee: unknown field; did you mean 'image'\?[\s\S]*wrong\.yaml:19: ConfigMap\/numbers: data\.port: [\s\S]*wrong\.yaml:26: Service\/far: spec\.ports\[0\]\.port: [\s\S]*APPLY-103 k8s\/wrong\.yaml:28: .*apps\/v1beta1/,
        hint: /apiVersion: apps\/v1\./,
      },
    )
    // what takes the place of an old API the cluster does not say
    expect(problems).toMatchObject([
      { code: 'RENDER-204', hint: expect.stringContaining('spec.selector') },
      { severity: 'failure' },
    ])
    expect(live()).toEqual(before)
  })

  test('the same in an environment that does not exist yet: its namespace is not made', async () => {
    const options = alone(
      'fresh',
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, dat: {} },
      plainWorkload('web', {}),
    )
    await provoke(['up', '-e', 'fresh'], options, {
      code: 'APPLY-101',
      exit: 2,
      says: /k8s\/app\.yaml:7: ConfigMap\/a: dat: unknown field; did you mean 'data'\?$/,
    })
    expect(rig.kubectl('get', 'namespace', `${project}-fresh`, '--ignore-not-found')).toBe('')
  })

  test('a kind that the cluster does not know: APPLY-103', async () => {
    const over = { 'k8s/kind.yaml': 'apiVersion: v1\nkind: ConfigMapp\nmetadata: {name: a}\n' }
    await provoke(
      ['up'],
      { cwd: changed(over) },
      { code: 'APPLY-103', exit: 2, says: /kind\.yaml:1: .*ConfigMapp in v1/, hint: /ConfigMap\?/ },
    )
  })

  test('what somebody put into the cluster by hand is not missed, what nobody did is: RENDER-201', async () => {
    const over = workload({ envFrom: [{ secretRef: { name: 'by-hand' } }] })
    const before = live()
    const missing = { code: 'RENDER-201', exit: 2, says: /Secret by-hand is referenced by web\/envFrom/ } as const
    await provoke(['up'], { cwd: changed(over) }, missing)
    expect(live()).toEqual(before)
    rig.kubectl('create', 'secret', 'generic', 'by-hand', '--from-literal=A=1')
    expect((await rig.end(['up'], { cwd: changed(over) })).problems).toEqual([])
  })

  test('a cluster of another version than the config says is told: CLUSTER-112', async () => {
    const { problems, code } = await rig.end(['up'], { cwd: changed(config({ kubernetes: '1.29' })) })
    expect(problems).toMatchObject([
      { code: 'CLUSTER-112', severity: 'warning', message: expect.stringMatching(/v1\.34.*1\.29/) },
    ])
    expect(code).toBe(0)
  })

  test('a kind that the manifests bring is there before its objects', async () => {
    const crd = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'lamps.t-problems.example.com' },
      spec: {
        group: 't-problems.example.com',
        scope: 'Namespaced',
        names: { kind: 'Lamp', plural: 'lamps' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: {
                type: 'object',
                properties: { spec: { type: 'object', properties: { on: { type: 'boolean' } } } },
              },
            },
          },
        ],
      },
    }
    const lamp = { apiVersion: 't-problems.example.com/v1', kind: 'Lamp', metadata: { name: 'desk' }, spec: { on: true } }
    const { problems } = await rig.end(['up'], { cwd: changed({ 'k8s/lamp.yaml': manifestsOf(lamp, crd) }) })
    expect(problems).toEqual([])
    expect(rig.kubectl('get', 'lamp', 'desk', '-o', 'jsonpath={.spec.on}')).toBe('true')
  })

  test('what a person changed is put right and said; what kubectl applied is taken over', async () => {
    rig.kubectl('patch', 'deployment/web', '--type=merge', '-p', '{"spec":{"replicas":0}}')
    const { problems, events } = await rig.end(['up'], { cwd: changed({}) })
    expect(problems).toEqual([])
    expect(
      events.filter(
        ({ type, reason }) => type === 'action' && String(reason).includes('.spec.replicas, changed by kubectl-patch,'),
      ),
    ).toHaveLength(1)
    expect(rig.kubectl('get', 'deployment/web', '-o', 'jsonpath={.spec.replicas}')).toBe('1')
    // scaling leaves no owner behind
    rig.kubectl('scale', 'deployment/web', '--replicas=0')
    expect((await rig.end(['up'], { cwd: changed({}) })).problems).toEqual([])
    expect(rig.kubectl('get', 'deployment/web', '-o', 'jsonpath={.spec.replicas}')).toBe('1')

    const configMap = (data: object): object => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data })
    rig.kubectlWith(JSON.stringify(configMap({ kept: '1', gone: '1' })), 'apply', '-f', '-')
    const over = { 'k8s/settings.yaml': manifestsOf(configMap({ kept: '2' })) }
    expect((await rig.end(['up'], { cwd: changed(over) })).problems).toEqual([])
    expect(JSON.parse(rig.kubectl('get', 'configmap', 'settings', '-o', 'jsonpath={.data}'))).toEqual({ kept: '2' })
  })

  test('a field that a controller owns: APPLY-102 by field and manager', async () => {
    const patch = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec: { replicas: 2 } }
    rig.kubectlWith(JSON.stringify(patch), 'apply', '--server-side', '--force-conflicts', '--field-manager=autoscaler', '-f', '-')
    const before = live()
    await provoke(
      ['up'],
      { cwd: changed({}) },
      {
        code: 'APPLY-102',
        exit: 1,
        says: /k8s\/app\.yaml:\d+: Deployment\/web: \.spec\.replicas is owned by autoscaler/,
        hint: /autoscaler/,
      },
    )
    expect(live()).toEqual(before)
    // the owner lets go
    rig.kubectlWith(JSON.stringify({ ...patch, spec: {} }), 'apply', '--server-side', '--field-manager=autoscaler', '-f', '-')
    expect((await rig.end(['up'], { cwd: changed({}) })).problems).toEqual([])
  })

  test('a field that is fixed for life: APPLY-105, before the first write', async () => {
    const pvc = (volumeMode: string): object => ({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data' },
      spec: { accessModes: ['ReadWriteOnce'], volumeMode, resources: { requests: { storage: '1Mi' } } },
    })
    expect((await rig.end(['up'], { cwd: changed({ 'k8s/data.yaml': manifestsOf(pvc('Filesystem')) }) })).problems).toEqual([])
    const before = live()
    await provoke(
      ['up'],
      { cwd: changed({ 'k8s/data.yaml': manifestsOf(pvc('Block')) }) },
      {
        code: 'APPLY-105',
        exit: 1,
        says: /k8s\/data\.yaml:1: PersistentVolumeClaim\/data has to be made anew, .*all that is in its volume goes/,
        hint: /--recreate-data/,
      },
    )
    expect(live()).toEqual(before)
  })

  test('what left the manifests goes, what holds data stays, and what somebody else has taken over is let go', async () => {
    const extra = (name: string): object => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } })
    const over = { 'k8s/extra.yaml': manifestsOf(extra('extra'), extra('taken')) }
    expect((await rig.end(['up'], { cwd: changed(over) })).problems).toEqual([])
    rig.kubectl('label', 'configmap', 'taken', 'devkit.dev/env-')
    const { problems, events } = await rig.end(['up'], { cwd: changed({}) })
    expect(problems).toEqual([])
    const told = events.filter(({ type, outcome }) => type === 'object' && (outcome === 'pruned' || outcome === 'kept'))
    // a definition of an earlier test is kept too
    const ofThis = told.filter(({ kind }) => kind !== 'CustomResourceDefinition')
    expect(ofThis.map(({ kind, name, outcome }) => `${kind}/${name} ${outcome}`).sort()).toEqual([
      'ConfigMap/extra pruned',
      'PersistentVolumeClaim/data kept',
    ])
    expect(rig.kubectl('get', 'configmap', 'extra', '--ignore-not-found')).toBe('')
    expect(rig.kubectl('get', 'configmap', 'taken', '-o', 'name')).toBe('configmap/taken\n')
    expect(rig.kubectl('get', 'persistentvolumeclaim', 'data', '-o', 'name')).toBe('persistentvolumeclaim/data\n')
  })

  test('a webhook that is not there: APPLY-106 with its name and its configuration', async () => {
    const hook = {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name: 't-problems' },
      webhooks: [
        {
          name: 'no.t-problems.example.com',
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
          failurePolicy: 'Fail',
          timeoutSeconds: 1,
          clientConfig: { url: 'https://127.0.0.1:1/' },
          rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['services'] }],
        },
      ],
    }
    rig.kubectlWith(JSON.stringify(hook), 'apply', '-f', '-')
    // what is there already is not asked for
    const outside = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'outside' } }
    const another = manifestsOf({ ...outside, spec: { type: 'ExternalName', externalName: 'example.com' } })
    try {
      await provoke(
        ['up'],
        { cwd: changed({ 'k8s/outside.yaml': another }) },
        {
          code: 'APPLY-106',
          exit: 1,
          says: /Service\/outside: .*no\.t-problems\.example\.com.*ValidatingWebhookConfiguration\/t-problems/s,
        },
      )
    } finally {
      rig.kubectl('delete', 'validatingwebhookconfiguration', 't-problems')
    }
  })

  test('a build that fails: BUILD-102 with its place and last lines; the app that runs goes on', async () => {
    const over = { 'app/Dockerfile': 'FROM debian:bookworm-slim\nRUN echo about to fail && exit 7\n' }
    await provoke(
      ['up'],
      { cwd: changed(over) },
      {
        code: 'BUILD-102',
        exit: 1,
        says: /image of web does not build: .*exit code: 7.*Dockerfile:2/,
        detail: /about to fail/,
      },
    )
    expect(rig.kubectl('get', 'deployment/web', '-o', 'jsonpath={.status.readyReplicas}')).toBe('1')
  })

  test('no buildx program: BUILD-104', async () => {
    const directory = changed({
      'app/src/page.txt': 'a page that is not built\n',
      ...withoutLab({ engine: lab.engine, tools: { ...tools, buildx: '/nowhere/buildx' } }),
    })
    const env = { DEVKIT_MACHINE: join(directory, 'machine.json') }
    await provoke(['up'], { cwd: directory, env }, { code: 'BUILD-104', exit: 1, says: /buildx/, hint: /tools\.buildx/ })
  })

  test('an image that cannot be delivered: IMAGE-101', async () => {
    rig.docker('exec', rig.node, 'sh', '-c', 'p=$(command -v ctr); mv "$p" "$p.away"; echo "$p" > /tmp/ctr-was')
    try {
      const over = { 'app/src/page.txt': 'a page that does not arrive\n' }
      await provoke(['up'], { cwd: changed(over) }, { code: 'IMAGE-101', exit: 1, says: /ctr/ })
    } finally {
      rig.docker('exec', rig.node, 'sh', '-c', 'p=$(cat /tmp/ctr-was); mv "$p.away" "$p"')
    }
  })

  test('no host port is left for a service: PORT-102', async () => {
    const ports = Array.from({ length: 40 }, (_, index) => ({ name: `p${index}`, port: 1000 + index, targetPort: 'http' }))
    const service = {
      ...serviceOf(),
      spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }, ...ports] },
    }
    const over = {
      ...config({}, { ports: [{ port: 'http' }, ...ports.map(({ name }) => ({ port: name }))] }),
      'k8s/app.yaml': manifestsOf(deployment({ project }), service),
    }
    await provoke(['up'], { cwd: changed(over) }, { code: 'PORT-102', exit: 1, says: /host port/ })
  })

  test('another directory: PLAN-103, and where the environment is held', async () => {
    await provoke(
      ['up'],
      { cwd: scene('another directory') },
      { code: 'PLAN-103', exit: 2, says: new RegExp(rig.directory), hint: /--env/ },
    )
  })

  test('a kubeconfig of the cluster that is spoilt: CLUSTER-104', async () => {
    const kubeconfig = join(rig.scratch, 'home/.local/state/devkit/clusters', rig.cluster, 'kubeconfig')
    const text = readFileSync(kubeconfig, 'utf8')
    writeFileSync(kubeconfig, '{')
    try {
      await provoke(['up'], { cwd: changed({}) }, { code: 'CLUSTER-104', exit: 1, says: /kubeconfig/ })
    } finally {
      writeFileSync(kubeconfig, text)
    }
  })

  test('a cluster that cannot be removed: CLUSTER-105, and a down that can leaves nothing', async () => {
    // all at once: each down would wait for its own
    const envs = [...neverReady.map(({ env }) => env), 'again', 'fresh', 'many'].filter((env) =>
      existsSync(directoryOf(`alone ${env}`)),
    )
    if (envs.length > 0) rig.kubectl('delete', 'namespace', '--ignore-not-found', ...envs.map((env) => `${project}-${env}`))
    const downs = await Promise.all(
      envs.map((env) => rig.end(['down', '-e', env, '--yes'], { cwd: directoryOf(`alone ${env}`) })),
    )
    expect(downs.flatMap(({ problems }) => problems)).toEqual([])
    const kind = join(rig.scratch, 'kind')
    writeFileSync(kind, '#!/bin/sh\necho "ERROR: failed to delete nodes" >&2\nexit 1\n', { mode: 0o755 })
    const machine = join(rig.scratch, 'machine.json')
    writeFileSync(machine, JSON.stringify({ ...lab, tools: { ...tools, kind } }))
    await provoke(
      ['down', '--yes'],
      { cwd: changed({}), env: { DEVKIT_MACHINE: machine } },
      { code: 'CLUSTER-105', exit: 1, says: /could not be removed/, detail: /failed to delete nodes/ },
    )
    const { problems } = await rig.end(['down', '--yes'])
    expect(problems).toEqual([])
    expect(rig.leftInEngine()).toEqual([])
    expect(rig.processes()).toEqual([])
    expect(existsSync(join(rig.scratch, 'home/.local/state/devkit/clusters', rig.cluster))).toBe(false)
  })
})

/** The rig's own directory with the app in it, other files laid over, and nothing else. */
function changed(over: Over): string {
  for (const path of ['app', 'k8s', 'devkit.config.json', 'machine.json'])
    rmSync(join(rig.directory, path), { recursive: true, force: true })
  rig.writeAll(
    Object.fromEntries(Object.entries({ ...base, ...over }).filter((entry): entry is [string, string] => entry[1] !== undefined)),
  )
  return rig.directory
}

/** Every object of the environment with the version of what was written: equal means that nothing was. Controllers write status only. */
function live(): readonly string[] {
  const kinds = 'deployments,services,configmaps,secrets,jobs,persistentvolumeclaims'
  const { items } = JSON.parse(rig.kubectl('get', kinds, '-o', 'json')) as {
    readonly items: readonly { kind: string; metadata: { name: string; generation?: number; resourceVersion: string } }[]
  }
  return items
    .map(({ kind, metadata }) => `${kind}/${metadata.name} ${metadata.generation ?? `at ${metadata.resourceVersion}`}`)
    .sort()
}
