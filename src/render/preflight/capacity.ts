import { nameOf } from '../../lib/objects.ts'
import { amountOf } from '../../lib/quantity.ts'
import type { Field } from './field.ts'
import type { Finding } from './finding.ts'
import type { Capacity, Pods, Stack } from './stack.ts'

const GiB = 2 ** 30
/** What a kind node runs of its own: control plane, CoreDNS, network. */
const ofItsOwn: Capacity = { cpus: 0.95, bytes: 290 * 2 ** 20 }

/** All pods together ask for more than the only node has: some of them stay Pending. */
export function tooMuch(stack: Stack, node: Capacity): readonly Finding[] {
  const wanted = stack.pods
    .filter(({ count }) => count > 0)
    .map((one) => ({ pods: one, ...times(requestOf(one.spec), one.count) }))
  const sum = wanted.reduce((all, one) => ({ cpus: all.cpus + one.cpus, bytes: all.bytes + one.bytes }), ofItsOwn)
  const isCpu = sum.cpus > node.cpus
  if (!isCpu && sum.bytes <= node.bytes) return []
  const [most] = wanted.toSorted((a, b) => (isCpu ? b.cpus - a.cpus : b.bytes - a.bytes))
  if (!most) return []
  const share = isCpu ? cpus(most.cpus) : gib(most.bytes)
  return [
    {
      severity: 'warning',
      code: 'RENDER-207',
      message: `${stack.placeOf(most.pods.spec)}: all pods together ask for ${isCpu ? `${cpus(sum.cpus)}, the node has ${cpus(node.cpus)}` : `${gib(sum.bytes)}, the node has ${gib(node.bytes)}`}: some will stay Pending. Most of it is ${nameOf(most.pods.manifest.object)}'s, ${share}.`,
      hint: 'Lower `requests` or `maxReplicas` in the profile.',
      object: most.pods.workload,
    },
  ]
}

/** What the scheduler counts for one pod. @see https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers */
function requestOf(spec: Pods['spec']): Capacity {
  const containers = spec.get('containers').items.map(requestOfContainer)
  const first = spec.get('initContainers').items
  const isSidecar = (container: Field): boolean => container.get('restartPolicy').value === 'Always'
  const beside = first.filter(isSidecar).map(requestOfContainer)
  const alone = first.filter((container) => !isSidecar(container)).map(requestOfContainer)
  const sum = (field: keyof Capacity): number => [...containers, ...beside].reduce((all, one) => all + one[field], 0)
  const most = (field: keyof Capacity): number => Math.max(sum(field), ...alone.map((one) => one[field]))
  return { cpus: most('cpus'), bytes: most('bytes') }
}

/** A limit without a request is a request too. */
function requestOfContainer(container: Field): Capacity {
  const amount = (name: string): number =>
    amountOf(String(container.get('resources', 'requests', name).value ?? container.get('resources', 'limits', name).value)) ?? 0
  return { cpus: amount('cpu'), bytes: amount('memory') }
}

function times({ cpus, bytes }: Capacity, count: number): Capacity {
  return { cpus: cpus * count, bytes: bytes * count }
}

function cpus(amount: number): string {
  return `${Number(amount.toFixed(2))} CPUs`
}

function gib(bytes: number): string {
  return `${(bytes / GiB).toFixed(1)} GiB`
}
