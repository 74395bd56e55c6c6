import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { expect, test } from 'vitest'
import { codes, explain } from '../../../src/explain/explain.ts'
import { devkitOn } from '../devkit.ts'

const devkit = (...argv: string[]) => devkitOn({ directory: tmpdir() }, ...argv)

const schema = join(import.meta.dirname, '../../../schema/explanation.json')
const valid = new Ajv().compile(JSON.parse(readFileSync(schema, 'utf8')) as object)

test('a page says what a code means, how it looks, its causes and what to do', async () => {
  const { code, stdout, stderr } = await devkit('explain', 'READY-104')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const { summary, looks, causes, remedies } = explain('READY-104')
  const unwrapped = stdout.replace(/\n +/g, ' ')
  expect(stdout).toMatch(new RegExp(`^READY-104 {2}${summary}\n`))
  for (const text of [...causes, ...remedies]) expect(unwrapped).toContain(text)
  for (const line of looks.split('\n')) expect(stdout).toContain(`    ${line}\n`)
  const words = stdout.split('\n').filter((line) => !line.startsWith('    '))
  expect(Math.max(...words.map((line) => line.length))).toBeLessThanOrEqual(100)
})

test.each(['ready-104', 'ready104', 'Ready_104', '[READY-104]', '#ready-104', 'READY-104:'])('%s is READY-104', async (word) => {
  expect(await devkit('explain', word)).toEqual(await devkit('explain', 'READY-104'))
})

test.each([
  [['explain', 'REDY-104'], "There is no problem code 'REDY-104'.", 'Did you mean READY-104?'],
  [['explain', 'ready-904'], "There is no problem code 'ready-904'.", 'Did you mean READY-104?'],
  [['explain', 'whatever'], "There is no problem code 'whatever'.", '`devkit explain --list` has all of them.'],
  [['explain'], 'Explain which code?', '`devkit explain --list` has all of them.'],
])('%j is a usage error with the right word', async (argv, message, hint) => {
  const { code, stdout, stderr } = await devkit(...argv)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain(message)
  expect(stderr).toContain(hint)
})

test('the list has a line for every code', async () => {
  const { code, stdout } = await devkit('explain', '--list')
  expect(code).toBe(0)
  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' ')[0]),
  ).toEqual(codes)
})

test('programs get a document', async () => {
  const one = JSON.parse((await devkit('explain', 'ready104', '--json')).stdout) as object
  expect(one).toEqual({ ...explain('READY-104'), docs: 'docs/problems.md#ready-104' })
  expect(valid(one)).toBe(true)
  const all = JSON.parse((await devkit('explain', '--list', '--json')).stdout) as { problems: readonly { code: string }[] }
  expect(valid(all)).toBe(true)
  expect(all.problems.map(({ code }) => code)).toEqual(codes)
  expect(valid({ ...one, exit: 3 })).toBe(false)
})
