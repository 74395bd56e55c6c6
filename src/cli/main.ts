import { enableCompileCache, flushCompileCache } from 'node:module'
import { Interrupted } from '../lib/errors.ts'

/** The process: argv, environment, streams, signals, exit code. Nothing else says `process`. */
export async function main(): Promise<void> {
  enableCompileCache()
  const interrupt = new AbortController()
  // a second Ctrl-C ends at once, for whoever does not want to wait for the cleaning up
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => interrupt.abort(new Interrupted(name)))
  // a reader that has gone (`devkit … | head`) ends the run like a closed terminal
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => interrupt.abort(new Interrupted('EPIPE')))
  const { run } = await import('./run.ts')
  process.exitCode = await run({
    argv: process.argv.slice(2),
    env: process.env,
    cwd: process.cwd(),
    stdout: process.stdout,
    stderr: process.stderr,
    signal: interrupt.signal,
  })
  flushCompileCache()
}
