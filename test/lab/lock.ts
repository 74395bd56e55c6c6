import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { dirname } from 'node:path'
import type { Voice } from './run.ts'

/**
 * One run at a time over `file`, across processes. The second run waits and says for whom: `who` is, for example, 'Another run of the lab'.
 * The lock is a socket that listens, so it goes with its holder, however that ends; whoever waits hears of it at once.
 */
export async function locked<T>(file: string, who: string, { say, signal }: Voice, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(file), { recursive: true })
  const address = addressOf(file)
  for (let told = false; ; ) {
    signal.throwIfAborted()
    const release = await take(address)
    if (release) {
      try {
        return await work()
      } finally {
        release()
      }
    }
    await holderEnds(address, signal, (pid) => {
      if (!told) say(`${who} (pid ${pid}) is at work; waiting for it.`)
      told = true
    })
  }
}

/** On Linux a name without a file, which nothing can leave behind; elsewhere a socket file beside the lock's name. */
function addressOf(file: string): string {
  return process.platform === 'linux'
    ? `\0devkit-${createHash('sha256').update(file).digest('hex').slice(0, 32)}`
    : `${file}.sock`
}

async function take(address: string): Promise<(() => void) | undefined> {
  const waiting = new Set<Socket>()
  const server = createServer((socket) => {
    waiting.add(socket.on('error', () => undefined).once('close', () => waiting.delete(socket)))
    socket.write(`${process.pid}\n`)
  })
  server.listen(address)
  try {
    await once(server, 'listening')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined
    throw cause
  }
  return () => {
    server.close()
    for (const socket of waiting) socket.destroy()
  }
}

/** Waits until the holder has ended or has let go. */
function holderEnds(address: string, signal: AbortSignal, tell: (pid: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(address)
    const abort = (): void => {
      socket.destroy()
      reject(signal.reason)
    }
    signal.addEventListener('abort', abort, { once: true })
    socket.setEncoding('utf8').on('data', (pid: string) => tell(pid.trim()))
    socket.on('error', (cause: NodeJS.ErrnoException) => {
      // a socket file that nobody listens on any more
      if (cause.code === 'ECONNREFUSED' && !address.startsWith('\0')) rmSync(address, { force: true })
    })
    socket.once('close', () => {
      signal.removeEventListener('abort', abort)
      resolve()
    })
  })
}

/** Start time of a process in clock ticks since boot, field 22 of /proc/PID/stat; undefined when it does not run. */
export function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : fields[19]
  } catch {
    return undefined
  }
}
