import { DevkitError, type ProblemText } from './errors.ts'

/** What the kernel says at a full disk, in whoever's output; it says the same at the limits of control groups and watches. */
const noRoom = /no space left on device/i
const ofSomethingElse = /cgroup|inotify|fsnotify|\/dev\/shm/i

/** What BuildKit, kind and Docker put before a line: the step and its time, and who says it. */
const passedOnBy =
  /^(?:#\d+ (?:\d+\.\d+ )?|ERROR: |failed to (?:build|solve): |ResourceExhausted: |Command Output: |docker: |Error response from daemon: )+/

/**
 * ENGINE-104 when the last words of a program, or the engine's own, say that the engine's disk is full; else undefined.
 * `so`: what did not work because of it, such as `the image of web does not build`.
 */
export function engineFull(
  words: string,
  so: string,
  more: Pick<ProblemText, 'service' | 'detail' | 'cause'> = {},
): DevkitError | undefined {
  // the first is of whoever found no room, the others repeat it
  const line = words.split('\n').find((one) => noRoom.test(one) && !ofSomethingElse.test(one))
  if (line === undefined) return undefined
  const said = line.trim().replace(passedOnBy, '').replace(/\.$/, '')
  return new DevkitError('ENGINE-104', {
    message: `The disk of the container engine is full, so ${so}: ${said}.`,
    hint: '`docker builder prune` empties the build cache, `docker image prune --all` removes images that no container uses; or give the engine a larger disk. `devkit doctor` shows what takes the room.',
    ...more,
  })
}
