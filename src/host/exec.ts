import { realpath, stat } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import type { Exec, ExecOptions, ExecResult, Host } from './host.ts'

const tailLines = 40

/** What `exec` needs to know of the machine. */
export interface ExecSettings {
  /** Absolute paths of programs by their name; others come from PATH. */
  readonly tools: Readonly<Record<string, string>>
  /** The whole environment of the programs: nothing else is passed on. */
  readonly env: Readonly<Record<string, string>>
}

/** Real programs, started without a shell. The first use loads execa. */
export function makeExec({ tools, env }: ExecSettings): Exec {
  return async (program, args, step, options = {}) => {
    const { execa } = await import('execa')
    const [file, ...first] = programOf(program, tools)
    const command = shellWords([file, ...first, ...args])
    const tail: string[] = []
    const subprocess = execa(file, [...first, ...args], {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.stdin === undefined ? { stdin: 'ignore' as const } : { input: options.stdin }),
      env: { ...env, ...options.env },
      extendEnv: false,
      reject: false,
      cancelSignal: step.signal,
      // a child that keeps the output open would otherwise hold us after the end
      killDescendants: true,
      forceKillAfterDelay: 5000,
      maxBuffer: 64 * 1024 * 1024,
    })
    follow(subprocess.stdout, 'stdout', tail, step, options)
    follow(subprocess.stderr, 'stderr', tail, step, options)
    const result = await subprocess
    step.signal.throwIfAborted()
    const missing = 'code' in result && result.code === 'ENOENT'
    const exitCode: ExecResult['exitCode'] = missing ? 'missing' : (result.exitCode ?? -1)
    return { exitCode, stdout: String(result.stdout ?? ''), stderr: String(result.stderr ?? ''), tail, command }
  }
}

/** buildx runs as its own program where the settings name it, else as a plug-in of docker. */
function programOf(program: string, tools: Readonly<Record<string, string>>): readonly [string, ...string[]] {
  const path = tools[program]
  if (path !== undefined) return [path]
  return program === 'buildx' ? [tools['docker'] ?? 'docker', 'buildx'] : [program]
}

/** Finds programs as `makeExec` starts them. */
export function makeProgramFile({ tools, env }: ExecSettings): Host['programFile'] {
  return async (program) => {
    const [name] = programOf(program, tools)
    const candidates = name.includes('/')
      ? [name]
      : (env['PATH'] ?? '').split(delimiter).map((directory) => join(directory, name))
    for (const candidate of candidates) {
      const found = await stat(candidate).catch(() => undefined)
      if (found?.isFile()) return `${await realpath(candidate)} ${found.size} ${found.mtimeMs}`
    }
    return undefined
  }
}

function follow(
  stream: NodeJS.ReadableStream | null,
  name: 'stdout' | 'stderr',
  tail: string[],
  step: { say(line: string, stream?: 'stdout' | 'stderr'): void },
  { quiet }: ExecOptions,
): void {
  let rest = ''
  const take = (line: string): void => {
    tail.push(line)
    if (tail.length > tailLines) tail.shift()
    if (!quiet) step.say(line, name)
  }
  stream?.on('data', (chunk: Buffer | string) => {
    const lines = (rest + chunk.toString()).split(/\r?\n/)
    rest = lines.pop() ?? ''
    for (const line of lines) take(line)
  })
  stream?.on('end', () => {
    if (rest !== '') take(rest)
  })
}

/** The words as they can be pasted into a POSIX shell. */
export function shellWords(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ')
}

/** Variables that programs get: enough to find their parts and the way out, no secrets of the caller's shell. */
export function programEnv(
  env: Readonly<Record<string, string | undefined>>,
  tools: Readonly<Record<string, string>>,
  engine: string,
): Record<string, string> {
  const passed =
    /^(PATH|HOME|USER|LANG|LC_.*|TERM|TMPDIR|XDG_.*|DOCKER_(CONFIG|CERT_PATH|TLS_VERIFY)|SSH_AUTH_SOCK|SSL_CERT_.*|(HTTPS?|NO|ALL)_PROXY|(https?|no|all)_proxy|HELM_.*|KUSTOMIZE_.*|KIND_.*|BUILDKIT_.*|BUILDX_.*)$/
  const kept = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && passed.test(entry[0]))
  const directories = [...new Set(Object.values(tools).map((path) => join(path, '..')))]
  return {
    ...Object.fromEntries(kept),
    PATH: [...directories, env['PATH'] ?? ''].join(':'),
    DOCKER_HOST: engine,
    DOCKER_CLI_HINTS: 'false',
  }
}
