import { stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import ci from '../../profiles/ci.ts'
import debug from '../../profiles/debug.ts'
import dev from '../../profiles/dev.ts'
import production from '../../profiles/production.ts'
import { loadConfig } from '../config/load.ts'
import { loadMachine } from '../config/machine.ts'
import { resolveProfile } from '../config/profile.ts'
import type { Profile } from '../config/profile-schema.ts'
import type { Parts } from '../engine/environment.ts'
import { engineAddress } from '../host/address.ts'
import { openEngine } from '../host/engine.ts'
import { makeExec, programEnv } from '../host/exec.ts'
import { openFiles } from '../host/hash-cache.ts'
import type { Engine } from '../host/host.ts'
import { locksIn } from '../host/lock.ts'
import { giveMemoryBack } from '../host/memory.ts'
import { listenerOn } from '../host/ports.ts'
import { watchFiles } from '../host/watch.ts'
import { openKube } from '../kube/client.ts'
import { DevkitError } from '../lib/errors.ts'
import { makePlan } from '../plan/make-plan.ts'
import type { Plan } from '../plan/plan.ts'
import { makeToolbox } from '../toolbox.ts'
import { directoryOf, type GlobalFlags, type Io } from './io.ts'

const shipped: Readonly<Record<string, Profile>> = { production, dev, ci, debug }

/** The plan that the flags ask for, and the config file that it comes from. @throws CONFIG-001 when --cwd is no directory */
export async function loadPlan(io: Io, flags: GlobalFlags): Promise<{ readonly plan: Plan; readonly file: string }> {
  const cwd = directoryOf(io, flags)
  const isDirectory = await stat(cwd).then(
    (found) => found.isDirectory(),
    () => false,
  )
  if (!isDirectory) throw new DevkitError('CONFIG-001', { message: `There is no directory ${cwd}.`, hint: 'Correct --cwd.' })
  const { config, directory, file } = await loadConfig({ cwd, file: flags.config })
  const profileName = flags.profile ?? 'dev'
  const resolved = resolveProfile(profileName, shipped, config.profiles)
  return { plan: makePlan({ config, directory, env: flags.env, profileName, ...resolved }), file }
}

/** The real parts, each opened when first used. `command` is what other runs are told of this one. */
export async function openParts(io: Io, command: string): Promise<Parts> {
  const machine = await loadMachine(io.env)
  const home = io.env['HOME'] || homedir()
  const address = await engineAddress(io.env, machine.engine, home)
  const exec = makeExec({ tools: machine.tools, env: programEnv(io.env, machine.tools, address) })
  const named = (io.env['KUBECONFIG'] ?? '').split(delimiter).filter(Boolean)
  const userKubeconfigs = named.length > 0 ? named : [join(home, '.kube', 'config')]
  let opened: Promise<Engine> | undefined
  const engine = (): Promise<Engine> => {
    opened ??= openEngine(address)
    return opened
  }
  const parts = {
    env: io.env,
    exec,
    engine,
    files: openFiles(),
    watch: watchFiles,
    giveMemoryBack,
    listenerOn,
    lock: locksIn(join(machine.stateDirectory, 'locks'), {
      what: `devkit ${command} in ${io.cwd}`,
      pid: io.pid,
      since: new Date().toISOString(),
    }),
    stateDirectory: machine.stateDirectory,
    nodeImage: machine.nodeImage,
    mirrors: machine.mirrors,
    userKubeconfig: userKubeconfigs[0] ?? '',
    userKubeconfigs,
  }
  return { ...parts, host: parts, tools: makeToolbox(parts), openKube }
}
