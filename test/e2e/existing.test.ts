import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { type Registry, startRegistryFor } from '../lab/registry.ts'
import { app, deployment, imageOf, manifestsOf, serviceOf } from './tools/app.ts'
import { type RunOptions, useRig } from './tools/rig.ts'

// A cluster that somebody else made, with a namespace and an object of theirs in it, and a registry that it pulls from.

const project = 't-existing'
const rig = useRig(project, app({ project }))
const context = `kind-${rig.cluster}`
let registry: Registry
let kubeconfig: string
let before: string

const config = (existing: object): string =>
  JSON.stringify({ ...(JSON.parse(rig.read('devkit.config.json')) as object), cluster: { existing } })

beforeAll(async () => {
  const lab = inject('lab')
  kubeconfig = join(rig.scratch, 'home/.kube/config')
  mkdirSync(dirname(kubeconfig), { recursive: true })
  const kind = (...args: string[]): void =>
    void execFileSync(lab.tools.kind, [...args, '--name', rig.cluster, '--kubeconfig', kubeconfig], {
      env: { ...process.env, DOCKER_HOST: lab.engine, PATH: `${dirname(lab.tools.docker)}:${process.env['PATH']}` },
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 240_000,
    })
  kind('create', 'cluster', '--image', lab.nodeImage)
  // another context is current: it must not matter
  const own = readFileSync(kubeconfig, 'utf8').replace(/^current-context: .*$/m, 'current-context: elsewhere')
  before = `${own
    .replace(/^contexts:\n/m, 'contexts:\n- context:\n    cluster: elsewhere\n    user: elsewhere\n  name: elsewhere\n')
    .replace(/^clusters:\n/m, 'clusters:\n- cluster:\n    server: https://127.0.0.1:9\n  name: elsewhere\n')}# theirs\n`
  writeFileSync(kubeconfig, before)
  rig.kubectl('create', 'namespace', project)
  rig.kubectl('create', 'configmap', 'theirs', '--from-literal=kept=yes')

  registry = await startRegistryFor(rig.node, rig.docker, join(rig.scratch, 'registry'), rig.scratch)
  rig.write('devkit.config.json', config({ context, registry: registry.address }))
})
afterAll(() => registry?.[Symbol.asyncDispose]())

