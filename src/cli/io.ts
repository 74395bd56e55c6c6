import { resolve } from 'node:path'
import { DevkitError, messageOf, problems } from '../lib/errors.ts'

/** Everything a run gets from the process. */
export interface Io {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly pid: number
  /** Version of Node. */
  readonly node: string
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  readonly stdout: Output
  readonly stderr: Output
  /** Aborts with `Interrupted` when the run is ended from outside, with anything else at a defect that nobody awaited. */
  readonly signal: AbortSignal
}

export interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

/** Flags that every verb has. */
export interface GlobalFlags {
  readonly cwd?: string
  readonly config?: string
  readonly profile?: string
  readonly env?: string
  /** Values for the config, each as PATH=VALUE. */
  readonly set?: readonly string[]
  readonly output?: 'pretty' | 'plain' | 'json'
  readonly json?: boolean
  readonly timeout?: string
  readonly yes?: boolean
  readonly verbose?: boolean
  readonly quiet?: boolean
  readonly color: boolean
}

/** Whether the run speaks to a program. */
export function isJson({ json, output }: Pick<GlobalFlags, 'json' | 'output'>): boolean {
  return json === true || output === 'json'
}

/** The directory that the run acts in. */
export function directoryOf({ cwd }: Io, flags: Pick<GlobalFlags, 'cwd'>): string {
  return resolve(cwd, flags.cwd ?? '.')
}

/** The exit code that a failure ends a run with. */
export function exitCodeOf(thrown: unknown): number {
  return thrown instanceof DevkitError ? problems[thrown.code].exit : 1
}

/** Writes what `flag` asks for to `path`. @throws CONFIG-001 */
export async function writing(flag: string, path: string, write: () => Promise<unknown>): Promise<void> {
  try {
    await write()
  } catch (cause) {
    throw new DevkitError('CONFIG-001', {
      message: `${path} cannot be written: ${messageOf(cause)}.`,
      hint: `Correct ${flag}.`,
      cause,
    })
  }
}
