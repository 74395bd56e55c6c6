import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openKube } from '../../src/kube/client.ts'
import type { KubeObject } from '../../src/lib/objects.ts'
import { app, manifestsOf } from '../e2e/tools/app.ts'
import type { AnyEvent } from '../e2e/tools/devkit.ts'
import { recipeDirectory } from '../lab/recipe.ts'
import type { Row } from './figures.ts'
import { usageOf } from './processes.ts'
import { rollouts } from './rollout.ts'
import { projectOf, type Stand, say } from './stand.ts'

const project = projectOf('deploy')
const cluster = `devkit-${project}`
const services = Array.from({ length: 10 }, (_, index) => `s${index}`)
const image = `registry.example.com/${project}/web`
/** Kinds of the set, as the API server counts them. */
const resources =
  /^(?:namespaces|deployments|services|configmaps|secrets|serviceaccounts|roles|rolebindings|cronjobs|poddisruptionbudgets)$/
/** Kinds that a `watch` follows. */
const followed =
  /^(?:pods|deployments|statefulsets|daemonsets|replicasets|jobs|endpointslices|persistentvolumeclaims|events|services)$/

/** Rows that can be chosen, in the order in which they are measured; each with those that belong to it. */
export const deployRows = ['unchanged', 'new', 'changed', 'rollouts', 'watched'] as const

/** Apply and readiness: 60 objects new, unchanged and with one change, and rollouts, kubectl beside it; then 300 objects and 100 pods that are watched. */
export async function deploy(
  stand: Stand,
  n: number,
  rows: readonly string[],
): Promise<{ readonly rows: readonly Row[]; readonly wrong: readonly string[] }> {
  stand.ownCluster(cluster)
  const directory = join(stand.scratch, 'deploy')
  const bench = new DeployBench(stand, directory)
  bench.write({})
  say('making the cluster …')
  await stand.end(directory, 'up')
  bench.exportKubeconfig()
  const measures: Readonly<Record<(typeof deployRows)[number], () => Promise<void>>> = {
    unchanged: () => bench.unchanged(n),
    new: () => bench.fresh(Math.min(n, 10)),
    changed: () => bench.changed(n),
    rollouts: () => bench.rollouts(Math.min(n, 10)),
    watched: () => bench.watched(),
  }
  for (const row of deployRows) if (rows.includes(row)) await measures[row]()
  return bench
}

/** What differs between the sets that are applied. */
interface Variant {
  /** Differs from run to run where one Deployment is to change. */
  readonly round?: number
  /** 300 objects and 100 pods in place of 60 and 10. */
  readonly large?: boolean
}

class DeployBench {
  readonly rows: Row[] = []
  readonly wrong: string[] = []
  readonly #stand: Stand
  readonly #directory: string
  readonly #kubeconfig: string

  constructor(stand: Stand, directory: string) {
    this.#stand = stand
    this.#directory = directory
    this.#kubeconfig = join(stand.scratch, 'deploy-kubeconfig')
  }

