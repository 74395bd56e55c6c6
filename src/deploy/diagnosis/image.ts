import type { KubeObject } from '../../lib/objects.ts'
import { inPods, type Patient } from './facts.ts'
import { bornAt, type ContainerStatus, containersOf, isNodeOnItsWay, nodeOf, specOf, specOfContainer } from './pod.ts'
import { fieldOf, type InContainer, platformOf } from './start-words.ts'
import { type PullTrouble, pullTrouble, withoutPrefixes } from './text/pull.ts'
import type { Verdict } from './verdict.ts'

/** A registry that starts beside its images, a name server that is slow, a download that breaks off: so long it may mend itself, in ms. */
const unreachableAfterMs = 20_000
/** A registry that answers with errors may be starting or under load, in ms. */
const busyAfterMs = 120_000
/** What the runtime says and nobody knows how to read, in ms. */
const unknownAfterMs = 60_000

const invalidName = inImages(({ reason, message }, one) => {
  if (reason !== 'InvalidImageName') return undefined
  const why = /invalid reference format: (.+?)\.?$/.exec(message)?.[1]
  const isAddress = /^https?:\/\//.test(one.image)
  return {
    code: 'READY-110',
    severity: 'failure',
    message: `The image ${one.image} of ${one.patient.name} is no name of an image${why ? `: ${why}` : ''}.`,
    hint: isAddress
      ? `Drop \`${one.image.split('//')[0]}//\` in ${fieldOf(one, 'image')}: a name is HOST/NAME:TAG.`
      : `Correct it in ${fieldOf(one, 'image')}: a name is HOST/NAME:TAG, with NAME in lower case.`,
    evidence: [message],
    since: bornAt(one.pod),
  }
})

const mayNotBePulled = inImages(({ reason, message }, one) => {
  if (specOfContainer(one.pod, one.name).spec?.['imagePullPolicy'] !== 'Never') return undefined
  // asked for before it is wanted: the kubelet refuses sooner than a list of nodes comes
  const isNodeComing = isNodeOnItsWay(one.pod, one.patient.facts, bornAt(one.pod))
  if (reason !== 'ErrImageNeverPull' || isNodeComing) return undefined
  const others = imagesOf(one).filter((image) => repositoryOf(image) === repositoryOf(one.image))
  const has = others.length > 0 ? `, which has ${others.join(', ')}` : ''
  return {
    code: 'READY-114',
    severity: 'failure',
    message: `The image ${one.image} of ${one.patient.name} is not on the node${has}, and \`imagePullPolicy: Never\` forbids to pull it.`,
    hint: `Give its service a \`build\`, or drop \`imagePullPolicy\` in ${fieldOf(one, 'imagePullPolicy')}.`,
    evidence: [message],
    since: bornAt(one.pod),
  }
})

const notPulled = inImages(({ reason, message }, one) => {
  if (!/^(?:ErrImagePull|ImagePullBackOff|RegistryUnavailable)$/.test(reason)) return undefined
  // older kubelets tell the cause only in their warnings
  const failures = one.patient.facts
    .warnings(one.pod)
    .filter((warning) => warning.reason === 'Failed' && warning.message.startsWith(`Failed to pull image "${one.image}": `))
  const said = pullTrouble(message) ? message : (failures[0]?.message ?? message)
  const trouble = pullTrouble(said)
  const alike = failures.filter((failure) => pullTrouble(failure.message)?.reason === trouble?.reason)
  const since = Math.min(...alike.map(({ from }) => from), one.patient.facts.now)
  const verdict = { ...asTrouble(trouble, said, one, since), evidence: [withoutPrefixes(said)], since }
  const isAlways = specOfContainer(one.pod, one.name).spec?.['imagePullPolicy'] === 'Always'
  // what the node is, or has, is part of what is said
  const wantsNode = isAlways || trouble?.reason === 'architecture'
  if (wantsNode && isNodeOnItsWay(one.pod, one.patient.facts, since)) return undefined
  return isAlways && imagesOf(one).includes(fullName(one.image)) ? { ...verdict, ...isThereAlready(one) } : verdict
})

/** Why a container's image is not on its node. */
export const image = [invalidName, mayNotBePulled, notPulled]

interface OfImage extends InContainer {
  /** As the manifest names it. */
  readonly image: string
}

type Waiting = Readonly<Record<'reason' | 'message', string>>

function inImages(look: (waiting: Waiting, one: OfImage) => Verdict | undefined): ReturnType<typeof inPods> {
  return inPods((pod, patient) => {
    for (const status of containersOf(pod)) {
      const { reason = '', message = '' } = status.state?.waiting ?? {}
      const found = look({ reason, message }, ofImage(pod, patient, status))
      if (found) return found
    }
    return undefined
  })
}

function ofImage(pod: KubeObject, patient: Patient, { name, image }: ContainerStatus): OfImage {
  return { pod, patient, name, image: specOfContainer(pod, name).spec?.image ?? image }
}

