import { mkdir, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import ci from '../../profiles/ci.ts'
import debug from '../../profiles/debug.ts'
import dev from '../../profiles/dev.ts'
import production from '../../profiles/production.ts'
import { loadConfig } from '../config/load.ts'
import { loadMachine, type Machine } from '../config/machine.ts'
import { resolveProfile } from '../config/profile.ts'
import type { Profile } from '../config/schema.ts'
import { down } from '../engine/down.ts'
import type { EngineRun, Parts } from '../engine/environment.ts'
import { applyProfile, renderSource } from '../engine/render.ts'
import { status } from '../engine/status.ts'
import { problemEvent } from '../engine/step.ts'
import { up } from '../engine/up.ts'
import { watch } from '../engine/watch.ts'
import { Bus } from '../events/bus.ts'
import { engineAddress } from '../host/address.ts'
import { openEngine } from '../host/engine.ts'
import { makeExec, programEnv } from '../host/exec.ts'
import * as files from '../host/files.ts'
import type { Engine } from '../host/host.ts'
import { watchFiles } from '../host/watch.ts'
import { openKube } from '../kube/client.ts'
import { DevkitError } from '../lib/errors.ts'
import { Scope } from '../lib/scope.ts'
import { makePlan, selectServices } from '../plan/make-plan.ts'
import type { Plan } from '../plan/plan.ts'
import { makeToolbox } from '../toolbox.ts'
import { json } from '../ui/json.ts'
import { plain } from '../ui/plain.ts'
import { exitCodeOf, type GlobalFlags, type Io } from './io.ts'
import { version } from './version.ts'

const shipped: Readonly<Record<string, Profile>> = { production, dev, ci, debug }

/** `devkit up` */
export function upVerb(io: Io, flags: GlobalFlags, services: readonly string[]): Promise<number> {
  return running(io, flags, 'up', async (plan, run, scope) => {
    const environment = await up(selectServices(plan, services), run, scope)
    if (environment.unchanged) run.bus.emit({ type: 'action', do: 'none', reason: 'nothing has changed: unchanged' })
    return environment.urls
  })
}

/** `devkit watch` */
export function watchVerb(io: Io, flags: GlobalFlags, services: readonly string[]): Promise<number> {
  return running(io, flags, 'watch', async (plan, run, scope, reload) => {
    const select = (whole: Plan): Plan => selectServices(whole, services)
    await watch(select(plan), run, scope, { files: reload.files, load: async () => select(await reload.load()) })
    return {}
  })
}

/** `devkit down` */
export function downVerb(io: Io, flags: GlobalFlags): Promise<number> {
  return running(io, flags, 'down', async (plan, run) => {
    await down(plan, run)
    return {}
  })
}

/** `devkit status` */
export async function statusVerb(io: Io, flags: GlobalFlags & { readonly check?: boolean }): Promise<number> {
  const { plan } = await loadPlan(io, flags)
  const found = await status(plan, {
    bus: new Bus(),
    signal: io.signal,
    parts: await makeParts(io, await loadMachine(io.env)),
    timeoutMs: milliseconds(flags.timeout),
  })
  if (isJson(flags)) io.stdout.write(`${JSON.stringify(found)}\n`)
  else {
    io.stdout.write(
      `${found.project}/${found.env} · cluster ${found.cluster.name} ${found.cluster.state} · namespace ${found.namespace}\n`,
    )
    const width = Math.max(0, ...found.services.map(({ name }) => name.length))
    const workloads = Math.max(0, ...found.services.map(({ workload }) => workload.length))
    for (const { name, workload, ready, waiting, url, image } of found.services)
      io.stdout.write(
        `${ready ? '✓' : '✗'} ${name.padEnd(width)}  ${workload.padEnd(workloads)}  ${ready ? (url ?? image ?? '') : (waiting ?? '')}\n`,
      )
  }
  return flags.check && found.services.some(({ ready }) => !ready) ? 1 : 0
}

/** `devkit render` */
export async function renderVerb(io: Io, flags: GlobalFlags & { readonly out?: string }): Promise<number> {
  const { plan } = await loadPlan(io, flags)
  const { stringify } = await import('yaml')
  const source = await renderSource(plan, { tools: makeToolbox(await makeParts(io, await loadMachine(io.env))) }, io)
  const objects = flags.profile === 'production' ? source.manifests : applyProfile(plan, source, new Map())
  const text = (object: unknown): string => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })
  if (flags.out === undefined) {
    if (isJson(flags))
      io.stdout.write(`${JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects.map(({ object }) => object) })}\n`)
    else io.stdout.write(objects.map(({ object }) => text(object)).join('---\n'))
    return 0
  }
  const directory = resolve(io.cwd, flags.out)
  await mkdir(directory, { recursive: true })
  for (const { object } of objects)
    await writeFile(
      join(
        directory,
        `${[object.metadata.namespace, object.kind, object.metadata.name].filter(Boolean).join('_').toLowerCase()}.yaml`,
      ),
      text(object),
    )
  return 0
}

