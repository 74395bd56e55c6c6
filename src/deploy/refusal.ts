import type { ApiFailure, Kube } from '../kube/kube.ts'
import { DevkitError, messageOf } from '../lib/errors.ts'
import { nearest } from '../lib/nearest.ts'
import { type KubeObject, type Manifest, nameOf, placeOf } from '../lib/objects.ts'
import { groupOf } from '../lib/select.ts'
import { servedVersions, unknownFields } from './crd-schema.ts'
import { problemOfRights } from './lacking.ts'
import { configurationOf, webhookOf } from './webhook.ts'

/** A field that somebody else owns with another value. */
export interface Conflict {
  /** As the server writes it: `.spec.replicas`. */
  readonly field: string
  readonly manager: string
}

/** People's own tools. What they change is meant for the moment; the manifest is meant to last. */
const hands =
  /^(kubectl.*|k9s|.*lens.*|headlamp.*|dashboard|mozilla|node-fetch|curl|python-requests|unknown|before-first-apply|devkit.*)$/i

/** Whether the field was changed by a person, not by a program that will change it again. */
export function isByHand({ manager }: Pick<Conflict, 'manager'>): boolean {
  return hands.test(manager)
}

/** The conflicts that an apply was refused for; none when it was not, or not for that. */
export function conflictsOf(thrown: unknown): readonly Conflict[] {
  if (!isFailure(thrown) || thrown.status !== 409) return []
  return thrown.causes.flatMap(({ field, message }) => {
    const manager = /conflict with "([^"]+)"/.exec(message ?? '')?.[1]
    return field !== undefined && manager !== undefined ? [{ field, manager }] : []
  })
}

/** Whether the API server said that this user may not. */
export function isForbidden(thrown: unknown): boolean {
  return isStatusOf(thrown, 403)
}

/** Whether the API server said no with one of these. */
export function isStatusOf(thrown: unknown, ...statuses: readonly number[]): boolean {
  return isFailure(thrown) && statuses.includes(thrown.status)
}

/** Whether the webhook that has to agree was not reached. */
export function isSilentWebhook(thrown: unknown): boolean {
  return isFailure(thrown) && webhookOf(thrown)?.how === 'silent'
}

/** The fields that are fixed for the object's lifetime and were to be changed, when nothing else was refused. */
export function fixedFieldsOf(thrown: unknown): readonly string[] {
  return isFailure(thrown) && isImmutable(thrown) ? [...new Set(thrown.causes.map(({ field = '' }) => field))] : []
}

/** Whether nothing was refused but a change of what is fixed for the object's lifetime. */
export function isImmutable(thrown: unknown): boolean {
  if (!isFailure(thrown) || thrown.status !== 422) return false
  return thrown.causes.length > 0 ? thrown.causes.every(isFixed) : fixed.test(thrown.message)
}

/** The words of the API for what is fixed; a cause tells such a field from a wrong value by them alone. */
const fixed =
  /immutable|can not be less than|may not (be )?(updated|changed?)\b|updates to .* are forbidden|cannot change roleRef|can not be unset|may not change fields/i

function isFixed({ reason, message = '' }: ApiFailure['causes'][number]): boolean {
  return /^FieldValue(Invalid|Forbidden)$/.test(reason ?? '') && fixed.test(message)
}

/** What the API server said of a manifest, as a problem with the manifest's place: APPLY-101 … APPLY-106. */
export async function refusal(kube: Kube, thrown: unknown, manifest: Manifest, signal: AbortSignal): Promise<unknown> {
  if (thrown instanceof DevkitError) return thrown
  const { object, origin } = manifest
  const name = nameOf(object)
  const place = placeOf(origin)
  const lacking = problemOfRights(thrown, place)
  if (lacking) return lacking
  if (!isFailure(thrown))
    return new DevkitError('APPLY-104', {
      message: `${place}: ${name} could not be applied: ${messageOf(thrown).replace(/\.$/, '')}.`,
      hint: 'Check the cluster with `devkit status`, then run this again.',
      object: name,
      cause: thrown,
    })
  const text = { object: name, cause: thrown }
  if (thrown.reason === 'UnknownKind') return unknownKind(kube, manifest, thrown, signal)
  if (isSilentWebhook(thrown)) return silentWebhook(kube, manifest, thrown, signal)
  const conflicts = conflictsOf(thrown)
  if (conflicts.length > 0) {
    const owned = conflicts.filter((conflict) => !isByHand(conflict))
    const lines = owned.map(({ field, manager }) => `${placeOfField(manifest, field)}: ${name}: ${field} is owned by ${manager}`)
    return new DevkitError('APPLY-102', {
      ...text,
      message: `${lines.join('\n')}.`,
      hint: `Remove ${owned.length === 1 ? 'the field' : 'the fields'} from the manifest, so that ${[...new Set(owned.map(({ manager }) => manager))].join(', ')} decides; or take ${owned.length === 1 ? 'it' : 'them'} with \`devkit up --force-conflicts\`.`,
    })
  }
  if (isImmutable(thrown))
    return new DevkitError('APPLY-105', {
      ...text,
      message: `${place}: ${name}: ${sentences(thrown).join('; ').replace(/\.$/, '')}.`,
      hint: `Delete it (\`kubectl delete ${object.kind.toLowerCase()} ${object.metadata.name}${object.metadata.namespace ? ` -n ${object.metadata.namespace}` : ''}\`) if nothing in it is needed, then run \`devkit up\`.`,
    })
  if (isRefusedContent(thrown)) {
    const errors = fieldErrors(thrown)
    const lines = await Promise.all(errors.map((error) => fieldLine(kube, manifest, error, signal)))
    const more = await untold(kube, manifest, errors, signal)
    return new DevkitError('APPLY-101', {
      ...text,
      message: ended([...lines, ...more].join('\n')),
      hint: 'Correct the manifest.',
    })
  }
  return new DevkitError('APPLY-104', {
    ...text,
    message: `${place}: ${name}: the API server says ${thrown.status}: ${sentences(thrown).join('; ').replace(/\.$/, '')}.`,
    hint: 'Read what the API server says.',
  })
}

