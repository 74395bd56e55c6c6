import { type KubeObject, podSpecOf } from '../../lib/objects.ts'
import { amountOf } from '../../lib/quantity.ts'
import { webhooksIn } from '../webhook.ts'
import type { Facts, Patient, Rule } from './facts.ts'
import { nobodyKnownMs } from './hope.ts'
import { podPath } from './pod.ts'
import { type Refusal, refusalOf } from './refused.ts'
import type { OverQuota, Refused } from './text/refused.ts'
import type { Verdict } from './verdict.ts'

/** How long what answers requests is given to come back, in ms, and how long at most while others are on their way. */
const silentMs = 10_000
const silentAtMostMs = 60_000
/** How long is waited for what names the refusal's object, in ms: who may not look never knows. */
const toldMs = 5000

type Case<Why extends Refused['why']> = { readonly refused: Extract<Refused, { readonly why: Why }> } & Omit<Refusal, 'refused'>

const refused: Rule = (patient) => {
  const refusal = refusalOf(patient)
  if (!refusal) return undefined
  const verdict = verdictOf(refusal, patient)
  return verdict && { evidence: [refusal.message], since: refusal.since, ...verdict }
}

type Said = Omit<Verdict, 'since'>

function verdictOf({ refused: why, ...rest }: Refusal, patient: Patient): Said | undefined {
  switch (why.why) {
    // what is referred to and missing is told with the references
    case 'account':
    case 'priority-class':
    case 'runtime-class':
      return undefined
    case 'quota':
      return overQuota({ refused: why, ...rest }, patient)
    case 'quota-unspecified':
      return withoutAmounts({ refused: why, ...rest }, patient)
    case 'quota-unknown':
      return notCounted({ refused: why, ...rest }, patient)
    case 'limit-range':
      return outOfRange({ refused: why, ...rest }, patient)
    case 'pod-security':
      return notSecure({ refused: why, ...rest }, patient)
    case 'policy':
      return denied(patient, `the ValidatingAdmissionPolicy ${why.policy}`, why.said, `ValidatingAdmissionPolicy/${why.policy}`)
    case 'webhook-denied':
      return denied(patient, `the webhook ${why.webhook}`, why.said, configurationOf(why.webhook, patient.facts)?.object)
    case 'webhook-silent':
      return silent({ refused: why, ...rest }, patient)
    default:
      return otherwise({ refused: why, ...rest }, patient)
  }
}

function beginning({ name, pods }: Patient): string {
  return `No ${pods.length > 0 ? 'further ' : ''}pod of ${name} can be created`
}

function overQuota({ refused: { quota, lacks }, since }: Case<'quota'>, patient: Patient): Said | undefined {
  const { name, facts } = patient
  const known = facts.known('v1', 'ResourceQuota')?.find(({ metadata }) => metadata.name === quota)
  const isEarly = !facts.hasPassed(since, nobodyKnownMs)
  // pods on their way out give back what they have; and a quota may have been raised since
  const isGoing = (facts.known('v1', 'Pod') ?? []).some(({ metadata }) => metadata.deletionTimestamp !== undefined)
  const mayPass = isGoing || (known !== undefined && !isStillOver(known, lacks))
  const amounts = lacks.map(({ resource, asked, used, limit }) => `${resource} (asks for ${asked}, ${used} of ${limit} are used)`)
  return {
    code: 'READY-190',
    severity: mayPass || isEarly ? 'warning' : 'failure',
    ...(isEarly && { isEarly: 'told' as const }),
    message: `${beginning(patient)}: the ResourceQuota ${quota} has too little left of ${amounts.join(' and ')}.`,
    hint: `Raise spec.hard of ${facts.where(`ResourceQuota/${quota}`, ['spec', 'hard'])}, or let ${facts.where(name)} have fewer replicas or ask for less (profiles: \`maxReplicas\`, \`requests\`).`,
    object: `ResourceQuota/${quota}`,
  }
}

