import { hookOf } from '../../lib/hooks.ts'
import type { KubeObject } from '../../lib/objects.ts'
import { LeftOut } from './rule.ts'

/** Hooks of what `up` does. https://helm.sh/docs/topics/charts_hooks/#the-available-hooks */
const ofUp = {
  Helm: ['pre-install', 'post-install', 'pre-upgrade', 'post-upgrade', 'crd-install'],
  'Argo CD': ['PreSync', 'Sync', 'PostSync'],
}

/** Hooks for a test, a removal, a rollback or a failure would do at `up` what is meant for another time. */
export function withoutForeignHooks(object: KubeObject): KubeObject | LeftOut {
  const hook = hookOf(object)
  if (!hook || hook.types.some((type) => ofUp[hook.tool].includes(type))) return object
  return new LeftOut(`it is a hook of ${hook.tool} for ${hook.types.join(', ')}, and \`up\` is none of that`)
}
