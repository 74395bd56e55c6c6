import { DevkitError } from '../lib/errors.ts'

interface Node {
  readonly name: string
  readonly dependsOn: readonly string[]
}

/** What is depended on comes first; else the order stays. @throws PLAN-102, naming the loop */
export function inDependencyOrder<T extends Node>(nodes: readonly T[]): readonly T[] {
  const byName = new Map(nodes.map((node) => [node.name, node]))
  const ordered = new Set<T>()
  const visit = (node: T, path: readonly string[]): void => {
    if (ordered.has(node)) return
    if (path.includes(node.name)) {
      const loop = [...path.slice(path.indexOf(node.name)), node.name].join(' → ')
      throw new DevkitError('PLAN-102', {
        message: `Services depend on each other in a loop: ${loop}.`,
        hint: 'Remove one dependsOn of the loop.',
      })
    }
    for (const name of node.dependsOn) {
      const needed = byName.get(name)
      if (needed) visit(needed, [...path, node.name])
    }
    ordered.add(node)
  }
  for (const node of nodes) visit(node, [])
  return [...ordered]
}
