import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isFailure } from '../../../src/deploy/diagnosis/diagnose.ts'
import { Evidence } from '../../../src/deploy/diagnosis/evidence.ts'
import type { Verdict } from '../../../src/deploy/diagnosis/verdict.ts'
import { type Followed, Live } from '../../../src/deploy/live.ts'
import { Nudge } from '../../../src/deploy/nudge.ts'
import { rollout } from '../../../src/deploy/rollout.ts'
import { openKube } from '../../../src/kube/client.ts'
import type { Kube } from '../../../src/kube/kube.ts'
import { type Container, isWorkload, type KubeObject, nameOf, refOf } from '../../../src/lib/objects.ts'
import { Scope } from '../../../src/lib/scope.ts'
import { baseImage } from '../../lab/recipe.ts'
import type { ApiRig } from '../api-rig.ts'

/** Something that goes wrong in one way, and what is to be said of it. */
export interface Fault {
  readonly what: string
  /** Applied in this order; those without a namespace get the case's own. `NAMESPACE` in them stands for it. */
  readonly objects: readonly KubeObject[]
  /** What has to hold before the workloads are applied. */
  readonly before?: (namespace: string, rig: ApiRig) => void | Promise<void>
  /** The workload (`Kind/name`) that is looked at. Default: the last one. */
  readonly of?: string
  readonly code: string
  /** How it is told for good, or `warning` where time may mend it. Default: failure. */
  readonly severity?: 'warning' | 'failure'
  /** The whole message and hint, word for word; a pattern where a figure of the machine is in it. `NAMESPACE` stands for the case's own. */
  readonly says: string | RegExp
  readonly hint: string
  /** In the evidence or the last lines. */
  readonly evidence?: RegExp
  /** From the apply to the verdict on a machine that does little else, in ms; a busy one is given more. */
  readonly withinMs: number
  /** What else is to be done once all is applied, such as harm that comes later. */
  readonly afterwards?: (namespace: string, rig: ApiRig) => void | Promise<void>
}

/** What looks like trouble and is none: it becomes ready, and nothing is called a failure meanwhile. */
export interface Twin {
  readonly what: string
  readonly objects: readonly KubeObject[]
  readonly before?: (namespace: string, rig: ApiRig) => void | Promise<void>
  readonly of?: string
  /** Codes of warnings that are right meanwhile. Default: none. */
  readonly warns?: readonly string[]
  /** What is to be done once all is applied, such as what mends it. */
  readonly afterwards?: (namespace: string, rig: ApiRig) => void | Promise<void>
}

/** A container that stays; `over` is laid over it. */
export function container(over: Readonly<Record<string, unknown>> = {}): Container {
  return { name: 'main', image: baseImage, imagePullPolicy: 'Never', command: ['sleep', 'infinity'], ...over } as Container
}

/** A script as a container's command. */
export function bash(script: string): { readonly command: readonly string[] } {
  return { command: ['bash', '-c', script] }
}

/** A Deployment of one pod. `pod` is laid over its pod spec. */
export function deployment(
  containers: Container | readonly Container[],
  { name = 'web', pod = {}, spec = {} }: { name?: string; pod?: object; spec?: object } = {},
): KubeObject {
  const labels = { app: name }
  const list = Array.isArray(containers) ? containers : [containers]
  return {
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name } },
    spec: {
      ...{ replicas: 1, selector: { matchLabels: labels } },
      template: { metadata: { labels }, spec: { terminationGracePeriodSeconds: 0, containers: list, ...pod } },
      ...spec,
    },
  }
}

/** A Job of one try. */
export function job(
  containers: Container | readonly Container[],
  { name = 'task', pod = {}, spec = {} }: { name?: string; pod?: object; spec?: object } = {},
): KubeObject {
  const list = Array.isArray(containers) ? containers : [containers]
  return {
    ...{ apiVersion: 'batch/v1', kind: 'Job', metadata: { name } },
    spec: {
      backoffLimit: 0,
      template: { spec: { restartPolicy: 'Never', terminationGracePeriodSeconds: 0, containers: list, ...pod } },
      ...spec,
    },
  }
}

/** Any other object. */
export function object(apiVersion: string, kind: string, name: string, rest: Readonly<Record<string, unknown>> = {}): KubeObject {
  const { metadata, ...fields } = rest as { metadata?: object }
  return { apiVersion, kind, metadata: { name, ...metadata }, ...fields }
}

/** Provokes each of the faults in a namespace of its own, all beside each other. */
export function testFaults(rig: () => ApiRig, faults: readonly Fault[]): void {
  test.concurrent.each(faults)('$code: $what', { timeout: 200_000 }, (fault) => provoke(rig(), fault))
}

