import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import type { Doctor } from '../../src/events/doctor.ts'
import { capabilitiesOf } from '../../src/render/capabilities.ts'
import { readManifests } from '../../src/render/read.ts'
import { corpus, huge, printedObjects } from '../fixtures/corpus.ts'
import { clockApart } from '../lab/clock.ts'
import { app, imageOf, manifestsOf } from './tools/app.ts'
import type { AnyEvent } from './tools/devkit.ts'
import { useRig } from './tools/rig.ts'

// The life of an environment, step after step: each test begins where the one before it ended.

const project = 't-life'
const rig = useRig(project, {
  ...app({ project, config: { workload: 'Deployment/web' } }),
  'k8s/store.yaml': manifestsOf({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'store' },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: 'store' } },
      template: {
        metadata: { labels: { app: 'store' } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'store',
              image: `${imageOf(project)}:1.0`,
              command: ['sh', '-c', 'date > /data/written; exec sleep infinity'],
              volumeMounts: [{ name: 'data', mountPath: '/data' }],
            },
          ],
        },
      },
      volumeClaimTemplates: [
        {
          metadata: { name: 'data' },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '64Mi' } } },
        },
      ],
    },
  }),
})

/** The service that the config names, and the one that the manifests have beside it. */
const both = (ready: boolean) => [
  { name: 'web', ready },
  { name: 'store', ready },
]
const kubeconfig = (): string => join(rig.scratch, 'home/.kube/config')
const userKubeconfig =
  '# mine\napiVersion: v1\nkind: Config\ncurrent-context: work\nclusters:\n- {name: work, cluster: {server: "https://127.0.0.1:1"}}\ncontexts:\n- {name: work, context: {cluster: work, user: me}}\nusers:\n- {name: me, user: {}}\n'
const stateDirectory = (): string => join(rig.scratch, 'home/.local/state/devkit')
const ports = (): unknown =>
  JSON.parse(readFileSync(join(stateDirectory(), 'clusters', rig.cluster, 'ports.json'), 'utf8')).mappings
const reasons = (events: readonly AnyEvent[]): readonly string[] =>
  events.filter(({ type }) => type === 'action').map(({ reason }) => String(reason))
const saysOf = (events: readonly AnyEvent[], pattern: RegExp): boolean => reasons(events).some((reason) => pattern.test(reason))
const urlOf = (events: readonly AnyEvent[]): string =>
  String((events.find(({ type }) => type === 'run.finished')?.['urls'] as { web?: string } | undefined)?.web)
/** Everything below the rig's home and temp directory but the caches of other programs. */
const files = (): readonly string[] =>
  ['home', 'tmp']
    .flatMap((name) => readdirSync(join(rig.scratch, name), { recursive: true, encoding: 'utf8' }))
    .filter((path) => !/^\.docker|^node-compile-cache|^\.cache/.test(path))
    .sort()

/** Nothing of the environment is anywhere. */
function expectNothingLeft(): void {
  expect(rig.leftInEngine()).toEqual([])
  expect(rig.processes()).toEqual([])
  expect(readFileSync(kubeconfig(), 'utf8')).toBe(userKubeconfig)
  expect(files()).toEqual(['.kube', '.kube/config', '.local', '.local/state'])
}

test.each([
  ['SIGINT', 'Preparing nodes'],
  ['SIGTERM', 'Starting control-plane'],
  ['SIGHUP', 'Starting control-plane'],
] as const)('%s while kind says "%s" cleans up what was begun', async (signal, line) => {
  mkdirSync(dirname(kubeconfig()), { recursive: true })
  writeFileSync(kubeconfig(), userKubeconfig)
  await using run = rig.start(['up'])
  await run.next('step.output', (event) => String(event['line']).includes(line))
  run.kill(signal)
  expect(await run.exited).toBe(130)
  expect(run.events.filter(({ type }) => type === 'problem')).toEqual([])
  // images that were built meanwhile are kept for the next run; no node, no state
  expect(rig.leftInEngine().filter((each) => !each.startsWith('image'))).toEqual([])
  expect((await rig.end(['down'])).code).toBe(0)
  expectNothingLeft()
})

