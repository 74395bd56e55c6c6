import { dirname, resolve } from 'node:path'
import type { Node } from '@babel/types'
import type * as Yaml from 'yaml'

/** Where something stands, from 1; line 0: in `file` as a whole, e.g. a flag. */
export interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** Where a value of the config is written. What is not written, or only computed, has the place of what is around it. */
export interface Where {
  /** Of its name; of the value itself where it has none. */
  readonly key: Place
  readonly value: Place
}

export type Path = readonly string[]

/** The place of a path. `value`, where known, tells which of several writings is meant. */
export type Places = (path: Path, value?: unknown) => Where

/** `devkit.config.ts:4:3`. */
export function shownPlace({ file, line, column }: Place): string {
  return line === 0 ? file : `${file}:${line}:${column}`
}

/** Places in YAML and JSON. */
export async function placesInYaml(text: string, file: string): Promise<Places> {
  const yaml = await import('yaml')
  const lines = new yaml.LineCounter()
  const document = yaml.parseDocument(text, { lineCounter: lines, merge: true })
  const at = (node: unknown): Place | undefined => {
    if (!yaml.isNode(node) || !node.range) return undefined
    const { line, col } = lines.linePos(node.range[0])
    return { file, line, column: col }
  }
  return (path) => {
    let found: Where = both(at(document.contents) ?? { file, line: 1, column: 1 })
    let node: unknown = document.contents
    for (const key of path) {
      const pair = child(yaml, document, node, key)
      if (!pair) break
      const value = at(pair.value) ?? found.value
      found = { key: at(pair.key) ?? value, value }
      node = pair.value
    }
    return found
  }
}

function child(yaml: typeof Yaml, document: Yaml.Document, parent: unknown, key: string): Partial<Yaml.Pair> | undefined {
  const node = yaml.isAlias(parent) ? parent.resolve(document) : parent
  if (yaml.isSeq(node)) return Number(key) < node.items.length ? { value: node.items[Number(key)] } : undefined
  if (!yaml.isMap(node)) return undefined
  const own = node.items.find((pair) => nameIn(yaml, pair) === key)
  if (own) return own
  const merged = node.items.filter((pair) => nameIn(yaml, pair) === '<<').map(({ value }) => value)
  return merged
    .flatMap((value) => (yaml.isSeq(value) ? value.items : [value]))
    .map((value) => child(yaml, document, value, key))
    .find((pair) => pair !== undefined)
}

function nameIn(yaml: typeof Yaml, { key }: Yaml.Pair): string {
  const name = yaml.isScalar(key) ? key.value : key
  return typeof name === 'symbol' ? (name.description ?? '') : String(name)
}

/** Places in a program: where values stand literally, followed through constants, functions, spreads and imports. `sources`: file → its text, the config first. */
export async function placesInProgram(sources: ReadonlyMap<string, string>): Promise<Places> {
  const { parse } = await import('@babel/parser')
  const programs = new Map<string, Node>()
  for (const [file, text] of sources)
    try {
      programs.set(file, parse(text, { sourceType: 'unambiguous', errorRecovery: true, plugins: ['typescript'] }).program)
    } catch {
      // what a parser cannot read has no places; the loader has read it
    }
  const [main = ''] = sources.keys()
  const reader = new ProgramReader(programs)
  return (path, value) => reader.where(main, path, value)
}

/** An expression and the file that it is in. */
interface Spot {
  readonly file: string
  readonly node: Node
}

interface Member {
  readonly key: Spot
  readonly value: Spot
}

/** So deep an expression is followed: one that leads to itself has an end too. */
const deepest = 40

class ProgramReader {
  readonly #programs: ReadonlyMap<string, Node>

  constructor(programs: ReadonlyMap<string, Node>) {
    this.#programs = programs
  }

