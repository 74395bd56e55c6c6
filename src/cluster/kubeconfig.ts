import type { Pair, YAMLMap, YAMLSeq } from 'yaml'

/** A cluster's own kubeconfig, as the kind program writes it. */
export interface ClusterAccess {
  /** Name of context, cluster and user. */
  readonly name: string
  readonly cluster: unknown
  readonly user: unknown
}

const lists = ['clusters', 'contexts', 'users'] as const

/** Reads the one cluster of a kubeconfig. */
export async function accessOf(kubeconfig: string, name: string): Promise<ClusterAccess> {
  const { parse } = await import('yaml')
  const read = parse(kubeconfig) as { clusters: { cluster: unknown }[]; users: { user: unknown }[] }
  return { name, cluster: read.clusters[0]?.cluster, user: read.users[0]?.user }
}

/**
 * The user's kubeconfig with the cluster's entries added (or replaced); every other byte stays, `current-context` too.
 * Undefined when the file is written in a way that can't be added to (JSON, flow style): then it is left alone.
 */
export async function withAccess(text: string, access: ClusterAccess): Promise<string | undefined> {
  const { stringify } = await import('yaml')
  let result: string | undefined = await withoutAccess(text, access.name)
  if (result === undefined) return undefined
  const entries = {
    clusters: { name: access.name, cluster: access.cluster },
    contexts: { name: access.name, context: { cluster: access.name, user: access.name } },
    users: { name: access.name, user: access.user },
  }
  if (result.trim() === '') result = 'apiVersion: v1\nkind: Config\n'
  for (const list of lists) {
    const item = stringify([entries[list]], { lineWidth: 0 })
    result = await withItem(result, list, item)
    if (result === undefined) return undefined
  }
  return result
}

/** The user's kubeconfig without the cluster's entries; undefined as above. A file that held nothing else comes back empty. */
export async function withoutAccess(text: string, name: string): Promise<string | undefined> {
  let result = text
  for (const list of lists) {
    const found = await listIn(result, list)
    if (found === 'unfit') return undefined
    const item = found?.value.items.find((entry) => (entry as YAMLMap | null)?.get?.('name') === name) as YAMLMap | undefined
    if (!found || !item?.range) continue
    const begin = lineStart(result, result.lastIndexOf('-', item.range[0]))
    const next = result.indexOf('\n', item.range[1] - 1)
    const end = next < 0 ? result.length : next + 1
    const only = found.value.items.length === 1
    // an empty list has to be said, or the next reader finds null
    result = only ? `${result.slice(0, found.keyEnd)} []\n${result.slice(end)}` : result.slice(0, begin) + result.slice(end)
  }
  return /^apiVersion: v1\nkind: Config\nclusters: \[\]\ncontexts: \[\]\nusers: \[\]\n$/.test(result) ? '' : result
}

interface FoundList {
  readonly value: YAMLSeq
  /** Offset just after the key's colon. */
  readonly keyEnd: number
}

async function listIn(text: string, list: string): Promise<FoundList | 'unfit' | undefined> {
  const { isMap, isScalar, isSeq, parseDocument } = await import('yaml')
  const document = parseDocument(text)
  if (document.errors.length > 0) return 'unfit'
  if (document.contents === null) return undefined
  if (!isMap(document.contents) || document.contents.flow) return 'unfit'
  const pair = (document.contents.items as Pair[]).find(({ key }) => isScalar(key) && key.value === list)
  if (!pair) return undefined
  const { key, value } = pair
  const keyEnd = text.indexOf(':', isScalar(key) ? (key.range?.[1] ?? 0) : 0) + 1
  if (isSeq(value) && (!value.flow || value.items.length === 0)) return { value, keyEnd }
  return value === null || (isScalar(value) && value.value === null) ? undefined : 'unfit'
}

async function withItem(text: string, list: string, item: string): Promise<string | undefined> {
  const found = await listIn(text, list)
  if (found === 'unfit') return undefined
  const ended = text === '' || text.endsWith('\n') ? text : `${text}\n`
  if (!found) return new RegExp(`^${list}:`, 'm').test(text) ? undefined : `${ended}${list}:\n${item}`
  const { value, keyEnd } = found
  if (value.items.length === 0) return `${text.slice(0, keyEnd)}\n${item}${text.slice(text.indexOf('\n', keyEnd) + 1)}`
  // the same indentation as the entries that are there
  const first = value.items[0] as YAMLMap
  const dash = text.lastIndexOf('-', first.range?.[0] ?? 0)
  const indent = ' '.repeat(dash - lineStart(text, dash))
  const last = value.items.at(-1) as YAMLMap
  const newline = text.indexOf('\n', (last.range?.[1] ?? 0) - 1)
  const at = newline < 0 ? text.length : newline + 1
  const before = at === text.length ? ended : text.slice(0, at)
  return before + item.replace(/^(?=.)/gm, indent) + text.slice(at)
}

function lineStart(text: string, at: number): number {
  return text.lastIndexOf('\n', at) + 1
}
