import { nearest } from '../../lib/nearest.ts'
import { type Manifest, nameOf } from '../../lib/objects.ts'
import { groupOf } from '../../lib/select.ts'
import { isRemoved, type OldApi, oldApi } from '../removed-apis.ts'
import { Field } from './field.ts'
import { type Finding, sentence } from './finding.ts'
import type { Stack } from './stack.ts'

/** API versions that are gone or about to go, and kinds that nothing brings into the cluster. */
export function wrongApis(stack: Stack): readonly Finding[] {
  const { apiVersions, isBuiltIn } = stack.capabilities
  return stack.manifests.flatMap((manifest) => {
    const { apiVersion, kind } = manifest.object
    const old = oldApi(apiVersion, kind)
    if (old) return [oldFinding(stack, manifest, old)]
    return isBuiltIn(manifest.object) ? [] : [unknownFinding(stack, manifest, apiVersions)]
  })
}

function oldFinding(stack: Stack, manifest: Manifest, old: OldApi): Finding {
  const { apiVersion, kind } = manifest.object
  const { kubernetes } = stack.capabilities
  const removed = isRemoved(old, kubernetes)
  const object = nameOf(manifest.object)
  const fate = removed
    ? `is gone since Kubernetes ${old.removedIn}`
    : old.removedIn === undefined
      ? 'is deprecated'
      : `goes with Kubernetes ${old.removedIn}`
  const steps = [old.now === undefined ? '' : `write apiVersion: ${old.now}`, old.also ?? ''].filter(Boolean).join('; ')
  return {
    severity: removed ? 'failure' : 'warning',
    code: 'RENDER-204',
    message: `${placeOfApi(stack, manifest)}: ${object}: ${apiVersion} ${fate}${removed ? `, the manifests are for ${kubernetes}` : ''}.`,
    hint: sentence(steps || 'leave it out: nothing takes its place'),
    object,
    ...(removed && { unless: { apiVersion, kind } }),
  }
}

function unknownFinding(stack: Stack, manifest: Manifest, served: readonly string[]): Finding {
  const { apiVersion, kind } = manifest.object
  const object = nameOf(manifest.object)
  const elsewhere = served.filter((name) => name.endsWith(`/${kind}`)).map((name) => name.slice(0, -kind.length - 1))
  const near = nearest(
    kind,
    served.filter((name) => name.startsWith(`${apiVersion}/`)).map((name) => name.slice(apiVersion.length + 1)),
  )
  // a later Kubernetes than is known may have more kinds in its own groups, but for those of the beginning, which have no dot
  const group = groupOf(manifest.object)
  const isCertain = stack.capabilities.isForeign(manifest.object) || (!group.includes('.') && served.includes(apiVersion))
  return {
    severity: isCertain ? 'failure' : 'warning',
    code: 'RENDER-205',
    message: `${placeOfApi(stack, manifest)}: ${object}: Kubernetes has no ${kind} in ${apiVersion}, and no CRD among the manifests makes it.`,
    hint:
      elsewhere.length > 0
        ? `Write apiVersion: ${elsewhere.join(' or ')}.`
        : near
          ? `Did you mean ${near}?`
          : "Add the CRD to `manifests`, or let the profile leave it out: `foreignKinds: 'skip'`.",
    object,
    unless: { apiVersion, kind },
  }
}

function placeOfApi(stack: Stack, manifest: Manifest): string {
  return stack.placeOf(Field.of(manifest).get('apiVersion'))
}
