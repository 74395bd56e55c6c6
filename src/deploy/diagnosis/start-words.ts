import type { KubeObject } from '../../lib/objects.ts'
import type { Patient } from './facts.ts'
import { nodeOf, podPath, specOf, specOfContainer } from './pod.ts'
import type { StartError } from './text/start-error.ts'
import type { Verdict } from './verdict.ts'

/** A container of one of a workload's pods. */
export interface InContainer {
  readonly pod: KubeObject
  readonly patient: Patient
  readonly name: string
}

/** What is said of a program that was never started. */
export function cannotStart(one: InContainer, why: StartError): Pick<Verdict, 'code' | 'message' | 'hint'> {
  const cannot = `The container ${one.name} of ${one.patient.name} cannot start`
  switch (why.reason) {
    case 'not-found':
      return {
        code: 'READY-120',
        message: `${cannot}: its image has no program ${why.command}.`,
        hint: hintsOfStart.notFound(one),
      }
    case 'not-executable':
      return {
        code: 'READY-121',
        message: `${cannot}: ${why.command} may not be executed.`,
        hint: hintsOfStart.notExecutable(one, why.command),
      }
    case 'exec-format':
      return {
        code: 'READY-122',
        message: `${cannot}: ${why.command || 'its program'} is nothing that the node can execute (exec format error).`,
        hint: hintsOfStart.execFormat(one),
      }
    case 'interpreter-missing':
      return {
        code: 'READY-132',
        message: `${cannot}: what ${why.command || 'its program'} is to be run by is not in its image.`,
        hint: hintsOfStart.interpreter(),
      }
    case 'working-directory':
      return {
        code: 'READY-132',
        message: `${cannot}: its working directory ${why.directory} is no directory that it may use.`,
        hint: `Correct \`workingDir\` in ${fieldOf(one, 'workingDir')}, or WORKDIR of its image.`,
      }
    case 'no-memory':
      return {
        code: 'READY-124',
        message: `${cannot}: its memory limit of ${memoryOf(one)} is too little for any program.`,
        hint: hintsOfStart.memory(one),
      }
  }
}

/** What to do about it, for a program that was never started as for one that ended. */
export const hintsOfStart = {
  notFound: (one: InContainer) => `Correct ${commandOf(one)}, or install the program in its image.`,
  notExecutable(one: InContainer, path: string) {
    const volume = volumeAt(one, path)
    return volume?.['configMap'] || volume?.['secret']
      ? `Give the volume ${volume.name} \`defaultMode: 0755\` in ${fieldOf(one)}.`
      : `Make it executable in its image (\`chmod +x\`), or correct ${commandOf(one)}.`
  },
  execFormat: (one: InContainer) =>
    `Build its image for the node${platformOf(one)}; a script needs \`#!\` and its interpreter as its first line.`,
  interpreter: () =>
    'Correct the first line of the script, also its line ends (CRLF), or install its interpreter; a binary lacks its loader (musl, glibc).',
  nonRoot: (one: InContainer) =>
    `Set \`runAsUser\` to a number above 0 in ${fieldOf(one, 'securityContext')}, or \`USER\` in its Dockerfile.`,
  memory: (one: InContainer) =>
    `Raise \`resources.limits.memory\` in ${fieldOf(one, 'resources', 'limits', 'memory')}, or let its program take less.`,
}

/** Where a field of a container is written; without a path, the container itself. */
export function fieldOf(
  { pod, patient: { workload, name, facts }, name: container }: InContainer,
  ...path: readonly string[]
): string {
  const { containers, initContainers = [] } = specOf(pod)
  const isNamed = (one: { readonly name: string }): boolean => one.name === container
  const init = initContainers.findIndex(isNamed)
  const place = init < 0 ? ['containers', containers.findIndex(isNamed)] : ['initContainers', init]
  return facts.where(name, podPath(workload, [...place, ...path]))
}

/** Its memory limit as it is written, undefined when it has none. */
export function memoryOf({ pod, name }: InContainer): string | undefined {
  const { limits } = (specOfContainer(pod, name).spec?.['resources'] ?? {}) as { readonly limits?: { readonly memory?: string } }
  return limits?.memory
}

interface Volume {
  readonly name: string
  readonly [source: string]: unknown
}

interface Mount {
  readonly name: string
  readonly mountPath: string
  readonly readOnly?: boolean
}

/** The mount that a path of a container lies in. */
export function mountAt({ pod, name }: InContainer, path: string): Mount | undefined {
  const mounts = (specOfContainer(pod, name).spec?.['volumeMounts'] ?? []) as readonly Mount[]
  return mounts
    .filter(({ mountPath }) => `${path}/`.startsWith(`${mountPath.replace(/\/$/, '')}/`))
    .toSorted((a, b) => b.mountPath.length - a.mountPath.length)[0]
}

/** The volume that a path of a container lies in. */
export function volumeAt(one: InContainer, path: string): Volume | undefined {
  const mount = mountAt(one, path)
  const volumes = (specOf(one.pod)['volumes'] ?? []) as readonly Volume[]
  return mount && volumes.find(({ name }) => name === mount.name)
}

/** `command` where the manifest has one, else what its image says. */
function commandOf(one: InContainer): string {
  const { command, args } = (specOfContainer(one.pod, one.name).spec ?? {}) as {
    readonly command?: unknown
    readonly args?: unknown
  }
  if (command) return `\`command\` in ${fieldOf(one, 'command')}`
  return args ? `\`args\` in ${fieldOf(one, 'args')} or ENTRYPOINT of its image` : `ENTRYPOINT or CMD of its image`
}

/** ` (linux/amd64)`, where somebody may look at nodes. */
export function platformOf({ pod, patient: { facts } }: InContainer): string {
  const { nodeInfo } = (nodeOf(pod, facts)?.['status'] ?? {}) as {
    readonly nodeInfo?: { readonly operatingSystem: string; readonly architecture: string }
  }
  return nodeInfo ? ` (${nodeInfo.operatingSystem}/${nodeInfo.architecture})` : ''
}
