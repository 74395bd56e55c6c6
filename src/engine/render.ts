import { join, posix } from 'node:path'
import { wrongWaves } from '../deploy/sequence.ts'
import type { Files } from '../host/host.ts'
import { asOne } from '../lib/errors.ts'
import { type Manifest, nameOf } from '../lib/objects.ts'
import type { Step } from '../lib/step.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import { capabilitiesOf } from '../render/capabilities.ts'
import { checkNamespaces, serviceTargets } from '../render/references.ts'
import type { Input } from '../render/renderer.ts'
import { homeOf } from '../render/transforms/namespace.ts'
import { type Profiled, profiled } from '../render/transforms/report.ts'
import type { LeasePlace, Program } from '../render/transforms/supervisor.ts'
import { type ServiceTarget, type TransformInput, transform } from '../render/transforms/transforms.ts'
import { plainTarget } from '../sync/mapping.ts'
import { rendererOf } from '../toolbox.ts'
import type { Parts } from './environment.ts'

/** The manifests as the sources have them, and which workload each service is. Offline: no cluster is asked. */
export interface Source {
  readonly manifests: readonly Manifest[]
  /** The namespace that all of them name; undefined where that is the environment's, or none. */
  readonly home: string | undefined
  readonly targets: ReadonlyMap<string, ServiceTarget>
  /** Service → the directories of its container that its sync rules lead into. */
  readonly syncedInto: ReadonlyMap<string, readonly string[]>
}

/** Everything that the sources read. */
export async function renderInputs({ sources, directory }: Plan, { tools }: Pick<Parts, 'tools'>): Promise<readonly Input[]> {
  return (await Promise.all(sources.map((source) => rendererOf(tools, source).inputs(source, directory)))).flat()
}

/** @throws RENDER-101 … RENDER-107, PLAN-104, PLAN-106, PLAN-107 */
export async function renderSource(
  plan: Plan,
  { tools, host }: Pick<Parts, 'tools' | 'host'>,
  step: Pick<Step, 'signal'>,
): Promise<Source> {
  const { kubernetes, apiVersions } = capabilitiesOf(kubernetesOf(plan))
  const { directory, namespace, profileName } = plan
  const input = { directory, namespace, kubernetes, apiVersions, invents: profileName !== 'production' }
  const rendered = (await Promise.all(plan.sources.map((source) => rendererOf(tools, source).render(source, input, step)))).flat()
  const { isNamespaced } = capabilitiesOf(kubernetes, rendered)
  const home = homeOf(rendered, namespace, (object) => !isNamespaced(object))
  checkNamespaces(rendered, namespace, home)
  const syncedInto = plan.services.map(async (service) => [service.name, await directoriesOf(plan, service, host.files)] as const)
  return {
    manifests: rendered,
    home,
    targets: serviceTargets(rendered, plan.services),
    syncedInto: new Map(await Promise.all(syncedInto)),
  }
}

/** The version that the manifests are for: the config's word, else that of the node image that it names, such as `kindest/node:v1.33.4`. */
export function kubernetesOf({ kubernetes, cluster: { spec } }: Plan): string | undefined {
  const image = 'kind' in spec ? spec.kind.nodeImage : undefined
  return kubernetes ?? /:v?(1\.\d+)[^/]*$/.exec(image ?? '')?.[1]
}

/** Where a rule leads; the directory of it where that is a file. */
function directoriesOf({ directory }: Plan, { sync }: ServicePlan, files: Pick<Files, 'entryAt'>): Promise<readonly string[]> {
  return Promise.all(
    sync.map(async ({ from, to }) => {
      const entry = await files.entryAt(join(directory, from))
      const target = plainTarget(to)
      return entry === undefined || entry.kind === 'directory' ? target : posix.dirname(target)
    }),
  )
}

/** The manifests as they are to be applied. `images` is empty where nothing was built, `programs` where nothing is known of images. */
export function applyProfile(
  plan: Plan,
  source: Source,
  images: ReadonlyMap<string, string>,
  programs: ReadonlyMap<string, Program>,
): readonly Manifest[] {
  return transform(source.manifests, transformInput(plan, source, images, programs))
}

/** What of a plan and its manifests is known while nothing is of images. */
export interface Outline extends Profiled {
  /** Without the services whose workload the profile leaves out: nothing of them runs. */
  readonly plan: Plan
}

/** The plan and the remarks that hold before anything is built. @throws RENDER-110 */
export function outlineOf(plan: Plan, source: Source): Outline {
  const made = profiled(source.manifests, transformInput(plan, source, new Map(), new Map()), plan.profileOrigins)
  const problem = asOne(made.manifests.flatMap(wrongWaves))
  if (problem) throw problem
  const names = new Set(made.manifests.map(({ object }) => nameOf(object)))
  const services = plan.services.filter(({ name }) => names.has(source.targets.get(name)?.workload ?? ''))
  return { ...made, plan: { ...plan, services } }
}

/** What the transforms go by; `report` tells what they do with it. */
export function transformInput(
  plan: Plan,
  { manifests, home, targets, syncedInto }: Source,
  images: ReadonlyMap<string, string>,
  programs: ReadonlyMap<string, Program>,
): TransformInput {
  const { isNamespaced, isForeign } = capabilitiesOf(kubernetesOf(plan), manifests)
  return {
    namespace: plan.namespace,
    home,
    profile: plan.profile,
    images,
    services: targets,
    programs,
    // a copy takes a shell of the image, which one that is not known may not have
    writable: needsCopies(plan)
      ? new Map([...syncedInto].filter(([service]) => programs.get(service)?.shell === 'image'))
      : new Map(),
    lease: leasePlace(plan, { manifests, home }),
    clusterScoped: (object) => !isNamespaced(object),
    // a cluster that exists may have kinds of its own
    isForeign: (object) => 'kind' in plan.cluster.spec && isForeign(object),
    manifests,
  }
}

/** Whether files may have to go through what the containers can write themselves: that is known only when the cluster has been asked. */
function needsCopies({ profile, cluster: { spec } }: Plan): boolean {
  return profile.writable === true && 'existing' in spec
}

/** Where a `watch` of the plan writes that it is here. */
export function leasePlace(plan: Plan, { manifests, home }: Pick<Source, 'manifests' | 'home'>): LeasePlace {
  return 'kind' in plan.cluster.spec && !forbidsHostPath(home ?? plan.namespace, manifests) ? 'node' : 'configmap'
}

/** Whether the environment's namespace takes no pod with a directory of the node. https://kubernetes.io/docs/concepts/security/pod-security-standards/ */
function forbidsHostPath(namespace: string, manifests: readonly Manifest[]): boolean {
  return manifests.some(
    ({ object: { kind, metadata } }) =>
      kind === 'Namespace' &&
      metadata.name === namespace &&
      ['baseline', 'restricted'].includes(metadata.labels?.['pod-security.kubernetes.io/enforce'] ?? ''),
  )
}

/** The container that a service runs in. */
export function targetOf({ targets }: Source, { name }: ServicePlan) {
  const target = targets.get(name)
  if (!target) throw new Error(`no workload was found for ${name}`)
  return target
}
