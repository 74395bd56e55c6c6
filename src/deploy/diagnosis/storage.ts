import { nearest } from '../../lib/nearest.ts'
import { type Container, type KubeObject, nameOf } from '../../lib/objects.ts'
import { type Claimed, claimsOf } from './claims.ts'
import { byTheRuleOfThree } from './crash.ts'
import { type Facts, inPods, type Patient, type Rule } from './facts.ts'
import { nobodyKnownMs, unlessMade } from './hope.ts'
import { bornAt, conditionOf, containersOf, lastEnd, podPath, specOf, specOfContainer, statusOf, timeOf } from './pod.ts'
import { notMountedIn, withoutRoom } from './text/mount.ts'
import type { Verdict } from './verdict.ts'
import { claimSpecOf, type NoVolume, noVolumeFor } from './volumes.ts'

/** So long nobody who provisions is asked for an answer, and how long at most while anything in the cluster is on its way, in ms. */
const provisionerMs = 20_000
const provisionerAtMostMs = 60_000
/** How long one that runs takes to answer, in ms. */
const provisionerAnswersMs = 10_000
/** Tries of a provisioner until time is no longer believed to mend it. */
const triesOfProvisioner = 3
/** What a node says may be about to change while its volume is being made, in ms. */
const mountedMs = 5000

const unbound = inPods((pod, patient) => {
  if (statusOf(pod).phase !== 'Pending') return undefined
  const claims = patient.facts.known('v1', 'PersistentVolumeClaim')
  for (const claimed of claimsOf(pod)) {
    const claim = claims?.find(({ metadata }) => metadata.name === claimed.name)
    const found = claim && whyUnbound(claim, claimed, patient)
    if (found) return found
  }
  return undefined
})

/** What a claim waits for; nothing while it waits for its pod to be placed, or for a volume that is being made. */
function whyUnbound(claim: KubeObject, claimed: Claimed, patient: Patient): Verdict | undefined {
  const { phase } = (claim['status'] ?? {}) as { readonly phase?: string }
  if (phase === 'Bound') return undefined
  const { facts } = patient
  if (phase === 'Lost') return lost(claim, patient)
  const classes = facts.known('storage.k8s.io/v1', 'StorageClass', 'cluster')
  const volumes = facts.known('v1', 'PersistentVolume', 'cluster')
  if (!classes || !volumes || !facts.hasPassed(bornAt(claim), nobodyKnownMs)) return undefined
  const { storageClassName: wanted } = claimSpecOf(claim)
  const lacking = noVolumeFor(claim, volumes)
  if (!lacking) return undefined
  if (wanted === undefined) {
    // the cluster gives the claim its default class a moment later
    if (classes.some(isDefault)) return undefined
    return lacking.why === 'none' ? withoutClass(claim, claimed, classes, patient) : unfit(claim, claimed, lacking, patient)
  }
  const storageClass = classes.find(({ metadata }) => metadata.name === wanted)
  if (!storageClass) {
    if (wanted === '' || lacking.why !== 'none') return unfit(claim, claimed, lacking, patient)
    return wrongClass(claim, claimed, classes, patient)
  }
  const provisioner = String(storageClass['provisioner'])
  if (provisioner === 'kubernetes.io/no-provisioner') return unfit(claim, claimed, lacking, patient)
  return notProvisioned(claim, { ...claimed, provisioner, storageClass }, patient)
}

function isDefault({ metadata }: KubeObject): boolean {
  return metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true'
}

/** `Kind/name (place)` of what a field of a claim is written in: the claim, or the template that it is made from. */
function placeOf(
  claim: KubeObject,
  { isMade, volume, index }: Claimed,
  { workload, name, facts }: Patient,
  field: string,
): string {
  if (!isMade) return facts.where(nameOf(claim), ['spec', field])
  type Templates = { readonly volumeClaimTemplates?: readonly { readonly metadata?: { readonly name?: string } }[] }
  const { volumeClaimTemplates = [] } = (workload['spec'] ?? {}) as Templates
  const at = volumeClaimTemplates.findIndex(({ metadata }) => metadata?.name === volume)
  if (at >= 0) return facts.where(name, ['spec', 'volumeClaimTemplates', at, 'spec', field])
  return facts.where(name, podPath(workload, ['volumes', index, 'ephemeral', 'volumeClaimTemplate', 'spec', field]))
}

