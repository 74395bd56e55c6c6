import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { writePrivate } from '../../../src/host/files.ts'

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
