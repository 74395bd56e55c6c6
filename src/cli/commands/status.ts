import { status } from '../../engine/status.ts'
import { Bus } from '../../events/bus.ts'
import type { Status } from '../../events/status.ts'
import { paint } from '../../ui/paint.ts'
import { problemTexts } from '../../ui/sentences.ts'
import { type GlobalFlags, type Io, isJson } from '../io.ts'
import { openParts } from '../parts.ts'
import { loadWhole } from '../plan.ts'
import { milliseconds } from '../running.ts'

/** `devkit status` */
export async function statusVerb(io: Io, flags: GlobalFlags & { readonly check?: boolean }): Promise<number> {
  const parts = await openParts(io, 'status')
  const { plan } = await loadWhole(io, flags, 'status', parts)
  const found = await status(plan, {
    bus: new Bus(),
    signal: io.signal,
    parts,
    timeoutMs: () => milliseconds(flags.timeout),
    confirm: async () => false,
    isUp: () => undefined,
  })
  io.stdout.write(isJson(flags) ? `${JSON.stringify(found)}\n` : table(found))
  return flags.check && (found.problems.length > 0 || found.services.some(({ ready }) => !ready)) ? 1 : 0
}

/** A line for the environment, a line per service, then volumes and problems where there are any. */
function table({ project, env, cluster, namespace, services, volumes, problems }: Status): string {
  const width = Math.max(0, ...services.map(({ name }) => name.length))
  const workloads = Math.max(0, ...services.map(({ workload }) => workload.length))
  const rows = services.map(({ name, workload, ready, pods, waiting, ports, image, stale = [] }) => {
    const urls = ports.flatMap(({ port, url }) => (url === undefined ? [] : [ports.length === 1 ? url : `${port} ${url}`]))
    const counted = (pods ? `${pods.ready}/${pods.wanted}` : '-').padEnd(4)
    const said = ready ? urls.join(', ') || (image ?? '') : (waiting ?? '')
    const behind = stale.map(({ pod, files }) => `stale: ${files} file${files === 1 ? '' : 's'} of ${pod}`).join(', ')
    const line = `${ready ? '✓' : '✗'} ${name.padEnd(width)}  ${workload.padEnd(workloads)}  ${counted}  ${said}`
    return behind === '' ? line : `${line} · ${behind}`
  })
  const reason = cluster.syncReason === undefined ? '' : ` (${cluster.syncReason})`
  const sync = cluster.sync === undefined ? '' : ` · ${cluster.sync}${reason}`
  return [
    `${project}/${env} · cluster ${cluster.name} ${cluster.state}${sync} · namespace ${namespace}`,
    ...rows,
    ...volumes.map(({ namespace: inside, name, size }) => `  volume ${inside}/${name} ${size}`),
    ...problems.map(problemTexts(paint(false), false)),
    '',
  ].join('\n')
}
