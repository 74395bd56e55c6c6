import { nearest } from '../../lib/nearest.ts'
import { dataOf, type KubeObject, podSpecOf } from '../../lib/objects.ts'
import { claimsOf } from './claims.ts'
import { inPods, type Patient, type Rule } from './facts.ts'
import { unlessMade } from './hope.ts'
import { bornAt, conditionOf, containersOf, podPath, specOf, statusOf } from './pod.ts'
import { type Referred, referredNext } from './referred.ts'
import { refusalOf } from './refused.ts'
import { saidMissing, saidMissingKey } from './text/missing.ts'
import type { Verdict } from './verdict.ts'

const missing = inPods((pod, patient) => {
  for (const referred of referredNext(pod)) {
    const known = patient.facts.known('v1', referred.kind)
    const { facts } = patient
    if (!known && !facts.isHidden('v1', referred.kind)) return soon('READY-150', bornAt(pod))
    const words = wordsOf(pod, patient)
    // who may not look goes by what the kubelet says
    const lacks = known ? isLacking(referred, known) : words.some((said) => says(said, referred))
    if (!lacks) continue
    const verdict =
      referred.key === undefined ? withoutObject(pod, referred, known, patient) : withoutKey(pod, referred, known, patient)
    const evidence = [...words.slice(0, 1), ...namesThere(referred, known)]
    return unlessMade(referred, patient, { ...verdict, evidence, isTold: words.length > 0 })
  }
  return undefined
})

/** Stands for what will be known in a moment: nothing that comes later is told before. */
function soon(code: Verdict['code'], since: number): Verdict {
  return { code, severity: 'warning', message: '', hint: '', since, isEarly: 'untold' }
}

function isLacking({ name, key }: Referred, known: readonly KubeObject[]): boolean {
  const object = known.find(({ metadata }) => metadata.name === name)
  if (!object) return key === undefined
  return key !== undefined && !keysOf(object).includes(key)
}

function keysOf(object: KubeObject): readonly string[] {
  return [...Object.keys(dataOf(object)), ...Object.keys((object['binaryData'] ?? {}) as object)]
}

function says(message: string, { kind, name, key }: Referred): boolean {
  const said = saidMissing(message)
  if (said) return said.kind === kind && said.name === name && said.key === key
  const ofVolume = saidMissingKey(message)
  return key !== undefined && ofVolume?.kind === kind && ofVolume.key === key
}

/** What the kubelet says is missing, word for word. */
function wordsOf(pod: KubeObject, { facts }: Patient): readonly string[] {
  const waiting = containersOf(pod).flatMap(({ state }) =>
    state?.waiting?.reason === 'CreateContainerConfigError' ? (state.waiting.message ?? []) : [],
  )
  const mounts = facts.warnings(pod).flatMap(({ reason, message }) => (reason === 'FailedMount' ? message : []))
  return [...waiting, ...mounts].filter((said) => saidMissing(said) ?? saidMissingKey(said))
}

function namesThere({ kind, name, key }: Referred, known: readonly KubeObject[] | undefined): readonly string[] {
  const object = known?.find(({ metadata }) => metadata.name === name)
  if (object && key !== undefined) return [`${kind} ${name} has: ${listed(keysOf(object))}`]
  return known ? [`${kind}s in the namespace: ${listed(known.map(({ metadata }) => metadata.name))}`] : []
}

function listed(names: readonly string[]): string {
  const few = names.slice(0, 10).join(', ')
  return names.length > 10 ? `${few} and ${names.length - 10} more` : few || 'none'
}

function withoutObject(
  pod: KubeObject,
  { kind, name, by, path }: Referred,
  known: readonly KubeObject[] = [],
  { workload, name: of, facts }: Patient,
): Verdict {
  const place = facts.where(of, podPath(workload, path))
  const better = nearest(
    name,
    known.map(({ metadata }) => metadata.name),
  )
  const otherwise =
    kind === 'Secret'
      ? `Add Secret/${name} to the manifests, name it in \`secrets\` of the config, or correct ${place}`
      : `Add ConfigMap/${name} to the manifests, or correct ${place}`
  return {
    code: kind === 'Secret' ? 'READY-151' : 'READY-150',
    severity: 'failure',
    message: `${of} cannot start: there is no ${kind} ${name}, which ${by} refers to.`,
    hint: better ? `Write ${better} instead of ${name} in ${place}, or add ${kind}/${name} to the manifests.` : `${otherwise}.`,
    object: `${kind}/${name}`,
    since: bornAt(pod),
  }
}