/** Claims of a pod's own have its name of chance in theirs. */
function called(claim: KubeObject, { isMade, volume }: Claimed): string {
  return isMade ? `the claim of its volume ${volume}` : `its PersistentVolumeClaim ${claim.metadata.name}`
}

type Said = Pick<Verdict, 'code' | 'message' | 'hint'> & Partial<Verdict>

function about(claim: KubeObject, { facts }: Patient, said: Said): Verdict {
  const events = facts.notes(claim).map(({ message }) => message)
  return { severity: 'failure', object: nameOf(claim), since: bornAt(claim), evidence: events.slice(0, 1), ...said }
}

function lost(claim: KubeObject, patient: Patient): Verdict {
  const { volumeName = '' } = claimSpecOf(claim)
  const { name } = claim.metadata
  return about(claim, patient, {
    code: 'READY-169',
    message: `${patient.name} cannot start: the volume ${volumeName} of its PersistentVolumeClaim ${name} is gone.`,
    hint: `Delete the claim when nothing in it is needed (\`kubectl delete pvc ${name} --namespace ${patient.facts.namespace}\`), then run \`devkit up\`.`,
  })
}

function withoutClass(
  claim: KubeObject,
  claimed: Claimed,
  classes: readonly KubeObject[],
  patient: Patient,
): Verdict | undefined {
  const names = classes.map(({ metadata }) => metadata.name)
  const place = placeOf(claim, claimed, patient, 'storageClassName')
  const makeDefault = `\`kubectl annotate storageclass ${names[0]} storageclass.kubernetes.io/is-default-class=true\``
  const verdict = about(claim, patient, {
    code: 'READY-165',
    message: `${patient.name} cannot start: ${called(claim, claimed)} names no storage class, and the cluster has no default one.`,
    hint: names[0]
      ? `Name one in ${place} (there is ${names.join(', ')}), or make it the default: ${makeDefault}.`
      : `Install what makes volumes, with a StorageClass that is the default; or add a PersistentVolume that fits ${place}.`,
  })
  return unlessMade({ kind: 'StorageClass', name: '' }, patient, verdict)
}

function wrongClass(claim: KubeObject, claimed: Claimed, classes: readonly KubeObject[], patient: Patient): Verdict | undefined {
  const wanted = claimSpecOf(claim).storageClassName ?? ''
  const names = classes.map(({ metadata }) => metadata.name)
  const place = placeOf(claim, claimed, patient, 'storageClassName')
  const better = nearest(wanted, names) ?? (names.length === 1 ? names[0] : classes.find(isDefault)?.metadata.name)
  const verdict = about(claim, patient, {
    code: 'READY-166',
    message: `${patient.name} cannot start: there is no StorageClass ${wanted}, which ${called(claim, claimed)} names.`,
    hint: better
      ? `Write ${better} instead of ${wanted} in ${place} (profiles: \`storageClasses\`).`
      : `Add StorageClass/${wanted} to the manifests, or name another in ${place} (profiles: \`storageClasses\`).`,
  })
  return unlessMade({ kind: 'StorageClass', name: wanted }, patient, {
    ...verdict,
    evidence: [...(verdict.evidence ?? []), `StorageClasses of the cluster: ${names.join(', ') || 'none'}`],
  })
}

