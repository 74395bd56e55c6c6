import type { KubeObject } from './objects.ts'

/** When an object is meant to be applied, in the words of the tool that its annotations are for. */
export interface Hook {
  readonly tool: 'Helm' | 'Argo CD'
  /** One at least. */
  readonly types: readonly string[]
}

const typesOfArgo = ['PreSync', 'Sync', 'PostSync', 'SyncFail', 'Skip', 'PreDelete', 'PostDelete']

/** What an object's annotations say of hooks; undefined for one of no hook. Argo CD's word goes before Helm's, as it does there. */
export function hookOf({ metadata }: KubeObject): Hook | undefined {
  const said = (annotation: string): readonly string[] =>
    String(metadata.annotations?.[annotation] ?? '')
      .split(',')
      .map((type) => type.trim())
      .filter((type) => type !== '')
  const argo = said('argocd.argoproj.io/hook')
  const helm = said('helm.sh/hook')
  if (argo.some((type) => typesOfArgo.includes(type))) return { tool: 'Argo CD', types: argo }
  if (helm.length > 0) return { tool: 'Helm', types: helm }
  return argo.length > 0 ? { tool: 'Argo CD', types: argo } : undefined
}
