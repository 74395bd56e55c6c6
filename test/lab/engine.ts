import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startOf } from './lock.ts'
import { engineAddress, type Places, usualRuntime } from './places.ts'
import { endProcesses, processes } from './processes.ts'
import { LabProblem, run, type Voice } from './run.ts'

/** The engine's bridge and the networks that it hands out. */
interface Network {
  readonly bridge: string
  /** Address of this machine on the bridge; every container can reach it. */
  readonly address: string
  readonly pool: string
}

/** Address ranges that Docker itself does not hand out by default, so that a second engine on the machine keeps its own; so does a second lab. */
export function networkOf(places: Places): Network {
  const number = places.runtime === usualRuntime ? 0 : 1 + ((createHash('sha256').update(places.runtime).digest()[0] ?? 0) % 20)
  return {
    bridge: `devkit-lab${number}`,
    address: `10.${213 + 2 * number}.0.1`,
    pool: `base=10.${214 + 2 * number}.0.0/16,size=24`,
  }
}

/** Starts the lab's engine unless it answers already. It outlives this process. */
export async function startEngine(places: Places, programs: string, { say, signal }: Voice): Promise<void> {
  if (await answers(places)) return
  // one that runs but is slow to answer works for somebody
  for (const deadline = Date.now() + 30_000; enginePid(places) !== undefined && Date.now() < deadline; )
    if (await answers(places)) return
    else await delay(200, undefined, { signal })
  if (enginePid(places) !== undefined) await stopEngine(places, { say, signal })
  else await endLeftovers(places, signal)
  for (const leftover of [
    'docker.pid',
    'docker.sock',
    'exec/containerd/containerd.pid',
    'exec/containerd/containerd.sock',
    'exec/containerd/containerd.sock.ttrpc',
    'exec/containerd/containerd-debug.sock',
  ])
    rmSync(join(places.runtime, leftover), { force: true })
  await raiseInotifyLimits({ say, signal })
  await makeBridge(networkOf(places), signal)
  mkdirSync(places.runtime, { recursive: true, mode: 0o700 })
  const log = join(places.cache, 'engine.log')
  const out = openSync(log, 'a')
  const args = ['--host', engineAddress(places), '--data-root', join(places.cache, 'engine-data'), '--exec-root', join(places.runtime, 'exec'), '--pidfile', join(places.runtime, 'docker.pid'),
    '--bridge', networkOf(places).bridge, '--default-address-pool', networkOf(places).pool, '--config-file', join(places.runtime, 'no-daemon.json')] // biome-ignore format: one line a thought
  await run(['sh', '-c', 'printf {} > "$1"', 'sh', join(places.runtime, 'no-daemon.json')], { signal })
  const others = await rulesOfOthers(places, signal)
  const child = spawn(join(programs, 'usr/sbin/dockerd'), args, {
    detached: true,
    stdio: ['ignore', out, out],
    // the engine outlives whoever starts it, their directories too
    cwd: '/',
    env: lastingEnv(engineEnv(places, programs)),
  })
  child.unref()
  let ended: string | undefined
  child.once('exit', (code) => {
    ended = `it ended with ${code}`
  })
  for (const deadline = Date.now() + 60_000; !(await answers(places)); await delay(100, undefined, { signal })) {
    if (ended === undefined && Date.now() > deadline) ended = 'it does not answer within 60 s'
    if (ended !== undefined)
      throw new LabProblem(`The lab's engine did not start: ${ended}.\n  ${lastLines(log)}`, `Read ${log}.`)
  }
  await putBack(others, [networkOf(places).bridge, ...(await bridgesOfEngine(places))], signal)
}

/** Stops the lab's engine and everything that runs in it. */
export async function stopEngine(places: Places, { say, signal }: Voice): Promise<void> {
  const pid = enginePid(places)
  const bridges = [networkOf(places).bridge, ...(await bridgesOfEngine(places))]
  if (pid !== undefined) {
    const containers = (await answers(places)) ? 'containers end first' : 'it does not answer'
    say(`Stopping the lab's engine (pid ${pid}; ${containers}).`)
    process.kill(pid, 'SIGTERM')
    for (const deadline = Date.now() + 60_000; startOf(pid) !== undefined && Date.now() < deadline; )
      await delay(50, undefined, { signal })
    if (startOf(pid) !== undefined) process.kill(pid, 'SIGKILL')
  }
  await endLeftovers(places, signal)
  for (const bridge of bridges) await removeBridge(bridge, signal)
  await unmountBelow(places.runtime, signal)
  rmSync(places.runtime, { recursive: true, force: true })
}

/** An engine that ends while containers run leaves their network namespaces mounted. */
async function unmountBelow(directory: string, signal: AbortSignal): Promise<void> {
  const points = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((point) => point.startsWith(`${directory}/`))
  for (const point of points.toReversed()) await run(['umount', '--lazy', point], { signal })
}

/** An environment without marks and places that belong to whoever starts something that outlives them, such as a temp directory of a test run. */
export function lastingEnv(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^(DEVKIT|DOCKER)_|^(TMPDIR|TMP|TEMP|PWD|OLDPWD)$/.test(name)),
  )
}

/** Environment in which the engine's programs find each other and no other engine. */
export function engineEnv(places: Places, programs: string): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !entry[0].startsWith('DOCKER_'),
  )
  const path = [join(programs, 'usr/bin'), join(programs, 'usr/sbin'), process.env['PATH'], '/usr/sbin:/sbin'].join(':')
  return { ...Object.fromEntries(kept), PATH: path, DOCKER_HOST: engineAddress(places) }
}

