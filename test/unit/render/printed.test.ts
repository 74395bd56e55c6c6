import { expect, test } from 'vitest'
import { type PrintParts, printing } from '../../../src/render/printed.ts'

/** A program that fails with these words. */
const failing = (stderr: string): PrintParts =>
  ({
    exec: async (program: string, args: readonly string[]) => ({
      exitCode: 3,
      stdout: '',
      stderr,
      tail: [],
      command: [program, ...args].join(' '),
    }),
  }) as unknown as PrintParts

const print = (stderr: string, why?: (said: string) => string) => {
  const programs = [['helm', 'template', 'web', '--api-versions', 'v1', '--api-versions', 'v1/Pod', '--set', 'a=1']] as const
  const call = { what: 'the chart web', programs, install: 'Install it.', directory: '/shop', inputs: undefined, why }
  return printing(failing(stderr))({ ...call, why: why ?? ((said) => said) }, { signal: new AbortController().signal })
}

test('a command is told without the kinds that helm is told of, and one line of the program once', async () => {
  await expect(print('Error: no such value\n')).rejects.toMatchObject({
    code: 'RENDER-106',
    message: 'helm cannot render the chart web: no such value',
    hint: 'Correct what it names; it ran as: helm template web --api-versions … --set a=1',
    detail: undefined,
  })
})

test('what the message leaves out of a program’s words is in the detail', async () => {
  await expect(print('walking\nError: at /shop/a.yaml')).rejects.toMatchObject({
    message: expect.stringMatching(/: at a\.yaml$/),
    detail: 'walking\nError: at a.yaml',
  })
  await expect(print('Error: deep: down', () => 'down')).rejects.toMatchObject({
    message: expect.stringMatching(/: down$/),
    detail: 'Error: deep: down',
  })
  await expect(print('')).rejects.toMatchObject({ message: expect.stringMatching(/: exit code 3$/), detail: undefined })
})