/** What only a volume that is there already can be bound to. */
function unfit(claim: KubeObject, claimed: Claimed, lacking: NoVolume, patient: Patient): Verdict | undefined {
  const spec = claimSpecOf(claim)
  const of = spec.storageClassName ? ` of the class ${spec.storageClassName}` : ''
  const it = called(claim, claimed)
  const start = `${patient.name} cannot start:`
  const place = (field: string): string => placeOf(claim, claimed, patient, field)
  const verdict = about(claim, patient, said())
  return unlessMade({ kind: 'PersistentVolume', name: spec.volumeName ?? '' }, patient, verdict)

  function said(): Said {
    switch (lacking.why) {
      case 'size':
        return {
          code: 'READY-167',
          message: `${start} ${it} asks for ${spec.resources?.requests?.storage}, and the largest free volume${of} (${lacking.volume}) has ${lacking.largest}.`,
          hint: `Ask for ${lacking.largest} or less in ${place('resources')} (profiles: \`maxStorage\`), or add a larger PersistentVolume.`,
        }
      case 'access-mode':
        return {
          code: 'READY-168',
          message: `${start} ${it} asks for ${(spec.accessModes ?? []).join(' and ')}, and the free volumes${of} offer ${lacking.offered.join(', ')}.`,
          hint: `Ask for ${lacking.offered[0]} in ${place('accessModes')} (profiles: \`accessModes\`), or add a PersistentVolume that offers it.`,
        }
      case 'volume-mode':
        return {
          code: 'READY-169',
          message: `${start} ${it} asks for the volume mode ${spec.volumeMode ?? 'Filesystem'}, and the free volumes${of} have ${lacking.offered.join(', ')}.`,
          hint: `Ask for ${lacking.offered[0]} in ${place('volumeMode')}.`,
        }
      case 'selector': {
        const better = spec.volumeName && nearest(spec.volumeName, lacking.volumes)
        return {
          code: 'READY-169',
          message: spec.volumeName
            ? `${start} ${it} asks for the volume ${spec.volumeName}, which is not among the free ones${of}.`
            : `${start} none of the free volumes${of} has the labels that the selector of ${it.replace(/^its /, 'the ')} asks for.`,
          hint: better
            ? `Write ${better} instead of ${spec.volumeName} in ${place('volumeName')}.`
            : `Correct ${spec.volumeName ? place('volumeName') : place('selector')}; there is ${lacking.volumes.join(', ')}.`,
        }
      }
      case 'taken':
        return {
          code: 'READY-169',
          message: `${start} every volume${of || ' without a class'} (${lacking.volumes.join(', ')}) belongs to another claim than ${it.replace(/^its /, 'the ')}.`,
          hint: `Add a PersistentVolume for it, or free one: \`kubectl patch pv ${lacking.volumes[0]} --type json --patch '[{"op":"remove","path":"/spec/claimRef"}]'\` when nothing in it is needed.`,
        }
      default:
        return {
          code: 'READY-169',
          message: spec.storageClassName
            ? `${start} nothing makes volumes${of}, and there is none for ${it}.`
            : `${start} ${it} wants a volume without a class (storageClassName: ""), and there is none.`,
          hint: `Add a PersistentVolume that fits, or name a class that makes volumes in ${place('storageClassName')} (profiles: \`storageClasses\`).`,
        }
    }
  }
}

/** What is asked of a provisioner once a pod is placed; of one that binds at once, at once. */
function notProvisioned(
  claim: KubeObject,
  { provisioner, storageClass, ...claimed }: Claimed & { readonly provisioner: string; readonly storageClass: KubeObject },
  patient: Patient,
): Verdict | undefined {
  const { facts, name } = patient
  const { annotations = {} } = claim.metadata
  const waits = storageClass['volumeBindingMode'] === 'WaitForFirstConsumer'
  if (waits && !annotations['volume.kubernetes.io/selected-node']) return undefined
  const notes = facts.notes(claim)
  const failed = notes.find(({ reason }) => reason === 'ProvisioningFailed')
  const className = storageClass.metadata.name
  if (failed)
    return about(claim, patient, {
      code: 'READY-175',
      severity: failed.count >= triesOfProvisioner || facts.hasPassed(failed.from, provisionerMs) ? 'failure' : 'warning',
      message: `${name} cannot start: ${provisioner} cannot make the volume of ${called(claim, claimed)}: ${sentenceOf(failed.message)}.`,
      hint: `Correct ${facts.where(claimed.isMade ? name : nameOf(claim))}, or what the StorageClass ${className} says: \`kubectl get storageclass ${className} --output yaml\`.`,
      evidence: [failed.message],
      since: failed.from,
    })
  // it has answered; volumes take their time
  if (notes.some(({ reason }) => reason === 'Provisioning')) return undefined
  const asked = notes.find(({ reason }) => reason === 'ExternalProvisioning')
  if (!asked) return undefined
  const isComing = isAnythingComing(facts)
  const isOver = facts.hasPassed(asked.from, provisionerMs) && (!isComing || facts.hasPassed(asked.from, provisionerAtMostMs))
  const verdict = about(claim, patient, {
    code: 'READY-170',
    severity: isOver ? 'failure' : 'warning',
    message: `${name} cannot start: nobody answers for the provisioner ${provisioner} of the StorageClass ${className}, which ${called(claim, claimed)} names.`,
    hint: `Install or start ${provisioner}, or name another class in ${placeOf(claim, claimed, patient, 'storageClassName')} (profiles: \`storageClasses\`).`,
    evidence: [asked.message],
    since: asked.from,
  })
  // that of a new cluster is only just beginning itself
  const isSoon = !facts.hasPassed(asked.from, isComing ? provisionerMs : provisionerAnswersMs)
  return isSoon ? { ...verdict, isEarly: 'untold' } : verdict
}