/** `devkit config` */
export async function configVerb(io: Io, flags: GlobalFlags & { readonly machine?: boolean }): Promise<number> {
  const machine = await loadMachine(io.env)
  const shown = flags.machine
    ? { ...machine, engine: await engineAddress(io.env, machine.engine, homedir()) }
    : await loadPlan(io, flags).then(({ file, plan }) => ({ file, ...plan }))
  const { stringify } = await import('yaml')
  io.stdout.write(isJson(flags) ? `${JSON.stringify(shown)}\n` : stringify(shown, { lineWidth: 0 }))
  return 0
}

interface Reload {
  readonly files: readonly string[]
  readonly load: () => Promise<Plan>
}

/** A verb that does something: its events, its scope, its exit code. */
async function running(
  io: Io,
  flags: GlobalFlags,
  command: string,
  work: (plan: Plan, run: EngineRun, scope: Scope, reload: Reload) => Promise<Readonly<Record<string, string>>>,
): Promise<number> {
  const began = performance.now()
  const bus = new Bus()
  bus.subscribe(
    isJson(flags) ? json(io.stdout) : plain(io.stderr, { verbose: flags.verbose ?? false, quiet: flags.quiet ?? false }),
  )
  const scope = new Scope()
  const abort = (): void => void scope.close(io.signal.reason).catch(() => undefined)
  io.signal.addEventListener('abort', abort, { once: true })
  let exitCode = 0
  let urls: Readonly<Record<string, string>> = {}
  try {
    const { plan, file } = await loadPlan(io, flags)
    bus.emit({ type: 'run.started', command, project: plan.project, env: plan.env, profile: plan.profileName, version })
    const parts = await makeParts(io, await loadMachine(io.env))
    const run: EngineRun = { bus, signal: scope.signal, parts, timeoutMs: milliseconds(flags.timeout) }
    urls = await work(plan, run, scope, { files: [file], load: async () => (await loadPlan(io, flags)).plan })
  } catch (thrown) {
    if (io.signal.aborted) exitCode = command === 'watch' ? 0 : 130
    else {
      bus.emit(problemEvent(thrown))
      exitCode = exitCodeOf(thrown)
    }
  } finally {
    io.signal.removeEventListener('abort', abort)
    await scope.close(io.signal.reason)
  }
  bus.emit({ type: 'run.finished', ok: exitCode === 0, exitCode, ms: Math.round(performance.now() - began), urls })
  if (!isJson(flags) && exitCode === 0) for (const [service, url] of Object.entries(urls)) io.stdout.write(`${service} ${url}\n`)
  return exitCode
}

async function loadPlan(io: Io, flags: GlobalFlags): Promise<{ readonly plan: Plan; readonly file: string }> {
  const { config, directory, file } = await loadConfig({ cwd: resolve(io.cwd, flags.cwd ?? '.'), file: flags.config })
  const profileName = flags.profile ?? 'dev'
  const profile = resolveProfile(profileName, shipped, config.profiles)
  return { plan: makePlan({ config, directory, env: flags.env, profileName, profile }), file }
}

/** The real parts, opened when first used. */
async function makeParts(io: Io, machine: Machine): Promise<Parts & Parameters<typeof makeToolbox>[0]> {
  const home = io.env['HOME'] || homedir()
  const address = await engineAddress(io.env, machine.engine, home)
  const exec = makeExec({ tools: machine.tools, env: programEnv(io.env, machine.tools, address) })
  let opened: Promise<Engine> | undefined
  const engine = (): Promise<Engine> => {
    opened ??= openEngine(address)
    return opened
  }
  const parts = {
    exec,
    engine,
    files,
    watch: watchFiles,
    stateDirectory: machine.stateDirectory,
    nodeImage: machine.nodeImage,
    userKubeconfig: io.env['KUBECONFIG']?.split(':')[0] || join(home, '.kube', 'config'),
  }
  return { ...parts, host: parts, tools: makeToolbox(parts), openKube }
}

function isJson({ json: asked, output }: GlobalFlags): boolean {
  return asked === true || output === 'json'
}

/** `90s`, `5m`, `1h` in ms. @throws CONFIG-001 */
function milliseconds(time: string): number {
  const [, amount, unit = 's'] = /^(\d+)(ms|s|m|h)?$/.exec(time) ?? []
  const factor = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit]
  if (amount === undefined || factor === undefined)
    throw new DevkitError('CONFIG-001', { message: `'${time}' is no time.`, hint: 'Write 90s, 5m or 1h.' })
  return Number(amount) * factor
}
