import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openKube } from '../../src/kube/client.ts'
import type { Kube } from '../../src/kube/kube.ts'
import type { KubeObject } from '../../src/lib/objects.ts'
import { app, manifestsOf } from '../e2e/tools/app.ts'
import type { AnyEvent } from '../e2e/tools/devkit.ts'
import { startRegistryFor } from '../lab/registry.ts'
import type { Row, Target } from './figures.ts'
import { projectOf, type Stand, say } from './stand.ts'

const project = projectOf('diagnosis')
const cluster = `devkit-${project}`
const image = `registry.example.com/${project}/web`

/** Something that goes wrong, and what of it is measured. */
interface Case {
  readonly id: string
  readonly what: string
  readonly objects: readonly object[]
  /** What is in the namespace before, and counted. */
  readonly quota?: Readonly<Record<string, string>>
  readonly told: readonly Told[]
}

interface Told {
  readonly id: string
  readonly what: string
  readonly severity: 'warning' | 'failure'
  /** Whether an object of the cluster shows the fact that it rests on. */
  readonly fact: (object: KubeObject) => boolean
  /** From what the time counts. */
  readonly from: 'apply' | 'fact'
  readonly target: Target
}

/** How long it takes from an apply, and from the moment in which the cluster has the fact, until devkit says what is wrong. */
export async function diagnosis(
  stand: Stand,
  n: number,
): Promise<{ readonly rows: readonly Row[]; readonly wrong: readonly string[] }> {
  stand.ownCluster(cluster)
  const bench = new DiagnosisBench(stand)
  say('making the cluster …')
  await bench.open()
  await using registry = await startRegistryFor(
    `${cluster}-control-plane`,
    stand.docker,
    join(stand.scratch, 'registry'),
    'bench',
  )
  await bench.measure(casesWith(`${registry.address}/nobody/nothing:1`), n)
  await bench[Symbol.asyncDispose]()
  return bench
}

function casesWith(nowhere: string): readonly Case[] {
  const within = (p95: number): Target => ({ p95 })
  const maker = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'maker' } }
  const rules = [{ apiGroups: [''], resources: ['secrets'], verbs: ['create'] }]
  const failure = { severity: 'failure', from: 'apply' } as const
  return [
    {
      id: 'image',
      what: 'image not found',
      objects: [workload({ image: nowhere })],
      told: [{ id: 'image', what: 'image not found: apply → verdict', ...failure, fact: hasPullFailed, target: within(5000) }],
    },
    {
      id: 'crash',
      what: 'a program that fails at every start',
      objects: [workload({ command: ['sh', '-c', 'echo no such table; exit 3'] })],
      told: [
        {
          ...{ id: 'first', what: 'program that fails at every start: first exit → warning with its last lines' },
          ...{ severity: 'warning', from: 'fact', fact: hasEnded, target: within(2000) },
        },
        { id: 'crash', what: '  apply → verdict by the rule of three', ...failure, fact: hasEndedThrice, target: within(25_000) },
      ],
    },
    {
      id: 'secret',
      what: 'missing Secret',
      objects: [
        workload({ env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'nothing', key: 'a' } } }] }),
        // something may make it: no pre-flight says that nothing does
        { ...maker, rules },
      ],
      told: [{ id: 'secret', what: 'missing Secret: apply → verdict', ...failure, fact: isNotConfigured, target: within(3000) }],
    },
    {
      id: 'unschedulable',
      what: 'unschedulable',
      objects: [workload({ resources: { requests: { memory: '4Ti' } } })],
      told: [
        { id: 'unschedulable', what: 'unschedulable: apply → verdict', ...failure, fact: isUnschedulable, target: within(3000) },
      ],
    },
    {
      id: 'quota',
      what: 'quota',
      objects: [workload({})],
      quota: { pods: '0' },
      told: [{ id: 'quota', what: 'quota: apply → verdict', ...failure, fact: hasReplicaFailure, target: within(3000) }],
    },
  ]
}

/** An object as the cluster had it, and when that was known. */
interface Seen {
  readonly object: KubeObject
  readonly at: number
}

class DiagnosisBench implements AsyncDisposable {
  readonly rows: Row[] = []
  readonly wrong: string[] = []
  readonly #stand: Stand
  readonly #abort = new AbortController()
  #kube: Kube | undefined
  #following: Promise<unknown> = Promise.resolve()
  readonly #seen: Seen[] = []

  constructor(stand: Stand) {
    this.#stand = stand
  }

