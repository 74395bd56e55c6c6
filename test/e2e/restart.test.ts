import { expect, test } from 'vitest'
import { app } from './tools/app.ts'
import { useRig } from './tools/rig.ts'

// What a save does to the program, on a real cluster.

const rig = useRig('t-restart', app({ project: 't-restart' }))

interface ContainerState {
  readonly containerID: string
  readonly restartCount: number
}

function container(): ContainerState {
  const pods = JSON.parse(rig.kubectl('get', 'pods', '-l', 'app=web', '-o', 'json')) as {
    items: { status: { containerStatuses: ContainerState[] } }[]
  }
  const found = pods.items[0]?.status.containerStatuses[0]
  if (!found || pods.items.length !== 1) throw new Error(`there are ${pods.items.length} pods`)
  return found
}

const inContainer = (...command: string[]): string => rig.kubectl('exec', 'deploy/web', '--', ...command)

test('the program runs under the supervisor, and devkit restart-free runs leave it alone', async () => {
  const { code, problems } = await rig.end(['up'])
  expect({ code, problems }).toEqual({ code: 0, problems: [] })
  expect(inContainer('cat', '/proc/1/comm')).toBe('sh\n')
  const before = container()
  expect((await rig.end(['up'])).code).toBe(0)
  expect(container()).toEqual(before)
})
