/**
 * The lab: a bare Debian 12 machine → Docker engine, kind, a node image, a base image for the examples.
 * Run as `npm run lab -- [up|status|down|clean]`; imported by the demo and the tests.
 *
 *   packages ─► engine programs ─► engine ─┬────────────────────────► node image ─► settings file
 *            └► root file system ──────────┤                       ▲
 *               base image ────────────────┘   Go programs ────────┘
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { arch } from 'node:os'
import { join } from 'node:path'
import { answers, engineEnv, enginePid, startEngine, stopEngine } from './engine.ts'
import { locked } from './lock.ts'
import { type Places, placesOf } from './places.ts'
import { endProcesses, processesWithEnv } from './processes.ts'
import { baseImage, nodeImage, recipeDirectory, recipeKey } from './recipe.ts'
import { LabProblem, run, type Voice } from './run.ts'
import { checkSettings, type MachineSettings, removeSettings, settingsFor, writeSettings } from './settings.ts'

/** Expected seconds of each step on 2 cores with nothing there yet, for the time left. */
const expectedSeconds = { 'Debian packages': 25, 'engine programs': 15, 'Go toolchain': 40, hyperkube: 330, etcd: 25, coredns: 90, localpath: 10, helm: 60, pause: 1, 'root file system': 45, 'base image file': 40, engine: 3, 'node image': 50, 'base image': 5 } // biome-ignore format: one row
type StepName = keyof typeof expectedSeconds

const packages = {
  runc: 'runc',
  iptables: 'iptables',
  mmdebstrap: 'mmdebstrap',
  ip: 'iproute2',
  gcc: 'gcc',
  sysctl: 'procps',
} as const
const goPrograms = ['hyperkube', 'coredns', 'helm', 'etcd', 'localpath', 'pause'] as const

/** Brings the lab up: everything that is there already stays, everything else is made. The engine runs on after this process. */
export async function labUp(
  voice: Voice,
  places: Places = placesOf(process.env),
  { recipe = recipeDirectory, machine }: LabOptions = {},
): Promise<MachineSettings> {
  const key = recipeKey(recipe)
  const at = layout(places, key)
  const settings = settingsFor(places, at.engine, at.programs)
  checkSettings(places.settings)
  if (await ready(places, at, key)) {
    writeSettings(places.settings, settings)
    return settings
  }
  const problem = machineProblem(machine)
  if (problem) throw problem
  return locked(join(places.cache, 'lock'), 'Another run of the lab', voice, async () => {
    await build({ places, at, key, recipe, voice })
    writeSettings(places.settings, settings)
    return settings
  })
}

/** What tests set in the lab's place: other scripts, another machine. */
export interface LabOptions {
  readonly recipe?: string
  readonly machine?: MachineFacts
}

/** A run of the lab. */
interface Making {
  readonly places: Places
  readonly at: Layout
  readonly key: string
  readonly recipe: string
  readonly voice: Voice
}

interface Layout {
  readonly engine: string
  readonly programs: string
  readonly work: string
  /** Temp files of all steps: a step that was killed leaves them, the next run removes them. */
  readonly temp: string
  /** Written last: everything that takes long is made. */
  readonly done: string
  readonly rootfs: string
  readonly base: string
}

function layout(places: Places, key: string): Layout {
  const at = (name: string): string => join(places.cache, name)
  return {
    engine: at('engine-programs'),
    programs: at(`programs-${key}`),
    work: at('work'),
    temp: at('work/tmp'),
    done: at(`programs-${key}/images-done`),
    rootfs: at(`rootfs-${key}.tar`),
    base: at(`base-${key}.tar`),
  }
}

async function ready(places: Places, at: Layout, key: string): Promise<boolean> {
  return (
    existsSync(at.done) &&
    (await answers(places)) &&
    (await imageKey(places, at, nodeImage)) === key &&
    (await imageKey(places, at, baseImage)) === key
  )
}

