import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, expect, test } from 'vitest'

const bin = join(import.meta.dirname, '../../../src/cli/bin.ts')
const scratch = mkdtempSync(join(tmpdir(), 'devkit-start-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

// tells every module that Node resolves, imports and requires alike
const hook = join(scratch, 'hook.mjs')
writeFileSync(
  hook,
  `import { registerHooks } from 'node:module'
import { writeSync } from 'node:fs'
registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context)
    writeSync(3, found.url + '\\n')
    return found
  },
})
`,
)

/** Packages whose files Node loads for a command line. */
function packagesFor(...args: string[]): readonly string[] {
  const ended = spawnSync(process.execPath, ['--import', pathToFileURL(hook).href, bin, ...args], {
    cwd: scratch,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  expect(ended.stderr).toBe('')
  const packages = [...String(ended.output[3]).matchAll(/.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//g)].map(([, name = '']) => name)
  return [...new Set(packages)]
}

test.each([['--help'], ['--version']])('devkit %s loads no package at all', (...args) => {
  expect(packagesFor(...args)).toEqual([])
})

test('devkit up --help loads the parser of the command line and no other package', () => {
  expect(packagesFor('up', '--help')).toEqual(['commander'])
})

test('a verb does load more: the counting counts', () => {
  expect(packagesFor('config', '--machine').length).toBeGreaterThan(1)
})