/** Whether a Deployment anywhere is about to run: it may be the provisioner. */
function isAnythingComing(facts: Facts): boolean {
  return (facts.known('apps/v1', 'Deployment', 'cluster') ?? []).some(
    (one) => conditionOf(one, 'Available')?.status === 'False' && conditionOf(one, 'Progressing')?.status !== 'False',
  )
}

function sentenceOf(said: string): string {
  return said
    .replace(/^failed to provision volume with StorageClass "[^"]*": /, '')
    .replace(/^rpc error: code = \w+ desc = /, '')
    .replace(/\.$/, '')
}

const inUse = inPods((pod, patient) => {
  const { facts, workload, name: of } = patient
  if (statusOf(pod).phase !== 'Pending') return undefined
  const claims = facts.known('v1', 'PersistentVolumeClaim') ?? []
  const others = (facts.known('v1', 'Pod') ?? []).filter((other) => other.metadata.uid !== pod.metadata.uid && isUsing(other))
  const scheduled = conditionOf(pod, 'PodScheduled')
  const attach = facts
    .warnings(pod)
    .find(({ reason, message }) => reason === 'FailedAttachVolume' && notMountedIn(message)?.why === 'attached')
  const isHeldUp = scheduled?.reason === 'Unschedulable' || attach !== undefined
  if (!isHeldUp) return undefined
  for (const { name } of claimsOf(pod)) {
    const modes = claimSpecOf(claims.find(({ metadata }) => metadata.name === name) ?? pod).accessModes ?? []
    const mode = modes.includes('ReadWriteOncePod')
      ? 'ReadWriteOncePod'
      : attach && modes.includes('ReadWriteOnce')
        ? 'ReadWriteOnce'
        : undefined
    const other = others.find((one) => claimsOf(one).some((claimed) => claimed.name === name))
    if (!mode || !other) continue
    const since = attach?.from ?? timeOf(scheduled?.lastTransitionTime)
    // one on its way out leaves it a moment later
    const isGoing = other.metadata.deletionTimestamp !== undefined
    if (!facts.hasPassed(since, nobodyKnownMs)) return undefined
    const owner = ownerOf(other, facts)
    const isItself = owner === of
    return {
      code: 'READY-174',
      severity: isGoing || !facts.hasPassed(since, isItself ? nobodyKnownMs : mountedMs) ? 'warning' : 'failure',
      message: `${of} cannot start: its PersistentVolumeClaim ${name} (${mode}) is in use by ${isItself ? 'a pod of the rollout before' : owner}.`,
      hint:
        isItself && workload.kind === 'Deployment'
          ? `Set \`strategy: { type: Recreate }\` in ${facts.where(of, ['spec', 'strategy'])}: the old pod then leaves before the new one comes.`
          : `Give ${facts.where(of)} a claim of its own, or ask for ReadWriteMany in ${facts.where(`PersistentVolumeClaim/${name}`, ['spec', 'accessModes'])} where the class offers it.`,
      object: `PersistentVolumeClaim/${name}`,
      evidence: [attach?.message ?? scheduled?.message ?? ''].filter(Boolean),
      since,
    }
  }
  return undefined
})