function isStillOver({ status }: KubeObject, lacks: readonly OverQuota[]): boolean {
  const { hard = {}, used = {} } = (status ?? {}) as Readonly<Record<string, Readonly<Record<string, string>>>>
  const amount = (text: string | undefined): number => amountOf(text ?? '0') ?? 0
  return lacks.some(({ resource, asked }) => amount(used[resource]) + amount(asked) > amount(hard[resource]))
}

function withoutAmounts({ refused: { quota, fields } }: Case<'quota-unspecified'>, patient: Patient): Said {
  const { workload, name, facts } = patient
  return {
    code: 'READY-190',
    severity: 'failure',
    message: `${beginning(patient)}: the ResourceQuota ${quota} counts ${fields.join(', ')}, and not every container says how much it takes.`,
    hint: `Set ${fields.join(', ')} in the resources of every container of ${facts.where(name, podPath(workload, ['containers']))}, or add a LimitRange with defaults.`,
    object: `ResourceQuota/${quota}`,
  }
}

function notCounted({ refused: { quota }, since }: Case<'quota-unknown'>, patient: Patient): Said {
  const isOver = patient.facts.hasPassed(since, silentMs)
  return {
    code: 'READY-190',
    severity: isOver ? 'failure' : 'warning',
    message: `${beginning(patient)}: nobody has yet counted what the ResourceQuota ${quota} limits.`,
    hint: `Look at its status: \`kubectl describe resourcequota ${quota} --namespace ${patient.facts.namespace}\`; the controller manager has to run.`,
    object: `ResourceQuota/${quota}`,
  }
}

function outOfRange({ refused: { rules }, since }: Case<'limit-range'>, patient: Patient): Said | undefined {
  const { workload, name, facts } = patient
  const known = facts.known('v1', 'LimitRange')
  if (!known && !facts.hasPassed(since, toldMs)) return undefined
  const ranges = known ?? []
  const range =
    ranges.find((one) => rules.some((rule) => bounds(one).some((bound) => rule.includes(` is ${bound},`)))) ?? ranges[0]
  const of = range ? ` ${range.metadata.name}` : ''
  // of several containers nobody says which one it is
  const isOnly = podSpecOf(workload)?.containers.length === 1
  return {
    code: 'READY-191',
    severity: 'failure',
    message: `${beginning(patient)}: the LimitRange${of} does not allow its resources: ${rules.join('; ')}.`,
    hint: `Correct the resources in ${facts.where(name, podPath(workload, isOnly ? ['containers', 0, 'resources'] : ['containers']))}${range ? `, or the limits of ${facts.where(`LimitRange/${range.metadata.name}`)}` : ''}.`,
    ...(range && { object: `LimitRange/${range.metadata.name}` }),
  }
}

function bounds(range: KubeObject): readonly string[] {
  type Limit = Readonly<Record<'min' | 'max' | 'maxLimitRequestRatio', Readonly<Record<string, string>> | undefined>>
  const { limits = [] } = (range['spec'] ?? {}) as { readonly limits?: readonly Limit[] }
  return limits.flatMap(({ min, max, maxLimitRequestRatio }) =>
    [min, max, maxLimitRequestRatio].flatMap((of) => Object.values(of ?? {})),
  )
}

function notSecure({ refused: { level, rules } }: Case<'pod-security'>, patient: Patient): Said {
  const { workload, name, facts } = patient
  const broken = rules.map((rule) => rule.replace(/ \(.*$/s, ''))
  const toSet = rules.flatMap((rule) => / must (?:not )?set (.*)\)$/s.exec(rule)?.[0]?.slice(1, -1) ?? [])
  const place = facts.where(name, podPath(workload, ['containers']))
  const label = `\`kubectl label namespace ${facts.namespace} pod-security.kubernetes.io/enforce=… --overwrite\``
  return {
    code: 'READY-192',
    severity: 'failure',
    message: `${beginning(patient)}: the namespace ${facts.namespace} enforces the Pod Security Standard ${level.replace(/:latest$/, '')}, which forbids ${broken.join(', ')}.`,
    hint: `Correct ${place}${toSet.length > 0 ? ` (${toSet.join('; ')})` : ''}, or let the namespace allow more: ${label}.`,
  }
}

