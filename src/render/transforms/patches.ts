import type { Patch, Profile } from '../../config/profile-schema.ts'
import { DevkitError, messageOf } from '../../lib/errors.ts'
import { type KubeObject, nameOf } from '../../lib/objects.ts'
import { isRecord } from '../../lib/record.ts'
import { selects } from '../../lib/select.ts'
import { misfitOf } from '../shape.ts'
import { patched } from './json-patch.ts'
import { LeftOut, type Transform } from './rule.ts'
import { merged } from './strategic-merge.ts'

/** Merges or patches the objects that are selected. @throws RENDER-109 for an object that it does not fit */
export function withPatch({ select, merge, patch = [] }: Patch, path: string): Transform {
  return (object) => {
    if (!selects(select, object)) return object
    return checked(object, path, () => (merge ? merged(object, merge) : patched(object, patch)))
  }
}

/** What a function of the profile makes of an object. @throws RENDER-109 */
export function withFunction(change: Extract<Profile['transform'], (...words: never) => unknown>, path: string): Transform {
  // a copy: a function that writes into what it gets would change what production has
  return (object) => checked(object, path, () => change(structuredClone(object)) ?? new LeftOut('the profile leaves it out'))
}

function checked(object: KubeObject, path: string, work: () => unknown): KubeObject | LeftOut {
  const failed = (what: string, cause?: unknown): DevkitError =>
    new DevkitError('RENDER-109', {
      message: `${path} of the profile does not fit ${nameOf(object)}: ${what}.`,
      hint: `Correct ${path}, or select other objects.`,
      object: nameOf(object),
      rule: path,
      cause,
    })
  let made: unknown
  try {
    made = work()
  } catch (thrown) {
    throw failed(messageOf(thrown).replace(/\.$/, ''), thrown)
  }
  if (made instanceof LeftOut) return made
  if (!isKubeObject(made)) throw failed('what comes out is no object with apiVersion, kind and metadata.name')
  const wrong = misfitOf(made)
  if (wrong) throw failed(`${wrong.path.join('.')} has to be ${wrong.expected}`)
  return made
}

function isKubeObject(value: unknown): value is KubeObject {
  if (!isRecord(value)) return false
  const { apiVersion, kind, metadata } = value
  return typeof apiVersion === 'string' && typeof kind === 'string' && isRecord(metadata) && typeof metadata['name'] === 'string'
}
