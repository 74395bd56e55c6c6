import { homedir, hostname } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { loadMachine, type Machine } from '../config/machine.ts'
import type { Parts } from '../engine/environment.ts'
import { engineAddress } from '../host/address.ts'
import { openEngine } from '../host/engine.ts'
import { makeExec, makeProgramFile, programEnv } from '../host/exec.ts'
import { openFiles } from '../host/hash-cache.ts'
import type { Engine, Host } from '../host/host.ts'
import { locksIn } from '../host/lock.ts'
import { giveMemoryBack } from '../host/memory.ts'
import { listenerOn } from '../host/ports.ts'
import { identity, spaceAt, watchUse } from '../host/resources.ts'
import { watchFiles } from '../host/watch.ts'
import { openKube } from '../kube/client.ts'
import type { DiscoveryMemory } from '../kube/discovery.ts'
import { makeToolbox } from '../toolbox.ts'
import type { Io } from './io.ts'

/** The real parts, each opened when first used. `command` is what other runs are told of this one. @throws CONFIG-201 unless `settings` are given */
export async function openParts(io: Io, command: string, settings?: Machine): Promise<Parts & { readonly host: Host }> {
  const machine = settings ?? (await loadMachine(io.env))
  const home = io.env['HOME'] || homedir()
  const address = await engineAddress(io.env, machine.engine, home)
  const programs = { tools: machine.tools, env: programEnv(io.env, machine.tools, address) }
  const named = (io.env['KUBECONFIG'] ?? '').split(delimiter).filter(Boolean)
  const userKubeconfigs = named.length > 0 ? named : [join(home, '.kube', 'config')]
  let opened: Promise<Engine> | undefined
  const engine = (): Promise<Engine> => {
    opened ??= openEngine(address)
    return opened
  }
  const files = openFiles()
  const openRemembering: Parts['openKube'] = ({ kubeconfig, whenSilent }, options = {}) => {
    const memoryOf = (cluster: string): DiscoveryMemory => {
      // beside the kubeconfig, which is devkit's own: it goes with the cluster
      const file = join(dirname(kubeconfig), `discovery-${cluster}.json`)
      // what cannot be kept is asked for again
      const write = (known: unknown) => files.writePrivate(file, JSON.stringify(known)).catch(() => undefined)
      return { read: () => files.readJson(file), write }
    }
    return openKube(kubeconfig, { memoryOf, whenSilent, ...options })
  }
  const parts = {
    env: io.env,
    exec: makeExec(programs),
    programFile: makeProgramFile(programs),
    engine,
    files,
    watch: watchFiles,
    giveMemoryBack,
    listenerOn,
    spaceAt,
    watchUse,
    identity,
    lock: locksIn(join(machine.stateDirectory, 'locks'), {
      what: `devkit ${command} in ${io.cwd}`,
      pid: io.pid,
      since: new Date().toISOString(),
      endsByItself: command !== 'watch',
    }),
    stateDirectory: machine.stateDirectory,
    who: `devkit ${command} on ${hostname()}, pid ${io.pid}`,
    nodeImage: machine.nodeImage,
    mirrors: machine.mirrors,
    userKubeconfig: userKubeconfigs[0] ?? '',
    userKubeconfigs,
    openKube: openRemembering,
  }
  return { ...parts, host: parts, tools: makeToolbox(parts) }
}
