import { join } from 'node:path'
import type { CommandSource } from '../config/sources.ts'
import { type PrintParts, printing } from './printed.ts'
import { manifestsOf, readManifests } from './read.ts'
import type { Renderer } from './renderer.ts'

/** Whatever a program prints. In the config: `{ command: ['node', 'k8s/render.js'] }`. */
export function command(parts: PrintParts): Renderer<CommandSource> {
  const print = printing(parts)
  const inputsOf = async ({ command: words, inputs }: CommandSource, directory: string) => {
    const paths = [...inputs, ...words].map((path) => join(directory, path))
    const there = await Promise.all(
      paths.map(async (path, index) => index < inputs.length || (await parts.files.entryAt(path))?.kind === 'file'),
    )
    return paths.filter((_, index) => there[index]).map((path) => ({ path }))
  }
  return {
    async render(source, { directory }, step) {
      const [program = '', ...args] = source.command
      const line = source.command.join(' ')
      const text = await print(
        {
          what: `the manifests of \`${line}\``,
          programs: [[program, ...args]],
          install: 'Install it, or correct `manifests` in the config.',
          directory,
          inputs: source.inputs.length > 0 ? await inputsOf(source, directory) : undefined,
        },
        step,
      )
      return manifestsOf([await readManifests(Buffer.from(text), line)])
    },
    inputs: inputsOf,
  }
}
