import { nearest } from '../../lib/nearest.ts'
import { nameOf } from '../../lib/objects.ts'
import { servesIngresses } from './controllers.ts'
import { Field } from './field.ts'
import { type Finding, sentence } from './finding.ts'
import { keysOf, provided } from './provided.ts'
import type { Pods, Stack } from './stack.ts'

/** A place that names an object, and maybe a key in its data. */
interface Reference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly key?: string | undefined
  /** The field that says the name, or the key. */
  readonly field: Field
  /** Within the object that refers: `web/envFrom`. */
  readonly by: string
  /** Whether a pod cannot start without it. */
  readonly isNeeded: boolean
}

const apiVersions: Readonly<Record<string, string>> = {
  ClusterRole: 'rbac.authorization.k8s.io/v1',
  Role: 'rbac.authorization.k8s.io/v1',
  PriorityClass: 'scheduling.k8s.io/v1',
  RuntimeClass: 'node.k8s.io/v1',
  StorageClass: 'storage.k8s.io/v1',
}

/** Objects and keys that manifests refer to and that nothing provides: one finding for each, with all places. */
export function missingReferences(stack: Stack): readonly Finding[] {
  const missing = new Map<string, { readonly absent: Absent; readonly references: Reference[] }>()
  for (const reference of referencesIn(stack)) {
    const absent = absence(stack, reference)
    if (!absent) continue
    const found = missing.get(absent.what) ?? { absent, references: [] }
    found.references.push(reference)
    missing.set(absent.what, found)
  }
  return [...missing.values()].map(({ absent, references }) => findingOf(stack, absent, references))
}

interface Absent {
  /** `Secret web-env`, `the key url of Secret web-env`. */
  readonly what: string
  readonly isCertain: boolean
  readonly better: string | undefined
}

function absence(stack: Stack, { kind, name, key }: Reference): Absent | undefined {
  const is = provided(stack, kind, name)
  if (is !== 'yes')
    return {
      what: `${kind} ${name}`,
      isCertain: is === 'no',
      better: nearest(
        name,
        [...stack.of(kind).keys()].filter((one) => one !== name),
      ),
    }
  const keys = key === undefined ? undefined : keysOf(stack, kind, name)
  if (key === undefined || !keys || keys.has(key)) return undefined
  return { what: `the key ${key} of ${kind} ${name}`, isCertain: true, better: nearest(key, [...keys]) }
}

function findingOf(stack: Stack, { what, isCertain, better }: Absent, references: readonly Reference[]): Finding {
  const first = references.find(({ isNeeded }) => isNeeded) ?? references[0]
  if (!first) throw new Error('a finding about nothing')
  const { apiVersion, kind, name, field, by } = first
  const object = nameOf(field.manifest.object)
  const others = references.filter((one) => one !== first).map((one) => stack.placeOf(one.field))
  const also =
    others.length === 0 ? '' : ` (also at ${[...new Set(others)].slice(0, 5).join(', ')}${others.length > 5 ? ', …' : ''})`
  const namespace = stack.capabilities.isNamespaced({ apiVersion, kind }) ? stack.namespace : undefined
  const about = `${stack.placeOf(field)}: ${object}: ${what} is referenced by ${by}${also}`
  return {
    severity: isCertain && first.isNeeded ? 'failure' : 'warning',
    code: 'RENDER-201',
    message: `${about}, ${isCertain ? 'nothing provides it' : 'no manifest provides it, something that runs may'}.`,
    hint: sentence(better === undefined ? adviceFor(first) : `did you mean ${better}? Else ${adviceFor(first)}`),
    object,
    unless: {
      ref: { apiVersion, kind, name, namespace },
      data: { keys: [...new Set(references.flatMap(({ key }) => key ?? []))], about },
    },
  }
}

/** What a word of the profile does away with the reference. */
const byProfile: Readonly<Record<string, string>> = {
  StorageClass: "map it in the profile: `storageClasses: { '*': '(default)' }`",
  PriorityClass: "let the profile drop it: `scheduling: { priority: 'drop' }`",
  RuntimeClass: "let the profile drop it: `scheduling: { runtime: 'drop' }`",
}

function adviceFor({ kind, key, by }: Reference): string {
  if (key !== undefined) return 'add the key'
  if (by === 'imagePullSecrets') return "add the Secret, or let the profile drop it: `imagePullSecrets: 'drop'`"
  if (by === 'tls')
    return 'add the Secret, or name it in `secrets` of the config: without it, controllers show a certificate of their own'
  if (kind === 'Secret')
    return 'add the Secret to the manifests, name it in `secrets` of the config, or say `optional: true` there'
  if (kind === 'ConfigMap') return 'add the ConfigMap to the manifests, or say `optional: true` there'
  return byProfile[kind] ?? `add the ${kind} to the manifests, or let the profile \`skip\` what refers to it`
}

function* referencesIn(stack: Stack): Iterable<Reference> {
  for (const pods of stack.pods) yield* referencesOfPods(pods)
  // a certificate that nobody shows is not missed
  const isServed = servesIngresses(stack)
  for (const manifest of stack.manifests) {
    const root = Field.of(manifest)
    const spec = root.get('spec')
    const { kind } = manifest.object
    if (kind === 'RoleBinding' || kind === 'ClusterRoleBinding') yield* referencesOfBinding(stack, root)
    if (kind === 'HorizontalPodAutoscaler')
      yield* referenceTo(spec.get('scaleTargetRef', 'kind').text ?? '', spec.get('scaleTargetRef', 'name'), {
        apiVersion: spec.get('scaleTargetRef', 'apiVersion').text,
        by: 'scaleTargetRef',
      })
    if (kind === 'Ingress' && isServed)
      for (const tls of spec.get('tls').items) yield* referenceTo('Secret', tls.get('secretName'), { by: 'tls' })
    if (kind === 'StatefulSet') yield* referenceTo('Service', spec.get('serviceName'), { by: 'serviceName' })
    if (kind === 'PersistentVolumeClaim') yield* storageClassOf(stack, spec, isClaimed(stack, manifest.object.metadata.name))
    if (kind === 'StatefulSet')
      for (const template of spec.get('volumeClaimTemplates').items)
        yield* storageClassOf(
          stack,
          template.get('spec'),
          stack.pods.some((pods) => pods.manifest === manifest && pods.count > 0),
        )
  }
}

