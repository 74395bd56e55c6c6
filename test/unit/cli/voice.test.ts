import { expect, test } from 'vitest'
import type { Io } from '../../../src/cli/io.ts'
import { openVoice } from '../../../src/cli/voice.ts'
import { Bus } from '../../../src/events/bus.ts'

/** What a step looks like on a terminal so many columns wide. */
async function drawn(columns: number): Promise<string> {
  const said: string[] = []
  const stderr = { isTTY: true, columns, rows: 24, write: (text: string) => said.push(text) > 0 }
  const voice = await openVoice({ stderr, env: {} } as unknown as Io, { color: false })
  const bus = new Bus()
  bus.subscribe(voice.listener)
  bus.emit({ type: 'step.started', step: 'cluster' })
  bus.emit({ type: 'step.finished', step: 'cluster', ms: 5, outcome: 'created' })
  await voice.close()
  return said.join('')
}

test('a terminal without a size gets lines, one with a size a drawing', async () => {
  const control = String.fromCharCode(27)
  expect(await drawn(0)).toMatch(/cluster.*created/)
  expect(await drawn(0)).not.toContain(control)
  expect(await drawn(80)).toContain(control)
})
