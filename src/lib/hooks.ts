import type { KubeObject } from './objects.ts'

/** When an object is meant to be applied, in the words of the tool that its annotations are for. */
export interface Hook {
  readonly tool: 'Helm' | 'Argo CD'
  /** One at least. */
  readonly types: readonly string[]
}

const typesOfArgo = ['PreSync', 'Sync', 'PostSync', 'SyncFail', 'Skip', 'PreDelete', 'PostDelete']

/** What an object's annotations say of hooks; undefined for one of no hook. Argo CD's word goes before Helm's, as it does there. */
export function hookOf(object: KubeObject): Hook | undefined {
  const argo = wordsOf(object, 'argocd.argoproj.io/hook')
  const helm = wordsOf(object, 'helm.sh/hook')
  if (argo.some((type) => typesOfArgo.includes(type))) return { tool: 'Argo CD', types: argo }
  if (helm.length > 0) return { tool: 'Helm', types: helm }
  return argo.length > 0 ? { tool: 'Argo CD', types: argo } : undefined
}

/** The phases of an Argo CD rollout that an object runs in, in the order of time; none for hooks of Helm and what is no hook. */
export function phasesOf(object: KubeObject): readonly ('PreSync' | 'Sync' | 'PostSync')[] {
  const hook = hookOf(object)
  if (hook?.tool !== 'Argo CD') return []
  return (['PreSync', 'Sync', 'PostSync'] as const).filter((phase) => hook.types.includes(phase))
}

/** Whether an object is a hook of Argo CD for a rollout that failed. */
export function isForFailure(object: KubeObject): boolean {
  const hook = hookOf(object)
  return hook?.tool === 'Argo CD' && hook.types.includes('SyncFail')
}

/** Whether an object is a hook that a rollout may be complete without: for a failure, an upgrade, a test or the end alone. */
export function isOccasional(object: KubeObject): boolean {
  const hook = hookOf(object)
  if (!hook) return false
  return hook.tool === 'Helm' ? !hook.types.some((type) => type.endsWith('-install')) : phasesOf(object).length === 0
}

/** When a hook is removed after it has run. */
export type DeletePolicy = 'succeeded' | 'failed'

const deletePolicies: Readonly<Record<string, DeletePolicy>> = {
  'hook-succeeded': 'succeeded',
  'hook-failed': 'failed',
  HookSucceeded: 'succeeded',
  HookFailed: 'failed',
}

/**
 * When a hook is to go; never for what is none. Helm's words count for Argo CD too, as they do there. That it goes before it is made anew
 * (`before-hook-creation`) needs no word: no tool can change a Job that has run.
 */
export function deletePoliciesOf(object: KubeObject): ReadonlySet<DeletePolicy> {
  if (!hookOf(object)) return new Set()
  const words = ['helm.sh/hook-delete-policy', 'argocd.argoproj.io/hook-delete-policy'].flatMap((name) => wordsOf(object, name))
  return new Set(words.map((word) => deletePolicies[word]).filter((policy) => policy !== undefined))
}

function wordsOf({ metadata }: KubeObject, annotation: string): readonly string[] {
  return String(metadata.annotations?.[annotation] ?? '')
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
}
