import { expect, test } from 'vitest'
import { saidMissing, saidMissingKey } from '../../../../../src/deploy/diagnosis/text/missing.ts'

test.each([
  ['configmap "settings" not found', { kind: 'ConfigMap', name: 'settings' }],
  ['MountVolume.SetUp failed for volume "tls" : secret "web-tls" not found', { kind: 'Secret', name: 'web-tls' }],
  ["couldn't find key HOST in ConfigMap shop/settings", { kind: 'ConfigMap', name: 'settings', key: 'HOST' }],
  ["couldn't find key PASSWORD in Secret shop/db", { kind: 'Secret', name: 'db', key: 'PASSWORD' }],
  ['failed to sync configmap cache: timed out waiting for the condition', undefined],
])('%s', (message, missing) => {
  expect(saidMissing(message)).toEqual(missing)
})

test.each([
  [
    'MountVolume.SetUp failed for volume "files" : configmap references non-existent config key: app.yaml',
    { kind: 'ConfigMap', key: 'app.yaml' },
  ],
  [
    'MountVolume.SetUp failed for volume "files" : references non-existent secret key: tls.key',
    { kind: 'Secret', key: 'tls.key' },
  ],
  ['secret "tls" not found', undefined],
])('%s', (message, missing) => {
  expect(saidMissingKey(message)).toEqual(missing)
})
