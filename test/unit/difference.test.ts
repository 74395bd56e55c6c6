import { expect, test } from 'vitest'
import { differences } from '../../src/lib/difference.ts'

const pod = (containers: readonly object[]): object => ({ spec: { containers } })

test('fields are told by their path: items of a list by what tells them apart', () => {
  const before = pod([
    { name: 'web', env: [{ name: 'A', value: '1' }], args: ['x', 'y'], volumeMounts: [{ mountPath: '/a', name: 'v' }] },
    { name: 'old', image: 'o' },
  ])
  const after = pod([
    { name: 'new', image: 'n' },
    { name: 'web', env: [{ name: 'A', value: '2' }], args: ['x', 'z'], volumeMounts: [{ mountPath: '/a', name: 'w' }] },
  ])
  expect(differences(before, after)).toEqual([
    { path: 'spec.containers[web].env[A].value', before: '1', after: '2' },
    { path: 'spec.containers[web].args[1]', before: 'y', after: 'z' },
    { path: 'spec.containers[web].volumeMounts[/a].name', before: 'v', after: 'w' },
    { path: 'spec.containers[old]', before: { name: 'old', image: 'o' }, after: undefined },
    { path: 'spec.containers[new]', before: undefined, after: { name: 'new', image: 'n' } },
  ])
})

test('an order that changed is told, names with dots are quoted, what is the same is not told', () => {
  const env = [{ name: 'A' }, { name: 'B' }]
  expect(differences({ env }, { env: env.toReversed() })).toEqual([
    { path: 'env (order)', before: ['A', 'B'], after: ['B', 'A'] },
  ])
  expect(differences({ labels: { 'a.b/c': '1' } }, { labels: {} })).toEqual([
    { path: 'labels["a.b/c"]', before: '1', after: undefined },
  ])
  expect(differences(pod([{ name: 'web' }]), pod([{ name: 'web' }]))).toEqual([])
  expect(differences({ a: null }, { a: {} })).toEqual([{ path: 'a', before: null, after: {} }])
})

test('claims are told apart by their own name, two of one name by their number', () => {
  const claim = (storage: string): object => ({ metadata: { name: 'data' }, spec: { storage } })
  expect(differences({ volumeClaimTemplates: [claim('1Gi')] }, { volumeClaimTemplates: [claim('2Gi')] })).toEqual([
    { path: 'volumeClaimTemplates[data].spec.storage', before: '1Gi', after: '2Gi' },
  ])
  const port = (protocol: string): object => ({ containerPort: 53, protocol })
  expect(differences({ ports: [port('TCP'), port('UDP')] }, { ports: [port('TCP'), port('SCTP')] })).toEqual([
    { path: 'ports[1].protocol', before: 'UDP', after: 'SCTP' },
  ])
})
