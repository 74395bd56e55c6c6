import { Worker } from 'node:worker_threads'
import { Inbox } from '../lib/async.ts'
import { DevkitError } from '../lib/errors.ts'
import type { FileBatch, FileWatch, WatchOptions, WatchRoot } from './host.ts'

/** What the worker begins with. */
export interface WatchStart {
  readonly never: string
  readonly idleMs: number
}
/** What the worker is asked. */
export type WatchOrder =
  | { readonly do: 'watch'; readonly roots: readonly WatchRoot[]; readonly news: boolean }
  | { readonly do: 'compare' }
/** What it tells. */
export type WatchNews =
  | { readonly type: 'ready' }
  | { readonly type: 'compared' }
  | ({ readonly type: 'batch' } & FileBatch)
  | { readonly type: 'refused'; readonly code: string; readonly message: string }
  | { readonly type: 'silent'; readonly directory: string; readonly fileSystem: string }

/** chokidar in a worker thread: a busy main thread would make the kernel's queue overflow, and events be lost without a word. */
export async function watchFiles(roots: readonly WatchRoot[], options: WatchOptions, signal: AbortSignal): Promise<FileWatch> {
  const { never, warn, idleMs = 60_000 } = options
  const inbox = new Inbox<FileBatch>()
  const start: WatchStart = { never: never.source, idleMs }
  const file = new URL(import.meta.url.endsWith('.ts') ? './watch-worker.ts' : './watch-worker.js', import.meta.url)
  // no variables: some of them would turn chokidar into a poller
  const worker = new Worker(file, { workerData: start, env: {}, execArgv: [], resourceLimits: { maxYoungGenerationSizeMb: 4 } })
  const failure = new AbortController()
  const either = AbortSignal.any([signal, failure.signal])
  const waiting: { readonly type: WatchNews['type']; readonly resolve: () => void }[] = []
  worker.on('message', (news: WatchNews) => {
    if (news.type === 'batch') inbox.push(news)
    else if (news.type === 'refused') warn(refusal(news))
    else if (news.type === 'silent') warn(silence(news))
    else {
      const at = waiting.findIndex(({ type }) => type === news.type)
      waiting.splice(at, at < 0 ? 0 : 1)[0]?.resolve()
    }
  })
  worker.on('error', (error) => failure.abort(error))
  const ask = (order: WatchOrder, answer: WatchNews['type']): Promise<void> =>
    new Promise((resolve, reject) => {
      const abort = (): void => reject(either.reason)
      if (either.aborted) return abort()
      either.addEventListener('abort', abort, { once: true })
      waiting.push({
        type: answer,
        resolve: () => {
          either.removeEventListener('abort', abort)
          resolve()
        },
      })
      worker.postMessage(order)
    })
  const close = async (): Promise<void> => void (await worker.terminate())
  try {
    await ask({ do: 'watch', roots, news: false }, 'ready')
  } catch (thrown) {
    await close()
    throw thrown
  }
  return {
    batches: untilAborted(inbox, either, signal),
    update: (next) => ask({ do: 'watch', roots: next, news: true }, 'ready'),
    reconcile: () => ask({ do: 'compare' }, 'compared'),
    [Symbol.asyncDispose]: close,
  }
}

async function* untilAborted(inbox: Inbox<FileBatch>, either: AbortSignal, wanted: AbortSignal): AsyncIterable<FileBatch> {
  while (!wanted.aborted) {
    try {
      yield* await inbox.take(either)
    } catch (thrown) {
      if (wanted.aborted) return
      throw thrown
    }
  }
}

function refusal({ code, message }: { readonly code: string; readonly message: string }): DevkitError {
  const instances = code === 'EMFILE'
  return new DevkitError('SYNC-103', {
    message:
      code === 'ENOSPC' || instances
        ? 'This machine allows no more file watches: directories that are not covered are looked at every second or less often.'
        : `A directory cannot be watched (${code}): it is looked at every second or less often.`,
    hint: instances
      ? 'Raise the limit: sudo sysctl fs.inotify.max_user_instances=1024'
      : 'Raise the limit: sudo sysctl fs.inotify.max_user_watches=524288',
    detail: message,
  })
}

function silence({ directory, fileSystem }: { readonly directory: string; readonly fileSystem: string }): DevkitError {
  return new DevkitError('SYNC-115', {
    message: `${directory} is on ${fileSystem}, which does not tell of every change: it is looked at every second or less often.`,
    hint: 'Move the project to a file system of this machine (in WSL2: below the home directory of Linux), and saves arrive at once.',
  })
}
