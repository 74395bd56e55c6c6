import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { manifests } from '../../../src/render/manifests.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'devkit manifests '))
})
afterEach(() => rmSync(directory, { recursive: true }))

const render = (source: string) => {
  const input = { directory, namespace: 'shop', kubernetes: '1.34', apiVersions: [], invents: true }
  return manifests.render(source, input, { signal: new AbortController().signal })
}

test('a directory without manifests is told, one whose files are empty has none', async () => {
  mkdirSync(join(directory, 'k8s dir/more.yaml'), { recursive: true })
  await expect(render('k8s dir')).rejects.toMatchObject({ code: 'RENDER-103', message: 'There is no manifest in k8s dir.' })
  writeFileSync(join(directory, 'k8s dir/none.yaml'), '# later\n')
  expect(await render('k8s dir')).toEqual([])
})

test('what devkit keeps beside the config is no manifest', async () => {
  mkdirSync(join(directory, '.devkit/render'), { recursive: true })
  writeFileSync(join(directory, '.devkit/render/kept.json'), '{}')
  writeFileSync(join(directory, 'a.yaml'), 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n')
  expect(await render('.')).toMatchObject([{ origin: { file: 'a.yaml' } }])
})

test('a file that cannot be read is told by its name', async () => {
  // whoever runs the test, nobody can read the first page of a process
  symlinkSync('/proc/self/mem', join(directory, 'a.yaml'))
  await expect(render('a.yaml')).rejects.toMatchObject({
    code: 'RENDER-103',
    message: expect.stringMatching(/^a\.yaml cannot be read: EIO/),
  })
})
