import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { SyncRule } from '../../../src/config/schema.ts'
import { openFiles } from '../../../src/host/hash-cache.ts'
import { gitIgnoreRules, ignoring } from '../../../src/lib/ignore.ts'
import { Ledger } from '../../../src/sync/ledger.ts'
import { type Mapping, plainTarget } from '../../../src/sync/mapping.ts'
import { Replica } from '../../../src/sync/replica.ts'
import type { Ack, Batch } from '../../../src/sync/transport.ts'
import { Contents, Paths, shortHash, unknown } from '../../../src/sync/tree.ts'
import { WorkingTree } from '../../../src/sync/working-tree.ts'

let root: string
const files = openFiles()

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'devkit-ledger-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const write = (path: string, text: string): string => {
  const file = join(root, path)
  mkdirSync(join(file, '..'), { recursive: true })
  writeFileSync(file, text)
  return file
}
const mapping = (from: string, to: string, ignore: readonly string[] = []): Mapping => ({
  rule: { from, to, ignore: [...ignore], run: [] } satisfies SyncRule,
  from: join(root, from),
  to: plainTarget(to),
  ignored: ignoring(gitIgnoreRules(ignore)),
})
const replica = (): Replica => new Replica({ id: 'c1', namespace: 'n', pod: 'p', name: 'web' }, 'node')

/** What would be sent, and taken over as if all of it had arrived. */
async function sync(
  to: Replica,
  tree: WorkingTree,
  refused: readonly string[] = [],
): Promise<{ writes: string[]; deletes: string[] }> {
  const due = await to.batchFor(to.take(tree), tree, files)
  to.began(due.numbers)
  to.acknowledge(due, await ackOf(due.batch, refused), tree)
  return {
    writes: due.batch.writes.map(({ kind, target }) => `${kind} ${target}`).sort(),
    deletes: [...due.batch.deletes].sort(),
  }
}

async function ackOf({ writes, deletes }: Batch, refused: readonly string[]): Promise<Ack> {
  const sent = new Map<string, string>()
  for (const write of writes) {
    if (write.kind === 'directory' || refused.includes(write.target)) continue
    const state = write.kind === 'file' ? await files.stateOf(String(write.source)) : undefined
    if (state) sent.set(write.target, state.hash)
    else if (write.kind === 'link') sent.set(write.target, (await import('../../../src/lib/content.ts')).linkHash(write.to))
  }
  return {
    files: sent.size,
    bytes: 0,
    deleted: deletes.length,
    sent,
    inPlace: [],
    kept: [],
    refused: refused.map((target) => ({ target, reason: 'other', why: `${target}: no` })),
  }
}

test('a beginning container gets the tree, then only what changed; what is equal is not sent', async () => {
  write('src/a.txt', 'a')
  const b = write('src/deep/b.txt', 'b')
  symlinkSync('a.txt', join(root, 'src/link'))
  const tree = new WorkingTree([mapping('src', '/app/')], files)
  await tree.read()
  const one = replica()
  expect(await sync(one, tree)).toEqual({ writes: ['file /app/a.txt', 'file /app/deep/b.txt', 'link /app/link'], deletes: [] })
  one.mark()
  expect(await sync(one, tree)).toEqual({ writes: [], deletes: [] })
  writeFileSync(b, 'changed')
  one.mark(await tree.update([b]))
  expect(await sync(one, tree)).toEqual({ writes: ['file /app/deep/b.txt'], deletes: [] })
  chmodSync(b, 0o755)
  one.mark(await tree.update([b]))
  expect(await sync(one, tree)).toEqual({ writes: ['file /app/deep/b.txt'], deletes: [] })
  one.mark(await tree.update([b]))
  expect(await sync(one, tree)).toEqual({ writes: [], deletes: [] })
})

test('deletes: a file, a directory with what was in it, a file where a directory was', async () => {
  write('src/a/one.txt', '1')
  write('src/a/b/two.txt', '2')
  write('src/keep.txt', 'k')
  const tree = new WorkingTree([mapping('src', '/app')], files)
  await tree.read()
  const one = replica()
  await sync(one, tree)
  rmSync(join(root, 'src/a/one.txt'))
  one.mark(await tree.update([join(root, 'src/a/one.txt')]))
  expect(await sync(one, tree)).toEqual({ writes: [], deletes: ['/app/a/one.txt'] })
  rmSync(join(root, 'src/a'), { recursive: true })
  write('src/a', 'now a file')
  // a watch may name the directory alone
  one.mark(await tree.update([join(root, 'src/a')]))
  expect(await sync(one, tree)).toEqual({ writes: ['file /app/a'], deletes: ['/app/a', '/app/a/b', '/app/a/b/two.txt'] })
})

test('an empty directory is made, and goes again; one that was filled stays', async () => {
  write('src/a.txt', 'a')
  const tree = new WorkingTree([mapping('src', '/app')], files)
  await tree.read()
  const one = replica()
  await sync(one, tree)
  mkdirSync(join(root, 'src/empty'))
  mkdirSync(join(root, 'src/filled'))
  one.mark(await tree.update([join(root, 'src/empty'), join(root, 'src/filled')]))
  expect(await sync(one, tree)).toEqual({ writes: ['directory /app/empty', 'directory /app/filled'], deletes: [] })
  const file = write('src/filled/file', 'x')
  rmSync(join(root, 'src/empty'), { recursive: true })
  one.mark(await tree.update([file, join(root, 'src/filled'), join(root, 'src/empty')]))
  expect(await sync(one, tree)).toEqual({ writes: ['file /app/filled/file'], deletes: ['/app/empty'] })
})

