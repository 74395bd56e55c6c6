import { rollout } from '../deploy/readiness.ts'
import type { ServiceStatus, Status } from '../events/status.ts'
import { type PortBook, portBookFile } from '../forward/mapped.ts'
import { isWorkload, podSpecOf } from '../lib/objects.ts'
import { Scope } from '../lib/scope.ts'
import type { Plan } from '../plan/plan.ts'
import { providerOf } from '../toolbox.ts'
import type { EngineRun } from './environment.ts'
import { renderSource } from './render.ts'
import { targetOf } from './up.ts'

/** Looks at the environment and changes nothing. */
export async function status(plan: Plan, run: EngineRun): Promise<Status> {
  const { parts, signal } = run
  const step = { signal, say: () => undefined }
  const source = await renderSource(plan, parts, step)
  const found = await providerOf(parts.tools, plan.cluster.spec).find(plan.cluster, step)
  const head = {
    project: plan.project,
    env: plan.env,
    cluster: { name: plan.cluster.name, state: found.state },
    namespace: plan.namespace,
  }
  const absent = (name: string, workload: string): ServiceStatus => ({
    name,
    workload,
    image: undefined,
    ready: false,
    waiting: `the cluster is ${found.state}`,
    url: undefined,
  })
  if (found.state !== 'running')
    return { ...head, services: plan.services.map((service) => absent(service.name, targetOf(source, service).workload)) }
  await using scope = new Scope()
  const kube = scope.use(await parts.openKube(found.cluster.kubeconfig))
  await kube.untilReady(10_000, signal)
  const book = await parts.host.files.readJson<PortBook>(portBookFile(parts.stateDirectory, found.cluster.name))
  const services = await Promise.all(
    plan.services.map(async (service): Promise<ServiceStatus> => {
      const { workload } = targetOf(source, service)
      const manifest = source.manifests.find(
        ({ object }) => isWorkload(object) && `${object.kind}/${object.metadata.name}` === workload,
      )?.object
      const live =
        manifest &&
        (await kube.get(
          {
            apiVersion: manifest.apiVersion,
            kind: manifest.kind,
            name: manifest.metadata.name,
            namespace: manifest.metadata.namespace ?? plan.namespace,
          },
          signal,
        ))
      const host = service.ports
        .map(({ port }) => book?.taken[`${plan.env}/${service.name}/${port}`])
        .find((port) => port !== undefined)
      const state = live ? rollout(live) : { waiting: 'it is not in the cluster' }
      return {
        name: service.name,
        workload,
        image: live && podSpecOf(live)?.containers[0]?.image,
        ready: state === 'ready',
        waiting: state === 'ready' ? undefined : state.waiting,
        url: host === undefined ? undefined : `http://127.0.0.1:${host}`,
      }
    }),
  )
  return { ...head, services }
}
