import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Bench, source, target } from '../environment.ts'
import type { Target } from '../figures.ts'
import { usageOf } from '../processes.ts'
import { type Check, holds } from '../reader.ts'
import { differences, treeHere } from '../tree.ts'
import { byRename } from './saves.ts'

// Files as they are: whole, with their modes and links, of any size, and never the other way round.

/** A reader in the container never sees half a file. */
export async function torn(bench: Bench): Promise<void> {
  const [bytes, path] = [200_000, 'bench/torn.txt']
  const [pid = 0] = await bench.pids()
  const last = { content: Buffer.alloc(0) }
  const save = async (): Promise<void> => {
    const token = randomBytes(8).toString('hex')
    last.content = Buffer.from(token + 'z'.repeat(bytes - 32) + token)
    byRename(bench.at(path), last.content)
  }
  await save()
  await (await bench.reader.expect([pid], [holds(`${target}/${path}`, last.content)])).held
  const seen = { reads: 0, torn: 0, missing: 0 }
  let saves = 0
  while (saves < Math.max(50, bench.n) || seen.reads < 100_000) {
    const reading = await bench.reader.torn(pid, `${target}/${path}`, bytes)
    for (let save20 = 0; save20 < 20; save20++) {
      await save()
      saves += 1
      await delay(100 + Math.random() * 100)
    }
    const { reads, torn, missing } = await reading.stop()
    seen.reads += reads
    seen.torn += torn
    seen.missing += missing
  }
  await (await bench.reader.expect([pid], [holds(`${target}/${path}`, last.content)])).held
  const note = `${saves} saves, ${seen.reads} reads: ${seen.torn} torn, ${seen.missing} missing`
  bench.add({
    id: 'torn',
    what: 'reads of a 200 kB file that was not whole',
    unit: 'of n',
    values: [seen.torn + seen.missing],
    target: { most: 0 },
    note,
  })
}

/** What a file has beside its content. */
export async function kinds(bench: Bench): Promise<void> {
  const pids = await bench.pids()
  const path = 'bench/kind.txt'
  const put = async (checks: readonly Check[], change: () => void): Promise<number> => {
    const { held } = await bench.reader.expect(pids, checks, 5000)
    change()
    return held.then(
      () => 1,
      () => 0,
    )
  }
  const results: Record<'mode' | 'twin' | 'link', number[]> = { mode: [], twin: [], link: [] }
  for (let round = 0; round < bench.n; round++) {
    const [first, second] = [`${round} first\n`, `${round} other\n`]
    await put([holds(`${target}/${path}`, first)], () => writeFileSync(bench.at(path), first))
    for (const mode of [0o755, 0o644])
      results.mode.push(
        await put([{ kind: 'mode', path: `${target}/${path}`, mode: mode.toString(8) }], () => chmodSync(bench.at(path), mode)),
      )
    const { atime, mtime } = statSync(bench.at(path))
    results.twin.push(
      await put([holds(`${target}/${path}`, second)], () => {
        writeFileSync(bench.at(path), second)
        utimesSync(bench.at(path), atime, mtime)
      }),
    )
    const link = `bench/link-${round}`
    results.link.push(
      await put([{ kind: 'link', path: `${target}/${link}`, to: 'kind.txt' }], () => symlinkSync('kind.txt', bench.at(link))),
    )
  }
  const always: Target = { least: 1 }
  bench.add({ id: 'kinds', what: 'a mode change alone arrives', unit: 'of n', values: results.mode, target: always })
  bench.add({
    id: 'kinds',
    what: 'a save that keeps size and mtime arrives',
    unit: 'of n',
    values: results.twin,
    target: always,
  })
  bench.add({ id: 'kinds', what: 'a symlink stays one', unit: 'of n', values: results.link, target: always })
}

