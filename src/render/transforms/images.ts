import { repositoryOf } from '../../lib/image.ts'
import { eachContainer, type Manifest, podSpecOf, without, withPodSpec } from '../../lib/objects.ts'
import type { Transform } from './rule.ts'

/** Containers of an image, whole as written or without its tag, run another. */
export function standIn(image: string, other: string): Transform {
  return (object) =>
    withPodSpec(object, (pod) =>
      eachContainer(pod, (container) =>
        container.image && [container.image, repositoryOf(container.image)].includes(image)
          ? { ...container, image: other }
          : container,
      ),
    )
}

/** Containers run the images that were built for them. */
export function builtImages(images: ReadonlyMap<string, string>): Transform {
  return (object) =>
    withPodSpec(object, (pod) =>
      eachContainer(pod, (container) => {
        const reference = container.image ? images.get(repositoryOf(container.image)) : undefined
        // the node has it: pulling it could only fail
        return reference === undefined ? container : { ...container, image: reference, imagePullPolicy: 'IfNotPresent' }
      }),
    )
}

/** Pods without the Secrets of registries: all, or those whose images all are `built`. */
export function withoutPullSecrets(built?: ReadonlyMap<string, string>): Transform {
  const isBuilt = ({ image }: { readonly image?: string }): boolean => built?.has(repositoryOf(image ?? '')) === true
  return (object) =>
    withPodSpec(object, (pod) => {
      const isNeeded = built && ![...pod.containers, ...(pod.initContainers ?? [])].every(isBuilt)
      return isNeeded ? pod : without(pod, 'imagePullSecrets')
    })
}

/** All images that a set of manifests names, without tags. */
export function imagesIn(manifests: readonly Manifest[]): ReadonlySet<string> {
  const pods = manifests.map(({ object }) => podSpecOf(object)).filter((pod) => pod !== undefined)
  return new Set(
    pods
      .flatMap((pod) => [...pod.containers, ...(pod.initContainers ?? [])])
      .flatMap(({ image }) => (image ? [repositoryOf(image)] : [])),
  )
}
