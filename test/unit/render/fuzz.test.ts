import { expect, test } from 'vitest'
import { readManifests } from '../../../src/render/read.ts'
import { corpus } from '../../fixtures/corpus.ts'

const rounds = 5000

/** The same numbers from 0 to 1 in every run. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

const next = numbers(4)
const upTo = (most: number): number => Math.floor(next() * most)
const pick = <Item>(items: readonly Item[]): Item => items[upTo(items.length)] as Item
const pieces = [
  ...[
    '\n',
    '\t',
    ' ',
    '  ',
    ':',
    ': ',
    '- ',
    '[',
    ']',
    '{',
    '}',
    ',',
    '"',
    "'",
    '#',
    ' #',
    '|',
    '>',
    '&a ',
    '*a',
    '<<: ',
    '!!int ',
    '!x ',
  ],
  ...[
    '---',
    '\n---\n',
    '\n...\n',
    '%',
    '@',
    '?',
    '\\',
    '\0',
    '\u2028',
    '\ud800',
    '0',
    'y',
    '~',
    '\r\n',
    '{{ .x }}',
    'kind: List\nitems:\n- ',
  ],
]

/** A text with some of it changed, gone, there twice or at another place. */
function mutated(text: string): string {
  let made = text
  for (let times = 1 + upTo(4); times > 0; times--) {
    const [from, to] = [upTo(made.length), upTo(made.length)].toSorted((a, b) => a - b) as [number, number]
    const cut = Math.min(to, from + 40)
    made = pick([
      () => made.slice(0, from) + pick(pieces) + made.slice(from),
      () => made.slice(0, from) + made.slice(cut),
      () => made.slice(0, cut) + made.slice(from, cut) + made.slice(cut),
      () => made.slice(cut) + made.slice(0, cut),
      () => made.slice(0, from),
    ])()
  }
  return made
}

test(`${rounds} texts that are no manifests any more are read, or told with a line that is there`, async () => {
  const texts = corpus().map(({ bytes }) => bytes.toString('utf8'))
  const seen = { read: 0, told: 0 }
  for (let round = 0; round < rounds; round++) {
    const text = mutated(pick(texts))
    const lines = text.split('\n').length
    const about = JSON.stringify(text)
    const { manifests, problems } = await readManifests(Buffer.from(text), 'a.yaml')
    for (const { code, message } of problems) {
      expect(code, about).toMatch(/^RENDER-10[12]$/)
      const [, line] = /^a\.yaml:(\d+): ./.exec(message) ?? []
      expect(Number(line), `${message} ${about}`).toBeGreaterThan(0)
      expect(Number(line), `${message} ${about}`).toBeLessThanOrEqual(lines)
    }
    for (const { origin } of manifests) {
      expect(origin.line, about).toBeLessThanOrEqual(lines)
      expect(origin.lineAt?.(['metadata', 'name']), about).toBeLessThanOrEqual(lines)
    }
    if (problems.length > 0) seen.told++
    else seen.read++
  }
  expect(Math.min(seen.read, seen.told)).toBeGreaterThan(rounds / 10)
})
