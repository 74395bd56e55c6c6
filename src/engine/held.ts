import { join } from 'node:path'
import { statusOf } from '../deploy/diagnosis/pod.ts'
import type { Files } from '../host/host.ts'
import { gitIgnoreRules, ignoring } from '../lib/ignore.ts'
import { type Container, type KubeObject, podSpecOf } from '../lib/objects.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import { isWritableCopy } from '../render/transforms/writable-copy.ts'
import { ledgerFile, readLedger } from '../sync/ledger.ts'
import { type Mapping, plainTarget, targetOf } from '../sync/mapping.ts'
import { absent, Contents, directory, shortHash, unknown } from '../sync/tree.ts'
import { WorkingTree } from '../sync/working-tree.ts'
import { imageFile } from './up.ts'

/** The sync rules of a service with their questions answered. */
export function mappingsOf(plan: Plan, { sync }: ServicePlan): readonly Mapping[] {
  const byConfig = ignoring(gitIgnoreRules(plan.ignore))
  return sync.map((rule) => {
    const byRule = ignoring(gitIgnoreRules(rule.ignore))
    return {
      rule,
      from: join(plan.directory, rule.from),
      to: plainTarget(rule.to),
      ignored: (path, directory) => byRule(path, directory) || byConfig(join(rule.from, path), directory),
    }
  })
}

/** The id of a container in its runtime, while it runs. */
export function runningId(pod: KubeObject, container: string): string | undefined {
  const status = statusOf(pod).containerStatuses?.find(({ name }) => name === container)
  return status?.state?.running ? status.containerID?.replace(/^[a-z-]+:\/\//, '') : undefined
}

/** What containers of an image hold at their beginning where no mount hides it: by its build, and by what was seen in one of them. */
export class ImageHeld {
  readonly contents: Contents
  /** Paths (by number) at which it holds something else than its build says. */
  readonly corrected = new Set<number>()
  readonly #seen = new Set<number>()

  constructor(contents: Contents) {
    this.contents = contents
  }

  /** Whether nobody has to look for the path in another container of it. */
  isSeen(number: number): boolean {
    return this.#seen.has(number)
  }

  /** Notes what is at a path in a container whose program has not run. */
  see(number: number, content: number): void {
    this.#seen.add(number)
    if (this.contents.get(number) === content) return
    this.contents.set(number, content)
    this.corrected.add(number)
  }
}

/** Where a service's files go in the image `reference`, as far as its build read them. */
export async function imageContents(
  { plan, service, tree }: { readonly plan: Plan; readonly service: ServicePlan; readonly tree: WorkingTree },
  reference: string,
  files: Pick<Files, 'readJson'>,
): Promise<Contents> {
  const contents = new Contents()
  const read = await files.readJson<Readonly<Record<string, string>>>(imageFile(plan, reference))
  for (const [path, hash] of Object.entries(read ?? {})) {
    const source = join(plan.directory, service.build?.context ?? '', path)
    for (const mapping of tree.mappings) {
      const target = targetOf(mapping, source)
      if (target !== undefined) contents.set(tree.paths.of(target), shortHash(hash))
    }
  }
  return contents
}

/**
 * What of an image's content a container of the pod has: not what its volumes hide. A writable copy of the image's content is what the
 * image has until a container of the pod ended; what that one left in it is not known.
 */
export function withoutVolumes(image: Contents, { paths }: WorkingTree, container: Container, pod: KubeObject): Contents {
  const mountOver = mountsOf(container)
  const isFirst = statusOf(pod).containerStatuses?.find(({ name }) => name === container.name)?.restartCount === 0
  const contents = image.copy()
  for (let number = 0; number < paths.count; number++) {
    const over = mountOver(paths.name(number))
    if (over === 'volume') contents.set(number, absent)
    else if (over === 'copy' && !isFirst && image.get(number) !== absent) contents.set(number, unknown)
  }
  return contents
}

/** What of a container is mounted over a path: a volume, or a writable copy of what its image has there. */
export function mountsOf(container: Container): (path: string) => 'volume' | 'copy' | undefined {
  // the innermost first: it is what is seen
  const mounts = ((container['volumeMounts'] as readonly Mount[] | undefined) ?? [])
    .map((mount) => ({
      path: plainTarget(mount.mountPath),
      kind: isWritableCopy(mount) ? ('copy' as const) : ('volume' as const),
    }))
    .toSorted((a, b) => b.path.length - a.path.length)
    .map(({ path, kind }) => ({ path, below: `${path}/`, kind }))
  return (path) => mounts.find((mount) => path === mount.path || path.startsWith(mount.below))?.kind
}

interface Mount {
  readonly name: string
  readonly mountPath: string
}

/** A container that does not have the working tree. */
export interface Stale {
  readonly pod: string
  readonly container: string
  /** How many files differ. */
  readonly files: number
}

/** Which of the pods' containers do not have the working tree, by what is written down of them. Nothing is asked of them. */
export async function staleContainers(
  plan: Plan,
  service: ServicePlan,
  { pods, container }: { readonly pods: readonly KubeObject[]; readonly container: string },
  files: Files,
): Promise<readonly Stale[]> {
  if (service.sync.length === 0) return []
  const tree = new WorkingTree(mappingsOf(plan, service), files)
  await tree.read()
  const stale: Stale[] = []
  for (const pod of pods) {
    const id = runningId(pod, container)
    const spec = podSpecOf(pod)?.containers.find(({ name }) => name === container)
    if (id === undefined || !spec) continue
    const has = withoutVolumes(await imageContents({ plan, service, tree }, spec.image ?? '', files), tree, spec, pod)
    await readLedger(files, ledgerFile(plan.directory, plan.namespace, id), { tree, has })
    // of directories nobody has written down what the image has
    const differing = [...tree.wanted.differing(has)].filter((number) => tree.wanted.get(number) !== directory).length
    if (differing > 0) stale.push({ pod: pod.metadata.name, container, files: differing })
  }
  return stale
}
