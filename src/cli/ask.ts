import type { Io } from './io.ts'

/** Asks a question that is answered by yes or no. Without a terminal nobody is asked, and the answer is no. */
export async function ask({ stdin, stderr }: Io, question: string, signal: AbortSignal): Promise<boolean> {
  if (!stderr.isTTY || !stdin.isTTY) return false
  const { createInterface } = await import('node:readline/promises')
  stderr.write(`${question} [y/N] `)
  // the terminal stays as it is: Ctrl-C comes as the signal that ends every run
  const lines = createInterface({ input: stdin, terminal: false })
  try {
    return /^\s*y(es)?\s*$/i.test(await lines.question('', { signal }))
  } finally {
    lines.close()
  }
}
