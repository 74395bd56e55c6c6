import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { hostsFile, withMirrors } from '../../../src/cluster/mirrors.ts'
import type { ClusterProvider, EnsuredCluster } from '../../../src/cluster/provider.ts'
import * as files from '../../../src/host/files.ts'
import type { Engine } from '../../../src/host/host.ts'

let stateDirectory: string
beforeEach(() => {
  stateDirectory = mkdtempSync(join(tmpdir(), 'devkit-mirrors-'))
})
afterEach(() => rmSync(stateDirectory, { recursive: true }))

test.each([
  ['http://192.0.2.7:5000', '[host."http://192.0.2.7:5000"]', false],
  ['mirror.example.com', '[host."https://mirror.example.com"]', false],
  ['https://mirror.example.com/', '[host."https://mirror.example.com"]', false],
  ['mirror.example.com:8443', '[host."https://mirror.example.com:8443"]', false],
  // below a path the mirror says where its API is
  ['https://mirror.example.com/v2/ghcr/', '[host."https://mirror.example.com/v2/ghcr"]', true],
])('the mirror %s is %s for containerd', (address, host, override) => {
  const text = hostsFile(address)
  expect(text.split('\n')[1]).toBe(host)
  expect(text.includes('override_path = true')).toBe(override)
})

interface EnsureRun {
  readonly outcome: EnsuredCluster['outcome']
  readonly mirrors: Record<string, string>
  /** What a node says to be refused; nothing when it takes what it is given. */
  readonly refusal?: string
}

/** Ensures a cluster of two nodes as often as `runs` says, each time with these mirrors; what each node was asked to run. */
async function ensured(...runs: readonly EnsureRun[]) {
  const asked: string[][] = []
  const outcomes: string[] = []
  for (const { outcome, mirrors, refusal } of runs) {
    const nodes: string[] = []
    asked.push(nodes)
    const cluster = { name: 'devkit-shop', kubeconfig: '', nodes: ['one', 'two'] }
    const provider: Pick<ClusterProvider, 'ensure'> = { ensure: async () => ({ cluster, outcome, runningSince: 0 }) }
    const run: Engine['run'] = async (node, argv) => {
      nodes.push(
        `${node}: ${argv
          .slice(5)
          .filter((_, index) => index % 2 === 0)
          .join()}`,
      )
      return refusal === undefined ? { exitCode: 0, stdout: '', stderr: '' } : { exitCode: 1, stdout: '', stderr: refusal }
    }
    const engine = async (): Promise<Engine> => ({ run }) as Engine
    const parts = { engine, files, stateDirectory, mirrors }
    const step = { signal: new AbortController().signal, say: () => undefined }
    const request = { name: 'devkit-shop', project: 'shop', spec: { kind: {} } }
    outcomes.push((await withMirrors(provider as ClusterProvider, parts).ensure(request, [], step)).outcome)
  }
  return { asked, outcomes }
}

test('nodes are asked when the mirrors have changed, and never else', async () => {
  const mirrors = { 'docker.io': 'https://mirror.example.com' }
  const { asked, outcomes } = await ensured(
    { outcome: 'unchanged', mirrors: {} },
    { outcome: 'unchanged', mirrors },
    { outcome: 'unchanged', mirrors },
    { outcome: 'unchanged', mirrors: {} },
    { outcome: 'unchanged', mirrors: {} },
  )
  expect(asked).toEqual([[], ['one: docker.io', 'two: docker.io'], [], ['one: ', 'two: '], []])
  expect(outcomes).toEqual(['unchanged', 'configured', 'unchanged', 'configured', 'unchanged'])
})

test('a cluster that is made anew has none of what the one before it had', async () => {
  const mirrors = { 'docker.io': 'https://mirror.example.com', _default: 'http://192.0.2.7' }
  const { asked, outcomes } = await ensured({ outcome: 'created', mirrors }, { outcome: 'created', mirrors })
  expect(asked).toEqual([
    ['one: docker.io,_default', 'two: docker.io,_default'],
    ['one: docker.io,_default', 'two: docker.io,_default'],
  ])
  expect(outcomes).toEqual(['created', 'created'])
})

test('a node that does not take them is told, with what it said, and is asked again by the next run', async () => {
  const mirrors = { 'docker.io': 'https://mirror.example.com' }
  const refusal = "mkdir: cannot create directory '/etc/containerd/certs.d': Read-only file system"
  await expect(ensured({ outcome: 'unchanged', mirrors, refusal })).rejects.toMatchObject({
    code: 'CLUSTER-110',
    message: expect.stringContaining('The node one of devkit-shop'),
    detail: refusal,
  })
  const { asked, outcomes } = await ensured({ outcome: 'unchanged', mirrors })
  expect({ asked, outcomes }).toEqual({ asked: [['one: docker.io', 'two: docker.io']], outcomes: ['configured'] })
})
