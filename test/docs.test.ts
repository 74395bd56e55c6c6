import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { problems } from '../src/lib/errors.ts'

test('docs/problems.md is the table of the code', () => {
  const rows = Object.entries(problems).map(
    ([code, { summary, exit }]) => `| <a id="${code.toLowerCase()}"></a>${code} | ${summary} | ${exit} |`,
  )
  const wanted = `# Problems\n\nEvery problem that devkit reports, by its code. The message says what happened here and the hint what to do next. Codes never change meaning.\n\n| Code | Meaning | Exit code |\n|---|---|---|\n${rows.join('\n')}\n`
  expect(readFileSync(join(import.meta.dirname, '../docs/problems.md'), 'utf8')).toBe(wanted)
})
