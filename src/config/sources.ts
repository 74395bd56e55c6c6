import * as v from 'valibot'
import { described, oneOf, record, text, texts } from './words.ts'

/** The sources of production manifests: a text, or an object whose first name says what it is. Every path is relative to the config file. */

const kustomizeSource = v.strictObject({
  kustomize: described('Directory of a kustomization.', text),
})

const helmSource = v.strictObject({
  helm: described(
    'A Helm chart, rendered by `helm template`.',
    v.strictObject({
      chart: described('Directory or archive of the chart; with `repo`, or as `oci://…`, the name of one that is fetched.', text),
      release: described("The release's name; default: the chart's.", v.optional(text)),
      values: described('Values files, the later ones over the earlier.', v.optional(texts, [])),
      set: described(
        'Single values, as `--set` has them: their path and what they are.',
        v.optional(record(text, v.unknown()), {}),
      ),
      namespace: described("What `.Release.Namespace` is; default: the environment's.", v.optional(text)),
      repo: described('URL of the repository that has the chart.', v.optional(text)),
      version: described('Version of a chart that is fetched.', v.optional(text)),
    }),
  ),
})

const templateSource = v.strictObject({
  template: described(
    'An OpenShift `Template`.',
    v.strictObject({
      file: described('The file of it.', text),
      parameters: described(
        'Values of its parameters, over those that it has.',
        v.optional(record(text, v.pipe(v.union([v.string(), v.number(), v.boolean()]), v.transform(String))), {}),
      ),
    }),
  ),
})

const commandSource = v.strictObject({
  command: described(
    "A program that prints manifests, and its arguments; it runs without a shell, in the config's directory.",
    v.pipe(texts, v.minLength(1, 'a program and its arguments')),
  ),
  inputs: described(
    'Files and directories that it reads: a change renders again. What is printed is kept as long as they stay the same.',
    v.optional(texts, []),
  ),
})

const variants = { kustomize: kustomizeSource, helm: helmSource, template: templateSource, command: commandSource }
const anySource = v.union([text, ...Object.values(variants)], 'a path, or one of kustomize, helm, template and command')
const oneSource = v.custom<never>(() => false, 'one of kustomize, helm, template and command: each is an entry of its own')

export const sourceSpec = oneOf([text, ...Object.values(variants)], (input) => {
  if (typeof input === 'string') return text
  const keys = typeof input === 'object' && input !== null ? Object.keys(input) : []
  const [name, another] = keys.filter((key): key is keyof typeof variants => Object.hasOwn(variants, key))
  if (another) return oneSource
  return name ? variants[name] : anySource
})

export type Source = v.InferOutput<typeof sourceSpec>
export type KustomizeSource = v.InferOutput<typeof kustomizeSource>
export type HelmSource = v.InferOutput<typeof helmSource>
export type TemplateSource = v.InferOutput<typeof templateSource>
export type CommandSource = v.InferOutput<typeof commandSource>
