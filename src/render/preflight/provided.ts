import type { Manifest } from '../../lib/objects.ts'
import { groupOf } from '../../lib/select.ts'
import { Field } from './field.ts'
import type { Stack } from './stack.ts'

/** Whether something will be there when it is looked for: `maybe` where a program of the stack may make it. */
export type Provided = 'yes' | 'maybe' | 'no'

/** What clusters have of themselves, in every namespace. */
const everywhere: Readonly<Record<string, RegExp>> = {
  ConfigMap: /^(kube-root-ca\.crt|openshift-service-ca\.crt)$/,
  ServiceAccount: /^default$/,
  PriorityClass: /^system-(cluster|node)-critical$/,
  ClusterRole: /^(cluster-admin|admin|edit|view|system:.*)$/,
  Service: /^kubernetes$/,
}
/** … and what those have that devkit makes: kind's own. */
const inOwn: Readonly<Record<string, RegExp>> = { StorageClass: /^standard$/ }

const plurals: Readonly<Record<string, string>> = {
  ConfigMap: 'configmaps',
  Secret: 'secrets',
  ServiceAccount: 'serviceaccounts',
  PersistentVolumeClaim: 'persistentvolumeclaims',
  Service: 'services',
}

/** Who provides an object of a kind. */
export function provided(stack: Stack, kind: string, name: string): Provided {
  if (stack.of(kind).has(name) || everywhere[kind]?.test(name) || (stack.own && inOwn[kind]?.test(name))) return 'yes'
  if (kind === 'Secret' && secretsMade(stack).has(name)) return 'yes'
  if (kind === 'PersistentVolumeClaim' && isClaimOfSet(stack, name)) return 'yes'
  // routes lead to what others provide
  const makers = stack.foreign.filter(({ object }) => groupOf(object) !== 'gateway.networking.k8s.io')
  if (makers.some(({ object }) => name.includes(object.metadata.name) || JSON.stringify(object).includes(`"${name}"`)))
    return 'maybe'
  return mayDo(stack, kind, ['create']) ? 'maybe' : 'no'
}

/** Names of Secrets that operators make of what the manifests ask them for. */
function secretsMade(stack: Stack): ReadonlySet<string> {
  const named = (kind: string, ...ways: readonly (readonly string[])[]): readonly string[] =>
    [...stack.of(kind).values()].flatMap((manifest) => {
      const root = Field.of(manifest)
      const [name] = ways.flatMap((way) => root.get(...way).text ?? [])
      return name === undefined ? [] : [name]
    })
  const own = ['metadata', 'name']
  return new Set([
    ...named('Certificate', ['spec', 'secretName']),
    ...named('ExternalSecret', ['spec', 'target', 'name'], own),
    ...named('SealedSecret', ['spec', 'template', 'metadata', 'name'], own),
    ...[...stack.of('Ingress').values()].filter(isGivenCertificates).flatMap((manifest) =>
      Field.of(manifest)
        .get('spec', 'tls')
        .items.flatMap((tls) => tls.get('secretName').text ?? []),
    ),
  ])
}

function isGivenCertificates({ object: { metadata } }: Manifest): boolean {
  return Object.keys(metadata.annotations ?? {}).some((name) => /^(cert-manager\.io\/|kubernetes\.io\/tls-acme$)/.test(name))
}

/** `TEMPLATE-SET-ORDINAL`: what a StatefulSet claims for its pods. */
function isClaimOfSet(stack: Stack, name: string): boolean {
  return [...stack.of('StatefulSet').values()].some((manifest) =>
    Field.of(manifest)
      .get('spec', 'volumeClaimTemplates')
      .items.some((template) => {
        const prefix = `${template.get('metadata', 'name').text}-${manifest.object.metadata.name}-`
        return name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length))
      }),
  )
}

/** Whether a program of the stack may do one of these to objects of the kind: a certificate's Job, an operator. */
function mayDo(stack: Stack, kind: string, verbs: readonly string[]): boolean {
  const plural = plurals[kind]
  if (plural === undefined) return false
  const has = (list: Field, ...words: readonly string[]): boolean =>
    list.items.some(({ value }) => value === '*' || words.includes(String(value)))
  const roles = [...stack.of('Role').values(), ...stack.of('ClusterRole').values()]
  const bindings = [...stack.of('RoleBinding').values(), ...stack.of('ClusterRoleBinding').values()]
  return (
    roles.some((role) =>
      Field.of(role)
        .get('rules')
        .items.some((rule) => has(rule.get('resources'), plural) && has(rule.get('verbs'), ...verbs)),
    ) || bindings.some((binding) => /^(cluster-admin|admin|edit)$/.test(Field.of(binding).get('roleRef', 'name').text ?? ''))
  )
}

/** The keys of a ConfigMap's or a Secret's data; undefined where something else fills it. */
export function keysOf(stack: Stack, kind: string, name: string): ReadonlySet<string> | undefined {
  const manifest = stack.of(kind).get(name)
  if (!manifest || !['ConfigMap', 'Secret'].includes(kind)) return undefined
  const root = Field.of(manifest)
  const isFilled = root.get('type').value === 'kubernetes.io/service-account-token' || secretsMade(stack).has(name)
  if (kind === 'Secret' && isFilled) return undefined
  if (mayDo(stack, kind, ['create', 'update', 'patch'])) return undefined
  return new Set(['data', 'stringData', 'binaryData'].flatMap((field) => root.get(field).entries.map(([key]) => key)))
}
