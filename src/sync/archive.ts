import type { Content } from './source.ts'

/** Whom unpacked files belong to. */
export interface Owner {
  readonly user: number
  readonly group: number
}

/** A file as an entry of a tar archive. @see https://www.gnu.org/software/tar/manual/html_node/Standard.html; a long name has an entry of its own before */
export function archived(name: string, { data, mode }: Content, owner: Owner): readonly Uint8Array[] {
  const bytes = Buffer.from(name)
  const long =
    bytes.length > 100
      ? [header('././@LongLink', 'L', bytes.length + 1, 0, owner), padded(Buffer.concat([bytes, Buffer.of(0)]))]
      : []
  return [...long, header(bytes.subarray(0, 100), '0', data.length, mode, owner), padded(data)]
}

function header(name: string | Uint8Array, type: string, size: number, mode: number, { user, group }: Owner): Uint8Array {
  const block = Buffer.alloc(512)
  const octalAt = (value: number, at: number, length: number): void =>
    void block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1')
  block.set(typeof name === 'string' ? Buffer.from(name) : name, 0)
  octalAt(mode, 100, 8)
  octalAt(user, 108, 8)
  octalAt(group, 116, 8)
  octalAt(size, 124, 12)
  octalAt(Math.floor(Date.now() / 1000), 136, 12)
  block.write('        ', 148, 'latin1')
  block.write(type, 156, 'latin1')
  block.write('ustar  \0', 257, 'latin1')
  octalAt(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  )
  return block
}

function padded(data: Uint8Array): Uint8Array {
  const rest = data.length % 512
  return rest === 0 ? data : Buffer.concat([data, Buffer.alloc(512 - rest)])
}
