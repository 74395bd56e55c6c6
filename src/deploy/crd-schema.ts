import type { Ajv, ErrorObject } from 'ajv'
import { DevkitError } from '../lib/errors.ts'
import { nearest } from '../lib/nearest.ts'
import { type KubeObject, type Manifest, nameOf, placeOf } from '../lib/objects.ts'

/** What the schemas of kinds that come in the same run say of the objects of these kinds. */
export interface SchemaVerdict {
  /** One for each object that is wrong: APPLY-101. */
  readonly problems: readonly DevkitError[]
  /** What of the check is left to the apply, in words, one for each kind. */
  readonly unchecked: readonly string[]
}

/**
 * Checks objects whose kinds the server does not have yet by the schemas of `definitions`, as the server will: with their defaults laid in, and
 * unknown fields as errors. Objects of other kinds are passed over. Loads ajv when there is one to check.
 */
export async function checkBySchema(manifests: readonly Manifest[], definitions: readonly KubeObject[]): Promise<SchemaVerdict> {
  const found = definitions.flatMap((definition) => {
    const versions = servedVersions(definition)
    return versions.map((version) => ({ definition, version, of: manifests.filter(({ object }) => isOf(object, version)) }))
  })
  const checked = found.filter(({ of }) => of.length > 0)
  if (checked.length === 0) return { problems: [], unchecked: [] }
  const ajv = await loadAjv()
  const verdicts = checked.map(({ definition, version, of }) => verdictOf(ajv, of, { definition, version }))
  return {
    problems: verdicts.flatMap(({ problems }) => problems),
    unchecked: verdicts.flatMap(({ unchecked }) => unchecked),
  }
}

/** A field that a schema does not have, and what is said of it. */
export interface UnknownField {
  readonly path: readonly (string | number)[]
  readonly line: string
}

/** Every field of an object that the schema of its kind does not have. None where `definition` is of another kind. */
export async function unknownFields(manifest: Manifest, definition: KubeObject): Promise<readonly UnknownField[]> {
  const version = servedVersions(definition).find((one) => isOf(manifest.object, one))
  if (!version) return []
  const validate = readerOf(await loadAjv(), version, new Set())
  if (validate(structuredClone(manifest.object))) return []
  const unknown = told(validate.errors ?? []).filter(({ keyword }) => keyword === 'additionalProperties')
  return unknown.map((error) => ({ path: pathTo(error, manifest.object), line: lineOf(manifest, error) }))
}

async function loadAjv(): Promise<Ajv> {
  const { Ajv } = await import('ajv')
  return new Ajv({ allErrors: true, verbose: true, strict: false, useDefaults: true, validateFormats: false, logger: false })
}

interface Version {
  readonly apiVersion: string
  readonly kind: string
  readonly schema: Structural | undefined
}

interface DefinitionSpec {
  readonly group?: string
  readonly names?: { readonly kind?: string }
  readonly versions?: readonly {
    readonly name: string
    readonly served?: boolean
    readonly schema?: { readonly openAPIV3Schema?: Structural }
  }[]
}

/** The kinds that a CustomResourceDefinition brings, with the schema of each. */
export function servedVersions({ kind, ...object }: KubeObject): readonly Version[] {
  if (kind !== 'CustomResourceDefinition') return []
  const { group, names, versions } = (object['spec'] ?? {}) as DefinitionSpec
  return (versions ?? [])
    .filter(({ served }) => served !== false)
    .map(({ name, schema }) => ({
      apiVersion: `${group}/${name}`,
      kind: names?.kind ?? '',
      schema: schema?.openAPIV3Schema,
    }))
}

function isOf(object: KubeObject, { apiVersion, kind }: Version): boolean {
  return object.apiVersion === apiVersion && object.kind === kind
}

function verdictOf(
  ajv: Ajv,
  manifests: readonly Manifest[],
  { definition, version }: { readonly definition: KubeObject; readonly version: Version },
): SchemaVerdict {
  const left = new Set<string>()
  const validate = readerOf(ajv, version, left)
  const problems = manifests.flatMap((manifest) => {
    // defaults are laid into what is checked
    if (validate(structuredClone(manifest.object))) return []
    return problemOf(manifest, definition, told(validate.errors ?? []))
  })
  const names = manifests.map(({ object }) => nameOf(object)).join(', ')
  const without = ['admission', ...left].join(', ')
  return { problems, unchecked: [`${names}: checked by the schema of ${nameOf(definition)}, without ${without}`] }
}

