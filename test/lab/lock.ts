import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * One run at a time over `file`, across processes. The second run waits and says for whom. A lock whose holder is gone is taken over:
 * a holder is its pid and its start time, so that a reused pid does not count.
 */
export async function locked<T>(
  file: string,
  say: (line: string) => void,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  mkdirSync(dirname(file), { recursive: true })
  let told = false
  while (!take(file)) {
    if (!told) say(`Another run (pid ${holderOf(file)?.pid ?? '?'}) works on the lab; waiting for it.`)
    told = true
    await delay(200, undefined, { signal })
  }
  try {
    return await work()
  } finally {
    rmSync(file, { force: true })
  }
}

interface Holder {
  readonly pid: number
  readonly started: string
}

function take(file: string): boolean {
  const holder = holderOf(file)
  if (holder && startOf(holder.pid) === holder.started) return false
  if (holder) rmSync(file, { force: true })
  // linked into place whole: nobody ever reads half a lock
  const mine = `${file}.${process.pid}`
  writeFileSync(mine, JSON.stringify({ pid: process.pid, started: startOf(process.pid) }))
  try {
    linkSync(mine, file)
    return true
  } catch {
    return false
  } finally {
    rmSync(mine, { force: true })
  }
}

function holderOf(file: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder
  } catch {
    return undefined
  }
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
