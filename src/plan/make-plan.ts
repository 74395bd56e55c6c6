import { basename, dirname } from 'node:path'
import type { ConfigProblem } from '../config/check.ts'
import type { Profile } from '../config/profile-schema.ts'
import type { Config } from '../config/schema.ts'
import { overlaySecrets } from '../config/secrets.ts'
import { DevkitError } from '../lib/errors.ts'
import { inDependencyOrder } from '../lib/graph.ts'
import { nearest } from '../lib/nearest.ts'
import { type Origins, originOf } from '../lib/origins.ts'
import type { Plan, ServicePlan } from './plan.ts'

export interface PlanInput {
  readonly config: Config
  /** The config file, absolute. */
  readonly file: string
  readonly env: string
  readonly profileName: string
  readonly profile: Profile
  readonly origins: Origins
}

/** Decides everything that can be decided without looking at anything but the config. @throws CONFIG-001 */
export function makePlan({ config, file, env, profileName, profile, origins }: PlanInput): Plan {
  if (!/^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$/.test(env))
    throw new DevkitError('CONFIG-001', {
      message: `'${env}' cannot name an environment.`,
      hint: 'Use up to 20 lower-case letters, digits and dashes, beginning with a letter.',
    })
  const services = Object.entries(config.services).map(
    ([name, spec]): ServicePlan => ({
      name,
      image: spec.image,
      workload: spec.workload,
      build: spec.build,
      sync: spec.sync,
      ports: spec.ports ?? [],
      dependsOn: spec.dependsOn ?? [],
    }),
  )
  return {
    project: config.project,
    env,
    namespace: env === 'default' ? config.project : `${config.project}-${env}`,
    directory: dirname(file),
    configFile: basename(file),
    profileName,
    profile,
    profileOrigins: origins,
    cluster: {
      name: `devkit-${config.project}`,
      project: config.project,
      spec: config.cluster,
      hostPorts: services.flatMap((service) => service.ports.flatMap((port) => (port.host === undefined ? [] : [port.host]))),
    },
    kubernetes: config.kubernetes,
    sources: config.manifests,
    secrets: overlaySecrets(config.secrets, profile.secrets),
    ignore: config.ignore,
    services: inDependencyOrder(services),
  }
}

/** The services asked for and all that they depend on; every service when none is named. @throws PLAN-101 */
export function selectServices(plan: Plan, asked: readonly string[]): Plan {
  if (asked.length === 0) return plan
  const wanted = new Set<string>()
  const add = (name: string): void => {
    const service = plan.services.find((candidate) => candidate.name === name)
    if (!service) {
      const { says, hint } = unknownService(name, plan)
      throw new DevkitError('PLAN-101', { message: `${says.charAt(0).toUpperCase()}${says.slice(1)}.`, hint })
    }
    if (wanted.has(name)) return
    wanted.add(name)
    service.dependsOn.forEach(add)
  }
  asked.forEach(add)
  return { ...plan, services: plan.services.filter(({ name }) => wanted.has(name)) }
}

/** What in the config names no service of the plan, or leaves one without an image to build. */
export function checkServices(plan: Plan): readonly ConfigProblem[] {
  const isKnown = (name: string): boolean => plan.services.some((service) => service.name === name)
  const overlaid = Object.keys(plan.profile.services ?? {}).filter((name) => !isKnown(name))
  return [
    ...overlaid.map((name): ConfigProblem => {
      const profile = originOf(plan.profileOrigins, `services.${name}`) ?? plan.profileName
      const path = ['profiles', profile, 'services', name]
      return { code: 'PLAN-101', path, at: 'key', ...unknownService(name, plan) }
    }),
    ...plan.services.flatMap(({ name: service, dependsOn }) =>
      dependsOn.flatMap((name, index): ConfigProblem[] => {
        const path = ['services', service, 'dependsOn', `${index}`]
        return isKnown(name) ? [] : [{ code: 'PLAN-101', path, at: 'value', value: name, ...unknownService(name, plan) }]
      }),
    ),
    ...plan.services
      .filter(({ build, image }) => build && image === undefined)
      .map(
        ({ name }): ConfigProblem => ({
          code: 'CONFIG-103',
          path: ['services', name, 'build'],
          at: 'key',
          says: 'there is a build but no image',
          hint: `Name the image as it stands in the manifests: services.${name}.image.`,
        }),
      ),
  ]
}

function unknownService(name: string, { services }: Plan): { readonly says: string; readonly hint: string } {
  const known = services.map((service) => service.name)
  const better = nearest(name, known)
  return {
    says: `there is no service '${name}'`,
    hint: better ? `Did you mean '${better}'?` : `Services are ${known.join(', ') || 'none'}.`,
  }
}
