import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { SecretKey, SecretSource, SecretSpec, Secrets, SecretType } from '../config/secrets.ts'
import { DevkitError, type ProblemCode } from '../lib/errors.ts'
import { nearest } from '../lib/nearest.ts'
import type { Given, SecretProvider } from './provider.ts'

/** The parts that the config can name, by their names in it. */
export type SecretProviders = {
  readonly [Name in NamesOf<SecretSource>]: SecretProvider<SpecOf<SecretSource, Name>>
} & { readonly generate: SecretProvider<number> }

type NamesOf<Union> = Union extends unknown ? keyof Union : never
type SpecOf<Union, Name extends PropertyKey> = Union extends Readonly<Record<Name, infer Spec>> ? Spec : never

/** A Secret as its sources have it. */
export interface SecretValues {
  readonly name: string
  readonly type: string | undefined
  /** Key → value in base64. */
  readonly data: Readonly<Record<string, string>>
  /** Key → length of what is made up, unless the cluster has it. */
  readonly generated: Readonly<Record<string, number>>
}

export interface SecretInput {
  readonly secrets: Secrets
  /** Directory of the config: what paths are relative to. */
  readonly directory: string
}

interface PlacedInput extends SecretInput {
  /** Where the config has what a path leads to, as messages show it. */
  readonly placeOf: (path: readonly string[]) => Promise<string>
}

/**
 * Reads the values of all Secrets from their sources, and what is wrong with them all at once. No message has a value in it.
 * @throws SECRET-101, SECRET-102, SECRET-103
 */
export async function readSecrets(input: PlacedInput, providers: SecretProviders): Promise<readonly SecretValues[]> {
  const problems: Problem[] = []
  const all: SecretValues[] = []
  for (const [name, spec] of Object.entries(input.secrets)) {
    try {
      const { values, wrong } = await readSecret(name, spec, input, providers)
      all.push(values)
      problems.push(...wrong)
    } catch (thrown) {
      if (!(thrown instanceof DevkitError)) throw thrown
      problems.push(thrown)
    }
  }
  const [first, ...others] = problems
  if (!first) return all
  throw new DevkitError(first.code, {
    message:
      others.length === 0
        ? first.message
        : `${problems.length} problems with secrets:\n${problems.map(({ message }) => message).join('\n')}`,
    hint: [...new Set(problems.map(({ hint }) => hint))].join(' '),
  })
}

/** Names of the Secrets and of their keys, as far as they are known without a value. */
export async function secretKeys(
  input: SecretInput,
  providers: SecretProviders,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const all = Object.entries(input.secrets).map(async ([name, spec]): Promise<[string, readonly string[]]> => {
    if (spec.keys) return [name, Object.keys(spec.keys)]
    const found = await Promise.all(partsOf(spec, providers).map((part) => part.read(undefined, input.directory)))
    return [name, [...new Set(found.flatMap((values) => [...values.keys()]))]]
  })
  return new Map(await Promise.all(all))
}

/** Files whose change may change a Secret, relative to the config: those of its sources, and those that values of type `file` name. */
export async function secretFiles({ secrets, directory }: SecretInput, providers: SecretProviders): Promise<readonly string[]> {
  const all = Object.values(secrets).map(async (spec) => {
    const parts = partsOf(spec, providers)
    const own = parts.flatMap((part) => part.files())
    const variables = wordsOf(spec)?.flatMap(({ type, variable }) => (type === 'file' ? [variable] : [])) ?? []
    if (variables.length === 0) return own
    // a source that cannot be read is told by whoever needs its values
    const given = await givenBy(parts, variables, directory).catch(() => new Map<string, Given>())
    const named = [...given.values()].map(async ({ text }) => {
      // what is no file may be a value in place of a path, and paths are told
      const found = await stat(resolve(directory, text)).catch(() => undefined)
      return found?.isFile() ? [text] : []
    })
    return [...own, ...(await Promise.all(named)).flat()]
  })
  return [...new Set((await Promise.all(all)).flat())]
}

interface Problem {
  readonly code: ProblemCode
  readonly message: string
  readonly hint: string
}

