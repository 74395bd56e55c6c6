import { ownLabels } from '../deploy/apply.ts'
import { contentsIn, withContentMarks } from '../deploy/content-marks.ts'
import { driftOf } from '../deploy/drift.ts'
import { Hooks } from '../deploy/hooks.ts'
import { isMapped, leftOf, readInventory } from '../deploy/inventory.ts'
import { nothingObserved, observe } from '../deploy/observed.ts'
import type { Diff, FieldDiff, ObjectDiff } from '../events/diff.ts'
import type { EventBody } from '../events/event.ts'
import type { Kube } from '../kube/kube.ts'
import { mapLimited } from '../lib/async.ts'
import { type Difference, differences } from '../lib/difference.ts'
import { DevkitError } from '../lib/errors.ts'
import { isOccasional } from '../lib/hooks.ts'
import { type KubeObject, type Manifest, nameOf } from '../lib/objects.ts'
import { originOf } from '../lib/origins.ts'
import { isRecord } from '../lib/record.ts'
import { Scope } from '../lib/scope.ts'
import type { Step } from '../lib/step.ts'
import type { Plan } from '../plan/plan.ts'
import { type Report, report } from '../render/transforms/report.ts'
import { hidden, withSecrets } from '../render/transforms/secrets.ts'
import { transform } from '../render/transforms/transforms.ts'
import { providerOf } from '../toolbox.ts'
import type { Parts } from './environment.ts'
import { preview } from './preview.ts'
import { renderSource, type Source } from './render.ts'
import { contentsOf, valuesOf } from './secrets.ts'

/** How long the API server may be waited for, in ms. */
const patienceMs = 5000

type Look = Pick<Step, 'signal'>

/** A difference, and what of the manifests behind it will not work. */
export type FoundDiff = Diff & { readonly problems: readonly EventBody[] }

/**
 * What profile `b` has otherwise than profile `a`, with the rule that did it. No cluster is needed.
 * @throws as `preview`
 */
export async function diffProfiles(a: Plan, b: Plan, parts: Pick<Parts, 'tools' | 'host'>, step: Look): Promise<FoundDiff> {
  // production invents no values of its sources: the other has them, where both are the same
  const source = await renderSource(a.profileName === 'production' ? b : a, parts, step)
  const before = await sideOf(a, source, parts, step)
  const after = await sideOf(b, source, parts, step)
  const keys = new Set([...before.objects.keys(), ...after.objects.keys()])
  return {
    before: a.profileName,
    after: b.profileName,
    objects: [...keys].flatMap((key) => compared(key, before, after)),
    notes: [...new Set([...before.notes, ...after.notes])],
    problems: after.problems,
  }
}

/** The objects under one profile and what made them so, by group, kind and name. */
interface Side {
  readonly objects: ReadonlyMap<string, Manifest>
  readonly reports: ReadonlyMap<string, Report>
  /** Of a Secret of the config: who named it. */
  readonly secrets: ReadonlyMap<string, string>
  readonly notes: readonly string[]
  readonly problems: readonly EventBody[]
}

async function sideOf(plan: Plan, source: Source, parts: Pick<Parts, 'tools' | 'host'>, step: Look): Promise<Side> {
  // production is what the sources have: nothing of devkit in it
  if (plan.profileName === 'production')
    return { objects: byKey(source.manifests), reports: new Map(), secrets: new Map(), notes: [], problems: [] }
  const { manifests, input, notes, problems } = await preview(plan, parts, step, source)
  const reports = [...report(source.manifests, input, plan.profileOrigins)]
  const secrets = Object.keys(plan.secrets).map((name): [string, string] => {
    const profile = originOf(plan.profileOrigins, `secrets.${name}`) ?? 'config'
    return [`/Secret/${name}`, `${profile}: secrets.${name}`]
  })
  return {
    objects: byKey(manifests),
    reports: new Map(reports.map((one) => [keyOf(one.manifest.object), one])),
    secrets: new Map(secrets),
    notes,
    problems,
  }
}

function byKey(manifests: readonly Manifest[]): ReadonlyMap<string, Manifest> {
  return new Map(manifests.map((manifest) => [keyOf(manifest.object), manifest]))
}

/** The same before and after a profile, which may set the namespace. */
function keyOf(object: KubeObject): string {
  const [group] = object.apiVersion.includes('/') ? object.apiVersion.split('/') : ['']
  return `${group}/${nameOf(object)}`
}

function compared(key: string, before: Side, after: Side): readonly ObjectDiff[] {
  const [was, is] = [before.objects.get(key), after.objects.get(key)]
  if (was && is) {
    const fields = differences(was.object, is.object).map((difference) => ({
      ...shown(was.object.kind, difference),
      rule: ruleOf(key, difference.path, before, after),
    }))
    return fields.length > 0 ? [{ ...at(was), is: 'changed', fields }] : []
  }
  const [there, elsewhere] = was ? [before, after] : [after, before]
  const manifest = was ?? is
  const made = elsewhere.reports.get(key)
  const why = made?.outcome === 'left out' ? { rule: made.rule, reason: made.reason } : { rule: there.secrets.get(key) }
  return manifest ? [{ ...at(manifest), is: was ? 'removed' : 'added', ...why, fields: [] }] : []
}

