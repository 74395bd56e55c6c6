import type { KubeObject, Manifest } from '../lib/objects.ts'
import type { Step } from '../lib/step.ts'
import type { Plan } from '../plan/plan.ts'
import { checkNamespaces, serviceTargets } from '../render/references.ts'
import type { Program } from '../render/transforms/supervisor.ts'
import { type ServiceTarget, transform } from '../render/transforms/transforms.ts'
import type { Parts } from './environment.ts'

/** The manifests as the sources have them, and which workload each service is. Offline: no cluster is asked. */
export interface Source {
  readonly manifests: readonly Manifest[]
  readonly targets: ReadonlyMap<string, ServiceTarget>
}

/** @throws RENDER-101 … RENDER-104, PLAN-104, PLAN-106, PLAN-107 */
export async function renderSource(plan: Plan, { tools }: Pick<Parts, 'tools'>, step: Pick<Step, 'signal'>): Promise<Source> {
  const rendered: Manifest[] = []
  for (const source of plan.sources) rendered.push(...(await tools.renderer.render(source, plan.directory, step)))
  checkNamespaces(rendered, plan.namespace)
  return { manifests: rendered, targets: serviceTargets(rendered, plan.services) }
}

/** The manifests as they are to be applied. `images` is empty where nothing was built, `programs` where nothing is to restart in place. */
export function applyProfile(
  plan: Plan,
  { manifests, targets }: Source,
  images: ReadonlyMap<string, string>,
  programs: ReadonlyMap<string, Program>,
): readonly Manifest[] {
  return transform(manifests, {
    namespace: plan.namespace,
    profile: plan.profile,
    images,
    services: targets,
    programs,
    gated: 'kind' in plan.cluster.spec && !forbidsHostPath(plan, manifests),
    clusterScoped,
  })
}

/** Whether the environment's namespace takes no pod with a directory of the node. https://kubernetes.io/docs/concepts/security/pod-security-standards/ */
function forbidsHostPath({ namespace }: Plan, manifests: readonly Manifest[]): boolean {
  return manifests.some(
    ({ object: { kind, metadata } }) =>
      kind === 'Namespace' &&
      metadata.name === namespace &&
      ['baseline', 'restricted'].includes(metadata.labels?.['pod-security.kubernetes.io/enforce'] ?? ''),
  )
}

/** Kinds of every cluster that live in no namespace, and those that a CRD among the manifests makes so. */
function clusterScoped({ apiVersion, kind }: KubeObject): boolean {
  const group = apiVersion.split('/')[0] ?? ''
  return (
    (apiVersion === 'v1' && ['Namespace', 'Node', 'PersistentVolume'].includes(kind)) ||
    /^(Cluster|PriorityClass|StorageClass|IngressClass|RuntimeClass|CustomResourceDefinition|APIService|ValidatingWebhook|MutatingWebhook|ValidatingAdmission|CSIDriver|VolumeAttachment)/.test(
      kind,
    ) ||
    group === 'apiregistration.k8s.io'
  )
}