function readerOf(ajv: Ajv, { schema = anything }: Version, left: Set<string>) {
  return compiled(ajv, asJsonSchema(schema, { isObject: true, closes: true, left }), left)
}

function compiled(ajv: Ajv, schema: JsonSchema, left: Set<string>) {
  try {
    return ajv.compile(schema)
  } catch {
    // the server, which is asked about the definition itself, says what is wrong with it
    left.add('its schema, which cannot be read')
    return ajv.compile({})
  }
}

/** @see https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema */
interface Structural {
  readonly type?: string
  readonly nullable?: boolean
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly pattern?: string
  readonly format?: string
  readonly required?: readonly string[]
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: boolean
  readonly exclusiveMaximum?: boolean
  readonly properties?: Readonly<Record<string, Structural>>
  readonly additionalProperties?: boolean | Structural
  readonly items?: Structural
  readonly allOf?: readonly Structural[]
  readonly anyOf?: readonly Structural[]
  readonly oneOf?: readonly Structural[]
  readonly not?: Structural
  readonly 'x-kubernetes-int-or-string'?: boolean
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean
  readonly 'x-kubernetes-embedded-resource'?: boolean
  readonly 'x-kubernetes-list-type'?: string
  readonly 'x-kubernetes-validations'?: readonly unknown[]
}

type JsonSchema = Readonly<Record<string, unknown>>

const anything: Structural = { 'x-kubernetes-preserve-unknown-fields': true }

interface Reading {
  /** Whether it is of a whole object, with `apiVersion`, `kind` and `metadata`. */
  readonly isObject: boolean
  /** Whether fields that it does not name are unknown: not so within `allOf`, `not` and their like. */
  readonly closes: boolean
  /** Gets what cannot be checked. */
  readonly left: Set<string>
}

/** Values that mean the same in both, word for word. */
const sameWords = ['minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties', 'multipleOf', 'default']

/** The JSON Schema that accepts what the API server accepts by a structural schema. */
function asJsonSchema(schema: Structural, { isObject, closes, left }: Reading): JsonSchema {
  const inner = (one: Structural): JsonSchema =>
    asJsonSchema(one, { isObject: closes && one['x-kubernetes-embedded-resource'] === true, closes, left })
  const open = (one: Structural): JsonSchema => asJsonSchema(one, { isObject: false, closes: false, left })
  noteUnchecked(schema, left)
  // a null is taken out where a default comes in
  const isNullable = schema.nullable === true || schema.default !== undefined
  const types = schema['x-kubernetes-int-or-string'] ? ['integer', 'string'] : schema.type === undefined ? [] : [schema.type]
  const words = sameWords.filter((word) => word in schema).map((word) => [word, schema[word as keyof Structural]])
  return {
    ...Object.fromEntries(words),
    ...bounds(schema),
    ...(types.length > 0 && { type: isNullable ? [...types, 'null'] : types }),
    ...(schema.enum && { enum: isNullable ? [...schema.enum, null] : schema.enum }),
    ...(schema.pattern !== undefined && isPattern(schema.pattern) && { pattern: schema.pattern }),
    ...(schema['x-kubernetes-list-type'] === 'set' && { uniqueItems: true }),
    ...(schema.items && { items: inner(schema.items) }),
    ...fields(schema, { isObject, closes, inner }),
    ...(schema.allOf && { allOf: schema.allOf.map(open) }),
    ...(schema.anyOf && { anyOf: schema.anyOf.map(open) }),
    ...(schema.oneOf && { oneOf: schema.oneOf.map(open) }),
    ...(schema.not && { not: open(schema.not) }),
  }
}

function noteUnchecked(schema: Structural, left: Set<string>): void {
  if (schema['x-kubernetes-validations']?.length) left.add('rules (x-kubernetes-validations)')
  if (schema['x-kubernetes-list-type'] === 'map') left.add('keys of lists')
  if (schema.format !== undefined && !/^(u?int|float|double)/.test(schema.format)) left.add(`the format ${schema.format}`)
  if (schema.pattern !== undefined && !isPattern(schema.pattern)) left.add(`the pattern ${schema.pattern}`)
}

/** What Go's expressions have and these have not (`(?i)`, `[[:alpha:]]`, `\z`) is an error here, not another meaning. */
function isPattern(pattern: string): boolean {
  try {
    return new RegExp(pattern, 'u').source !== ''
  } catch {
    return false
  }
}

