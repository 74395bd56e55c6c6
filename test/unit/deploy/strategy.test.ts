import { expect, test } from 'vitest'
import { ownersOnceAdopted } from '../../../src/deploy/adopt.ts'
import { forbiddenDefault, withoutNullParameters, withStrategyOf } from '../../../src/deploy/strategy.ts'
import type { KubeObject } from '../../../src/lib/objects.ts'

const object = (kind: string, spec: object, managedFields: readonly object[] = []): KubeObject => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name: 'one', namespace: 'shop', managedFields },
  spec,
})
const surge = { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } }
const owned = { 'f:spec': { 'f:strategy': { 'f:rollingUpdate': { 'f:maxSurge': {} } } } }
const ours = { manager: 'devkit', operation: 'Apply', fieldsV1: { 'f:spec': { 'f:replicas': {} } } }
const deployment = (...managedFields: readonly object[]) => object('Deployment', { strategy: surge }, managedFields)
const recreate = object('Deployment', { strategy: { type: 'Recreate' } })
const path = ['spec', 'strategy', 'rollingUpdate']

test.each<[what: string, live: KubeObject, wanted: KubeObject, path: readonly string[] | undefined]>([
  ['a Deployment that is to be recreated', deployment(ours), recreate, path],
  [
    'a StatefulSet that is to wait',
    object('StatefulSet', { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } } }),
    object('StatefulSet', { updateStrategy: { type: 'OnDelete' } }),
    ['spec', 'updateStrategy', 'rollingUpdate'],
  ],
  ['one that a person has changed', deployment({ manager: 'kubectl-edit', fieldsV1: owned }), recreate, path],
  ['one that a controller has set', deployment({ manager: 'operator', fieldsV1: owned }), recreate, undefined],
  ['one that is recreated already', recreate, recreate, undefined],
  ['one that goes on rolling', deployment(), object('Deployment', { strategy: { type: 'RollingUpdate' } }), undefined],
  ['one that says nothing of it', deployment(), object('Deployment', {}), undefined],
  ['one that says what may not be', deployment(), object('Deployment', { strategy: { ...surge, type: 'Recreate' } }), undefined],
  [
    'a DaemonSet, of which the server says nothing',
    object('DaemonSet', { updateStrategy: surge }),
    object('DaemonSet', { updateStrategy: { type: 'OnDelete' } }),
    undefined,
  ],
])('the default that is forbidden: %s', (_, live, wanted, expected) => {
  expect(forbiddenDefault({ live, wanted })).toEqual(expected)
})

test('what a controller has set is taken from it when that is asked for', () => {
  const live = deployment({ manager: 'operator', fieldsV1: owned }, ours)
  expect(forbiddenDefault({ live, wanted: recreate, forceConflicts: true })).toEqual(path)
})

test('the default becomes devkit’s alone, beside what it owned', () => {
  const status = { manager: 'kube-controller-manager', operation: 'Update', fieldsV1: { 'f:status': { 'f:replicas': {} } } }
  const person = { manager: 'kubectl-edit', operation: 'Update', fieldsV1: { 'f:spec': { 'f:paused': {}, ...owned['f:spec'] } } }
  expect(ownersOnceAdopted({ live: deployment(status, person, ours), wanted: recreate })).toEqual([
    status,
    { ...person, fieldsV1: { 'f:spec': { 'f:paused': {} } } },
    { ...ours, fieldsV1: { 'f:spec': { 'f:replicas': {}, 'f:strategy': { 'f:rollingUpdate': {} } } } },
  ])
})

test('who owns what stays where nothing is in the way', () => {
  expect(ownersOnceAdopted({ live: deployment(ours), wanted: object('Deployment', {}) })).toBeUndefined()
})

test('everything but the strategy is tried as it is wanted', () => {
  const wanted = object('Deployment', { replicas: 3, strategy: { type: 'Recreate' } })
  expect(withStrategyOf(deployment(), wanted)['spec']).toEqual({ replicas: 3, strategy: surge })
})

test('no parameters, said as null, are none', () => {
  const said = object('Deployment', { replicas: 3, strategy: { type: 'Recreate', rollingUpdate: null } })
  expect(withoutNullParameters(said)['spec']).toEqual({ replicas: 3, strategy: { type: 'Recreate' } })
})
