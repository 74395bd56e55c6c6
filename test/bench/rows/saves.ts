import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { AnyEvent } from '../../e2e/tools/devkit.ts'
import { type Bench, greeting, source, target } from '../environment.ts'
import type { Target } from '../figures.ts'
import { usageOf } from '../processes.ts'
import { type Check, holds } from '../reader.ts'

// What people feel: the start, a save, many saves, a branch switch, and what it costs while nothing happens.

const [manyFiles, changedFiles, deletedFiles] = [200, 3000, 300]

/** A way of saving. */
export type Save = (path: string, content: string | Uint8Array) => void

export const inPlace: Save = (path, content) => writeFileSync(path, content)
export const byRename: Save = (path, content) => {
  writeFileSync(`${path}~`, content)
  renameSync(`${path}~`, path)
}

/** Makes the files that the rows change; they are in the image from the beginning. */
export function fillFiles(directory: string): void {
  const at = (path: string): string => join(directory, source, path)
  for (const folder of ['bench/many', 'bench/branch']) mkdirSync(at(folder), { recursive: true })
  writeFileSync(at('bench/save.txt'), 'nothing yet\n')
  for (let file = 0; file < manyFiles; file++) writeFileSync(at(`bench/many/${file}.txt`), 'nothing yet\n')
  for (let file = 0; file < changedFiles + deletedFiles; file++) writeFileSync(at(`bench/branch/${file}.txt`), 'branch 0\n')
}

/** Start of `watch`, until it says that it watches; a save then proves that it does. */
export async function starts(bench: Bench, what: string, limit: Target, args: readonly string[] = []): Promise<void> {
  const ms: number[] = []
  for (let round = 0; round < bench.n; round++) {
    const began = performance.now()
    await using run = await bench.watch(args)
    ms.push(performance.now() - began)
    const content = bench.content(100)
    const { held } = await bench.reader.expect(await bench.pids(), [holds(`${target}/start.txt`, content)])
    writeFileSync(bench.at('start.txt'), content)
    await held
    run.kill('SIGINT')
    await run.exited
  }
  bench.add({ id: 'start', what, unit: 'ms', values: ms, target: limit })
}

/** Memory and CPU of all of devkit's processes while nothing happens. */
export async function idle(bench: Bench, what: string, mostMiB: number): Promise<void> {
  const run = bench.watched()
  // the garbage of the start has been collected by then
  await delay(20_000)
  const memory: number[] = []
  const cpu: number[] = []
  const first = usageOf(run.pid)
  const began = performance.now()
  let [before, since] = [first, began]
  // a minute at least: a look at the whole tree is part of doing nothing
  for (let sample = 0; sample < Math.max(bench.n, 60); sample++) {
    await delay(1000)
    const [now, at] = [usageOf(run.pid), performance.now()]
    memory.push(now.rssMiB)
    cpu.push((100 * (now.cpuMs - before.cpuMs)) / (at - since))
    ;[before, since] = [now, at]
  }
  const whole = (100 * (before.cpuMs - first.cpuMs)) / (since - began)
  const note = `${before.processes} process${before.processes === 1 ? '' : 'es'}`
  bench.add({ id: 'idle', what: `${what}: RSS`, unit: 'MiB', values: memory, target: { most: mostMiB }, note })
  bench.add({ id: 'idle', what: `${what}: CPU of a core, second by second`, unit: '%', values: cpu })
  bench.add({
    id: 'idle',
    what: `${what}: CPU of a core, all of these seconds`,
    unit: '%',
    values: [whole],
    target: { most: 0.5 },
  })
}

