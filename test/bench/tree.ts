import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/** What programs make for themselves; nobody syncs it. */
const generated = /(?:^|\/)__pycache__(?:\/|$)|\.pyc$/

/** Path → what it is: hash and exec bit of a file, target of a symlink. */
export type Tree = ReadonlyMap<string, string>

/** The tree below a directory of this machine. */
export function treeHere(directory: string): Tree {
  const tree = new Map<string, string>()
  const walk = (below: string): void => {
    for (const name of readdirSync(join(directory, below))) {
      const path = below === '' ? name : `${below}/${name}`
      if (generated.test(path)) continue
      const state = lstatSync(join(directory, path))
      if (state.isDirectory()) walk(path)
      else if (state.isSymbolicLink()) tree.set(path, `→ ${readlinkSync(join(directory, path))}`)
      else {
        const hash = createHash('sha256')
          .update(readFileSync(join(directory, path)))
          .digest('hex')
        tree.set(path, `${hash}${state.mode & 0o111 ? ' x' : ''}`)
      }
    }
  }
  walk('')
  return tree
}

/** The tree below a directory of a container, read through its node by `sh`, which runs a script there. */
export function treeThere(sh: (script: string) => string, pid: number, directory: string): Tree {
  const cd = `cd '/proc/${pid}/root${directory}'`
  const hashes = sh(`${cd} && find . -type f -print0 | xargs -0 -r sha256sum`)
  const modes = new Set(
    sh(`${cd} && find . -type f -perm /111 -print`)
      .split('\n')
      .map((path) => path.slice(2)),
  )
  const tree = new Map<string, string>()
  for (const [, hash = '', path = ''] of hashes.matchAll(/^([0-9a-f]{64}) {2}\.\/(.*)$/gm))
    if (!generated.test(path)) tree.set(path, `${hash}${modes.has(path) ? ' x' : ''}`)
  for (const [, path = '', to = ''] of sh(`${cd} && find . -type l -printf '%P\\t%l\\n'`).matchAll(/^(.*)\t(.*)$/gm))
    if (!generated.test(path)) tree.set(path, `→ ${to}`)
  return tree
}

/** Paths that are not the same on both sides, with what is wrong. */
export function differences(here: Tree, there: Tree): readonly string[] {
  return [...new Set([...here.keys(), ...there.keys()])]
    .filter((path) => here.get(path) !== there.get(path))
    .map((path) => `${path}: ${here.get(path) ?? 'nothing'} here, ${there.get(path) ?? 'nothing'} in the container`)
}
