import { posix } from 'node:path'
import { type Container, type KubeObject, nameOf, type PodSpec, withPodSpec } from '../../lib/objects.ts'
import type { TransformInput } from './transforms.ts'

interface Mount {
  readonly name: string
  readonly mountPath: string
}

interface Copy {
  /** Name of the volume. */
  readonly name: string
  readonly directory: string
}

const copyName = 'devkit-copy-'

/** Whether a volume of a container begins as a copy of what its image has at the same place. */
export function isWritableCopy({ name }: { readonly name: string }): boolean {
  return name.startsWith(copyName)
}

/**
 * Where a container may not write its root (`readOnlyRootFilesystem`), what sync rules lead into is mounted over by a copy that it may
 * write: a volume of the pod, filled from the same image, as the same user, before the pod's containers start. What is in a volume already
 * is left alone.
 */
export function withWritableCopies(object: KubeObject, { services, writable }: TransformInput): KubeObject {
  const wanted = new Map<string, readonly string[]>()
  for (const [service, directories] of writable) {
    const target = services.get(service)
    if (target?.workload !== nameOf(object)) continue
    wanted.set(target.container, [...(wanted.get(target.container) ?? []), ...directories])
  }
  if (wanted.size === 0) return object
  return withPodSpec(object, (pod) => {
    const fillers: Container[] = []
    const copies: Copy[] = []
    const containers = pod.containers.map((container) => {
      const own = copiedDirectories(container, wanted.get(container.name) ?? []).map((directory, index) => ({
        name: `${copyName}${copies.length + index}`,
        directory,
      }))
      if (own.length === 0) return container
      fillers.push(filler(container, own, fillers.length))
      copies.push(...own)
      const mounts = own.map(({ name, directory }): Mount => ({ name, mountPath: directory }))
      return { ...container, volumeMounts: [...mountsOf(container), ...mounts] }
    })
    if (copies.length === 0) return pod
    return {
      ...pod,
      initContainers: [...(pod.initContainers ?? []), ...fillers],
      containers,
      volumes: [
        ...((pod['volumes'] as readonly object[] | undefined) ?? []),
        ...copies.map(({ name }) => ({ name, emptyDir: {} })),
      ],
    } as PodSpec
  })
}

/** Those of the directories that need a copy, each once: one inside another is in its copy. */
function copiedDirectories(container: Container, directories: readonly string[]): readonly string[] {
  const { readOnlyRootFilesystem } = (container['securityContext'] ?? {}) as { readonly readOnlyRootFilesystem?: boolean }
  if (readOnlyRootFilesystem !== true) return []
  const mounts = mountsOf(container).map(({ mountPath }) => posix.join(mountPath, '/'))
  const needed = [...new Set(directories)].filter(
    // the root itself cannot be mounted over
    (directory) => directory !== '/' && !mounts.some((mount) => `${directory}/`.startsWith(mount)),
  )
  return needed.filter((directory) => !needed.some((outer) => outer !== directory && directory.startsWith(`${outer}/`)))
}

function mountsOf(container: Container): readonly Mount[] {
  return (container['volumeMounts'] as readonly Mount[] | undefined) ?? []
}

function filler(container: Container, copies: readonly Copy[], number: number): Container {
  const { image, imagePullPolicy, securityContext, resources } = container as Container & Readonly<Record<string, unknown>>
  const volumeMounts = copies.map(({ name }): Mount => ({ name, mountPath: `/.devkit/copy/${name}` }))
  const pairs = copies.flatMap(({ name, directory }) => [directory, `/.devkit/copy/${name}`])
  return {
    name: `${copyName}${number}`,
    ...(image !== undefined && { image }),
    ...(imagePullPolicy !== undefined && { imagePullPolicy }),
    command: ['/bin/sh', '-c', script, 'devkit', ...pairs],
    securityContext,
    ...(resources !== undefined && { resources }),
    volumeMounts,
  }
}

/** What one user may not keep of another's file, such as its owner, is no reason not to start. POSIX sh, and cp as GNU, busybox and BSD have it. */
const script = `
while [ $# -gt 0 ]; do
  [ ! -d "$1" ] || cp -a "$1/." "$2/" || echo "devkit: not everything of $1 could be copied as it is" >&2
  shift 2
done
`.trim()
