import { join } from 'node:path'
import { nodeImage } from '../lab/recipe.ts'
import type { Row } from './figures.ts'
import { projectOf, type Stand, say } from './stand.ts'

const project = projectOf('up')
const warmRuns = 10

/** Cold `up`s with their phases, each beside a bare `kind create cluster` in the same minute; then warm ones. */
export async function up(stand: Stand, n: number): Promise<readonly Row[]> {
  const rows = new Map<string, number[]>()
  const add = (what: string, ms: number): void => void rows.set(what, [...(rows.get(what) ?? []), ms])
  const directory = stand.copyFlagship('up', 0)
  stand.writeConfig(directory, (config) => {
    config.project = project
  })
  const timed = async (what: string): Promise<void> => {
    const began = performance.now()
    const events = await stand.end(directory, 'up')
    add(what, performance.now() - began)
    for (const { type, step, ms } of events) if (type === 'step.finished') add(`  ${what}: ${step}`, Number(ms))
  }
  const bare = `${project}-bare`
  stand.ownCluster(`devkit-${project}`)
  for (let round = 1; round <= n; round++) {
    say(`round ${round} of ${n}: kind create cluster`)
    stand.ownCluster(bare)
    const began = performance.now()
    stand.kind('create', 'cluster', '--name', bare, '--image', nodeImage, '--kubeconfig', join(stand.scratch, 'bare'))
    add('kind create cluster, nothing else', performance.now() - began)
    stand.kind('delete', 'cluster', '--name', bare, '--kubeconfig', join(stand.scratch, 'bare'))
    say(`round ${round} of ${n}: devkit up on no cluster`)
    await timed('up, no cluster')
    if (round < n) await stand.end(directory, 'down', '--yes')
  }
  say(`devkit up with nothing changed, ${warmRuns} times`)
  for (let run = 0; run < warmRuns; run++) await timed('up, nothing changed')
  return [...rows].map(([what, ms]) => ({ id: what, what, unit: 'ms', values: ms }))
}
