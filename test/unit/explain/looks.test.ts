import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from '@babel/parser'
import { expect, test } from 'vitest'
import { codes, explain } from '../../../src/explain/explain.ts'

const source = join(import.meta.dirname, '../../../src')

/** What two texts have in common by chance is shorter. */
const fewestLetters = 10

/** The texts of the code that are long enough, each as its words in their order: between them is what the code puts there. */
const texts: readonly (readonly string[])[] = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !/^explain\/|^lib\/errors\.ts$/.test(file))
  .flatMap((file) => textsIn(parse(readFileSync(join(source, file), 'utf8'), { sourceType: 'module', plugins: ['typescript'] })))
  .filter((words) => words.join('').length >= fewestLetters)

interface SyntaxNode {
  readonly type?: string
  readonly value?: string
  readonly quasis?: readonly { readonly value: { readonly cooked: string } }[]
}

function textsIn(node: unknown): readonly (readonly string[])[] {
  if (typeof node !== 'object' || node === null) return []
  const { type, value = '', quasis = [] } = node as SyntaxNode
  const own =
    type === 'StringLiteral' ? [[value]] : type === 'TemplateLiteral' ? [quasis.map(({ value: { cooked } }) => cooked)] : []
  return [...own, ...Object.values(node).flatMap(textsIn)]
}

/** Whether the code may say it: some text of the code is in it, word for word but for the case of letters. */
function isSaid(text: string): boolean {
  return texts.some((words) => {
    let from = 0
    return words.every((part) => {
      const at = text.toLowerCase().indexOf(part.toLowerCase(), from)
      from = at + part.length
      return at >= 0
    })
  })
}

test.each(codes)('%s is shown in the words of the code', (code) => {
  const lines = explain(code).looks.split('\n')
  const [message = '', hint = ''] = [lines[0] ?? '', lines.at(-1) ?? ''].map((line) =>
    line.replace(/^(?:[✗!] [A-Z]+-\d+| {2}→) /, ''),
  )
  expect({ [message]: isSaid(message), [hint]: isSaid(hint) }).toEqual({
    [message]: true,
    [hint]: true,
  })
})
