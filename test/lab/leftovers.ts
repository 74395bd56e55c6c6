import { execFileSync } from 'node:child_process'
import { engineAddress, type Places, placesOf } from './places.ts'
import { endProcesses, environmentOf, ownAncestors, processes, processesWithEnv } from './processes.ts'
import type { Voice } from './run.ts'
import type { MachineSettings } from './settings.ts'

/** Names of everything that tests make begin so: projects `t-…`, their clusters `devkit-t-…`. */
const testName = /^(?:devkit-)?t-/

/** Mark of the processes that `npm test` starts, in their environment: its value is the lab's cache. */
export const testRunMark = 'DEVKIT_TEST_RUN'

/**
 * Removes what test runs that are dead left in the lab's own engine and among the processes, so that a run that was cut never spoils the
 * next. While another test run works on the lab, everything stays: whose it is cannot be told. Called with the lock of `npm test`.
 */
export async function removeLeftovers(settings: MachineSettings, places: Places, voice: Voice): Promise<void> {
  const own = ownAncestors()
  // what an `npm test` that was killed started lives on; only one holds the lock, so all that is marked belongs to nobody
  const orphans = processesWithEnv(`${testRunMark}=${places.cache}`).filter((pid) => !own.has(pid))
  await endProcesses(orphans, voice.signal)
  const runs = otherTestRuns()
  const here = runs.filter((pid) => placesOf(environmentOf(pid)).runtime === places.runtime)
  if (here.length > 0) {
    voice.say(`Another test run works on the lab (pid ${here.join(', ')}); what earlier ones left stays.`)
    return
  }
  const left = runs.length > 0 ? [] : processesWithEnv('DEVKIT_TEST=').filter((pid) => !own.has(pid))
  await endProcesses(left, voice.signal)
  // only ever in the engine that the lab started: whatever an engine of somebody else's holds is theirs
  const removed = settings.engine === engineAddress(places) ? removeFromEngine(settings, testName) : []
  const told = [...(orphans.length + left.length > 0 ? [`${orphans.length + left.length} processes`] : []), ...removed]
  if (told.length > 0) voice.say(`Removed what earlier test runs left: ${told.join(', ')}.`)
}

/** Removes containers, running or not, networks and images by their names; says how many of each. */
export function removeFromEngine(settings: MachineSettings, name: RegExp): readonly string[] {
  const docker = (...args: string[]): string =>
    execFileSync(settings.tools.docker, args, {
      encoding: 'utf8',
      env: { ...process.env, DOCKER_HOST: settings.engine },
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: 120_000,
    })
  const lines = (text: string): readonly string[] => text.split('\n').filter(Boolean)
  // an engine that was killed restarts kind's nodes with itself: told by their names, not by their state
  const containers = lines(docker('ps', '--all', '--format', '{{.Names}}')).filter((one) => name.test(one))
  if (containers.length > 0) docker('rm', '--force', '--volumes', ...containers)
  const networks = lines(docker('network', 'ls', '--format', '{{.Name}}')).filter((one) => name.test(one))
  if (networks.length > 0) docker('network', 'rm', ...networks)
  const images = lines(docker('images', '--format', '{{.Repository}} {{.Repository}}:{{.Tag}} {{.ID}}')).flatMap((line) => {
    const [repository = '', reference = '', id = ''] = line.split(' ')
    return repository.split('/').some((part) => name.test(part)) ? [reference.includes('<none>') ? id : reference] : []
  })
  if (images.length > 0) docker('rmi', '--force', ...images)
  const found = { containers, networks, images }
  return Object.entries(found).flatMap(([what, all]) => (all.length > 0 ? [`${all.length} ${what}`] : []))
}

/** Runs of tests or benchmarks on clusters, but for the one that this process belongs to. */
function otherTestRuns(): readonly number[] {
  const own = ownAncestors()
  return processes()
    .filter(({ pid, command }) => !own.has(pid) && /vitest\.mjs run .*(?:contract|e2e)|test\/bench\/bench\.ts/.test(command))
    .map(({ pid }) => pid)
}
