import { run } from '../../src/cli/run.ts'

/** What a run of the program begins with. */
export interface Start {
  readonly directory: string
  readonly env?: Readonly<Record<string, string>>
  /** Whether both streams are terminals; default: none is. */
  readonly isTTY?: boolean
  /** Ends the run; default: nothing does. */
  readonly signal?: AbortSignal
}

/** Runs `devkit …` in this process, as `main.ts` would in its own; what it said on its streams. */
export async function devkitOn(
  { directory, env = {}, isTTY = false, signal = new AbortController().signal }: Start,
  ...argv: readonly string[]
) {
  const said = { stdout: '', stderr: '' }
  const into = (stream: keyof typeof said) => ({
    isTTY,
    write: (text: string): void => {
      said[stream] += text
    },
  })
  const code = await run({
    argv,
    env: { HOME: directory, ...env },
    cwd: directory,
    pid: process.pid,
    node: process.versions.node,
    stdin: process.stdin,
    stdout: into('stdout'),
    stderr: into('stderr'),
    signal,
  })
  return { code, ...said }
}
