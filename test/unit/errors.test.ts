import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { problemEvent } from '../../src/engine/step.ts'
import { problems } from '../../src/lib/errors.ts'

const tests = join(import.meta.dirname, '..')

/** Tests in which a code stands for something that was provoked, not for the table or for how a problem looks. */
function testFiles(): readonly string[] {
  return readdirSync(tests, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.test\.ts$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => path !== import.meta.filename && !/\/unit\/(events|ui)\//.test(path))
}

test('every problem code is provoked by a test', () => {
  const text = testFiles()
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n')
  const provoked = new Set([...text.matchAll(/['"`]([A-Z]+-\d{3})['"`]/g)].map(([, code]) => code))
  const missing = Object.keys(problems).filter((code) => !provoked.has(code) && code !== 'INTERNAL-001')
  expect(missing).toEqual([])
})

test('no test names a code that does not exist', () => {
  const unknown = testFiles().flatMap((path) =>
    [...readFileSync(path, 'utf8').matchAll(/code: '([A-Z]+-\d{3})'/g)]
      .map(([, code = '']) => code)
      .filter((code) => !(code in problems))
      .map((code) => `${path}: ${code}`),
  )
  expect(unknown).toEqual([])
})

test('what is thrown and no problem of the person’s is a defect, told with what mends it: INTERNAL-001', () => {
  const told = problemEvent(new TypeError('x is not a function'))
  expect(told).toMatchObject({
    code: 'INTERNAL-001',
    severity: 'failure',
    message: expect.stringContaining('x is not a function'),
  })
  expect(told.detail).toContain('errors.test.ts')
})
