import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { demultiplex, engineProblem, openEngine } from '../../src/host/engine.ts'
import { DevkitError } from '../../src/lib/errors.ts'

function frame(stream: 1 | 2, payload: string): Buffer {
  const header = Buffer.alloc(8)
  header[0] = stream
  header.writeUInt32BE(Buffer.byteLength(payload), 4)
  return Buffer.concat([header, Buffer.from(payload)])
}

test.each([1, 3, 7, 4096])('frames are put together again from chunks of %i bytes', async (size) => {
  const source = new PassThrough()
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  demultiplex(source, stdout, stderr)
  const said = Promise.all([text(stdout), text(stderr)])
  const whole = Buffer.concat([frame(1, 'hello '), frame(2, 'oh'), frame(1, ''), frame(1, 'wörld')])
  for (let at = 0; at < whole.length; at += size) source.write(whole.subarray(at, at + size))
  source.end()
  expect(await said).toEqual(['hello wörld', 'oh'])
})

test.each([
  ['ENOENT', 'ENGINE-101'],
  ['ECONNREFUSED', 'ENGINE-101'],
  ['EACCES', 'ENGINE-102'],
])('%s at the socket is %s', (code, expected) => {
  const problem = engineProblem(Object.assign(new Error(code), { code }), 'unix:///nowhere.sock')
  expect(problem).toBeInstanceOf(DevkitError)
  expect((problem as DevkitError).code).toBe(expected)
  expect((problem as DevkitError).message).toContain('unix:///nowhere.sock')
})

test('who does not wait longer for an engine that says nothing is told that it was too long, not that a request ended', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'devkit-engine-'))
  const socket = join(directory, 'engine.sock')
  const server = createServer((connection) => connection.on('error', () => undefined).resume())
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  try {
    const engine = await openEngine(`unix://${socket}`)
    for (const ask of [engine.version, engine.machine, engine.info, engine.usage])
      await expect(ask(AbortSignal.timeout(20))).rejects.toMatchObject({ name: 'TimeoutError' })
    const why = new Error('why')
    await expect(engine.info(AbortSignal.abort(why))).rejects.toBe(why)
  } finally {
    server.close()
    rmSync(directory, { recursive: true })
  }
})
