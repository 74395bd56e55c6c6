import { connect } from 'node:net'
import { delay } from '../lib/async.ts'

/** A connection that leads nowhere is accepted by the engine's proxy and closed at once; one that is still open then has a listener. In ms. */
const settledMs = 150

/**
 * Waits until a port of 127.0.0.1 leads to a listener: a pod that is ready is reached only when every part of the cluster's network
 * has heard of it. Whether it did within `patienceMs`.
 */
export async function untilReachable(port: number, patienceMs: number, signal: AbortSignal): Promise<boolean> {
  for (const deadline = Date.now() + patienceMs; Date.now() < deadline; await delay(100, signal))
    if (await staysOpen(port)) return true
  return false
}

function staysOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const decide = (open: boolean): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(open)
    }
    const timer = setTimeout(() => decide(true), settledMs)
    socket.once('data', () => decide(true))
    socket.on('error', () => decide(false))
    socket.once('close', () => decide(false))
  })
}
