import type { Host } from '../host/host.ts'
import { DevkitError } from '../lib/errors.ts'
import type { Step } from '../lib/step.ts'

/** Brings local images to a registry that the nodes of a cluster pull from. */
export interface Push {
  /** The registry has the image afterwards. @throws IMAGE-102 */
  push(reference: string, step: Step): Promise<'created' | 'unchanged'>
}

/** Pushes by the docker program: it knows how to log in. In the config: `cluster: { existing: { registry } }`. */
export function push({ exec }: Pick<Host, 'exec'>): Push {
  return {
    async push(reference, step) {
      const { exitCode, stdout, tail, command } = await exec('docker', ['push', reference], step)
      if (exitCode === 0) return /: Pushed$|: Mounted from/m.test(stdout) ? 'created' : 'unchanged'
      const why = exitCode === 'missing' ? 'the docker program is not on PATH' : (tail.at(-1) ?? `docker ended with ${exitCode}`)
      throw new DevkitError('IMAGE-102', {
        message: `The image ${reference} could not be pushed: ${why.replace(/\.$/, '')}.`,
        hint: 'Check cluster.existing.registry in the config, and that `docker login` has been done for it.',
        detail: [...tail.slice(-15), '', `$ ${command}`].join('\n'),
      })
    },
  }
}

/**
 * Where an image of the manifests is pushed: the same path in another registry.
 * `registry.example.com/shop/web` with the registry `localhost:5001/dev` is `localhost:5001/dev/shop/web`.
 */
export function inRegistry(registry: string, repository: string): string {
  const [first = '', ...rest] = repository.split('/')
  const path = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? rest.join('/') : repository
  return `${registry.replace(/\/+$/, '')}/${path}`
}
