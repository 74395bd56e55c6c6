import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openFiles } from '../../../src/host/hash-cache.ts'
import { fileHash } from '../../../src/lib/content.ts'

let directory: string
let memory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'devkit-hash-'))
  memory = join(directory, '.devkit/hashes.json')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))
const at = (name: string): string => join(directory, name)
const write = (name: string, text: string | Uint8Array = name): void => writeFileSync(at(name), text)
const hash = (text: string | Uint8Array, mode = 0o644): string => fileHash(mode).update(text).digest('hex')
/** Until a second save cannot carry the time of the first. */
const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30))

test('states: files, links, exec bits, big files, nothing', async () => {
  const files = openFiles()
  const big = new Uint8Array(3 * 1024 * 1024 + 7).fill(65)
  write('a', 'text')
  write('big', big)
  write('run', 'text')
  chmodSync(at('run'), 0o755)
  symlinkSync('a', at('link'))
  mkdirSync(at('directory'))
  expect(await files.stateOf(at('a'))).toEqual({ kind: 'file', hash: hash('text'), mode: 0o644, bytes: 4 })
  expect(await files.stateOf(at('run'))).toMatchObject({ hash: hash('text', 0o755), mode: 0o755 })
  expect(await files.stateOf(at('big'))).toMatchObject({ hash: hash(big), bytes: big.length })
  expect(await files.stateOf(at('link'))).toMatchObject({ kind: 'link', to: 'a' })
  expect(await files.stateOf(at('directory'))).toBeUndefined()
  expect(await files.stateOf(at('a/none'))).toBeUndefined()
  mkdirSync(at('filled/nested/empty'), { recursive: true })
  write('filled/file', 'x')
  write('skipped', 'x')
  const empty: string[] = []
  const skip = (path: string): boolean => path === 'run' || path === 'skipped'
  const tree = await files.treeOf(directory, skip, (path) => empty.push(path))
  expect([...tree.keys()]).toEqual(['a', 'big', 'filled/file', 'link'])
  expect(empty.sort()).toEqual(['directory', 'filled/nested', 'filled/nested/empty'])
})

test('a file that cannot be read has a hash of its own and is no crash', async () => {
  // a regular file that gives an error to whoever reads it, root too
  expect(await openFiles().stateOf('/proc/self/mem')).toMatchObject({
    kind: 'file',
    hash: expect.stringMatching(/^[0-9a-f]{64}$/),
  })
})

test('a directory that cannot be read is told with its path', async () => {
  mkdirSync(at('closed'))
  chmodSync(at('closed'), 0)
  chmodSync(directory, 0o755)
  // root may read everything: somebody else looks
  const look = `
    const { openFiles } = await import(process.argv[1] + '/src/host/hash-cache.ts')
    if (process.getuid() === 0) process.setuid(65534)
    await openFiles().treeOf(process.argv[2], () => false).catch(({ code, message }) => console.log(JSON.stringify({ code, message })))`
  const argv = ['--input-type=module', '-e', look, join(import.meta.dirname, '../../..'), directory]
  const said = execFileSync(process.execPath, argv, { encoding: 'utf8' })
  chmodSync(at('closed'), 0o755)
  expect(JSON.parse(said)).toEqual({ code: 'SYNC-113', message: `The directory ${at('closed')} cannot be read (EACCES).` })
})

test('every change is told once, a touch never; size and time alike are told apart', async () => {
  write('a', 'aaaa')
  write('b', 'bbbb')
  await later()
  const files = openFiles()
  await using _ = await files.remember(memory)
  await files.treeOf(directory, () => false)
  const changed = async (...names: string[]): Promise<string[]> =>
    (await files.changed(names.map(at))).map(({ path }) => path.slice(directory.length + 1))
  utimesSync(at('a'), 1, 1)
  expect(await changed('a', 'b')).toEqual([])
  write('a', 'AAAA')
  utimesSync(at('a'), 1, 1)
  expect(await changed('a')).toEqual(['a'])
  expect(await changed('a')).toEqual([])
  chmodSync(at('a'), 0o755)
  expect(await changed('a')).toEqual(['a'])
  rmSync(at('b'))
  expect(await changed('b')).toEqual(['b'])
  write('new')
  expect(await changed('new')).toEqual(['new'])
})

test('what somebody read before it was told is told all the same, also when it goes back', async () => {
  write('a', 'one')
  await later()
  const files = openFiles()
  await files.stateOf(at('a'))
  write('a', 'two')
  await files.stateOf(at('a'))
  expect(await files.changed([at('a')])).toHaveLength(1)
  write('a', 'three')
  await files.stateOf(at('a'))
  write('a', 'two')
  expect(await files.changed([at('a')])).toHaveLength(1)
})

test('two saves within one tick of the clock are two contents', async () => {
  const files = openFiles()
  for (let save = 0; save < 200; save++) {
    const text = String(save).padStart(4)
    write('a', text)
    expect(await files.stateOf(at('a'))).toMatchObject({ hash: hash(text) })
  }
})

test('what was learned is written down, and a restart reads nothing that did not change', async () => {
  write('same', 'same')
  write('other', 'one')
  await later()
  {
    const files = openFiles()
    await using _ = await files.remember(memory)
    await files.treeOf(directory, () => false)
  }
  expect(readFileSync(at('.devkit/.gitignore'), 'utf8')).toBe('*\n')
  write('other', 'two')
  const written = JSON.parse(readFileSync(memory, 'utf8'))
  // what is in the memory is believed: that it comes back proves that the file was not read
  written.files.same[1] = 'remembered'
  writeFileSync(memory, JSON.stringify(written))
  const files = openFiles()
  await using _ = await files.remember(memory)
  const tree = await files.treeOf(directory, (path) => path === '.devkit')
  expect(tree.get('same')).toMatchObject({ hash: 'remembered' })
  expect(tree.get('other')).toMatchObject({ hash: hash('two') })
})

test('a memory that is broken is no memory', async () => {
  write('a', 'one')
  mkdirSync(at('.devkit'))
  writeFileSync(memory, '{"v":1,"files":')
  const files = openFiles()
  await using _ = await files.remember(memory)
  expect(await files.stateOf(at('a'))).toMatchObject({ hash: hash('one') })
})
