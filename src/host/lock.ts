import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readlink, rename, rm, rmdir, symlink } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { messageOf } from '../lib/errors.ts'
import type { LockHolder, TakeLock } from './host.ts'

/** Longest path of a socket that macOS takes; Linux has 108. https://man.freebsd.org/cgi/man.cgi?query=unix&sektion=4 */
const longestPath = 103

/**
 * Locks that end with the process that holds them, however it ends: a lock is a link to a socket that its holder listens on,
 * and a link to a socket where nobody answers is nobody's. Works on every system with Unix sockets.
 */
export function locksIn(directory: string, self: LockHolder): TakeLock {
  return async (name) => {
    const short = hash(name)
    const { server, place, own } = await listen(directory, short, self)
    const lock = join(place, short)
    const release = async (): Promise<void> => {
      if ((await readlink(lock).catch(() => undefined)) === own) await rm(lock, { force: true })
      await new Promise((resolve) => server.close(resolve))
      await rm(join(place, own), { force: true })
      await rmdir(place).catch(() => undefined)
      // the state directory too, where nothing else is in it
      if (place === directory) await rmdir(dirname(directory)).catch(() => undefined)
    }
    try {
      for (;;) {
        try {
          await symlink(own, lock)
          return { [Symbol.asyncDispose]: release }
        } catch (cause) {
          if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
        }
        const holder = await holderOf(lock)
        if (holder) {
          await release()
          return holder
        }
        await removeStale(place, lock)
      }
    } catch (thrown) {
      await release()
      throw thrown
    }
  }
}

/** Takes a link of the dead away. Renamed first: who looks twice at the same link takes it away once. */
async function removeStale(place: string, lock: string): Promise<void> {
  const stale = `${lock}.${randomUUID().slice(0, 8)}.stale`
  try {
    await rename(lock, stale)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return
    throw cause
  }
  const target = await readlink(stale)
  // somebody has taken the lock between the look and the rename: it is theirs
  if (await holderOf(stale)) await symlink(target, lock).catch(() => undefined)
  else await rm(join(place, target), { force: true })
  await rm(stale, { force: true })
}

async function listen(
  directory: string,
  short: string,
  self: LockHolder,
): Promise<{ readonly server: Server; readonly place: string; readonly own: string }> {
  const own = `${short}.${randomUUID().slice(0, 6)}`
  // a home that is far down, or on a file system without sockets
  const elsewhere = join(tmpdir(), `devkit-${hash(directory)}`)
  const places = join(directory, own).length > longestPath ? [elsewhere] : [directory, elsewhere]
  let last: unknown
  for (const place of places) {
    try {
      await mkdir(place, { recursive: true, mode: 0o700 })
      return { server: await serverAt(join(place, own), self), place, own }
    } catch (cause) {
      last = cause
    }
  }
  throw new Error(`no lock can be made in ${directory}: ${messageOf(last)}`, { cause: last })
}

function serverAt(path: string, self: LockHolder): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((client) => {
      client.on('error', () => undefined)
      client.end(JSON.stringify(self))
    })
    server.once('error', reject)
    // a lock keeps no program alive
    server.listen(path, () => resolve(server.unref()))
  })
}

/** Who listens behind a lock; undefined when nobody does. A holder that is stopped or busy has no name. */
function holderOf(lock: string): Promise<LockHolder | undefined> {
  return new Promise((resolve) => {
    let said = ''
    const socket = connect(lock)
    socket.setTimeout(1000, () => {
      resolve({ what: 'another run', pid: undefined, since: undefined })
      socket.destroy()
    })
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk
    })
    socket.once('error', () => resolve(undefined))
    socket.once('close', () => {
      try {
        resolve(JSON.parse(said) as LockHolder)
      } catch {
        resolve(undefined)
      }
    })
  })
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 10)
}