function denied(patient: Patient, by: string, said: string, object: string | undefined): Said {
  const { name, facts } = patient
  const look = object ? `, or what it demands: \`kubectl get ${object.toLowerCase()} --output yaml\`` : ''
  return {
    code: 'READY-193',
    severity: 'failure',
    message: `${beginning(patient)}: ${by} refuses it${said ? `: ${ended(said)}` : '.'}`,
    hint: `Correct ${facts.where(name)} as it says${look}.`,
    ...(object && { object }),
  }
}

function silent({ refused: { webhook, said }, since }: Case<'webhook-silent'>, patient: Patient): Said {
  const { facts } = patient
  const configuration = configurationOf(webhook, facts)
  const service = configuration?.service
  const isComing = service ? isOnItsWay(service.namespace, facts) : false
  const isOver = facts.hasPassed(since, silentMs) && (!isComing || facts.hasPassed(since, silentAtMostMs))
  const where = service ? `Look at the pods of Service ${service.namespace}/${service.name}` : 'Start what it leads to'
  const away = configuration ? `, or remove it: \`kubectl delete ${configuration.object.toLowerCase()}\`` : ''
  return {
    code: 'READY-194',
    severity: isOver ? 'failure' : 'warning',
    message: `${beginning(patient)}: the webhook ${webhook}${configuration ? ` of ${configuration.object}` : ''}, which has to agree, does not answer: ${ended(whyOf(said))}`,
    hint: `${where}${away}.`,
    ...(configuration && { object: configuration.object }),
  }
}

/** `failed to call webhook: Post "https://…?timeout=1s": dial tcp 127.0.0.1:9: connect: connection refused`. */
function whyOf(said: string): string {
  return said.replace(/^failed to call webhook: /, '').replace(/^Post "[^"]*": /, '')
}

/** Whether a Deployment of another namespace is about to run; nobody knows where they may not be looked at. */
export function isOnItsWay(namespace: string, facts: Facts): boolean {
  return (facts.known('apps/v1', 'Deployment', 'cluster') ?? []).some(({ metadata, spec, status }) => {
    const { replicas = 1 } = (spec ?? {}) as { readonly replicas?: number }
    const { availableReplicas = 0 } = (status ?? {}) as { readonly availableReplicas?: number }
    return metadata.namespace === namespace && availableReplicas < replicas
  })
}

function configurationOf(webhook: string, facts: Facts) {
  for (const kind of ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'])
    for (const one of facts.known('admissionregistration.k8s.io/v1', kind, 'cluster') ?? []) {
      const entry = webhooksIn(one).find(({ name }) => name === webhook)
      if (entry) return { object: `${kind}/${one.metadata.name}`, service: entry.clientConfig?.service }
    }
  return undefined
}

/** What the server says of a wrong pod stays so; what it says of itself may pass. */
const forGood = /is forbidden|is invalid|cannot create|Invalid value|Unsupported value|Required value|unknown field/i

function otherwise({ refused: { said }, message, since }: Case<'other'>, patient: Patient): Said {
  const isOver = forGood.test(message) || patient.facts.hasPassed(since, silentMs)
  return {
    code: 'READY-195',
    severity: isOver ? 'failure' : 'warning',
    message: `${beginning(patient)}: ${ended(said)}`,
    hint: `Mend what the API server refuses in ${patient.facts.where(patient.name)}.`,
  }
}

function ended(sentence: string): string {
  return /[.?!]$/.test(sentence) ? sentence : `${sentence}.`
}

/** Why the API server takes no pod of a workload. */
export const refusals: readonly Rule[] = [refused]
