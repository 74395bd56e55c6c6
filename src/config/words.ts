import * as v from 'valibot'

/** What several parts of the config language are made of. */

/** A value with the sentence that docs and editors show for it. */
export function described<const Schema extends v.GenericSchema, const Text extends string>(text: Text, schema: Schema) {
  return v.pipe(schema, v.description<v.InferOutput<Schema>, Text>(text))
}

/**
 * One of several schemas, the one that a value is meant for: a value that fits none is told what is wrong with that one. A union would tell what
 * is wrong with all.
 */
export function oneOf<const Options extends v.GenericSchema[]>(
  options: Options,
  choose: (input: unknown) => v.GenericSchema,
): v.UnionSchema<Options, undefined> {
  return { ...v.union(options), '~run': (dataset, config) => choose(dataset.value)['~run'](dataset, config) as never }
}

/** Names of one's choice and what they have. No list, which JavaScript takes for one; no name that JavaScript keeps for itself, which a record would leave out. */
export function record<const Key extends v.GenericSchema<string, string | number | symbol>, const Value extends v.GenericSchema>(
  key: Key,
  value: Value,
): v.RecordSchema<Key, Value, undefined> {
  const schema = v.record(key, value)
  return {
    ...schema,
    '~run': (dataset, config) => {
      const input = dataset.value
      const own = ['__proto__', 'prototype', 'constructor'].find((name) => isObject(input) && Object.hasOwn(input, name))
      const wrong = Array.isArray(input)
        ? 'expected names and values'
        : own === undefined
          ? undefined
          : `'${own}' cannot be a name`
      return wrong === undefined ? schema['~run'](dataset, config) : (v.never(wrong)['~run'](dataset, config) as never)
    },
  }
}

/** Whether a value is an object with such a name. */
export function has(input: unknown, name: string): boolean {
  return isObject(input) && name in input
}

function isObject(input: unknown): input is object {
  return typeof input === 'object' && input !== null
}

/** A DNS label, as namespaces and cluster names need it. https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names */
export const label = (longest: number) =>
  v.pipe(
    v.string(),
    v.maxLength(longest, `at most ${longest} characters`),
    v.regex(/^[a-z]([a-z0-9-]*[a-z0-9])?$/, 'lower-case letters, digits and dashes, beginning with a letter'),
  )

export const text = v.pipe(v.string(), v.minLength(1, 'some text'))
export const texts = v.array(text)
export const portNumber = v.pipe(
  v.number(),
  v.integer('a whole number'),
  v.minValue(1, 'a port from 1 to 65535'),
  v.maxValue(65_535, 'a port from 1 to 65535'),
)
export const names = record(text, v.string())
export const count = v.pipe(v.number(), v.integer('a whole number'), v.minValue(0, '0 or more'))