/** Key of the recipe that an image of the lab's engine was made by. */
async function imageKey(places: Places, at: Layout, image: string): Promise<string | undefined> {
  const format = '{{index .Config.Labels "dev.devkit.lab"}}'
  const inspect = run(
    [join(at.engine, 'bin/docker'), 'image', 'inspect', '--format', format, image],
    { signal: AbortSignal.timeout(20_000) },
    { env: engineEnv(places, at.engine) },
  )
  return inspect.then(
    (text) => text.trim(),
    (cause: Error) => {
      // an engine that is slow is no reason to make its images again
      if (/no such image/i.test(cause.message) || !(cause instanceof LabProblem)) return undefined
      throw cause
    },
  )
}

async function build(making: Making): Promise<void> {
  const { places, at, key, recipe, voice } = making
  await endDeadRun(places, at, voice)
  mkdirSync(at.temp, { recursive: true })
  const missing = missingPackages()
  const todo = new Set<StepName>(['engine'])
  if (missing.length > 0) todo.add('Debian packages')
  if (!existsSync(join(at.engine, 'bin/kind'))) todo.add('engine programs')
  const go = goProgram(at.work)
  const compiled = goPrograms.filter((name) => !existsSync(join(at.programs, name)))
  if (!go.there && compiled.length > 0) todo.add('Go toolchain')
  for (const name of compiled) todo.add(name)
  const running = await answers(places)
  if (!running || (await imageKey(places, at, nodeImage)) !== key) todo.add('node image')
  if (!running || (await imageKey(places, at, baseImage)) !== key) todo.add('base image')
  // with the engine down only its own data tells whether the images are there: then ask again when it runs
  const imagesMayBeThere = !running && existsSync(at.done)
  if (todo.has('node image') && !imagesMayBeThere && !existsSync(at.rootfs)) todo.add('root file system')
  if (todo.has('base image') && !imagesMayBeThere && !existsSync(at.base)) todo.add('base image file')
  if (imagesMayBeThere) for (const name of ['node image', 'base image'] as const) todo.delete(name)
  announce(places, todo, missing, voice)
  const progress = new Progress(todo, voice)
  const script = (step: StepName, argv: readonly [string, ...string[]], env?: Record<string, string>): Promise<void> =>
    progress.step(step, async () => {
      await run([join(recipe, argv[0]), ...argv.slice(1)], voice, {
        env: { ...(env ?? process.env), TMPDIR: at.temp, [stepMark]: places.cache },
        log: join(at.work, `${step.replaceAll(' ', '-')}.log`),
      })
    })

  if (todo.has('Debian packages')) await progress.step('Debian packages', () => installPackages(missing, at, voice))
  if (todo.has('engine programs')) {
    rmSync(at.engine, { recursive: true, force: true })
    await script('engine programs', ['engine-programs.sh', at.engine, at.work])
  }
  await progress.step('engine', () => startEngine(places, at.engine, voice))
  if (imagesMayBeThere) {
    // the engine's data was lost without the programs: make what is missing now
    if ((await imageKey(places, at, nodeImage)) === key && (await imageKey(places, at, baseImage)) === key) return
    rmSync(at.done, { force: true })
    return build(making)
  }

  // two lanes: the compiler keeps both cores busy, the other waits for the network most of the time
  const compile = async (): Promise<void> => {
    if (todo.has('Go toolchain')) await script('Go toolchain', ['go-toolchain.sh', go.home, at.work])
    for (const name of goPrograms)
      if (todo.has(name)) {
        // whole or not there: a compiler that was killed leaves half a program
        await script(name, ['program.sh', name, join(at.programs, `${name}.new`), at.work, go.program])
        renameSync(join(at.programs, `${name}.new`), join(at.programs, name))
      }
    rmSync(join(at.programs, 'kubectl'), { force: true })
    symlinkSync('hyperkube', join(at.programs, 'kubectl'))
  }
  const unpack = async (): Promise<void> => {
    if (todo.has('root file system')) await script('root file system', ['rootfs.sh', at.rootfs])
    if (todo.has('base image file')) await script('base image file', ['base-image.sh', at.base, at.work])
    if (todo.has('base image')) await progress.step('base image', () => importBase(places, at, key, voice))
  }
  await both(compile(), unpack())
  if (todo.has('node image'))
    await script('node image', ['node-image.sh', at.rootfs, at.programs, at.engine, nodeImage, key], engineEnv(places, at.engine))
  // only the finished programs and images are kept: the compiler's caches are several times their size
  for (const spent of ['go-build', 'go-mod', 'source', 'archives', 'tmp'])
    rmSync(join(at.work, spent), { recursive: true, force: true })
  rmSync(at.rootfs, { force: true })
  rmSync(at.base, { force: true })
  writeFileSync(at.done, '')
}

