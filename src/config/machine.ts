import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import * as v from 'valibot'
import { DevkitError } from '../lib/errors.ts'

/** The variables of the process that started devkit. */
export type Env = Readonly<Record<string, string | undefined>>

/** What is known of this machine beyond what can be found out. Nothing in it is needed on an ordinary laptop. */
export interface Machine {
  /** The settings file that was read, or would be. */
  readonly file: string
  readonly found: boolean
  /** Address of the container engine: `unix://…` or `tcp://…`. */
  readonly engine: string | undefined
  /** Absolute paths of programs; those absent are looked for on PATH. */
  readonly tools: Readonly<Record<string, string>>
  /** Image for the nodes of clusters that the config says nothing about. */
  readonly nodeImage: string | undefined
  /** Registry host, or `_default` for all others, → address that the nodes ask first. */
  readonly mirrors: Readonly<Record<string, string>>
  /** Directory of devkit's own state: kubeconfigs, host ports, leases. */
  readonly stateDirectory: string
}

/** Where the settings file is: `$DEVKIT_MACHINE`, else `machine.json` in the XDG config directory. */
function machineFile(env: Env): string {
  return env['DEVKIT_MACHINE'] || join(env['XDG_CONFIG_HOME'] || join(homeOf(env), '.config'), 'devkit', 'machine.json')
}

/** A machine of which nothing is known beyond what can be found out. */
export function plainMachine(env: Env): Machine {
  return {
    file: machineFile(env),
    found: false,
    engine: undefined,
    tools: {},
    nodeImage: undefined,
    mirrors: {},
    stateDirectory: join(env['XDG_STATE_HOME'] || join(homeOf(env), '.local', 'state'), 'devkit'),
  }
}

/** Reads the machine's settings file. One that is not there is fine. @throws CONFIG-201 */
export async function loadMachine(env: Env): Promise<Machine> {
  const plain = plainMachine(env)
  const { file } = plain
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT' && !env['DEVKIT_MACHINE']) return plain
    throw new DevkitError('CONFIG-201', {
      message: `The machine settings file ${file} cannot be read: ${(cause as Error).message}.`,
      hint: 'Mend the file, or unset DEVKIT_MACHINE.',
      cause,
    })
  }
  const settings = parse(text, file)
  return {
    ...plain,
    found: true,
    engine: settings.engine,
    tools: settings.tools,
    nodeImage: settings.nodeImage,
    mirrors: settings.mirrors,
  }
}

function parse(text: string, file: string) {
  const some = v.pipe(v.string(), v.minLength(1))
  const registry = v.pipe(some, v.regex(/^(?:_default|[A-Za-z0-9.-]+(?::\d+)?)$/, 'HOST or HOST:PORT of a registry, or _default'))
  const mirror = v.pipe(
    some,
    v.regex(/^(?:https?:\/\/)?[A-Za-z0-9.-]+(?::\d+)?(?:\/[\w./-]*)?$/, 'http://HOST, https://HOST or HOST'),
  )
  const schema = v.strictObject({
    writtenBy: v.optional(v.string()),
    engine: v.optional(v.pipe(some, v.regex(/^(unix|tcp|npipe):\/\//, 'unix://PATH or tcp://HOST:PORT'))),
    tools: v.optional(
      v.strictObject({
        docker: v.optional(some),
        kind: v.optional(some),
        buildx: v.optional(some),
        helm: v.optional(some),
        kubectl: v.optional(some),
        kustomize: v.optional(some),
      }),
      {},
    ),
    nodeImage: v.optional(some),
    mirrors: v.optional(v.record(registry, mirror), {}),
  })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new DevkitError('CONFIG-201', {
      message: `The machine settings file ${file} is not JSON: ${(cause as Error).message}.`,
      hint: 'Mend the file.',
      cause,
    })
  }
  const result = v.safeParse(schema, value)
  if (result.success)
    return {
      ...result.output,
      tools: Object.fromEntries(Object.entries(result.output.tools).filter(([, path]) => path !== undefined)) as Record<
        string,
        string
      >,
    }
  const lines = result.issues.map((issue) => `${v.getDotPath(issue) ?? '(file)'}: ${issue.message}`)
  throw new DevkitError('CONFIG-201', {
    message: `The machine settings file ${file} has wrong values: ${lines.join('; ')}.`,
    hint: 'Mend the file; `devkit config --machine` shows what devkit reads.',
  })
}

function homeOf(env: Env): string {
  return env['HOME'] || homedir()
}
