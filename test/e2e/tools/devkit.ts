import { type ChildProcess, spawn } from 'node:child_process'

/** An event of `--json`, as a script reads it. */
export interface AnyEvent {
  readonly type: string
  readonly [field: string]: unknown
}

/** So long an event is waited for, in ms: less than a test has, so that the test hears what came instead, and takes no event from those after it. */
const patienceMs = 240_000

/** A devkit that runs: its events, and its end. */
export interface Run extends AsyncDisposable {
  readonly pid: number
  /** The first event from now on (or not yet asked for) that fits. @throws with what came instead, when it ended or said nothing of the kind for minutes */
  next(type: string, fits?: (event: AnyEvent) => boolean): Promise<AnyEvent>
  /** Everything it said so far. */
  readonly events: readonly AnyEvent[]
  readonly stderr: () => string
  readonly exited: Promise<number>
  kill(signal: NodeJS.Signals): void
}

/** Starts the program with `--json`. It is ended with the returned value. */
export function devkit(
  bin: string,
  args: readonly string[],
  {
    cwd,
    env,
    uid,
    onEvent,
  }: {
    readonly cwd: string
    readonly env: NodeJS.ProcessEnv
    /** User and group to run as. */
    readonly uid?: number | undefined
    readonly onEvent?: (event: AnyEvent) => void
  },
): Run {
  const child: ChildProcess = spawn(process.execPath, [bin, ...args, '--json'], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  const events: AnyEvent[] = []
  const waiting = new Set<() => void>()
  let seen = 0
  let rest = ''
  let stderr = ''
  let code: number | undefined
  const wake = (): void => {
    for (const check of [...waiting]) check()
  }
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const event = JSON.parse(line) as AnyEvent
      events.push(event)
      onEvent?.(event)
    }
    wake()
  })
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
  })
  const exited = new Promise<number>((resolve) => {
    const end = (how: number): void => {
      code = how
      wake()
      resolve(how)
    }
    child.once('close', (exit, signal) => end(exit ?? (signal ? 128 : -1)))
    // it did not even begin
    child.once('error', (cause) => {
      stderr += String(cause)
      end(-1)
    })
  })
  const tail = (): string =>
    `${events
      .slice(-15)
      .map((event) => JSON.stringify(event))
      .join('\n')}\n${stderr}`
  return {
    pid: child.pid ?? -1,
    events,
    stderr: () => stderr,
    exited,
    kill: (signal) => void child.kill(signal),
    next: (type, fits = () => true) =>
      new Promise((resolve, reject) => {
        const done = (): void => {
          clearTimeout(timer)
          waiting.delete(check)
        }
        const fail = (why: string): void => {
          done()
          reject(new Error(`devkit ${args.join(' ')} ${why} '${type}':\n${tail()}`))
        }
        const check = (): void => {
          const at = events.findIndex((event, index) => index >= seen && event.type === type && fits(event))
          const event = events[at]
          if (event) {
            seen = at + 1
            done()
            resolve(event)
          } else if (code !== undefined) fail(`ended with ${code} before`)
        }
        const timer = setTimeout(() => fail(`has told for ${patienceMs / 1000} s nothing that is`), patienceMs)
        waiting.add(check)
        check()
      }),
    [Symbol.asyncDispose]: async () => {
      if (code === undefined) child.kill('SIGTERM')
      await exited
    },
  }
}
