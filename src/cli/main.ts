import { enableCompileCache, flushCompileCache } from 'node:module'
import { setFlagsFromString } from 'node:v8'
import { Interrupted } from '../lib/errors.ts'

/** Signals this close together are one Ctrl-C: npm passes on what its group got already. */
const sameKeyMs = 500

/** The process: argv, environment, streams, signals, exit code. Nothing else says `process`. */
export async function main(): Promise<void> {
  enableCompileCache()
  // undici's parser of HTTP is WebAssembly: optimising it at the start takes 10 MB that are never given back, and saves nothing that shows
  setFlagsFromString('--wasm-tiering-budget=2000000000')
  const interrupt = new AbortController()
  let first: number | undefined
  // `on`, not `once`: a signal without a listener would end the process in the middle of its cleaning up
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => {
      // a second Ctrl-C ends at once, for whoever does not want to wait
      if (first !== undefined && name === 'SIGINT' && Date.now() - first > sameKeyMs) process.exit(130)
      first ??= Date.now()
      interrupt.abort(new Interrupted(name))
    })
  // a reader that has gone (`devkit … | head`) ends the run like a closed terminal
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => interrupt.abort(new Interrupted('EPIPE')))
  // a defect: the run ends, cleans up and reports it
  for (const name of ['uncaughtException', 'unhandledRejection'] as const)
    process.on(name, (thrown: unknown) => interrupt.abort(thrown ?? new Error(name)))
  const { run } = await import('./run.ts')
  process.exitCode = await run({
    argv: process.argv.slice(2),
    env: process.env,
    cwd: process.cwd(),
    pid: process.pid,
    node: process.versions.node,
    // a getter: opening stdin costs a run that never asks
    get stdin() {
      return process.stdin
    },
    stdout: process.stdout,
    stderr: process.stderr,
    signal: interrupt.signal,
  })
  flushCompileCache()
}
