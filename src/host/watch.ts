import { Worker } from 'node:worker_threads'
import { Inbox } from '../lib/async.ts'
import { DevkitError } from '../lib/errors.ts'
import type { FileBatch, FileWatch } from './host.ts'

/** What the worker is told, and what it tells. */
export interface WatchOrder {
  readonly roots: readonly string[]
  readonly ignored: string
}
export type WatchNews =
  | { readonly type: 'ready' }
  | ({ readonly type: 'batch' } & FileBatch)
  | { readonly type: 'error'; readonly code: string; readonly message: string }

/** chokidar in a worker thread: a busy main thread would make the kernel's queue overflow, and events be lost without a word. */
export async function watchFiles(roots: readonly string[], ignored: RegExp, signal: AbortSignal): Promise<FileWatch> {
  const inbox = new Inbox<FileBatch>()
  const order: WatchOrder = { roots, ignored: ignored.source }
  const file = new URL(import.meta.url.endsWith('.ts') ? './watch-worker.ts' : './watch-worker.js', import.meta.url)
  const worker = new Worker(file, { workerData: order, stdin: false })
  const failure = new AbortController()
  await new Promise<void>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    worker.on('message', (news: WatchNews) => {
      if (news.type === 'ready') resolve()
      else if (news.type === 'batch') inbox.push(news)
      else {
        const problem = watchProblem(news)
        reject(problem)
        failure.abort(problem)
      }
    })
    worker.on('error', (error) => {
      reject(error)
      failure.abort(error)
    })
  }).catch(async (thrown: unknown) => {
    await worker.terminate()
    throw thrown
  })
  const either = AbortSignal.any([signal, failure.signal])
  return {
    batches: untilAborted(inbox, either, signal),
    [Symbol.asyncDispose]: async () => {
      await worker.terminate()
    },
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

function watchProblem({ code, message }: { readonly code: string; readonly message: string }): Error {
  if (code !== 'ENOSPC' && code !== 'EMFILE') return new Error(`watching failed: ${message}`)
  return new DevkitError('SYNC-103', {
    message: 'This machine allows no more file watches.',
    hint: 'Raise the limit: sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=1024',
    detail: message,
  })
}
