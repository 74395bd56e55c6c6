import { join } from 'node:path'
import type { Host } from '../host/host.ts'
import { repositoryOf } from '../lib/image.ts'
import type { Plan } from '../plan/plan.ts'
import type { Program } from '../render/transforms/supervisor.ts'

/** What is known of an image, by its digest: looking into one takes the engine some 100 ms. */
type Shells = Readonly<Record<string, boolean>>

/**
 * What the images of the synced services run, where the profile puts a shell to work in them and they have one.
 * `images`: repository → reference of what was built; what the engine does not have is left out.
 */
export async function programsOf(
  plan: Plan,
  images: ReadonlyMap<string, { readonly reference: string }>,
  { host }: { readonly host: Pick<Host, 'engine' | 'files'> },
): Promise<ReadonlyMap<string, Program>> {
  if (plan.profile.supervise !== true && plan.profile.writable !== true) return new Map()
  const { files, engine: openEngine } = host
  const file = join(plan.directory, '.devkit', 'shells.json')
  const known = (await files.readJson<Shells>(file)) ?? {}
  const shells: Record<string, boolean> = {}
  const programs = new Map<string, Program>()
  for (const { name, image, sync } of plan.services) {
    const built = sync.length > 0 && image !== undefined ? images.get(repositoryOf(image)) : undefined
    if (!built) continue
    const engine = await openEngine()
    const found = await engine.image(built.reference)
    if (!found) continue
    shells[found.id] ??= known[found.id] ?? (await engine.imageHas(built.reference, '/bin/sh'))
    if (shells[found.id]) programs.set(name, { entrypoint: found.entrypoint, cmd: found.cmd })
  }
  if (Object.keys(shells).some((id) => !(id in known))) await files.writePrivate(file, JSON.stringify(shells))
  return programs
}
