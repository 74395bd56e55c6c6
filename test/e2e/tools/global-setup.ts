import type { TestProject } from 'vitest/node'
import { labUp } from '../../lab/lab.ts'
import type { MachineSettings } from '../../lab/settings.ts'
import { installPacked } from './packed.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The packed program's bin.js, installed as a user would. */
    readonly bin: string
    /** What the lab wrote for devkit. */
    readonly lab: MachineSettings
  }
}

/** Once per run of vitest: the lab is up, the program is packed and installed. */
export default async function setup(project: TestProject): Promise<() => void> {
  project.provide(
    'lab',
    await labUp({ say: (line) => void process.stderr.write(`${line}\n`), signal: new AbortController().signal }),
  )
  const { bin, remove } = installPacked()
  project.provide('bin', bin)
  return remove
}
