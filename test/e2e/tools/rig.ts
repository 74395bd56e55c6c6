import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Ajv } from 'ajv'
import { afterAll, beforeAll, inject } from 'vitest'
import { placesOf } from '../../lab/places.ts'
import type { Files } from './app.ts'
import { type AnyEvent, devkit, type Run } from './devkit.ts'

/** How a devkit that has ended came out. */
export interface Ended {
  readonly code: number
  readonly events: readonly AnyEvent[]
  /** Failures and warnings among the events. */
  readonly problems: readonly AnyEvent[]
  readonly stderr: string
}

/** What a run may differ in from the rig's own. */
export interface RunOptions {
  /** Default: the rig's project directory. */
  readonly cwd?: string
  /** Laid over the rig's environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Numeric user and group to run as. */
  readonly uid?: number
}

/** A place for the tests of one file: a project, a home of its own, the packed program on the lab. What it makes carries its project's name. */
export interface Rig {
  readonly project: string
  readonly cluster: string
  /** Name of the node's container. */
  readonly node: string
  /** Everything that is made on disk is below it: home, state, temp files, projects. */
  readonly scratch: string
  /** The project's directory. Its path has a space in it. */
  readonly directory: string
  readonly env: NodeJS.ProcessEnv
  /** The packed program. */
  readonly bin: string
  /** Starts `devkit … --json`. */
  start(args: readonly string[], options?: RunOptions): Run
  /** Runs `devkit … --json` to its end. */
  end(args: readonly string[], options?: RunOptions): Promise<Ended>
  /** Runs `devkit …` as a person would, without a terminal. */
  text(args: readonly string[], options?: RunOptions): { readonly code: number; readonly stdout: string; readonly stderr: string }
  /** The one document of a query verb with `--json`, e.g. of `status`. */
  query(args: readonly string[], options?: RunOptions): unknown
  write(path: string, text: string, mode?: number): void
  read(path: string): string
  writeAll(files: Files): void
  docker(...args: readonly string[]): string
  /** kubectl in the node, in the project's namespace. */
  kubectl(...args: readonly string[]): string
  /** The same, with a text on its stdin, e.g. for `apply -f -`. */
  kubectlWith(stdin: string, ...args: readonly string[]): string
  /** Asks until the answer contains `text`. @throws with the last answer after `ms` */
  fetchSaying(url: string, text: string, ms?: number): Promise<string>
  /** Ids of processes that were started in this rig's environment and still run. */
  processes(): readonly number[]
  /** What is left of the project in the engine: containers, volumes, images, by name. */
  leftInEngine(): readonly string[]
}

