import type { ApiFailure, Denial } from '../kube/kube.ts'
import { DevkitError } from '../lib/errors.ts'

/** A right that is lacking, and the places of the manifests that it is needed for. */
export interface Lacking extends Denial {
  readonly places?: readonly string[]
}

/** The problem of a user who may not, where that is what was thrown: CLUSTER-113. `place` is the manifest's that it was about. */
export function problemOfRights(thrown: unknown, place?: string): DevkitError | undefined {
  if (!(thrown instanceof Error) || thrown.name !== 'ApiFailure') return undefined
  const { denied } = thrown as ApiFailure
  return denied && lackOf({ ...denied, places: place === undefined ? [] : [place] }, [], thrown)
}

/** What is lacking, a line for each resource, and the rules that would give it. */
export function lackOf(first: Lacking, others: readonly Lacking[] = [], cause?: unknown): DevkitError {
  const lacking = [first, ...others]
  const byResource = Map.groupBy(lacking, ({ namespace = '', group, resource }) => `${namespace} ${group} ${resource}`)
  const resources = [...byResource.values()].map(together)
  const lines = resources.map(sentence)
  return new DevkitError('CLUSTER-113', {
    message: lines.length === 1 ? `${lines[0]}.` : `${lacking.length} rights are lacking:\n${lines.join('\n')}`,
    hint: `Ask who runs the cluster for the rules below; \`${canI(first)}\` tells whether you have ${others.length === 0 ? 'it' : 'the first'}.`,
    detail: resources.map(rule).join('\n'),
    cause,
  })
}

/** What is lacking on one resource; `verb` has all verbs. */
function together(lacking: readonly Lacking[]): Lacking {
  const verb = lacking.map((one) => one.verb).join(', ')
  const places = [...new Set(lacking.flatMap((one) => one.places ?? []))]
  return { resource: '', group: '', ...lacking[0], verb, places }
}

function sentence({ user = 'the user of the kubeconfig', verb, resource, group, namespace, places = [] }: Lacking): string {
  const more = places.length > 3 ? ` and ${places.length - 3} more` : ''
  const prefix = places.length > 0 ? `${places.slice(0, 3).join(', ')}${more}: ` : ''
  const place = namespace === undefined ? 'in the whole cluster' : `in the namespace ${namespace}`
  return `${prefix}${user} may not ${verb} ${isPath(resource) ? resource : `${named({ resource, group })} ${place}`}`
}

function rule({ verb, resource, group, namespace }: Lacking): string {
  if (isPath(resource)) return `ClusterRole: { nonResourceURLs: ["${resource}"], verbs: [${verb}] }`
  const kind = namespace === undefined ? 'ClusterRole' : `Role in ${namespace}`
  return `${kind}: { apiGroups: ["${group}"], resources: [${resource}], verbs: [${verb}] }`
}

function canI({ verb, resource, group, namespace }: Lacking): string {
  const [name = '', subresource] = isPath(resource) ? [resource] : resource.split('/')
  const options = [subresource && `--subresource ${subresource}`, namespace && `--namespace ${namespace}`]
  return ['kubectl auth can-i', verb, isPath(resource) ? name : named({ resource: name, group }), ...options]
    .filter(Boolean)
    .join(' ')
}

/** As kubectl takes it: `deployments.apps`. */
function named({ resource, group }: Pick<Lacking, 'resource' | 'group'>): string {
  return group === '' ? resource : `${resource}.${group}`
}

function isPath(resource: string): boolean {
  return resource.startsWith('/')
}
