import type { Event, ScalarEvent } from 'js-yaml'

/**
 * YAML and JSON as kubectl reads them. The grammar is js-yaml's; what plain words mean, how documents are told apart and how `<<` merges
 * is that of sigs.k8s.io/yaml, which is go-yaml 2 and therefore YAML 1.1 with exceptions. Duplicate keys, which kubectl drops, are problems.
 */
export interface YamlFile {
  readonly documents: readonly YamlDocument[]
  readonly problems: readonly YamlProblem[]
}

/** A document that holds more than comments. Lines count from 1. */
export interface YamlDocument {
  readonly value: unknown
  readonly line: number
  /** Where a field is written (a merged one: where it is merged from); undefined for what is not there. */
  readonly lineAt: (path: readonly (string | number)[]) => number | undefined
  /** Line of a whole number that a double cannot hold: it would be written as another. */
  readonly inexact: number | undefined
}

export interface YamlProblem {
  readonly line: number
  /** Without a full stop. */
  readonly message: string
}

/** Reads a whole file. Never throws for what is in it. */
export async function readYaml(bytes: Uint8Array): Promise<YamlFile> {
  const grammar = await import('js-yaml')
  const documents: YamlDocument[] = []
  const problems: YamlProblem[] = []
  const text = textOf(bytes)
  if (text === undefined)
    return { documents, problems: [{ line: lineNotUtf8(bytes), message: 'not UTF-8: save it in that encoding' }] }
  for (const chunk of chunksOf(text)) {
    try {
      const parsed = parse(chunk, grammar)
      if (parsed && parsed.root.value !== null) documents.push(documentOf(parsed, chunk, grammar))
    } catch (thrown) {
      if (!(thrown instanceof Wrong)) throw thrown
      problems.push({ line: chunk.line + thrown.line, message: thrown.message })
    }
  }
  return { documents, problems }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** UTF-8 unless a byte order mark says otherwise; undefined where it is neither. */
function textOf(bytes: Uint8Array): string | undefined {
  const mark = `${bytes[0]},${bytes[1]}`
  if (mark === '255,254' || mark === '254,255') return new TextDecoder(mark === '255,254' ? 'utf-16le' : 'utf-16be').decode(bytes)
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

function lineNotUtf8(bytes: Uint8Array): number {
  for (let [line, start] = [1, 0]; ; line++) {
    const end = bytes.indexOf(0x0a, start)
    if (end < 0 || textOf(bytes.subarray(start, end)) === undefined) return line
    start = end + 1
  }
}

/** The text of one document, and the line before its first. */
interface Chunk {
  readonly text: string
  readonly line: number
  /** What stands behind the `---` above it. */
  readonly behind: string
}

/** kubectl parts a file at lines that begin with `---`, whatever they are part of, before it reads any YAML. */
function* chunksOf(text: string): Generator<Chunk> {
  const dashes = '\n---'
  let [start, line, behind] = [0, 1, '']
  for (;;) {
    const end = text.indexOf(dashes, start === 0 ? 0 : start - 1)
    const chunk = { text: text.slice(start, end < 0 ? undefined : end + 1), line, behind }
    yield* jsonStream(chunk)
    if (end < 0) return
    const next = text.indexOf('\n', end + dashes.length)
    behind = text.slice(end + dashes.length, next < 0 ? undefined : next).trim()
    line += lineIn(chunk.text, chunk.text.length) + 1
    start = next < 0 ? text.length : next + 1
  }
}

/** JSON documents may follow each other with nothing in between. */
function* jsonStream(chunk: Chunk): Generator<Chunk> {
  const { text } = chunk
  if (!/^\s*\{/.test(text)) return yield chunk
  const ends: number[] = []
  let depth = 0
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}]/gs)) {
    if (token === '{') depth++
    else if (token === '}' && --depth === 0) ends.push(index + 1)
  }
  const starts = [0, ...ends.slice(0, -1)]
  const parts = ends.map((end, index) => text.slice(starts[index], end))
  // what only looks like it, e.g. by a brace in single quotes, is one document
  if (ends.length < 2 || !parts.every(isJson)) return yield chunk
  for (const [index, part] of parts.entries())
    yield { text: part, line: chunk.line + lineIn(text, starts[index] ?? 0), behind: index === 0 ? chunk.behind : '' }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function documentOf(parsed: Parsed, chunk: Chunk, grammar: Grammar): YamlDocument {
  const { root, inexact, lineOf } = parsed
  // where fields are is asked for seldom: it is found again rather than kept
  let kept = new WeakRef(parsed)
  return {
    value: root.value,
    line: chunk.line + lineOf(root.at),
    inexact: inexact === undefined ? undefined : chunk.line + lineOf(inexact),
    lineAt: (path) => {
      const again = kept.deref() ?? (parse(chunk, grammar) as Parsed)
      kept = new WeakRef(again)
      let found = { node: again.root, at: again.root.at }
      for (const key of path) {
        const child = found.node.children?.get(String(key))
        if (!child) return undefined
        found = child
      }
      return chunk.line + again.lineOf(found.at)
    },
  }
}

