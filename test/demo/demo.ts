/**
 * `npm run demo`: the main job on the flagship, from whatever this machine has to a page that shows a save.
 * `npm run demo -- --down` removes all of it.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { labDown, labUp } from '../lab/lab.ts'
import { LabProblem } from '../lab/run.ts'

const root = join(import.meta.dirname, '../..')
const scratch = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'devkit-demo')
/** An environment of its own in the flagship's cluster, so that the repository's own files are never edited. */
const demoEnv = 'demo'
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
  await prepare()
  copyFlagship()
  await devkit(['up'])
  const url = execFileSync(process.execPath, [bin, 'status', '--json', '--env', demoEnv], { cwd: scratch, encoding: 'utf8' })
  const { services } = JSON.parse(url) as { services: { name: string; url?: string }[] }
  const page = services.find(({ name }) => name === 'web')?.url ?? ''
  say(`\n${page} says: ${await heading(page)}`)
  const { inContainer, served } = await oneSave(page)
  say(`\nOne save: in the container after ${inContainer} ms, on the page after ${served} ms.`)
  say(`\nThe stack stays up at ${page}. Try:`)
  say(`  cd ${scratch}`)
  say(`  ${process.execPath} ${bin} watch --env ${demoEnv}     and change examples/django/web/src/guestbook/greeting.py`)
  say(`  ${process.execPath} ${bin} status --env ${demoEnv}`)
  say('  npm run demo -- --down               removes all of it')
}

/** An engine, kind and a node image: those of the machine where it has them, else the lab's. */
async function prepare(): Promise<void> {
  if (!(await machineHasAll())) await labUp({ say, signal: interrupt.signal })
  if (!existsSync(bin)) say('Building devkit (a few seconds) …')
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
}

async function machineHasAll(): Promise<boolean> {
  const works = (file: string, args: readonly string[]): boolean => {
    try {
      execFileSync(file, args, { stdio: 'ignore', timeout: 120_000 })
      return true
    } catch {
      return false
    }
  }
  if (!works('docker', ['version']) || !works('kind', ['version']) || !works('docker', ['buildx', 'version'])) return false
  // the base image of the example, and with it a registry, or a copy
  return (
    works('docker', ['image', 'inspect', 'debian:bookworm-slim']) || works('docker', ['pull', '--quiet', 'debian:bookworm-slim'])
  )
}

function copyFlagship(): void {
  rmSync(join(scratch, 'examples'), { recursive: true, force: true })
  mkdirSync(scratch, { recursive: true })
  cpSync(join(root, 'examples/django'), join(scratch, 'examples/django'), { recursive: true })
  cpSync(join(root, 'devkit.config.ts'), join(scratch, 'devkit.config.ts'))
}

async function down(): Promise<void> {
  if (existsSync(bin) && existsSync(join(scratch, 'devkit.config.ts'))) await devkit(['down'])
  rmSync(scratch, { recursive: true, force: true })
  await labDown({ say, signal: interrupt.signal })
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
    await until(({ type }) => type === 'synced')
    const inContainer = Math.round(performance.now() - began)
    while ((await heading(page).catch(() => '')) !== text) interrupt.signal.throwIfAborted()
    return { inContainer, served: Math.round(performance.now() - began) }
  }
  // the first save opens the stream; the second is what every later one is like
  await save('A first save')
  const result = await save('Saved a moment ago')
  child.kill('SIGINT')
  await end
  return result
}

async function heading(page: string): Promise<string> {
  const answer = await fetch(page, { signal: AbortSignal.any([interrupt.signal, AbortSignal.timeout(10_000)]) })
  return /<h1>(.*?)<\/h1>/.exec(await answer.text())?.[1] ?? ''
}
