import { posix } from 'node:path'
import type { Files } from '../host/host.ts'
import { mapLimited, remembering } from '../lib/async.ts'
import type { Ack, Batch, ContainerRef, FileWrite, Refusal } from './transport.ts'
import { absent, Contents, directory, shortHash, unknown } from './tree.ts'
import type { WorkingTree } from './working-tree.ts'

/** A batch and the paths (by number) that it is about. */
export interface Due {
  readonly batch: Batch
  readonly numbers: readonly number[]
}

/** One running container and what it has. */
export class Replica {
  readonly ref: ContainerRef
  readonly node: string
  readonly has: Contents
  /** Paths (by number) that may differ; `all` after its beginning and after a lost stream. */
  #pending = new Set<number>()
  #all = true

  constructor(ref: ContainerRef, node: string, has: Contents = new Contents()) {
    this.ref = ref
    this.node = node
    this.has = has
  }

  /** Notes that these paths changed; without a list, that all may have. */
  mark(numbers?: readonly number[]): void {
    if (numbers === undefined) this.#all = true
    else for (const number of numbers) this.#pending.add(number)
  }

  get isDue(): boolean {
    return this.#all || this.#pending.size > 0
  }

  /** The paths at which it differs from the tree, of those that were marked. They are no longer marked then. */
  take({ wanted }: WorkingTree): readonly number[] {
    const candidates = this.#all ? wanted.differing(this.has) : this.#pending
    const numbers = [...candidates].filter((number) => wanted.get(number) !== this.has.get(number))
    this.#all = false
    this.#pending = new Set()
    return numbers
  }

  /** What has to be sent so that these paths are as the tree has them. */
  async batchFor(numbers: readonly number[], tree: WorkingTree, files: Pick<Files, 'entryAt'>): Promise<Due> {
    const { paths, wanted } = tree
    const writes: FileWrite[] = []
    const deletes = new Set<string>()
    const isDirectory = remembering(async (target: string) => {
      const source = tree.sourceOf(target)
      return source !== undefined && (await files.entryAt(source))?.kind === 'directory'
    })
    const leaving = new Set(numbers.filter((number) => wanted.get(number) === absent))
    // what else is in a directory may be about to go too: then the directory goes with the last of it, and is not told as one that stays
    const holdsMore = remembering(async (directoryOfTarget: string) =>
      paths.below(directoryOfTarget).some((number) => this.has.get(number) !== absent && !leaving.has(number)),
    )
    const due: number[] = []
    const described = await mapLimited(numbers, 32, async (number) => [number, await describe(number, tree, files)] as const)
    for (const [number, write] of described) {
      const target = paths.name(number)
      if (write && wanted.get(number) !== absent) writes.push(write)
      // gone since it was looked at: another change is on its way
      else if (write === undefined && wanted.get(number) !== absent) continue
      else if (await isDirectory(target)) {
        // files are in it now: it is no longer there for itself
        this.has.set(number, absent)
        continue
      } else {
        deletes.add(target)
        for (const parent of parentsOf(target, tree)) {
          if ((await isDirectory(parent)) || (await holdsMore(parent))) break
          deletes.add(parent)
        }
      }
      due.push(number)
    }
    return { batch: { roots: tree.roots, writes, deletes: [...deletes] }, numbers: due }
  }

  /** While they are being written nobody knows what is at these paths. */
  began(numbers: readonly number[]): void {
    for (const number of numbers) this.has.set(number, unknown)
  }

  /** Takes over what the container has now. What was refused stays unknown. Returns the paths whose source has changed meanwhile. */
  acknowledge({ batch, numbers }: Due, { sent, refused }: Ack, { paths, wanted }: WorkingTree): readonly number[] {
    const not = new Set(refused.map(({ target }) => target))
    const otherwise: number[] = []
    const directories = new Set(batch.writes.flatMap(({ kind, target }) => (kind === 'directory' ? [target] : [])))
    const deleted = new Set(batch.deletes)
    for (const number of numbers) {
      const target = paths.name(number)
      if (not.has(target)) continue
      const hash = sent.get(target)
      if (hash !== undefined) this.has.set(number, shortHash(hash))
      else if (directories.has(target)) this.has.set(number, directory)
      else if (deleted.has(target)) this.has.set(number, absent)
      if (this.has.get(number) !== wanted.get(number)) otherwise.push(number)
    }
    return otherwise
  }

  /** The refused paths that differ still. */
  stillRefused(refusals: readonly Refusal[], { paths, wanted }: WorkingTree): readonly Refusal[] {
    return refusals.filter(({ target }) => {
      const number = paths.find(target)
      return number !== undefined && wanted.get(number) !== this.has.get(number)
    })
  }
}

async function describe(number: number, tree: WorkingTree, files: Pick<Files, 'entryAt'>): Promise<FileWrite | undefined> {
  const target = tree.paths.name(number)
  if (tree.wanted.get(number) === absent) return undefined
  for (const path of tree.sourcesOf(target)) {
    const entry = await files.entryAt(path)
    if (!entry) continue
    if (entry.kind === 'link') return { kind: 'link', target, to: entry.to }
    if (entry.kind === 'directory') return { kind: 'directory', target, mode: entry.mode }
    return { kind: 'file', target, source: path, mode: entry.mode, bytes: entry.bytes }
  }
  return undefined
}

/** The directories that a target is in, the nearest first, down to the rule's target without it. */
function parentsOf(target: string, tree: WorkingTree): readonly string[] {
  const root = tree.mappingOf(target)?.to ?? target
  const parents: string[] = []
  for (let parent = posix.dirname(target); parent.length > root.length; parent = posix.dirname(parent)) parents.push(parent)
  return parents
}
