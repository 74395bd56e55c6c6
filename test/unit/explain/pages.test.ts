import { expect, test } from 'vitest'
import { codes, explain } from '../../../src/explain/explain.ts'

test.each(codes)('%s has a page', (code) => {
  const { means, looks, causes, remedies } = explain(code)
  // as sentences.ts shows it: the mark, the code, the message, and the hint as the last line
  expect(looks).toMatch(new RegExp(`^[✗!] ${code} .*\n(?: {4}.*\n)*  → [^\n]+$`))
  expect(causes.length).toBeGreaterThan(0)
  expect(remedies.length).toBeGreaterThan(0)
  for (const texts of [causes, remedies]) expect(new Set(texts).size).toBe(texts.length)
  for (const text of [means, ...causes, ...remedies]) expect(text).toMatch(/^\S.*[.?]$/)
})

test('no page is the copy of another', () => {
  for (const part of ['means', 'looks'] as const)
    expect(new Set(codes.map((code) => explain(code)[part])).size).toBe(codes.length)
})
