import { parentPort, workerData } from 'node:worker_threads'
import { watch } from 'chokidar'
import type { WatchNews, WatchOrder } from './watch.ts'

/** Quiet after a lone event, quiet inside a burst, and the longest wait of all, in ms. */
const loneMs = 5
const burstMs = 20
const longestMs = 150

const { roots, ignored } = workerData as WatchOrder
const hidden = new RegExp(ignored)
const tell = (news: WatchNews): void => parentPort?.postMessage(news)

const paths = new Set<string>()
let firstEvent = 0
let timer: NodeJS.Timeout | undefined

function changed(path: string): void {
  const now = Date.now()
  if (paths.size === 0) firstEvent = now
  paths.add(path)
  clearTimeout(timer)
  timer = setTimeout(flush, Math.min(paths.size > 1 ? burstMs : loneMs, firstEvent + longestMs - now))
}

function flush(): void {
  tell({ type: 'batch', paths: [...paths], firstEvent })
  paths.clear()
}

// `atomic` would hold back what editors remove and write again for 100 ms; content hashes make that needless
const watcher = watch([...roots], {
  ignoreInitial: true,
  followSymlinks: false,
  atomic: false,
  ignored: (path) => hidden.test(path),
})
watcher.on('all', (_event, path) => changed(path))
watcher.on('ready', () => tell({ type: 'ready' }))
watcher.on('error', (error) => {
  const { code, message } = error as NodeJS.ErrnoException
  tell({ type: 'error', code: code ?? '', message })
})
