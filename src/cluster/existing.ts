import { readFile, rm } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import type { ClusterSpec, ExistingSpec } from '../config/schema.ts'
import type { Files } from '../host/host.ts'
import { DevkitError, messageOf } from '../lib/errors.ts'
import { nearest } from '../lib/nearest.ts'
import type { Step } from '../lib/step.ts'
import { type EntranceParts, entranceTo } from './entrance.ts'
import type { Cluster, ClusterProvider, ClusterRequest } from './provider.ts'

/** What a provider of clusters that exist may touch. */
export interface ExistingParts extends EntranceParts {
  readonly files: Pick<Files, 'writePrivate'>
  /** Directory of devkit's own kubeconfigs. */
  readonly stateDirectory: string
  /** Where contexts are looked for, in this order. */
  readonly userKubeconfigs: readonly string[]
}

/**
 * A cluster that somebody else made, reached by a context of the user's kubeconfig. In the config: `cluster: { existing: { context } }`.
 * devkit puts its objects into it and takes them out again; the cluster itself and the user's kubeconfig are left alone, and no other context is
 * ever acted on, whatever is current. Nodes that are containers of this machine are entered for images and saves, unless the config says no.
 */
export function existing(parts: ExistingParts): ClusterProvider {
  const clusterOf = async (request: ClusterRequest, { signal }: Pick<Step, 'signal'>): Promise<Cluster> => {
    const { context, enterNodes } = specOf(request.spec)
    const kubeconfig = join(parts.stateDirectory, 'clusters', request.name, 'kubeconfig')
    const text = await accessTo(context, parts)
    // credentials may have changed since the last run
    if ((await readFile(kubeconfig, 'utf8').catch(() => '')) !== text) await parts.files.writePrivate(kubeconfig, text)
    const whenSilent = `See what \`kubectl --context ${context} get nodes\` says: the cluster may be stopped, or the way to it closed, such as a VPN.`
    const cluster = { name: request.name, kubeconfig, whenSilent }
    if (enterNodes === false) return { ...cluster, nodes: [], whyNotEntered: saidNo }
    const { containers, whyNot } = await entranceTo(kubeconfig, parts, signal)
    return { ...cluster, nodes: [...containers.values()], containers, whyNotEntered: whyNot }
  }
  return {
    own: false,
    async find(request, step) {
      return { state: 'running', cluster: await clusterOf(request, step) }
    },
    async ensure(request, _ports, step) {
      return { cluster: await clusterOf(request, step), outcome: 'unchanged', runningSince: 0 }
    },
    async remove(request) {
      await rm(join(parts.stateDirectory, 'clusters', request.name), { recursive: true, force: true })
    },
  }
}

const saidNo = 'the config says cluster.existing.enterNodes: false'

function specOf(spec: ClusterSpec): ExistingSpec {
  if (!('existing' in spec)) throw new Error('the spec is of another provider')
  return spec.existing
}

interface Named {
  readonly name: string
  readonly [part: string]: unknown
}

interface Kubeconfig {
  readonly contexts?: readonly Named[]
  readonly clusters?: readonly Named[]
  readonly users?: readonly Named[]
}

/** A kubeconfig that holds the one context and nothing else; paths in it are absolute. @throws CLUSTER-111 */
async function accessTo(name: string, { userKubeconfigs }: ExistingParts): Promise<string> {
  // a second parser would take memory and time: this one is there for the manifests
  const { loadAll } = await import('js-yaml')
  const known: string[] = []
  const merged = { contexts: new Map<string, Named>(), clusters: new Map<string, Named>(), users: new Map<string, Named>() }
  for (const file of userKubeconfigs) {
    const read = parsed(file, await readFile(file, 'utf8').catch(() => undefined), loadAll)
    if (!read) continue
    known.push(...(read.contexts ?? []).map((context) => context.name))
    // of two with one name the first counts, as kubectl has it
    for (const list of ['contexts', 'clusters', 'users'] as const)
      for (const entry of read[list] ?? [])
        if (!merged[list].has(entry.name)) merged[list].set(entry.name, absolute(entry, dirname(file)))
  }
  const context = merged.contexts.get(name)
  const { cluster, user } = (context?.['context'] ?? {}) as { readonly cluster?: string; readonly user?: string }
  const found = { cluster: merged.clusters.get(cluster ?? ''), user: merged.users.get(user ?? '') }
  if (!context || !found.cluster) throw noContext(name, known, userKubeconfigs)
  // JSON is YAML
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    contexts: [context],
    clusters: [found.cluster],
    users: found.user ? [found.user] : [],
  })
}

function parsed(file: string, text: string | undefined, loadAll: (text: string) => readonly unknown[]): Kubeconfig | undefined {
  if (text === undefined) return undefined
  try {
    return (loadAll(text)[0] ?? {}) as Kubeconfig
  } catch (cause) {
    throw new DevkitError('CLUSTER-111', {
      message: `The kubeconfig ${file} cannot be read: ${messageOf(cause).split('\n')[0] ?? ''}.`,
      hint: 'Mend it, or name another in KUBECONFIG.',
      cause,
    })
  }
}

/** Paths in a kubeconfig are relative to it. @see https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/#file-references */
function absolute(entry: Named, directory: string): Named {
  const of = (value: unknown): unknown =>
    typeof value === 'string' && value !== '' && !isAbsolute(value) ? resolve(directory, value) : value
  const inside = (part: unknown): unknown => {
    if (typeof part !== 'object' || part === null) return part
    const fields = { ...part } as Record<string, unknown>
    for (const name of ['certificate-authority', 'client-certificate', 'client-key', 'tokenFile'])
      if (name in fields) fields[name] = of(fields[name])
    const exec = fields['exec'] as { readonly command?: string } | undefined
    if (exec?.command?.includes('/')) fields['exec'] = { ...exec, command: of(exec.command) }
    return fields
  }
  return Object.fromEntries(Object.entries(entry).map(([key, part]) => [key, inside(part)])) as Named
}

function noContext(name: string, known: readonly string[], files: readonly string[]): DevkitError {
  const better = nearest(name, known)
  const all =
    known.length === 0
      ? 'There is no context at all'
      : `Contexts are ${known.slice(0, 8).join(', ')}${known.length > 8 ? ', …' : ''}`
  return new DevkitError('CLUSTER-111', {
    message: `There is no context '${name}', named in cluster.existing.context, in ${files.join(', ')}.`,
    hint: better ? `Did you mean '${better}'?` : `${all}; \`kubectl config get-contexts\` shows them.`,
  })
}