/** Holds that each of these becomes ready and is never called a failure. */
export function testTwins(rig: () => ApiRig, twins: readonly Twin[]): void {
  test.concurrent.each(twins)('healthy: $what', { timeout: 200_000 }, (twin) => staysWell(rig(), twin))
}

/** Provokes a fault in a namespace of its own, and holds what is said of it. */
export async function provoke(rig: ApiRig, fault: Fault): Promise<void> {
  const { code, severity = 'failure', says, hint, evidence, withinMs } = fault
  const isWanted = (verdict: Verdict): boolean => severity === 'failure' || verdict.code === code
  await using stay = await Stay.begin(rig, fault)
  const found = await stay.until(
    // on a busy machine a warning may be a failure before anybody looks
    ({ verdict }) => (verdict && (isFailure(verdict) || severity === 'warning') && isWanted(verdict) ? verdict : undefined),
    withinMs + 90_000,
  )
  const told = [...(found?.evidence ?? []), ...(found ? await stay.linesOf(found) : [])].join('\n')
  const fill = (text: string): string => text.replaceAll('NAMESPACE', stay.namespace)
  expect({ code: found?.code, says: found?.message, hint: found?.hint }, stay.told).toEqual({
    code,
    says: typeof says === 'string' ? fill(says) : expect.stringMatching(says),
    hint: fill(hint),
  })
  if (evidence) expect(told).toMatch(evidence)
  expect(stay.failures).toEqual([])
  noteTime({ code, what: fault.what, severity, ms: stay.tookMs, withinMs })
}

