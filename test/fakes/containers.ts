import { readFileSync } from 'node:fs'
import { fileHash, linkHash } from '../../src/lib/content.ts'
import type { Ack, Batch, ContainerRef, Refusal, SyncSession, SyncTransport } from '../../src/sync/transport.ts'

/** Containers in memory behind a sync transport: what each has, and what a test lets go wrong. */
export class Containers implements SyncTransport {
  readonly way = 'node stream'
  /** By container id: path → content. */
  readonly files = new Map<string, Map<string, string>>()
  /** By container id: what a push waits for. */
  readonly held = new Map<string, Promise<void>>()
  /** Paths that are refused, and why. */
  readonly refusing = new Map<string, Refusal['reason']>()
  /** What every push fails with. */
  failing: Error | undefined
  /** Directories that stay when they are to go: the program made something in them. */
  readonly keeping = new Set<string>()
  /** Lines told to supervisors. */
  readonly told: string[] = []
  /** Files that a supervisor has made, by path. */
  readonly own = new Set<string>()
  /** Paths that were looked for, by container id. */
  readonly probed = new Map<string, string[]>()
  /** Batches that were pushed, by container id. */
  readonly pushed: string[] = []

  /** What a container has below a directory. */
  of(id: string): Map<string, string> {
    const files = this.files.get(id) ?? new Map<string, string>()
    this.files.set(id, files)
    return files
  }

  async open(): Promise<SyncSession> {
    return {
      push: (container, batch) => this.#push(container, batch),
      probe: async ({ id }, targets) => {
        this.probed.set(id, [...(this.probed.get(id) ?? []), ...targets])
        return targets.flatMap((target, index) => (this.of(id).has(target) || this.own.has(target) ? [] : [index]))
      },
      signal: async () => undefined,
      tell: async (_, __, line) => {
        this.told.push(line)
        return true
      },
      closed: new Promise(() => undefined),
      [Symbol.asyncDispose]: async () => undefined,
    }
  }

  async #push({ id }: ContainerRef, { writes, deletes }: Batch): Promise<Ack> {
    await this.held.get(id)
    this.pushed.push(id)
    if (this.failing) throw this.failing
    const files = this.of(id)
    const kept = deletes.filter((path) => this.keeping.has(path))
    for (const path of deletes) files.delete(path)
    const sent = new Map<string, string>()
    const refused: Refusal[] = []
    for (const write of writes) {
      const reason = this.refusing.get(write.target)
      if (reason) refused.push({ target: write.target, reason, why: `${write.target}: ${reason}` })
      else if (write.kind === 'file') {
        const content = typeof write.source === 'string' ? readFileSync(write.source) : write.source
        files.set(write.target, content.toString())
        sent.set(write.target, fileHash(write.mode).update(content).digest('hex'))
      } else if (write.kind === 'link') {
        files.set(write.target, `-> ${write.to}`)
        sent.set(write.target, linkHash(write.to))
      }
    }
    return { files: sent.size, bytes: 0, deleted: deletes.length - kept.length, sent, inPlace: [], kept, refused }
  }
}