function isUsing(pod: KubeObject): boolean {
  const { phase } = statusOf(pod)
  return specOf(pod)['nodeName'] !== undefined && phase !== 'Succeeded' && phase !== 'Failed'
}

/** `Deployment/web` of a pod of its ReplicaSet; the pod itself where nothing makes it. */
function ownerOf(pod: KubeObject, facts: Facts): string {
  const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller)
  if (!owner) return nameOf(pod)
  if (owner.kind !== 'ReplicaSet') return `${owner.kind}/${owner.name}`
  const set = facts.known('apps/v1', 'ReplicaSet')?.find(({ metadata }) => metadata.uid === owner.uid)
  const maker = set?.metadata.ownerReferences?.find(({ controller }) => controller)
  return maker ? `${maker.kind}/${maker.name}` : `ReplicaSet/${owner.name}`
}

const notMounted = inPods((pod, patient) => {
  const found = facedWith(pod, patient)
  if (!found) return undefined
  const { said, since } = found
  const { facts, workload, name: of } = patient
  const notMounted = notMountedIn(said)
  type Volume = { readonly name: string; readonly hostPath?: { readonly type?: string; readonly path?: string } }
  const volumes = (specOf(pod)['volumes'] ?? []) as readonly Volume[]
  if (notMounted?.why === 'host-path') {
    const index = volumes.findIndex(({ name }) => name === notMounted.volume)
    const { type = '', path = notMounted.path } = volumes[index]?.hostPath ?? {}
    const make = type === 'Directory' ? '`DirectoryOrCreate`' : type === 'File' ? '`FileOrCreate`' : undefined
    const isOver = facts.hasPassed(since, mountedMs) || !facts.isAnythingOnItsWay(workload)
    return {
      code: 'READY-172',
      severity: isOver ? 'failure' : 'warning',
      message: `${of} cannot start: ${path} of the node is not what its volume ${notMounted.volume} asks for (hostPath of type ${type}).`,
      hint: `Correct path or type in ${facts.where(of, podPath(workload, ['volumes', index, 'hostPath']))}${make ? `; ${make} makes it` : ''}. A path is one of the node, not of this machine.`,
      evidence: [said],
      since,
    }
  }
  if (notMounted?.why !== 'sub-path' && notMounted?.why !== 'file-and-directory') return undefined
  const mount = mountOf(
    pod,
    notMounted.why === 'sub-path' ? { volume: notMounted.volume ?? '' } : { path: notMounted.path ?? '' },
  )
  if (!mount) return undefined
  const { subPath, mountPath, name: volume, path } = mount
  const what = subPath ? `the subPath ${subPath} of the volume ${volume}` : `the volume ${volume}`
  return {
    code: 'READY-171',
    severity: 'failure',
    message:
      notMounted.why === 'sub-path'
        ? `The container ${mount.container} of ${of} cannot be created: ${what} cannot be had for ${mountPath}.`
        : `The container ${mount.container} of ${of} cannot be created: of ${what} and ${mountPath} of the image one is a file and one a directory.`,
    hint: `Correct ${facts.where(of, podPath(workload, path))}${subPath ? ': each part of subPath but the last has to be a directory, the last what mountPath is' : ': a file is mounted with `subPath`'}.`,
    evidence: [said],
    since,
  }
})

/** What a node says of a pod whose volumes it has not got. */
function facedWith(pod: KubeObject, { facts }: Patient): { readonly said: string; readonly since: number } | undefined {
  if (statusOf(pod).phase !== 'Pending' && !containersOf(pod).some(({ state }) => state?.waiting)) return undefined
  const mount = facts
    .warnings(pod)
    .find(({ reason, message }) => reason === 'FailedMount' && notMountedIn(message)?.why === 'host-path')
  const isAtVolumes = containersOf(pod).every(({ state }) => state?.waiting)
  if (mount && isAtVolumes) return { said: mount.message, since: mount.from }
  for (const container of containersOf(pod)) {
    const { waiting } = container.state ?? {}
    const said = waiting?.message ?? lastEnd(container)?.message ?? ''
    const isStuck = /^(CreateContainerConfigError|CreateContainerError|RunContainerError|CrashLoopBackOff)$/.test(
      waiting?.reason ?? '',
    )
    const why = isStuck ? notMountedIn(said)?.why : undefined
    if (why === 'sub-path' || why === 'file-and-directory') return { said, since: bornAt(pod) }
  }
  return undefined
}

