import { type Container, type KubeObject, nameOf, type PodSpec, withPodSpec } from '../../lib/objects.ts'
import { supervisorScript } from './supervisor-script.ts'
import type { TransformInput } from './transforms.ts'

/** What an image runs, its ENTRYPOINT and CMD, and whose shell can run a supervisor for it. */
export interface Program {
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  readonly shell: Shell
}

/** The image's own /bin/sh, or that of a node of this architecture. */
export type Shell = 'image' | Architecture

/** Architectures, as the kernel calls them, whose nodes' programs are known. */
export type Architecture = keyof typeof loaders

/** By architecture what loads programs of Debian, which kind's nodes are: https://wiki.debian.org/Multiarch/Tuples */
const loaders = { x86_64: 'ld-linux-x86-64.so.2', aarch64: 'ld-linux-aarch64.so.1' } as const

/** Whether a node of this architecture has a shell that runs in any image. */
export function hasNodeShell(architecture: string): architecture is Architecture {
  return Object.hasOwn(loaders, architecture)
}

/** Where the /usr of a container's node is, in a container of an image without a shell. */
const nodeUsr = '/.devkit/usr'

/** What stands before the name of a program of the node to run it in such a container: its own loader, told of its own libraries. */
export function nodeRun(architecture: Architecture): string {
  const libraries = `${nodeUsr}/lib/${architecture}-linux-gnu`
  return `${libraries}/${loaders[architecture]} --library-path ${libraries} ${nodeUsr}/bin/`
}

/** What a supervisor keeps, in the container: the FIFO that it is asked through and the files that say what runs. */
export const ownDirectory = '/.devkit/own'

/** The FIFO of a supervisor, in the container. It takes `ping`, which does nothing, `go` and `restart N GRACE`, in seconds. */
export const askFifo = `${ownDirectory}/ask`

/** The file that is there, in the container, as soon as the program has been started. */
export const pidFile = `${ownDirectory}/pid`

/** The file that is there, in the container, when the program runs that was started by `go` ('0') or by `restart N`. */
export function startedFile(number: string): string {
  return `${ownDirectory}/started.${number}`
}

/** The file that is there as well when the program before had to be killed: it did not end within its grace. */
export function killedFile(number: string): string {
  return `${ownDirectory}/killed.${number}`
}

/** Where a running `watch` says again and again that it is here: in a file of each node, or, where nodes cannot be entered, in a ConfigMap. */
export type LeasePlace = 'node' | 'configmap'

/** Name of the ConfigMap that holds the lease of a `watch`. */
export const leaseMap = 'devkit-lease'

/** Name of the file, on a node or in the ConfigMap, that a `watch` of the environment writes again and again. */
export function leaseName(namespace: string): string {
  return `${namespace}.lease`
}

/** Whether the container's program was started by a supervisor. */
export function isSupervised(container: Container): boolean {
  return supervisionOf(container) !== undefined
}

/** What a supervised container's supervisor was given: '' for no lease, and for the programs of the image. */
function supervisionOf(container: Container) {
  const command = (container['command'] as readonly string[] | undefined) ?? []
  const at = command.indexOf(ownDirectory)
  if (at === -1) return undefined
  const [lease = '', run = '', ...program] = command.slice(at + 1)
  return { lease, run, program }
}

/** Whether a container's supervisor waits for a running `watch` before it starts the program. */
export function isGated(container: Container): boolean {
  return (supervisionOf(container)?.lease ?? '') !== ''
}

/** Whether the container's supervisor is run by its node's shell. */
export function hasShellOfNode(container: Container): boolean {
  return (supervisionOf(container)?.run ?? '') !== ''
}

/** What the container runs, without the supervisor. Undefined where only the image says it. */
export function commandOf(container: Container): readonly string[] | undefined {
  const command = container['command'] as readonly string[] | undefined
  const args = (container['args'] as readonly string[] | undefined) ?? []
  const program = supervisionOf(container)?.program ?? command
  return program && [...program, ...args]
}

/** The containers that the synced services are run their program under a supervisor, so that a save can restart it in place. */
export function withSupervisor(
  object: KubeObject,
  { profile, services, programs, lease, namespace }: TransformInput,
): KubeObject {
  if (profile.supervise !== true) return object
  const wrapped = new Map<string, Program>()
  for (const [service, program] of programs) {
    const target = services.get(service)
    // a pod has its node's shell where it has its node's lease
    if (target?.workload === nameOf(object) && (program.shell === 'image' || lease === 'node'))
      wrapped.set(target.container, program)
  }
  if (wrapped.size === 0) return object
  return withPodSpec(object, (pod) => {
    const containers = pod.containers.map((container) => {
      const program = wrapped.get(container.name)
      return program ? supervised(container, program, leaseName(namespace)) : container
    })
    if (containers.every((container, index) => container === pod.containers[index])) return pod
    return {
      ...pod,
      containers,
      volumes: [
        ...((pod['volumes'] as readonly object[] | undefined) ?? []),
        ...volumes(lease),
        ...(containers.some(hasShellOfNode) ? [{ name: 'devkit-usr', hostPath: { path: '/usr', type: 'Directory' } }] : []),
      ],
    } as PodSpec
  })
}

function supervised(container: Container, program: Program, lease: string): Container {
  const given = container['command'] as readonly string[] | undefined
  const command = given ?? program.entrypoint.map(literal)
  const args = (container['args'] as readonly string[] | undefined) ?? (given ? [] : program.cmd.map(literal))
  if (command.length + args.length === 0) return container
  const mounts = (container['volumeMounts'] as readonly object[] | undefined) ?? []
  const run = program.shell === 'image' ? '' : nodeRun(program.shell)
  return {
    ...container,
    command: [
      ...(run === '' ? ['/bin/sh'] : `${run}sh`.split(' ')),
      '-c',
      supervisorScript,
      'devkit',
      ownDirectory,
      `/.devkit/lease/${lease}`,
      run,
      ...command,
    ],
    args,
    volumeMounts: [
      ...mounts,
      { name: 'devkit-own', mountPath: ownDirectory },
      { name: 'devkit-lease', mountPath: '/.devkit/lease', readOnly: true },
      ...(run === '' ? [] : [{ name: 'devkit-usr', mountPath: nodeUsr, readOnly: true }]),
    ],
  }
}

function volumes(lease: LeasePlace): readonly object[] {
  const leased = {
    node: { hostPath: { path: '/run/devkit', type: 'DirectoryOrCreate' } },
    configmap: { configMap: { name: leaseMap, optional: true } },
  }[lease]
  return [
    { name: 'devkit-own', emptyDir: {} },
    { name: 'devkit-lease', ...leased },
  ]
}

/** A word of the image as Kubernetes leaves it alone: in commands it reads `$(NAME)` and `$$`, an image's words it does not. */
function literal(word: string): string {
  return word.replaceAll('$', '$$$$')
}
