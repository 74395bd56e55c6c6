import { mkdtemp, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import type { KustomizeSource } from '../config/sources.ts'
import { remembering } from '../lib/async.ts'
import type { KubeObject, Manifest, Origin } from '../lib/objects.ts'
import { nowhere } from './manifests.ts'
import { type PrintParts, printing } from './printed.ts'
import { manifestsOf, type ReadManifests, readManifests } from './read.ts'
import type { Input, Renderer } from './renderer.ts'
import { readYaml } from './yaml.ts'

const fileNames = ['kustomization.yaml', 'kustomization.yml', 'Kustomization']
const originAnnotation = 'config.kubernetes.io/origin'

/** Kustomizations, by the kustomize program or the one in kubectl. In the config: `{ kustomize: 'k8s/overlay' }`. */
export function kustomize(parts: PrintParts): Renderer<KustomizeSource> {
  const print = printing(parts)
  return {
    async render({ kustomize: source }, { directory }, step) {
      const root = await realpath(join(directory, source)).catch(() => undefined)
      const found = root === undefined ? undefined : await kustomizationIn(root)
      if (root === undefined || !found) throw nowhere(`There is no kustomization in ${source}.`)
      const wrapper = await mkdtemp(join(await realpath(tmpdir()), 'devkit-kustomize-'))
      try {
        await writeFile(join(wrapper, 'kustomization.yaml'), wrapping(relative(wrapper, root), found.content))
        const inputs = await inputsOf(root)
        const text = await print(
          {
            what: `the kustomization ${source}`,
            programs: [
              ['kustomize', 'build', wrapper],
              ['kubectl', 'kustomize', wrapper],
            ],
            install: 'Install kustomize (https://kubectl.docs.kubernetes.io/installation/kustomize/) or kubectl.',
            directory,
            inputs: inputs.some(({ remote }) => remote) ? undefined : inputs,
            instead: [wrapper, source],
            why: innermost,
            key: ['kustomize', source, dirname(wrapper)],
          },
          step,
        )
        const manifests = manifestsOf([await readManifests(Buffer.from(text), source)])
        return await withOrigins(manifests, {
          wrapper,
          directory,
          keep: found.content.buildMetadata?.includes('originAnnotations') === true,
        })
      } finally {
        await rm(wrapper, { recursive: true, force: true })
      }
    },
    inputs: ({ kustomize: source }, directory) => inputsOf(join(directory, source)),
  }
}

/** What devkit reads of a kustomization. */
interface Kustomization {
  readonly buildMetadata?: readonly string[]
  readonly sortOptions?: unknown
}

async function kustomizationIn(
  directory: string,
): Promise<{ readonly file: string; readonly content: Kustomization } | undefined> {
  for (const name of fileNames) {
    const file = join(directory, name)
    const bytes = await readFile(file).catch(() => undefined)
    if (!bytes) continue
    // what is wrong in it, the program says better
    const [document] = (await readYaml(bytes)).documents
    const content = document?.value
    return { file, content: typeof content === 'object' && content !== null ? content : {} }
  }
  return undefined
}

/** A kustomization that adds nothing but where each object is from. What only the outermost one may say is taken along. */
function wrapping(resource: string, { buildMetadata = [], sortOptions }: Kustomization): string {
  const origins = [...new Set([...buildMetadata, 'originAnnotations'])]
  return JSON.stringify({ resources: [resource], buildMetadata: origins, ...(sortOptions === undefined ? {} : { sortOptions }) })
}

interface Origins {
  readonly wrapper: string
  readonly directory: string
  /** Whether the annotations are the user's own. */
  readonly keep: boolean
}

/** The last of the errors that kustomize puts into each other, one for each base: `base: accumulating resources from 'web.yaml': …`. */
function innermost(said: string): string {
  const [, base, error] =
    /.*recursed accumulation of path '([^']*)': (?:accumulating resources: )?(?:accumulation err=')?(.*?)(?:': must build at .*)?$/s.exec(
      said,
    ) ?? []
  return base === undefined ? said : `${base}: ${error}`
}

/** Each object with the place that its annotation names, and without the annotation. */
async function withOrigins(manifests: readonly Manifest[], { wrapper, directory, keep }: Origins): Promise<readonly Manifest[]> {
  const readOnce = remembering(async (file) => readManifests(await readFile(file), relative(directory, file)))
  return Promise.all(
    manifests.map(async ({ object, origin }) => {
      const said = object.metadata.annotations?.[originAnnotation] ?? ''
      const at = /^(?:path|configuredIn): (.*)$/m.exec(said)?.[1]
      const repository = /^repo: (.*)$/m.exec(said)?.[1]
      const plain = keep ? object : withoutOrigin(object)
      if (at === undefined) return { object: plain, origin }
      if (repository !== undefined) return { object: plain, origin: { file: `${repository}/${at}`, line: 1 } }
      const file = resolve(wrapper, at)
      const written = await readOnce(file).catch(() => undefined)
      return { object: plain, origin: placeIn(written, object) ?? { file: relative(directory, file), line: 1 } }
    }),
  )
}

/** Where an object was written that may have got a prefix or suffix to its name; undefined when that can't be told. */
function placeIn(written: ReadManifests | undefined, { kind, metadata: { name } }: KubeObject): Origin | undefined {
  const candidates = (written?.manifests ?? []).filter(
    ({ object }) => object.kind === kind && name.includes(object.metadata.name),
  )
  const same = candidates.find(({ object }) => object.metadata.name === name)
  return same?.origin ?? (candidates.length === 1 ? candidates[0]?.origin : undefined)
}

function withoutOrigin(object: KubeObject): KubeObject {
  const { [originAnnotation]: _, ...annotations } = object.metadata.annotations ?? {}
  const { annotations: __, ...metadata } = object.metadata
  return { ...object, metadata: Object.keys(annotations).length === 0 ? metadata : { ...metadata, annotations } }
}

type KustomizeInput = Input & { readonly remote?: boolean }

/**
 * Files of a kustomization and of all that it refers to. Every text in it that names something which exists is taken for a reference:
 * one too many only renders once more.
 */
async function inputsOf(root: string, seen = new Set<string>()): Promise<readonly KustomizeInput[]> {
  if (seen.has(root)) return []
  seen.add(root)
  const found = await kustomizationIn(root)
  if (!found) return [{ path: root }]
  const inputs: KustomizeInput[] = fileNames.map((name) => ({ path: join(root, name) }))
  for (const text of textsIn(found.content)) {
    if (/^[a-z+]+:\/\/|^[\w.-]+@|^github\.com\//.test(text)) inputs.push({ path: found.file, remote: true })
    const path = resolve(root, text.replace(/^[^=/]+=/, ''))
    const what = text.includes('\n') ? undefined : await stat(path).catch(() => undefined)
    if (what?.isDirectory() && path !== root) inputs.push(...(await inputsOf(path, seen)))
    else if (what?.isFile()) inputs.push({ path })
  }
  return inputs
}

function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}