  where(file: string, path: Path, value: unknown): Where {
    const roots = this.#exported(file, 'default')
    let found: readonly Member[] = roots.map((spot) => ({ key: spot, value: spot }))
    let whole = true
    for (const key of path) {
      const members = found.flatMap((member) => this.#open(member.value).flatMap((spot) => this.#members(spot, key)))
      whole = members.length > 0
      if (!whole) break
      found = members
    }
    const written = found.flatMap((member) => this.#open(member.value).map((spot) => ({ ...member, value: spot })))
    const meant = (whole && written.find((member) => isWrittenAs(member.value.node, value))) || undefined
    const [best] = meant ? [meant] : written.length === 1 ? written : found
    return best ? { key: placeOf(best.key), value: placeOf(best.value) } : both({ file, line: 1, column: 1 })
  }

  /** What an expression can come to: the literals at its end. */
  #open(spot: Spot, depth = 0): readonly Spot[] {
    const { file, node } = spot
    const open = (inner: Node | null | undefined): readonly Spot[] =>
      inner && depth < deepest ? this.#open({ file, node: inner }, depth + 1) : []
    const openAll = (spots: readonly Spot[]): readonly Spot[] =>
      depth < deepest ? spots.flatMap((inner) => this.#open(inner, depth + 1)) : []
    switch (node.type) {
      case 'TSAsExpression':
      case 'TSSatisfiesExpression':
      case 'TSNonNullExpression':
      case 'TSTypeAssertion':
      case 'ParenthesizedExpression':
        return open(node.expression)
      case 'AwaitExpression':
        return open(node.argument)
      case 'CallExpression':
        return node.callee.type === 'Identifier' && /^define(Config|Profile)$/.test(node.callee.name)
          ? open(node.arguments[0])
          : open(node.callee)
      case 'ArrowFunctionExpression':
        return node.body.type === 'BlockStatement' ? returnsOf(node.body).flatMap(open) : open(node.body)
      case 'FunctionExpression':
      case 'FunctionDeclaration':
        return returnsOf(node.body).flatMap(open)
      case 'ConditionalExpression':
        return [...open(node.consequent), ...open(node.alternate)]
      case 'LogicalExpression':
        return [...open(node.right), ...open(node.left)]
      case 'Identifier':
        return openAll(this.#bound(file, node.name))
      case 'MemberExpression': {
        const name = nameOfKey(node.property)
        if (name === undefined) return []
        return openAll(open(node.object).flatMap((object) => this.#members(object, name).map(({ value }) => value)))
      }
      default:
        return [spot]
    }
  }

  /** What stands under a name of an object or at an index of a list; what is written last holds. */
  #members({ file, node }: Spot, key: string): readonly Member[] {
    if (node.type === 'ArrayExpression') {
      const item = this.#items({ file, node })[Number(key)]
      return item ? [{ key: item, value: item }] : []
    }
    if (node.type !== 'ObjectExpression') return []
    for (const property of node.properties.toReversed()) {
      if (property.type === 'SpreadElement') {
        const inside = this.#open({ file, node: property.argument }).flatMap((spot) => this.#members(spot, key))
        if (inside.length > 0) return inside
      } else if (nameOfKey(property.key) === key && !(property.computed && property.key.type === 'Identifier')) {
        const value = property.type === 'ObjectProperty' ? property.value : property
        return [{ key: { file, node: property.key }, value: { file, node: value } }]
      }
    }
    return []
  }

  /** The items of a list, up to one whose number cannot be told. */
  #items({ file, node }: Spot): readonly Spot[] {
    if (node.type !== 'ArrayExpression') return []
    const items: Spot[] = []
    for (const element of node.elements) {
      if (element?.type !== 'SpreadElement') items.push({ file, node: element ?? node })
      else {
        const [inner] = this.#open({ file, node: element.argument })
        if (inner?.node.type !== 'ArrayExpression') break
        items.push(...this.#items(inner))
      }
    }
    return items
  }

  /** What a name of a file stands for. */
  #bound(file: string, name: string): readonly Spot[] {
    const program = this.#programs.get(file)
    if (!program) return []
    for (const node of nodesIn(program)) {
      if (node.type === 'VariableDeclarator' && node.id.type === 'Identifier' && node.id.name === name && node.init)
        return [{ file, node: node.init }]
      if (node.type === 'FunctionDeclaration' && node.id?.name === name) return [{ file, node }]
      if (node.type === 'ImportDeclaration')
        for (const specifier of node.specifiers)
          if (specifier.local.name === name && specifier.type !== 'ImportNamespaceSpecifier') {
            const exported = specifier.type === 'ImportDefaultSpecifier' ? 'default' : nameOfKey(specifier.imported)
            return this.#exported(this.#imported(file, node.source.value), exported ?? '')
          }
    }
    return []
  }

  #exported(file: string | undefined, name: string): readonly Spot[] {
    const program = file === undefined ? undefined : this.#programs.get(file)
    if (file === undefined || !program) return []
    if (name !== 'default') return this.#bound(file, name)
    for (const node of nodesIn(program)) {
      if (node.type === 'ExportDefaultDeclaration') return [{ file, node: node.declaration }]
      const isModuleExports =
        node.type === 'AssignmentExpression' &&
        node.left.type === 'MemberExpression' &&
        nameOfKey(node.left.object) === 'module' &&
        nameOfKey(node.left.property) === 'exports'
      if (isModuleExports) return [{ file, node: node.right }]
    }
    return []
  }

  #imported(from: string, specifier: string): string | undefined {
    const path = resolve(dirname(from), specifier)
    return [...this.#programs.keys()].find((file) => file === path || file.replace(/(\/index)?\.[cm]?[jt]s$/, '') === path)
  }
}

function isWrittenAs(node: Node, value: unknown): boolean {
  if (node.type === 'StringLiteral' || node.type === 'NumericLiteral' || node.type === 'BooleanLiteral')
    return node.value === value
  return node.type === 'NullLiteral' && value === null
}

function nameOfKey(node: Node): string | undefined {
  if (node.type === 'Identifier') return node.name
  return node.type === 'StringLiteral' || node.type === 'NumericLiteral' ? String(node.value) : undefined
}

/** What a function returns, not what functions inside it do. */
function returnsOf(body: Node): readonly Node[] {
  return [...nodesIn(body, (node) => /Function|ObjectMethod|ClassMethod/.test(node.type))].flatMap((node) =>
    node.type === 'ReturnStatement' && node.argument ? [node.argument] : [],
  )
}

/** A node and all below it, in the order of the text. */
function* nodesIn(node: Node, isClosed: (node: Node) => boolean = () => false): Generator<Node> {
  yield node
  for (const [name, value] of Object.entries(node)) {
    if (name.endsWith('Comments')) continue
    for (const inner of Array.isArray(value) ? value : [value])
      if (isNode(inner) && !isClosed(inner)) yield* nodesIn(inner, isClosed)
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'loc' in value
}

function placeOf({ file, node }: Spot): Place {
  return { file, line: node.loc?.start.line ?? 1, column: (node.loc?.start.column ?? 0) + 1 }
}

function both(place: Place): Where {
  return { key: place, value: place }
}
