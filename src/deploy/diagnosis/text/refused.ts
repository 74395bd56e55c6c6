import { webhookOf } from '../../webhook.ts'

/** Why the API server takes no pod, as far as its words tell: its events and conditions have no other field for it. */
export type Refused =
  | { readonly why: 'account'; readonly name: string }
  | { readonly why: 'priority-class'; readonly name: string }
  | { readonly why: 'runtime-class'; readonly name: string }
  | { readonly why: 'quota'; readonly quota: string; readonly lacks: readonly OverQuota[] }
  | { readonly why: 'quota-unspecified'; readonly quota: string; readonly fields: readonly string[] }
  | { readonly why: 'quota-unknown'; readonly quota: string }
  | { readonly why: 'limit-range'; readonly rules: readonly string[] }
  | { readonly why: 'pod-security'; readonly level: string; readonly rules: readonly string[] }
  | { readonly why: 'policy'; readonly policy: string; readonly said: string }
  | { readonly why: 'webhook-denied'; readonly webhook: string; readonly said: string }
  | { readonly why: 'webhook-silent'; readonly webhook: string; readonly said: string }
  | { readonly why: 'other'; readonly said: string }

/** A resource of which a quota has too little left. */
export interface OverQuota {
  readonly resource: string
  readonly asked: string
  readonly used: string
  readonly limit: string
}

/**
 * Understands what a controller reports when a pod or a claim of it was refused. Texts of 1.24 … 1.34.
 * @see https://github.com/kubernetes/kubernetes/tree/master/plugin/pkg/admission
 */
export function refusedIn(message: string): Refused {
  const webhook = webhookOf({ message })
  if (webhook)
    return {
      why: webhook.how === 'silent' ? 'webhook-silent' : 'webhook-denied',
      webhook: webhook.name,
      said: after(
        message,
        webhook.how === 'silent' ? /failed calling webhook "[^"]+": / : /denied the request(?: without explanation)?:? ?/,
      ),
    }
  const policy = /ValidatingAdmissionPolicy '([^']+)'.*? denied request: /s.exec(message)
  if (policy) return { why: 'policy', policy: policy[1] ?? '', said: after(message, / denied request: /) }
  const account = /error looking up service account [^/\s]+\/([^:\s]+): /.exec(message)?.[1]
  if (account !== undefined) return { why: 'account', name: account }
  const priority = /no PriorityClass with name (\S+) was found/.exec(message)?.[1]
  if (priority !== undefined) return { why: 'priority-class', name: priority }
  const runtime = /RuntimeClass "([^"]+)" not found/.exec(message)?.[1]
  if (runtime !== undefined) return { why: 'runtime-class', name: runtime }
  return quotaIn(message) ?? securityIn(message) ?? rangeIn(message) ?? { why: 'other', said: withoutMaker(message) }
}

function quotaIn(message: string): Refused | undefined {
  const over = /exceeded quota: ([^,\s]+), requested: (.*?), used: (.*?), limited: (.*)$/s.exec(message)
  if (over) {
    const [, quota = '', asked = '', used = '', limited = ''] = over
    const [inUse, limits] = [pairs(used), pairs(limited)]
    const lacks = [...pairs(asked)].map(([resource, amount]) => ({
      resource,
      asked: amount,
      used: inUse.get(resource) ?? '0',
      limit: limits.get(resource) ?? '0',
    }))
    return { why: 'quota', quota, lacks }
  }
  const unspecified = /failed quota: ([^:\s]+): must specify (.*)$/s.exec(message)
  if (unspecified) {
    const fields = (unspecified[2] ?? '').split(/;\s*/).flatMap((part) => part.replace(/ for: .*$/s, '').split(/,\s*/))
    return { why: 'quota-unspecified', quota: unspecified[1] ?? '', fields: [...new Set(fields.map((one) => one.trim()))] }
  }
  const unknown = /status unknown for quota: ([^,\s]+)/.exec(message)?.[1]
  return unknown === undefined ? undefined : { why: 'quota-unknown', quota: unknown }
}

/** `cpu=1,limits.memory=2Gi`. */
function pairs(text: string): ReadonlyMap<string, string> {
  return new Map(text.split(',').map((pair) => pair.trim().split('=') as [string, string]))
}

/** `violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "main" must set …), …`. */
function securityIn(message: string): Refused | undefined {
  const found = /violates PodSecurity "([^"]+)": (.*)$/s.exec(message)
  return found ? { why: 'pod-security', level: found[1] ?? '', rules: outsideBrackets(found[2] ?? '') } : undefined
}

/** `pods "x" is forbidden: [maximum cpu usage per Container is 1, but limit is 2, …]`: every rule has commas of its own. */
function rangeIn(message: string): Refused | undefined {
  const rules = message.match(
    /(?:maximum|minimum) [\w./-]+ usage per \w+ is [^,\s]+(?:, but (?:limit|request) is [^,\]\s]+|\. +No (?:limit|request) is specified)|[\w./-]+ max limit to request ratio per \w+ is [^,]+, but (?:provided ratio is [^,\]\s]+|no request is specified or request is 0|no limit is specified or limit is 0)/g,
  )
  return rules
    ? { why: 'limit-range', rules: rules.map((rule) => rule.replace(/\. +No/, ', but no').replace(/\.$/, '')) }
    : undefined
}

/** Splits at the commas that no bracket encloses. */
function outsideBrackets(text: string): readonly string[] {
  let depth = 0
  const parts = ['']
  for (const letter of text) {
    if (letter === '(') depth++
    if (letter === ')') depth--
    if (letter === ',' && depth === 0) parts.push('')
    else parts[parts.length - 1] += letter
  }
  return parts.map((part) => part.trim()).filter(Boolean)
}

/** The sentence that matters: controllers put what they were doing, and a pod's name of chance, in front of it. */
function withoutMaker(message: string): string {
  return message
    .replace(/^Error creating: /, '')
    .replace(/^create (?:Pod|Claim) .*? failed error: /, '')
    .replace(/^(?:pods|persistentvolumeclaims) "[^"]*" is forbidden: /, '')
    .replace(/^Pod "[^"]*" is invalid: /, '')
    .replace(/\.$/, '')
}

function after(message: string, mark: RegExp): string {
  const found = mark.exec(message)
  return found ? message.slice(found.index + found[0].length).replace(/\.$/, '') : message
}
