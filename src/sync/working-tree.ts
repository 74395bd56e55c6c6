import { dirname, posix } from 'node:path'
import type { Files } from '../host/host.ts'
import { mapLimited, remembering } from '../lib/async.ts'
import { type Mapping, neverSynced, sourceOf, targetOf } from './mapping.ts'
import { absent, Contents, directory, Paths, shortHash } from './tree.ts'

type Reading = Pick<Files, 'stateOf' | 'treeOf' | 'entryAt'>

/** What the containers of a service are to hold: the working tree as the service's sync rules map it. */
export class WorkingTree {
  readonly paths = new Paths()
  readonly mappings: readonly Mapping[]
  #wanted = new Contents()
  readonly #files: Reading

  constructor(mappings: readonly Mapping[], files: Reading) {
    this.mappings = mappings
    this.#files = files
  }

  /** What is to be at each target. */
  get wanted(): Contents {
    return this.#wanted
  }

  /** Targets of the rules: nothing is written that is not below one. */
  get roots(): readonly string[] {
    return [...new Set(this.mappings.map(({ to }) => to))]
  }

  /** The mapping that a target is under, the last where several are. */
  mappingOf(target: string): Mapping | undefined {
    return this.mappings.findLast((mapping) => sourceOf(mapping, target) !== undefined)
  }

  /** Where what is at a target comes from. */
  sourceOf(target: string): string | undefined {
    const mapping = this.mappingOf(target)
    return mapping && sourceOf(mapping, target)
  }

  /** Where what is at a target may come from, the rule that counts most first. What rules ignore is not among it. */
  sourcesOf(target: string): readonly string[] {
    return this.mappings.toReversed().flatMap((mapping) => {
      const source = sourceOf(mapping, target)
      return source === undefined || targetOf(mapping, source) === undefined ? [] : [source]
    })
  }

  /** Whether the rules have a word about a target: what they have not is left alone. */
  covers(target: string): boolean {
    return this.sourcesOf(target).length > 0
  }

  /** Reads everything anew. Returns the numbers of the targets that are otherwise than before. */
  async read(): Promise<readonly number[]> {
    const wanted = new Contents()
    for (const mapping of this.mappings) {
      const { from, to, ignored } = mapping
      const single = await this.#files.entryAt(from)
      if (single?.kind === 'directory') {
        const skip = (path: string, isDirectory: boolean): boolean => neverSynced.test(path) || ignored(path, isDirectory)
        const empty = (path: string): void => {
          const target = posix.join(to, path)
          if (!this.roots.includes(target)) wanted.set(this.paths.of(target), directory)
        }
        for (const [path, { hash }] of await this.#files.treeOf(from, skip, empty))
          wanted.set(this.paths.of(posix.join(to, path)), shortHash(hash))
      } else if (single) {
        const state = await this.#files.stateOf(from)
        if (state) wanted.set(this.paths.of(to), shortHash(state.hash))
      }
    }
    const changed = [...wanted.differing(this.#wanted)]
    this.#wanted = wanted
    return changed
  }

  /** Looks at what is at these paths of this machine now, and below them. Returns the numbers of the targets that they are. */
  async update(changed: readonly string[]): Promise<readonly number[]> {
    const touched = new Set<number>()
    const isThere = remembering(async (path) => (await this.#files.entryAt(path)) !== undefined)
    const gone = new Set<string>()
    await mapLimited(changed, 32, async (path) => {
      const entry = await this.#files.entryAt(path)
      if (entry) await this.#touched(path, touched, entry.kind === 'directory')
      else gone.add(await this.#highestGone(path, isThere))
    })
    for (const path of gone) await this.#touched(path, touched, false)
    const states = await mapLimited(
      [...touched],
      16,
      async (number) => [number, await this.#contentFor(this.paths.name(number))] as const,
    )
    for (const [number, content] of states) this.#wanted.set(number, content)
    return [...touched]
  }

  /** The path, or the directory that went with it: what else was in that has gone too, whether or not events have told of it yet. */
  async #highestGone(path: string, isThere: (path: string) => Promise<boolean>): Promise<string> {
    const above = dirname(path)
    const isMapped = this.mappings.some((mapping) => targetOf(mapping, above) !== undefined)
    return isMapped && !(await isThere(above)) ? this.#highestGone(above, isThere) : path
  }

  async #touched(path: string, touched: Set<number>, isDirectory: boolean): Promise<void> {
    for (const mapping of this.mappings) {
      const target = targetOf(mapping, path, isDirectory)
      if (target === undefined) continue
      touched.add(this.paths.of(target))
      // what was below it: a directory that went, or became a file
      for (const number of this.paths.below(target)) touched.add(number)
      if (!isDirectory) continue
      const skip = (below: string, belowIsDirectory: boolean): boolean =>
        targetOf(mapping, `${path}/${below}`, belowIsDirectory) === undefined
      const touch = (below: string): void => void touched.add(this.paths.of(posix.join(target, below)))
      for (const below of (await this.#files.treeOf(path, skip, touch)).keys()) touch(below)
    }
  }

  /** Of two rules with the same target the last that has something there counts. */
  async #contentFor(target: string): Promise<number> {
    for (const source of this.sourcesOf(target)) {
      const state = await this.#files.stateOf(source)
      if (state) return shortHash(state.hash)
      const isOwn = !this.roots.includes(target) && (await this.#files.entryAt(source))?.kind === 'directory'
      if (isOwn && (await this.#isEmpty(source, target))) return directory
    }
    return absent
  }

  async #isEmpty(source: string, target: string): Promise<boolean> {
    const skip = (path: string): boolean => !this.covers(posix.join(target, path))
    return (await this.#files.treeOf(source, skip)).size === 0
  }
}