function withoutKey(
  pod: KubeObject,
  { kind, name, key = '', by, path }: Referred,
  known: readonly KubeObject[] = [],
  { workload, name: of, facts }: Patient,
): Verdict {
  const object = known.find(({ metadata }) => metadata.name === name)
  const better = object && nearest(key, keysOf(object))
  const place = facts.where(of, podPath(workload, path))
  return {
    code: 'READY-152',
    severity: 'failure',
    message: `${of} cannot start: the ${kind} ${name} has no key ${key}, which ${by} refers to.`,
    hint: better
      ? `Write ${better} instead of ${key} in ${place}, or add the key to ${facts.where(`${kind}/${name}`)}.`
      : `Add the key to ${facts.where(`${kind}/${name}`)}, or correct ${place}.`,
    object: `${kind}/${name}`,
    since: bornAt(pod),
  }
}

/** A Secret may still come from a controller, in ms. */
const pullSecretAfterMs = 1000
/** A registry that asks who pulls. */
const wantsLogin =
  /unauthorized|authorization failed|authentication required|no basic auth|access denied|denied:|403 Forbidden|401/i

const withoutLogin = inPods((pod, { workload, name: of, facts }) => {
  const named = (specOf(pod)['imagePullSecrets'] ?? []) as readonly { readonly name?: string }[]
  const secrets = facts.known('v1', 'Secret')
  if (named.length === 0 || statusOf(pod).phase !== 'Pending') return undefined
  if (!secrets) return facts.isHidden('v1', 'Secret') ? undefined : soon('READY-155', bornAt(pod))
  const index = named.findIndex(({ name }) => !secrets.some(({ metadata }) => metadata.name === name))
  const secret = named[index]?.name
  if (!secret) return undefined
  if (!facts.hasPassed(bornAt(pod), pullSecretAfterMs)) return soon('READY-155', bornAt(pod))
  const refused = containersOf(pod).find(
    ({ state }) =>
      /^(ErrImagePull|ImagePullBackOff)$/.test(state?.waiting?.reason ?? '') && wantsLogin.test(state?.waiting?.message ?? ''),
  )
  const isOfAccount = !((podSpecOf(workload)?.['imagePullSecrets'] ?? []) as readonly { readonly name?: string }[]).some(
    ({ name }) => name === secret,
  )
  const account = `ServiceAccount/${String(specOf(pod)['serviceAccountName'] ?? 'default')}`
  const place = isOfAccount
    ? facts.where(account, ['imagePullSecrets'])
    : facts.where(of, podPath(workload, ['imagePullSecrets', index, 'name']))
  const better = nearest(
    secret,
    secrets.map(({ metadata }) => metadata.name),
  )
  const make = `\`kubectl create secret docker-registry ${secret} --namespace ${facts.namespace} --docker-server=… --docker-username=… --docker-password=…\``
  return {
    code: 'READY-155',
    severity: refused ? 'failure' : 'warning',
    message: refused
      ? `The image ${refused.image} of ${of} cannot be pulled without a login, and there is no Secret ${secret}, which imagePullSecrets name.`
      : `There is no Secret ${secret}, which imagePullSecrets of ${of} name: images are pulled without a login.`,
    hint: better ? `Write ${better} instead of ${secret} in ${place}.` : `Make it (${make}), or remove it from ${place}.`,
    evidence: [
      ...facts.warnings(pod).flatMap(({ reason, message }) => (reason === 'FailedToRetrieveImagePullSecret' ? message : [])),
      ...(refused?.state?.waiting?.message ? [refused.state.waiting.message] : []),
    ],
    object: `Secret/${secret}`,
    since: bornAt(pod),
  }
})

/** How long is waited for what there is instead, in ms: who may not look never knows. */
const toldMs = 5000
/** An account that a new namespace is given by the cluster itself, in ms. */
const accountOfNamespaceMs = 10_000

