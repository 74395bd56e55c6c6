import type { KubeObject, Manifest } from '../../lib/objects.ts'

/** The namespace that an object names: its own, or the one that it is. */
export function namespaceNamed({ kind, metadata }: KubeObject): string | undefined {
  return kind === 'Namespace' ? metadata.name : metadata.namespace
}

/** The namespace of production, where everything that lives in one names it: here it is the environment's. */
export function homeOf(
  manifests: readonly Manifest[],
  namespace: string,
  clusterScoped: (object: KubeObject) => boolean,
): string | undefined {
  const inSome = manifests.filter(({ object }) => object.kind === 'Namespace' || !clusterScoped(object))
  const [home, ...others] = new Set(inSome.map(({ object }) => namespaceNamed(object)))
  return others.length === 0 && home !== namespace ? home : undefined
}

/**
 * An object in the environment's namespace, instead of `home` or of none. What it says of `home` goes along: subjects of role bindings, references of
 * webhooks, selectors of namespaces, names such as `db.home.svc`.
 */
export function inNamespace(
  object: KubeObject,
  { namespace, home, isScoped }: { readonly namespace: string; readonly home: string | undefined; readonly isScoped: boolean },
): KubeObject {
  const moved = home === undefined ? object : movedFrom(home, namespace, object)
  return isScoped && moved.metadata.namespace === undefined ? { ...moved, metadata: { ...moved.metadata, namespace } } : moved
}

function movedFrom(home: string, namespace: string, object: KubeObject): KubeObject {
  const host = new RegExp(`(?<=[a-z0-9]\\.)${home}(?=\\.svc(?![a-z0-9-]))`, 'g')
  const moved = (value: unknown, keys: readonly string[]): unknown => {
    if (typeof value === 'string') return value === home && isReference(keys, object) ? namespace : value.replace(host, namespace)
    if (typeof value !== 'object' || value === null) return value
    const entries = Object.entries(value).map(([key, item]) => [key, moved(item, [...keys, key])] as const)
    if (entries.every(([key, item]) => item === (value as Record<string, unknown>)[key])) return value
    return Array.isArray(value) ? entries.map(([, item]) => item) : Object.fromEntries(entries)
  }
  return moved(object, []) as KubeObject
}

/** Whether a field that says `home` means the namespace. What is in a ConfigMap is a program's own. */
function isReference(keys: readonly string[], { kind }: KubeObject): boolean {
  const [field] = keys.slice(-1)
  if (['data', 'stringData', 'binaryData'].includes(keys[0] ?? '')) return false
  return (
    field === 'namespace' ||
    field === 'kubernetes.io/metadata.name' ||
    keys.at(-2) === 'matchNames' ||
    (kind === 'Namespace' && keys.join('.') === 'metadata.name')
  )
}