/** The rules that `after` has for a field or for what is in it; where it has none, those of `before`, which no longer hold. */
function ruleOf(key: string, path: string, before: Side, after: Side): string | undefined {
  const bare = path.replace(/ \(order\)$/, '')
  const rulesIn = (side: Side): readonly string[] => {
    const made = side.reports.get(key)
    const changes = made?.outcome === 'kept' ? made.changes : []
    const rulesOf = (field: string): readonly string[] =>
      changes.filter((change) => isWithin(field, change.path) || isWithin(change.path, field)).map(({ rule }) => rule)
    const exact = rulesOf(bare)
    // items that a single rule can tell apart by name may have only numbers in all, and the other way round
    const rules = exact.length > 0 ? exact : rulesOf(bare.slice(0, Math.max(0, bare.lastIndexOf('['))))
    const secret = /^(data|stringData|type)\b/.test(path) ? side.secrets.get(key) : undefined
    return secret === undefined ? rules : [...rules, secret]
  }
  const now = rulesIn(after)
  const rules = now.length > 0 ? now : rulesIn(before).map((rule) => `without ${rule}`)
  return rules.length === 0 ? undefined : [...new Set(rules)].join(', ')
}

function isWithin(path: string, outer: string): boolean {
  return path === outer || path.startsWith(`${outer}.`) || path.startsWith(`${outer}[`)
}

/** A difference as it may be shown: of a Secret the values are not. */
function shown(kind: string, { path, before, after }: Difference): FieldDiff {
  const isOpen = kind !== 'Secret' || /^(type|immutable|metadata\.(namespace|labels))\b/.test(path)
  const show = isOpen ? (value: unknown): unknown => value : masked
  return {
    path,
    ...(before === undefined ? {} : { before: show(before) }),
    ...(after === undefined ? {} : { after: show(after) }),
  }
}

function masked(value: unknown): unknown {
  return isRecord(value) ? Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, masked(inner)])) : hidden
}

/**
 * What `up` would change in the cluster: the objects as they are there against the manifests.
 * @throws CLUSTER-104 when the cluster is there and does not answer; as `preview` and `applyManifest`
 */
export async function diffLive(plan: Plan, parts: Parts, step: Step): Promise<FoundDiff> {
  const { manifests: local, source, input, notes: told, problems } = await preview(plan, parts, step)
  const values = await valuesOf(plan, parts)
  const found = await providerOf(parts.tools, plan.cluster.spec).find(plan.cluster, step)
  const about = { before: 'live', after: 'local', notes: [...told], problems }
  if (found.state === 'absent' || found.state === 'making')
    return { ...about, objects: local.map(added), notes: [...told, `the cluster is ${found.state}: nothing is live`] }
  if (found.state !== 'running')
    throw new DevkitError('CLUSTER-104', {
      message: `The cluster is ${found.state}: what is live cannot be asked.`,
      hint: 'Run `devkit up`, or name two profiles to compare.',
    })
  await using scope = new Scope()
  const kube = scope.use(await parts.openKube(found.cluster))
  await kube.untilReady(patienceMs, step.signal)
  const secrets = await contentsOf(plan, values, kube, parts, step.signal)
  const laid = withSecrets(transform(source.manifests, input), secrets, plan)
  const observed = await observe(kube, laid, step.signal)
  const contents = contentsIn(laid, { before: observed })
  const manifests = laid.map(({ object, origin }) => ({
    object: withContentMarks(object, contents, observed.get(object)),
    origin,
  }))
  const hooks = await Hooks.open(kube, plan, { manifests, observed: nothingObserved }, step.signal)
  const changed = await mapLimited(manifests, 8, (manifest) => liveDiff(plan, kube, { manifest, hooks }, step.signal))
  const left = leftOf(await readInventory(kube, plan.namespace, step.signal), manifests).filter((ref) => !isMapped(ref))
  const removed = left.map(
    (ref): ObjectDiff => ({ object: nameOf(ref), is: 'removed', reason: 'left the manifests', fields: [] }),
  )
  return { ...about, objects: [...changed.flat(), ...removed] }
}

async function liveDiff(
  plan: Plan,
  kube: Kube,
  { manifest, hooks }: { readonly manifest: Manifest; readonly hooks: Hooks },
  signal: AbortSignal,
): Promise<readonly ObjectDiff[]> {
  const drift = await driftOf(kube, manifest, ownLabels(plan.project, plan.env), signal)
  if (!drift) return hooks.isRemembered(manifest.object) || isOccasional(manifest.object) ? [] : [added(manifest)]
  const { object } = manifest
  const fields = drift.map((difference) => shown(object.kind, difference))
  return fields.length > 0 ? [{ ...at(manifest), is: 'changed', fields }] : []
}

function added(manifest: Manifest): ObjectDiff {
  return { ...at(manifest), is: 'added', fields: [] }
}

function at({ object, origin }: { readonly object: KubeObject; readonly origin: Manifest['origin'] }) {
  return { object: nameOf(object), file: origin.file, line: origin.line }
}