/** Adds to the table of times that `DEVKIT_TEST_TIMES` names: how long a verdict takes is measured and told, on a busy machine too, not tested. */
function noteTime(entry: object): void {
  const file = process.env['DEVKIT_TEST_TIMES']
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(entry)}\n`)
}

/** Holds that something becomes ready and is never called a failure. */
export async function staysWell(rig: ApiRig, twin: Twin): Promise<void> {
  await using stay = await Stay.begin(rig, twin)
  expect(await stay.until(({ isReady }) => (isReady ? true : undefined), 150_000), stay.told).toBe(true)
  expect(stay.failures).toEqual([])
  expect(stay.warnings.filter((code) => !(twin.warns ?? []).includes(code))).toEqual([])
}

/** Two things that go wrong at once: which is told first, and that the other is told once the first is mended. */
export interface Compound {
  readonly what: string
  readonly objects: readonly KubeObject[]
  /** What the rollout before had in the place of `objects`, as far as it is seen to fail. */
  readonly old?: { readonly objects: readonly KubeObject[]; readonly code: string }
  readonly before?: (namespace: string, rig: ApiRig) => void | Promise<void>
  readonly first: { readonly code: string; readonly says: RegExp }
  /** Codes of warnings that are right until the first is called. Default: only its own. */
  readonly warns?: readonly string[]
  /** Applied over `objects`, mends the first. */
  readonly mend: readonly KubeObject[]
  readonly next: { readonly code: string; readonly says: RegExp }
}

/** Several workloads in trouble of which one is the cause. */
export interface Chain {
  readonly what: string
  readonly objects: readonly KubeObject[]
  /** What the config says of who needs whom, by `Kind/name`. */
  readonly needs?: Readonly<Record<string, readonly string[]>>
  /** The workload whose fault it is. */
  readonly root: { readonly of: string; readonly code: string; readonly says: RegExp }
  /** Those that wait for others (`Kind/name`), and for whom. */
  readonly waits: Readonly<Record<string, readonly string[]>>
  /** Those that have a fault of their own, and its code. */
  readonly own?: Readonly<Record<string, string>>
}

/** Holds of each that the first cause is told first, and then the second. */
export function testCompounds(rig: () => ApiRig, compounds: readonly Compound[]): void {
  test.concurrent.each(compounds)('$first.code, then $next.code: $what', { timeout: 320_000 }, async (compound) => {
    const { objects, old, first, warns = [], mend, next } = compound
    await using stay = await Stay.begin(rig(), { ...compound, objects: old?.objects ?? objects })
    if (old) {
      await stay.until(({ verdict }) => (verdict?.code === old.code ? verdict : undefined), patienceMs)
      await stay.apply(objects)
    }
    const isCalled = (verdict: Verdict): boolean => isFailure(verdict) && verdict.code !== old?.code
    const called = await stay.until(({ verdict }) => (verdict && isCalled(verdict) ? verdict : undefined), patienceMs)
    expect({ code: called?.code, says: called?.message }, stay.told).toEqual({
      code: first.code,
      says: expect.stringMatching(first.says),
    })
    const others = stay.warnings.filter((code) => ![first.code, old?.code, ...warns].includes(code))
    expect(others, stay.told).toEqual([])
    await stay.apply(mend)
    const isNext = ({ code, message }: Verdict): boolean => code === next.code && next.says.test(message)
    const later = await stay.until(({ verdict }) => (verdict && isNext(verdict) ? verdict : undefined), patienceMs)
    expect(later?.code, stay.told).toBe(next.code)
  })
}

/** Holds that one problem is told and the others wait for it, and that they are never called failures. */
export function testChains(rig: () => ApiRig, chains: readonly Chain[]): void {
  test.concurrent.each(chains)('$root.of ($root.code): $what', { timeout: 320_000 }, async (chain) => {
    const { objects, needs = {}, root, waits, own = {} } = chain
    await using stay = await Stay.begin(rig(), { objects, of: root.of }, (name) => needs[name] ?? [])
    const failures = new Map<string, string>()
    const waiting = new Map<string, readonly string[]>()
    // one that is just started again counts as ready for a moment
    const waiters = new Set<string>()
    const ofRoot = Object.keys(waits).filter((name) => waits[name]?.includes(root.of))
    const isAllTold = (): boolean => {
      for (const name of [...Object.keys(waits), ...Object.keys(own)]) {
        const verdict = stay.verdictOf(name)
        if (verdict && isFailure(verdict)) failures.set(name, verdict.code)
        if (verdict?.waitsFor) waiting.set(name, verdict.waitsFor)
      }
      const isOwnTold = failures.size >= Object.keys(own).length
      // until then it may be waiting as well
      if (isOwnTold) for (const name of stay.waitersFor(root.of)) waiters.add(name)
      return isOwnTold && waiting.size >= Object.keys(waits).length && waiters.size >= ofRoot.length
    }
    const called = await stay.until(({ verdict }) => {
      const isTold = isAllTold()
      return isTold && verdict && isFailure(verdict) ? verdict : undefined
    }, patienceMs)
    expect({ code: called?.code, says: called?.message }, stay.told).toEqual({
      code: root.code,
      says: expect.stringMatching(root.says),
    })
    expect(Object.fromEntries(failures)).toEqual(own)
    expect(Object.fromEntries(waiting)).toEqual(waits)
    expect([...waiters].toSorted()).toEqual(ofRoot.toSorted())
  })
}

/** Until a machine that does other things too has seen a program end three times. */
const patienceMs = 100_000

interface Sight {
  readonly verdict: Verdict | undefined
  readonly isReady: boolean
}

/** One case in its namespace, under observation by what `up` and `watch` observe with. */
class Stay implements AsyncDisposable {
  readonly namespace: string
  readonly failures: string[] = []
  readonly warnings: string[] = []
  tookMs = 0
  readonly #verdicts: string[] = []
  readonly #scope = new Scope()
  readonly #wide: KubeObject[] = []
  readonly #shared: ApiRig
  /** With a client of its own. */
  readonly #rig: ApiRig
  readonly #live: Live
  readonly #evidence: Evidence
  readonly #cronJobs: Followed
  readonly #of: string
  #began = Date.now()

  private constructor(
    shared: ApiRig,
    kube: Kube,
    {
      namespace,
      of,
      manifests,
      needs,
    }: {
      readonly namespace: string
      readonly of: string
      readonly manifests: readonly KubeObject[]
      readonly needs: (workload: string) => readonly string[]
    },
  ) {
    this.#shared = shared
    this.#rig = { ...shared, kube: this.#scope.use(kube) }
    this.namespace = namespace
    this.#of = of
    this.#live = new Live(kube, namespace, this.#scope)
    this.#cronJobs = this.#scope.use(this.#live.follow({ apiVersion: 'batch/v1', kind: 'CronJob', namespace }))
    const places = new Map(manifests.map((one, index) => [nameOf(one), index + 1]))
    const placeOf = (name: string): string | undefined => (places.has(name) ? `k8s/all.yaml:${places.get(name)}` : undefined)
    this.#evidence = new Evidence(kube, this.#live, { namespace, placeOf, manifests, needs }, this.#scope)
  }

  static #next = 0

  static async begin(
    rig: ApiRig,
    { objects, of, before, afterwards }: Pick<Fault, 'objects' | 'of' | 'before' | 'afterwards'>,
    needs: (workload: string) => readonly string[] = () => [],
  ): Promise<Stay> {
    const namespace = `t-ill-${process.pid}-${Stay.#next++}`
    // not by kubectl: a program that is waited for holds up the looks of all other cases
    await rig.kube.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }, rig.signal)
    const filled = JSON.parse(JSON.stringify(objects).replaceAll('NAMESPACE', namespace)) as readonly KubeObject[]
    const last = filled.findLast(isWorkload)
    // one of its own: hundreds of watches at once are nobody's
    const kube = await openKube(join(rig.scratch, 'kubeconfig'))
    const stay = new Stay(rig, kube, { namespace, of: of ?? (last ? nameOf(last) : ''), manifests: filled, needs })
    try {
      await stay.#apply(filled.filter((one) => !isWorkload(one)))
      await before?.(namespace, stay.#rig)
      stay.#began = Date.now()
      await stay.#apply(filled.filter(isWorkload))
      await afterwards?.(namespace, stay.#rig)
      return stay
    } catch (thrown) {
      await stay[Symbol.asyncDispose]()
      throw thrown
    }
  }

  async #apply(objects: readonly KubeObject[]): Promise<void> {
    const { kube, signal } = this.#rig
    for (const one of objects) {
      const isWide = (await kube.scopeOf(one.apiVersion, one.kind, signal)) === 'cluster'
      if (isWide && one.kind !== 'Namespace') this.#wide.push(one)
      await kube.apply(isWide ? one : { ...one, metadata: { namespace: this.namespace, ...one.metadata } }, signal)
    }
  }

  /** Applies more, as someone who mends it does. */
  async apply(objects: readonly KubeObject[]): Promise<void> {
    await this.#apply(JSON.parse(JSON.stringify(objects).replaceAll('NAMESPACE', this.namespace)) as readonly KubeObject[])
  }

  /** What is said now of another workload (`Kind/name`). */
  verdictOf(name: string): Verdict | undefined {
    const workload = this.#live.get(name)
    return workload && this.#evidence.lookAt(workload).verdict
  }

  waitersFor(name: string): readonly string[] {
    return this.#evidence.waitersFor(name)
  }

  /** What was seen so far, for whoever looks into a failed test. */
  get told(): string {
    return this.#verdicts.join('\n')
  }

  linesOf(verdict: Verdict): Promise<readonly string[]> {
    return this.#evidence.linesOf(verdict, this.#scope.signal)
  }

  /** What `look` gives of a sight as soon as it gives something; undefined after `ms`. What is seen until then is kept. */
  async until<T>(look: (sight: Sight) => T | undefined, ms: number): Promise<T | undefined> {
    using again = new Nudge()
    const deadline = Date.now() + ms
    const see = (): T | undefined => {
      const workload = this.#live.get(this.#of) ?? this.#cronJobs.objects?.find((one) => nameOf(one) === this.#of)
      if (!workload) return undefined
      const isReady = rollout(workload, { pods: this.#live.everyPodOf(workload) }) === 'ready'
      const { verdict, againInMs } = this.#evidence.lookAt(workload)
      if (againInMs !== undefined) again.in(againInMs)
      const found = look({ verdict, isReady })
      if (found === undefined) this.#note(verdict)
      else this.tookMs = Date.now() - this.#began
      return found
    }
    for (;;) {
      again.in(Math.max(0, deadline - Date.now()))
      const round = AbortSignal.any([this.#scope.signal, again.signal])
      const found = await this.#live.until(see, round).catch((thrown: unknown) => {
        if (!round.aborted) throw thrown
        return see()
      })
      if (found !== undefined) return found
      if (Date.now() < deadline) continue
      this.#verdicts.push(...(await this.#there()))
      return undefined
    }
  }

  /** What pods the API has, what was seen of them, and what it was told of: whether it is devkit that is late, or the node. */
  async #there(): Promise<readonly string[]> {
    const { kube, signal } = this.#shared
    const workload = this.#live.get(this.#of)
    const seen = workload ? this.#live.everyPodOf(workload) : []
    const [pods, events] = await Promise.all(
      ['Pod', 'Event'].map((kind) => kube.list({ apiVersion: 'v1', kind, namespace: this.namespace }, signal)),
    )
    const podLine = ({ metadata, status }: KubeObject): string => `${metadata.name} ${JSON.stringify(status)}`
    return [
      ...(pods ?? []).map((pod) => `there ${podLine(pod)}`),
      ...seen.map((pod) => `seen ${podLine(pod)}`),
      ...(events ?? []).map(({ reason, message }) => `event ${String(reason)} ${String(message)}`),
    ]
  }

  #note(verdict: Verdict | undefined): void {
    if (!verdict) return
    const list = isFailure(verdict) ? this.failures : this.warnings
    if (list.at(-1) !== verdict.code) list.push(verdict.code)
    const told = `${verdict.severity} ${verdict.code} ${verdict.message}${verdict.waitsFor ? ` (waits for ${verdict.waitsFor.join(', ')})` : ''}`
    if (this.#verdicts.at(-1) !== told) this.#verdicts.push(told)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { kube, signal } = this.#shared
    await this.#scope.close()
    // a program that ends again and again takes its share from the cases that follow
    await kube.remove({ apiVersion: 'v1', kind: 'Namespace', name: this.namespace }, signal)
    // what belongs to the whole cluster does not go with the namespace
    for (const one of this.#wide) await kube.remove(refOf(one), signal)
  }
}
