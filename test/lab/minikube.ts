import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { engineEnv } from './engine.ts'
import { endDeadRun, goProgram, labUp, stepMark } from './lab.ts'
import { locked } from './lock.ts'
import { type Places, placesOf } from './places.ts'
import { nodeImage, recipeDirectory, recipeKey, versions } from './recipe.ts'
import { run, type Voice } from './run.ts'

/** What a minikube starts from that asks no registry and downloads nothing. */
export interface MinikubeParts {
  /** The minikube program. */
  readonly program: string
  /** Image of its node, in the lab's engine. */
  readonly image: string
  /** Such as `v1.34.10`. */
  readonly kubernetes: string
  /** An empty archive of images; in minikube's cache under its own name it stops every look for images. */
  readonly preload: string
}

/** Directory of the scripts and files that it is made from. It has keys of its own: a change in it leaves the rest of the lab as it is. */
const minikubeRecipe = join(import.meta.dirname, 'minikube')

/**
 * The lab with its second part, which only the test of minikube needs: made when it is first asked for, kept like the rest.
 *
 *   lab ─► minikube program (Go, 3–4 min) ─► node image (1 min)
 */
export async function minikubeUp(voice: Voice, places: Places = placesOf(process.env)): Promise<MinikubeParts> {
  const { tools } = await labUp(voice, places)
  const work = join(places.cache, 'work')
  const directory = join(places.cache, `minikube-${recipeKey(join(minikubeRecipe, 'go'))}`)
  const parts = {
    program: join(directory, 'minikube'),
    image: nodeImage.replace('kind-node', 'minikube-node'),
    kubernetes: `v1.${versions()['KUBERNETES']}`,
    // v18: the version of such archives that minikube 1.38 asks for
    preload: join(directory, `preloaded-images-k8s-v18-v1.${versions()['KUBERNETES']}-containerd-overlay2-amd64.tar.lz4`),
  }
  const imageKey = `${recipeKey(minikubeRecipe)}-${recipeKey()}`
  const engine = dirname(dirname(tools.docker))
  const format = '{{index .Config.Labels "dev.devkit.lab.minikube"}}'
  const imageIsThere = (): Promise<boolean> =>
    run([tools.docker, 'image', 'inspect', '--format', format, parts.image], voice, { env: engineEnv(places, engine) }).then(
      (text) => text.trim() === imageKey && existsSync(parts.preload),
      (cause: Error) => {
        if (/no such image/i.test(cause.message)) return false
        throw cause
      },
    )
  if (existsSync(parts.program) && (await imageIsThere())) return parts
  return locked(join(places.cache, 'lock'), 'Another run of the lab', voice, async () => {
    const temp = join(work, 'tmp')
    await endDeadRun(places, { work, temp }, voice)
    for (const path of [directory, temp]) mkdirSync(path, { recursive: true })
    const script = async (name: string, argv: readonly [string, ...string[]], env?: Record<string, string>): Promise<void> => {
      const began = Date.now()
      voice.say(`… ${name}`)
      const marked = { ...(env ?? process.env), TMPDIR: temp, [stepMark]: places.cache }
      await run(argv, voice, { env: marked, log: join(work, `${name.replaceAll(' ', '-')}.log`) })
      voice.say(`✓ ${name} in ${((Date.now() - began) / 1000).toFixed(1)} s`)
    }
    if (!existsSync(parts.program)) {
      const go = goProgram(work)
      if (!go.there) await script('Go toolchain', [join(recipeDirectory, 'go-toolchain.sh'), go.home, work])
      // whole or not there: a compiler that was killed leaves half a program
      await script('minikube', [join(minikubeRecipe, 'go/program.sh'), `${parts.program}.new`, work, go.program])
      renameSync(`${parts.program}.new`, parts.program)
      for (const spent of ['go-build', 'go-mod', 'source']) rmSync(join(work, spent), { recursive: true, force: true })
    }
    if (!(await imageIsThere())) {
      const words = [nodeImage, parts.kubernetes, parts.image, imageKey, parts.preload]
      await script('minikube node image', [join(minikubeRecipe, 'image.sh'), ...words], engineEnv(places, engine))
    }
    return parts
  })
}