/** Lone saves of one file, into all containers. */
export async function saves(bench: Bench, id: string, what: string, save: Save, limit: Target, containers = 1): Promise<void> {
  const run = bench.watched()
  const pids = await bench.pids(containers)
  const ms: number[] = []
  let told = 0
  // the first save opens the stream
  for (let round = -1; round < bench.n; round++) {
    const content = bench.content(4096)
    const { held } = await bench.reader.expect(pids, [holds(`${target}/bench/save.txt`, content)])
    const began = performance.now()
    save(bench.at('bench/save.txt'), content)
    await held
    if (round >= 0) ms.push(performance.now() - began)
    // nobody saves in step with a clock
    await delay(60 + Math.random() * 80)
    if (round < 0) told = run.events.length
  }
  bench.add({ id, what, unit: 'ms', values: ms, target: limit })
  addStages(bench, id, run.events.slice(told))
}

/** A save → the page that shows it; the program reloads itself. */
export async function served(bench: Bench): Promise<void> {
  const ms: number[] = []
  for (let round = 0; round < bench.n; round++) {
    const text = bench.greet(round)
    const began = performance.now()
    writeFileSync(bench.at(greeting), text.content)
    await bench.page(text.greeting)
    ms.push(performance.now() - began)
  }
  bench.add({ id: 'served', what: 'one save → served on the page (gunicorn reloads itself)', unit: 'ms', values: ms })
}

export async function many(bench: Bench): Promise<void> {
  const run = bench.watched()
  const told = run.events.length
  const pids = await bench.pids()
  const paths = Array.from({ length: manyFiles }, (_, file) => `bench/many/${file}.txt`)
  const ms: number[] = []
  for (let round = 0; round < bench.n; round++) {
    const content = bench.content(1000)
    const { held } = await bench.reader.expect(
      pids,
      paths.map((path) => holds(`${target}/${path}`, content)),
    )
    const began = performance.now()
    for (const path of paths) writeFileSync(bench.at(path), content)
    await held
    ms.push(performance.now() - began)
    await delay(300)
  }
  bench.add({ id: 'many', what: `${manyFiles} files at once → all right`, unit: 'ms', values: ms, target: { p95: 200 } })
  addStages(bench, 'many', run.events.slice(told))
}

/** To and fro between two branches. */
export async function branch(bench: Bench): Promise<void> {
  const pids = await bench.pids()
  const path = (file: number): string => `bench/branch/${file}.txt`
  const changed = Array.from({ length: changedFiles }, (_, file) => path(file))
  const vanishing = Array.from({ length: deletedFiles }, (_, file) => path(changedFiles + file))
  const ms: number[] = []
  for (let round = 1; round <= bench.n; round++) {
    const content = `branch ${round}\n${'y'.repeat(700)}\n`
    const away = round % 2 === 1
    const { held } = await bench.reader.expect(pids, [
      ...changed.map((file) => holds(`${target}/${file}`, content)),
      ...vanishing.map(
        (file): Check => (away ? { kind: 'gone', path: `${target}/${file}` } : holds(`${target}/${file}`, content)),
      ),
    ])
    const began = performance.now()
    for (const file of changed) writeFileSync(bench.at(file), content)
    for (const file of vanishing) {
      if (away) rmSync(bench.at(file))
      else writeFileSync(bench.at(file), content)
    }
    await held
    ms.push(performance.now() - began)
    await delay(500)
  }
  const what = `${changedFiles} files changed and ${deletedFiles} deleted, or made again → all right`
  bench.add({ id: 'branch', what, unit: 'ms', values: ms, target: { most: 3000 } })
}

/** Where the time went, as the events of these saves tell it. */
function addStages(bench: Bench, id: string, events: readonly AnyEvent[]): void {
  for (const [stage, values] of stagesOf(events))
    bench.add({ id, what: `  of it, as devkit tells: ${stage}`, unit: 'ms', values })
}

/** Stage → ms of each batch. */
function stagesOf(events: readonly AnyEvent[]): ReadonlyMap<string, readonly number[]> {
  const all = events.flatMap(({ type, stages }) =>
    type === 'synced' ? Object.entries((stages ?? {}) as Record<string, number>) : [],
  )
  return new Map(
    [...new Set(all.map(([stage]) => stage))].map((stage) => [stage, all.filter(([name]) => name === stage).map(([, ms]) => ms)]),
  )
}
