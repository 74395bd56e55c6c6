import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { labUp } from '../lab/lab.ts'
import { removeFromEngine } from '../lab/leftovers.ts'
import { baseImage } from '../lab/recipe.ts'
import type { MachineSettings } from '../lab/settings.ts'

// What `npm test` does before its tests, with names that only this file gives.

let settings: MachineSettings
const docker = (...args: string[]): string =>
  execFileSync(settings.tools.docker, args, { encoding: 'utf8', env: { ...process.env, DOCKER_HOST: settings.engine } })

beforeAll(async () => {
  settings = await labUp({ say: (line) => void process.stderr.write(`${line}\n`), signal: new AbortController().signal })
  removeFromEngine(settings, /^(?:u-)?leftover-/)
})
afterAll(() => void removeFromEngine(settings, /^(?:u-)?leftover-/))

test('what runs, what is stopped, networks and images go by their names; everything else stays', () => {
  docker('network', 'create', 'leftover-net')
  for (const name of ['leftover-runs', 'u-leftover-runs'])
    docker('run', '--detach', '--restart=always', `--name=${name}`, '--network=leftover-net', baseImage, 'sleep', '1000')
  docker('create', '--name=leftover-stopped', baseImage)
  for (const name of ['registry.example.com/leftover-app/web:1', 'leftover-app', 'registry.example.com/u-leftover-app/web:1'])
    docker('tag', baseImage, name)
  // the network is still used by what stays, so it goes only after that
  docker('network', 'disconnect', 'leftover-net', 'u-leftover-runs')
  expect(removeFromEngine(settings, /^leftover-/)).toEqual(['2 containers', '1 networks', '2 images'])
  const left = (...args: string[]): string =>
    docker(...args)
      .split('\n')
      .filter((name) => name.includes('leftover'))
      .join()
  expect(left('ps', '--all', '--format', '{{.Names}}')).toBe('u-leftover-runs')
  expect(left('network', 'ls', '--format', '{{.Name}}')).toBe('')
  expect(left('images', '--format', '{{.Repository}}')).toBe('registry.example.com/u-leftover-app/web')
  expect(docker('images', '--quiet', baseImage)).not.toBe('')
  expect(removeFromEngine(settings, /^leftover-/)).toEqual([])
})
