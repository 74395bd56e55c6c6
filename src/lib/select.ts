import type { KubeObject } from './objects.ts'

/** What objects are meant: all that is named has to fit. `*` stands for any letters. */
export interface Selector {
  readonly kind?: string | undefined
  readonly name?: string | undefined
  /** API group; that of the core kinds is ''. */
  readonly group?: string | undefined
  /** Labels of the object itself. */
  readonly labels?: Readonly<Record<string, string>> | undefined
}

/** `[GROUP/]KIND[/NAME]`, or a group alone, such as `Job/seed-*`, `cert-manager.io/Certificate`, `*.istio.io`. */
export const selectorPattern = /^(?:([a-z0-9*-]*\.[a-z0-9.*-]+)(?:\/(?=[A-Z*])|$))?(?:([A-Z*][A-Za-z0-9*]*)(?:\/([^\s/]+))?)?$/

/** Whether an object is one of those meant. A text is as in `selectorPattern`. */
export function selects(selector: Selector | string, object: KubeObject): boolean {
  const { kind, name, group, labels = {} } = typeof selector === 'string' ? parsed(selector) : selector
  const { metadata } = object
  return (
    fits(kind, object.kind) &&
    fits(name, metadata.name) &&
    fits(group, groupOf(object)) &&
    Object.entries(labels).every(([label, value]) => metadata.labels?.[label] === value)
  )
}

/** Whether a text is what a pattern with `*` means; everything is, where there is no pattern. */
export function fits(pattern: string | undefined, text: string): boolean {
  if (pattern === undefined || pattern === text) return true
  if (!pattern.includes('*')) return false
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`).test(text)
}

/** '' for the core kinds. */
export function groupOf({ apiVersion }: Pick<KubeObject, 'apiVersion'>): string {
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
}

function parsed(text: string): Selector {
  const [, group, kind, name] = selectorPattern.exec(text) ?? []
  return { group, kind, name }
}