function* referencesOfPods({ spec, containers, count }: Pods): Iterable<Reference> {
  const isNeeded = count > 0
  for (const container of containers) {
    const name = container.get('name').text ?? ''
    for (const from of container.get('envFrom').items)
      yield* [
        ...referenceTo('ConfigMap', from.get('configMapRef', 'name'), { by: `${name}/envFrom`, isNeeded }),
        ...referenceTo('Secret', from.get('secretRef', 'name'), { by: `${name}/envFrom`, isNeeded }),
      ]
    for (const variable of container.get('env').items) {
      const by = `${name}/env ${variable.get('name').text ?? ''}`
      for (const [kind, source] of [
        ['ConfigMap', variable.get('valueFrom', 'configMapKeyRef')],
        ['Secret', variable.get('valueFrom', 'secretKeyRef')],
      ] as const)
        yield* referenceTo(kind, source.get('name'), { keys: [source.get('key')], by, isNeeded })
    }
  }
  for (const volume of spec.get('volumes').items) {
    const by = `volume ${volume.get('name').text ?? ''}`
    for (const source of [volume, ...volume.get('projected', 'sources').items])
      for (const [kind, way, name] of [
        ['ConfigMap', 'configMap', 'name'],
        ['Secret', 'secret', source === volume ? 'secretName' : 'name'],
      ] as const) {
        const keys = source.get(way, 'items').items.map((item) => item.get('key'))
        yield* referenceTo(kind, source.get(way, name), { keys, by, isNeeded })
        // where the key is not there the file is a directory, which some programs start with
        if (keys.length === 0 && source === volume)
          for (const { container, subPath } of subPathsOf(volume, containers))
            yield* referenceTo(kind, source.get(way, name), { keys: [subPath], by: `${container}/volumeMounts ${by}` })
      }
    yield* referenceTo('PersistentVolumeClaim', volume.get('persistentVolumeClaim', 'claimName'), { by, isNeeded })
  }
  const account = spec.get('serviceAccountName')
  yield* referenceTo('ServiceAccount', account.text === undefined ? spec.get('serviceAccount') : account, {
    by: 'serviceAccountName',
    isNeeded,
  })
  yield* referenceTo('PriorityClass', spec.get('priorityClassName'), { by: 'priorityClassName', isNeeded })
  yield* referenceTo('RuntimeClass', spec.get('runtimeClassName'), { by: 'runtimeClassName', isNeeded })
  // the kubelet goes on without: an image may be there, or public
  for (const secret of spec.get('imagePullSecrets').items)
    yield* referenceTo('Secret', secret.get('name'), { by: 'imagePullSecrets' })
}

/** The files of a volume that containers mount each on its own. */
function subPathsOf(volume: Field, containers: readonly Field[]) {
  return containers.flatMap((container) =>
    container
      .get('volumeMounts')
      .items.filter((mount) => mount.get('name').value === volume.get('name').value)
      .map((mount) => ({ container: container.get('name').text ?? '', subPath: mount.get('subPath') }))
      .filter(({ subPath }) => subPath.text !== undefined),
  )
}

interface Way {
  readonly by: string
  readonly apiVersion?: string | undefined
  readonly keys?: readonly Field[]
  readonly isNeeded?: boolean
}

/** A reference for each key, or one for the object; none where nothing is named, or where it is optional. */
function* referenceTo(kind: string, field: Field, { by, apiVersion, keys = [], isNeeded = false }: Way): Iterable<Reference> {
  const name = field.text
  if (kind === '' || name === undefined || field.parent?.get('optional').value === true) return
  const reference = { apiVersion: apiVersion ?? apiVersions[kind] ?? 'v1', kind, name, by, isNeeded }
  const named = keys.filter(({ text }) => text !== undefined)
  if (named.length === 0) yield { ...reference, field }
  for (const key of named) yield { ...reference, key: key.text, field: key }
}

function* referencesOfBinding(stack: Stack, root: Field): Iterable<Reference> {
  yield* referenceTo(root.get('roleRef', 'kind').text ?? 'ClusterRole', root.get('roleRef', 'name'), { by: 'roleRef' })
  for (const subject of root.get('subjects').items) {
    const namespace = subject.get('namespace').text ?? stack.namespace
    if (subject.get('kind').value === 'ServiceAccount' && namespace === stack.namespace)
      yield* referenceTo('ServiceAccount', subject.get('name'), { by: 'subjects' })
  }
}

/** A class, unless a volume of that class is waiting for the claim. */
function* storageClassOf(stack: Stack, spec: Field, isNeeded: boolean): Iterable<Reference> {
  const name = spec.get('storageClassName').text
  const volumes = [...stack.of('PersistentVolume').values()]
  if (volumes.some((volume) => Field.of(volume).get('spec', 'storageClassName').text === name)) return
  yield* referenceTo('StorageClass', spec.get('storageClassName'), { by: 'storageClassName', isNeeded })
}

function isClaimed(stack: Stack, claim: string): boolean {
  return stack.pods.some(
    ({ spec, count }) =>
      count > 0 && spec.get('volumes').items.some((volume) => volume.get('persistentVolumeClaim', 'claimName').text === claim),
  )
}
