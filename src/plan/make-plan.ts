import type { Origins } from '../config/profile.ts'
import type { Profile } from '../config/profile-schema.ts'
import type { Config } from '../config/schema.ts'
import { overlaySecrets } from '../config/secrets.ts'
import { DevkitError } from '../lib/errors.ts'
import { nearest } from '../lib/nearest.ts'
import { inDependencyOrder } from './graph.ts'
import type { Plan, ServicePlan } from './plan.ts'

export interface PlanInput {
  readonly config: Config
  /** Directory of the config file, absolute. */
  readonly directory: string
  readonly env: string
  readonly profileName: string
  readonly profile: Profile
  readonly origins: Origins
}

/** Decides everything that can be decided without looking at anything but the config. @throws PLAN-101, PLAN-102, CONFIG-103 */
export function makePlan({ config, directory, env, profileName, profile, origins }: PlanInput): Plan {
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
      ports: spec.ports,
      dependsOn: spec.dependsOn,
    }),
  )
  for (const name of Object.keys(profile.services ?? {}))
    if (!config.services[name]) throw unknownService(name, services, `profiles.${profileName}.services`)
  for (const service of services) {
    for (const name of service.dependsOn)
      if (!config.services[name]) throw unknownService(name, services, `services.${service.name}.dependsOn`)
    if (service.build && service.image === undefined)
      throw new DevkitError('CONFIG-103', {
        message: `services.${service.name} has a build but no image.`,
        hint: `Name the image as it stands in the manifests: services.${service.name}.image.`,
      })
  }
  return {
    project: config.project,
    env,
    namespace: env === 'default' ? config.project : `${config.project}-${env}`,
    directory,
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
    if (!service) throw unknownService(name, plan.services, 'the command line')
    if (wanted.has(name)) return
    wanted.add(name)
    service.dependsOn.forEach(add)
  }
  asked.forEach(add)
  return { ...plan, services: plan.services.filter(({ name }) => wanted.has(name)) }
}

function unknownService(name: string, services: readonly { readonly name: string }[], where: string): DevkitError {
  const known = services.map((service) => service.name)
  const better = nearest(name, known)
  return new DevkitError('PLAN-101', {
    message: `There is no service '${name}', named in ${where}.`,
    hint: better ? `Did you mean '${better}'?` : `Services are ${known.join(', ') || 'none'}.`,
  })
}
