import { createServer } from 'node:net'
import { join } from 'node:path'
import type { PortMapping } from '../cluster/provider.ts'
import type { Host } from '../host/host.ts'
import { DevkitError } from '../lib/errors.ts'
import type { KubeObject } from '../lib/objects.ts'

/** NodePorts that devkit keeps for itself, at the end of Kubernetes' default range. */
const firstNodePort = 32_700
/** Host ports that are mapped for services that do not name one. */
const spares = 8
/** Below the range that systems take outgoing ports from, so that a port is still free after a restart of the engine. */
const [firstSpare, lastSpare] = [20_000, 29_999]

export interface PortWish {
  /** Ports that the config names. */
  readonly named: readonly number[]
  /** Same text, same spare ports, where they are free. */
  readonly seed: string
  /** Ports that the cluster had before it is made anew. */
  readonly earlier: readonly number[]
}

/** Mappings to make a cluster with: the ports that the config names, and some to spare. @throws PORT-101, saying who has a port where `holderOf` knows */
export async function choosePorts(
  { named, seed, earlier }: PortWish,
  holderOf: (port: number) => Promise<string | undefined>,
): Promise<readonly PortMapping[]> {
  const hosts: number[] = []
  for (const port of new Set(named)) {
    if (!(await isFree(port))) {
      const holder = await holderOf(port)
      throw new DevkitError('PORT-101', {
        message: `Port ${port} of this machine is taken${holder === undefined ? '' : ` by ${holder}`}.`,
        hint:
          holder === undefined
            ? `Stop what listens there (\`ss -ltnp 'sport = :${port}'\` shows it), or choose another ports[].host.`
            : 'Stop it, or choose another ports[].host.',
      })
    }
    hosts.push(port)
  }
  for (const port of earlier) if (!hosts.includes(port) && (await isFree(port))) hosts.push(port)
  const begin = [...seed].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % (lastSpare - firstSpare), 7)
  for (
    let offset = 0;
    hosts.length < Math.max(new Set(named).size + spares, earlier.length) && offset < lastSpare - firstSpare;
    offset++
  ) {
    const port = firstSpare + ((begin + offset) % (lastSpare - firstSpare))
    if (!hosts.includes(port) && (await isFree(port))) hosts.push(port)
  }
  return hosts.map((host, index) => ({ host, node: firstNodePort + index }))
}

/** Whether nothing listens on a port of 127.0.0.1. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/** The mappings of a cluster and who has which: `ENV/SERVICE/PORT` → host port. Lives as long as the cluster. */
export interface PortBook {
  readonly mappings: readonly PortMapping[]
  readonly taken: Readonly<Record<string, number>>
}

export function portBookFile(stateDirectory: string, cluster: string): string {
  return join(stateDirectory, 'clusters', cluster, 'ports.json')
}

/** The mapping of a service's port: the same at every run, once it is chosen. @throws PORT-102 */
export async function mappingFor(
  { files }: Pick<Host, 'files'>,
  book: string,
  owner: { readonly env: string; readonly service: string; readonly port: string | number; readonly host: number | undefined },
): Promise<PortMapping> {
  const { mappings, taken } = (await files.readJson<PortBook>(book)) ?? { mappings: [], taken: {} }
  const key = `${owner.env}/${owner.service}/${owner.port}`
  const used = new Set(
    Object.entries(taken)
      .filter(([other]) => other !== key)
      .map(([, host]) => host),
  )
  const free = mappings.filter(({ host }) => !used.has(host))
  // a second environment of the project can't have the same port: it gets a spare one
  const named = owner.host === undefined ? undefined : free.find(({ host }) => host === owner.host)
  const kept = free.find(({ host }) => host === taken[key])
  const chosen = named ?? (owner.host !== undefined && owner.env === 'default' ? undefined : (kept ?? free.at(-1)))
  if (!chosen)
    throw new DevkitError('PORT-102', {
      message: `The cluster was made without a host port for ${owner.service} (${owner.host ?? owner.port}).`,
      hint: 'Run `devkit down`, then `devkit up`: host ports are fixed when a cluster is made.',
      service: owner.service,
    })
  if (taken[key] !== chosen.host)
    await files.writePrivate(book, JSON.stringify({ mappings, taken: { ...taken, [key]: chosen.host } }))
  return chosen
}

/** The Service that leads from the NodePort to the service's pods: devkit's own, beside the production one. */
export function mappedService(
  name: string,
  namespace: string,
  {
    selector,
    targetPort,
    node,
  }: { readonly selector: Readonly<Record<string, string>>; readonly targetPort: string | number; readonly node: number },
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { type: 'NodePort', selector, ports: [{ port: 80, targetPort, nodePort: node, protocol: 'TCP' }] },
  }
}
