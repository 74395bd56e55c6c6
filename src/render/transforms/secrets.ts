import { type Container, type KubeObject, type Manifest, podSpecOf } from '../../lib/objects.ts'

/** What a Secret of the config holds; `data` as it goes into the object. */
export interface SecretContent {
  readonly name: string
  readonly type: string | undefined
  readonly data: Readonly<Record<string, string>>
}

/** Stands for every value that is not shown. It is no base64: a cluster refuses it, where it would take a plain word for the value. */
export const hidden = '***'

/** The manifests with the Secrets of the config: laid key by key over those that the manifests have, added where they have none. */
export function withSecrets(
  manifests: readonly Manifest[],
  secrets: readonly SecretContent[],
  { namespace, configFile }: { readonly namespace: string; readonly configFile: string },
): readonly Manifest[] {
  const left = new Map(secrets.map((secret) => [secret.name, secret]))
  const laid = manifests.map((manifest) => {
    const { object, origin } = manifest
    const secret = object.kind === 'Secret' && object.apiVersion === 'v1' ? left.get(object.metadata.name) : undefined
    if (!secret) return manifest
    left.delete(secret.name)
    const { stringData, data, ...rest } = object as typeof object & {
      readonly stringData?: Readonly<Record<string, string>>
      readonly data?: Readonly<Record<string, string>>
    }
    // what is in both wins from stringData
    const kept = Object.entries(stringData ?? {}).filter(([key]) => !(key in secret.data))
    return {
      origin,
      object: {
        ...rest,
        ...(secret.type === undefined ? {} : { type: secret.type }),
        data: { ...data, ...secret.data },
        ...(kept.length > 0 ? { stringData: Object.fromEntries(kept) } : {}),
      },
    }
  })
  const added = [...left.values()].map(({ name, type, data }): Manifest => {
    const object = { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, type: type ?? 'Opaque', data }
    return { object, origin: { file: configFile, line: 1 } }
  })
  return [...laid, ...added]
}

/**
 * A workload marked with the state of the Secrets that are in its environment: another state takes new pods, and nothing else would bring them.
 * `versions`: resource version by the name of the Secret; what is read through a volume changes by itself.
 */
export function withSecretVersions(object: KubeObject, versions: ReadonlyMap<string, string>): KubeObject {
  if (!['Deployment', 'StatefulSet', 'DaemonSet'].includes(object.kind)) return object
  const pod = podSpecOf(object)
  const read = new Set([...(pod?.containers ?? []), ...(pod?.initContainers ?? [])].flatMap(secretsInEnvironment))
  const states = [...versions].filter(([name]) => read.has(name)).map((state) => state.join('='))
  if (states.length === 0) return object
  const spec = object['spec'] as { readonly template: { readonly metadata?: Partial<KubeObject['metadata']> } }
  const { metadata } = spec.template
  const annotations = { ...metadata?.annotations, 'devkit.dev/secrets': states.toSorted().join(',') }
  return { ...object, spec: { ...spec, template: { ...spec.template, metadata: { ...metadata, annotations } } } }
}

function secretsInEnvironment(container: Container): readonly (string | undefined)[] {
  const { env, envFrom } = container as Container & {
    readonly env?: readonly { readonly valueFrom?: { readonly secretKeyRef?: { readonly name?: string } } }[] | null
    readonly envFrom?: readonly { readonly secretRef?: { readonly name?: string } }[] | null
  }
  return [...(env ?? []).map((one) => one.valueFrom?.secretKeyRef?.name), ...(envFrom ?? []).map((one) => one.secretRef?.name)]
}
