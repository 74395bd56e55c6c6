/** The part of a JSON Schema that the tables are made from. */
interface Schema {
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Schema | boolean
  readonly items?: Schema
  readonly description?: string
  readonly default?: unknown
}

/** A table for every place of the config that has names, the outer before the inner. `NAME` is one of your choice, `[]` each of a list. */
export function configTables(schema: object): string {
  return [...tablesOf(schema as Schema, '', new Map())].join('')
}

/** `told`: what has its tables already → where. */
function* tablesOf(schema: Schema, path: string, told: Map<string, string>): Generator<string> {
  const objects = variantsOf(schema).filter(({ properties }) => properties)
  if (objects.length > 0) {
    yield `\n## ${path === '' ? 'The config' : `\`${path}\``}\n\n`
    const same = JSON.stringify(objects)
    const earlier = told.get(same)
    if (earlier !== undefined) {
      yield `As \`${earlier}\`.\n`
      return
    }
    told.set(same, path)
    const rows = objects.flatMap(({ properties = {}, required = [] }) =>
      Object.entries(properties).map(([name, value]) => row(name, value, required.includes(name))),
    )
    yield `| Name | Value | Meaning |\n| --- | --- | --- |\n${rows.join('\n')}\n`
  }
  for (const { properties = {}, items, additionalProperties } of variantsOf(schema)) {
    for (const [name, value] of Object.entries(properties)) yield* tablesOf(value, path === '' ? name : `${path}.${name}`, told)
    if (items) yield* tablesOf(items, `${path}[]`, told)
    if (typeof additionalProperties === 'object') yield* tablesOf(additionalProperties, `${path}.NAME`, told)
  }
}

function row(name: string, value: Schema, isRequired: boolean): string {
  const preset =
    value.default === undefined || isEmpty(value.default)
      ? ''
      : `; default \`${JSON.stringify(value.default).replaceAll('"', '')}\``
  const cells = [`\`${name}\``, `${wordsFor(value)}${isRequired ? ', required' : ''}${preset}`, value.description ?? '']
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

/** So many names of an object are told in the row that has it; its own table has all. */
const mostNames = 6

/** What a value may be, in words. */
function wordsFor(schema: Schema): string {
  const { type, items, additionalProperties, properties } = schema
  if (schema.enum) return schema.enum.map((one) => `\`${one}\``).join(', ')
  if (schema.const !== undefined) return `\`${schema.const}\``
  if (schema.anyOf) return [...new Set(schema.anyOf.map(wordsFor))].join(' or ')
  if (items) return `list of ${wordsFor(items)}`
  const names = Object.keys(properties ?? {})
  if (properties) return `{ ${names.slice(0, mostNames).join(', ')}${names.length > mostNames ? ', …' : ''} }`
  if (typeof additionalProperties === 'object') return `names → ${wordsFor(additionalProperties)}`
  return (
    { string: 'text', number: 'number', integer: 'number', boolean: '`true`, `false`', object: 'any object', null: '`null`' }[
      type ?? ''
    ] ?? 'anything'
  )
}

function variantsOf(schema: Schema): readonly Schema[] {
  return schema.anyOf?.flatMap(variantsOf) ?? [schema]
}
