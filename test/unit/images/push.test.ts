import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeExec } from '../../../src/host/exec.ts'
import { inRegistry, push } from '../../../src/images/push.ts'

let scratch: string
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'devkit-push-'))
})
afterEach(() => rmSync(scratch, { recursive: true }))

/** Pushes by a docker program that says and does this. */
async function pushedBy(script: string | undefined) {
  const docker = join(scratch, 'docker')
  if (script !== undefined) writeFileSync(docker, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  const exec = makeExec({ tools: { docker }, env: {} })
  const step = { signal: new AbortController().signal, say: () => undefined }
  return push({ exec }).push('localhost:5001/shop/web:devkit-1', step)
}

test.each([
  ['localhost:5001', 'registry.example.com/shop/web', 'localhost:5001/shop/web'],
  ['localhost:5001/', 'localhost/web', 'localhost:5001/web'],
  ['ghcr.io/team/dev', 'shop/web', 'ghcr.io/team/dev/shop/web'],
  ['ghcr.io', 'web', 'ghcr.io/web'],
])('in %s, %s is %s', (registry, repository, there) => {
  expect(inRegistry(registry, repository)).toBe(there)
})

test('what the registry has already is told from what was sent', async () => {
  expect(await pushedBy('[ "$*" = "push localhost:5001/shop/web:devkit-1" ] && echo "4a1518ebc26e: Pushed"')).toBe('created')
  expect(await pushedBy('echo "4a1518ebc26e: Layer already exists"')).toBe('unchanged')
})

test('a push that fails is told with the last that docker said, and with the command', async () => {
  const refused = 'Get "http://localhost:5001/v2/": dial tcp 127.0.0.1:5001: connect: connection refused'
  await expect(pushedBy(`echo 'The push refers to repository'; echo '${refused}' >&2; exit 1`)).rejects.toMatchObject({
    code: 'IMAGE-102',
    message: `The image localhost:5001/shop/web:devkit-1 could not be pushed: ${refused}.`,
    hint: expect.stringContaining('cluster.existing.registry'),
    detail: expect.stringMatching(/\$ .*docker push localhost:5001\/shop\/web:devkit-1$/),
  })
  rmSync(join(scratch, 'docker'))
  await expect(pushedBy(undefined)).rejects.toMatchObject({
    code: 'IMAGE-102',
    message: expect.stringContaining('the docker program is not on PATH'),
  })
})
