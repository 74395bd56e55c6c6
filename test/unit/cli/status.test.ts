import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { devkitOn } from '../devkit.ts'

const directory = mkdtempSync(join(tmpdir(), 'devkit-status-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

test('what cannot be asked is a problem below what is known, with where more is to be read', async () => {
  const write = (name: string, text: string): void => writeFileSync(join(directory, name), text)
  write('web.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n')
  write('devkit.config.json', '{"project":"shop","manifests":["web.yaml"],"cluster":{"existing":{"context":"nowhere"}}}')
  write('machine.json', '{}')
  const env = { DEVKIT_MACHINE: join(directory, 'machine.json'), KUBECONFIG: join(directory, 'kubeconfig') }
  const { code, stdout, stderr } = await devkitOn({ directory, env }, 'status')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^shop\/default .*\n✗ CLUSTER-111 .*\n {2}→ .*\n {4}devkit explain CLUSTER-111\n$/)
})
