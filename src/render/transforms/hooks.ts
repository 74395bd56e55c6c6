import type { KubeObject } from '../../lib/objects.ts'
import { LeftOut } from './rule.ts'

/** Hooks of what `up` does. https://helm.sh/docs/topics/charts_hooks/#the-available-hooks */
const ofUp = ['pre-install', 'post-install', 'pre-upgrade', 'post-upgrade', 'crd-install']

/** Hooks for a test, a removal or a rollback would do at `up` what is meant for another time. */
export function withoutForeignHooks(object: KubeObject): KubeObject | LeftOut {
  const hooks = String(object.metadata.annotations?.['helm.sh/hook'] ?? '')
    .split(',')
    .map((hook) => hook.trim())
    .filter((hook) => hook !== '')
  if (hooks.length === 0 || hooks.some((hook) => ofUp.includes(hook))) return object
  return new LeftOut(`it is a hook of Helm for ${hooks.join(', ')}, and \`up\` is none of that`)
}