function bounds({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Structural): JsonSchema {
  return {
    ...(minimum !== undefined && { [exclusiveMinimum ? 'exclusiveMinimum' : 'minimum']: minimum }),
    ...(maximum !== undefined && { [exclusiveMaximum ? 'exclusiveMaximum' : 'maximum']: maximum }),
  }
}

/** @see https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/ */
const metadataFields = [
  ...['name', 'generateName', 'namespace', 'labels', 'annotations', 'finalizers', 'ownerReferences', 'managedFields'],
  ...['selfLink', 'uid', 'resourceVersion', 'generation', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'],
]
const texts = { type: ['object', 'null'], additionalProperties: { type: 'string' } }
const ofEveryObject = {
  apiVersion: { type: 'string' },
  kind: { type: 'string' },
  metadata: {
    type: 'object',
    properties: { ...Object.fromEntries(metadataFields.map((name) => [name, {}])), labels: texts, annotations: texts },
    additionalProperties: false,
  },
}

function fields(
  schema: Structural,
  { isObject, closes, inner }: Pick<Reading, 'isObject' | 'closes'> & { readonly inner: (schema: Structural) => JsonSchema },
): JsonSchema {
  const { properties: named, additionalProperties: more } = schema
  const required = [...(schema.required ?? []), ...(isObject ? ['apiVersion', 'kind'] : [])]
  const own = Object.entries(named ?? {}).map(([name, one]): [string, JsonSchema] => [name, inner(one)])
  const isClosed = closes && named !== undefined && more === undefined && !schema['x-kubernetes-preserve-unknown-fields']
  return {
    ...(required.length > 0 && { required }),
    properties: { ...Object.fromEntries(own), ...(isObject && ofEveryObject) },
    ...(typeof more === 'object' && { additionalProperties: inner(more) }),
    ...(isClosed && { additionalProperties: false }),
  }
}

/** Without what each branch of a choice says: that none of them fits is said once. */
function told(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  return errors.filter(({ schemaPath }) => !/\/(anyOf|oneOf)\/\d+\//.test(schemaPath))
}

function problemOf(manifest: Manifest, definition: KubeObject, errors: readonly ErrorObject[]): DevkitError {
  const { object } = manifest
  const lines = errors.map((error) => lineOf(manifest, error))
  return new DevkitError('APPLY-101', {
    message: lines.join('\n').replace(/(?<![.?!])$/, '.'),
    hint: `Correct the manifest, or the schema in ${nameOf(definition)}.`,
    object: nameOf(object),
  })
}

function lineOf({ object, origin }: Manifest, error: ErrorObject): string {
  const path = pathTo(error, object)
  const line = origin.lineAt?.(path) ?? origin.lineAt?.(path.slice(0, -1)) ?? origin.line
  const field = path.map((key, index) => (typeof key === 'number' ? `[${key}]` : index === 0 ? key : `.${key}`)).join('')
  return `${placeOf({ ...origin, line })}: ${nameOf(object)}${field && `: ${field}`}: ${saidBy(error)}`
}

/** The keys of the field that an error is about. */
function pathTo(error: ErrorObject, object: KubeObject): readonly (string | number)[] {
  return [...pathOf(error.instancePath, object), ...fieldOf(error)]
}

/** The keys of a JSON pointer; those of lists are numbers. */
function pathOf(pointer: string, object: unknown): readonly (string | number)[] {
  let at = object
  return pointer
    .split('/')
    .slice(1)
    .map((part) => {
      const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
      const isItem = Array.isArray(at)
      at = (at as Readonly<Record<string, unknown>> | undefined)?.[key]
      return isItem ? Number(key) : key
    })
}

/** The field that an error is about, where it is not the one it stands at. */
function fieldOf({ params }: ErrorObject): readonly string[] {
  const { additionalProperty, missingProperty } = params as Readonly<Record<string, string | undefined>>
  const name = additionalProperty ?? missingProperty
  return name === undefined ? [] : [name]
}

function saidBy({ keyword, message, params, parentSchema }: ErrorObject): string {
  if (keyword === 'required') return 'required, and missing'
  if (keyword === 'enum') return `must be one of ${(params['allowedValues'] as readonly unknown[]).join(', ')}`
  if (keyword !== 'additionalProperties') return message ?? `does not fit (${keyword})`
  const known = Object.keys((parentSchema?.['properties'] ?? {}) as object)
  const better = nearest(String(params['additionalProperty']), known)
  return `unknown field${better ? `; did you mean '${better}'?` : ''}`
}
