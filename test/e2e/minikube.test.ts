import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { type MinikubeParts, minikubeUp } from '../lab/minikube.ts'
import { app, imageOf } from './tools/app.ts'
import { useRig } from './tools/rig.ts'

// A person's own minikube with the docker driver and no registry: devkit enters its node, and leaves the cluster as it was.

const project = 't-minikube'
const rig = useRig(project, app({ project, top: { cluster: { existing: { context: project } } } }))
let parts: MinikubeParts

const minikube = (...args: string[]): void =>
  void execFileSync(parts.program, [...args, '--profile', project], {
    env: {
      ...process.env,
      PATH: `${dirname(inject('lab').tools.docker)}:${process.env['PATH']}`,
      DOCKER_HOST: inject('lab').engine,
      KUBECONFIG: join(rig.scratch, 'home/.kube/config'),
      MINIKUBE_HOME: rig.scratch,
      MINIKUBE_WANTUPDATENOTIFICATION: 'false',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 240_000,
  })
const kubectl = (...args: string[]): string =>
  rig.docker('exec', project, 'kubectl', '--kubeconfig=/etc/kubernetes/admin.conf', '-n', project, ...args)

beforeAll(async () => {
  parts = await minikubeUp({ say: (line) => void process.stderr.write(`${line}\n`), signal: new AbortController().signal })
  const cache = join(rig.scratch, '.minikube/cache/preloaded-tarball')
  mkdirSync(cache, { recursive: true })
  copyFileSync(parts.preload, join(cache, basename(parts.preload)))
  // what a run that was killed left
  minikube('delete')
  minikube(
    'start',
    '--driver=docker',
    // root is what the lab runs as
    '--force',
    '--container-runtime=containerd',
    `--base-image=${parts.image}`,
    `--kubernetes-version=${parts.kubernetes}`,
    '--cni=bridge',
    '--cpus=no-limit',
    '--memory=no-limit',
    '--install-addons=false',
    '--auto-update-drivers=false',
    '--interactive=false',
  )
})
afterAll(() => parts && minikube('delete'))

test('up puts the image into the node, and status says that saves go through it', async () => {
  const { code, problems, events } = await rig.end(['up'])
  expect({ code, problems }).toEqual({ code: 0, problems: [] })
  expect(events.find(({ type, step }) => type === 'step.finished' && step === 'deliver/web')).toMatchObject({
    outcome: 'created',
  })
  const images = rig.docker('exec', project, 'ctr', '--namespace=k8s.io', 'images', 'ls', '-q')
  expect(images).toContain(`${imageOf(project)}:devkit-`)
  expect(rig.query(['status'])).toMatchObject({
    cluster: { state: 'running', sync: 'node stream' },
    services: [{ name: 'web', ready: true }],
    problems: [],
  })
})

test('watch: a save is in the running container, and in the one that takes its place when it crashes', async () => {
  await using run = rig.start(['watch'])
  await run.next('action', ({ reason }) => String(reason).startsWith('watching'))
  rig.write('app/src/page.txt', 'saved\n')
  await run.next('synced', ({ files }) => files === 1)
  expect(kubectl('exec', 'deploy/web', '--', 'cat', '/app/src/page.txt')).toBe('saved\n')
  kubectl('exec', 'deploy/web', '--', 'perl', '-e', 'kill TERM => 1')
  await run.next('stale', ({ files }) => files === 1)
  await run.next('synced', ({ files }) => files === 1)
  // the kubelet tells later than the node
  kubectl('wait', 'pod', '--all', '--for=jsonpath={.status.containerStatuses[0].restartCount}=1', '--timeout=60s')
  kubectl('wait', 'pod', '--all', '--for=condition=Ready', '--timeout=60s')
  expect(kubectl('exec', 'deploy/web', '--', 'cat', '/app/src/page.txt')).toBe('saved\n')
  run.kill('SIGINT')
  expect(await run.exited).toBe(0)
  // that the program ended, though it is to keep running, is worth a warning
  expect(run.events.filter(({ type, severity }) => type === 'problem' && severity === 'failure')).toEqual([])
})

test('the node that is stopped and started again gets what was saved meanwhile', async () => {
  await using run = rig.start(['watch'])
  await run.next('action', ({ reason }) => String(reason).startsWith('watching'))
  minikube('stop', '--keep-context-active')
  rig.write('app/src/page.txt', 'saved while it was away\n')
  await run.next('problem', ({ code }) => code === 'SYNC-101')
  minikube('start', '--force', '--interactive=false')
  await run.next('synced', ({ files }) => files === 1)
  expect(kubectl('exec', 'deploy/web', '--', 'cat', '/app/src/page.txt')).toBe('saved while it was away\n')
  run.kill('SIGINT')
  expect(await run.exited).toBe(0)
})