/** Whether the engine answers on the lab's socket. */
export function answers(places: Places): Promise<boolean> {
  return new Promise((resolve) => {
    const ping = request({ socketPath: join(places.runtime, 'docker.sock'), path: '/_ping', timeout: 2000 }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    ping.on('error', () => resolve(false))
    ping.on('timeout', () => ping.destroy())
    ping.end()
  })
}

/** The pid of our dockerd, by our pid file and its own command line: a reused pid is somebody else. */
export function enginePid(places: Places): number | undefined {
  try {
    const pid = Number(readFileSync(join(places.runtime, 'docker.pid'), 'utf8'))
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(join(places.runtime, 'docker.sock')) ? pid : undefined
  } catch {
    return undefined
  }
}

/** Names of the bridges of the engine's own networks; none while it does not answer. */
function bridgesOfEngine(places: Places): Promise<readonly string[]> {
  return new Promise((resolve) => {
    const options = { socketPath: join(places.runtime, 'docker.sock'), path: '/networks', timeout: 5000 }
    const question = request(options, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.once('end', () => {
        const networks = response.statusCode === 200 ? (JSON.parse(text) as { Id: string; Name: string; Driver: string }[]) : []
        resolve(
          networks
            .filter(({ Name, Driver }) => Driver === 'bridge' && Name !== 'bridge')
            .map(({ Id }) => `br-${Id.slice(0, 12)}`),
        )
      })
    })
    question.on('error', () => resolve([]))
    question.on('timeout', () => question.destroy())
    question.end()
  })
}

/** An engine that ends leaves its bridges and the packet filter's rules about them; the next one makes them again. */
async function removeBridge(bridge: string, signal: AbortSignal): Promise<void> {
  await run(['ip', 'link', 'delete', bridge], { signal }).catch(() => undefined)
  for (const { table, words } of await rules(signal))
    if (words.includes(bridge)) await run(['iptables', '-w', '-t', table, '-D', ...words], { signal }).catch(() => undefined)
}

/** A rule of the packet filter: the chain, then what iptables is told about it. */
interface Rule {
  readonly table: string
  readonly words: readonly string[]
}

async function rules(signal: AbortSignal): Promise<readonly Rule[]> {
  const found: Rule[] = []
  for (const table of ['filter', 'nat', 'raw']) {
    const lines = await run(['iptables', '-w', '-t', table, '-S'], { signal }).catch(() => '')
    for (const line of lines.split('\n')) if (line.startsWith('-A ')) found.push({ table, words: line.split(' ').slice(1) })
  }
  return found
}

/** The rules of the packet filter where another Docker engine runs beside ours: one that starts empties the chains that both use. */
async function rulesOfOthers(places: Places, signal: AbortSignal): Promise<readonly Rule[]> {
  const other = processes().some(
    ({ command }) => /^\S*\bdockerd( |$)/.test(command) && !command.includes(join(places.runtime, 'docker.sock')),
  )
  return other ? rules(signal) : []
}

/** Appends what is gone in the order in which it stood. What is about our own bridges was old, and our engine has made it anew. */
async function putBack(before: readonly Rule[], own: readonly string[], signal: AbortSignal): Promise<void> {
  if (before.length === 0) return
  const key = ({ table, words }: Rule): string => `${table} ${words.join(' ')}`
  const there = new Set((await rules(signal)).map(key))
  for (const rule of before)
    if (!there.has(key(rule)) && !rule.words.some((word) => own.includes(word)))
      await run(['iptables', '-w', '-t', rule.table, '-A', ...rule.words], { signal }).catch(() => undefined)
}

async function raiseInotifyLimits({ say, signal }: Voice): Promise<void> {
  for (const [name, wanted] of [
    ['max_user_instances', 1024],
    ['max_user_watches', 524_288],
  ] as const) {
    // biome-ignore format: a small table
    const now = Number(readFileSync(`/proc/sys/fs/inotify/${name}`, 'utf8'))
    if (now >= wanted) continue
    say(`Raising fs.inotify.${name} from ${now} to ${wanted}: a node runs many watchers.`)
    await run(['sysctl', '-qw', `fs.inotify.${name}=${wanted}`], { signal })
  }
}

async function makeBridge({ bridge, address }: Network, signal: AbortSignal): Promise<void> {
  if (!existsSync(`/sys/class/net/${bridge}`)) await run(['ip', 'link', 'add', bridge, 'type', 'bridge'], { signal })
  await run(['ip', 'address', 'replace', `${address}/16`, 'dev', bridge], { signal })
  await run(['ip', 'link', 'set', bridge, 'up'], { signal })
}

/**
 * What a killed engine leaves running: its containerd and the shims, told by our exec-root in their command lines, and the programs of
 * its containers, told by the containers' ids in their control groups. A new engine would find its files and ports in use.
 */
async function endLeftovers(places: Places, signal: AbortSignal): Promise<void> {
  const ids = containerIds(places)
  const ours = processes().filter(
    ({ pid, command }) =>
      pid !== process.pid &&
      (command.includes(join(places.runtime, 'exec')) || controlGroupsOf(pid).some((group) => ids.has(group))),
  )
  await endProcesses(
    ours.map(({ pid }) => pid),
    signal,
  )
}

function containerIds(places: Places): ReadonlySet<string> {
  try {
    return new Set(readdirSync(join(places.cache, 'engine-data/containers')))
  } catch {
    return new Set()
  }
}

/** Ids of containers among the control groups of a process. */
function controlGroupsOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8').match(/[0-9a-f]{64}/g) ?? []
  } catch {
    return []
  }
}

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-6).join('\n  ')
}
