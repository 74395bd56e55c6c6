import { expect, test } from 'vitest'
import { engineProblem } from '../../src/host/engine.ts'
import { engineFull } from '../../src/lib/disk-full.ts'

const said = (words: string): string | undefined => engineFull(words, 'it fails')?.message

test.each([
  ['#5 1.207 head: write error: No space left on device', 'head: write error: No space left on device'],
  [
    '#3 ERROR: write /var/lib/docker/x: no space left on device\nERROR: failed to build: failed to solve: ResourceExhausted: write /var/lib/docker/x: no space left on device',
    'write /var/lib/docker/x: no space left on device',
  ],
  ['ERROR: failed to solve: mkdir /x: no space left on device', 'mkdir /x: no space left on device'],
  ['Command Output: docker: Error response from daemon: mkdir /x: no space left on device.', 'mkdir /x: no space left on device'],
  ['ctr: write /var/lib/containerd/x: no space left on device', 'ctr: write /var/lib/containerd/x: no space left on device'],
])('a full disk: %j', (words, line) => {
  expect(said(words)).toBe(`The disk of the container engine is full, so it fails: ${line}.`)
})

test.each([
  'unable to apply cgroup configuration: failed to write 1: no space left on device',
  'inotify_add_watch: no space left on device',
  'failed to create fsnotify watcher: no space left on device',
  '#7 0.3 write /dev/shm/a: no space left on device',
  'exit code: 1',
])('none: %j', (words) => {
  expect(said(words)).toBeUndefined()
})

test('an engine that says so is told by the same code as a program', () => {
  const cause = Object.assign(new Error('(HTTP code 500) server error - mkdir /x: no space left on device'), {
    statusCode: 500,
    json: { message: 'mkdir /x: no space left on device' },
  })
  expect(engineProblem(cause, 'unix:///x')).toMatchObject({
    code: 'ENGINE-104',
    message:
      'The disk of the container engine is full, so it cannot do what it was asked for: mkdir /x: no space left on device.',
  })
})
