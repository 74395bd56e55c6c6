import type { EventBody } from '../events/event.ts'
import { DevkitError } from '../lib/errors.ts'
import { repositoryOf } from '../lib/image.ts'
import { type Container, type Manifest, nameOf, podSpecOf } from '../lib/objects.ts'
import type { Step } from '../lib/step.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import { withSecrets } from '../render/transforms/secrets.ts'
import type { Program } from '../render/transforms/supervisor.ts'
import { type TransformInput, transform } from '../render/transforms/transforms.ts'
import type { Parts } from './environment.ts'
import { problemsOffline } from './preflight.ts'
import { programsOf, shellRemarks } from './programs.ts'
import { outlineOf, renderSource, type Source, targetOf, transformInput } from './render.ts'
import { shownSecrets } from './secrets.ts'
import { buildRequest, builtServices } from './up.ts'

/** The manifests as `up` would apply them, as far as it can be told. */
export interface Preview {
  readonly manifests: readonly Manifest[]
  /** What they are made from, and what the transforms go by. */
  readonly source: Source
  readonly input: TransformInput
  /** What is left out and why, and what of the profile fits nothing, a line each. */
  readonly remarks: readonly string[]
  /** What could not be told, a line each. */
  readonly notes: readonly string[]
  /** What of it will not work. */
  readonly problems: readonly EventBody[]
}

/**
 * Renders what `up` would apply without making anything. What images run is known where the engine has them; it need not even answer.
 * @throws RENDER-101 … RENDER-104, PLAN-104, PLAN-106, PLAN-107, BUILD-101, BUILD-103, SECRET-103
 */
export async function preview(
  asked: Plan,
  parts: Pick<Parts, 'tools' | 'host'>,
  step: Pick<Step, 'signal'>,
  rendered?: Source,
): Promise<Preview> {
  const source = rendered ?? (await renderSource(asked, parts, step))
  const outline = outlineOf(asked, source)
  const { plan } = outline
  const images = new Map<string, { readonly reference: string }>()
  for (const [repository, service] of builtServices(plan)) {
    const request = buildRequest(plan, service)
    await parts.tools.builder.check(request)
    images.set(repository, { reference: await parts.tools.builder.reference(request) })
  }
  const there = await thoseThere(images, parts, step)
  const programs = new Map(there && there.size > 0 ? await programsOf(plan, there, parts, step) : [])
  const notes: string[] = []
  for (const service of plan.services) {
    const repository = service.image === undefined ? '' : repositoryOf(service.image)
    if (plan.profile.supervise !== true || service.sync.length === 0 || !images.has(repository) || there?.has(repository))
      continue
    const why = there ? 'its image is not built yet' : 'no container engine answers'
    const program = programWithoutImage(plan, source, service)
    if (program) programs.set(service.name, program)
    notes.push(
      program
        ? `${service.name}: ${why}: shown as if its image had /bin/sh, which a restart in place takes`
        : `${service.name}: ${why}, so what it runs is not known: shown without the supervisor that restarts it in place`,
    )
  }
  const references = new Map([...images].map(([repository, { reference }]) => [repository, reference]))
  const input = transformInput(plan, source, references, programs)
  const manifests = withSecrets(transform(source.manifests, input), await shownSecrets(plan, parts), plan)
  return {
    manifests,
    source,
    input,
    remarks: [...outline.remarks, ...shellRemarks(plan, source, programs)],
    notes,
    problems: await problemsOffline(outline, source, parts),
  }
}

/** Those of the images that the engine has; undefined when no engine can be asked. */
async function thoseThere<Image extends { readonly reference: string }>(
  images: ReadonlyMap<string, Image>,
  { host }: Pick<Parts, 'host'>,
  { signal }: Pick<Step, 'signal'>,
): Promise<ReadonlyMap<string, Image> | undefined> {
  const there = new Map<string, Image>()
  if (images.size === 0) return there
  try {
    const engine = await host.engine()
    await engine.version(signal)
    for (const [repository, image] of images) if (await engine.image(image.reference)) there.set(repository, image)
    return there
  } catch (thrown) {
    if (thrown instanceof DevkitError && thrown.code.startsWith('ENGINE-')) return undefined
    throw thrown
  }
}

/** What a service runs where the manifest or the profile says so, whatever is in its image. */
function programWithoutImage(plan: Plan, source: Source, service: ServicePlan): Program | undefined {
  const { workload, container } = targetOf(source, service)
  const manifest = source.manifests.find(({ object }) => nameOf(object) === workload)
  const own: Container | undefined = manifest && podSpecOf(manifest.object)?.containers.find(({ name }) => name === container)
  const said = plan.profile.services?.[service.name]?.command ?? own?.['command']
  return said === undefined ? undefined : { entrypoint: [], cmd: [], shell: 'image' }
}
