import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { append, writePrivate } from '../../../src/host/files.ts'

test('a directory of devkit’s own that cannot be written is told with its path', async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'devkit-files-'))
  onTestFinished(() => rmSync(scratch, { recursive: true }))
  // a file where the directory should be: nobody can write below it, root neither
  writeFileSync(join(scratch, 'state'), '')
  await expect(writePrivate(join(scratch, 'state', 'held.json'), '{}')).rejects.toMatchObject({
    code: 'CONFIG-202',
    message: expect.stringContaining(join(scratch, 'state')),
    hint: expect.stringContaining('XDG_STATE_HOME'),
  })
})

test('what is written below a project keeps itself out of version control, and the rules that are there', async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'devkit-files-'))
  onTestFinished(() => rmSync(scratch, { recursive: true }))
  const rules = (project: string): string => join(scratch, project, '.devkit', '.gitignore')
  await writePrivate(join(scratch, 'a', '.devkit', 'hashes.json'), '{}')
  await append(join(scratch, '.devkit/b', '.devkit', 'containers/ns/1.jsonl'), '{}\n')
  for (const project of ['a', '.devkit/b']) expect(readFileSync(rules(project), 'utf8')).toBe('*\n')
  expect(() => readFileSync(join(scratch, '.devkit/.gitignore'))).toThrow('ENOENT')
  writeFileSync(rules('a'), 'theirs\n')
  await writePrivate(join(scratch, 'a', '.devkit', 'deep', 'shells.json'), '{}')
  expect(readFileSync(rules('a'), 'utf8')).toBe('theirs\n')
})
