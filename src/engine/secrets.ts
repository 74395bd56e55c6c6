import { resolve } from 'node:path'
import { isForbidden } from '../deploy/refusal.ts'
import type { Kube } from '../kube/kube.ts'
import { DevkitError, messageOf } from '../lib/errors.ts'
import type { KubeObject } from '../lib/objects.ts'
import { originOf } from '../lib/origins.ts'
import type { Plan } from '../plan/plan.ts'
import { hidden, type SecretContent } from '../render/transforms/secrets.ts'
import { readSecrets, type SecretValues, secretFiles, secretKeys } from '../secrets/read.ts'
import type { Parts } from './environment.ts'

type Tools = { readonly tools: Pick<Parts['tools'], 'secrets'> } & Pick<Parts, 'placeOf'>

/** The values of the config's Secrets, as far as their sources have them; nothing is asked of the cluster. @throws SECRET-101 … SECRET-103 */
export function valuesOf(
  plan: Plan,
  { tools, placeOf = async (path) => path.join('.') }: Tools,
): Promise<readonly SecretValues[]> {
  const written = (path: readonly string[]): readonly string[] => {
    const profile = originOf(plan.profileOrigins, path.join('.'))
    return profile === undefined ? path : ['profiles', profile, ...path]
  }
  return readSecrets({ ...plan, placeOf: (path) => placeOf(written(path)) }, tools.secrets)
}

/** The Secrets as they are applied. What is made up is made up once: the cluster's own Secret is where it is kept. @throws SECRET-104 */
export function contentsOf(
  plan: Plan,
  values: readonly SecretValues[],
  kube: Pick<Kube, 'get'>,
  { tools }: Tools,
  signal: AbortSignal,
): Promise<readonly SecretContent[]> {
  return Promise.all(
    values.map(async ({ name, type, data, generated }) => {
      const keys = Object.entries(generated)
      if (keys.length === 0) return { name, type, data }
      const ref = { apiVersion: 'v1', kind: 'Secret', name, namespace: plan.namespace }
      const live = await kube.get(ref, signal).catch((cause: unknown) => {
        throw isForbidden(cause) ? unreadable(name, cause) : cause
      })
      const kept = (live?.['data'] ?? {}) as Readonly<Record<string, string>>
      const made = keys.map(async ([key, length]): Promise<[string, string]> => {
        const given = await tools.secrets.generate.read(length, [key], plan.directory)
        return [key, kept[key] || Buffer.from(given.get(key)?.text ?? '').toString('base64')]
      })
      return { name, type, data: { ...data, ...Object.fromEntries(await Promise.all(made)) } }
    }),
  )
}

/** Whether an object is a Secret of the config. */
export function isOwnSecret({ apiVersion, kind, metadata }: KubeObject, { secrets }: Plan): boolean {
  return apiVersion === 'v1' && kind === 'Secret' && metadata.name in secrets
}

function unreadable(name: string, cause: unknown): DevkitError {
  return new DevkitError('SECRET-104', {
    message: `Secret/${name} of the cluster may not be read: ${messageOf(cause)}.`,
    hint: `What is made up for secrets.${name} is kept there: get the right to read it, or give the values by its sources.`,
    object: `Secret/${name}`,
    cause,
  })
}

/** The files (absolute) that the Secrets have their values from: a change of one is applied. */
export async function secretPaths(plan: Plan, { tools }: Tools): Promise<readonly string[]> {
  return (await secretFiles(plan, tools.secrets)).map((file) => resolve(plan.directory, file))
}

/** The Secrets as they may be shown: every key, no value. */
export async function shownSecrets(plan: Plan, { tools }: Tools): Promise<readonly SecretContent[]> {
  const keys = await secretKeys(plan, tools.secrets)
  return [...keys].map(([name, all]) => ({
    name,
    type: plan.secrets[name]?.type,
    data: Object.fromEntries(all.map((key) => [key, hidden])),
  }))
}