/** Line breaks before an offset. */
function lineIn(text: string, offset: number): number {
  let count = 0
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) count++
  return count
}

/** The same for many offsets of a long text. */
function linesIn(text: string): (offset: number) => number {
  let breaks: number[] | undefined
  return (offset) => {
    breaks ??= Array.from(text.matchAll(/\n/g), ({ index }) => index)
    let [low, high] = [0, breaks.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((breaks[middle] ?? 0) < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}

type Grammar = Pick<typeof import('js-yaml'), 'parseEvents' | 'getScalarValue' | 'YAMLException'>

interface Parsed {
  readonly root: Node
  /** The line of an offset, counted from the first of the chunk, which is 0. */
  readonly lineOf: (at: number) => number
  readonly inexact: number | undefined
}

/** What a document is made of. `at` is where it is written. */
interface Node {
  readonly value: unknown
  readonly at: number
  /** By key or index; the offset is that of the key. */
  readonly children?: Map<string, { readonly at: number; readonly node: Node; readonly isMerged?: boolean }>
  /** How many nodes it is with all aliases followed. */
  readonly size: number
}

/** Not YAML, or not what kubectl takes. */
class Wrong extends Error {
  /** Counted from the first of the chunk, which is 0. */
  readonly line: number
  constructor(message: string, line: number) {
    super(message)
    this.line = line
  }
}

/** Undefined where there is nothing but comments. @throws Wrong */
function parse(chunk: Chunk, grammar: Grammar): Parsed | undefined {
  if (/^[^#]/.test(chunk.behind)) throw new Wrong('only a comment may stand behind ---: kubectl does not take more', -1)
  const { text, events } = eventsOf(chunk.text, grammar)
  return new Composer(text, events, grammar).document()
}

/**
 * Lines inside brackets and quotes may begin anywhere for kubectl, `]` below its key for example; js-yaml, as YAML has it, wants them deeper
 * than what they belong to. Such lines are moved to the right, which changes no value and no line.
 */
function eventsOf(given: string, { parseEvents, YAMLException }: Grammar): { readonly text: string; readonly events: Event[] } {
  for (let text = given; ; ) {
    try {
      return { text, events: parseEvents(text, {}) }
    } catch (thrown) {
      if (!(thrown instanceof YAMLException)) throw thrown
      const at = thrown.mark?.position ?? 0
      const moved = thrown.reason === 'deficient indentation' ? movedRight(text, at) : text
      if (moved === text) throw new Wrong(thrown.reason, thrown.mark?.line ?? 0)
      text = moved
    }
  }
}

/** Deeper than anything that is written by hand. */
const farRight = ' '.repeat(200)

function movedRight(text: string, at: number): string {
  const [space = ''] = /[ \t\r\n]*$/.exec(text.slice(0, at)) ?? []
  const start = text.lastIndexOf('\n', at - 1) + 1
  const before = text.slice(0, at - space.length)
  if (!space.includes('\n')) return before + ' '.repeat(space.length) + text.slice(at)
  return text.startsWith(farRight, start) ? text : text.slice(0, start) + farRight + text.slice(at)
}

/** So many nodes a document may have with all aliases followed: more is a bomb. */
const mostNodes = 1_000_000

/** Makes the values of one document from the events of the parser. */
class Composer {
  readonly #text: string
  readonly #events: readonly Event[]
  readonly #grammar: Grammar
  readonly #anchors = new Map<string, Node>()
  #next = 0
  #inexact: number | undefined

  constructor(text: string, events: readonly Event[], grammar: Grammar) {
    this.#text = text
    this.#events = events
    this.#grammar = grammar
  }

  document(): Parsed | undefined {
    if (this.#events.length === 0) return undefined
    this.#next++
    const root = this.#node()
    this.#next++
    if (this.#next < this.#events.length)
      throw this.#wrong('kubectl does not read what follows ...: begin a document with ---', this.#startOf(this.#next + 1))
    return { root, lineOf: linesIn(this.#text), inexact: this.#inexact }
  }

  #wrong(message: string, at: number): Wrong {
    return new Wrong(message, lineIn(this.#text, at))
  }

  #node(): Node {
    const event = this.#events[this.#next++]
    switch (event?.type) {
      case ids.scalar:
        return this.#named(event, { ...this.#scalar(event), size: 1 })
      case ids.sequence:
        return this.#named(event, this.#sequence(event.start))
      case ids.mapping:
        return this.#named(event, this.#mapping(event.start))
      case ids.alias: {
        const name = this.#text.slice(event.anchorStart, event.anchorEnd)
        const found = this.#anchors.get(name)
        if (!found) throw this.#wrong(`no anchor ${name} is defined before`, event.anchorStart)
        return found
      }
      default:
        throw this.#wrong('a value is missing', this.#startOf(this.#next - 1))
    }
  }

  #named({ anchorStart, anchorEnd }: { anchorStart: number; anchorEnd: number }, node: Node): Node {
    if (node.size > mostNodes) throw this.#wrong('its aliases stand for more than a million values', node.at)
    if (anchorStart >= 0) this.#anchors.set(this.#text.slice(anchorStart, anchorEnd), node)
    return node
  }

  /** Whether the collection that was begun goes on. */
  #goesOn(): boolean {
    if (this.#events[this.#next]?.type !== ids.pop) return true
    this.#next++
    return false
  }

  #sequence(at: number): Node {
    const children: NonNullable<Node['children']> = new Map()
    const value: unknown[] = []
    let size = 1
    while (this.#goesOn()) {
      const start = this.#startOf(this.#next)
      const node = this.#node()
      children.set(String(value.length), { at: start, node })
      value.push(node.value)
      size += node.size
    }
    return { value, at, children, size }
  }

  #mapping(at: number): Node {
    const children: NonNullable<Node['children']> = new Map()
    const value: Record<string, unknown> = {}
    let size = 1
    const put = (key: string, start: number, node: Node, isMerged: boolean): void => {
      children.set(key, { at: start, node, isMerged })
      // a key of that name would set the object's prototype
      if (key === '__proto__')
        Object.defineProperty(value, key, { value: node.value, enumerable: true, configurable: true, writable: true })
      else value[key] = node.value
    }
    while (this.#goesOn()) {
      const start = this.#startOf(this.#next)
      const isMerge = this.#isMerge()
      const key = this.#node()
      const node = this.#node()
      size += node.size
      if (isMerge) {
        // go-yaml 2 lets what is merged win over what stands above it, and what stands below win over that
        for (const merged of this.#merged(node, start).toReversed())
          for (const [name, child] of merged.children ?? []) put(name, child.at, child.node, true)
        continue
      }
      const name = this.#keyOf(key, node)
      if (children.get(name)?.isMerged === false) throw this.#wrong(`the key ${name} is there twice`, start)
      put(name, start, node, false)
    }
    return { value, at, children, size }
  }

  #isMerge(): boolean {
    const event = this.#events[this.#next]
    return (
      event?.type === ids.scalar &&
      event.style === plainStyle &&
      event.tagStart < 0 &&
      this.#text.slice(event.valueStart, event.valueEnd) === '<<'
    )
  }

  #merged(node: Node, at: number): readonly Node[] {
    const isMap = ({ value }: Node): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)
    const all = Array.isArray(node.value) ? [...(node.children?.values() ?? [])].map((child) => child.node) : [node]
    if (!all.every(isMap)) throw this.#wrong('<< takes a map or a list of maps', at)
    return all
  }

  #scalar(event: ScalarEvent): Omit<Node, 'size'> {
    const at = event.valueStart < 0 ? this.#startOf(this.#next - 1) : event.valueStart
    const text = this.#grammar.getScalarValue(this.#text, event)
    const tag = event.tagStart < 0 ? undefined : this.#text.slice(event.tagStart, event.tagEnd)
    const kind = tag?.replace(/^!!|^!<tag:yaml\.org,2002:|>$/g, '')
    if (kind === 'binary') return { at, value: Buffer.from(text, 'base64').toString('utf8') }
    const fits = kind === undefined ? undefined : ofTag[kind]
    // a tag of somebody's own means nothing to kubectl: the text is a text
    if (tag === undefined ? event.style !== plainStyle : !fits) return { at, value: text }
    const value = meaningOf(text)
    if (fits && !fits(value)) throw this.#wrong(`${text} is no ${tag}`, at)
    if (typeof value === 'number' && !Number.isFinite(value)) throw this.#wrong(`${text} is no number of JSON`, at)
    if (typeof value === 'number' && !isExact(text, value)) this.#inexact ??= at
    return { at, value }
  }

  #keyOf({ value, at }: Node, of: Node): string {
    if (value === null) throw this.#wrong('a key is missing', of.at)
    if (typeof value === 'object') throw this.#wrong('a key has to be a word: quote it', at)
    return String(value)
  }

  /** Where the node of an event is written; that of an empty one is the end of what is before it. */
  #startOf(index: number): number {
    for (let at = index; at >= 0; at--) {
      const event = this.#events[at]
      if (event?.type === ids.scalar && event.valueStart >= 0) return at === index ? event.valueStart : event.valueEnd
      if (event?.type === ids.alias) return event.anchorStart
      if (event?.type === ids.mapping || event?.type === ids.sequence) return event.start
    }
    return 0
  }
}

/** The numbers that js-yaml's events and styles go by: its `EVENT_ID` and `SCALAR_STYLE`, as constants that a switch can narrow by. */
const ids = { sequence: 2, mapping: 3, scalar: 4, alias: 5, pop: 6 } as const
const plainStyle = 1

/** What a value has to be that is tagged so. */
const ofTag: Readonly<Record<string, (value: unknown) => boolean>> = {
  int: Number.isInteger,
  float: (value) => typeof value === 'number',
  bool: (value) => typeof value === 'boolean',
  null: (value) => value === null,
}

const words: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ...['', '~', 'null', 'Null', 'NULL'].map((word) => [word, null] as const),
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'on', 'On', 'ON', 'true', 'True', 'TRUE'].map((word) => [word, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'off', 'Off', 'OFF', 'false', 'False', 'FALSE'].map((word) => [word, false] as const),
  ...['.nan', '.NaN', '.NAN'].map((word) => [word, Number.NaN] as const),
  ...['.inf', '.Inf', '.INF', '+.inf', '+.Inf', '+.INF', '-.inf', '-.Inf', '-.INF'].map((word) => [word, Infinity] as const),
])

