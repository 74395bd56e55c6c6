import { type Container, type KubeObject, withPodSpec } from '../../lib/objects.ts'
import { fits, groupOf, selects } from '../../lib/select.ts'
import { LeftOut, type Transform } from './rule.ts'

/** Leaves out the objects that the selector means. */
export function skipped(selector: string, reason: string | boolean): Transform {
  return (object) =>
    selects(selector, object) ? new LeftOut(typeof reason === 'string' ? reason : 'the profile leaves it out') : object
}

/** Leaves out what the cluster has no kind for. */
export function withoutForeign(isForeign: (object: KubeObject) => boolean): Transform {
  return (object) => (isForeign(object) ? new LeftOut(`a new cluster has no kind ${object.kind} of ${groupOf(object)}`) : object)
}

/** Pods without the containers that the pattern means; the last of a pod's own stays, which it could not be without. */
export function withoutContainers(pattern: string): Transform {
  const stays = ({ name }: Container): boolean => !fits(pattern, name)
  return (object) =>
    withPodSpec(object, (pod) => {
      const kept = pod.containers.filter(stays)
      const containers = kept.length > 0 ? kept : pod.containers.slice(0, 1)
      const initContainers = pod.initContainers?.filter(stays)
      const left = containers.length + (initContainers?.length ?? 0)
      if (left === pod.containers.length + (pod.initContainers?.length ?? 0)) return pod
      return { ...pod, containers, ...(initContainers && { initContainers }) }
    })
}
