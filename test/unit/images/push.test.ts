import { expect, test } from 'vitest'
import { inRegistry } from '../../../src/images/push.ts'

test.each([
  ['localhost:5001', 'registry.example.com/shop/web', 'localhost:5001/shop/web'],
  ['localhost:5001/', 'localhost/web', 'localhost:5001/web'],
  ['ghcr.io/team/dev', 'shop/web', 'ghcr.io/team/dev/shop/web'],
  ['ghcr.io', 'web', 'ghcr.io/web'],
])('in %s, %s is %s', (registry, repository, there) => {
  expect(inRegistry(registry, repository)).toBe(there)
})
