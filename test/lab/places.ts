import { homedir } from 'node:os'
import { join } from 'node:path'

type Env = Readonly<Record<string, string | undefined>>

/** Where the lab keeps things. All absolute; all below the user's own directories but for what runs. */
export interface Places {
  /** Everything that is downloaded or built, and the engine's data. */
  readonly cache: string
  /** Sockets and process files of the engine that runs. */
  readonly runtime: string
  /** The machine's settings file that the lab writes for devkit. */
  readonly settings: string
}

/** Where processes keep their sockets on a machine that gives root no directory of its own for it. */
export const usualRuntime = '/run/devkit-lab'

export function placesOf(env: Env): Places {
  const home = env['HOME'] ?? homedir()
  return {
    cache: join(env['XDG_CACHE_HOME'] || join(home, '.cache'), 'devkit-lab'),
    runtime: env['XDG_RUNTIME_DIR'] ? join(env['XDG_RUNTIME_DIR'], 'devkit-lab') : usualRuntime,
    settings: env['DEVKIT_MACHINE'] || join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'devkit', 'machine.json'),
  }
}

/** Address of the lab's own engine: never the machine's default socket, so that its faults are nobody else's. */
export function engineAddress(places: Places): string {
  return `unix://${join(places.runtime, 'docker.sock')}`
}