/** Mark of the scripts that a run starts, in their environment: its value is the lab's cache. */
export const stepMark = 'DEVKIT_LAB_STEP'

/**
 * Ends what a run that was killed left: its scripts, which would write into the same files, what they mounted, their temp files. Called by
 * the one that holds the lock, so all that is marked belongs to nobody.
 */
export async function endDeadRun(places: Places, at: Pick<Layout, 'work' | 'temp'>, { say, signal }: Voice): Promise<void> {
  const left = processesWithEnv(`${stepMark}=${places.cache}`)
  if (left.length > 0) say(`Ending ${left.length} processes of a run that was killed.`)
  await endProcesses(left, signal)
  await unmountBelow(at.work, signal)
  rmSync(at.temp, { recursive: true, force: true })
}

/** Without this a removal would go on into what is mounted: a half-made file system has the machine's /sys in it. */
async function unmountBelow(directory: string, signal: AbortSignal): Promise<void> {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => (line.split(' ')[1] ?? '').replaceAll('\\040', ' '))
    .filter((path) => path.startsWith(`${directory}/`))
  for (const mount of mounts.reverse()) await run(['umount', '--lazy', mount], { signal })
}

/** Both to their end, then the first failure: a lane that still runs is not left behind. */
async function both(...lanes: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(lanes)).find((lane) => lane.status === 'rejected')
  if (failed) throw failed.reason
}

async function importBase(places: Places, at: Layout, key: string, voice: Voice): Promise<void> {
  const changes = [
    `LABEL dev.devkit.lab=${key}`,
    'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt',
    'CMD ["bash"]',
  ].flatMap((change) => ['--change', change])
  await run([join(at.engine, 'bin/docker'), 'import', ...changes, at.base, baseImage], voice, {
    env: engineEnv(places, at.engine),
  })
}

/** What counts of a machine for whether the lab can be made on it. */
export interface MachineFacts {
  /** Content of /etc/os-release; empty where there is none. */
  readonly release: string
  /** As Node names it. */
  readonly architecture: string
  readonly uid: number | undefined
}

function machineFacts(): MachineFacts {
  let release = ''
  try {
    release = readFileSync('/etc/os-release', 'utf8')
  } catch {
    // no Linux
  }
  return { release, architecture: arch(), uid: process.getuid?.() }
}

/** Why the lab cannot be made on this machine, with the choices that there are. */
export function machineProblem({ release, architecture, uid }: MachineFacts = machineFacts()): LabProblem | undefined {
  const choices =
    'Choose one: install Docker (or Colima, or Docker Desktop) and kind, and start the engine; name them in the settings file that `devkit config --machine` shows; or run this as root on Debian 12 (x86-64).'
  if (!/^ID=debian$/m.test(release) || !/^VERSION_ID="?12"?$/m.test(release) || architecture !== 'x64')
    return new LabProblem(
      'No container engine answers here, and the lab that would bring one needs Debian 12 on x86-64.',
      choices,
      2,
    )
  if (uid !== 0) return new LabProblem('No container engine answers here, and only root can start the lab’s own.', choices, 2)
  return undefined
}

function missingPackages(): readonly string[] {
  const missing = Object.entries(packages).filter(([program]) => !onPath(program))
  return [...new Set(missing.map(([, name]) => name))]
}