function ended(sentence: string): string {
  return /[.?!]$/.test(sentence) ? sentence : `${sentence}.`
}

function isFailure(thrown: unknown): thrown is ApiFailure {
  return thrown instanceof Error && thrown.name === 'ApiFailure'
}

// unknown fields come as 500 from server-side apply; a webhook that denies says what it likes
function isRefusedContent({ status, message }: ApiFailure): boolean {
  if (webhookOf({ message })?.how === 'denied') return true
  return status === 400 || status === 422 || status === 403 || /failed to create typed patch object/.test(message)
}

function sentences({ causes, message }: ApiFailure): readonly string[] {
  const told = causes.map((cause) => [cause.field, cause.message].filter(Boolean).join(': ')).filter(Boolean)
  return told.length > 0 ? [...new Set(told)] : [message]
}

interface FieldError {
  /** `spec.containers[0].name` or as server-side apply writes it; empty when no field is named. */
  readonly field: string
  readonly said: string
}

/** One entry for each field that the server complains of. */
export function fieldErrors({ causes, message }: Pick<ApiFailure, 'causes' | 'message'>): readonly FieldError[] {
  const fromCauses = causes.filter(({ field }) => field).map(({ field = '', message: said = '' }) => ({ field, said }))
  if (fromCauses.length > 0) return fromCauses
  const strict = [...message.matchAll(/unknown field "([^"]+)"/g)].map(([, field = '']) => ({ field, said: notInSchema }))
  if (strict.length > 0) return strict
  const typed = /failed to create typed patch object \([^)]*\): ([\s\S]*)$/.exec(message)?.[1]
  if (typed === undefined) return [{ field: '', said: message }]
  return typed
    .replace(/^errors:\s*/, '')
    .split('\n')
    .map((line) => /^\s*(\.(?:[^:[\s]|\[[^\]]*\])+): (.*)$/.exec(line))
    .filter((found) => found !== null)
    .map(([, field = '', said = '']) => ({
      field,
      said: said.replace(/&value\.valueUnstructured\{Value:(.*?)\}/, '$1'),
    }))
}

const notInSchema = 'field not declared in schema'

