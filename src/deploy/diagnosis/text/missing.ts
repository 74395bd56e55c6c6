/** What the kubelet says is missing. */
export interface SaidMissing {
  readonly kind: 'ConfigMap' | 'Secret'
  readonly name: string
  readonly key?: string
}

const kinds = { configmap: 'ConfigMap', secret: 'Secret' } as const

/**
 * What is missing by the kubelet's words, for those who may not look at the objects themselves.
 *
 *   secret "db" not found                                            FailedMount, CreateContainerConfigError
 *   couldn't find key HOST in ConfigMap shop/settings                CreateContainerConfigError
 *   configmap references non-existent config key: app.yaml           FailedMount; names no object
 */
export function saidMissing(message: string): SaidMissing | undefined {
  const object = /\b(configmap|secret) "([^"]+)" not found/.exec(message)
  if (object) return { kind: kinds[object[1] as keyof typeof kinds], name: object[2] ?? '' }
  const key = /couldn't find key (\S+) in (ConfigMap|Secret) [^/\s]+\/([^\s,:]+)/.exec(message)
  return key ? { kind: key[2] as SaidMissing['kind'], name: key[3] ?? '', key: key[1] ?? '' } : undefined
}

/** The key that a volume asks for and its object has not; the kubelet does not say of which object. */
export function saidMissingKey(message: string): { readonly kind: SaidMissing['kind']; readonly key: string } | undefined {
  const found = /references non-existent (config|secret) key: (\S+)/.exec(message)
  return found ? { kind: found[1] === 'config' ? 'ConfigMap' : 'Secret', key: found[2] ?? '' } : undefined
}
