import { expect, test } from 'vitest'
import { fitsNode, freeOf, misfitsOf, requestsOf } from '../../../../src/deploy/diagnosis/fit.ts'
import type { KubeObject } from '../../../../src/lib/objects.ts'

const node = (over: { labels?: object; spec?: object; allocatable?: object } = {}): KubeObject =>
  ({
    ...{ apiVersion: 'v1', kind: 'Node', metadata: { name: 'one', labels: over.labels ?? {} } },
    spec: over.spec ?? {},
    status: { allocatable: { cpu: '2', memory: '4Gi', pods: '110', ...over.allocatable } },
  }) as KubeObject

const pod = (spec: object, status: object = {}): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { containers: [], ...spec },
    status,
  }) as KubeObject

const asks = (requests: object, over: object = {}): object => ({ name: 'main', resources: { requests }, ...over })
const filters = (asked: KubeObject, of: KubeObject, others: readonly KubeObject[] = []) =>
  misfitsOf(asked, of, others).map(({ filter }) => filter)

test('a pod asks for what its containers and sidecars take together, or for its largest init container', () => {
  const containers = [asks({ cpu: '500m' }), asks({ cpu: '250m', memory: '1Gi' })]
  expect(new Map(requestsOf(pod({ containers })))).toEqual(
    new Map([
      ['cpu', 0.75],
      ['memory', 1024 ** 3],
    ]),
  )
  const initContainers = [asks({ cpu: '100m' }, { restartPolicy: 'Always' }), asks({ cpu: '2' })]
  expect(new Map(requestsOf(pod({ containers, initContainers }))).get('cpu')).toBeCloseTo(2.1)
  const smaller = [asks({ cpu: '100m' }, { restartPolicy: 'Always' }), asks({ cpu: '0.2' })]
  expect(new Map(requestsOf(pod({ containers, initContainers: smaller }))).get('cpu')).toBeCloseTo(0.85)
  const resources = { requests: { cpu: '3' } }
  expect(new Map(requestsOf(pod({ containers, resources, overhead: { cpu: '250m' } }))).get('cpu')).toBeCloseTo(3.25)
})

test('what pods on a node ask for is not free, what they have given up is', () => {
  const there = pod({ nodeName: 'one', containers: [asks({ cpu: '1500m' })] })
  expect(freeOf(node(), 'cpu', [there])).toBeCloseTo(0.5)
  expect(freeOf(node(), 'cpu', [pod({ ...(there['spec'] as object) }, { phase: 'Succeeded' })])).toBe(2)
  expect(freeOf(node(), 'cpu', [pod({ ...(there['spec'] as object), nodeName: 'two' })])).toBe(2)
  const wants = pod({ containers: [asks({ cpu: '1' })] })
  expect(filters(wants, node(), [there])).toEqual(['resource'])
  expect(filters(pod({ containers: [asks({ cpu: '500m' })] }), node(), [there])).toEqual([])
  expect(filters(pod({ containers: [asks({ 'example.com/gpu': '0' })] }), node())).toEqual([])
})

test.each([
  [{ operator: 'Exists' }, true],
  [{ key: 'team', operator: 'Exists' }, true],
  [{ key: 'team', value: 'red' }, true],
  [{ key: 'team', value: 'red', effect: 'NoSchedule' }, true],
  [{ key: 'team', value: 'red', effect: 'NoExecute' }, false],
  [{ key: 'team', value: 'blue' }, false],
  [{ key: 'teams', operator: 'Exists' }, false],
])('a toleration %j of the taint team=red:NoSchedule', (toleration, isTolerated) => {
  const tainted = node({ spec: { taints: [{ key: 'team', value: 'red', effect: 'NoSchedule' }] } })
  expect(filters(pod({ tolerations: [toleration] }), tainted)).toEqual(isTolerated ? [] : ['taint'])
})

test('a taint that only asks to be avoided keeps nobody away', () => {
  expect(filters(pod({}), node({ spec: { taints: [{ key: 'team', effect: 'PreferNoSchedule' }] } }))).toEqual([])
})

test('a cordoned node is told once, not by its taint too', () => {
  const cordoned = node({
    spec: { unschedulable: true, taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] },
  })
  expect(filters(pod({}), cordoned)).toEqual(['unschedulable'])
  expect(filters(pod({ tolerations: [{ operator: 'Exists' }] }), cordoned)).toEqual([])
})

test.each([
  [{ operator: 'In', values: ['a', 'b'] }, true],
  [{ operator: 'In', values: ['b'] }, false],
  [{ operator: 'NotIn', values: ['b'] }, true],
  [{ operator: 'Exists' }, true],
  [{ operator: 'DoesNotExist' }, false],
])('a node with zone=a and an affinity of %j', (expression, isFit) => {
  const terms = [{ matchExpressions: [{ key: 'zone', ...expression }] }]
  const affinity = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } }
  expect(fitsNode(pod({ affinity }), node({ labels: { zone: 'a' } }))).toBe(isFit)
})

test('ports clash by number, protocol and address', () => {
  const on = (port: object) => [{ name: 'main', ports: [{ containerPort: 80, ...port }] }]
  const held = pod({ nodeName: 'one', containers: on({ hostPort: 80 }) })
  expect(filters(pod({ containers: on({ hostPort: 80 }) }), node(), [held])).toEqual(['ports'])
  expect(filters(pod({ containers: on({ hostPort: 81 }) }), node(), [held])).toEqual([])
  expect(filters(pod({ containers: on({ hostPort: 80, protocol: 'UDP' }) }), node(), [held])).toEqual([])
  expect(filters(pod({ containers: on({ hostPort: 80, hostIP: '127.0.0.1' }) }), node(), [held])).toEqual(['ports'])
  const local = pod({ nodeName: 'one', containers: on({ hostPort: 80, hostIP: '127.0.0.1' }) })
  expect(filters(pod({ containers: on({ hostPort: 80, hostIP: '10.0.0.1' }) }), node(), [local])).toEqual([])
})

test('a node takes no more pods than it may', () => {
  const there = pod({ nodeName: 'one' })
  expect(filters(pod({}), node({ allocatable: { pods: '1' } }), [there])).toEqual(['too-many-pods'])
  expect(filters(pod({}), node({ allocatable: { pods: '2' } }), [there])).toEqual([])
})
