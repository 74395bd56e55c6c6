import { isDeepStrictEqual } from 'node:util'
import type { PatchOperation } from '../../config/profile-schema.ts'

/** A value after the operations of a JSON Patch. https://www.rfc-editor.org/rfc/rfc6902 @throws Error naming the path that does not fit */
export function patched(value: unknown, operations: readonly PatchOperation[]): unknown {
  // '' leads to the whole, so that it has a parent too
  const root = { '': structuredClone(value) }
  for (const { op, path, from = '', value: given } of operations) {
    if (op === 'add') add(root, path, given)
    else if (op === 'remove') take(root, path)
    else if (op === 'replace') set(root, path, given)
    else if (op === 'move') add(root, path, take(root, from))
    else if (op === 'copy') add(root, path, structuredClone(get(root, from)))
    else if (!isDeepStrictEqual(get(root, path), given)) throw new Error(`${path} is ${JSON.stringify(get(root, path))}`)
  }
  return root['']
}

type Holder = Record<string, unknown>

/** What holds the last part of a path, and that part. https://www.rfc-editor.org/rfc/rfc6901 */
function parentOf(root: Holder, path: string): readonly [parent: Holder, last: string] {
  const keys = path.split('/').map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
  const parent = keys.slice(0, -1).reduce<unknown>((holder, key) => own(holder, key, path), root)
  if (typeof parent !== 'object' || parent === null) throw new Error(`there is no ${path}`)
  return [parent as Holder, keys.at(-1) ?? '']
}

function own(holder: unknown, key: string, path: string): unknown {
  if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, key)) throw new Error(`there is no ${path}`)
  return (holder as Holder)[key]
}

function get(root: Holder, path: string): unknown {
  const [parent, last] = parentOf(root, path)
  return own(parent, last, path)
}

function set(root: Holder, path: string, value: unknown): void {
  const [parent, last] = parentOf(root, path)
  own(parent, last, path)
  parent[last] = value
}

function take(root: Holder, path: string): unknown {
  const [parent, last] = parentOf(root, path)
  const value = own(parent, last, path)
  if (Array.isArray(parent)) parent.splice(Number(last), 1)
  else delete parent[last]
  return value
}

function add(root: Holder, path: string, value: unknown): void {
  const [parent, last] = parentOf(root, path)
  if (!Array.isArray(parent)) parent[last] = value
  else if (last !== '-' && !(/^\d+$/.test(last) && Number(last) <= parent.length)) throw new Error(`there is no ${path}`)
  else parent.splice(last === '-' ? parent.length : Number(last), 0, value)
}
