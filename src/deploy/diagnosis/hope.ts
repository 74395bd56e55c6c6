import { dataOf, type KubeObject, nameOf, podSpecOf } from '../../lib/objects.ts'
import { groupOf } from '../../lib/select.ts'
import type { Patient } from './facts.ts'
import type { Verdict } from './verdict.ts'

/** What nobody is known to make may still come from a controller, in ms. Times of the API are whole seconds: it is one less. */
export const nobodyKnownMs = 2500
/** How long somebody who is known to make it is given, in ms, and how long at most while others are on their way. */
const somebodyKnownMs = 60_000
const atMostMs = 180_000

/**
 * A verdict about something that is missing, as severe as time makes it: an early one while a controller may be about to make it, which is told
 * once the cluster `isTold` of it; a warning while somebody is known who will, else a failure.
 */
export function unlessMade(
  missing: MissingObject,
  patient: Patient,
  { isTold = false, ...verdict }: Verdict & { readonly isTold?: boolean },
): Verdict {
  const { facts, workload } = patient
  if (!facts.hasPassed(verdict.since, nobodyKnownMs))
    return { ...verdict, severity: 'warning', isEarly: isTold ? 'told' : 'untold' }
  const maker = makerOf(missing, patient)
  if (maker === undefined) return { ...verdict, severity: 'failure' }
  const mayCome = facts.hasPassed(verdict.since, somebodyKnownMs) ? facts.isAnythingOnItsWay(workload) : true
  const isOver = !mayCome || facts.hasPassed(verdict.since, atMostMs)
  const evidence = [...(verdict.evidence ?? []), `${maker} may make it`]
  return { ...verdict, severity: isOver ? 'failure' : 'warning', evidence }
}

/** An object that something refers to. */
export interface MissingObject {
  readonly kind: string
  readonly name: string
  /** What has to be in it. */
  readonly key?: string
}

/** Who is there to make an object, or will be: devkit itself, a custom resource that names it, a workload that has the right to. */
export function makerOf(missing: MissingObject, { workload, facts }: Patient): string | undefined {
  const isMissing = (one: KubeObject): boolean =>
    one.kind === missing.kind && one.metadata.name === missing.name && (missing.key === undefined || missing.key in dataOf(one))
  if (facts.manifests.some(isMissing)) return 'The apply of the manifests'
  const resource = missing.name === '' ? undefined : facts.manifests.find((object) => names(object, missing.name))
  if (resource) return nameOf(resource)
  const other = facts.onTheirWay(workload).find((one) => mayCreate(one, missing.kind, { workload, facts } as Patient))
  return other && nameOf(other)
}

/** Custom resources name what their controllers make, or it begins with their own name; so do Ingresses of which a controller has to know. */
function names(object: KubeObject, name: string): boolean {
  const group = groupOf(object)
  if (object.kind === 'Ingress')
    return Object.keys(object.metadata.annotations ?? {}).length > 0 && mentions(object['spec'], name)
  const isCustom = group.includes('.') && !group.endsWith('.k8s.io')
  return (
    isCustom && (name === object.metadata.name || name.startsWith(`${object.metadata.name}-`) || mentions(object['spec'], name))
  )
}

function mentions(value: unknown, name: string): boolean {
  if (value === name) return true
  return typeof value === 'object' && value !== null && Object.values(value).some((part) => mentions(part, name))
}

interface Binding extends KubeObject {
  readonly roleRef?: { readonly kind: string; readonly name: string }
  readonly subjects?: readonly { readonly kind: string; readonly name: string; readonly namespace?: string }[]
}

interface Role extends KubeObject {
  readonly rules?: readonly { readonly verbs?: readonly string[]; readonly resources?: readonly string[] }[] | null
}

const rbac = 'rbac.authorization.k8s.io/v1'

/** Whether the programs of a workload have the right to create a kind. Where roles may not be looked at, an account of its own tells. */
function mayCreate(other: KubeObject, kind: string, { facts }: Patient): boolean {
  const account = String(podSpecOf(other)?.['serviceAccountName'] ?? 'default')
  const lists = (['RoleBinding', 'Role'] as const).map((name) => facts.known(rbac, name))
  const wide = (['ClusterRoleBinding', 'ClusterRole'] as const).map((name) => facts.known(rbac, name, 'cluster'))
  if ([...lists, ...wide].some((list) => list === undefined)) return account !== 'default'
  const [bindings = [], roles = []] = lists as readonly (readonly KubeObject[])[]
  const [clusterBindings = [], clusterRoles = []] = wide as readonly (readonly KubeObject[])[]
  const isBound = ({ subjects = [] }: Binding): boolean =>
    subjects.some(
      (one) => one.kind === 'ServiceAccount' && one.name === account && (one.namespace ?? facts.namespace) === facts.namespace,
    )
  const bound = ([...bindings, ...clusterBindings] as readonly Binding[]).filter(isBound).map(({ roleRef }) => roleRef)
  const resource = `${kind.toLowerCase()}${kind.endsWith('s') ? 'es' : 's'}`
  return ([...roles, ...clusterRoles] as readonly Role[])
    .filter((role) => bound.some((ref) => ref?.kind === role.kind && ref.name === role.metadata.name))
    .flatMap(({ rules }) => rules ?? [])
    .some(
      ({ verbs = [], resources = [] }) =>
        resources.some((one) => one === resource || one === '*') && verbs.some((verb) => verb === 'create' || verb === '*'),
    )
}