test('up pushes the image, applies into the namespace that is there, and names no URL', async () => {
  const { code, problems, events } = await rig.end(['up'])
  expect({ code, problems }).toEqual({ code: 0, problems: [] })
  expect(events.at(-1)).toMatchObject({ type: 'run.finished', urls: {} })
  expect(events.filter(({ type }) => type === 'forward.opened')).toEqual([])
  expect(events.find(({ reason }) => String(reason).includes('port-forward'))).toMatchObject({
    service: 'web',
    reason: expect.stringContaining(`--context ${context} --namespace ${project}`),
  })
  expect(registry.requests.some((request) => /^PUT .*\/t-existing\/web\/manifests\//.test(request))).toBe(true)
  const image = rig.kubectl('get', 'deployment', 'web', '-o', 'jsonpath={.spec.template.spec.containers[0].image}')
  expect(image).toMatch(new RegExp(`^${registry.address}/${imageOf(project).split('/').slice(1).join('/')}:devkit-`))
})

test('a second up changes nothing and says so', async () => {
  const { code, events } = await rig.end(['up'])
  expect(code).toBe(0)
  expect(events.filter(({ type, outcome }) => type === 'object' && outcome !== 'unchanged')).toEqual([])
  expect(events.find(({ reason }) => String(reason).includes('nothing has changed'))).toBeDefined()
})

const sync = (options?: RunOptions): unknown => (rig.query(['status'], options) as { readonly cluster: object }).cluster

test('status shows that files go through the node, a container of this machine', () => {
  expect(rig.query(['status'])).toMatchObject({
    cluster: { state: 'running', sync: 'node stream' },
    services: [{ name: 'web', ready: true }],
    problems: [],
  })
  expect(sync()).not.toHaveProperty('syncReason')
  expect(rig.text(['status']).stdout).toContain(' · node stream · ')
})

test('they go through the cluster’s API, and status says why, where the config forbids the other way or no engine is here', () => {
  const good = rig.read('devkit.config.json')
  rig.write('devkit.config.json', config({ context, registry: registry.address, enterNodes: false }))
  expect(sync()).toMatchObject({ sync: 'exec stream', syncReason: 'the config says cluster.existing.enterNodes: false' })
  expect(rig.text(['status']).stdout).toContain(' · exec stream (the config says cluster.existing.enterNodes: false) · ')
  rig.write('devkit.config.json', good)
  const away = { DEVKIT_MACHINE: undefined, DOCKER_HOST: 'unix:///nowhere/docker.sock' }
  expect(rig.query(['status'], { env: away })).toMatchObject({
    cluster: { sync: 'exec stream', syncReason: 'No container engine answers at unix:///nowhere/docker.sock' },
    services: [{ name: 'web', ready: true }],
    problems: [],
  })
})

test('a container that has the node’s name and runs a containerd of its own is not entered', () => {
  const real = `${rig.node}-real`
  rig.docker('rename', rig.node, real)
  try {
    const labels = [`io.x-k8s.kind.cluster=${rig.cluster}`, 'io.x-k8s.kind.role=control-plane'].flatMap((each) => [
      '--label',
      each,
    ])
    const places = ['--volume', '/var', '--tmpfs', '/run', '--entrypoint', 'containerd']
    rig.docker('run', '--detach', '--privileged', '--name', rig.node, ...labels, ...places, inject('lab').nodeImage)
    rig.docker('exec', rig.node, 'timeout', '60', 'sh', '-c', 'until ctr version; do :; done')
    expect(sync()).toMatchObject({
      state: 'running',
      sync: 'exec stream',
      syncReason: `the container ${rig.node} of this machine is not its node of that name`,
    })
  } finally {
    rig.docker('rm', '--force', '--volumes', rig.node)
    rig.docker('rename', real, rig.node)
  }
  expect(sync()).toMatchObject({ sync: 'node stream' })
})

test.each(['node stream', 'exec stream'])('watch: a save is in the running container by the %s, without a build', async (way) => {
  const good = rig.read('devkit.config.json')
  rig.write('devkit.config.json', config({ context, registry: registry.address, enterNodes: way === 'node stream' }))
  expect(sync()).toMatchObject({ sync: way })
  await using run = rig.start(['watch'])
  await run.next('action', ({ reason }) => String(reason).startsWith('watching'))
  rig.write('app/src/page.txt', `by the ${way}\n`)
  expect(await run.next('synced', ({ files }) => files === 1)).toMatchObject({ service: 'web' })
  expect(rig.kubectl('exec', 'deploy/web', '--', 'cat', '/app/src/page.txt')).toBe(`by the ${way}\n`)
  expect(run.events.filter(({ type, outcome }) => type === 'step.finished' && outcome === 'built')).toEqual([])
  run.kill('SIGINT')
  expect(await run.exited).toBe(0)
  rig.write('devkit.config.json', good)
})

test('a container that may not write its root gets a copy of what is synced, as its own user; render shows it, production has nothing of it', async () => {
  const [before, good] = [rig.read('k8s/app.yaml'), rig.read('devkit.config.json')]
  rig.write('devkit.config.json', config({ context, registry: registry.address, enterNodes: false }))
  const container = { securityContext: { readOnlyRootFilesystem: true, runAsUser: 1000, runAsGroup: 1000 } }
  rig.write('k8s/app.yaml', manifestsOf(deployment({ project, container }), serviceOf()))
  rig.write('app/src/in-image.txt', 'goes\n')
  expect((await rig.end(['up'])).problems).toEqual([])
  const shown = rig.text(['render'])
  expect(shown).toMatchObject({ code: 0, stderr: '' })
  expect(shown.stdout).toContain('initContainers:')
  expect(shown.stdout).toMatch(/name: devkit-copy-0\s+mountPath: \/app\/src\n/)
  expect(rig.text(['render', '-p', 'production']).stdout).not.toContain('devkit')
  await using run = rig.start(['watch'])
  await run.next('action', ({ reason }) => String(reason).startsWith('watching'))
  rig.write('app/src/page.txt', 'onto the copy\n')
  rmSync(join(rig.directory, 'app/src/in-image.txt'))
  for (let changes = 0; changes < 2; ) {
    const { files, deleted } = await run.next('synced')
    changes += Number(files) + Number(deleted)
  }
  expect(rig.kubectl('exec', 'deploy/web', '--', 'sh', '-c', 'cd /app/src; ls; cat page.txt; id -u')).toBe(
    'page.txt\nonto the copy\n1000\n',
  )
  run.kill('SIGINT')
  expect(await run.exited).toBe(0)
  expect(run.events.filter(({ type }) => type === 'problem')).toEqual([])
  rig.write('k8s/app.yaml', before)
  rig.write('devkit.config.json', good)
})

test('without a registry the image is put into the node, under the name that production has for it', async () => {
  const good = rig.read('devkit.config.json')
  rig.write('devkit.config.json', config({ context }))
  rig.write('app/Dockerfile', `${rig.read('app/Dockerfile')}LABEL sent=straight\n`)
  const asked = registry.requests.length
  const { code, problems, events } = await rig.end(['up'])
  expect({ code, problems }).toEqual({ code: 0, problems: [] })
  expect(events.find(({ type, step }) => type === 'step.finished' && step === 'deliver/web')).toMatchObject({
    outcome: 'created',
  })
  const image = rig.kubectl('get', 'deployment', 'web', '-o', 'jsonpath={.spec.template.spec.containers[0].image}')
  expect(image).toMatch(new RegExp(`^${imageOf(project)}:devkit-`))
  expect(registry.requests.slice(asked)).toEqual([])
  rig.write('devkit.config.json', good)
})

test('a registry that does not take the image is told, with what docker said', async () => {
  const good = rig.read('devkit.config.json')
  rig.write('devkit.config.json', config({ context, registry: '127.0.0.1:1' }))
  const { code, problems } = await rig.end(['up'])
  expect(code).toBe(1)
  expect(problems).toMatchObject([{ code: 'IMAGE-102', message: expect.stringContaining('127.0.0.1:1/') }])
  rig.write('devkit.config.json', good)
})

test('a user who may use nothing but the namespace is enough', async () => {
  const account = ['serviceaccount', 'limited']
  rig.kubectl('create', ...account)
  rig.kubectl('create', 'rolebinding', 'limited', '--clusterrole=edit', `--serviceaccount=${project}:limited`)
  const token = rig.kubectl('create', 'token', 'limited').trim()
  const own = join(rig.scratch, 'limited.yaml')
  writeFileSync(
    own,
    JSON.stringify({
      contexts: [{ name: 'limited', context: { cluster: context, user: 'limited' } }],
      users: [{ name: 'limited', user: { token } }],
    }),
  )
  const good = rig.read('devkit.config.json')
  rig.write('devkit.config.json', config({ context: 'limited', registry: registry.address }))
  const env = { KUBECONFIG: `${own}:${kubeconfig}` }
  rig.write('k8s/more.yaml', JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'more' } }))
  const { code, problems, events } = await rig.end(['up'], { env })
  expect({ code, problems }).toEqual({ code: 0, problems: [] })
  expect(events.find(({ type, name }) => type === 'object' && name === 'more')).toMatchObject({ outcome: 'created' })
  const run = rig.start(['watch'], { env })
  await run.next('action', ({ reason }) => String(reason).startsWith('watching'))
  rig.write('app/src/page.txt', 'saved by one who may little\n')
  await run.next('synced', ({ files }) => files === 1)
  run.kill('SIGINT')
  expect(await run.exited).toBe(0)
  expect(rig.kubectl('exec', 'deploy/web', '--', 'cat', '/app/src/page.txt')).toBe('saved by one who may little\n')
  rig.write('devkit.config.json', good)
  rig.kubectl('delete', 'rolebinding', 'limited')
  rig.kubectl('delete', ...account)
})

