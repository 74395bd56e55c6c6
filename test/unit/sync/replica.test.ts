import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openFiles } from '../../../src/host/hash-cache.ts'
import { Replica } from '../../../src/sync/replica.ts'
import { WorkingTree } from '../../../src/sync/working-tree.ts'

test('a directory goes with the last of its files: one that is removed while its first files are sent is not told as one that stays', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'devkit-replica-'))
  try {
    mkdirSync(join(directory, 'pages/deep'), { recursive: true })
    for (const path of ['pages/a', 'pages/b', 'pages/deep/c']) writeFileSync(join(directory, path), path)
    const files = openFiles()
    const rule = { from: 'src', to: '/app', ignore: [], restart: 'none' as const, run: [] }
    const tree = new WorkingTree([{ rule, from: directory, to: '/app', ignored: () => false }], files)
    await tree.read()
    const ref = { id: 'c1', namespace: 'shop', pod: 'web-1', name: 'web' }
    const replica = new Replica(ref, 'node', tree.wanted.copy())
    const deletes = async (): Promise<readonly string[]> => {
      const due = await replica.batchFor(replica.take(tree), tree, files)
      const ack = { files: 0, bytes: 0, deleted: due.batch.deletes.length, sent: new Map(), inPlace: [], kept: [], refused: [] }
      replica.acknowledge(due, ack, tree)
      return due.batch.deletes.toSorted()
    }
    replica.take(tree)
    rmSync(join(directory, 'pages/a'))
    replica.mark(await tree.update([join(directory, 'pages/a')]))
    // the rest goes after it was looked at, and before it is sent
    rmSync(join(directory, 'pages'), { recursive: true })
    expect(await deletes()).toEqual(['/app/pages/a'])
    replica.mark(await tree.update([join(directory, 'pages/b')]))
    expect(await deletes()).toEqual(['/app/pages', '/app/pages/b', '/app/pages/deep', '/app/pages/deep/c'])
  } finally {
    rmSync(directory, { recursive: true })
  }
})
