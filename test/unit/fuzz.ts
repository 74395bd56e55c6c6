/** Chance that is the same for the same seed. */
export interface Chance {
  /** A whole number from 0, below `most`. */
  below(most: number): number
  pick<T>(choices: readonly T[]): T
}

/** @see https://github.com/bryc/code/blob/master/jshash/PRNGs.md#mulberry32 */
export function chance(seed: number): Chance {
  let state = seed
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (most: number): number => Math.floor(next() * most)
  return { below, pick: (choices) => choices[below(choices.length)] as never }
}

const oddities: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e21,
  65_536,
  '',
  ' ',
  'a',
  'web',
  'A b',
  '..',
  '/',
  '/x',
  '{}',
  '__proto__',
  'constructor',
  'é\n"',
  'x'.repeat(300),
  [],
  [[]],
  [null],
  ['a'],
  {},
  { a: 1 },
  { web: {} },
  { toString: 1 },
  { extends: 'dev' },
  { dependsOn: ['web'] },
]

const names = ['', 'a', 'web', '__proto__', 'constructor', 'toString', '0', 'é.x', 'extends']

/** The same value with one to three slips: something missing, renamed, twice, elsewhere or replaced. */
export function mutatedValue(value: unknown, random: Chance): unknown {
  let mutated = structuredClone(value)
  for (let slips = 1 + random.below(3); slips > 0; slips--) mutated = slipped(mutated, random)
  return mutated
}

function slipped(value: unknown, random: Chance): unknown {
  if (typeof value !== 'object' || value === null || random.below(12) === 0) return random.pick(oddities)
  if (Array.isArray(value)) {
    const index = random.below(value.length + 1)
    const change = random.below(4)
    if (change === 0) return value.toSpliced(index, 1)
    if (change === 1) return value.toSpliced(index, 0, value[random.below(value.length)] ?? random.pick(oddities))
    return index < value.length ? value.with(index, slipped(value[index], random)) : [...value, random.pick(oddities)]
  }
  const entries = Object.entries(value)
  const index = random.below(entries.length)
  const [name, inner] = entries[index] ?? ['new', random.pick(oddities)]
  const change = random.below(8)
  if (change === 0) return Object.fromEntries(entries.toSpliced(index, 1))
  if (change === 1) return Object.fromEntries(entries.toSpliced(index, 1, [mutatedText(name, random), inner]))
  if (change === 2) return Object.fromEntries([...entries, [random.pick(names), inner]])
  return { ...value, [name]: slipped(inner, random) }
}

const snippets = [
  '\n',
  '  ',
  '\t',
  ':',
  ': ',
  '- ',
  '#',
  '&a ',
  '*a',
  '<<: *a\n',
  '{',
  '}',
  '[',
  ']',
  '"',
  "'",
  '|',
  '>',
  '!',
  '!!binary ',
  '---\n',
  '...\n',
  '%',
  '@',
  '`',
  ',',
  '\\',
  '\u0000',
  '\uFEFF',
  '\r\n',
  '0x1',
  '~',
  '? ',
]

/** The same text with one to three letters, lines or signs taken out, put in or moved. */
export function mutatedText(text: string, random: Chance): string {
  let mutated = text
  for (let slips = 1 + random.below(3); slips > 0; slips--) {
    const at = random.below(mutated.length + 1)
    const lines = mutated.split('\n')
    const line = random.below(lines.length)
    mutated = random.pick([
      () => mutated.slice(0, at) + mutated.slice(at + 1),
      () => mutated.slice(0, at) + random.pick(snippets) + mutated.slice(at),
      () => mutated.slice(0, at),
      () => lines.toSpliced(line, 1).join('\n'),
      () => lines.toSpliced(line, 0, lines[random.below(lines.length)] ?? '').join('\n'),
      () => lines.with(line, ` ${lines[line]}`).join('\n'),
    ])()
  }
  return mutated
}
