import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TemplateSource } from '../config/sources.ts'
import { DevkitError } from '../lib/errors.ts'
import { nearest } from '../lib/nearest.ts'
import { nowhere } from './manifests.ts'
import { invalid, manifestsOf, readObjects } from './read.ts'
import type { Renderer } from './renderer.ts'
import { readYaml, type YamlDocument } from './yaml.ts'

/**
 * OpenShift templates. In the config: `{ template: { file: 'openshift/web.yaml', parameters: { NAME: 'web' } } }`.
 * @see https://docs.openshift.com/container-platform/4.17/openshift_images/using-templates.html
 */
export const template: Renderer<TemplateSource> = {
  async render({ template: { file, parameters: given } }, { directory, invents }) {
    const bytes = await readFile(join(directory, file)).catch(() => undefined)
    if (!bytes) throw nowhere(`The template ${file} does not exist.`)
    const { documents, problems } = await readYaml(bytes)
    const [first, ...more] = problems.map(({ line, message }) => invalid(file, line, message))
    if (first) return manifestsOf([{ manifests: [], problems: [first, ...more] }])
    return manifestsOf(
      documents.map((document) => {
        const { objects, labels } = templateIn(document, file)
        const values = valuesOf(document, file, given, invents)
        return readObjects(
          objects.map((object, index) => {
            const filled = filledIn(withoutNamespace(object), values)
            return {
              value: labels === undefined ? filled : labelled(filled, filledIn(labels, values)),
              line: document.lineAt(['objects', index]) ?? document.line,
              lineAt: (path: readonly (string | number)[]) => document.lineAt(['objects', index, ...path]),
              inexact: undefined,
            }
          }),
          file,
        )
      }),
    )
  },
  inputs: async ({ template: { file } }, directory) => [{ path: join(directory, file) }],
}

interface Template {
  readonly objects: readonly unknown[]
  readonly labels?: unknown
  readonly parameters?: readonly Parameter[]
}

interface Parameter {
  readonly name: string
  readonly value?: unknown
  readonly required?: boolean
  readonly generate?: string
  readonly from?: string
}

function templateIn({ value, line }: YamlDocument, file: string): Template {
  const { kind, objects } = (value ?? {}) as { kind?: unknown; objects?: unknown }
  if (kind === 'Template' && Array.isArray(objects)) return value as Template
  throw new DevkitError('RENDER-102', {
    message: `${file}:${line}: not an OpenShift Template: kind has to be Template, with a list of objects.`,
    hint: 'Name plain manifests by their path alone in `manifests`.',
  })
}

/** What each parameter is. @throws RENDER-107: all that is wrong with them at once */
function valuesOf(
  document: YamlDocument,
  file: string,
  given: Readonly<Record<string, string>>,
  invents: boolean,
): ReadonlyMap<string, string> {
  const { parameters = [] } = document.value as Template
  const place = (index: number): string => `${file}:${document.lineAt(['parameters', index]) ?? document.line}`
  const known = parameters.map(({ name }) => name)
  const wrong: string[] = []
  const values = new Map<string, string>()
  for (const [index, parameter] of parameters.entries()) {
    const { name, value, required, generate, from = '' } = parameter
    const said = given[name] ?? (value === undefined || value === null || value === '' ? undefined : String(value))
    if (said !== undefined) values.set(name, said)
    else if (generate !== undefined && invents) values.set(name, generated(from, `${file} ${name}`))
    else if (generate !== undefined)
      wrong.push(`${place(index)}: ${name} is generated, and nothing that is generated is the same twice`)
    else if (required === true) wrong.push(`${place(index)}: ${name} is required and has no value`)
    else values.set(name, '')
  }
  for (const name of Object.keys(given))
    if (!known.includes(name)) {
      const better = nearest(name, known)
      wrong.push(`${file}: there is no parameter ${name}${better ? `; did you mean ${better}?` : ''}`)
    }
  if (wrong.length === 0) return values
  throw new DevkitError('RENDER-107', {
    message: wrong.join('\n'),
    hint: `Give values in the config: \`{ template: { file: '${file}', parameters: { … } } }\`.`,
  })
}

/**
 * A text that fits an expression such as `[a-zA-Z0-9]{16}`, the same for the same seed: who knows the template knows it.
 * @see https://github.com/openshift/library-go/blob/master/pkg/template/generator/expressionvalue.go
 */
function generated(expression: string, seed: string): string {
  const classes: Readonly<Record<string, string>> = {
    '\\w': 'a-zA-Z0-9_',
    '\\d': '0-9',
    '\\a': 'a-zA-Z0-9',
    '\\A': '!-/:-@[-`{-~',
  }
  let count = 0
  return expression.replace(/\[((?:\\.|[^\]])+)\](?:\{(\d+)\})?/g, (_, set: string, times = '1') => {
    const plain = set.replace(/\\[wdaA]/g, (name) => classes[name] ?? '')
    const letters = [...plain.matchAll(/(.)-(.)|(.)/gs)].flatMap(([, first, last, single]) =>
      first !== undefined && last !== undefined ? lettersFrom(first, last) : [single ?? ''],
    )
    return Array.from({ length: Number(times) }, () => {
      const digest = createHash('sha256').update(`${seed} ${count++}`).digest()
      return letters[digest.readUInt32BE(0) % letters.length]
    }).join('')
  })
}

function lettersFrom(first: string, last: string): readonly string[] {
  const [low, high] = [first.charCodeAt(0), last.charCodeAt(0)]
  return Array.from({ length: Math.max(0, high - low + 1) }, (_, index) => String.fromCharCode(low + index))
}

/** `${NAME}` in any text; a text that is `${{NAME}}` alone becomes the value itself: a number, true, a list. What no parameter names stays. */
function filledIn(value: unknown, values: ReadonlyMap<string, string>): unknown {
  if (typeof value === 'string') {
    const whole = values.get(/^\$\{\{([a-zA-Z0-9_]+)\}\}$/.exec(value)?.[1] ?? '')
    if (whole !== undefined) return jsonOr(whole)
    return value.replace(/\$\{([a-zA-Z0-9_]+)\}/g, (written, name: string) => values.get(name) ?? written)
  }
  if (Array.isArray(value)) return value.map((item) => filledIn(item, values))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [String(filledIn(key, values)), filledIn(item, values)]))
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** A namespace that is written out is not taken over, as `oc process` has it; one that a parameter gives is. */
function withoutNamespace(object: unknown): unknown {
  const { metadata, ...rest } = (object ?? {}) as { metadata?: { namespace?: unknown } }
  if (typeof metadata?.namespace !== 'string' || metadata.namespace.includes('${')) return object
  const { namespace: _, ...others } = metadata
  return { ...rest, metadata: others }
}

function labelled(object: unknown, labels: unknown): unknown {
  const { metadata, ...rest } = object as { metadata?: { labels?: object } }
  return { ...rest, metadata: { ...metadata, labels: { ...metadata?.labels, ...(labels as object) } } }
}
