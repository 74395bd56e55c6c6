import { delay } from '../lib/async.ts'

/** How often a lease is written, how long it holds then, and how long a program waits for a watch of which it hears nothing new. */
export interface LeaseTimes {
  readonly everyMs: number
  readonly lastsMs: number
  readonly waitS: number
}

/** A lease in a file of a node is read at once. */
export const onNode: LeaseTimes = { everyMs: 1000, lastsMs: 60_000, waitS: 3 }

/**
 * What is in a ConfigMap reaches a pod that runs only after a minute and more.
 * @see https://kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically
 */
export const inConfigMap: LeaseTimes = { everyMs: 30_000, lastsMs: 180_000, waitS: 10 }

/** What could not be written is tried again after so many ms: the namespace may be about to be made, and a program that finds no lease does not wait. */
const againMs = 250

/**
 * Tells supervisors that a watch is here until `signal` aborts: a beginning program waits for its files. `write` puts the lease, or takes it
 * back, and says whether it could.
 */
export async function holdLease(
  write: (text: string | undefined) => Promise<boolean>,
  { everyMs, lastsMs, waitS }: LeaseTimes,
  signal: AbortSignal,
): Promise<void> {
  for (let count = 1; !signal.aborted; count++) {
    const isWritten = await write(`${count} ${Math.floor((Date.now() + lastsMs) / 1000)} ${waitS}\n`)
    await delay(isWritten ? everyMs : againMs, signal).catch(() => undefined)
  }
  // who keeps it may be gone: it ends by itself then
  await Promise.race([write(undefined), delay(500, new AbortController().signal)])
}
