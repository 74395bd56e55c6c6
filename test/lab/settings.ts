import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { engineAddress, type Places } from './places.ts'
import { nodeImage } from './recipe.ts'
import { LabProblem } from './run.ts'

const writer = 'devkit lab'

/** What the lab writes for devkit, so that every later command works with no exported variable. */
export interface MachineSettings {
  readonly writtenBy: string
  readonly engine: string
  readonly tools: Readonly<Record<'docker' | 'kind' | 'buildx' | 'helm' | 'kubectl', string>>
  readonly nodeImage: string
  readonly mirrors: Readonly<Record<string, string>>
}

export function settingsFor(places: Places, engine: string, programs: string): MachineSettings {
  const tools = {
    docker: join(engine, 'bin/docker'),
    kind: join(engine, 'bin/kind'),
    buildx: join(engine, 'bin/docker-buildx'),
    helm: join(programs, 'helm'),
    kubectl: join(programs, 'kubectl'),
  }
  return { writtenBy: writer, engine: engineAddress(places), tools, nodeImage, mirrors: {} }
}

/** Whether a person, or another program, wrote the file: then it goes first, and the lab keeps away from it. */
export function settingsAreOthers(file: string): boolean {
  const there = read(file)
  return there !== undefined && there['writtenBy'] !== writer
}

/** @throws LabProblem when somebody else wrote the file. */
export function checkSettings(file: string): void {
  if (settingsAreOthers(file))
    throw new LabProblem(
      `${file} was not written by the lab, so it stays as it is.`,
      'Remove it, or name another file in DEVKIT_MACHINE, and run this again.',
    )
}

/** Writes the file when it differs. */
export function writeSettings(file: string, settings: MachineSettings): void {
  checkSettings(file)
  const text = `${JSON.stringify(settings, undefined, 2)}\n`
  if (JSON.stringify(read(file)) === JSON.stringify(settings)) return
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(`${file}.part`, text)
  renameSync(`${file}.part`, file)
}

/** Removes the file when the lab wrote it. */
export function removeSettings(file: string): void {
  if (read(file)?.['writtenBy'] === writer) rmSync(file, { force: true })
}

function read(file: string): Readonly<Record<string, unknown>> | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return {}
  }
}
