import { type Manifest, podSpecOf } from '../../lib/objects.ts'

/** An image without its tag and digest. */
export function repositoryOf(image: string): string {
  const [name = ''] = image.split('@')
  const slash = name.lastIndexOf('/')
  const colon = name.lastIndexOf(':')
  return colon > slash ? name.slice(0, colon) : name
}

/** All images that a set of manifests names, without tags. */
export function imagesIn(manifests: readonly Manifest[]): ReadonlySet<string> {
  const pods = manifests.map(({ object }) => podSpecOf(object)).filter((pod) => pod !== undefined)
  return new Set(
    pods
      .flatMap((pod) => [...pod.containers, ...(pod.initContainers ?? [])])
      .flatMap(({ image }) => (image === undefined ? [] : [repositoryOf(image)])),
  )
}
