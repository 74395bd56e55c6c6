import { execFileSync } from 'node:child_process'
import { engineAddress, type Places } from './places.ts'
import { endProcesses, ownAncestors, processes, processesWithEnv } from './processes.ts'
import type { Voice } from './run.ts'
import type { MachineSettings } from './settings.ts'

/** Names of everything that tests make begin so: projects `t-…`, their clusters `devkit-t-…`. */
const testName = /^(?:devkit-)?t-/

/**
 * Removes what test runs that are dead left in the lab's own engine and among the processes, so that a run that was cut never spoils the
 * next. While another test run works, everything stays: whose it is cannot be told.
 */
export async function removeLeftovers(settings: MachineSettings, places: Places, { say, signal }: Voice): Promise<void> {
  // only ever in the engine that the lab started: whatever an engine of somebody else's holds is theirs
  if (settings.engine !== engineAddress(places)) return
  await endOrphans(signal)
  const others = otherTestRuns()
  if (others.length > 0) {
    say(`Another test run works on the lab (pid ${others.join(', ')}); what earlier ones left stays.`)
    return
  }
  const docker = (...args: string[]): string =>
    execFileSync(settings.tools.docker, args, {
      encoding: 'utf8',
      env: { ...process.env, DOCKER_HOST: settings.engine },
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 120_000,
    })
  const lines = (text: string): readonly string[] => text.split('\n').filter(Boolean)
  const left = processesWithEnv('DEVKIT_TEST=')
  await endProcesses(left, signal)
  // the engine restarts kind's nodes when it was killed itself: told by their names, not by their state
  const containers = lines(docker('ps', '--all', '--format', '{{.Names}}')).filter((name) => testName.test(name))
  if (containers.length > 0) docker('rm', '--force', '--volumes', ...containers)
  const networks = lines(docker('network', 'ls', '--format', '{{.Name}}')).filter((name) => testName.test(name))
  if (networks.length > 0) docker('network', 'rm', ...networks)
  const images = lines(docker('images', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}')).flatMap((line) => {
    const [reference = '', id = ''] = line.split(' ')
    return reference.split('/').some((part) => testName.test(part)) ? [reference.includes('<none>') ? id : reference] : []
  })
  if (images.length > 0) docker('rmi', '--force', ...images)
  const found = [
    [left, 'processes'],
    [containers, 'containers'],
    [networks, 'networks'],
    [images, 'images'],
  ] as const
  const told = found.filter(([all]) => all.length > 0).map(([all, what]) => `${all.length} ${what}`)
  if (told.length > 0) say(`Removed what earlier test runs left: ${told.join(', ')}.`)
}

/** Mark of the processes that `npm test` starts, in their environment. */
export const testRunMark = 'DEVKIT_TEST_RUN'

/** Ends what an `npm test` that was killed left running. Called by the one that holds the lock, so all that is marked is without a parent. */
async function endOrphans(signal: AbortSignal): Promise<void> {
  const own = ownAncestors()
  await endProcesses(
    processesWithEnv(`${testRunMark}=`).filter((pid) => !own.has(pid)),
    signal,
  )
}

/** Runs of tests or benchmarks on clusters, but for the one that this process belongs to. */
function otherTestRuns(): readonly number[] {
  const own = ownAncestors()
  return processes()
    .filter(({ pid, command }) => !own.has(pid) && /vitest\.mjs run .*(?:contract|e2e)|test\/bench\/bench\.ts/.test(command))
    .map(({ pid }) => pid)
}
