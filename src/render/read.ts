import { asOne, DevkitError } from '../lib/errors.ts'
import { type KubeObject, type Manifest, nameOf, type Origin, placeOf } from '../lib/objects.ts'
import { misfitOf } from './shape.ts'
import { readYaml, type YamlDocument } from './yaml.ts'

/** What is in a file, or was printed by a program: manifests, and everything that is wrong with it. */
export interface ReadManifests {
  readonly manifests: readonly Manifest[]
  /** RENDER-101, RENDER-102 */
  readonly problems: readonly DevkitError[]
}

/** Reads what kubectl would read. `file` is where messages say it is. */
export async function readManifests(bytes: Uint8Array, file: string): Promise<ReadManifests> {
  const { documents, problems } = await readYaml(bytes)
  const read = readObjects(documents, file)
  return { ...read, problems: [...problems.map(({ line, message }) => invalid(file, line, message)), ...read.problems] }
}

/** The objects of documents, and what is wrong with them. */
export function readObjects(documents: readonly YamlDocument[], file: string): ReadManifests {
  const manifests: Manifest[] = []
  const problems: DevkitError[] = []
  for (const document of documents) {
    if (document.inexact !== undefined && (document.value as { kind?: unknown }).kind !== 'CustomResourceDefinition')
      problems.push(invalid(file, document.inexact, 'a whole number with more digits than devkit can keep'))
    for (const [value, origin] of objectsOf(document, file)) {
      const checked = checkObject(value, origin)
      if (checked instanceof DevkitError) problems.push(checked)
      else manifests.push({ object: checked, origin })
    }
  }
  return { manifests, problems }
}

/** The manifests of everything that was read. @throws RENDER-101, RENDER-102: all problems at once */
export function manifestsOf(read: readonly ReadManifests[]): readonly Manifest[] {
  const problem = asOne(read.flatMap(({ problems }) => problems))
  if (problem) throw problem
  return read.flatMap(({ manifests }) => manifests)
}

/** A problem with the text of a file. */
export function invalid(file: string, line: number, message: string): DevkitError {
  return new DevkitError('RENDER-101', { message: `${file}:${line}: ${message}.`, hint: 'Mend the YAML.' })
}

/** The object of a document, or those of a `List`. A `ConfigMapList` says for its items what they are. */
function objectsOf({ value, line, lineAt }: YamlDocument, file: string): readonly (readonly [unknown, Origin])[] {
  const { apiVersion, kind, items } = value as { apiVersion?: unknown; kind?: unknown; items?: unknown }
  if (typeof kind !== 'string' || !kind.endsWith('List') || !Array.isArray(items)) return [[value, { file, line, lineAt }]]
  const said = kind === 'List' ? {} : { apiVersion, kind: kind.slice(0, -'List'.length) }
  return items.map((item: unknown, index) => {
    const path = ['items', index]
    const object = typeof item === 'object' && item !== null && !Array.isArray(item) ? { ...said, ...item } : item
    return [object, { file, line: lineAt(path) ?? line, lineAt: (keys) => lineAt([...path, ...keys]) }]
  })
}

function checkObject(value: unknown, origin: Origin): KubeObject | DevkitError {
  const object = value as Partial<KubeObject> | null
  const isObject = typeof object === 'object' && object !== null && !Array.isArray(object)
  const needed = isObject ? { apiVersion: object.apiVersion, kind: object.kind, 'metadata.name': object.metadata?.name } : {}
  const [lacking] = Object.entries(needed).filter(([, text]) => typeof text !== 'string')
  if (isObject && !lacking) return wrongShape(object as KubeObject, origin) ?? (object as KubeObject)
  const [field, is] = lacking ?? ['an object']
  return new DevkitError('RENDER-102', {
    message: `${placeOf(origin)}: not a Kubernetes object: ${field} is ${(is ?? null) === null ? 'missing' : 'no text'}.`,
    hint: /(^|\/)kustomization\.ya?ml$/.test(origin.file)
      ? 'Name its directory as `{ kustomize: … }` in `manifests`.'
      : /(^|\/)(Chart|values)\.ya?ml$/.test(origin.file)
        ? 'Name the chart as `{ helm: { chart: … } }` in `manifests`.'
        : 'Add it, or leave the file out of `manifests`.',
  })
}

function wrongShape(object: KubeObject, origin: Origin): DevkitError | undefined {
  const found = misfitOf(object)
  if (!found) return undefined
  const { path, expected } = found
  // the nearest thing that is there
  const line = path.map((_, index) => origin.lineAt?.(path.slice(0, path.length - index))).find((at) => at !== undefined)
  return new DevkitError('RENDER-102', {
    message: `${placeOf({ ...origin, line: line ?? origin.line })}: ${nameOf(object)}: ${path.join('.')} has to be ${expected}.`,
    hint: 'Correct the manifest.',
    object: nameOf(object),
  })
}
