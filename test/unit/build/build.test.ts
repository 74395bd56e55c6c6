import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { BuildRequest } from '../../../src/build/builder.ts'
import { buildx } from '../../../src/build/buildx.ts'
import { contextFiles } from '../../../src/build/context.ts'
import { openFiles } from '../../../src/host/hash-cache.ts'
import type { Engine, Exec } from '../../../src/host/host.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'devkit-build-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function write(path: string, text = path): void {
  mkdirSync(dirname(join(directory, path)), { recursive: true })
  writeFileSync(join(directory, path), text)
}

async function inContext(dockerfile = 'Dockerfile'): Promise<readonly string[]> {
  return [...(await contextFiles(directory, dockerfile, openFiles())).keys()].sort()
}

test('the context is what .dockerignore leaves of the directory, the Dockerfile always', async () => {
  for (const path of ['Dockerfile', 'a.py', 'docs/a.md', 'docs/keep.md', 'deep/er/x', '.git/HEAD']) write(path)
  expect(await inContext()).toEqual(['Dockerfile', 'a.py', 'deep/er/x', 'docs/a.md', 'docs/keep.md'])
  write('.dockerignore', 'docs\n!docs/keep.md\nDockerfile\ndeep\n.dockerignore\n')
  expect(await inContext()).toEqual(['Dockerfile', 'a.py', 'docs/keep.md'])
  write('other.Dockerfile')
  write('other.Dockerfile.dockerignore', '*\n!a.py\n')
  expect(await inContext('other.Dockerfile')).toEqual(['a.py', 'other.Dockerfile'])
})

/** An engine that keeps images by their names, and a builder that does `meanwhile` while it builds. */
function machine(meanwhile: () => void) {
  const images = new Map<string, string>()
  let builds = 0
  const engine: Pick<Engine, 'image' | 'tagImage' | 'removeImage'> = {
    image: async (name) =>
      images.has(name) ? { id: images.get(name) ?? '', layers: [], bytes: 0, entrypoint: [], cmd: [] } : undefined,
    tagImage: async (name, repository, tag) => void images.set(`${repository}:${tag}`, images.get(name) ?? ''),
    removeImage: async (name) => void images.delete(name),
  }
  const exec: Exec = async (_, args) => {
    images.set(args[args.indexOf('--tag') + 1] ?? '', `sha256:${String(++builds).padStart(64, '0')}`)
    meanwhile()
    return { exitCode: 0, stdout: '', stderr: '', tail: [], command: '' }
  }
  const builder = buildx({ exec, engine: async () => engine as Engine, files: openFiles() })
  const spec = { context: '.', dockerfile: 'Dockerfile', target: undefined, args: {}, rebuildOn: [] }
  const request: BuildRequest = { service: 'web', project: 'p', repository: 'r/web', directory, spec }
  const step = { signal: new AbortController().signal, say: () => undefined }
  return { images, build: (project = 'p') => builder.build({ ...request, project }, step) }
}

test('the same tree is built once; a touch changes nothing', async () => {
  write('Dockerfile')
  write('a')
  const { build, images } = machine(() => undefined)
  const first = await build()
  write('a')
  expect([first.outcome, (await build()).outcome]).toEqual(['built', 'cached'])
  expect([...images.keys()]).toEqual([first.reference])
  expect(Object.keys(first.files)).toEqual(['Dockerfile', 'a'])
})

test('another project with the same files has an image of its own', async () => {
  write('Dockerfile')
  const { build, images } = machine(() => undefined)
  const [one, other] = [await build('one'), await build('other')]
  expect(new Set([one.reference, other.reference]).size).toBe(2)
  expect([...images.keys()]).toEqual([one.reference, other.reference])
})

test('what changed while it was built is not claimed: its image has a name that no tree finds', async () => {
  write('Dockerfile')
  write('a', 'before')
  write('b')
  let saves = 1
  const { build } = machine(() => {
    if (saves-- > 0) write('a', 'meanwhile')
  })
  const racy = await build()
  expect(Object.keys(racy.files).sort()).toEqual(['Dockerfile', 'b'])
  write('a', 'before')
  const again = await build()
  expect(again).toMatchObject({ outcome: 'built' })
  expect(again.reference).not.toBe(racy.reference)
  expect(Object.keys(again.files).sort()).toEqual(['Dockerfile', 'a', 'b'])
})
