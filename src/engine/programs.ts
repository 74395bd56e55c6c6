import { join } from 'node:path'
import type { Host } from '../host/host.ts'
import { repositoryOf } from '../lib/image.ts'
import type { Step } from '../lib/step.ts'
import type { Plan } from '../plan/plan.ts'
import { hasNodeShell, type Program } from '../render/transforms/supervisor.ts'
import { leasePlace, type Source } from './render.ts'

/** Whether an image has a shell, by its digest: looking into one takes the engine some 100 ms. */
type Shells = Readonly<Record<string, boolean>>

/**
 * What the images of the synced services run, where the profile puts a shell to work in them and they, or else their nodes, have one.
 * `images`: repository → reference of what was built; what the engine does not have is left out.
 */
export async function programsOf(
  plan: Plan,
  images: ReadonlyMap<string, { readonly reference: string }>,
  { host }: { readonly host: Pick<Host, 'engine' | 'files'> },
  { signal }: Pick<Step, 'signal'>,
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
    // a node's is that of the machine, whatever the image was built for
    const shell = shells[found.id] ? 'image' : (await engine.machine(signal)).architecture
    if (shell === 'image' || hasNodeShell(shell)) programs.set(name, { entrypoint: found.entrypoint, cmd: found.cmd, shell })
  }
  if (Object.keys(shells).some((id) => !(id in known))) await files.writePrivate(file, JSON.stringify(shells))
  return programs
}

/** Which services are restarted in place by another shell than their image's, a line each. */
export function shellRemarks(plan: Plan, source: Source, programs: ReadonlyMap<string, Program>): readonly string[] {
  if (plan.profile.supervise !== true || leasePlace(plan, source) !== 'node') return []
  return [...programs]
    .filter(([, { shell }]) => shell !== 'image')
    .map(
      ([service]) =>
        `${service}: its image has no shell, so its node's restarts its program in place: the node's /usr is mounted read-only`,
    )
}