/** What a plain word stands for. https://github.com/kubernetes-sigs/yaml/blob/v1.6.0/goyaml.v2/resolve.go */
export function meaningOf(text: string): unknown {
  if (words.has(text)) return words.get(text)
  if (!/^[-+.\d]/.test(text)) return text
  const digits = text.replaceAll('_', '')
  const [, sign, whole] = /^([-+]?)(0[xX][\da-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9]\d*)$/.exec(digits) ?? []
  if (whole !== undefined) {
    const size = /^0[oO]?[0-7]/.test(whole) ? Number.parseInt(whole.replace(/[oO]/, ''), 8) : Number(whole)
    return sign === '-' ? -size : size
  }
  // with a zero in front and an 8 or 9 in it, a number is no octal but a decimal
  const number = /^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/.test(digits) ? Number(digits) : Number.NaN
  return Number.isFinite(number) ? number : text
}

/** Whether a number is written again as the one that it was. Beyond 64 bits it is a double for kubectl too. */
function isExact(text: string, value: number): boolean {
  if (Number.isSafeInteger(value) || !Number.isInteger(value) || !/^[-+]?[1-9][\d_]*$/.test(text)) return true
  const whole = BigInt(text.replace(/[+_]/g, ''))
  return whole > 2n ** 64n || whole < -(2n ** 63n) || BigInt(value) === whole
}