function onPath(program: string): string | undefined {
  return [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin']
    .map((directory) => join(directory, program))
    .find((file) => existsSync(file))
}

async function installPackages(missing: readonly string[], at: Layout, voice: Voice): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  // mends what an installation that was killed left, and does nothing else
  await run(['dpkg', '--configure', '-a'], voice, { env, log: join(at.work, 'dpkg.log') })
  await run(['apt-get', '-qq', 'update'], voice, { env, log: join(at.work, 'apt-update.log') })
  await run(
    // the apt-get of a run that was killed goes on: it is waited for
    [
      'apt-get',
      '-qq',
      '-o',
      'DPkg::Lock::Timeout=300',
      'install',
      '-y',
      '--no-install-recommends',
      ...missing,
      ...(missing.includes('gcc') ? ['libc6-dev'] : []),
    ],
    voice,
    { env, log: join(at.work, 'apt-install.log') },
  )
}

/** The machine's Go when it is 1.24 or newer, else the place of the lab's own. */
export function goProgram(work: string): { program: string; home: string; there: boolean } {
  const home = join(work, 'go-toolchain')
  const own = join(home, 'bin/go')
  const system = onPath('go')
  if (system !== undefined) {
    const [, minor] =
      /go1\.(\d+)/.exec(
        execFileSync(system, ['env', 'GOVERSION'], { encoding: 'utf8', env: { ...process.env, GOTOOLCHAIN: 'local' } }),
      ) ?? []
    if (Number(minor) >= 24) return { program: system, home, there: true }
  }
  return { program: own, home, there: existsSync(own) }
}

function announce(places: Places, todo: ReadonlySet<StepName>, missing: readonly string[], { say }: Voice): void {
  if (todo.size === 1) {
    say('Starting the lab’s engine; everything else is there (about 3 s).')
    return
  }
  const minutes = Math.max(1, Math.round(expected(todo) / 60))
  say(`The lab makes a container engine, kind and a node image in ${places.cache}.`)
  if (missing.length > 0) say(`  apt-get installs: ${missing.join(', ')} (about ${missing.includes('gcc') ? 50 : 15} MB)`)
  const downloads = [todo.has('Go toolchain') && 'Go from Debian sid (90 MB)', todo.has('engine programs') && 'Docker and kind from Debian (120 MB)', todo.has('hyperkube') && 'the sources of Kubernetes, etcd, CoreDNS and helm as Go modules (700 MB, removed afterwards)', todo.has('root file system') && 'a Debian root file system (80 MB)', todo.has('base image file') && 'a small Debian (40 MB)'].filter(Boolean) // biome-ignore format: a list
  if (downloads.length > 0) say(`  downloads: ${downloads.join('; ')}`)
  say(`  makes: ${[...todo].join(', ')}`)
  say(
    `  expected: about ${minutes} min on 2 cores, 5 GB of disk while it builds, 2.5 GB afterwards. It can be interrupted; the next run goes on from there.`,
  )
}

function expected(steps: Iterable<StepName>): number {
  return [...steps].reduce((sum, step) => sum + expectedSeconds[step], 0)
}

/** Says when a step begins and ends, and how much is left. */
class Progress {
  readonly #left: Set<StepName>
  readonly #many: boolean
  readonly #voice: Voice
  constructor(todo: ReadonlySet<StepName>, voice: Voice) {
    this.#left = new Set(todo)
    this.#many = todo.size > 1
    this.#voice = voice
  }

