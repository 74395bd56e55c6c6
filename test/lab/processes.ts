import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { startOf } from './lock.ts'

/** A process of this machine, by /proc. */
export interface Process {
  readonly pid: number
  readonly parent: number
  /** Its arguments, separated by spaces. */
  readonly command: string
}

/** All processes of this machine; none where there is no /proc. */
export function processes(): readonly Process[] {
  return pids().flatMap((pid) => {
    const status = read(pid, 'status')
    const parent = Number(/^PPid:\s*(\d+)/m.exec(status)?.[1])
    return status === '' || /^State:\sZ/m.test(status)
      ? []
      : [{ pid, parent, command: read(pid, 'cmdline').replaceAll('\0', ' ').trim() }]
  })
}

/** Processes that were started with `entry`, e.g. `NAME=value`, in their environment; with a `=` at its end, any value. Never this one. */
export function processesWithEnv(entry: string): readonly number[] {
  return pids().filter(
    (pid) =>
      pid !== process.pid &&
      startOf(pid) !== undefined &&
      read(pid, 'environ')
        .split('\0')
        .some((line) => (entry.endsWith('=') ? line.startsWith(entry) : line === entry)),
  )
}

/** Environment that a process was started with; empty when it cannot be read. */
export function environmentOf(pid: number): Readonly<Record<string, string>> {
  return Object.fromEntries(
    read(pid, 'environ')
      .split('\0')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
}

/** This process, the one that started it, and so on. */
export function ownAncestors(): ReadonlySet<number> {
  const parents = new Map(processes().map(({ pid, parent }) => [pid, parent]))
  const line = new Set<number>()
  for (let pid: number | undefined = process.pid; pid !== undefined && pid > 0 && !line.has(pid); pid = parents.get(pid))
    line.add(pid)
  return line
}

/** Ends processes for certain, and returns when they are gone. */
export async function endProcesses(ids: readonly number[], signal: AbortSignal): Promise<void> {
  const started = new Map(ids.map((pid) => [pid, startOf(pid)]))
  for (const pid of ids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // ended by itself meanwhile
    }
  }
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await delay(20, undefined, { signal }))
    if (ids.every((pid) => startOf(pid) === undefined || startOf(pid) !== started.get(pid))) return
}

function pids(): readonly number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
  } catch {
    return []
  }
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}