/** Directories that go, or get another name. */
export async function directories(bench: Bench): Promise<void> {
  const pids = await bench.pids()
  const gone: number[] = []
  for (let round = 0; round < bench.n / 2; round++)
    for (const way of ['removed', 'renamed']) {
      const [name, other] = [`bench/dir-${round}-${way}`, `bench/dir-${round}-other`]
      mkdirSync(bench.at(`${name}/deep`), { recursive: true })
      const files = ['a.txt', 'deep/b.txt']
      const made = await bench.reader.expect(
        pids,
        files.map((file) => holds(`${target}/${name}/${file}`, file)),
        10_000,
      )
      for (const file of files) writeFileSync(bench.at(`${name}/${file}`), file)
      await made.held
      const { held } = await bench.reader.expect(
        pids,
        [
          { kind: 'gone', path: `${target}/${name}` },
          ...(way === 'renamed' ? files.map((file) => holds(`${target}/${other}/${file}`, file)) : []),
        ],
        5000,
      )
      if (way === 'removed') rmSync(bench.at(name), { recursive: true })
      else renameSync(bench.at(name), bench.at(other))
      gone.push(
        await held.then(
          () => 1,
          () => 0,
        ),
      )
    }
  bench.add({
    id: 'directories',
    what: 'a directory removed or renamed: the old one is gone',
    unit: 'of n',
    values: gone,
    target: { least: 1 },
  })
}

/** What the container changes is the container's. */
export async function container(bench: Bench): Promise<void> {
  const harmed: string[][] = []
  for (let round = 0; round < bench.n; round++) harmed.push(await harmedFromInside(bench))
  const note = harmed.flat()[0]
  bench.add({
    id: 'container',
    what: 'files of the laptop that a change in the container reached',
    unit: 'of n',
    values: harmed.map(({ length }) => length),
    target: { most: 0 },
    ...(note === undefined ? {} : { note }),
  })
}

/** Makes, changes and removes files in the container. What became other on this machine; both sides are alike again then. */
async function harmedFromInside(bench: Bench): Promise<string[]> {
  const pids = await bench.pids()
  const own = join(bench.directory, source)
  await bench.put('bench/inside.txt', bench.content(100), pids)
  const before = treeHere(own)
  for (const pid of pids)
    bench.sh(
      `cd /proc/${pid}/root${target}/bench && echo made > made-inside.txt && echo changed > inside.txt && rm -f many/0.txt`,
    )
  // time to do harm: a save, and more than one round of looking again
  await bench.put('bench/save.txt', bench.content(100), pids)
  await delay(5000)
  const harmed = differences(before, treeHere(own)).filter((what) => !what.startsWith('bench/save.txt:'))
  for (const pid of pids) bench.sh(`rm -f /proc/${pid}/root${target}/bench/made-inside.txt`)
  await bench.put('bench/inside.txt', bench.content(100), pids)
  await bench.put('bench/many/0.txt', bench.content(1000), pids)
  return harmed
}

/** One very big file. */
export async function big(bench: Bench): Promise<void> {
  const run = bench.watched()
  const pids = await bench.pids()
  const bytes = 500_000_000
  const block = randomBytes(10_000_000)
  const speed: number[] = []
  const growth: number[] = []
  for (let round = 0; round < bench.n; round++) {
    const path = 'bench/big.bin'
    const waiting = join(bench.directory, 'big.bin')
    rmSync(waiting, { force: true })
    for (let part = 0; part < bytes / block.length; part++) writeFileSync(waiting, block, { flag: 'a' })
    const { held } = await bench.reader.expect(pids, [{ kind: 'size', path: `${target}/${path}`, bytes }], 120_000)
    const before = usageOf(run.pid).rssMiB
    let most = before
    const sampling = setInterval(() => {
      most = Math.max(most, usageOf(run.pid).rssMiB)
    }, 50)
    const began = performance.now()
    renameSync(waiting, bench.at(path))
    await held
    const seconds = (performance.now() - began) / 1000
    clearInterval(sampling)
    speed.push(bytes / 1e6 / seconds)
    growth.push(most - before)
    const hash = bench.sh(`sha256sum < /proc/${pids[0]}/root${target}/${path}`).slice(0, 64)
    const wanted = createHash('sha256')
    for (let part = 0; part < bytes / block.length; part++) wanted.update(block)
    if (hash !== wanted.digest('hex')) bench.wrong.push('the 500 MB file is another in the container')
    const gone = await bench.reader.expect(pids, [{ kind: 'gone', path: `${target}/${path}` }])
    rmSync(bench.at(path))
    await gone.held
  }
  bench.add({ id: 'big', what: 'a 500 MB file', unit: 'MB/s', values: speed, target: { least: 150 } })
  bench.add({ id: 'big', what: 'a 500 MB file: growth of RSS', unit: 'MiB', values: growth, target: { most: 64 } })
}
