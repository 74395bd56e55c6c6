import { Bus } from '../../events/bus.ts'
import type { Status } from '../../events/status.ts'
import { isFree, type PortBook, portBookFile } from '../../forward/mapped.ts'
import type { Engine } from '../../host/host.ts'
import type { Plan } from '../../plan/plan.ts'
import type { Finding } from '../../render/preflight/finding.ts'
import { checkHolder, type EngineRun } from '../environment.ts'
import { findingsBefore, problemsOffline } from '../preflight.ts'
import { status } from '../status.ts'
import { type Found, foundProblem, type Look, ok, skipped } from './check.ts'
import { type ApiFacts, type Examined, type Facts, given, type Rendered, told } from './facts.ts'
import { counted } from './words.ts'

/** Programs may print manifests: how long they may take, in ms. */
export const renderPatienceMs = 30_000

/** The config, the plan that it makes, and the ports that it names. */
export function configLooks({ parts }: Examined, facts: Facts): readonly Look[] {
  const area = 'config'
  return [
    {
      area,
      name: 'config',
      after: [facts.config],
      look: () =>
        told(facts.config, ({ file, warnings }) => [ok(file), ...warnings.map((warning) => foundProblem(warning, 'warning'))]),
    },
    {
      area,
      name: 'plan',
      after: [facts.config],
      look: () =>
        given(facts.config, async ({ plan }) => {
          await checkHolder(plan, parts)
          return ok(`environment ${plan.project}/${plan.env}, profile ${plan.profileName}, namespace ${plan.namespace}`)
        }),
    },
    {
      area,
      name: 'ports',
      after: [facts.config, facts.cluster, facts.engine],
      look: () => given(facts.config, ({ plan }) => portsFound(plan, parts, facts)),
    },
  ]
}

/** Whether the ports that the config names are to be had, or are had. */
async function portsFound(plan: Plan, { host, stateDirectory }: Examined['parts'], facts: Facts): Promise<Found | Found[]> {
  const { hostPorts, name, spec } = plan.cluster
  if (hostPorts.length === 0 || 'existing' in spec) return ok('the config names none of this machine')
  const [known, engine] = await Promise.all([facts.cluster, facts.engine])
  const book = await host.files.readJson<PortBook>(portBookFile(stateDirectory, name))
  const mapped = new Set(book?.mappings.map((mapping) => mapping.host) ?? [])
  const isThere = 'is' in known
  const isHeld = isThere && known.is.state !== 'stopped'
  const found = hostPorts.map(async (port) => {
    if (isHeld && mapped.has(port)) return undefined
    if (isThere && !mapped.has(port))
      return foundProblem({
        code: 'PORT-102',
        message: `The cluster was made without the host port ${port}.`,
        hint: 'Run `devkit down`, then `devkit up`: host ports are fixed when a cluster is made.',
      })
    return (await isFree(port))
      ? undefined
      : portTaken(port, await holderOf(port, host, 'is' in engine ? engine.is.engine : undefined))
  })
  const wrong = (await Promise.all(found)).filter((one) => one !== undefined)
  return wrong.length > 0 ? wrong : ok(`${hostPorts.join(', ')} ${isHeld ? 'lead into the cluster' : 'free'}`)
}

async function holderOf(
  port: number,
  { listenerOn }: Pick<Examined['parts']['host'], 'listenerOn'>,
  engine: Engine | undefined,
): Promise<string | undefined> {
  const container = await engine?.containerOnPort(port)
  return container === undefined ? listenerOn(port) : `the container ${container}`
}

/** A port of this machine that somebody else has. */
export function portTaken(port: number, holder: string | undefined): Found {
  return foundProblem({
    code: 'PORT-101',
    message: `Port ${port} of this machine is taken${holder === undefined ? '' : ` by ${holder}`}.`,
    hint:
      holder === undefined
        ? `Stop what listens there (\`ss -ltnp 'sport = :${port}'\` shows it), or choose another ports[].host.`
        : 'Stop it, or choose another ports[].host.',
  })
}

