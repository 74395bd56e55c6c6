import { readdir, readFile, readlink } from 'node:fs/promises'

/**
 * The program that listens on a TCP port of this machine, as `name (pid N)`; undefined where it can't be told
 * (another user's program, or a system without /proc).
 * @see https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html
 */
export async function listenerOn(port: number): Promise<string | undefined> {
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8').catch(() => '')))
  const inodes = tables
    .flatMap((table) => table.split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    // local address with the port in hexadecimal; state 0A is LISTEN
    .filter(([, local = '', , state]) => state === '0A' && Number.parseInt(local.split(':').at(-1) ?? '', 16) === port)
    .map((fields) => `socket:[${fields[9]}]`)
  if (inodes.length === 0) return undefined
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const opened = await readdir(`/proc/${pid}/fd`).catch(() => [])
    for (const fd of opened) {
      const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')
      if (inodes.includes(target)) return `${(await readFile(`/proc/${pid}/comm`, 'utf8')).trim()} (pid ${pid})`
    }
  }
  return undefined
}
