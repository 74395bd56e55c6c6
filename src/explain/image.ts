import type { PagesOf } from './page.ts'

/** The way of an image to the nodes. */
export const imagePages: PagesOf<'IMAGE'> = {
  'IMAGE-101': {
    means:
      'An image that was built here could not be brought into a node: the engine no longer has it, or the node does not take it or does not answer.',
    looks: `✗ IMAGE-101 The node shop-control-plane does not take registry.example.com/shop/web:devkit-3f9c2ab81d04: no space left on device.
  → Check the node’s disk (\`docker exec NODE df -h /var\`), then run \`devkit up\` again.`,
    causes: [
      'The node’s disk is full; it is the engine’s.',
      'The node was stopped in the meantime.',
      'The image was removed from the engine, by `docker system prune` for example.',
    ],
    remedies: [
      'Make room: `docker system df`, then `docker system prune`.',
      'Run `devkit up` again: it builds what is gone, and sends what the node lacks.',
    ],
  },
  'IMAGE-102': {
    means:
      'A cluster whose nodes can’t be entered gets images through the registry that the config names, and pushing to it failed.',
    looks: `✗ IMAGE-102 The image registry.example.com/shop/web:devkit-3f9c2ab81d04 could not be pushed: denied: requested access to the resource is denied.
  → Check cluster.existing.registry in the config, and that \`docker login\` has been done for it.`,
    causes: [
      'There was no login to the registry, or it has run out.',
      'The user may not push to that repository, or it has to be made first.',
      'The registry can’t be reached, or speaks plain HTTP and the engine does not know that.',
      'The docker program is not on PATH.',
    ],
    remedies: [
      'Log in with `docker login REGISTRY`, then `devkit up` again.',
      'Correct `cluster.existing.registry` in the config.',
      'Add a registry of plain HTTP to `insecure-registries` of the engine.',
    ],
  },
}
