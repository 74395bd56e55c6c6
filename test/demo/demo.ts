/**
 * `npm run demo`: the main job on the flagship, from whatever this machine has to a page that shows a save.
 * `npm run demo -- --down` removes all of it.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { answers } from '../lab/engine.ts'
import { labIsMade, labStopIfIdle, labUp, machineProblem } from '../lab/lab.ts'
import { placesOf } from '../lab/places.ts'
import { LabProblem } from '../lab/run.ts'
import { settingsAreOthers } from '../lab/settings.ts'

const root = join(import.meta.dirname, '../..')
const places = placesOf(process.env)
const scratch = join(process.env['XDG_STATE_HOME'] || join(homedir(), '.local/state'), 'devkit-demo')
/** Says that the demo started the lab's engine, so that `--down` stops it. */
const startedEngine = join(scratch, 'started-the-engine')
/** An environment of its own in the flagship's cluster, so that the repository's own files are never edited. */
const demoEnv = 'demo'
/** Tests give it another project, and so another cluster: a person's demo stays as it is. */
const project = process.env['DEVKIT_DEMO_PROJECT'] || 'guestbook'
const bin = join(root, 'dist/bin.js')

const interrupt = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(name, () =>
    interrupt.abort(new LabProblem('Interrupted.', 'Run `npm run demo` again, or `npm run demo -- --down`.')),
  )
const say = (line: string): void => void process.stderr.write(`${line}\n`)

try {
  if (process.argv.includes('--down')) await down()
  else await demo()
} catch (thrown) {
  if (!(thrown instanceof LabProblem)) throw thrown
  say(`${thrown.message}\n→ ${thrown.hint}`)
  process.exitCode = interrupt.signal.aborted ? 130 : thrown.exitCode
}

async function demo(): Promise<void> {
  mkdirSync(scratch, { recursive: true })
  await prepare()
  say(
    `The demo copies the example to ${scratch}, makes the kind cluster devkit-${project} and brings the stack up: about a minute.`,
  )
  copyFlagship()
  await devkit(['up'])
  const page = pageOf(
    execFileSync(process.execPath, [bin, 'status', '--json', '--env', demoEnv], { cwd: scratch, encoding: 'utf8' }),
  )
  say(`\n${page} says: ${await answering(page)}`)
  const { inContainer, served } = await oneSave(page)
  say(`\nOne save: in the container after ${inContainer} ms, on the page after ${served} ms.`)
  say(`\nThe stack stays up at ${page}. Try:`)
  say(`  cd ${scratch}`)
  say(`  ${process.execPath} ${bin} watch --env ${demoEnv}     and change examples/django/web/src/guestbook/greeting.py`)
  say(`  ${process.execPath} ${bin} status --env ${demoEnv}`)
  say('  npm run demo -- --down               removes all of it')
}

function pageOf(status: string): string {
  const { services } = JSON.parse(status) as { services: { name: string; url?: string }[] }
  const url = services.find(({ name }) => name === 'web')?.url
  if (url === undefined) throw new LabProblem('The stack is up but has no URL.', `Run \`devkit status\` in ${scratch}.`)
  return url
}

/** An engine, kind and a node image: those that the settings file names, else those of the machine, else the lab's. */
async function prepare(): Promise<void> {
  if (settingsAreOthers(places.settings)) say(`Using what ${places.settings} names.`)
  else if (labIsMade(places)) await bringLabUp()
  else {
    const missing = missingOnMachine()
    if (missing.length === 0) say('Using the Docker engine and kind of this machine.')
    else {
      const problem = machineProblem()
      if (problem && !missing.includes('a Docker engine'))
        throw new LabProblem(`This machine has a Docker engine, but lacks: ${missing.join(', ')}.`, problem.hint, 2)
      say(`This machine lacks: ${missing.join(', ')}. The lab brings its own, beside everything that is there.`)
      await bringLabUp()
    }
  }
  say(`${existsSync(bin) ? 'Bringing devkit up to date' : 'Building devkit'} (a few seconds) …`)
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
}

async function bringLabUp(): Promise<void> {
  if (!(await answers(places))) writeFileSync(startedEngine, '')
  await labUp({ say, signal: interrupt.signal }, places)
}

/** What the demo needs and the machine does not have, in words. */
function missingOnMachine(): readonly string[] {
  const works = (...[file, ...args]: [string, ...string[]]): boolean => {
    try {
      return execFileSync(file, args, { stdio: ['ignore', 'pipe', 'ignore'], timeout: 60_000 }).length > 0
    } catch {
      return false
    }
  }
  const base = 'debian:bookworm-slim'
  if (!works('docker', 'version', '--format', '{{.Server.Version}}')) return ['a Docker engine']
  const buildx = works('docker', 'buildx', 'version')
  const registry = buildx && works('docker', 'buildx', 'imagetools', 'inspect', base)
  return [
    ...(works('kind', 'version') ? [] : ['the kind program']),
    ...(buildx ? [] : ['Docker’s buildx']),
    ...(registry || works('docker', 'image', 'inspect', base) ? [] : [`the image ${base}, or a registry to pull it from`]),
    ...(registry || works('docker', 'images', '--quiet', 'kindest/node')
      ? []
      : ['kind’s node image, or a registry to pull it from']),
  ]
}

