import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { picture } from '../../picture/picture.ts'

test('docs/up.svg is what the renderer draws (npm run picture draws it anew)', async () => {
  expect(readFileSync(join(import.meta.dirname, '../../../docs/up.svg'), 'utf8')).toBe(await picture())
})