test('directories that are empty are part of the first difference, and of every look at the whole tree', async () => {
  write('src/a.txt', 'a')
  write('src/logs/only.log', 'ignored')
  for (const path of ['src/empty/deep', 'src/tmp/x', 'src/.git/refs', 'lib']) mkdirSync(join(root, path), { recursive: true })
  const tree = new WorkingTree([mapping('src', '/app', ['*.log', 'tmp/']), mapping('lib', '/app/lib')], files)
  await tree.read()
  const one = replica()
  const first = {
    writes: ['directory /app/empty', 'directory /app/empty/deep', 'directory /app/logs', 'file /app/a.txt'],
    deletes: [],
  }
  expect(await sync(one, tree)).toEqual(first)
  expect(await tree.read()).toEqual([])
  // while nobody looked: one was filled, one went, one came
  write('src/empty/deep/file', 'x')
  rmSync(join(root, 'src/logs'), { recursive: true })
  mkdirSync(join(root, 'src/later'))
  one.mark(await tree.read())
  expect(await sync(one, tree)).toEqual({
    writes: ['directory /app/later', 'file /app/empty/deep/file'],
    deletes: ['/app/logs'],
  })
  one.mark(await tree.read())
  expect(await sync(one, tree)).toEqual({ writes: [], deletes: [] })
  // a tree that is moved in, of which a watch tells the name alone
  mkdirSync(join(root, 'src/moved/in/here'), { recursive: true })
  one.mark(await tree.update([join(root, 'src/moved')]))
  expect((await sync(one, tree)).writes).toContain('directory /app/moved/in/here')
})

test('a whole directory that came is found though only its name is told; ignored paths are left alone', async () => {
  const tree = new WorkingTree([mapping('src', '/app', ['*.log', 'tmp/'])], files)
  mkdirSync(join(root, 'src'))
  await tree.read()
  const one = replica()
  await sync(one, tree)
  write('src/new/deep/a.txt', 'a')
  write('src/new/b.log', 'b')
  write('src/new/tmp/c.txt', 'c')
  write('src/new/.git/HEAD', 'ref')
  one.mark(await tree.update(['src/new', 'src/new/b.log', 'src/new/tmp'].map((path) => join(root, path))))
  expect(await sync(one, tree)).toEqual({ writes: ['file /app/new/deep/a.txt'], deletes: [] })
})

test('a rule for one file; of two rules with one target the last that has it counts', async () => {
  write('one/x.txt', 'one')
  write('two/x.txt', 'two')
  write('single.conf', 's')
  const tree = new WorkingTree([mapping('one', '/app'), mapping('two', '/app'), mapping('single.conf', '/etc/app.conf')], files)
  await tree.read()
  const one = replica()
  expect(await sync(one, tree)).toEqual({ writes: ['file /app/x.txt', 'file /etc/app.conf'], deletes: [] })
  rmSync(join(root, 'two/x.txt'))
  one.mark(await tree.update([join(root, 'two/x.txt')]))
  expect(await sync(one, tree)).toEqual({ writes: ['file /app/x.txt'], deletes: [] })
})

test('what was refused is due again when it is marked', async () => {
  const a = write('src/a.txt', 'a')
  const tree = new WorkingTree([mapping('src', '/app')], files)
  await tree.read()
  const one = replica()
  await sync(one, tree, ['/app/a.txt'])
  one.mark(await tree.update([a]))
  expect(await sync(one, tree)).toEqual({ writes: ['file /app/a.txt'], deletes: [] })
})

test('what is written down holds over an end in the middle: intended is unknown, a torn line says nothing', async () => {
  const file = join(root, '.devkit/containers/x.jsonl')
  const tree = new WorkingTree([mapping('src', '/app')], files)
  const [a, b] = [tree.paths.of('/app/a'), tree.paths.of('/app/new\nline')]
  const first = await Ledger.open(files, file, { tree, has: new Contents() })
  expect(first.known).toBe(false)
  await first.ledger.intend([a, b])
  await first.ledger.record([a], () => shortHash('abc123'))
  appendFileSync(file, '[7,"/elsewhere/of/another/rule"]\n[12,"/app/to')

  const later = new WorkingTree([mapping('src', '/app')], files)
  const has = new Contents()
  has.set(later.paths.of('/app/of/the/image'), 7)
  const second = await Ledger.open(files, file, { tree: later, has })
  expect(second.known).toBe(true)
  expect(['/app/a', '/app/new\nline', '/app/of/the/image'].map((path) => has.get(later.paths.of(path)))).toEqual([
    shortHash('abc123'),
    unknown,
    7,
  ])
  // the rules may come to it again
  expect(later.paths.find('/elsewhere/of/another/rule')).toBe(undefined)
  expect(readFileSync(file, 'utf8')).toContain('/elsewhere/of/another/rule')
  expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(4)
})

test('20,000 files cost little for each replica', async () => {
  const paths = new Paths()
  const contents = new Contents()
  for (let number = 0; number < 20_000; number++) contents.set(paths.of(`/app/src/package/module-${number}.py`), number + 2)
  const before = process.memoryUsage().arrayBuffers
  const copies = Array.from({ length: 10 }, () => contents.copy())
  expect((process.memoryUsage().arrayBuffers - before) / copies.length).toBeLessThan(300_000)
  expect([...(copies[0] ?? new Contents()).differing(contents)]).toEqual([])
})
