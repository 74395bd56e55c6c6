import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { app, deployment, imageOf, manifestsOf, serviceOf } from '../e2e/tools/app.ts'
import type { Row } from './figures.ts'
import { type Stand, say } from './stand.ts'

/** What production asks of its rollouts, for traffic that a laptop does not have. */
const careful = {
  minReadySeconds: 10,
  gracePeriodSeconds: 30,
  preStopSeconds: 5,
  readinessProbe: { httpGet: { path: '/', port: 'http' }, initialDelaySeconds: 5, periodSeconds: 10 },
}
/** How long its program goes on after TERM, in s. */
const lingerSeconds = 8

const strategies = ['RollingUpdate', 'Recreate'] as const
type Strategy = (typeof strategies)[number]

/** Where the rollouts are measured: an environment beside the one of the cluster's project. */
export interface RolloutPlace {
  readonly project: string
  readonly directory: string
  kubectl(...args: readonly string[]): string
}

/**
 * A rollout of a single-replica workload, by `devkit up` under `dev`, and by kubectl of what production renders in a namespace of its own, in turn:
 * from the changed manifest until all of it is done. With `Recreate` the old pod has to end first.
 */
export async function rollouts(stand: Stand, place: RolloutPlace, n: number): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (const strategy of strategies) rows.push(...(await new RolloutBench(stand, place, strategy).measure(n)))
  return rows
}

class RolloutBench {
  readonly #stand: Stand
  readonly #place: RolloutPlace
  readonly #strategy: Strategy
  readonly #beside = 'bench-production'
  /** The image as the node has it. */
  #image = ''

  constructor(stand: Stand, place: RolloutPlace, strategy: Strategy) {
    this.#stand = stand
    this.#place = place
    this.#strategy = strategy
  }

  async measure(n: number): Promise<readonly Row[]> {
    await this.#begin()
    const [dev, production]: [number[], number[]] = [[], []]
    for (let round = 1; round <= n; round++) {
      this.#write(round)
      const began = performance.now()
      await this.#up()
      dev.push((performance.now() - began) / 1000)
      production.push(this.#applyProduction() / 1000)
    }
    this.#end()
    const id = this.#strategy.toLowerCase()
    const what = `rollout of a single-replica workload, ${this.#strategy}`
    const [ours, theirs]: [Row, Row] = [
      { id: `rollout-${id}`, what: `${what}: up under dev in all`, unit: 's', values: dev },
      { id: `production-${id}`, what: '  production settings, kubectl apply and rollout status', unit: 's', values: production },
    ]
    for (const row of [ours, theirs]) say(`${row.what}: ${row.values.map((value) => value.toFixed(1)).join(' ')}`)
    return [ours, theirs]
  }

  async #begin(): Promise<void> {
    this.#write(0)
    await this.#up()
    const { project, kubectl } = this.#place
    const path = 'jsonpath={.spec.template.spec.containers[0].image}'
    this.#image = kubectl('get', 'deployment/web', '--namespace', `${project}-rollout`, '-o', path)
    kubectl('create', 'namespace', this.#beside)
    this.#applyProduction()
  }

  #end(): void {
    for (const namespace of [this.#beside, `${this.#place.project}-rollout`])
      this.#place.kubectl('delete', 'namespace', namespace)
  }

  #up(): Promise<unknown> {
    return this.#stand.end(this.#place.directory, 'up', '--env', 'rollout')
  }

  /** Applies what production renders and waits for it; how long that took, in ms. */
  #applyProduction(): number {
    const { directory, project, kubectl } = this.#place
    const args = [this.#stand.bin, 'render', '--profile', 'production', '--env', 'rollout']
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: directory,
      env: this.#stand.env,
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`devkit render ended with ${status}:\n${stderr}`)
    const file = join(this.#stand.scratch, `${this.#beside}.yaml`)
    const rendered = stdout.replaceAll(/^ {2}namespace: .*\n/gm, '').replaceAll(`${imageOf(project)}:1.0`, this.#image)
    writeFileSync(file, rendered)
    const began = performance.now()
    kubectl('apply', '--namespace', this.#beside, '-f', file)
    kubectl('rollout', 'status', 'deployment/web', '--namespace', this.#beside)
    return performance.now() - began
  }

  /** Writes the project; `round` is in the environment of its program. */
  #write(round: number): void {
    const { project, directory } = this.#place
    const files = app({ project })
    const serve = files['app/serve.pl']?.replace('{ exit 0 }', `{ sleep ${lingerSeconds}; exit 0 }`)
    const web = deployment({
      project,
      container: {
        env: [{ name: 'ROUND', value: String(round) }],
        readinessProbe: careful.readinessProbe,
        lifecycle: { preStop: { sleep: { seconds: careful.preStopSeconds } } },
      },
    }) as Workload
    const { template } = web.spec
    const spec = {
      ...web.spec,
      strategy: { type: this.#strategy },
      minReadySeconds: careful.minReadySeconds,
      template: { ...template, spec: { ...template.spec, terminationGracePeriodSeconds: careful.gracePeriodSeconds } },
    }
    const all = { ...files, 'app/serve.pl': serve ?? '', 'k8s/app.yaml': manifestsOf({ ...web, spec }, serviceOf()) }
    for (const [path, text] of Object.entries(all)) {
      mkdirSync(dirname(join(directory, path)), { recursive: true })
      writeFileSync(join(directory, path), text)
    }
    const sync = [{ from: 'app/src', to: '/app/src' }]
    this.#stand.writeConfig(directory, () => ({
      project,
      manifests: ['k8s'],
      services: { web: { image: imageOf(project), build: { context: 'app' }, sync } },
    }))
  }
}

interface Workload {
  readonly spec: { readonly template: { readonly spec: object } }
}
