/** A thing that needs others, by their names. Names that nothing has are no part of the graph. */
export interface GraphNode {
  readonly name: string
  readonly dependsOn: readonly string[]
}

/** What is depended on comes first; else the order stays. In a loop, the first of it waits for none. */
export function inDependencyOrder<T extends GraphNode>(nodes: readonly T[]): readonly T[] {
  const ordered = new Set<T>()
  walk(nodes, (node) => ordered.add(node))
  return [...ordered]
}

/** The names of a loop, the first again at its end; undefined where there is none. */
export function dependencyLoop(nodes: readonly GraphNode[]): readonly string[] | undefined {
  return walk(nodes, () => undefined)
}

/** Visits every node after all that it depends on. Returns the first loop that it meets. */
function walk<T extends GraphNode>(nodes: readonly T[], visit: (node: T) => void): readonly string[] | undefined {
  const byName = new Map(nodes.map((node) => [node.name, node]))
  const done = new Set<T>()
  let loop: readonly string[] | undefined
  const enter = (node: T, path: readonly string[]): void => {
    if (path.includes(node.name)) loop ??= [...path.slice(path.indexOf(node.name)), node.name]
    else if (!done.has(node)) {
      for (const name of node.dependsOn) {
        const needed = byName.get(name)
        if (needed) enter(needed, [...path, node.name])
      }
      done.add(node)
      visit(node)
    }
  }
  for (const node of nodes) enter(node, [])
  return loop
}
