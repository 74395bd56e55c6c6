import { expect, test } from 'vitest'
import { parseEviction } from '../../../../src/deploy/diagnosis/text/eviction.ts'

test.each([
  [
    '1.29, disk',
    'The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi, available: 900Mi. Container main was using 300Mi, request is 0, has larger consumption of ephemeral-storage. ',
    { of: 'node', resource: 'ephemeral-storage', taker: { container: 'main', used: '300Mi' } },
  ],
  [
    '1.34, memory',
    'The node was low on resource: memory. Threshold quantity: 100Mi, available: 92Mi. Container main was using 1244Ki, request is 0, has larger consumption of memory. ',
    { of: 'node', resource: 'memory', taker: { container: 'main', used: '1244Ki' } },
  ],
  ['1.30, inodes', 'The node was low on resource: inodes. ', { of: 'node', resource: 'inodes', taker: undefined }],
  [
    '1.30, refused by the node',
    'The node had condition: [DiskPressure]. ',
    { of: 'node', resource: 'ephemeral-storage', taker: undefined },
  ],
  [
    '1.31, refused by the node',
    'Pod was rejected: The node had condition: [MemoryPressure]. ',
    { of: 'node', resource: 'memory', taker: undefined },
  ],
  [
    '1.29, a volume',
    'Usage of EmptyDir volume "cache" exceeds the limit "1Mi". ',
    { of: 'volume', volume: 'cache', limit: '1Mi' },
  ],
  [
    '1.34, a container',
    'Container main exceeded its local ephemeral storage limit "2Mi". ',
    { of: 'container', container: 'main', limit: '2Mi' },
  ],
  ['1.32, a pod', 'Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. ', { of: 'pod', limit: '2Mi' }],
  ['what nobody has seen yet', 'Evicted for a reason of its own.', { of: 'other' }],
])('how the kubelet of %s says it', (_, message, eviction) => {
  expect(parseEviction(message)).toEqual(eviction)
})
