import { repositoryOf } from '../../lib/image.ts'
import { nearest } from '../../lib/nearest.ts'
import type { Field } from './field.ts'
import type { Finding } from './finding.ts'
import { type Stack, stackOf } from './stack.ts'

/** Images that lie beside one that is built here, and that no service of the config names: likely forgotten, or misspelt. */
export function unnamedImages(stack: Stack): readonly Finding[] {
  const named = stack.images.map(({ image }) => repositoryOf(image))
  const built = stack.images.filter(({ isBuilt }) => isBuilt).map(({ image }) => repositoryOf(image))
  const places = new Set(built.map(placeOfImage).filter((place) => place !== ''))
  const seen = new Map<string, { readonly field: Field; readonly workload: string }>()
  for (const { containers, workload } of stackOf({ ...stack, manifests: stack.sources }).pods)
    for (const container of containers) {
      const field = container.get('image')
      const image = repositoryOf(field.text ?? '')
      if (!named.includes(image) && places.has(placeOfImage(image)) && !seen.has(image)) seen.set(image, { field, workload })
    }
  return [...seen].map(([image, { field, workload }]) => {
    const better = nearest(image, built)
    return {
      severity: 'warning',
      code: 'RENDER-208',
      message: `${stack.placeOf(field)}: ${workload}: no service of the config has the image ${image}, so it is pulled.`,
      hint: `${better ? `Did you mean ${better}? Else n` : 'N'}ame it in \`services\` of the config, with a build where it is built here.`,
      object: workload,
    }
  })
}

/** `registry.example.com/shop` of `registry.example.com/shop/web`; nothing of a plain name. */
function placeOfImage(image: string): string {
  return image.slice(0, Math.max(0, image.lastIndexOf('/')))
}