async function readSecret(
  name: string,
  spec: SecretSpec,
  { directory, placeOf }: Omit<PlacedInput, 'secrets'>,
  providers: SecretProviders,
): Promise<{ readonly values: SecretValues; readonly wrong: readonly Problem[] }> {
  const parts = partsOf(spec, providers)
  const words = wordsOf(spec)
  const found = await givenBy(
    parts,
    words?.map(({ variable }) => variable),
    directory,
  )
  const data: Record<string, string> = {}
  const generated: Record<string, number> = {}
  const wrong: Problem[] = []
  const everything = [...found.keys()].map((key): Word => ({ key, variable: key }))
  for (const { key, variable, type = 'string', generate, optional } of words ?? everything) {
    const given = found.get(variable)
    if (given) {
      const bytes = await bytesOf(given.text, type, directory)
      if (typeof bytes !== 'string') data[key] = bytes.toString('base64')
      else
        wrong.push({
          code: 'SECRET-102',
          message: `${given.place}: ${key} of Secret/${name} has to be ${bytes}.`,
          hint: `Correct it, or the type that secrets.${name}.keys.${key} asks for.`,
        })
    } else if (generate !== undefined) generated[key] = generate
    else if (!optional) {
      const place = await placeOf(['secrets', name, 'keys', key])
      wrong.push(await missing({ place, secret: name, key, variable }, parts, directory))
    }
  }
  if (words === undefined && found.size === 0)
    wrong.push({
      code: 'SECRET-101',
      message: `${await placeOf(['secrets', name])}: Secret/${name} is empty: ${parts.flatMap((part) => part.files()).join(' and ') || 'its source'} has no value.`,
      hint: `Write its values there, or name secrets.${name}.keys.`,
    })
  return { values: { name, type: spec.type, data, generated }, wrong }
}

/** A key of a Secret, with the name that its value has in the sources. */
type Word = Omit<SecretKey, 'variable'> & { readonly key: string; readonly variable: string }

function wordsOf({ keys }: SecretSpec): readonly Word[] | undefined {
  return (
    keys &&
    Object.entries(keys).map(([key, said]) => {
      const word: SecretKey = typeof said === 'string' ? { type: said } : said
      return { ...word, key, variable: word.variable ?? key }
    })
  )
}

/** What the sources have, the last that has a value wins. */
async function givenBy(
  parts: readonly Part[],
  names: readonly string[] | undefined,
  directory: string,
): Promise<ReadonlyMap<string, Given>> {
  const found = new Map<string, Given>()
  for (const part of parts) for (const [name, given] of await part.read(names, directory)) found.set(name, given)
  return found
}

async function missing(
  { place, secret, key, variable }: Readonly<Record<'place' | 'secret' | 'key' | 'variable', string>>,
  parts: readonly Part[],
  directory: string,
): Promise<Problem> {
  const names = (await Promise.all(parts.map((part) => part.read(undefined, directory)))).flatMap((values) => [...values.keys()])
  const better = nearest(variable, names)
  const ways = parts.map((part) => part.wayIn(variable)).join(', or ')
  return {
    code: 'SECRET-101',
    message: `${place}: Secret/${secret} has no value for ${key}${better ? `; there is a ${better}` : ''}.`,
    hint: `${ways.charAt(0).toUpperCase()}${ways.slice(1)}.`,
  }
}

/** A source of the config with the part that reads it. */
interface Part {
  read(names: readonly string[] | undefined, directory: string): Promise<ReadonlyMap<string, Given>>
  wayIn(name: string): string
  files(): readonly string[]
}

function partsOf({ from = [{ dotenv: '.env' }] }: SecretSpec, providers: SecretProviders): readonly Part[] {
  return from.map((source) => partOf(source, providers))
}

function partOf(source: SecretSource, providers: SecretProviders): Part {
  const bound = <Spec>(provider: SecretProvider<Spec>, spec: Spec): Part => ({
    read: (names, directory) => provider.read(spec, names, directory),
    wayIn: (name) => provider.wayIn(spec, name),
    files: () => provider.files(spec),
  })
  return 'dotenv' in source ? bound(providers.dotenv, source.dotenv) : bound(providers.environment, source.environment)
}

/** The bytes of a value, or what it has to be. */
async function bytesOf(text: string, type: SecretType, directory: string): Promise<Buffer | string> {
  switch (type) {
    case 'string':
      return Buffer.from(text)
    case 'number':
      return text.trim() !== '' && Number.isFinite(Number(text)) ? Buffer.from(text.trim()) : 'a number'
    case 'boolean':
      return text === 'true' || text === 'false' ? Buffer.from(text) : 'true or false'
    case 'url':
      return URL.canParse(text) ? Buffer.from(text) : 'a URL such as postgres://user@host/name'
    case 'json':
      return isJson(text) ? Buffer.from(text) : 'JSON'
    case 'pem': {
      // one line in an environment, with its line ends written out
      const lines = text.replaceAll('\\n', '\n').trim()
      return /^-----BEGIN ([A-Z0-9 ]+)-----\n[\s\S]+\n-----END \1-----/.test(lines)
        ? Buffer.from(`${lines}\n`)
        : 'PEM: -----BEGIN …'
    }
    case 'base64': {
      const plain = text.replaceAll(/\s/g, '')
      const isBase64 = /^[A-Za-z0-9+/]*={0,2}$/.test(plain) && plain.length % 4 === 0
      return isBase64 ? Buffer.from(plain, 'base64') : 'base64'
    }
    case 'file':
      // why it cannot be read would say the value
      return readFile(resolve(directory, text)).catch(() => 'the path of a file that can be read, relative to the config')
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
