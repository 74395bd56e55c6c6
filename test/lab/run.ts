import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'

/** Something that the person can act on: one sentence and what to do. Never shown with a stack. */
export class LabProblem extends Error {
  readonly hint: string
  readonly exitCode: 1 | 2
  constructor(message: string, hint: string, exitCode: 1 | 2 = 1) {
    super(message)
    this.hint = hint
    this.exitCode = exitCode
  }
}

/** A voice and a lifetime, as the lab's steps get them. */
export interface Voice {
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}

interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  /** File that gets all the output. */
  readonly log?: string
  readonly input?: string
}

/** Runs a program to its end and returns its standard output; an abort ends it and its children as a group. @throws LabProblem with its last lines. */
export function run(
  argv: readonly [string, ...string[]],
  { signal }: Pick<Voice, 'signal'>,
  options: RunOptions = {},
): Promise<string> {
  signal.throwIfAborted()
  const [file, ...args] = argv
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      detached: true,
    })
    const log = options.log === undefined ? undefined : createWriteStream(options.log)
    let stdout = ''
    let tail = ''
    const keep = (chunk: Buffer): void => {
      log?.write(chunk)
      tail = (tail + chunk.toString()).slice(-4000)
    }
    child.stdout?.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
      keep(chunk)
    })
    child.stderr?.on('data', keep)
    if (options.input !== undefined) child.stdin?.end(options.input)
    const end = (): void => {
      if (child.pid !== undefined) killGroup(child.pid, 'SIGTERM')
    }
    signal.addEventListener('abort', end, { once: true })
    child.on('error', (error) =>
      reject(new LabProblem(`${file} cannot be started: ${error.message}`, 'Install it and run this again.')),
    )
    child.on('close', (code) => {
      signal.removeEventListener('abort', end)
      log?.end()
      if (signal.aborted) reject(signal.reason)
      else if (code === 0) resolve(stdout)
      else {
        const last = tail.trimEnd().split('\n').slice(-12).join('\n  ')
        reject(
          new LabProblem(
            `${argv.slice(0, 3).join(' ')} ended with ${code}:\n  ${last}`,
            options.log ? `Read ${options.log}; the next run goes on from here.` : 'Mend the cause and run this again.',
          ),
        )
      }
    })
  })
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch {
    // ended by itself meanwhile
  }
}
