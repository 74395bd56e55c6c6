import { fork } from 'node:child_process'
import { join } from 'node:path'
import type { Config, ConfigContext } from '../../../src/config/schema.ts'

/** What a load came to. */
export interface Loaded {
  readonly config?: Config
  readonly warnings?: readonly { readonly code: string; readonly hint: string }[]
  /** Of the failure. */
  readonly code?: string
  readonly message?: string
  readonly hint?: string
  /** Every file that was read, also where the load failed. */
  readonly files: readonly string[]
}

export interface LoadRequest {
  readonly cwd: string
  readonly context: ConfigContext
  readonly set?: readonly string[]
  readonly patienceMs?: number
}

/** Loads configs as Node does: in a process of its own, since a test runner puts its own loader in the way. One after the other. */
export function openNodeLoader() {
  const child = fork(join(import.meta.dirname, 'node-loader-process.ts'))
  return {
    load: (request: LoadRequest): Promise<Loaded> => {
      const { promise, resolve, reject } = Promise.withResolvers<Loaded>()
      child.once('message', (loaded) => resolve(loaded as Loaded))
      child.once('exit', reject)
      child.send(request)
      return promise.finally(() => child.off('exit', reject))
    },
    [Symbol.dispose]: () => child.disconnect(),
  }
}
