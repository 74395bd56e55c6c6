import { join } from 'node:path'
import type { Files } from '../host/host.ts'
import { type Contents, type Paths, unknown } from './tree.ts'
import type { WorkingTree } from './working-tree.ts'

/**
 * What is remembered of a container beyond this process: a file of lines, each a path and what is at it. What is going to be written is in
 * it before it is written, as `unknown`: a devkit that is killed in between leaves nothing that it would later take for right.
 */
export class Ledger {
  readonly #files: Pick<Files, 'append' | 'writePrivate'>
  readonly #file: string
  readonly #paths: Paths

  private constructor(files: Pick<Files, 'append' | 'writePrivate'>, file: string, paths: Paths) {
    this.#files = files
    this.#file = file
    this.#paths = paths
  }

  /** Reads what is remembered of a container over `has`, what its image holds. `known` says whether anything was. */
  static async open(
    files: Pick<Files, 'append' | 'writePrivate' | 'readText'>,
    file: string,
    { tree, has }: { readonly tree: WorkingTree; readonly has: Contents },
  ): Promise<{ readonly ledger: Ledger; readonly known: boolean }> {
    const ledger = new Ledger(files, file, tree.paths)
    const lines = await readLedger(files, file, { tree, has })
    if (!lines) return { ledger, known: false }
    // shorter by all that was written since; what the rules of today have no word about is kept
    const text = [...lines].map(([path, content]) => lineOf(path, content)).join('')
    await files.writePrivate(file, text)
    return { ledger, known: true }
  }

  /** Before a push: what is at these paths is not known until it is acknowledged. */
  async intend(numbers: readonly number[]): Promise<void> {
    await this.record(numbers, () => unknown)
  }

  /** What is at these paths now. */
  async record(numbers: readonly number[], content: (number: number) => number): Promise<void> {
    await this.#files.append(this.#file, linesOf(numbers, this.#paths, content))
  }
}

/** Reads what is remembered of a container over `has`. Returns all of it, path by path; undefined when nothing is remembered. */
export async function readLedger(
  files: Pick<Files, 'readText'>,
  file: string,
  { tree, has }: { readonly tree: WorkingTree; readonly has: Contents },
): Promise<ReadonlyMap<string, number> | undefined> {
  const text = await files.readText(file)
  if (text === undefined) return undefined
  const lines = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [content, path] = parse(line)
    if (path !== undefined) lines.set(path, content)
  }
  for (const [path, content] of lines) if (tree.covers(path)) has.set(tree.paths.of(path), content)
  return lines
}

/** The file that remembers a container. */
export function ledgerFile(directory: string, namespace: string, containerId: string): string {
  return join(directory, '.devkit', 'containers', namespace, `${containerId}.jsonl`)
}

function linesOf(numbers: readonly number[], paths: Paths, content: (number: number) => number): string {
  return numbers.map((number) => lineOf(paths.name(number), content(number))).join('')
}

function lineOf(path: string, content: number): string {
  return `${JSON.stringify([content, path])}\n`
}

/** A line that was cut off by the end of its writer says nothing. */
function parse(line: string): readonly [number, string | undefined] {
  try {
    const [content, path] = JSON.parse(line) as [number, string]
    return [content, path]
  } catch {
    return [unknown, undefined]
  }
}
