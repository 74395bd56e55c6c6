import { expect, test } from 'vitest'
import { webhookOf } from '../../../src/deploy/webhook.ts'

test.each([
  [
    'Internal error occurred: failed calling webhook "a.example.com": failed to call webhook: Post "https://x.y.svc:443/?timeout=10s": context deadline exceeded',
    { name: 'a.example.com', how: 'silent' },
  ],
  ['admission webhook "b.example.com" denied the request: no limits', { name: 'b.example.com', how: 'denied' }],
  ['services "webhook" not found', undefined],
])('%s', (message, answer) => {
  expect(webhookOf({ message })).toEqual(answer)
})
