import * as v from 'valibot'
import { described, has, oneOf, record, text } from './words.ts'

/** As Kubernetes takes it for a key of a Secret. https://kubernetes.io/docs/concepts/configuration/secret/#restriction-names-data */
const key = v.pipe(v.string(), v.regex(/^[-._a-zA-Z0-9]{1,253}$/, 'letters, digits, dashes, dots and underscores'))

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names */
const objectName = v.pipe(
  v.string(),
  v.regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, 'lower-case letters, digits, dashes and dots'),
)

const dotenvSource = v.strictObject({
  dotenv: described('A file of `NAME=value` lines, relative to the config file; one that is not there is empty.', text),
})
const environmentSource = v.strictObject({
  environment: described(
    "Variables of devkit's own environment.",
    v.strictObject({
      prefix: described('What the names of the variables begin with, and those of the values do not.', v.optional(text)),
    }),
  ),
})
const source = oneOf([dotenvSource, environmentSource], (input) => (has(input, 'environment') ? environmentSource : dotenvSource))

const valueType = v.picklist(['string', 'number', 'boolean', 'url', 'json', 'pem', 'base64', 'file'])

const keySpec = v.strictObject({
  type: described(
    'What the value has to be; default: string. Of `base64` the Secret gets the bytes, of `file` the content of the file that the value names.',
    v.optional(valueType),
  ),
  variable: described('Name of the value in its sources; default: that of the key.', v.optional(text)),
  generate: described(
    'So many letters and digits are made up where no source has a value: once, they stay while the Secret is in the cluster.',
    v.optional(v.pipe(v.number(), v.integer('a whole number'), v.minValue(1, '1 or more'), v.maxValue(4096, '4096 at most'))),
  ),
  optional: described('Whether the Secret may lack the key; default: no.', v.optional(v.boolean())),
})

const keyWord = oneOf([valueType, keySpec], (input) => (typeof input === 'string' ? valueType : keySpec))

const secretSpec = v.strictObject({
  from: described(
    'Where values are looked for, the last that has one wins; default: the file `.env`.',
    v.optional(v.pipe(v.array(source), v.minLength(1, 'at least one source'))),
  ),
  type: described('Type of the Secret, such as `kubernetes.io/tls`.', v.optional(text)),
  keys: described(
    'What it holds: a type by each key, or more than a type; default: everything that the sources list.',
    v.optional(record(key, keyWord)),
  ),
})

/** Secrets by their names. */
export const secretsSchema = record(objectName, secretSpec)

export type Secrets = v.InferOutput<typeof secretsSchema>
export type SecretSpec = v.InferOutput<typeof secretSpec>
export type SecretKey = v.InferOutput<typeof keySpec>
export type SecretType = v.InferOutput<typeof valueType>
export type SecretSource = v.InferOutput<typeof dotenvSource> | v.InferOutput<typeof environmentSource>

/** Every value of `over` that is there, else that of `under`: Secrets one by one, keys one by one; its sources come after, so they win. */
export function overlaySecrets(under: Secrets = {}, over: Secrets = {}): Secrets {
  const laid = Object.entries(over).map(([name, secret]): [string, SecretSpec] => {
    const below = under[name]
    const from = [...(below?.from ?? []), ...(secret.from ?? [])]
    const keys = { ...below?.keys, ...secret.keys }
    return [
      name,
      {
        ...below,
        ...secret,
        ...(from.length > 0 ? { from } : {}),
        ...(below?.keys || secret.keys ? { keys } : {}),
      },
    ]
  })
  return { ...under, ...Object.fromEntries(laid) }
}