interface Mount {
  readonly name: string
  readonly mountPath: string
  readonly subPath?: string
  readonly subPathExpr?: string
}

function mountsOf(container: Container): readonly Mount[] {
  return (container['volumeMounts'] ?? []) as readonly Mount[]
}

/** The mount of a pod that was meant: one with a subPath where the volume is named, else the one at a path. */
function mountOf(pod: KubeObject, by: { readonly volume: string } | { readonly path: string }) {
  for (const list of ['initContainers', 'containers'] as const)
    for (const [at, container] of (specOf(pod)[list] ?? []).entries())
      for (const [index, mount] of mountsOf(container).entries()) {
        const isMeant =
          'volume' in by
            ? mount.name === by.volume && (mount.subPath ?? mount.subPathExpr) !== undefined
            : mount.mountPath === by.path
        if (isMeant)
          return {
            ...mount,
            ...((mount.subPath ?? mount.subPathExpr) && { subPath: mount.subPath ?? mount.subPathExpr }),
            container: container.name,
            path: [list, at, 'volumeMounts', index] as const,
          }
      }
  return undefined
}

const full = inPods((pod, patient) => {
  for (const status of containersOf(pod)) {
    const end = lastEnd(status)
    if (!end || end.exitCode === 0 || status.state?.running) continue
    // the lines of the newest end are still being read for a moment
    const lines = patient.facts.ends({ pod, container: status.name }).find(({ tail }) => tail)?.tail ?? []
    const path = withoutRoom([...lines, end.message ?? ''])
    if (path === undefined) continue
    const { spec } = specOfContainer(pod, status.name)
    const mount = mountsOf(spec ?? { name: '' })
      .filter(({ mountPath }) => path === mountPath || path.startsWith(`${mountPath.replace(/\/$/, '')}/`))
      .toSorted((a, b) => b.mountPath.length - a.mountPath.length)[0]
    return byTheRuleOfThree(
      withoutSpace(pod, { container: status.name, path, mount }, timeOf(end.finishedAt), patient),
      { pod, status, end },
      patient,
    )
  }
  return undefined
})

function withoutSpace(
  pod: KubeObject,
  { container, path, mount }: { readonly container: string; readonly path: string; readonly mount: Mount | undefined },
  since: number,
  { workload, name: of, facts }: Patient,
): Verdict {
  type Volume = {
    readonly name: string
    readonly emptyDir?: object
    readonly persistentVolumeClaim?: { readonly claimName: string }
  }
  const volumes = (specOf(pod)['volumes'] ?? []) as readonly Volume[]
  const index = volumes.findIndex(({ name }) => name === mount?.name)
  const { emptyDir, persistentVolumeClaim } = volumes[index] ?? {}
  const claim = persistentVolumeClaim?.claimName
  const what = mount
    ? `the volume ${mount.name} at ${mount.mountPath}`
    : path
      ? `the file system of ${path}`
      : 'a file system that it writes to'
  const place = facts.where(of, podPath(workload, index >= 0 ? ['volumes', index] : ['containers']))
  return {
    code: 'READY-173',
    severity: 'failure',
    message: `The container ${container} of ${of} ends because ${what} is full.`,
    hint: claim
      ? `Remove what is not needed from PersistentVolumeClaim/${claim}, or ask for more in ${facts.where(`PersistentVolumeClaim/${claim}`, ['spec', 'resources'])}.`
      : emptyDir
        ? `Raise sizeLimit of the volume in ${place}, or let the program write less.`
        : `Give it a volume with more room in ${place}, or free some on the node: \`docker system df\` tells what takes it.`,
    lines: { pod: pod.metadata.name, container, previous: true },
    ...(claim && { object: `PersistentVolumeClaim/${claim}` }),
    since,
  }
}

/** Why a volume is not there. */
export const storage: readonly Rule[] = [unbound, inUse, notMounted, full]
