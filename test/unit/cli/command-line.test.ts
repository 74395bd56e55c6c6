import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { devkitOn } from '../devkit.ts'

const scratch = mkdtempSync(join(tmpdir(), 'devkit-cli-'))
writeFileSync(join(scratch, 'machine.json'), '{}')
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const devkit = (...argv: string[]) =>
  devkitOn({ directory: scratch, env: { DEVKIT_MACHINE: join(scratch, 'machine.json') } }, ...argv)

test.each([
  [['upp'], "There is no verb 'upp'.", 'Did you mean up?'],
  [['up', '--jsn'], "There is no flag '--jsn' for up.", 'Did you mean --json?'],
  [['--chekc', 'status'], "There is no flag '--chekc' for status.", 'Did you mean --check?'],
  [['up', '--output=jso'], "'jso' is no value of -o, --output.", 'Did you mean json?'],
  [['down', 'extra'], "Too many arguments for 'down'", 'See `devkit --help`.'],
  [['up', '--timeout'], 'argument missing', 'See `devkit --help`.'],
  [['-C', 'nowhere', 'config'], `There is no directory ${join(scratch, 'nowhere')}.`, 'Correct --cwd.'],
])('%j is a usage error that says what was meant', async (argv, message, hint) => {
  const { code, stdout, stderr } = await devkit(...argv)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain(`✗ CONFIG-001 `)
  expect(stderr).toContain(message)
  expect(stderr).toContain(hint)
  expect(stderr).not.toMatch(/^\s+at /m)
})

test.each([
  ['--json', 'upp'],
  ['upp', '-o', 'json'],
  ['upp', '--output=json'],
])('%s %s %s: a program gets the usage error as an event on stdout', async (...argv) => {
  const { code, stdout, stderr } = await devkit(...argv)
  expect({ code, stderr }).toEqual({ code: 2, stderr: '' })
  expect(JSON.parse(stdout)).toMatchObject({ v: 1, type: 'problem', code: 'CONFIG-001' })
})

test('flags stand before the verb or after it', async () => {
  for (const argv of [
    ['config', '--machine', '--json'],
    ['--json', 'config', '--machine'],
  ])
    expect(JSON.parse((await devkit(...argv)).stdout)).toHaveProperty('stateDirectory')
})

test('no words at all: the help, as with --help', async () => {
  expect(await devkit()).toEqual(await devkit('--help'))
})

test('a reader that goes away ends the run without a word', async () => {
  const bin = join(import.meta.dirname, '../../../src/cli/bin.ts')
  const child = spawn(process.execPath, [bin, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
  })
  await once(child, 'close')
  expect(stderr).toBe('')
})
