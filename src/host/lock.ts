import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { unwritable } from './files.ts'
import type { LockHolder, TakeLock } from './host.ts'

/** Longest path of a socket that macOS takes; Linux has 107. https://man.freebsd.org/cgi/man.cgi?query=unix&sektion=4 */
const longestPath = 103

/** How long a claimant may take to say who it is, in ms. One that does not, is stopped or busy: it holds the lock. */
const answerMs = 1000

/**
 * Locks that end with the process that holds them, however it ends; they work wherever there are Unix sockets.
 *
 *   nobody else claims ─► claim: listen on a socket of one's own ─► look for others ─► nobody: it is ours
 *                                                                                  ├─► one holds it: give up
 *                                                                                  └─► several claim: the first by name stays, the others look again
 *
 * Who claims later than another sees its socket, so two can't both see nobody. A socket where nobody listens is left by the dead.
 */
export function locksIn(directory: string, self: LockHolder): TakeLock {
  return async (name) => {
    const short = createHash('sha256').update(name).digest('hex').slice(0, 10)
    const place = await placeFor(directory)
    const own = `${short}.${randomUUID().slice(0, 8)}`
    for (const deadline = Date.now() + 10_000; ; await pause(5 + Math.random() * 20)) {
      const before = await claimants(place, short, own)
      const holder = before.find(({ holds }) => holds) ?? (Date.now() > deadline ? before[0] : undefined)
      if (holder) return holder.who
      if (before.length > 0) continue
      const claim = await openClaim(place, own, self)
      let others = await claimants(place, short, own)
      while (others.length > 0 && others.every((other) => !other.holds && own < other.name)) {
        await pause(5)
        others = await claimants(place, short, own)
      }
      if (others.length === 0) {
        claim.hold()
        return { [Symbol.asyncDispose]: () => claim.close() }
      }
      await claim.close()
    }
  }
}

/** A directory for the sockets: the one asked for, unless it is too far down or its file system has no sockets. */
async function placeFor(directory: string): Promise<string> {
  const elsewhere = join(tmpdir(), `devkit-${createHash('sha256').update(directory).digest('hex').slice(0, 10)}`)
  const longestName = 'abcdefghij.01234567.new'
  let last: unknown
  for (const place of join(directory, longestName).length > longestPath ? [elsewhere] : [directory, elsewhere]) {
    const probe = join(place, `probe.${randomUUID().slice(0, 8)}`)
    try {
      await closed(await serverIn(place, probe, ''))
      return place
    } catch (cause) {
      last = cause
    } finally {
      await rm(probe, { force: true })
    }
  }
  throw unwritable(directory, last)
}

interface Claim {
  /** From now on it is said that the lock is held. */
  hold(): void
  close(): Promise<void>
}

async function openClaim(place: string, own: string, self: LockHolder): Promise<Claim> {
  let holds = false
  const path = join(place, own)
  const server = await serverIn(place, `${path}.new`, () => JSON.stringify({ holds, who: self } satisfies Omit<Claimant, 'name'>))
  // seen only once it listens: before that, it would be taken for one of the dead
  await rename(`${path}.new`, path)
  return {
    hold: () => {
      holds = true
    },
    close: async () => {
      await rm(path, { force: true })
      await closed(server)
      await removeEmpty(place)
    },
  }
}

/** Leaves no empty directory behind. */
async function removeEmpty(place: string): Promise<void> {
  await rmdir(place).catch(() => undefined)
  if (dirname(place) !== tmpdir()) await rmdir(dirname(place)).catch(() => undefined)
}

interface Claimant {
  readonly name: string
  readonly holds: boolean
  readonly who: LockHolder
}

/** The living that claim a lock; what the dead have left is removed. */
async function claimants(place: string, short: string, own: string): Promise<readonly Claimant[]> {
  const names = (await readdir(place).catch(() => [])).filter(
    (name) => name.startsWith(`${short}.`) && !name.endsWith('.new') && name !== own,
  )
  const found = await Promise.all(
    names.map(async (name) => {
      const answer = await answerOf(join(place, name))
      // a name is never used twice: nobody living is hit
      if (answer === undefined) await rm(join(place, name), { force: true })
      return answer && { name, ...answer }
    }),
  )
  return found.filter((one) => one !== undefined)
}

/** Undefined when nobody listens. */
function answerOf(path: string): Promise<Omit<Claimant, 'name'> | undefined> {
  return new Promise((resolve) => {
    let said = ''
    const silent = { holds: true, who: { what: 'another run of devkit', pid: undefined, since: undefined, endsByItself: false } }
    const socket = connect(path)
    const timer = setTimeout(() => {
      resolve(silent)
      socket.destroy()
    }, answerMs)
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk
    })
    socket.once('error', (cause: NodeJS.ErrnoException) =>
      resolve(cause.code === 'ECONNREFUSED' || cause.code === 'ENOENT' ? undefined : silent),
    )
    socket.once('close', () => {
      clearTimeout(timer)
      try {
        resolve(JSON.parse(said) as Omit<Claimant, 'name'>)
      } catch {
        // it ended while it was asked
        resolve(undefined)
      }
    })
  })
}

/** Makes the directory too: a run that ends at this moment may just have removed it, which libuv tells as EACCES. */
async function serverIn(place: string, path: string, answer: string | (() => string)): Promise<Server> {
  for (let tries = 1; ; tries++) {
    try {
      await mkdir(place, { recursive: true, mode: 0o700 })
      return await serverAt(path, answer)
    } catch (cause) {
      if (tries === 20 || !['ENOENT', 'ENOTDIR', 'EACCES'].includes((cause as NodeJS.ErrnoException).code ?? '')) throw cause
    }
  }
}

function serverAt(path: string, answer: string | (() => string)): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((client) => {
      client.on('error', () => undefined)
      client.end(typeof answer === 'string' ? answer : answer())
    })
    server.once('error', reject)
    // a lock keeps no program alive
    server.listen(path, () => resolve(server.unref()))
  })
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
