import { expect, test } from 'vitest'
import { dockerIgnoreRules, gitIgnoreRules, ignoring } from '../../src/lib/ignore.ts'

const docker = (text: string) => ignoring(dockerIgnoreRules(text))
const git = (...patterns: string[]) => ignoring(gitIgnoreRules(patterns))

// The examples of https://docs.docker.com/build/concepts/context/#syntax, and what people get wrong.
test.each([
  ['*/temp*', ['somedir/temporary.txt', 'somedir/temp', 'somedir/temp/file'], ['temp', 'a/b/temp']],
  ['*/*/temp*', ['a/b/temporary.txt'], ['a/temp']],
  ['temp?', ['tempa', 'tempb/x'], ['temp', 'tempab']],
  ['# a comment\n\n*.md\n!README.md', ['notes.md'], ['README.md', 'docs/notes.md']],
  ['*.md\n!README*.md\nREADME-secret.md', ['README-secret.md', 'a.md'], ['README.md']],
  ['**/*.go', ['a.go', 'x/y/b.go'], ['a.gob']],
  ['/foo/bar/', ['foo/bar', 'foo/bar/x'], ['foo', 'a/foo/bar']],
  ['*\n!src', ['Dockerfile', 'a/b'], ['src', 'src/a/b.py']],
  ['src/**\n!src/**/*.py', ['src/a.txt', 'src/x/b'], ['src/a.py', 'src/x/y.py', 'other']],
  ['node_modules', ['node_modules', 'node_modules/a'], ['web/node_modules']],
  ['**/node_modules', ['node_modules', 'web/node_modules/a'], ['node_modules2']],
  ['a[bc]d\n[z-a]', ['abd', 'acd/x'], ['add', 'z']],
  ['a.b', ['a.b'], ['aXb']],
  ['wéb dir', ['wéb dir/x'], ['wéb']],
  ['.', [], ['a']],
])('.dockerignore %j', (text, ignored, kept) => {
  expect(ignored.filter((path) => !docker(text)(path))).toEqual([])
  expect(kept.filter((path) => docker(text)(path))).toEqual([])
})

test.each([
  [['*.pyc'], ['a.pyc', 'x/y/a.pyc'], ['a.py']],
  [['/build'], ['build', 'build/x'], ['a/build']],
  [['docs/*.txt'], ['docs/a.txt'], ['a/docs/a.txt', 'docs/b/a.txt']],
  [['**/cache/**'], ['a/cache/b', 'cache/x'], ['cachet']],
  [['*.log', '!keep.log'], ['a.log'], ['keep.log', 'x/keep.log']],
  [['[!a].txt'], ['b.txt'], ['a.txt']],
  [['\\!odd', 'line\nbreak'], ['!odd', 'line', 'break'], ['odd']],
])('patterns as in a .gitignore: %j', (patterns, ignored, kept) => {
  expect(ignored.filter((path) => !git(...patterns)(path))).toEqual([])
  expect(kept.filter((path) => git(...patterns)(path))).toEqual([])
})

test('a pattern with / at its end is about directories', () => {
  const ignores = git('out/')
  expect([ignores('out'), ignores('out', true), ignores('a/out/x')]).toEqual([false, true, true])
})
