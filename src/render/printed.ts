import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Files, Host } from '../host/host.ts'
import { DevkitError } from '../lib/errors.ts'
import type { Step } from '../lib/step.ts'
import type { Input } from './renderer.ts'

/** What renderers that start programs work with. */
export type PrintParts = Pick<Host, 'exec' | 'programFile' | 'files'>

/** A program's call that prints manifests. */
export interface Print {
  /** The source in words, as messages name it: `the chart charts/web`. */
  readonly what: string
  /** Programs that can do it, the best first, with their arguments. */
  readonly programs: readonly (readonly [program: string, ...args: string[]])[]
  /** What to do when none of them is there. */
  readonly install: string
  /** Directory of the project, absolute: the program runs there. */
  readonly directory: string
  /** What it prints depends on these alone, else undefined: then it is asked each time. */
  readonly inputs: readonly Input[] | undefined
  /** A directory that is gone when people read of it, and what it stands for. */
  readonly instead?: readonly [scratch: string, real: string]
  /** The part of what a program says last that matters; default: all of it. */
  readonly why?: (said: string) => string
  /** Names what is printed among all sources; default: `programs`. */
  readonly key?: unknown
}

interface Kept {
  readonly key: string
  readonly text: string
}

/**
 * Prints manifests by a program, or takes what it printed last for the same inputs: from memory, else from `.devkit/render`.
 * What holds a Secret is kept in memory only.
 */
export function printing({
  exec,
  programFile,
  files,
}: PrintParts): (print: Print, step: Pick<Step, 'signal'>) => Promise<string> {
  const inMemory = new Map<string, Kept>()

  async function run(
    { what, programs, install, directory, instead, why = (said) => said }: Print,
    step: Pick<Step, 'signal'>,
  ): Promise<string> {
    for (const [program, ...args] of programs) {
      const result = await exec(program, args, { signal: step.signal, say: () => undefined }, { cwd: directory, quiet: true })
      if (result.exitCode === 'missing') continue
      if (result.exitCode === 0) return result.stdout
      const known = (text: string): string => (instead ? text.replaceAll(...instead) : text).replaceAll(`${directory}/`, '')
      const said = known(result.stderr.trim() || result.tail.join('\n').trim()).split('\n')
      const last = (said.findLast((line) => /^error:/i.test(line)) ?? said.at(-1) ?? '').replace(/^error:\s*/i, '')
      const reason = why(last)
      throw new DevkitError('RENDER-106', {
        message: `${program} cannot render ${what}: ${reason || `exit code ${result.exitCode}`}`,
        hint: `Correct what it names; it ran as: ${brief(known(result.command))}`,
        // a single line that the message has whole is not said twice
        detail: said.length > 1 || reason !== last ? said.slice(-20).join('\n') : undefined,
      })
    }
    throw new DevkitError('RENDER-105', {
      message: `${programs.map(([program]) => program).join(' or ')}, which renders ${what}, is not installed.`,
      hint: install,
    })
  }

  return async (print, step) => {
    if (!print.inputs) return run(print, step)
    const name = hash([print.key ?? print.programs])
    const program = await Promise.all(print.programs.map(([first]) => programFile(first)))
    const key = hash([name, program, await contentsOf(print.inputs, files)])
    const file = join(print.directory, '.devkit', 'render', `${name}.json`)
    const kept = inMemory.get(name) ?? (await files.readJson<Kept>(file))
    if (kept?.key === key) {
      inMemory.set(name, kept)
      return kept.text
    }
    const printed = { key, text: await run(print, step) }
    inMemory.set(name, printed)
    // a cache that cannot be written is none
    if (hasSecret(printed.text)) await files.removeFile(file)
    else await files.writePrivate(file, JSON.stringify(printed)).catch(() => undefined)
    return printed.text
  }
}

/** A command without the hundred kinds that helm is told of. */
function brief(command: string): string {
  return command.replace(/( --api-versions \S+)+/, ' --api-versions …')
}

/** Every file of the inputs with its hash. */
async function contentsOf(inputs: readonly Input[], files: Pick<Files, 'stateOf' | 'treeOf'>): Promise<readonly unknown[]> {
  const all = await Promise.all(
    inputs.map(async ({ path, counts = () => true }) => {
      const state = await files.stateOf(path)
      if (state) return [path, state.hash]
      const tree = await files.treeOf(path, (below, directory) => !directory && !counts(join(path, below)))
      return [path, ...[...tree].map(([below, { hash: content }]) => [below, content])]
    }),
  )
  return all
}

function hasSecret(text: string): boolean {
  return /["']?kind["']?\s*:\s*["']?Secret(List)?\b/.test(text)
}

function hash(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 32)
}
