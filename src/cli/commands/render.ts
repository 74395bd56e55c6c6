import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { preview } from '../../engine/preview.ts'
import { renderSource } from '../../engine/render.ts'
import type { KubeObject } from '../../lib/objects.ts'
import { yamlOf } from '../../render/write.ts'
import { directoryOf, type GlobalFlags, type Io, isJson, writing } from '../io.ts'
import { openParts } from '../parts.ts'
import { loadWhole } from '../plan.ts'
import { tellProblems } from '../voice.ts'

/** `devkit render` */
export async function renderVerb(io: Io, flags: GlobalFlags & { readonly out?: string }): Promise<number> {
  const parts = await openParts(io, 'render')
  const { plan, source } = await loadWhole(io, flags, 'render', parts)
  const { manifests, remarks, notes, problems } =
    plan.profileName === 'production'
      ? { ...(source ?? (await renderSource(plan, parts, io))), remarks: [], notes: [], problems: [] }
      : await preview(plan, parts, io, source)
  if (flags.quiet !== true) for (const note of [...remarks, ...notes]) io.stderr.write(`${note}\n`)
  await tellProblems(io, flags, problems)
  const objects = manifests.map(({ object }) => object)
  if (flags.out !== undefined) {
    const directory = resolve(directoryOf(io, flags), flags.out)
    await writing('--out', directory, async () => {
      await mkdir(directory, { recursive: true })
      for (const [name, object] of byFileName(objects)) await writeFile(join(directory, name), yamlOf(object))
    })
  } else if (isJson(flags)) io.stdout.write(`${JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })}\n`)
  else io.stdout.write(objects.map(yamlOf).join('---\n'))
  return 0
}

/** A file for each object; of two with the same kind and name, the later one has its group before them. */
function byFileName(objects: readonly KubeObject[]): ReadonlyMap<string, KubeObject> {
  const files = new Map<string, KubeObject>()
  for (const object of objects) {
    const { apiVersion, kind, metadata } = object
    const nameOf = (...parts: readonly (string | undefined)[]): string => `${parts.filter(Boolean).join('_').toLowerCase()}.yaml`
    const plain = nameOf(metadata.namespace, kind, metadata.name)
    files.set(files.has(plain) ? nameOf(apiVersion.split('/')[0], metadata.namespace, kind, metadata.name) : plain, object)
  }
  return files
}
