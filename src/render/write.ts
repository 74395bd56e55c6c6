import { meaningOf } from './yaml.ts'

/**
 * An object as YAML that kubectl reads as the same object. Ends with a line break. Not by the `yaml` package: it writes texts such as `yes` and
 * `1_000` without quotes, which kubectl takes for something else, and takes as long for 1,000 objects as all the rest of `render`.
 */
export function yamlOf(object: object): string {
  return `${after(object, '').slice(1)}\n`
}

/** What stands after a key, with the space or the line break before it. `indent` is that of what is in it. */
function after(value: unknown, indent: string): string {
  if (Array.isArray(value) && value.length > 0)
    // an item begins on the line of its dash
    return value.map((item) => `\n${indent}- ${after(item, `${indent}  `).trimStart()}`).join('')
  const fields = typeof value === 'object' && value !== null ? Object.entries(value) : []
  const written = fields.filter(([, inner]) => inner !== undefined)
  if (written.length > 0) return written.map(([key, inner]) => `\n${indent}${word(key)}:${after(inner, `${indent}  `)}`).join('')
  return ` ${typeof value === 'string' ? textOf(value, indent) : isLong(value) ? BigInt(value) : (JSON.stringify(value) ?? 'null')}`
}

/** A whole number that JavaScript would write with zeros in place of its last digits. */
function isLong(value: unknown): value is number {
  return Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(Number(value)) < 1e21
}

/** What has to be escaped in YAML, or would end a line. */
const strange = /(?![\n\t])[\p{Cc}\p{Cs}\u2028\u2029\ufeff\ufffe\uffff]/u

/** Lines that need no escapes stand as they are. What begins with space would take its own indentation for that of the block. */
function textOf(text: string, indent: string): string {
  if (!/^\S.*\n/.test(text) || text.endsWith('\n\n') || strange.test(text)) return word(text)
  const lines = text.replace(/\n$/, '').replace(/\n(?!\n)/g, `\n${indent}`)
  return `|${text.endsWith('\n') ? '' : '-'}\n${indent}${lines}`
}

/** Plain where YAML takes it for this text and for nothing else: a text that reads as a number or as a YAML 1.1 boolean is quoted. */
function word(text: string): string {
  const isPlain = /^[\w./$(+-][ -~]*$/.test(text) && !/^(-( |-?$|--)|\.\.\.|\d{4}-\d)|: |:$| #| $/.test(text)
  return isPlain && meaningOf(text) === text ? text : quoted(text)
}

/** A text of JSON, with what only YAML wants escaped. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(
    new RegExp(strange, 'gu'),
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