  async step(name: StepName, work: () => Promise<void>): Promise<void> {
    const began = Date.now()
    if (this.#many) this.#voice.say(`… ${name} (about ${expectedSeconds[name]} s)`)
    // a line every half minute, so that nobody takes a long compilation for a hang
    const heart = setInterval(
      () =>
        this.#voice.say(
          `… ${name}: ${Math.round((Date.now() - began) / 1000)} s so far, about ${minutes(expected(this.#left) - Math.min((Date.now() - began) / 1000, expectedSeconds[name]))} left in all`,
        ),
      30_000,
    )
    try {
      await work()
    } finally {
      clearInterval(heart)
    }
    this.#left.delete(name)
    if (this.#many)
      this.#voice.say(
        `✓ ${name} in ${((Date.now() - began) / 1000).toFixed(1)} s${this.#left.size > 0 ? `; about ${minutes(expected(this.#left))} left` : ''}`,
      )
  }
}

function minutes(seconds: number): string {
  return seconds < 90 ? `${Math.max(5, Math.round(seconds))} s` : `${Math.round(seconds / 60)} min`
}

/** What is there, for people. */
export async function labStatus(places: Places = placesOf(process.env)): Promise<readonly string[]> {
  const key = recipeKey()
  const at = layout(places, key)
  const running = await answers(places)
  const image = async (name: string): Promise<string> =>
    !running ? 'unknown, the engine is down' : (await imageKey(places, at, name)) === key ? 'there' : 'missing'
  return [
    `cache     ${places.cache} (${existsSync(at.programs) ? 'programs of this recipe there' : 'no programs of this recipe'})`,
    `engine    ${running ? `running, pid ${enginePid(places)}` : 'down'}`,
    `node      ${nodeImage}: ${await image(nodeImage)}`,
    `base      ${baseImage}: ${await image(baseImage)}`,
    `settings  ${places.settings}: ${existsSync(places.settings) ? 'there' : 'missing'}`,
  ]
}

/** Ends the engine with everything in it; caches and the settings file stay. */
export async function labDown(voice: Voice, places: Places = placesOf(process.env)): Promise<void> {
  await locked(join(places.cache, 'lock'), 'Another run of the lab', voice, () => stopEngine(places, voice))
}

/** Whether everything that takes long is made; the engine may be down. */
export function labIsMade(places: Places = placesOf(process.env)): boolean {
  return existsSync(layout(places, recipeKey()).done)
}

/** Stops the engine unless something else than devkit's leftovers runs in it. */
export async function labStopIfIdle(voice: Voice, places: Places = placesOf(process.env)): Promise<void> {
  const at = layout(places, recipeKey())
  const options = { env: engineEnv(places, at.engine) }
  const containers = (await answers(places)) ? await run([join(at.engine, 'bin/docker'), 'ps', '--quiet'], voice, options) : ''
  if (containers.trim() !== '') voice.say('The lab’s engine stays up: other containers run in it.')
  else await labDown(voice, places)
}

/** Removes all that the lab made, but for Debian's packages. */
export async function labClean(voice: Voice, places: Places = placesOf(process.env)): Promise<void> {
  await labDown(voice, places)
  removeSettings(places.settings)
  await unmountBelow(places.cache, voice.signal)
  rmSync(places.cache, { recursive: true, force: true })
}

async function main(verb: string): Promise<void> {
  const interrupt = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(name, () => interrupt.abort(new LabProblem('Interrupted.', 'The next run goes on from here.')))
  const voice: Voice = { say: (line) => void process.stderr.write(`${line}\n`), signal: interrupt.signal }
  try {
    const began = Date.now()
    if (verb === 'up') {
      const settings = await labUp(voice)
      process.stderr.write(
        `The lab is up after ${((Date.now() - began) / 1000).toFixed(1)} s: engine ${settings.engine}, node image ${settings.nodeImage}.\n`,
      )
    } else if (verb === 'status') process.stdout.write(`${(await labStatus()).join('\n')}\n`)
    else if (verb === 'down') await labDown(voice)
    else if (verb === 'clean') await labClean(voice)
    else throw new LabProblem(`The lab does not know '${verb}'.`, 'Say up, status, down or clean.', 2)
  } catch (thrown) {
    if (!(thrown instanceof LabProblem)) throw thrown
    process.stderr.write(`${thrown.message}\n→ ${thrown.hint}\n`)
    process.exitCode = interrupt.signal.aborted ? 130 : thrown.exitCode
  }
}

if (import.meta.main) await main(process.argv[2] ?? 'up')