  /** Writes the project. */
  write({ round = 0, large = false }: Variant): void {
    const files = {
      ...app({ project, service: 's0' }),
      'k8s/app.yaml': manifestsOf(...sixty(round), ...(large ? more() : [])),
    }
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.#directory, path)), { recursive: true })
      writeFileSync(join(this.#directory, path), text)
    }
    const build = { context: 'app' }
    const sync = [{ from: 'app/src', to: '/app/src' }]
    this.#stand.writeConfig(this.#directory, () => ({
      project,
      manifests: ['k8s'],
      services: Object.fromEntries(services.map((name) => [name, { image, build, ...(name === 's0' ? { sync } : {}) }])),
      profiles: { dev: { maxReplicas: 100 } },
    }))
  }

  exportKubeconfig(): void {
    this.#stand.kind('export', 'kubeconfig', '--name', cluster, '--kubeconfig', this.#kubeconfig)
  }

  /** A warm `up` of 60 objects, and kubectl on the same set in turn. */
  async unchanged(n: number): Promise<void> {
    const whole: number[] = []
    const writes: number[] = []
    const [applied, compared]: [number[], number[]] = [[], []]
    const beside = this.#besideFile('bench-beside')
    this.#kubectl('create', 'namespace', 'bench-beside')
    this.#apply(beside)
    // else the first round is measured while the node starts what kubectl and a new cluster began
    this.#kubectl('wait', 'deployment', '--all', '--all-namespaces', '--for=condition=Available', '--timeout=120s')
    for (let round = 0; round < n; round++) {
      const before = this.#requests(isWrite)
      const versions = this.#versions()
      const began = performance.now()
      await this.#up()
      whole.push(performance.now() - began)
      writes.push(this.#requests(isWrite) - before)
      if (this.#versions() !== versions) this.wrong.push('a warm up changed a resourceVersion')
      applied.push(timed(() => this.#apply(beside)))
      compared.push(timed(() => this.#diff(beside)))
    }
    this.#add({ id: 'unchanged', what: '60 unchanged objects, warm up in all', unit: 'ms', values: whole, target: { p95: 1000 } })
    this.#add({ id: 'writes', what: '  writes of it, as the server counts', unit: 'of n', values: writes, target: { most: 0 } })
    this.#add({ id: 'kubectl-apply', what: '  kubectl apply --server-side, the same', unit: 'ms', values: applied })
    this.#add({ id: 'kubectl-diff', what: '  kubectl diff --server-side, the same', unit: 'ms', values: compared })
    this.#kubectl('delete', 'namespace', 'bench-beside')
  }

  /** Everything anew in a cluster that is there; kubectl in a namespace of its own. */
  async fresh(n: number): Promise<void> {
    const [accepted, beside]: [number[], number[]] = [[], []]
    for (let round = 0; round < n; round++) {
      this.#kubectl('delete', 'namespace', project)
      const events = await this.#up()
      const objects = events.filter(({ type, outcome }) => type === 'object' && outcome === 'created')
      if (objects.length < 61) this.wrong.push(`only ${objects.length} of 61 objects were created`)
      const answers = events.find(({ type, step }) => type === 'step.finished' && step === 'cluster')
      accepted.push(timeOf(objects.at(-1)) - timeOf(answers))
      const file = this.#besideFile('bench-beside')
      beside.push(
        timed(() => {
          this.#kubectl('create', 'namespace', 'bench-beside')
          this.#apply(file)
        }),
      )
      this.#kubectl('delete', 'namespace', 'bench-beside')
    }
    this.#add({
      id: 'new',
      what: '60 new objects, all validated and accepted',
      unit: 'ms',
      values: accepted,
      target: { p95: 3000 },
    })
    this.#add({ id: 'kubectl-new', what: '  kubectl apply --server-side, the same', unit: 'ms', values: beside })
  }

  /** One Deployment with one change at a time: how long until it is ready, and how long until devkit says so. */
  async changed(n: number): Promise<void> {
    await using watched = await this.#watchReady()
    const [whole, told]: [number[], number[]] = [[], []]
    for (let round = 1; round <= n; round++) {
      this.write({ round })
      const events = await this.#up()
      const configured = events.filter(({ type, outcome }) => type === 'object' && outcome === 'configured')
      if (configured.length !== 1) this.wrong.push(`one Deployment changed, ${configured.length} objects were configured`)
      const ready = events.find(({ type, service }) => type === 'service.ready' && service === 's0')
      whole.push(timeOf(ready) - timeOf(configured[0]))
      told.push(Math.max(0, timeOf(ready) - (await watched.readySince('s0', this.#generation('s0')))))
    }
    this.#add({
      id: 'changed',
      what: 'one changed Deployment, image on the node → ready',
      unit: 'ms',
      values: whole,
      target: { p95: 2000 },
      note: "the app's own start is not taken off",
    })
    this.#add({
      id: 'told',
      what: 'ready in the cluster → service.ready',
      unit: 'ms',
      values: told,
      target: { p95: 100 },
      note: 'ready as another client of the API sees it',
    })
  }

  /** What the dev profile saves of a rollout. */
  async rollouts(n: number): Promise<void> {
    const directory = join(this.#stand.scratch, 'rollout')
    const kubectl = (...args: readonly string[]): string => this.#kubectl(...args)
    this.rows.push(...(await rollouts(this.#stand, { project, directory, kubectl }, n)))
  }

  /** What a `watch` of 300 objects and 100 pods holds beyond one of 60 and 10, and what it asks for in a quiet minute. */
  async watched(): Promise<void> {
    const small = await this.#memoryOfWatch()
    this.write({ large: true })
    await this.#up()
    const large = await this.#memoryOfWatch()
    const base = small.mebibytes.toSorted((a, b) => a - b)[Math.floor(small.mebibytes.length / 2)] ?? 0
    this.#add({
      id: 'memory',
      what: '300 objects, 100 pods watched: RSS beyond 60 objects, 10 pods',
      unit: 'MiB',
      values: large.mebibytes.map((mebibytes) => mebibytes - base),
      target: { most: 40 },
      note: `${Math.round(base)} MiB with 60`,
    })
    this.#add({ id: 'relists', what: '  lists in a quiet minute', unit: 'of n', values: [large.lists], target: { most: 0 } })
  }

  async #memoryOfWatch(): Promise<{ readonly mebibytes: readonly number[]; readonly lists: number }> {
    await using run = this.#stand.start(this.#directory, 'watch')
    await run.next('action', ({ reason }) => String(reason).startsWith('watching'))
    await delay(5000, undefined, { signal: this.#stand.signal })
    const before = this.#requests(isList)
    const mebibytes: number[] = []
    for (let second = 0; second < 60; second += 3) {
      mebibytes.push(usageOf(run.pid).rssMiB)
      await delay(3000, undefined, { signal: this.#stand.signal })
    }
    const lists = this.#requests(isList) - before
    run.kill('SIGINT')
    await run.exited
    return { mebibytes, lists }
  }

  /** Follows Deployments with a client of its own. */
  async #watchReady() {
    const kube = await openKube(this.#kubeconfig)
    const abort = new AbortController()
    const since = new Map<string, { readonly generation: number; readonly at: number }>()
    const waiting = new Set<() => void>()
    const following = (async () => {
      const kind = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: project }
      for await (const event of kube.watch(kind, abort.signal)) {
        if (event.type !== 'set') continue
        const { name, generation = 0 } = event.object.metadata
        if (isComplete(event.object) && since.get(name)?.generation !== generation)
          since.set(name, { generation, at: Date.now() })
        for (const check of waiting) check()
      }
    })()
    return {
      /** When that generation of a Deployment was complete, in ms since the epoch. */
      readySince: (name: string, generation: number): Promise<number> =>
        new Promise((resolve) => {
          const check = (): void => {
            const seen = since.get(name)
            if (seen?.generation !== generation) return
            waiting.delete(check)
            resolve(seen.at)
          }
          waiting.add(check)
          check()
        }),
      async [Symbol.asyncDispose]() {
        abort.abort()
        await following
        await kube[Symbol.asyncDispose]()
      },
    }
  }

  #up(): Promise<readonly AnyEvent[]> {
    return this.#stand.end(this.#directory, 'up')
  }

  /** What `up` applies, as a file for another namespace. */
  #besideFile(namespace: string): string {
    const { status, stdout, stderr } = spawnSync(process.execPath, [this.#stand.bin, 'render'], {
      cwd: this.#directory,
      env: this.#stand.env,
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    })
    if (status !== 0) throw new Error(`devkit render ended with ${status}:\n${stderr}`)
    const file = join(this.#stand.scratch, `${namespace}.yaml`)
    writeFileSync(file, stdout.replaceAll(`namespace: ${project}`, `namespace: ${namespace}`))
    return file
  }

  #apply(file: string): void {
    this.#kubectl('apply', '--server-side', '-f', file)
  }

  #diff(file: string): void {
    this.#kubectl('diff', '--server-side', '-f', file)
  }

  #kubectl(...args: readonly string[]): string {
    const { tools } = this.#stand.settings
    return execFileSync(tools.kubectl, ['--kubeconfig', this.#kubeconfig, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 1 << 28,
      timeout: 180_000,
    })
  }

  #generation(name: string): number {
    return Number(this.#kubectl('get', `deployment/${name}`, '--namespace', project, '-o', 'jsonpath={.metadata.generation}'))
  }

  /** resourceVersions of the whole set, as one text. */
  #versions(): string {
    const kinds = 'configmaps,secrets,services,serviceaccounts,roles,rolebindings,deployments,cronjobs,poddisruptionbudgets'
    const each = '{range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\\n"}{end}'
    return this.#kubectl('get', kinds, '--namespace', project, '-o', `jsonpath=${each}`)
  }

  /** Requests that the API server has answered so far. https://kubernetes.io/docs/reference/instrumentation/metrics/ */
  #requests(counts: (labels: Readonly<Record<string, string>>) => boolean): number {
    let sum = 0
    for (const line of this.#kubectl('get', '--raw', '/metrics').split('\n')) {
      const [, text = '', count = ''] = /^apiserver_request_total\{(.*)\} (\S+)$/.exec(line) ?? []
      const labels = Object.fromEntries([...text.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]))
      if (text !== '' && counts(labels)) sum += Number(count)
    }
    return sum
  }

  #add(row: Row): void {
    this.rows.push(row)
    say(`${row.what}: ${row.values.map((value) => Math.round(value)).join(' ')}`)
  }
}

