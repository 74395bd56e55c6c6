/** Numbers for paths: what is kept of each container is then an array of numbers, not a map of strings. */
export class Paths {
  readonly #numbers = new Map<string, number>()
  readonly #names: string[] = []
  /** Every directory that a path is in. */
  readonly #directories = new Set<string>()

  /** The path's number; a path that is new gets the next. */
  of(path: string): number {
    const known = this.#numbers.get(path)
    if (known !== undefined) return known
    const number = this.#names.push(path) - 1
    this.#numbers.set(path, number)
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const parent = path.slice(0, end)
      if (this.#directories.has(parent)) break
      this.#directories.add(parent)
    }
    return number
  }

  /** The path's number where it has one. */
  find(path: string): number | undefined {
    return this.#numbers.get(path)
  }

  name(number: number): string {
    return this.#names[number] ?? ''
  }

  get count(): number {
    return this.#names.length
  }

  /** The numbers of the paths that are below a directory. */
  *below(directory: string): Generator<number> {
    if (directory !== '/' && !this.#directories.has(directory)) return
    const prefix = directory.endsWith('/') ? directory : `${directory}/`
    for (let number = 0; number < this.#names.length; number++) if (this.#names[number]?.startsWith(prefix)) yield number
  }
}

/** Nothing is at the path. */
export const absent = 0
/** A directory that is there for itself: there are no files in it. */
export const directory = 1
/** Nobody knows what is at the path: it was being written when devkit or the stream ended. */
export const unknown = -1

/** What a file's hash (hexadecimal) is shortened to: 52 bits fit a number. Never one of the words above. */
export function shortHash(hash: string): number {
  return Number.parseInt(hash.slice(0, 13), 16) + 2
}

/** What is at each path, by the path's number: a short hash or one of the words above. 8 bytes a path. */
export class Contents {
  #values: Float64Array<ArrayBuffer>

  constructor(values: Float64Array<ArrayBuffer> = new Float64Array(64)) {
    this.#values = values
  }

  get(number: number): number {
    return this.#values[number] ?? absent
  }

  set(number: number, content: number): void {
    if (number >= this.#values.length) {
      const grown = new Float64Array(Math.max(number + 1, this.#values.length * 2))
      grown.set(this.#values)
      this.#values = grown
    }
    this.#values[number] = content
  }

  copy(): Contents {
    return new Contents(this.#values.slice())
  }

  /** The numbers of the paths at which the two differ. */
  *differing(other: Contents): Iterable<number> {
    const longest = Math.max(this.#values.length, other.#values.length)
    for (let number = 0; number < longest; number++) if (this.get(number) !== other.get(number)) yield number
  }
}