function asTrouble(
  trouble: PullTrouble | undefined,
  said: string,
  one: OfImage,
  since: number,
): Pick<Verdict, 'code' | 'severity' | 'message' | 'hint'> {
  const { facts, name } = one.patient
  const image = `The image ${one.image} of ${name}`
  const registry = `the registry ${registryOf(one.image)}`
  const after = (ms: number): Verdict['severity'] => (facts.hasPassed(since, ms) ? 'failure' : 'warning')
  switch (trouble?.reason) {
    case 'not-found':
      return {
        code: 'READY-104',
        severity: 'failure',
        message: `${image} cannot be found: ${registry} ${lacks[trouble.what]}.`,
        hint: `Correct it in ${fieldOf(one, 'image')}, or give its service a \`build\`.`,
      }
    case 'login': {
      const secrets = pullSecretsOf(one)
      return {
        code: 'READY-112',
        severity: 'failure',
        message: `${image} cannot be pulled: ${registry} wants a login${secrets.length > 0 ? `, and that of ${secrets.join(', ')} is not taken` : ''}.`,
        hint:
          secrets[0] === undefined
            ? `Name a Secret with the login in \`imagePullSecrets\` of ${facts.where(name)}.`
            : `Correct the login in ${facts.where(secrets[0])}.`,
      }
    }
    case 'architecture':
      return {
        code: 'READY-113',
        severity: 'failure',
        message: `${image} is not built for the node${platformOf(one)}.`,
        hint: `Build it for the node too (\`docker buildx build --platform\`), or name another in ${fieldOf(one, 'image')}.`,
      }
    case 'unreachable':
    case 'unfit':
      return {
        code: 'READY-111',
        severity: trouble.reason === 'unfit' ? 'failure' : after(unreachableAfterMs),
        message: `${image} cannot be pulled: ${registry} cannot be reached, ${trouble.why}.`,
        hint: `Correct the registry in ${fieldOf(one, 'image')}, or name one that the node reaches in its place (\`mirrors\` of the machine’s settings).`,
      }
    case 'busy':
      return {
        code: 'READY-116',
        severity: after(busyAfterMs),
        message: `${image} is not pulled yet: ${registry} fails, ${trouble.why}.`,
        hint: 'Wait: the node tries again; a login (`imagePullSecrets`) or a mirror (`mirrors` of the machine’s settings) raises limits.',
      }
    case 'damaged':
    case 'no-space':
      return {
        code: 'READY-117',
        severity: after(unreachableAfterMs),
        message: `${image} cannot be unpacked on the node: ${trouble.why}.`,
        hint:
          trouble.reason === 'no-space'
            ? 'Give the container engine more disk, or remove images and environments that nobody needs.'
            : 'Build it and push it again; a proxy or a mirror in between may have damaged it.',
      }
    case undefined:
      return {
        code: 'READY-106',
        severity: after(unknownAfterMs),
        message: `${image} cannot be had: ${withoutPrefixes(said)}.`,
        hint: `Correct it in ${fieldOf(one, 'image')}, or give its service a \`build\`.`,
      }
  }
}

const lacks = {
  repository: 'has no such repository, or shows it only after a login',
  tag: 'has its repository, but not this tag',
  either: 'has no such name or no such tag',
} as const

function isThereAlready(one: OfImage): Pick<Verdict, 'code' | 'message' | 'hint'> {
  return {
    code: 'READY-115',
    message: `The image ${one.image} of ${one.patient.name} is on the node, but \`imagePullPolicy: Always\` asks the registry ${registryOf(one.image)} for it, in vain.`,
    hint: `Set \`imagePullPolicy: IfNotPresent\` in ${fieldOf(one, 'imagePullPolicy')}.`,
  }
}

/** As `Secret/name`. */
function pullSecretsOf({ pod }: InContainer): readonly string[] {
  const secrets = (specOf(pod)['imagePullSecrets'] ?? []) as readonly { readonly name?: string }[]
  return secrets.map(({ name }) => `Secret/${name}`)
}

/** The images on a container's node, by their full names. */
function imagesOf({ pod, patient: { facts } }: InContainer): readonly string[] {
  const { images = [] } = (nodeOf(pod, facts)?.['status'] ?? {}) as {
    readonly images?: readonly { readonly names?: readonly string[] }[]
  }
  return images.flatMap(({ names = [] }) => names.filter((name) => !name.includes('@')))
}

/** https://github.com/distribution/reference: what has no host is of Docker Hub. */
export function fullName(image: string): string {
  const tagged = /:[^/]+$|@/.test(image) ? image : `${image}:latest`
  const [host = '', ...rest] = tagged.split('/')
  if (rest.length === 0) return `docker.io/library/${tagged}`
  return /[.:]|^localhost$/.test(host) ? tagged : `docker.io/${tagged}`
}

function registryOf(image: string): string {
  return fullName(image).split('/')[0] ?? ''
}

function repositoryOf(image: string): string {
  return fullName(image).replace(/(?::[^/:]+)?(?:@.*)?$/, '')
}
