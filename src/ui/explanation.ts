import type { Explanation } from '../events/explanation.ts'
import type { Paint } from './paint.ts'

/** Longer lines are hard to read, whatever the terminal's width. */
const widestLine = 100

/** A code's page as text; lines are broken at `columns`, examples are not. */
export function explanationText(of: Explanation, { bold, dim, cyan }: Paint, columns = widestLine): string {
  const wrap = (first: string, text: string): readonly string[] => wrapped(text, first, Math.min(columns, widestLine))
  return [
    `${bold(of.code)}  ${of.summary}`,
    '',
    ...wrap('', of.means),
    '',
    bold('How it looks'),
    ...of.looks.split('\n').map((line) => dim(`    ${line}`)),
    '',
    bold('Causes, the likeliest first'),
    ...of.causes.flatMap((cause, index) => wrap(`  ${index + 1}. `, cause)),
    '',
    bold('What to do'),
    ...of.remedies.flatMap((remedy) => wrap('  → ', remedy)).map((line) => line.replace(/^ {2}→/, `  ${cyan('→')}`)),
    '',
  ].join('\n')
}

/** A line for every code. */
export function codeList(all: readonly Explanation[], { bold }: Paint): string {
  const width = Math.max(...all.map(({ code }) => code.length))
  return all.map(({ code, summary }) => `${bold(code.padEnd(width))}  ${summary}\n`).join('')
}

/** The text after `first`, broken between words; later lines are as far in. A word that is longer than a line stays whole. */
function wrapped(text: string, first: string, columns: number): readonly string[] {
  const lines: string[] = []
  let line = first
  for (const word of text.split(' ')) {
    if (line.trimStart() !== first.trimStart() && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = ' '.repeat(first.length)
    }
    line += line.endsWith(' ') || line === '' ? word : ` ${word}`
  }
  return [...lines, line]
}
