import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'

type Env = Readonly<Record<string, string | undefined>>

/**
 * Address of the container engine: DOCKER_HOST, the machine's settings, the current Docker context, then the sockets that the usual engines listen on.
 * The last candidate comes back also when nothing answers, so that the message can name it.
 * @see https://docs.docker.com/engine/manage-resources/contexts/ for the layout of contexts
 */
export async function engineAddress(env: Env, fromSettings: string | undefined, home: string): Promise<string> {
  if (env['DOCKER_HOST']) return env['DOCKER_HOST']
  if (fromSettings !== undefined) return fromSettings
  const context = await contextAddress(env, home)
  if (context !== undefined) return context
  for (const socket of usualSockets(env, home)) if (await accepts(socket)) return `unix://${socket}`
  return 'unix:///var/run/docker.sock'
}

async function contextAddress(env: Env, home: string): Promise<string | undefined> {
  const directory = env['DOCKER_CONFIG'] || join(home, '.docker')
  const name = env['DOCKER_CONTEXT'] || (await json(join(directory, 'config.json')))?.['currentContext']
  if (typeof name !== 'string' || name === '' || name === 'default') return undefined
  const meta = await json(join(directory, 'contexts', 'meta', createHash('sha256').update(name).digest('hex'), 'meta.json'))
  const endpoint = (meta?.['Endpoints'] as { docker?: { Host?: string } } | undefined)?.docker?.Host
  return endpoint || undefined
}

async function json(file: string): Promise<Record<string, unknown> | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>
  } catch {
    return undefined
  }
}

function usualSockets(env: Env, home: string): readonly string[] {
  const runtime = env['XDG_RUNTIME_DIR']
  return [
    '/var/run/docker.sock',
    join(home, '.docker/run/docker.sock'),
    join(home, '.docker/desktop/docker.sock'),
    join(home, '.orbstack/run/docker.sock'),
    join(home, '.rd/docker.sock'),
    join(env['COLIMA_HOME'] || join(home, '.colima'), 'default/docker.sock'),
    ...(runtime ? [join(runtime, 'docker.sock')] : []),
  ]
}

function accepts(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket)
    connection.once('connect', () => {
      connection.destroy()
      resolve(true)
    })
    connection.once('error', () => resolve(false))
  })
}
