import { readdirSync, readFileSync } from 'node:fs'

/** Ticks of /proc/PID/stat in a second. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
const ticks = 100

/** What a process and all that it started use: memory in MiB, CPU time in ms. */
export function usageOf(pid: number): { readonly rssMiB: number; readonly cpuMs: number; readonly processes: number } {
  const all = new Map<number, { parent: number; rss: number; cpu: number }>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const fields = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ')
      const rss = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1] ?? 0)
      all.set(Number(name), { parent: Number(fields[1]), rss, cpu: Number(fields[11]) + Number(fields[12]) })
    } catch {
      // ended meanwhile
    }
  }
  const family = new Set([pid])
  for (let before = 0; before !== family.size; ) {
    before = family.size
    for (const [child, { parent }] of all) if (family.has(parent)) family.add(child)
  }
  const members = [...family].flatMap((member) => all.get(member) ?? [])
  return {
    rssMiB: members.reduce((sum, { rss }) => sum + rss, 0) / 1024,
    cpuMs: (members.reduce((sum, { cpu }) => sum + cpu, 0) * 1000) / ticks,
    processes: members.length,
  }
}