const withoutAccount: Rule = (patient) => {
  const refusal = refusalOf(patient)
  if (refusal?.refused.why !== 'account') return undefined
  const { workload, name: of, facts } = patient
  const { name } = refusal.refused
  const known = facts.known('v1', 'ServiceAccount')
  if (!known && !facts.hasPassed(refusal.since, toldMs)) return undefined
  // it came since: its controller tries again
  if (known?.some(({ metadata }) => metadata.name === name)) return undefined
  if (name === 'default' && !facts.hasPassed(refusal.since, accountOfNamespaceMs)) return undefined
  const place = facts.where(of, podPath(workload, ['serviceAccountName']))
  const better = nearest(
    name,
    (known ?? []).map(({ metadata }) => metadata.name),
  )
  return unlessMade({ kind: 'ServiceAccount', name }, patient, {
    code: 'READY-153',
    severity: 'failure',
    message: `No pod of ${of} can be created: there is no ServiceAccount ${name}, which serviceAccountName names.`,
    hint: better
      ? `Write ${better} instead of ${name} in ${place}, or add ServiceAccount/${name} to the manifests.`
      : `Add ServiceAccount/${name} to the manifests, or correct ${place}.`,
    object: `ServiceAccount/${name}`,
    evidence: [refusal.message],
    since: refusal.since,
  })
}

const withoutClass: Rule = (patient) => {
  const refusal = refusalOf(patient)
  if (refusal?.refused.why !== 'priority-class' && refusal?.refused.why !== 'runtime-class') return undefined
  const { workload, name: of, facts } = patient
  const { why, name } = refusal.refused
  const [code, apiVersion, kind, field] =
    why === 'priority-class'
      ? (['READY-156', 'scheduling.k8s.io/v1', 'PriorityClass', 'priorityClassName'] as const)
      : (['READY-162', 'node.k8s.io/v1', 'RuntimeClass', 'runtimeClassName'] as const)
  const known = facts.known(apiVersion, kind, 'cluster')
  if (!known && !facts.hasPassed(refusal.since, toldMs)) return undefined
  if (known?.some(({ metadata }) => metadata.name === name)) return undefined
  const place = facts.where(of, podPath(workload, [field]))
  const better = nearest(
    name,
    (known ?? []).map(({ metadata }) => metadata.name),
  )
  return unlessMade({ kind, name }, patient, {
    code,
    severity: 'failure',
    message: `No pod of ${of} can be created: the cluster has no ${kind} ${name}, which ${field} names.`,
    hint: better
      ? `Write ${better} instead of ${name} in ${place}.`
      : `Add ${kind}/${name} to the manifests, or remove it from ${place} (profiles: \`scheduling.${why === 'priority-class' ? 'priority' : 'runtime'}: drop\`).`,
    object: `${kind}/${name}`,
    evidence: [
      refusal.message,
      ...(known ? [`${kind}es of the cluster: ${listed(known.map(({ metadata }) => metadata.name))}`] : []),
    ],
    since: refusal.since,
  })
}

const withoutClaim = inPods((pod, patient) => {
  const { workload, name: of, facts } = patient
  const claims = facts.known('v1', 'PersistentVolumeClaim')
  if (!claims || statusOf(pod).phase !== 'Pending') return undefined
  for (const { name, index, volume, isMade } of claimsOf(pod)) {
    // one of a template or of the pod itself is made by a controller
    if (isMade || claims.some(({ metadata }) => metadata.name === name)) continue
    const place = facts.where(of, podPath(workload, ['volumes', index, 'persistentVolumeClaim', 'claimName']))
    const better = nearest(
      name,
      claims.map(({ metadata }) => metadata.name),
    )
    return unlessMade({ kind: 'PersistentVolumeClaim', name }, patient, {
      code: 'READY-154',
      severity: 'failure',
      message: `${of} cannot start: there is no PersistentVolumeClaim ${name}, which the volume ${volume} refers to.`,
      hint: better
        ? `Write ${better} instead of ${name} in ${place}, or add PersistentVolumeClaim/${name} to the manifests.`
        : `Add PersistentVolumeClaim/${name} to the manifests, or correct ${place}.`,
      object: `PersistentVolumeClaim/${name}`,
      evidence: [
        ...[conditionOf(pod, 'PodScheduled')?.message ?? []].flat(),
        `PersistentVolumeClaims in the namespace: ${listed(claims.map(({ metadata }) => metadata.name))}`,
      ],
      since: bornAt(pod),
    })
  }
  return undefined
})

/** What a workload refers to and without which no pod of it is made. */
export const referencesOfMakers: readonly Rule[] = [withoutAccount, withoutClass]
/** What a workload refers to and without which no node takes its pods. */
export const referencesOfVolumes: readonly Rule[] = [withoutClaim]
/** What a workload refers to and its node does not find. */
export const references: readonly Rule[] = [missing, withoutLogin]
