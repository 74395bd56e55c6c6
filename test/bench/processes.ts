import { readdirSync, readFileSync } from 'node:fs'

/**
 * What a process and all that it started use: memory in MiB, CPU time of the threads that live in ms.
 * https://man7.org/linux/man-pages/man5/proc_pid_task.5.html and https://docs.kernel.org/scheduler/sched-stats.html#proc-pid-schedstat
 */
export function usageOf(pid: number): { readonly rssMiB: number; readonly cpuMs: number; readonly processes: number } {
  const used = { rssMiB: 0, cpuMs: 0, processes: 0 }
  const family = [pid]
  for (const member of family)
    try {
      const [, rssKiB] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${member}/status`, 'utf8')) ?? []
      used.rssMiB += Number(rssKiB ?? 0) / 1024
      used.processes += 1
      for (const thread of readdirSync(`/proc/${member}/task`)) {
        const of = (what: string): string => readFileSync(`/proc/${member}/task/${thread}/${what}`, 'utf8')
        used.cpuMs += Number.parseInt(of('schedstat'), 10) / 1e6
        family.push(...of('children').split(' ').filter(Boolean).map(Number))
      }
    } catch {
      // ended meanwhile
    }
  return used
}
