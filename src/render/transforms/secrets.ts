import type { Manifest } from '../../lib/objects.ts'

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
