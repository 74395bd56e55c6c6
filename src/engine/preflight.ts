import type { Live } from '../deploy/live.ts'
import { unserved } from '../deploy/unserved.ts'
import type { Bus } from '../events/bus.ts'
import type { EventBody } from '../events/event.ts'
import type { Kube } from '../kube/kube.ts'
import type { Manifest } from '../lib/objects.ts'
import type { Plan } from '../plan/plan.ts'
import { capabilitiesOf, minorOf } from '../render/capabilities.ts'
import { tooMuch } from '../render/preflight/capacity.ts'
import { unservedFinding } from '../render/preflight/controllers.ts'
import { placesIn } from '../render/preflight/field.ts'
import { type Finding, failureOf, problemIn } from '../render/preflight/finding.ts'
import { preflight } from '../render/preflight/preflight.ts'
import { type PreflightInput, stackOf } from '../render/preflight/stack.ts'
import { withSecrets } from '../render/transforms/secrets.ts'
import { providerOf } from '../toolbox.ts'
import type { EngineRun, Parts } from './environment.ts'
import { kubernetesOf, type Outline, type Source } from './render.ts'
import { shownSecrets } from './secrets.ts'
import { problemEvent } from './step.ts'

/** How long a cluster or an engine that does not answer is asked, in ms: without it less is known, and nothing is wrong. */
const patienceMs = 3000

type Tools = Pick<Parts, 'tools'>

/**
 * What of a plan's manifests will not work, as it is told without a cluster: what one may have beside them is a warning. Nothing of production,
 * which runs elsewhere.
 * @throws SECRET-103
 */
export async function problemsOffline(outline: Outline, source: Source, parts: Tools): Promise<readonly EventBody[]> {
  if (outline.plan.profileName === 'production') return []
  const findings = preflight(await inputOf(outline, source, parts)).map(maybe)
  return findings.map((finding) => problemEvent(problemIn(finding), finding.severity))
}

/** The same before `up` makes or changes anything: the cluster is asked, where there is one. @throws SECRET-103 */
export async function findingsBefore(outline: Outline, source: Source, run: EngineRun): Promise<readonly Finding[]> {
  const { plan } = outline
  const input = await inputOf(outline, source, run.parts)
  const [found, node] = await Promise.all([askCluster(preflight(input), plan, run), nodeOf(plan, run)])
  return [...found, ...(node ? tooMuch(stackOf(input), node) : [])]
}

async function inputOf({ plan, manifests }: Outline, source: Source, parts: Tools): Promise<PreflightInput> {
  return {
    manifests: withSecrets(manifests, await shownSecrets(plan, parts), plan),
    sources: source.manifests,
    namespace: plan.namespace,
    capabilities: capabilitiesOf(kubernetesOf(plan), source.manifests),
    own: isOwn(plan),
    images: plan.services.flatMap(({ image, build }) => (image === undefined ? [] : [{ image, isBuilt: build !== undefined }])),
  }
}

/** Whether devkit makes the plan's cluster: what is in it is known then. */
function isOwn({ cluster }: Plan): boolean {
  return !('existing' in cluster.spec)
}

/** The machine that the nodes of a cluster of devkit's run on. */
async function nodeOf(plan: Plan, { parts, signal }: EngineRun) {
  if (!isOwn(plan)) return undefined
  try {
    return await (await parts.host.engine()).machine(AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]))
  } catch (thrown) {
    signal.throwIfAborted()
    // whoever needs the engine tells what is wrong with it
    if (saysNo(thrown)) return undefined
    throw thrown
  }
}

/** Leaves out what the cluster has although no manifest does. Where it cannot be asked it may have anything. */
async function askCluster(findings: readonly Finding[], plan: Plan, run: EngineRun): Promise<readonly Finding[]> {
  const { parts, signal } = run
  if (!findings.some(({ unless }) => unless)) return findings
  try {
    const found = await providerOf(parts.tools, plan.cluster.spec).find(plan.cluster, { signal, say: () => undefined })
    if (found.state === 'absent') return findings
    if (found.state !== 'running') return findings.map(maybe)
    await using kube = await parts.openKube(found.cluster)
    await kube.untilReady(patienceMs, signal)
    return (await Promise.all(findings.map((finding) => askAbout(finding, kube, signal)))).flat()
  } catch (thrown) {
    signal.throwIfAborted()
    if (saysNo(thrown)) return findings.map(maybe)
    throw thrown
  }
}

