import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readManifests } from '../../../src/render/read.ts'
import { corpus, expectedFile, huge, hugeAnnotation } from '../../fixtures/corpus.ts'

const expected = JSON.parse(readFileSync(expectedFile, 'utf8')) as Readonly<Record<string, unknown>>
const traps = corpus()

test('the corpus is what kubectl was asked about', () => {
  expect(Object.keys(expected)).toEqual(traps.map(({ name }) => name))
  expect(traps.length).toBeGreaterThan(40)
})

test.each(traps)('$name is read as kubectl reads it', async ({ name, bytes }) => {
  const { manifests, problems } = await readManifests(bytes, name)
  expect(problems.map(({ message }) => message)).toEqual([])
  expect(JSON.parse(JSON.stringify(manifests.map(({ object }) => object)))).toEqual(expected[name])
})

test.each(huge)('an annotation of 256 KiB stays as it is in $name', async ({ name, bytes }) => {
  const { manifests } = await readManifests(bytes, name)
  expect(Buffer.byteLength(hugeAnnotation)).toBeGreaterThan(250_000)
  expect(manifests[0]?.object.metadata.annotations).toEqual({ 'devkit.test/huge': hugeAnnotation })
})

// What kubectl drops without a word, or refuses, is a problem with its line.
const head = 'apiVersion: v1\nkind: A\nmetadata: {name: a}\n'
test.each([
  ['a key that is there twice', `${head}a: 1\nb: 2\na: 3\n`, 6, /the key a is there twice/],
  ['a key that is there twice in JSON', '{"apiVersion":"v1",\n"a":1,\n"a":2}', 3, /the key a is there twice/],
  ['two words for the same key', `${head}on: 1\nyes: 2\n`, 5, /the key true is there twice/],
  ['text behind the dashes', `${head}--- {a: b}\n`, 4, /only a comment/],
  ['a line that only begins with dashes', `${head}---a\n`, 4, /only a comment/],
  ['what follows an end', `${head}...\n${head}`, 5, /kubectl does not read what follows/],
  ['a whole number that is not kept', `${head}spec:\n  a: 9007199254740993\n`, 5, /more digits/],
  ['no number of JSON', `${head}spec:\n  a: [1,\n  .inf]\n`, 6, /\.inf is no number/],
  ['a tag that does not fit', `${head}a: !!int x\n`, 4, /x is no !!int/],
  ['an anchor that is not there', `${head}a: *b\n`, 4, /no anchor b/],
  ['an anchor inside of itself', `${head}a: &a [*a]\n`, 4, /no anchor a/],
  ['a key of nothing', `${head}~: b\n`, 4, /a key is missing/],
  ['a key that is not even written', `${head}a: b\n: c\n`, 5, /a key is missing/],
  ['a key that is a list', `${head}? [a]\n: b\n`, 4, /quote it/],
  ['a merge of what is no map', `${head}<<: a\n`, 4, /<< takes a map/],
  ['a tab that indents', `${head}a:\n\tb: c\n`, 5, /tab/],
  ['a template that was not rendered', `${head}a: {{ .Values.a }}\n`, 4, /./],
  ['brackets that stay open', `${head}a: [b\nc: d\n`, 5, /./],
  ['aliases that are a bomb', bomb(), 9, /million/],
  ['a text alone', 'hello\n', 1, /an object is missing/],
  ['a list alone', '# a\n- a\n', 2, /an object is missing/],
  ['a name that is a number', 'apiVersion: v1\nkind: A\nmetadata: {name: 12}\n', 1, /metadata\.name is no text/],
  ['what is not UTF-8', Buffer.from(`${head}a: café\n`, 'latin1'), 4, /not UTF-8/],
  ['the second document', `${head}---\n# b\n\nkind: A\n`, 7, /apiVersion is missing/],
])('%s is told with its line', async (_, text, line, message) => {
  const { problems } = await readManifests(Buffer.from(text), 'a.yaml')
  expect(problems.map((problem) => problem.message)[0]).toMatch(new RegExp(`^a\\.yaml:${line}: .*${message.source}`))
})

function bomb(): string {
  const level = (name: string, of: string) => `${name}: &${name} [${Array(10).fill(of).join(', ')}]\n`
  return `${head}${level('b', 'x')}${level('c', '*b')}${level('d', '*c')}${level('e', '*d')}${level('f', '*e')}${level('g', '*f')}`
}

test('a number with too many digits is let through where only a schema has it', async () => {
  const crd =
    'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\nspec: {maximum: 9223372036854775807}\n'
  expect((await readManifests(Buffer.from(crd), 'a.yaml')).problems).toEqual([])
})

test('a field is found where it is written: below a moved line, merged, in the second of two JSON documents', async () => {
  const at = async (text: string, ...path: (string | number)[]) => {
    const { manifests } = await readManifests(Buffer.from(text), 'a.yaml')
    return manifests.at(-1)?.origin.lineAt?.(path)
  }
  expect(await at(`${head}a: [\n1\n]\nb: c\n`, 'b')).toBe(7)
  expect(await at(`${head}a: [\n1,\n2\n]\nb: c\n`, 'a', 1)).toBe(6)
  expect(await at(`${head}a: &a\n  x: 1\nb:\n  <<: *a\n  y: 2\n`, 'b', 'x')).toBe(5)
  expect(
    await at(
      '{"apiVersion":"v1","kind":"A","metadata":{"name":"a"}}\n{"apiVersion":"v1","kind":"A",\n"metadata":\n{"name":"b"}}',
      'metadata',
    ),
  ).toBe(3)
})