test('a context that is not there, does not answer, or is not trusted is told; no other is taken in its place', async () => {
  const good = rig.read('devkit.config.json')
  rig.write('devkit.config.json', config({ context: `${context}s` }))
  const missing = await rig.end(['up'])
  expect(missing.code).toBe(2)
  expect(missing.problems).toMatchObject([{ code: 'CLUSTER-111', hint: `Did you mean '${context}'?` }])
  rig.write('devkit.config.json', config({ context: 'elsewhere' }))
  expect(rig.query(['status'])).toMatchObject({ services: [{ ready: false }], problems: [{ code: 'CLUSTER-104' }] })
  const away = await rig.end(['up'])
  expect(away.code).toBe(1)
  const hint = (of: string) => expect.stringContaining(`\`kubectl --context ${of} get nodes\``)
  expect(away.problems).toMatchObject([{ code: 'CLUSTER-104', hint: hint('elsewhere') }])
  rig.write('devkit.config.json', good)
  const env = { KUBECONFIG: join(rig.scratch, 'without-authority') }
  writeFileSync(env.KUBECONFIG, before.replace(/^ *certificate-authority-data: .*\n/m, ''))
  const strange = await rig.end(['up'], { env })
  expect(strange.code).toBe(1)
  const says = expect.stringContaining('is not the one that the kubeconfig trusts: ')
  expect(strange.problems).toMatchObject([{ code: 'CLUSTER-104', message: says, hint: hint(context) }])
  // no other try would change it
  expect(strange.events.filter(({ type }) => type === 'action').map(({ reason }) => reason)).not.toContainEqual(
    expect.stringContaining('is asked again'),
  )
})

