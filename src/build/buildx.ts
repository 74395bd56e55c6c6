import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { ExecResult, FileState, Host } from '../host/host.ts'
import { engineFull } from '../lib/disk-full.ts'
import { DevkitError } from '../lib/errors.ts'
import { type Builder, type BuildRequest, projectLabel } from './builder.ts'
import { contextFiles } from './context.ts'

/** Images by BuildKit through the buildx program; an image whose inputs did not change is not built again. In the config: `build: { context }`. */
export function buildx({ exec, engine, files }: Pick<Host, 'exec' | 'engine' | 'files'>): Builder {
  return {
    check: (request) => checkContext(request, join(request.directory, request.spec.context), files),
    async reference(request) {
      const { directory, spec } = request
      return referenceOf(request, await contextFiles(join(directory, spec.context), spec.dockerfile, files))
    },
    async build(request, step) {
      const { service, spec, repository, project } = request
      const context = join(request.directory, spec.context)
      await checkContext(request, context, files)
      const tree = await contextFiles(context, spec.dockerfile, files)
      step.signal.throwIfAborted()
      const reference = referenceOf(request, tree)
      const hashes = Object.fromEntries([...tree].map(([path, state]) => [path, state.hash]))
      const there = await (await engine()).image(reference)
      if (there) return { reference, id: there.id, outcome: 'cached', files: hashes }
      const flags = [
        ...(spec.target === undefined ? [] : ['--target', spec.target]),
        ...Object.entries(spec.args).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
      ]
      const result = await exec(
        'buildx',
        [
          'build',
          '--load',
          '--progress=plain',
          '--provenance=false',
          '--label',
          `${projectLabel}=${project}`,
          '--tag',
          reference,
          '--file',
          join(context, spec.dockerfile),
          ...flags,
          context,
        ],
        step,
        { cwd: request.directory },
      )
      if (result.exitCode !== 0) throw buildProblem(service, result)
      const built = await (await engine()).image(reference)
      if (!built)
        throw new DevkitError('BUILD-102', {
          message: `The build of ${service} ended well, but the engine does not have ${reference}.`,
          hint: 'Check that buildx uses this engine: `docker buildx ls`.',
          service,
          detail: result.tail.join('\n'),
        })
      const after = await contextFiles(context, spec.dockerfile, files)
      const changed = [...new Set([...tree.keys(), ...after.keys()])].filter(
        (path) => tree.get(path)?.hash !== after.get(path)?.hash,
      )
      if (changed.length === 0) return { reference, id: built.id, outcome: 'built', files: hashes }
      // it may hold either content: the name that stands for the one must not find it
      const own = `${reference}-${built.id.replace('sha256:', '').slice(0, 8)}`
      await (await engine()).tagImage(reference, repository, own.slice(repository.length + 1))
      await (await engine()).removeImage(reference)
      for (const path of changed) delete hashes[path]
      return { reference: own, id: built.id, outcome: 'built', files: hashes }
    },
  }
}

async function checkContext(
  { service, spec }: Pick<BuildRequest, 'service' | 'spec'>,
  context: string,
  files: Host['files'],
): Promise<void> {
  if (!(await files.exists(context)))
    throw new DevkitError('BUILD-103', {
      message: `The build context ${spec.context} of ${service} does not exist.`,
      hint: `Correct services.${service}.build.context in the config.`,
      service,
    })
  if (!(await files.exists(join(context, spec.dockerfile))))
    throw new DevkitError('BUILD-101', {
      message: `There is no ${spec.dockerfile} in ${spec.context}, the build context of ${service}.`,
      hint: `Write it, or name another as services.${service}.build.dockerfile.`,
      service,
    })
}

function referenceOf(request: BuildRequest, tree: ReadonlyMap<string, FileState>): string {
  return `${request.repository}:devkit-${fingerprint(request, tree)}`
}

/** Hash of all that decides what the image will be, 12 hex digits. */
function fingerprint({ spec, repository, project }: BuildRequest, tree: ReadonlyMap<string, FileState>): string {
  const inputs = [
    // an image of its own for each project: `down` removes those of one
    project,
    repository,
    spec.dockerfile,
    spec.target ?? '',
    JSON.stringify(Object.entries(spec.args).sort()),
    ...[...tree].map(([path, { hash }]) => `${path}\0${hash}`).sort(),
  ]
  return createHash('sha256').update(inputs.join('\n')).digest('hex').slice(0, 12)
}

function buildProblem(service: string, { exitCode, tail, command }: ExecResult): DevkitError {
  const text = tail.join('\n')
  if (exitCode === 'missing' || /is not a docker command|unknown (shorthand )?flag: .*--load/.test(text))
    return new DevkitError('BUILD-104', {
      message: 'The buildx program is missing.',
      hint: 'Install Docker’s buildx plug-in, or name its path as tools.buildx in the machine settings file.',
      service,
      detail: text,
    })
  const detail = [...tail.slice(-25), '', `$ ${command}`].join('\n')
  const full = engineFull(text, `the image of ${service} does not build`, { service, detail })
  if (full) return full
  const cause =
    tail
      .findLast((line) => line.startsWith('ERROR: '))
      ?.slice('ERROR: '.length)
      .replace(/^failed to (solve|build): /, '') ?? `buildx ended with ${exitCode}`
  const place = tail.map((line) => /^(\S*[Dd]ockerfile\S*):(\d+)$/.exec(line)).find((found) => found !== null)
  return new DevkitError('BUILD-102', {
    message: `The image of ${service} does not build: ${cause}${place ? ` (${place[1]}:${place[2]})` : ''}.`,
    hint: 'Mend the step that the lines below show; the build goes on from the last good one.',
    service,
    detail,
  })
}
