import { spawnSync } from 'node:child_process'
import type { Row } from './figures.ts'
import type { Stand } from './stand.ts'

/** `--help` and `--version`, beside a Node that does nothing. */
export async function start({ bin, env, signal }: Stand, n: number): Promise<readonly Row[]> {
  const rows = [
    { id: 'node', what: 'node -e 0', args: ['-e', '0'], ms: [] as number[] },
    { id: 'version', what: 'devkit --version', args: [bin, '--version'], ms: [] as number[] },
    { id: 'help', what: 'devkit --help', args: [bin, '--help'], ms: [] as number[] },
  ]
  // one of each in turn: a busy second hits all alike; the first round fills caches
  for (let round = 0; round <= n; round++)
    for (const { args, ms } of rows) {
      signal.throwIfAborted()
      const began = performance.now()
      spawnSync(process.execPath, args, { stdio: 'ignore', env })
      if (round > 0) ms.push(performance.now() - began)
    }
  return rows.map(({ id, what, ms }) => ({ id, what, unit: 'ms', values: ms }))
}