/** Of the unknown fields of a custom resource the server tells those that it came across first: the others, by the schema of its kind. */
async function untold(
  kube: Kube,
  manifest: Manifest,
  errors: readonly FieldError[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (!errors.some(({ said }) => said === notInSchema)) return []
  const definition = await definitionOf(kube, manifest.object, signal)
  if (!definition) return []
  const known = new Set(errors.map(({ field }) => JSON.stringify(pathIn(manifest.object, field))))
  const unknown = await unknownFields(manifest, definition)
  return unknown.filter(({ path }) => !known.has(JSON.stringify(path))).map(({ line }) => line)
}

/** The CustomResourceDefinition of an object's kind; undefined where there is none or it may not be looked at. */
async function definitionOf(kube: Kube, object: KubeObject, signal: AbortSignal): Promise<KubeObject | undefined> {
  if (!groupOf(object).includes('.')) return undefined
  const kind = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' }
  const all = await kube.list(kind, signal).catch(() => [])
  signal.throwIfAborted()
  return all.find((one) =>
    servedVersions(one).some(({ apiVersion, kind: name }) => apiVersion === object.apiVersion && name === object.kind),
  )
}

async function fieldLine(kube: Kube, manifest: Manifest, { field, said }: FieldError, signal: AbortSignal): Promise<string> {
  const { object } = manifest
  const path = pathIn(object, field)
  const at = `${placeOfField(manifest, field)}: ${nameOf(object)}${field ? `: ${field.replace(/^\./, '')}` : ''}`
  if (said !== notInSchema) return `${at}: ${said.replace(/\.$/, '')}`
  const parents = path.slice(0, -1).filter((key) => typeof key === 'string')
  const known = await kube.fieldsAt(object.apiVersion, object.kind, parents, signal)
  const better = nearest(String(path.at(-1) ?? ''), known)
  return `${at}: unknown field${better ? `; did you mean '${better}'?` : ''}`
}

function placeOfField({ object, origin }: Manifest, field: string): string {
  const line = field ? origin.lineAt?.(pathIn(object, field)) : undefined
  return placeOf(line === undefined ? origin : { file: origin.file, line })
}

/** The keys that a field's name stands for in the object: `.a.b[name="x"].c` is a, b, the index of x, c. Names may have dots in them. */
export function pathIn(object: unknown, field: string): readonly (string | number)[] {
  const path: (string | number)[] = []
  let rest = field.replace(/^\./, '')
  let at: unknown = object
  while (rest !== '') {
    const bracket = /^\[([^\]]*)\]\.?/.exec(rest)
    if (bracket) {
      const index = indexIn(at, bracket[1] ?? '')
      path.push(index)
      at = (at as Readonly<Record<string | number, unknown>> | undefined | null)?.[index]
      rest = rest.slice(bracket[0].length)
      continue
    }
    const keys = typeof at === 'object' && at !== null ? Object.keys(at) : []
    const key =
      keys
        .filter((one) => rest === one || rest.startsWith(`${one}.`) || rest.startsWith(`${one}[`))
        .sort((a, b) => b.length - a.length)[0] ??
      /^[^.[]+/.exec(rest)?.[0] ??
      rest
    path.push(key)
    at = (at as Record<string, unknown> | undefined | null)?.[key]
    rest = rest.slice(key.length).replace(/^\./, '')
  }
  return path
}

/** `0`, or `name="x",port=80`: the item of a list, or the key of a map. */
function indexIn(list: unknown, text: string): string | number {
  if (/^\d+$/.test(text)) return Number(text)
  const wanted = [...text.matchAll(/(\w+)=("(?:[^"\\]|\\.)*"|[^,]+)/g)].map(
    ([, key = '', value = '']) => [key, value.replace(/^"|"$/g, '')] as const,
  )
  if (wanted.length === 0) return text
  if (!Array.isArray(list)) return 0
  const items = list as readonly (Readonly<Record<string, unknown>> | null)[]
  // the server fills in what the manifest leaves out, such as a port's protocol
  return Math.max(
    0,
    items.findIndex((item) => wanted.every(([key, value]) => item?.[key] === undefined || String(item[key]) === value)),
  )
}

async function silentWebhook(
  kube: Kube,
  { object, origin }: Manifest,
  failure: ApiFailure,
  signal: AbortSignal,
): Promise<DevkitError> {
  const webhook = webhookOf(failure)?.name ?? ''
  const configuration = await configurationOf(kube, webhook, signal)
  const why = failure.message.split(/failed calling webhook "[^"]+": /)[1] ?? failure.message
  const of = configuration ? ` of ${configuration.object}` : ''
  const where = configuration?.service ? `Look at the pods of Service ${configuration.service}` : 'Start what it leads to'
  const away = configuration && `, or remove it: \`kubectl delete ${configuration.object.toLowerCase()}\``
  return new DevkitError('APPLY-106', {
    message: `${placeOf(origin)}: ${nameOf(object)}: the webhook ${webhook}${of}, which has to agree, does not answer: ${ended(why)}`,
    hint: `${where}${away ?? ''}.`,
    object: nameOf(object),
    cause: failure,
  })
}

async function unknownKind(
  kube: Kube,
  { object, origin }: Manifest,
  cause: ApiFailure,
  signal: AbortSignal,
): Promise<DevkitError> {
  const known = (await kube.kinds(signal).catch(() => [])).map((name) => {
    const slash = name.lastIndexOf('/')
    return { apiVersion: name.slice(0, slash), kind: name.slice(slash + 1) }
  })
  signal.throwIfAborted()
  const elsewhere = known.filter(({ kind }) => kind === object.kind).map(({ apiVersion }) => apiVersion)
  const better = nearest(
    object.kind,
    known.filter(({ apiVersion }) => apiVersion === object.apiVersion).map(({ kind }) => kind),
  )
  return new DevkitError('APPLY-103', {
    message: `${placeOf(origin)}: the cluster does not know ${object.kind} in ${object.apiVersion}.`,
    hint:
      elsewhere.length > 0
        ? `Write apiVersion: ${elsewhere[0]}.`
        : better
          ? `Did you mean ${better}?`
          : 'Correct apiVersion and kind, or add the CRD to the manifests.',
    object: nameOf(object as KubeObject),
    cause,
  })
}
