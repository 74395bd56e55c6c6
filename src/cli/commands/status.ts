import { status } from '../../engine/status.ts'
import { Bus } from '../../events/bus.ts'
import type { Status } from '../../events/status.ts'
import { type GlobalFlags, type Io, isJson } from '../io.ts'
import { loadPlan, openParts } from '../parts.ts'
import { milliseconds } from '../running.ts'

/** `devkit status` */
export async function statusVerb(io: Io, flags: GlobalFlags & { readonly check?: boolean }): Promise<number> {
  const { plan } = await loadPlan(io, flags)
  const found = await status(plan, {
    bus: new Bus(),
    signal: io.signal,
    parts: await openParts(io, 'status'),
    timeoutMs: () => milliseconds(flags.timeout),
    isUp: () => undefined,
  })
  io.stdout.write(isJson(flags) ? `${JSON.stringify(found)}\n` : table(found))
  return flags.check && found.services.some(({ ready }) => !ready) ? 1 : 0
}

/** A line for the environment, a line per service. */
function table({ project, env, cluster, namespace, services }: Status): string {
  const width = Math.max(0, ...services.map(({ name }) => name.length))
  const workloads = Math.max(0, ...services.map(({ workload }) => workload.length))
  const rows = services.map(
    ({ name, workload, ready, waiting, url, image }) =>
      `${ready ? '✓' : '✗'} ${name.padEnd(width)}  ${workload.padEnd(workloads)}  ${ready ? (url ?? image ?? '') : (waiting ?? '')}`,
  )
  return [`${project}/${env} · cluster ${cluster.name} ${cluster.state} · namespace ${namespace}`, ...rows, ''].join('\n')
}
