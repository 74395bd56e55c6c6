import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fileHash } from '../../../src/lib/content.ts'
import { isNotRead, openSource, readSmall } from '../../../src/sync/source.ts'
import { rootOf } from '../../../src/sync/transport.ts'

let scratch: string
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'devkit-source-'))
})
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const file = (name: string, content: string | Buffer) => {
  const source = join(scratch, name)
  writeFileSync(source, content, { mode: 0o644 })
  return { kind: 'file' as const, target: `/app/${name}`, source, mode: 0o755, bytes: 0 }
}

test('a small file is read whole, with the mode that it has now', () => {
  expect(readSmall(file('small', 'content'), 100)).toEqual({
    data: Buffer.from('content'),
    mode: 0o644,
    hash: fileHash(0o644).update('content').digest('hex'),
  })
  expect(readSmall(file('empty', ''), 100)).toMatchObject({ data: Buffer.alloc(0) })
  expect(readSmall(file('big', Buffer.alloc(101)), 100)).toBeUndefined()
})

test('what is no file, or is not there, is told; a pipe does not hold us', () => {
  execFileSync('mkfifo', [join(scratch, 'pipe')])
  mkdirSync(join(scratch, 'directory'))
  for (const name of ['pipe', 'directory', 'gone'])
    expect(readSmall({ ...file('any', ''), source: join(scratch, name) }, 100)).toMatchObject({
      reason: 'unreadable',
      why: expect.stringContaining(name),
    })
})

async function opened(source: Parameters<typeof openSource>[0]) {
  const found = await openSource(source)
  if (isNotRead(found)) throw new Error(found.why)
  return found
}

test('a big file comes in parts, in its order', async () => {
  const content = Buffer.from(Array.from({ length: 10_000 }, (_, index) => index % 251))
  await using source = await opened(file('parts', content))
  const parts: Buffer[] = []
  const read = await source.read(999, async (part) => {
    // a part may be kept until it is sent
    await new Promise((resolve) => setImmediate(resolve))
    parts.push(Buffer.from(part))
  })
  expect(read).toEqual({ bytes: 10_000, mode: 0o644, hash: fileHash(0o644).update(content).digest('hex') })
  expect(Buffer.concat(parts)).toEqual(content)
})

test.each([
  ['grows', (path: string) => appendFileSync(path, 'more')],
  ['shrinks', (path: string) => truncateSync(path, 2000)],
])('a file that %s while it is read is told, and never more is handed over than it had', async (_, change) => {
  const write = file('changing', Buffer.alloc(5000))
  await using source = await opened(write)
  let handed = 0
  const read = await source.read(1000, async (part) => {
    if (handed === 0) change(write.source)
    handed += part.length
  })
  expect(read).toMatchObject({ reason: 'changing' })
  expect(handed).toBeLessThanOrEqual(5000)
})

test('a file that another is renamed over stays the one that was opened', async () => {
  const write = file('renamed', Buffer.alloc(5000, 'a'))
  await using source = await opened(write)
  const other = file('other', Buffer.alloc(7000, 'b'))
  const read = await source.read(1000, async () => {
    try {
      renameSync(other.source, write.source)
    } catch {
      // done with the first part
    }
  })
  expect(read).toMatchObject({ bytes: 5000, hash: fileHash(0o644).update(Buffer.alloc(5000, 'a')).digest('hex') })
})

test('what the receiver fails with comes out', async () => {
  await using source = await opened(file('failing', Buffer.alloc(5000)))
  await expect(source.read(1000, () => Promise.reject(new Error('no more')))).rejects.toThrow('no more')
})

test.each([
  [['/app', '/app/src'], '/app/src/a', '/app/src'],
  [['/app/'], '/app/a', '/app'],
  [['/app'], '/app', '/app'],
  [['/'], '/etc/a', '/'],
  [['/app'], '/application/a', undefined],
  [['/app'], '/app/../etc/a', undefined],
  [['/app'], '/app//a', undefined],
  [['/app'], 'app/a', undefined],
])('of the roots %j, %s is below %s', (roots, target, root) => {
  expect(rootOf(roots, target)).toBe(root)
})
