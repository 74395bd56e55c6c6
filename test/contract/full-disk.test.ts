import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildx } from '../../src/build/buildx.ts'
import { openParts } from '../../src/cli/parts.ts'
import type { DevkitError } from '../../src/lib/errors.ts'
import { labUp } from '../lab/lab.ts'
import { baseImage } from '../lab/recipe.ts'
import type { MachineSettings } from '../lab/settings.ts'
import { type SmallEngine, startSmallEngine } from '../lab/small-engine.ts'
import { devkitOn } from '../unit/devkit.ts'

// An engine whose disk is full, or becomes so: ENGINE-104, whoever is the first to find no room.

const MiB = 2 ** 20
const scratch = mkdtempSync(join(tmpdir(), 't-full-'))
const directory = join(scratch, 'project')
const env = { HOME: scratch, PATH: process.env['PATH'] ?? '', DEVKIT_MACHINE: join(scratch, 'machine.json') }
const hint =
  '`docker builder prune` empties the build cache, `docker image prune --all` removes images that no container uses; or give the engine a larger disk. `devkit doctor` shows what takes the room.'
const signal = AbortSignal.timeout(180_000)
let lab: MachineSettings
let engine: SmallEngine

const docker = (...args: readonly string[]): string =>
  execFileSync(lab.tools.docker, ['--host', engine.address, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
const inside = (...command: readonly string[]): string => {
  const [program = '', ...words] = [...engine.inside, ...command]
  return execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, ...env } })
}

beforeAll(async () => {
  lab = await labUp({ say: (line) => void process.stderr.write(`${line}\n`), signal })
  engine = await startSmallEngine(join(scratch, 'engine'), 400 * MiB, lab.tools.docker, scratch)
  const image = execFileSync(lab.tools.docker, ['--host', lab.engine, 'save', baseImage], { maxBuffer: 1 << 30 })
  execFileSync(lab.tools.docker, ['--host', engine.address, 'load'], { input: image, stdio: ['pipe', 'ignore', 'inherit'] })
  mkdirSync(join(directory, 'k8s'), { recursive: true })
  mkdirSync(join(directory, 'app'))
  // no node that works: the disk is full before it would have to
  writeFileSync(env.DEVKIT_MACHINE, JSON.stringify({ ...lab, engine: engine.address, nodeImage: baseImage }))
  const config = { project: 't-full', cluster: { kind: {} }, manifests: ['k8s'] }
  writeFileSync(join(directory, 'devkit.config.json'), JSON.stringify(config))
  const settings = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' } }
  writeFileSync(join(directory, 'k8s/settings.json'), JSON.stringify(settings))
}, 180_000)
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]()
  rmSync(scratch, { recursive: true, force: true })
})

/** What a build of this Dockerfile comes to. */
async function built(dockerfile: string) {
  writeFileSync(join(directory, 'app/Dockerfile'), dockerfile)
  const stdout = { isTTY: false, write: () => undefined }
  const io = { argv: [], env, cwd: directory, pid: process.pid, node: '', stdin: process.stdin, stdout, stderr: stdout, signal }
  const { host } = await openParts(io, 'test')
  const spec = { context: 'app', dockerfile: 'Dockerfile', target: undefined, args: {}, rebuildOn: [] }
  const request = { service: 'web', project: 't-full', repository: 't-full/web', directory, spec }
  return buildx(host).build(request, { signal, say: () => undefined })
}

test('a build that has room is well', async () => {
  expect(await built(`FROM ${baseImage}\nRUN head -c 1M /dev/zero > /small\n`)).toMatchObject({ outcome: 'built' })
}, 120_000)

test('a cluster that has no room; doctor shows what takes it, and the room that is made', async () => {
  const filler = join(engine.data, 'filler')
  inside('sh', '-c', `head -c 1G /dev/zero > '${filler}' || true`)
  const { code, stdout } = await devkitOn({ directory, env }, 'up', '--json')
  const problems = stdout
    .split('\n')
    .filter((line) => line.includes('"type":"problem"'))
    .map((line) => JSON.parse(line) as object)
  expect({ code, problems }).toEqual({ code: 1, problems: [expect.objectContaining({ code: 'ENGINE-104', hint })] })
  expect(problems[0]).toMatchObject({
    message: expect.stringMatching(
      /^The disk of the container engine is full, so the cluster devkit-t-full could not be created: .*\w.*: no space left on device\.$/,
    ),
  })
  expect(docker('ps', '--all', '--quiet')).toBe('')

  const disk = (): object | undefined => {
    const program = join(import.meta.dirname, '../../src/cli/bin.ts')
    const script = `"$0" "$@" || true`
    const told = inside('sh', '-c', script, process.execPath, program, 'doctor', '--json', '-C', directory)
    const { checks } = JSON.parse(told) as { readonly checks: readonly { readonly area: string; readonly name: string }[] }
    return checks.find(({ area, name }) => area === 'engine' && name === 'disk')
  }
  expect(disk()).toMatchObject({
    verdict: 'failure',
    code: 'ENGINE-104',
    said: expect.stringMatching(/^0 MiB of 400 MiB free; images take 1\d\d MiB, volumes 0 MiB, the build cache \d+ MiB$/),
  })
  inside('rm', filler)
  expect(disk()).toMatchObject({ said: expect.stringMatching(/^[12]\d\d MiB of 400 MiB free/) })
}, 120_000)

const large = (): void => writeFileSync(join(directory, 'app/large'), Buffer.alloc(300 * MiB))

// the last: the engine gives the room of a build that failed back when it has time
test.each([
  [
    'a step that writes more than there is room for',
    `FROM ${baseImage}\nRUN head -c 1G /dev/zero > /large\n`,
    /so the image of web does not build: head: error writing 'standard output': No space left on device\.$/,
  ],
  [
    'a context that has no room',
    `FROM ${baseImage}\nCOPY large /\n`,
    /so the image of web does not build: write \/\S+\/large: no space left on device\.$/,
  ],
])(
  'a build: %s',
  async (_, dockerfile, says) => {
    large()
    const problem = (await built(dockerfile).catch((thrown: unknown) => thrown)) as DevkitError
    expect(problem).toMatchObject({ code: 'ENGINE-104', message: expect.stringMatching(says), hint, service: 'web' })
    expect(problem.message).toMatch(/^The disk of the container engine is full, /)
    expect(problem.detail).toMatch(/\n\$ \S*buildx build /)
  },
  120_000,
)