function isWrite({ verb = '', dry_run: dryRun, subresource, resource = '' }: Readonly<Record<string, string>>): boolean {
  return /^(?:APPLY|PATCH|POST|PUT|DELETE)$/.test(verb) && dryRun === '' && subresource === '' && resources.test(resource)
}

function isList({ verb, resource = '' }: Readonly<Record<string, string>>): boolean {
  return verb === 'LIST' && followed.test(resource)
}

function isComplete({ metadata, spec, status }: KubeObject): boolean {
  const { replicas: wanted = 1 } = spec as { readonly replicas?: number }
  const { observedGeneration, replicas, updatedReplicas, availableReplicas } = status as Readonly<
    Record<string, number | undefined>
  >
  return (
    observedGeneration === metadata.generation &&
    [replicas, updatedReplicas, availableReplicas].every((count = 0) => count === wanted)
  )
}

function timeOf(event: AnyEvent | undefined): number {
  return Date.parse(String(event?.['time']))
}

function timed(work: () => void): number {
  const began = performance.now()
  work()
  return performance.now() - began
}

/** 60 objects of ten kinds; `round` is in the first Deployment. */
function sixty(round: number): readonly object[] {
  const named = (apiVersion: string, kind: string, name: string, rest: object): object => ({
    apiVersion,
    kind,
    metadata: { name },
    ...rest,
  })
  return services.flatMap((name, index) => {
    const labels = { app: name }
    const pod = {
      serviceAccountName: name,
      containers: [
        {
          name: 'web',
          image: `${image}:1.0`,
          ports: [{ name: 'http', containerPort: 8090 }],
          env: [{ name: 'ROUND', value: String(index === 0 ? round : 0) }],
          envFrom: [{ configMapRef: { name } }],
          readinessProbe: { httpGet: { path: '/', port: 'http' }, periodSeconds: 1 },
          resources: { requests: { cpu: '1m', memory: '1Mi' } },
        },
      ],
    }
    const objects = [
      named('v1', 'ServiceAccount', name, {}),
      named('v1', 'ConfigMap', name, { data: { NAME: name, [`VALUE_${index}`]: 'a value' } }),
      named('v1', 'Service', name, { spec: { selector: labels, ports: [{ name: 'http', port: 80, targetPort: 'http' }] } }),
      named('apps/v1', 'Deployment', name, {
        spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: pod } },
      }),
    ]
    if (index < 5)
      objects.push(
        named('v1', 'Secret', `${name}-secret`, { stringData: { key: `value ${index}` } }),
        named('rbac.authorization.k8s.io/v1', 'Role', name, {
          rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
        }),
      )
    else
      objects.push(
        named('policy/v1', 'PodDisruptionBudget', name, { spec: { maxUnavailable: 1, selector: { matchLabels: labels } } }),
        named('batch/v1', 'CronJob', name, {
          spec: {
            schedule: '0 3 * * *',
            jobTemplate: {
              spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'job', image: `${image}:1.0` }] } } },
            },
          },
        }),
      )
    return objects
  })
}

/** 240 objects more; one of them has 90 pods. */
function more(): readonly object[] {
  const labels = { app: 'filler' }
  // the image that every node has
  const versions = readFileSync(join(recipeDirectory, 'versions.env'), 'utf8')
  const pause = `registry.k8s.io/pause:${/^PAUSE=(\S+)/m.exec(versions)?.[1]}`
  const filler = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'filler' },
    spec: {
      replicas: 90,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'pause', image: pause }] } },
    },
  }
  const settings = Array.from({ length: 239 }, (_, index) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: `settings-${index}` },
    data: { text: `${index} ${'x'.repeat(1000)}` },
  }))
  return [filler, ...settings]
}
