import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { fileHash } from '../lib/content.ts'
import type { FileWrite, Refusal } from './transport.ts'

/** A file to send. */
export type FileSource = Extract<FileWrite, { kind: 'file' }>

/** A small file as it was at one moment. */
export interface Content {
  readonly data: Uint8Array
  readonly mode: number
  readonly hash: string
}

/** A file that cannot be sent as it is now: it is being written, or it cannot be read. */
export type NotRead = Pick<Refusal, 'reason' | 'why'>

export function isNotRead<T extends object>(result: T | NotRead): result is NotRead {
  return 'reason' in result && 'why' in result
}

/** How often a file is read again that changes while it is read. */
export const readAttempts = 5

/**
 * The content of a small file (`limit` bytes at most; undefined when it has grown beyond), whole. One synchronous read: for thousands of small files
 * five turns of the thread pool each would take most of the time.
 */
export function readSmall({ source, mode }: FileSource, limit: number): Content | NotRead | undefined {
  if (typeof source !== 'string') return { data: source, mode, hash: fileHash(mode).update(source).digest('hex') }
  let file: number | undefined
  try {
    // a pipe that took the file's place must not hold us
    file = openSync(source, constants.O_RDONLY | constants.O_NONBLOCK)
    const before = fstatSync(file)
    if (!before.isFile()) return { reason: 'unreadable', why: `${source} is no file any more` }
    if (before.size > limit) return undefined
    // one byte more, so that growth shows
    const room = Buffer.allocUnsafe(before.size + 1)
    let length = 0
    for (let read = -1; read !== 0 && length < room.length; length += read)
      read = readSync(file, room, length, room.length - length, null)
    if (length !== before.size || !same(before, fstatSync(file))) return changing(source)
    const data = room.subarray(0, length)
    const actual = before.mode & 0o777
    return { data, mode: actual, hash: fileHash(actual).update(data).digest('hex') }
  } catch (thrown) {
    return unreadable(source, thrown)
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

/** What is known of a file when it has been read to its end. */
export interface Read {
  readonly bytes: number
  readonly mode: number
  readonly hash: string
}

/** A file that is open for reading: what it is read from stays the same file, whoever renames another over it. */
export interface OpenSource extends AsyncDisposable {
  readonly bytes: number
  readonly mode: number
  /**
   * Reads it to its end, in parts of at most `partBytes`; `send` may keep a part until it resolves. The next part is read meanwhile, in at most
   * three buffers, so that memory stays bounded whatever the file's size. Never hands over more than `bytes`.
   */
  read(partBytes: number, send: (part: Uint8Array) => Promise<void>): Promise<Read | NotRead>
}

/** Opens a file that comes in parts. */
export async function openSource({ source, mode }: FileSource): Promise<OpenSource | NotRead> {
  if (typeof source !== 'string')
    return {
      bytes: source.length,
      mode,
      async read(partBytes, send) {
        for (let at = 0; at < source.length; at += partBytes) await send(source.subarray(at, at + partBytes))
        return { bytes: source.length, mode, hash: fileHash(mode).update(source).digest('hex') }
      },
      [Symbol.asyncDispose]: async () => undefined,
    }
  let file: FileHandle | undefined
  try {
    file = await open(source, constants.O_RDONLY | constants.O_NONBLOCK)
    const before = await file.stat()
    if (before.isFile()) {
      const opened = file
      file = undefined
      return {
        bytes: before.size,
        mode: before.mode & 0o777,
        read: (partBytes, send) => readThrough(opened, source, before, partBytes, send),
        [Symbol.asyncDispose]: () => opened.close(),
      }
    }
    return { reason: 'unreadable', why: `${source} is no file any more` }
  } catch (thrown) {
    return unreadable(source, thrown)
  } finally {
    await file?.close()
  }
}

async function readThrough(
  file: FileHandle,
  source: string,
  before: Stats,
  partBytes: number,
  send: (part: Uint8Array) => Promise<void>,
): Promise<Read | NotRead> {
  const mode = before.mode & 0o777
  const hash = fileHash(mode)
  const buffers = Array.from({ length: 3 }, () => ({ room: Buffer.allocUnsafe(partBytes), sent: Promise.resolve() }))
  let failed: { readonly cause: unknown } | undefined
  let bytes = 0
  try {
    for (let turn = 0; ; turn++) {
      const buffer = buffers[turn % buffers.length] as (typeof buffers)[number]
      await buffer.sent
      if (failed) throw failed.cause
      let length: number
      try {
        length = (await file.read(buffer.room, 0, partBytes, null)).bytesRead
      } catch (thrown) {
        return unreadable(source, thrown)
      }
      if (length === 0) break
      bytes += length
      if (bytes > before.size) return changing(source)
      const part = buffer.room.subarray(0, length)
      buffer.sent = send(part).catch((cause: unknown) => {
        failed = { cause }
      })
      hash.update(part)
    }
  } finally {
    // memory that is still on its way must not be used for anything else
    await Promise.all(buffers.map(({ sent }) => sent))
  }
  if (failed) throw (failed as { readonly cause: unknown }).cause
  if (bytes !== before.size || !same(before, await file.stat())) return changing(source)
  return { bytes, mode, hash: hash.digest('hex') }
}

function same(before: Stats, after: Stats): boolean {
  return before.size === after.size && before.mtimeMs === after.mtimeMs && before.ino === after.ino
}

function changing(source: string): NotRead {
  return { reason: 'changing', why: `${source} changes while it is read` }
}

function unreadable(source: string, thrown: unknown): NotRead {
  const { code, message } = thrown as NodeJS.ErrnoException
  return { reason: 'unreadable', why: `${source} cannot be read on this machine (${code ?? message})` }
}
