import { Evidence, type Surroundings } from '../deploy/diagnosis/evidence.ts'
import type { Live } from '../deploy/live.ts'
import type { Kube } from '../kube/kube.ts'
import { nameOf, placeOf } from '../lib/objects.ts'
import type { Scope } from '../lib/scope.ts'
import type { Plan } from '../plan/plan.ts'
import { type Source, targetOf } from './render.ts'

/** Gathers what the diagnosis of an environment goes by, until `scope` closes. */
export function evidenceOf(
  plan: Plan,
  source: Source,
  { kube, live }: { readonly kube: Kube; readonly live: Live },
  scope: Scope,
): Evidence {
  return new Evidence(kube, live, surroundings(plan, source), scope)
}

/** What the plan and the manifests know and the cluster does not. */
function surroundings(plan: Plan, source: Source): Surroundings {
  const workloads = new Map(plan.services.map((service) => [service.name, targetOf(source, service).workload]))
  const needs = new Map(
    plan.services.map(({ name, dependsOn }) => [workloads.get(name), dependsOn.flatMap((other) => workloads.get(other) ?? [])]),
  )
  const origins = new Map(source.manifests.map(({ object, origin }) => [nameOf(object), origin]))
  return {
    namespace: plan.namespace,
    workloads: [...needs.keys()].filter((name) => name !== undefined),
    needs: (workload) => needs.get(workload) ?? [],
    manifests: source.manifests.map(({ object }) => object),
    placeOf: (object, path = []) => {
      const origin = origins.get(object)
      return origin && placeOf({ file: origin.file, line: origin.lineAt?.(path) ?? origin.line })
    },
  }
}
