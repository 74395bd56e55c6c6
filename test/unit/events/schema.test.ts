import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { expect, test } from 'vitest'
import { schemaFiles } from '../../../schema/write.ts'
import { problems } from '../../../src/lib/errors.ts'

const root = join(import.meta.dirname, '../../..')
const committed = (file: string): string => readFileSync(join(root, 'schema', file), 'utf8')

test.each([...schemaFiles()])('schema/%s is what the types are made from (npm run build writes it)', (file, text) => {
  expect(committed(file)).toBe(text)
})

const valid = new Ajv({ validateFormats: false }).compile(JSON.parse(committed('events.json')) as object)
const head = { v: 1, time: '2026-01-01T00:00:00.000Z' }
const problem = { ...head, type: 'problem', severity: 'failure', message: 'm', hint: 'h', docs: 'd' }

test('every problem code is in it', () => {
  expect(Object.keys(problems).filter((code) => !valid({ ...problem, code }))).toEqual([])
})

test.each([
  { ...problem, code: 'NEVER-001' },
  { ...head, type: 'never' },
  { ...head, type: 'forward.opened', service: 'web', port: 80 },
  { ...head, type: 'forward.opened', service: 'web', port: 80, url: 'http://127.0.0.1:80', more: true },
  { type: 'run.finished', ok: true, exitCode: 0, ms: 1, urls: {} },
])('%j is refused', (event) => {
  expect(valid(event)).toBe(false)
})
