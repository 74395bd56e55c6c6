import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installPacked } from '../e2e/tools/packed.ts'
import type { Row } from './figures.ts'

/** `--help` and `--version` of the packed program, beside a Node that does nothing. Needs no engine. */
export async function start(n: number, signal: AbortSignal): Promise<readonly Row[]> {
  const { bin, remove } = installPacked()
  const home = mkdtempSync(join(tmpdir(), 'devkit-bench-start-'))
  try {
    return measure(bin, { PATH: process.env['PATH'], HOME: home }, n, signal)
  } finally {
    remove()
    rmSync(home, { recursive: true, force: true })
  }
}

function measure(bin: string, env: NodeJS.ProcessEnv, n: number, signal: AbortSignal): readonly Row[] {
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
