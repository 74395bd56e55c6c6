import type { Manifest, Origin } from '../../lib/objects.ts'
import { isRecord } from '../../lib/record.ts'

type Key = string | number

/** A value somewhere in a manifest, and the way to it. Whatever the manifest holds there, looking is safe: what is not there is empty. */
export class Field {
  readonly manifest: Manifest
  readonly path: readonly Key[]
  readonly value: unknown
  /** What it is in; undefined of the whole object. */
  readonly parent: Field | undefined

  private constructor(manifest: Manifest, path: readonly Key[], value: unknown, parent: Field | undefined) {
    this.manifest = manifest
    this.path = path
    this.value = value
    this.parent = parent
  }

  /** The whole object. */
  static of(manifest: Manifest): Field {
    return new Field(manifest, [], manifest.object, undefined)
  }

  get(...keys: readonly string[]): Field {
    return keys.reduce<Field>(
      (at, key) => at.#at(key, isRecord(at.value) && Object.hasOwn(at.value, key) ? at.value[key] : undefined),
      this,
    )
  }

  #at(key: Key, value: unknown): Field {
    return new Field(this.manifest, [...this.path, key], value, this)
  }

  /** The items of a list. */
  get items(): readonly Field[] {
    if (!Array.isArray(this.value)) return []
    return this.value.map((value, index) => this.#at(index, value))
  }

  /** The values of a map by their names. */
  get entries(): readonly (readonly [string, Field])[] {
    return isRecord(this.value) ? Object.keys(this.value).map((key) => [key, this.get(key)]) : []
  }

  /** The value when it is some text. */
  get text(): string | undefined {
    return typeof this.value === 'string' && this.value !== '' ? this.value : undefined
  }

  /** The names and texts of a map: labels, selectors. */
  get labels(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.entries.flatMap(([key, { value }]) => (typeof value === 'string' ? [[key, value]] : [])))
  }
}

/** Where fields are written, in sources that a profile may have gone over since: `k8s/web.yaml:12`. */
export type PlaceOf = (field: Field) => string

/** `sources`: the manifests as their files have them. A manifest keeps its origin, whatever is done to its object. */
export function placesIn(sources: readonly Manifest[]): PlaceOf {
  const written = new Map<Origin, unknown>(sources.map(({ origin, object }) => [origin, object]))
  return ({ manifest: { origin, object }, path }) => {
    const inSource = pathInSource(path, object, written.get(origin))
    // the nearest thing that is there
    const line = inSource
      .map((_, index) => origin.lineAt?.(inSource.slice(0, inSource.length - index)))
      .find((found) => found !== undefined)
    return `${origin.file}:${line ?? origin.line}`
  }
}

/** The same way in another state of the object, as far as it leads: items of lists are found by their names. */
function pathInSource(path: readonly Key[], object: unknown, source: unknown): readonly Key[] {
  const found: Key[] = []
  let [now, then] = [object, source] as [unknown, unknown]
  for (const key of path) {
    const item = (now as Readonly<Record<Key, unknown>> | undefined)?.[key]
    const name = nameIn(item)
    const same = Array.isArray(then) && name !== undefined ? then.findIndex((one) => nameIn(one) === name) : key
    if (same === -1 || then === undefined || then === null) break
    found.push(same)
    now = item
    then = (then as Readonly<Record<Key, unknown>>)[same]
  }
  return found
}

function nameIn(item: unknown): unknown {
  return isRecord(item) ? item['name'] : undefined
}