test('--timeout bounds the whole run, says what was still waited for and cleans up', async () => {
  const { code, problems } = await rig.end(['up', '--timeout', '6s'])
  expect(code).toBe(1)
  expect(problems).toMatchObject([{ code: 'INTERNAL-002', message: expect.stringMatching(/--timeout 6s; .*cluster/) }])
  expect((await rig.end(['down'])).code).toBe(0)
  expectNothingLeft()
})

test('a run that is killed while it makes the cluster is mended by the next, on the same ports', async () => {
  {
    await using run = rig.start(['up'])
    await run.next('step.output', ({ line }) => String(line).includes('Starting control-plane'))
    run.kill('SIGKILL')
    await run.exited
  }
  const before = ports()
  expect(rig.query(['status'])).toMatchObject({ cluster: { state: 'making' }, services: both(false) })
  const { code, events, problems } = await rig.end(['up'])
  expect({ code, problems }).toEqual({ code: 0, problems: [] })
  expect(saysOf(events, /made anew/)).toBe(true)
  expect(ports()).toEqual(before)
  // images do not wait for the cluster
  const at = (type: string, step: string): number => events.findIndex((event) => event.type === type && event['step'] === step)
  expect(at('step.started', 'deliver/web')).toBeGreaterThan(0)
  expect(at('step.started', 'deliver/web')).toBeLessThan(at('step.finished', 'cluster'))
  await rig.fetchSaying(urlOf(events), 'the first page')
})

test('a second up builds nothing, applies nothing and says so', async () => {
  const { events } = await rig.end(['up'])
  expect(saysOf(events, /nothing has changed/)).toBe(true)
  expect(events.filter(({ type, outcome }) => type === 'object' && outcome !== 'unchanged')).toEqual([])
  expect(events.filter(({ type, outcome }) => type === 'step.finished' && outcome === 'built')).toEqual([])
})

test('the doctor finds nothing wrong with what is well, and changes nothing', async () => {
  // a new cluster's DNS may still be starting
  rig.kubectl('-n', 'kube-system', 'rollout', 'status', 'deployment/coredns', '--timeout=120s')
  // in no order that stays
  const versions = (): readonly string[] =>
    rig.kubectl('get', 'deployments,services,configmaps', '-o', 'jsonpath={..resourceVersion}').trim().split(/\s+/).toSorted()
  const before = versions()
  const { ok, checks } = rig.query(['doctor']) as Doctor
  expect(checks.filter(({ verdict }) => verdict === 'warning' || verdict === 'failure')).toEqual([])
  expect(ok).toBe(true)
  for (const area of ['engine', 'config', 'manifests', 'cluster', 'environment'])
    expect(checks.filter((check) => check.area === area).map(({ verdict }) => verdict)).toEqual(
      expect.not.arrayContaining(['skipped']),
    )
  expect(versions()).toEqual(before)
})

test('the doctor names an engine that is away, DNS that nobody answers, a cordoned node and an API server that hangs', async () => {
  const away = doctor({ DOCKER_HOST: 'unix:///nowhere/docker.sock' })
  expect(away.code).toBe(1)
  expect(away.of('engine', 'answers')).toMatchObject({ verdict: 'failure', code: 'ENGINE-101' })
  expect(away.of('manifests', 'render')).toMatchObject({ verdict: 'ok' })
  rig.kubectl('-n', 'kube-system', 'scale', 'deployment', 'coredns', '--replicas=0')
  rig.kubectl('cordon', rig.node)
  try {
    await expect
      .poll(() => doctor().of('cluster', 'DNS'), { timeout: 20_000, interval: 300 })
      .toMatchObject({ verdict: 'failure', code: 'CLUSTER-117', remedy: expect.stringContaining('scale deployment coredns') })
    const answering = doctor()
    expect(answering.of('cluster', 'nodes')).toMatchObject({ verdict: 'warning', code: 'CLUSTER-118' })
    rig.docker('exec', rig.node, 'pkill', '-STOP', 'kube-apiserver')
    const hanging = doctor()
    // a busy machine is slow to start a program, however long that waits
    expect(hanging.ms - answering.ms).toBeLessThan(5000)
    expect(hanging.of('cluster', 'API')).toMatchObject({ verdict: 'failure', code: 'CLUSTER-104' })
    expect(hanging.of('environment', 'services')).toMatchObject({ verdict: 'skipped' })
  } finally {
    rig.docker('exec', rig.node, 'pkill', '-CONT', 'kube-apiserver')
    rig.kubectl('uncordon', rig.node)
    rig.kubectl('-n', 'kube-system', 'scale', 'deployment', 'coredns', '--replicas=2')
  }
})