function copyFlagship(): void {
  rmSync(join(scratch, 'examples'), { recursive: true, force: true })
  cpSync(join(root, 'examples/django'), join(scratch, 'examples/django'), { recursive: true })
  const config = readFileSync(join(root, 'devkit.config.ts'), 'utf8')
  writeFileSync(join(scratch, 'devkit.config.ts'), config.replace("project: 'guestbook'", `project: '${project}'`))
}

async function down(): Promise<void> {
  const stopsEngine = existsSync(startedEngine)
  const wasUp = existsSync(join(scratch, 'devkit.config.ts'))
  if (wasUp) {
    // an engine that was stopped meanwhile still holds the cluster
    if (!settingsAreOthers(places.settings) && labIsMade(places)) await labUp({ say, signal: interrupt.signal }, places)
    if (!existsSync(bin)) execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
    await devkit(['down', '--yes'])
  }
  rmSync(scratch, { recursive: true, force: true })
  if (stopsEngine) await labStopIfIdle({ say, signal: interrupt.signal }, places)
  say(wasUp ? 'Nothing of the demo is left.' : 'There is no demo to remove.')
  if (labIsMade(places)) say(`The lab stays in ${places.cache} for the next time; \`npm run lab -- clean\` removes it.`)
}

function devkit(args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [bin, ...args, '--env', demoEnv], {
    cwd: scratch,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  return ended(child, args.join(' '))
}

function ended(child: ChildProcess, name: string): Promise<void> {
  interrupt.signal.addEventListener('abort', () => child.kill('SIGINT'), { once: true })
  return new Promise((resolve, reject) => {
    child.once('close', (code) =>
      code === 0
        ? resolve()
        : reject(new LabProblem(`devkit ${name} ended with ${code}.`, 'Mend what it says above and run `npm run demo` again.')),
    )
  })
}

/** One save under `devkit watch`: ms until the container has it, and until the page shows it. */
async function oneSave(page: string): Promise<{ readonly inContainer: number; readonly served: number }> {
  const child = spawn(process.execPath, [bin, 'watch', '--json', '--env', demoEnv], {
    cwd: scratch,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const end = ended(child, 'watch')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const until = async (fits: (event: { type: string; [field: string]: unknown }) => boolean): Promise<void> => {
    for (;;) {
      const { done, value } = await lines.next()
      if (done) throw new LabProblem('devkit watch ended too soon.', 'Run it by hand in the directory of the demo.')
      if (fits(JSON.parse(value) as { type: string })) return
    }
  }
  await until(({ type, reason }) => type === 'action' && String(reason).startsWith('watching'))
  const file = join(scratch, 'examples/django/web/src/guestbook/greeting.py')
  const save = async (text: string): Promise<{ inContainer: number; served: number }> => {
    const began = performance.now()
    writeFileSync(file, readFileSync(file, 'utf8').replace(/GREETING = .*/, `GREETING = "${text}"`))
    // what an earlier demo left in the container is synced at the start of watch: only a sync after the save counts
    await until(({ type, paths }) => type === 'files.changed' && String(paths).includes('greeting.py'))
    await until(({ type, service }) => type === 'synced' && service === 'web')
    const inContainer = Math.round(performance.now() - began)
    for (const deadline = Date.now() + 60_000; (await heading(page).catch(() => '')) !== text; ) {
      interrupt.signal.throwIfAborted()
      if (Date.now() > deadline)
        throw new LabProblem(`The save is not on ${page} after a minute.`, `Run \`devkit watch\` in ${scratch}.`)
    }
    return { inContainer, served: Math.round(performance.now() - began) }
  }
  // the first save opens the stream; the second is what every later one is like
  await save('A first save')
  const result = await save('Saved a moment ago')
  child.kill('SIGINT')
  await end
  return result
}

/** What the page says, once the node's rules lead to the pod that has just become ready. @throws LabProblem after 30 s */
async function answering(page: string): Promise<string> {
  for (const deadline = Date.now() + 30_000; ; await delay(50, undefined, { signal: interrupt.signal })) {
    try {
      return await heading(page)
    } catch (cause) {
      interrupt.signal.throwIfAborted()
      if (Date.now() > deadline)
        throw new LabProblem(`The stack is up, but ${page} does not answer: ${cause}.`, `Run \`devkit status\` in ${scratch}.`)
    }
  }
}

async function heading(page: string): Promise<string> {
  const answer = await fetch(page, { signal: AbortSignal.any([interrupt.signal, AbortSignal.timeout(10_000)]) })
  return /<h1>(.*?)<\/h1>/.exec(await answer.text())?.[1] ?? ''
}
