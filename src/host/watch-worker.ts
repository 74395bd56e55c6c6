import { parentPort, workerData } from 'node:worker_threads'
import { Snapshot } from './snapshot.ts'
import type { WatchNews, WatchOrder, WatchStart } from './watch.ts'

/** Quiet after a lone event, quiet inside a burst, and the longest wait of all, in ms. */
const loneMs = 5
const burstMs = 20
const longestMs = 150
/** How long a file that is missing, empty or new is taken for a save in the middle, in ms. */
const patienceMs = 40
/** So many events without a pause: the kernel's queue may have overflowed, which it tells nobody. */
const burstSize = 500
/** A heart beat later than this, in ms: events may be lost, or the machine slept. */
const lagMs = 300
const beatMs = 1000
/** Comparisons take at most this share of the time; those of a silent file system wait for another machine more than they work. */
const idleShare = 1 / 1000
const pollShares = { unwatched: 1 / 20, silent: 1 / 3 }
/** Longest slice of a comparison, in ms: a save must not wait behind it. */
const sliceMs = 4

const { never, idleMs } = workerData as WatchStart
const tell = (news: WatchNews): void => parentPort?.postMessage(news)

/** Names that something happened to, by directory: when it first did. */
let stirred = new Map<string, Map<string, number>>()
let count = 0
let events = 0
let firstEvent = 0
/** When what has stirred is looked at at the latest. */
let latest = 0
let timer: NodeJS.Timeout | undefined
let refusals = 0

const snapshot = new Snapshot(new RegExp(never), {
  stirred: (directory, name) => {
    const now = Date.now()
    if (count === 0) {
      firstEvent = now
      latest = now + longestMs
    }
    events++
    let names = stirred.get(directory)
    if (!names) {
      names = new Map()
      stirred.set(directory, names)
    }
    if (!names.has(name)) {
      names.set(name, now)
      count++
    }
    flushIn(Math.max(1, Math.min(count > 1 ? burstMs : loneMs, latest - now)))
  },
  refused: (code, message) => {
    if (refusals++ === 0) tell({ type: 'refused', code, message })
  },
  silent: (directory, fileSystem) => tell({ type: 'silent', directory, fileSystem }),
})

function flushIn(ms: number): void {
  clearTimeout(timer)
  timer = setTimeout(flush, ms)
}

function flush(): void {
  const found: string[] = []
  const began = firstEvent
  const now = Date.now()
  const asked = stirred
  if (events > burstSize) compareSoon(burstMs * 5)
  if (now < latest) events = 0
  stirred = new Map()
  count = 0
  for (const [directory, names] of asked)
    for (const [name, since] of names) {
      if (snapshot.look(directory, name, now - since < patienceMs, found) !== 'hold') continue
      const held = stirred.get(directory) ?? new Map<string, number>()
      stirred.set(directory, held.set(name, since))
      count++
    }
  if (count > 0) {
    firstEvent = began
    latest = now + longestMs
    flushIn(patienceMs / 4)
  }
  report(found, began)
}

function report(found: readonly string[], since: number): void {
  if (found.length > 0) tell({ type: 'batch', paths: [...new Set(found)], firstEvent: since })
}

let comparing: Promise<void> | undefined
let waiting: { readonly only: 'polled' | 'all'; readonly done: Promise<void> } | undefined
let nextIdle = Date.now() + idleMs
let nextPoll = 0
let soon: NodeJS.Timeout | undefined

function compareSoon(ms: number): void {
  clearTimeout(soon)
  soon = setTimeout(() => void compare('all'), ms)
}

/** Closes the hole of lost events: what differs from the table is told as if an event had. Resolves when a comparison that began after the call is done. */
function compare(only: 'polled' | 'all'): Promise<void> {
  if (!comparing) {
    comparing = compareNow(only).finally(() => {
      comparing = undefined
    })
    return comparing
  }
  if (waiting && (waiting.only === 'all' || only === 'polled')) return waiting.done
  const done = comparing.then(() => {
    if (waiting?.done === done) waiting = undefined
    return compare(only)
  })
  waiting = { only, done }
  return done
}

async function compareNow(only: 'polled' | 'all'): Promise<void> {
  const began = Date.now()
  let busy = 0
  const slices = snapshot.compare(only)
  for (;;) {
    const from = performance.now()
    let step = slices.next()
    while (!step.done && performance.now() - from < sliceMs) step = slices.next()
    busy += performance.now() - from
    if (step.done) {
      report(step.value, began)
      break
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (only === 'all') {
    nextIdle = Date.now() + Math.max(idleMs, busy / idleShare)
  }
  nextPoll = Date.now() + Math.max(beatMs, busy / pollShares[snapshot.polls ?? 'unwatched'])
}

let late = false
let lastBeat = Date.now()
setInterval(() => {
  const now = Date.now()
  // late, or a clock that jumped: a busy machine, a sleep, a stopped process
  late ||= Math.abs(now - lastBeat - beatMs) > lagMs
  if (late && now > nextPoll) {
    late = false
    void compare('all')
  } else if (now > nextIdle && count === 0) void compare('all')
  else if (now > nextPoll && snapshot.polls) void compare('polled')
  lastBeat = now
  report(snapshot.checkRoots(), now)
}, beatMs)

parentPort?.on('message', (order: WatchOrder) => {
  if (order.do === 'compare') void compare('all').then(() => tell({ type: 'compared' }))
  else {
    // the first roots are there from the beginning; those of a new plan are news
    const found = snapshot.setRoots(order.roots)
    lastBeat = Date.now()
    if (order.news) report(found, Date.now())
    tell({ type: 'ready' })
  }
})
