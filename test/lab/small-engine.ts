import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { answers, engineEnv } from './engine.ts'
import { engineAddress } from './places.ts'

/** A Docker engine on a disk of a given size. It ends with the value, and whatever it mounted and routed with it. */
export interface SmallEngine extends AsyncDisposable {
  /** `unix://…` */
  readonly address: string
  /** Where its data are, as long as one looks from inside. */
  readonly data: string
  /** The command that runs another where the engine's disk is seen: arguments to put before it. */
  readonly inside: readonly string[]
}

/**
 * Starts an engine whose data are in `bytes` of memory, below `directory`. It has a mount and a network namespace of its own, so the machine sees
 * nothing of it but its socket. `docker`: path of the lab's docker program. `mark` is the value of DEVKIT_TEST in its environment.
 */
export async function startSmallEngine(directory: string, bytes: number, docker: string, mark: string): Promise<SmallEngine> {
  const programs = dirname(dirname(docker))
  const places = { cache: join(directory, 'data'), runtime: join(directory, 'run'), settings: '' }
  for (const path of [places.cache, places.runtime]) mkdirSync(path, { recursive: true, mode: 0o700 })
  const config = join(places.runtime, 'no-daemon.json')
  writeFileSync(config, '{}')
  const args = ['--host', engineAddress(places), '--data-root', places.cache, '--exec-root', join(places.runtime, 'exec')]
  const script = 'ip link set lo up && mount -t tmpfs -o size="$1" tmpfs "$2" && shift 2 && exec "$@"'
  const words = ['sh', '-c', script, 'sh', String(bytes), places.cache]
  const daemon = [
    join(programs, 'usr/sbin/dockerd'),
    ...args,
    '--pidfile',
    join(places.runtime, 'docker.pid'),
    '--config-file',
    config,
  ]
  const child = spawn('unshare', ['--mount', '--net', ...words, ...daemon], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...engineEnv(places, programs), DEVKIT_TEST: mark },
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4000)
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  for (const deadline = Date.now() + 60_000; !(await answers(places)); await delay(50))
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`the small engine did not start:\n${said}`)
  return {
    address: engineAddress(places),
    data: places.cache,
    inside: ['nsenter', '--target', readFileSync(join(places.runtime, 'docker.pid'), 'utf8').trim(), '--mount', '--'],
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}
