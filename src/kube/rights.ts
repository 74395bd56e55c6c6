import { mapLimited } from '../lib/async.ts'
import type { Api, ApiRequest } from './api.ts'
import type { Resource } from './discovery.ts'
import type { ApiFailure, Denial, Need } from './kube.ts'

/** What a Status object tells of a failure. */
export interface Said {
  readonly message?: string
  readonly details?: { readonly kind?: string; readonly group?: string; readonly causes?: ApiFailure['causes'] }
}

const refused =
  /User "(?<user>[^"]*)" cannot (?<verb>\S+) (?:resource "(?<resource>[^"]+)" in API group "(?<group>[^"]*)"(?: in the namespace "(?<namespace>[^"]+)")?|path "(?<path>[^"]+)")/

/** Who may not do something may not give others the right to it either. */
const granting = /user "(?<user>[^"]*)" .*is attempting to grant RBAC permissions not currently held/

/**
 * The right that was lacking, of what was said with a 403. Undefined where it was not about rights: quotas and policies say no with a 403 too,
 * but never to who reads.
 */
export function denialOf({ message = '', details = {} }: Said, asked?: Omit<ApiRequest, 'signal'>): Denial | undefined {
  const told = refused.exec(message)?.groups
  if (told) {
    const { user, verb = '', resource, group = '', namespace, path = '' } = told
    return { user, verb, resource: resource ?? path, group: details.group ?? group, namespace }
  }
  if (!asked) return undefined
  const { group = '', namespace, resource = asked.path, name } = resourcePath.exec(asked.path)?.groups ?? {}
  const granter = granting.exec(message)?.groups
  if (granter)
    return resource.endsWith('bindings')
      ? { user: granter['user'], verb: 'bind', resource: resource.replace('bindings', 's'), group, namespace }
      : { user: granter['user'], verb: 'escalate', resource, group, namespace }
  if ((asked.method ?? 'GET') !== 'GET') return undefined
  const verb = asked.query?.['watch'] ? 'watch' : name === undefined ? 'list' : 'get'
  return { verb, resource: details.kind ?? resource, group: details.group ?? group, namespace }
}

const resourcePath =
  /^\/(?:api|apis\/(?<group>[^/]+))\/[^/]+(?:\/namespaces\/(?<namespace>[^/]+)(?=\/))?\/(?<resource>[^/]+)(?:\/(?<name>[^/]+))?/

/**
 * Which needs are denied, in one request where nothing is: the rules of a namespace cover what is asked for. They may be incomplete, and say
 * nothing of the cluster's own resources: what they do not cover is asked about one by one.
 * @see https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
 */
export async function denials(
  { api, resourceOf }: { readonly api: Api; resourceOf(apiVersion: string, kind: string): Promise<Resource | undefined> },
  needs: readonly Need[],
  signal: AbortSignal,
): Promise<readonly Denial[]> {
  const wanted = new Map<string, Denial>()
  for (const { verbs, apiVersion, kind, namespace } of needs) {
    const resource = await resourceOf(apiVersion, kind)
    if (!resource) continue
    const { namespaced, plural } = resource
    const at = { kind, resource: plural, group: groupOf(apiVersion), namespace: namespaced ? namespace : undefined }
    for (const verb of verbs) wanted.set([verb, at.group, plural, at.namespace].join(' '), { ...at, verb })
  }
  const all = [...wanted.values()]
  const rules = new Map<string, readonly Rule[]>()
  for (const namespace of new Set(all.map((access) => access.namespace ?? 'default')))
    rules.set(namespace, await rulesIn(api, namespace, signal))
  const open = all.filter((access) => !(rules.get(access.namespace ?? 'default') ?? []).some((rule) => covers(rule, access)))
  const answers = await mapLimited(open, 8, async (access) => ((await isAllowed(api, access, signal)) ? [] : [access]))
  const denied = answers.flat()
  if (denied.length === 0) return []
  const user = await userName(api, signal)
  return denied.map((access) => ({ ...access, user }))
}

function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : ''
}

interface Rule {
  readonly verbs: readonly string[]
  readonly apiGroups?: readonly string[]
  readonly resources?: readonly string[]
}

/** A rule for certain names alone is taken for one for all: the dry run tells otherwise. */
function covers({ verbs, apiGroups = [], resources = [] }: Rule, { verb, group, resource }: Denial): boolean {
  const has = (list: readonly string[], one: string): boolean => list.includes(one) || list.includes('*')
  return has(verbs, verb) && has(apiGroups, group) && has(resources, resource)
}

async function rulesIn(api: Api, namespace: string, signal: AbortSignal): Promise<readonly Rule[]> {
  const { status } = await review<{ readonly resourceRules?: readonly Rule[] }>(
    api,
    'SelfSubjectRulesReview',
    { namespace },
    signal,
  )
  return status.resourceRules ?? []
}

async function isAllowed(api: Api, { verb, group, resource, namespace }: Denial, signal: AbortSignal): Promise<boolean> {
  const resourceAttributes = { verb, group, resource, ...(namespace === undefined ? {} : { namespace }) }
  const { status } = await review<{ readonly allowed: boolean }>(api, 'SelfSubjectAccessReview', { resourceAttributes }, signal)
  return status.allowed
}

function review<Status>(api: Api, kind: string, spec: object, signal: AbortSignal): Promise<{ readonly status: Status }> {
  const apiVersion = 'authorization.k8s.io/v1'
  const path = `/apis/${apiVersion}/${kind.toLowerCase()}s`
  return api.json({ method: 'POST', path, body: { apiVersion, kind, spec }, signal })
}

/** Clusters before 1.28 do not tell. */
async function userName(api: Api, signal: AbortSignal): Promise<string | undefined> {
  const apiVersion = 'authentication.k8s.io/v1'
  const body = { apiVersion, kind: 'SelfSubjectReview' }
  try {
    const { status } = await api.json<{ readonly status: { readonly userInfo?: { readonly username?: string } } }>({
      method: 'POST',
      path: `/apis/${apiVersion}/selfsubjectreviews`,
      body,
      signal,
    })
    return status.userInfo?.username
  } catch {
    signal.throwIfAborted()
    return undefined
  }
}