  /** Brings the cluster up and follows it with a client of its own. */
  async open(): Promise<void> {
    await this.#stand.end(this.#write('base', [workload({})]), 'up')
    const kubeconfig = join(this.#stand.scratch, 'diagnosis-kubeconfig')
    this.#stand.kind('export', 'kubeconfig', '--name', cluster, '--kubeconfig', kubeconfig)
    const kube = await openKube(kubeconfig)
    this.#kube = kube
    const follow = async (apiVersion: string, kind: string): Promise<void> => {
      for await (const event of kube.watch({ apiVersion, kind }, this.#abort.signal))
        if (event.type === 'set') this.#seen.push({ object: { ...event.object, kind }, at: Date.now() })
    }
    this.#following = Promise.allSettled([follow('v1', 'Pod'), follow('apps/v1', 'ReplicaSet')])
  }

  async measure(cases: readonly Case[], n: number): Promise<void> {
    const took = new Map<string, number[]>()
    const shown: number[] = []
    for (let round = 0; round < n; round++)
      for (const one of cases) {
        const env = `r${round}-${one.id}`
        const directory = this.#write(one.id, one.objects)
        const namespace = `${project}-${env}`
        if (one.quota) this.#limit(namespace, one.quota)
        const events = await this.#failing(directory, env)
        for (const told of one.told) await this.#take(told, { events, namespace }, took, shown)
        this.#seen.length = 0
        this.#stand.kubectl(`${cluster}-control-plane`, 'default', 'delete', 'namespace', namespace, '--wait=false')
      }
    for (const { id, what, target } of cases.flatMap(({ told }) => told))
      this.rows.push({ id, what, unit: 'ms', values: took.get(id) ?? [], target })
    this.rows.push({
      ...{ id: 'shown', what: 'the cluster has the fact → problem shown', unit: 'ms', values: shown, target: { p95: 1000 } },
      note: 'the fact as another client of the API sees it; the first word about it, a warning too',
    })
  }

  async #take(
    { id, severity, fact, from, what }: Told,
    { events, namespace }: { readonly events: readonly AnyEvent[]; readonly namespace: string },
    took: Map<string, number[]>,
    shown: number[],
  ): Promise<void> {
    const problem = events.find((event) => event.type === 'problem' && event['severity'] === severity)
    const applied = events.findLast(({ type, kind }) => type === 'object' && kind === 'Deployment')
    const isFact = ({ object }: Seen): boolean => object.metadata.namespace === namespace && fact(object)
    // devkit may say it before the cluster does, and have ended
    for (const until = Date.now() + 10_000; !this.#seen.some(isFact) && Date.now() < until; ) await delay(50)
    const known = this.#seen.find(isFact)?.at
    if (!problem || !applied || known === undefined) {
      this.wrong.push(`${what}: ${problem ? 'the fact was not seen' : 'nothing was told'} in ${namespace}`)
      return
    }
    const since = from === 'apply' ? timeOf(applied) : known
    took.set(id, [...(took.get(id) ?? []), Math.max(0, timeOf(problem) - since)])
    const first = events.find((event) => event.type === 'problem' && timeOf(event) >= known - 50) ?? problem
    shown.push(Math.max(0, timeOf(first) - known))
    say(`${what}: ${took.get(id)?.at(-1)} ms, ${shown.at(-1)} ms after the fact`)
  }

  /** A namespace with a quota, which counts from the first pod on. */
  #limit(namespace: string, hard: Readonly<Record<string, string>>): void {
    const kubectl = (...args: readonly string[]): string => this.#stand.kubectl(`${cluster}-control-plane`, namespace, ...args)
    kubectl('create', 'namespace', namespace)
    const limits = Object.entries(hard).map(([resource, amount]) => `${resource}=${amount}`)
    kubectl('create', 'quota', 'small', `--hard=${limits.join(',')}`)
    kubectl('wait', '--for=jsonpath={.status.hard}', 'resourcequota/small', '--timeout=30s')
  }

  async #failing(directory: string, env: string): Promise<readonly AnyEvent[]> {
    await using run = this.#stand.start(directory, 'up', '-e', env)
    await run.exited
    this.#stand.signal.throwIfAborted()
    return run.events
  }

  #write(name: string, objects: readonly object[]): string {
    const directory = join(this.#stand.scratch, 'diagnosis')
    const files = { ...app({ project }), 'k8s/app.yaml': manifestsOf(...objects) }
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(directory, path, '..'), { recursive: true })
      writeFileSync(join(directory, path), text)
    }
    this.#stand.writeConfig(directory, () => ({
      project,
      manifests: ['k8s'],
      services: { web: name === 'image' ? { workload: 'Deployment/web' } : { image, build: { context: 'app' } } },
    }))
    return directory
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort()
    await this.#following
    await this.#kube?.[Symbol.asyncDispose]()
  }
}

function workload(container: object): object {
  const labels = { app: 'web' }
  const containers = [{ name: 'web', image: `${image}:1`, command: ['sleep', 'infinity'], ...container }]
  const template = { metadata: { labels }, spec: { terminationGracePeriodSeconds: 0, containers } }
  const spec = { selector: { matchLabels: labels }, template }
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec }
}

interface Status {
  readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason?: string }[]
  readonly containerStatuses?: readonly {
    readonly restartCount: number
    readonly state?: { readonly waiting?: { readonly reason?: string }; readonly terminated?: object }
    readonly lastState?: { readonly terminated?: object }
  }[]
}

function statusOf({ status }: KubeObject): Status {
  return (status ?? {}) as Status
}

function waitsBecause(object: KubeObject, reason: RegExp): boolean {
  return (statusOf(object).containerStatuses ?? []).some(({ state }) => reason.test(state?.waiting?.reason ?? ''))
}

function hasPullFailed(object: KubeObject): boolean {
  return waitsBecause(object, /^(?:ErrImagePull|ImagePullBackOff)$/)
}

function isNotConfigured(object: KubeObject): boolean {
  return waitsBecause(object, /^CreateContainerConfigError$/)
}

function hasEnded(object: KubeObject): boolean {
  return (statusOf(object).containerStatuses ?? []).some(({ state, lastState }) => state?.terminated ?? lastState?.terminated)
}

function hasEndedThrice(object: KubeObject): boolean {
  return (statusOf(object).containerStatuses ?? []).some(
    ({ restartCount, state }) => restartCount >= 2 && (state?.terminated ?? state?.waiting),
  )
}

function isUnschedulable(object: KubeObject): boolean {
  return (statusOf(object).conditions ?? []).some(({ type, reason }) => type === 'PodScheduled' && reason === 'Unschedulable')
}

function hasReplicaFailure(object: KubeObject): boolean {
  return (statusOf(object).conditions ?? []).some(({ type, status }) => type === 'ReplicaFailure' && status === 'True')
}

function timeOf(event: AnyEvent | undefined): number {
  return Date.parse(String(event?.['time']))
}