/** The manifests: whether they can be rendered, and what of them will not work. */
export function manifestLooks({ parts, signal: ended }: Examined, facts: Facts): readonly Look[] {
  const area = 'manifests'
  return [
    {
      area,
      name: 'render',
      after: [facts.manifests],
      look: () => told(facts.manifests, ({ outline, plan }) => ok(renderedText(outline.manifests.length, plan))),
    },
    {
      area,
      name: 'pre-flight',
      after: [facts.manifests, facts.engine, facts.cluster],
      look: (signal) =>
        given(facts.manifests, async (rendered) => {
          if (rendered.plan.profileName === 'production') return skipped('nothing is known of where production runs')
          return preflightVerdicts(await findings(rendered, runOf(parts, AbortSignal.any([ended, signal])), facts))
        }),
    },
  ]
}

function renderedText(objects: number, { sources, services }: Plan): string {
  return `${counted(objects, 'object')} from ${counted(sources.length, 'source')}, ${counted(services.length, 'service')}`
}

type Seen = Pick<Finding, 'severity' | 'code' | 'message' | 'hint'> & { readonly detail?: string | undefined }

/** With the engine and the cluster where they answer, else offline. */
async function findings({ outline, source }: Rendered, run: EngineRun, facts: Facts): Promise<readonly Seen[]> {
  const engine = await facts.engine
  if ('is' in engine || 'existing' in outline.plan.cluster.spec) return findingsBefore(outline, source, run)
  return (await problemsOffline(outline, source, run.parts)).filter((event) => event.type === 'problem')
}

/** A line for each finding. */
export function preflightVerdicts(seen: readonly Seen[]): Found | Found[] {
  if (seen.length === 0) return ok('nothing in them that will not work')
  return seen.map((finding) => foundProblem(finding, finding.severity))
}

/** What lies in the cluster of the environment now: the same as `devkit status` tells. */
export function environmentLooks({ parts, signal: ended }: Examined, facts: Facts): readonly Look[] {
  return [
    {
      area: 'environment',
      name: 'services',
      after: [facts.api, facts.manifests],
      ms: renderPatienceMs,
      look: (signal) =>
        given(facts.api, (_: ApiFacts) =>
          given(facts.manifests, async ({ plan }) =>
            statusVerdicts(await status(plan, runOf(parts, AbortSignal.any([ended, signal])))),
          ),
        ),
    },
  ]
}

/** Problems first, then what is not ready without one. */
export function statusVerdicts({ services, problems }: Pick<Status, 'services' | 'problems'>): Found | Found[] {
  if (services.length === 0 && problems.length === 0) return ok('the project has no services')
  const isUp = services.some(({ pods, ready }) => pods !== undefined || ready)
  if (!isUp && problems.length === 0) return skipped('nothing of it is in the cluster', '`devkit up`')
  const withProblem = new Set(problems.flatMap(({ service }) => service ?? []))
  const waiting = services.filter(({ name, ready }) => !ready && !withProblem.has(name))
  const stale = services.filter((service) => (service.stale?.length ?? 0) > 0)
  const found: Found[] = [
    ...problems.map((problem) => ({
      ...foundProblem(problem, problem.severity),
      ...(problem.service !== undefined && { name: problem.service }),
    })),
    ...waiting.map(({ name, waiting: why }) => ({
      name,
      verdict: 'warning' as const,
      code: 'READY-102' as const,
      said: `not ready: ${why ?? 'nothing says why'}`,
      remedy: '`devkit status`, or `devkit up`, which waits for it.',
    })),
    ...stale.map(({ name, stale: lacking = [] }) => ({
      name,
      verdict: 'warning' as const,
      said: `${lacking.map(({ pod, files }) => `${pod} lacks ${counted(files, 'file')} of the working tree`).join(', ')}`,
      remedy: '`devkit watch` brings them there.',
    })),
  ]
  return found.length > 0 ? found : ok(`${counted(services.length, 'service')} ready`)
}

function runOf(parts: Examined['parts'], signal: AbortSignal): EngineRun {
  return {
    bus: new Bus(),
    signal,
    parts,
    timeoutMs: () => renderPatienceMs,
    confirm: async () => false,
    isUp: () => undefined,
  }
}