test('down takes out what devkit put in, and leaves the cluster, everybody else’s objects and the kubeconfig', async () => {
  const { code, problems } = await rig.end(['down', '--yes'])
  expect({ code, problems }).toEqual({ code: 0, problems: [] })
  rig.kubectl('wait', '--for=delete', 'pod', '-l', 'app=web', '--timeout=60s')
  const left = rig.kubectl('get', 'deployments,services,configmaps,secrets,pods', '-o', 'name').split('\n').filter(Boolean)
  expect(left.sort()).toEqual(['configmap/kube-root-ca.crt', 'configmap/theirs'])
  expect(readFileSync(kubeconfig, 'utf8')).toBe(before)
  expect(rig.docker('ps', '-q', '--filter', `name=^${rig.node}$`)).not.toBe('')
  expect(readdirSync(join(rig.scratch, 'home/.local/state'), { recursive: true })).not.toContain('devkit/clusters')
})

test('production as devkit renders it runs on a cluster that has nothing of devkit: kubectl finds no difference to the files', () => {
  const { code, stdout: rendered } = rig.text(['render', '-p', 'production'])
  expect(code).toBe(0)
  // the image that was pulled for devkit, by the name that production has for it
  const images = rig.docker('exec', rig.node, 'ctr', '-n', 'k8s.io', 'images', 'list', '-q').split('\n')
  const pulledAs = images.find((image) => image.startsWith(`${registry.address}/`) && image.includes(':devkit-')) ?? ''
  rig.docker('exec', rig.node, 'ctr', '-n', 'k8s.io', 'images', 'tag', '--force', pulledAs, `${imageOf(project)}:1.0`)
  rig.kubectlWith(rendered, 'apply', '-f', '-')
  rig.kubectl('rollout', 'status', 'deployment/web', '--timeout=90s')
  rig.kubectlWith(rig.read('k8s/app.yaml'), 'diff', '-f', '-')
  const live = rig.kubectl('get', 'deployments,services,pods', '-o', 'json')
  expect(live).not.toContain('devkit.dev')
  rig.kubectl('delete', 'deployment,service', 'web')
})