async function askAbout(finding: Finding, kube: Kube, signal: AbortSignal): Promise<readonly Finding[]> {
  const { unless } = finding
  if (!unless) return [finding]
  if (!('ref' in unless)) {
    // what a cluster does not know it says itself, of all manifests at once; what took the place of an old API only devkit does
    const isServed = (await kube.scopeOf(unless.apiVersion, unless.kind, signal)) !== undefined
    return isServed || finding.code === 'RENDER-205' ? [] : [maybe(finding)]
  }
  try {
    const found = await kube.get(unless.ref, signal)
    if (!found) return [finding]
    const has = { ...(found['data'] as object | undefined), ...(found['binaryData'] as object | undefined) }
    const lacking = unless.data?.keys.filter((key) => !(key in has)) ?? []
    if (lacking.length === 0) return []
    return [{ ...finding, message: `${unless.data?.about}, the one in the cluster lacks ${lacking.join(', ')}.` }]
  } catch (thrown) {
    signal.throwIfAborted()
    // who may not look cannot tell
    if (saysNo(thrown)) return [maybe(finding)]
    throw thrown
  }
}

/** Whether a cluster or an engine gave no answer, or a bad one. */
function saysNo(thrown: unknown): boolean {
  return thrown instanceof Error && ['DevkitError', 'ApiFailure', 'TimeoutError'].includes(thrown.name)
}

function maybe(finding: Finding): Finding {
  return finding.unless ? { ...finding, severity: 'warning' } : finding
}

/** Whether the cluster is of the version that the config says the manifests are for. */
export async function findingsOfVersion(plan: Plan, kube: Kube, signal: AbortSignal): Promise<readonly Finding[]> {
  if (plan.kubernetes === undefined) return []
  const version = await kube.version(signal)
  if (minorOf(version) === minorOf(plan.kubernetes)) return []
  const minor = `1.${minorOf(version)}`
  return [
    {
      severity: 'warning',
      code: 'CLUSTER-112',
      message: `The cluster runs Kubernetes ${version}, the config says that the manifests are for ${plan.kubernetes}.`,
      hint: `Write \`kubernetes: '${minor}'\` in the config, or use a cluster of ${plan.kubernetes}: one that devkit makes is of the version of its \`nodeImage\`.`,
    },
  ]
}

/** What was applied to a cluster that devkit did not make and that nothing there serves. */
export async function findingsOfControllers(
  { plan, manifests, source }: { readonly plan: Plan; readonly manifests: readonly Manifest[]; readonly source: Source },
  { kube, live }: { readonly kube: Kube; readonly live: Live },
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  if (isOwn(plan)) return []
  const placeOf = placesIn(source.manifests)
  const found = Map.groupBy(await unserved(kube, live, manifests, signal), ({ lacks }) => lacks)
  return [...found].flatMap(([lacks, of]) =>
    unservedFinding(
      { placeOf },
      of.map(({ manifest }) => manifest),
      lacks,
    ),
  )
}

/** Tells findings: each warning once, and as resolved when it is found no more. */
export class FindingsBook {
  readonly #bus: Bus
  /** What was told and still holds, by what it is about and its message. */
  readonly #told = new Map<string, ReadonlyMap<string, Finding>>()

  constructor(bus: Bus) {
    this.#bus = bus
  }

  /** `findings`: all that hold now of what they are about. @throws their failures, as one */
  tell(about: string, findings: readonly Finding[]): void {
    const before = this.#told.get(about) ?? new Map<string, Finding>()
    const now = new Map(findings.filter(({ severity }) => severity === 'warning').map((finding) => [finding.message, finding]))
    this.#told.set(about, now)
    for (const [message, { code, object }] of before)
      if (!now.has(message)) this.#bus.emit({ type: 'problem.resolved', code, object })
    for (const [message, finding] of now) if (!before.has(message)) this.#bus.emit(problemEvent(problemIn(finding), 'warning'))
    const failure = failureOf(findings)
    if (failure) throw failure
  }
}
