import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { DevkitError, messageOf } from '../lib/errors.ts'
import { utf8 } from '../lib/utf8.ts'
import type { Given, SecretProvider } from './provider.ts'

/** Values from a file of `NAME=value` lines: quotes, `export`, values of several lines. A file that is not there is empty. In the config: `{ dotenv: '.env' }`. */
export const dotenv: SecretProvider<string> = {
  async read(file, names, directory) {
    const { default: parser } = await import('dotenv')
    const text = await textOf(file, directory)
    const values = Object.entries(parser.parse(text))
    return new Map(
      values
        .filter(([name]) => names === undefined || names.includes(name))
        .map(([name, value]): [string, Given] => {
          const place = placeIn(text, name, file)
          checkQuotes(text, name, { text: value, place })
          return [name, { text: value, place }]
        }),
    )
  },
  wayIn: (file, name) => `write ${name}=… into ${file}`,
  files: (file) => [file],
}

async function textOf(file: string, directory: string): Promise<string> {
  try {
    return utf8(await readFile(resolve(directory, file)))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw new DevkitError('SECRET-103', {
      message: `${file} cannot be read: ${messageOf(cause)}.`,
      hint: 'Correct `secrets` in the config, or the file.',
      cause,
    })
  }
}

/** The last line that sets a name: that one counts. */
function placeIn(text: string, name: string, file: string): string {
  const found = [...text.matchAll(lineOf(name))].at(-1)
  return `${file}:${text.slice(0, found?.index ?? 0).split('\n').length}`
}

function lineOf(name: string): RegExp {
  return new RegExp(`^[^\\S\\n]*(?:export[^\\S\\n]+)?${name.replaceAll('.', '\\.')}[^\\S\\n]*[=:](.*)$`, 'gm')
}

/** What the parser takes as it can, and nobody means: a quote that stays open, a `#` in the middle of a word, which begins a comment. */
function checkQuotes(text: string, name: string, { text: value, place }: Given): void {
  const written = [...text.matchAll(lineOf(name))].at(-1)?.[1]?.trim() ?? ''
  const wrong = /^['"`]/.test(value)
    ? 'its quote is not closed'
    : /^[^'"`#][^#]*[^\s#]#/.test(written)
      ? 'it ends at its `#`, which begins a comment'
      : undefined
  if (wrong)
    throw new DevkitError('SECRET-103', {
      message: `${place}: the value of ${name} is not what it seems: ${wrong}.`,
      hint: 'Put the value into single quotes.',
    })
}