/** A rig for the tests of a file, made before them and removed after them. Call it at the top of the file, once for each project. */
export function useRig(project: string, files: Files): Rig {
  const [bin, lab] = [inject('bin'), inject('lab')]
  const scratch = mkdtempSync(join(tmpdir(), `devkit-${project}-`))
  const directory = join(scratch, 'project with a space')
  const home = join(scratch, 'home')
  const temp = join(scratch, 'tmp')
  const env: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    HOME: home,
    TMPDIR: temp,
    DEVKIT_TEST: scratch,
    DEVKIT_MACHINE: placesOf(process.env).settings,
  }
  const cluster = `devkit-${project}`
  const node = `${cluster}-control-plane`
  const violations: string[] = []
  const open = new Set<Run>()
  const programs = { ...process.env, DOCKER_HOST: lab.engine, PATH: `${dirname(lab.tools.docker)}:${process.env['PATH']}` }
  const call = (file: string, args: readonly string[], stdin?: string): string =>
    execFileSync(file, args, {
      encoding: 'utf8',
      env: programs,
      timeout: 120_000,
      maxBuffer: 1 << 28,
      ...(stdin === undefined ? {} : { input: stdin }),
      stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
  const environment = (options: RunOptions): NodeJS.ProcessEnv =>
    Object.fromEntries(Object.entries({ ...env, ...options.env }).filter(([, value]) => value !== undefined))

  const rig: Rig = {
    project,
    cluster,
    node,
    scratch,
    directory,
    env,
    bin,
    start(args, options = {}) {
      const run = devkit(bin, args, {
        cwd: options.cwd ?? directory,
        env: environment(options),
        uid: options.uid,
        onEvent: (event) => violations.push(...violationsOf(event)),
      })
      open.add(run)
      void run.exited.then(() => open.delete(run))
      return run
    },
    async end(args, options) {
      await using run = rig.start(args, options)
      const code = await run.exited
      return { code, events: run.events, problems: run.events.filter(({ type }) => type === 'problem'), stderr: run.stderr() }
    },
    text(args, options = {}) {
      const spawnOptions = {
        cwd: options.cwd ?? directory,
        env: environment(options),
        ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
      }
      return runText([bin, ...args], spawnOptions)
    },
    query(args, options) {
      const { code, stdout, stderr } = rig.text([...args, '--json'], options)
      if (code !== 0) throw new Error(`devkit ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`)
      return JSON.parse(stdout)
    },
    write(path, text, mode) {
      mkdirSync(dirname(join(directory, path)), { recursive: true })
      writeFileSync(join(directory, path), text, mode === undefined ? {} : { mode })
    },
    read: (path) => readFileSync(join(directory, path), 'utf8'),
    writeAll(all) {
      for (const [path, text] of Object.entries(all)) rig.write(path, text)
    },
    docker: (...args) => call(lab.tools.docker, args),
    kubectl: (...args) => rig.kubectlWith('', ...args),
    kubectlWith: (stdin, ...args) =>
      call(
        lab.tools.docker,
        ['exec', '-i', node, 'kubectl', '--kubeconfig=/etc/kubernetes/admin.conf', '-n', project, ...args],
        stdin,
      ),
    fetchSaying,
    processes: () => processesWith(scratch),
    leftInEngine() {
      const lines = (text: string): readonly string[] => text.split('\n').filter(Boolean)
      return [
        ...lines(
          call(lab.tools.docker, [
            'ps',
            '-a',
            '--filter',
            `label=io.x-k8s.kind.cluster=${cluster}`,
            '--format',
            'container {{.Names}}',
          ]),
        ),
        ...lines(call(lab.tools.docker, ['volume', 'ls', '--filter', `name=${cluster}`, '--format', 'volume {{.Name}}'])),
        ...lines(
          call(lab.tools.docker, [
            'images',
            '--filter',
            `label=dev.devkit.project=${project}`,
            '--format',
            'image {{.Repository}}:{{.Tag}}',
          ]),
        ),
      ]
    },
  }

  beforeAll(() => {
    for (const path of [directory, home, temp]) mkdirSync(path, { recursive: true })
    rig.writeAll(files)
  })

  afterAll(async () => {
    try {
      for (const run of open) await run[Symbol.asyncDispose]()
      // whatever the tests left of the config, or did not come to: the cluster goes
      for (const name of call(lab.tools.docker, ['ps', '-aq', '--filter', `label=io.x-k8s.kind.cluster=${cluster}`])
        .split('\n')
        .filter(Boolean))
        call(lab.tools.docker, ['rm', '-f', '-v', name])
      const images = call(lab.tools.docker, ['images', '-q', '--filter', `label=dev.devkit.project=${project}`])
      for (const image of new Set(images.split('\n').filter(Boolean))) call(lab.tools.docker, ['rmi', '-f', image])
      for (const pid of rig.processes()) process.kill(pid, 'SIGKILL')
    } finally {
      rmSync(scratch, { recursive: true, force: true })
    }
    if (violations.length > 0) throw new Error(`events against schema/events.json:\n${violations.slice(0, 10).join('\n')}`)
  })

  return rig
}

function runText(argv: readonly string[], options: { cwd: string; env: NodeJS.ProcessEnv; uid?: number; gid?: number }) {
  const { status, signal, stdout, stderr, error } = spawnSync(process.execPath, argv, {
    ...options,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 280_000,
    maxBuffer: 1 << 28,
  })
  if (error) throw error
  return { code: status ?? (signal ? 128 : -1), stdout, stderr }
}

/** Asks until the answer contains `text`, for at most `ms`. */
export async function fetchSaying(url: string, text: string, ms = 30_000): Promise<string> {
  let last = ''
  for (const deadline = Date.now() + ms; Date.now() < deadline; ) {
    last = await fetch(url, { signal: AbortSignal.timeout(5000), headers: { connection: 'close' } })
      .then((answer) => answer.text())
      .catch(String)
    if (last.includes(text)) return last
    await delay(10)
  }
  throw new Error(`${url} does not say '${text}' but:\n${last.slice(-600)}`)
}

function processesWith(mark: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return (
          readFileSync(`/proc/${pid}/environ`, 'utf8').includes(mark) &&
          !/^State:\sZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
        )
      } catch {
        return false
      }
    })
    .map(Number)
}

// dates are checked by the schema's own test
const schema = readFileSync(join(import.meta.dirname, '../../../schema/events.json'), 'utf8')
const validate = new Ajv({ strict: false, validateFormats: false }).compile(JSON.parse(schema) as object)

function violationsOf(event: AnyEvent): readonly string[] {
  if (validate(event)) return []
  return [
    `${JSON.stringify(event).slice(0, 300)}: ${validate.errors?.map(({ instancePath, message }) => `${instancePath} ${message}`).join('; ')}`,
  ]
}