test('a clock that is off: the doctor says by how much, and a command that meets certificates of another day ends at once', async () => {
  const clock = (offset: string) => doctor(clockApart({ offset })).of('engine', 'clock')
  expect(clock('-90s')).toMatchObject({
    verdict: 'warning',
    code: 'ENGINE-105',
    // it is known to half of the time that the engine took to answer, on a busy machine some seconds
    said: expect.stringMatching(/^the clock of the container engine is (8[5-9]|9[0-5])\.\d s ahead of this machine's$/),
    remedy:
      'Restart what the engine runs in (Docker Desktop, `colima restart`, `wsl --shutdown`), or set the clocks by the network: `sudo timedatectl set-ntp true`.',
  })
  expect(clock('+10m')).toMatchObject({
    verdict: 'failure',
    code: 'ENGINE-105',
    said: "the clock of the container engine is 10 min behind this machine's",
  })
  const setting =
    'set the clock: `sudo timedatectl set-ntp true`, and restart what the engine runs in (Docker Desktop, `colima restart`, `wsl --shutdown`)'
  for (const [offset, code, is, hint] of [
    ['-3d', 'ENGINE-105', 'is not valid yet', `If that is wrong, ${setting}. \`devkit doctor\` compares it with the engine's.`],
    [
      '+20y',
      'CLUSTER-104',
      'has ended',
      `If that is right, \`devkit down\` and \`devkit up\` make a cluster of devkit's anew, and whoever runs another renews it. If not, ${setting}.`,
    ],
  ] as const) {
    const ended = await rig.end(['up'], { env: clockApart({ offset }) })
    const says = new RegExp(
      `^The certificate of the API server at https://127\\.0\\.0\\.1:\\d+ ${is} by this machine's clock, which says 20\\d\\d-\\d\\d-\\d\\d \\d\\d:\\d\\d UTC\\.$`,
    )
    expect({ code: ended.code, problems: ended.problems }).toMatchObject({
      code: 1,
      problems: [{ code, message: expect.stringMatching(says), hint }],
    })
  }
  expect(clock('+0s')).toMatchObject({ verdict: 'ok' })
})

/** What `devkit doctor` finds, and how it ends. */
function doctor(env: Readonly<Record<string, string>> = {}) {
  const began = performance.now()
  const { code, stdout } = rig.text(['doctor', '--json'], { env })
  const ms = performance.now() - began
  const { checks } = JSON.parse(stdout) as Doctor
  const of = (area: string, name: string) => checks.find((check) => check.area === area && check.name === name)
  return { code, ms, of }
}

test('the kinds that devkit takes for built in are those of a real API server', () => {
  const get = (path: string): unknown => JSON.parse(rig.kubectl('get', '--raw', path))
  const { groups } = get('/apis') as { groups: readonly { versions: readonly { groupVersion: string }[] }[] }
  const paths = ['/api/v1', ...groups.flatMap(({ versions }) => versions.map(({ groupVersion }) => `/apis/${groupVersion}`))]
  interface Resources {
    readonly groupVersion: string
    readonly resources: readonly { readonly name: string; readonly kind: string; readonly namespaced: boolean }[]
  }
  const served = paths.flatMap((path) => {
    const { groupVersion: apiVersion, resources } = get(path) as Resources
    return resources.filter(({ name }) => !name.includes('/')).map(({ kind, namespaced }) => ({ apiVersion, kind, namespaced }))
  })
  const { apiVersions, isNamespaced } = capabilitiesOf('1.34')
  expect(apiVersions.toSorted()).toEqual(
    [...new Set(served.flatMap(({ apiVersion, kind }) => [apiVersion, `${apiVersion}/${kind}`]))].toSorted(),
  )
  expect(served.filter((kind) => isNamespaced(kind) !== kind.namespaced)).toEqual([])
})

test('an API server takes each manifest of the corpus as it takes what devkit reads', async () => {
  // what no server has
  const known = [...corpus(), ...huge].filter(({ name }) => !['unknown-kind.yaml', 'removed.yaml'].includes(name))
  const files = await Promise.all(known.map(({ name, bytes }) => readManifests(bytes, name)))
  const objects = files.flatMap(({ manifests }) => manifests.map(({ object }) => object))
  const crd = objects.find(({ kind }) => kind === 'CustomResourceDefinition')
  rig.kubectlWith(JSON.stringify(crd), 'apply', '-f', '-')
  rig.kubectl('wait', '--for=condition=Established', 'crd', 'traps.devkit.test')
  // what a server makes up, and the order of a directory
  const plain = (printed: string): unknown =>
    printedObjects(
      printed.replace(
        /kube-api-access-\w+|[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}|(?<="creationTimestamp": ").*(?=")/g,
        'made up',
      ),
    )
      .map((object) => JSON.stringify(object))
      .toSorted()
  try {
    // the CRD is there already
    const dryRun = ['create', '--dry-run=server', '--output=json']
    const others = known.filter(({ name }) => name !== 'crd.yaml')
    mkdirSync(join(rig.scratch, 'corpus'))
    for (const { name, bytes } of others) writeFileSync(join(rig.scratch, 'corpus', name), bytes)
    rig.docker('cp', join(rig.scratch, 'corpus'), `${rig.node}:/corpus`)
    const theirs = rig.kubectl(...dryRun, '--filename=/corpus')
    const read = objects.filter((object) => object !== crd && object.metadata.name !== 'crd')
    const ours = rig.kubectlWith(read.map((object) => JSON.stringify(object)).join('\n'), ...dryRun, '--filename=-')
    expect(plain(ours)).toEqual(plain(theirs))
  } finally {
    rig.kubectl('delete', 'crd', 'traps.devkit.test')
  }
})

test('a second run is told who works on the environment; the lock dies with its holder', async () => {
  await using watch = rig.start(['watch'])
  await watch.next('action', ({ reason }) => String(reason).startsWith('watching'))
  const second = await rig.end(['up'])
  expect(second.code).toBe(1)
  expect(second.problems).toMatchObject([
    { code: 'CLUSTER-108', message: expect.stringContaining(`devkit watch in ${rig.directory} (pid ${watch.pid}`) },
  ])
  expect(rig.query(['status'])).toMatchObject({ services: both(true) })
  watch.kill('SIGKILL')
  await watch.exited
  expect((await rig.end(['up'])).code).toBe(0)
})

test('of two runs at once one waits for the other, and says so', async () => {
  await using first = rig.start(['up'])
  await first.next('run.started', () => true)
  await first.next('step.started', () => true)
  const second = await rig.end(['up'])
  expect(second.events.filter(({ reason }) => String(reason).startsWith('waits for'))).toMatchObject([
    { type: 'action', reason: expect.stringContaining(`devkit up in ${rig.directory} (pid ${first.pid}`) },
  ])
  expect(second.code).toBe(0)
  expect(await first.exited).toBe(0)
})

test('another directory with the same identity is told where the environment is held', async () => {
  const other = join(rig.scratch, 'other')
  cpSync(rig.directory, other, { recursive: true })
  const { code, problems } = await rig.end(['up'], { cwd: other })
  expect({ code, problems }).toMatchObject({
    code: 2,
    problems: [{ code: 'PLAN-103', message: expect.stringContaining(rig.directory) }],
  })
})

test.each([
  ['paused', ['pause'], /the cluster is paused/],
  ['stopped', ['stop', '-t', '2'], /the cluster is stopped/],
  ['restarted', ['restart', '-t', '2'], /the node was restarted/],
] as const)('a cluster that was %s is mended by up, which says so', async (state, command, said) => {
  rig.docker(...command, rig.node)
  if (state !== 'restarted')
    expect(doctor().of('cluster', 'state')).toEqual({
      area: 'cluster',
      name: 'state',
      verdict: 'warning',
      code: 'CLUSTER-115',
      said: `the cluster ${rig.cluster} is ${state}`,
      remedy: '`devkit up`',
    })
  const { code, events, problems } = await rig.end(['up'])
  expect({ code, problems }).toEqual({ code: 0, problems: [] })
  expect(reasons(events)).toContainEqual(expect.stringMatching(said))
  // what is said to be up answers at once
  const answer = await fetch(urlOf(events), { signal: AbortSignal.timeout(5000), headers: { connection: 'close' } })
  expect(await answer.text()).toContain('the first page')
})

test('a second environment lives in the same cluster, and takes only its own along', async () => {
  const first = await rig.end(['up'])
  const second = await rig.end(['up', '--env', 'two'])
  expect(second.code).toBe(0)
  expect(urlOf(second.events)).not.toBe(urlOf(first.events))
  await rig.fetchSaying(urlOf(second.events), 'the first page')
  expect((await rig.end(['down', '--env', 'two', '--yes'])).code).toBe(0)
  expect(rig.kubectl('get', 'namespaces', '-o', 'name')).not.toContain(`${project}-two`)
  await rig.fetchSaying(urlOf(first.events), 'the first page')
  expect(saysOf((await rig.end(['up'])).events, /nothing has changed/)).toBe(true)
})

test('down asks before volumes with data go: without a terminal it removes nothing', async () => {
  const { code, problems } = await rig.end(['down'])
  expect({ code, problems }).toMatchObject({
    code: 1,
    problems: [{ code: 'CLUSTER-107', message: expect.stringContaining('data-store-0'), hint: expect.stringContaining('--yes') }],
  })
  expect(rig.query(['status'])).toMatchObject({ services: both(true), volumes: [{ name: 'data-store-0', size: '64Mi' }] })
})

test('on a terminal no keeps everything, and yes leaves nothing of the environment anywhere', async () => {
  const volumes = rig.docker('inspect', '--format', '{{range .Mounts}}{{.Name}} {{end}}', rig.node).split(/\s+/).filter(Boolean)
  expect(volumes.length).toBeGreaterThan(0)
  const no = onTerminal('n\n')
  expect(no.stdout).toContain('Remove?')
  expect(no.status).toBe(1)
  expect(rig.query(['status'])).toMatchObject({ services: both(true) })
  const yes = onTerminal('y\n')
  expect({ status: yes.status, said: yes.stdout }).toMatchObject({ status: 0 })
  expectNothingLeft()
  expect(rig.docker('volume', 'ls', '-q').split('\n')).not.toEqual(expect.arrayContaining(volumes))
})

test('down once more is fine, and so is a status of nothing', async () => {
  const { code, events } = await rig.end(['down'])
  expect(code).toBe(0)
  expect(events).toContainEqual(expect.objectContaining({ type: 'step.finished', step: 'cluster', outcome: 'unchanged' }))
  expect(rig.query(['status'])).toMatchObject({ cluster: { state: 'absent' }, services: both(false) })
  expect(rig.text(['status', '--check']).code).toBe(1)
  expectNothingLeft()
})

/** `devkit down` as on a terminal, with what a person types. util-linux's script makes the terminal. */
function onTerminal(typed: string) {
  const quoted = [process.execPath, rig.bin, 'down'].map((word) => `'${word}'`).join(' ')
  return spawnSync('script', ['--quiet', '--return', '--command', quoted, '/dev/null'], {
    cwd: rig.directory,
    env: { ...rig.env, TERM: 'dumb' },
    input: typed,
    encoding: 'utf8',
    timeout: 120_000,
  })
}
