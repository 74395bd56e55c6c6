import { expect, test } from 'vitest'
import type { Patient } from '../../../../src/deploy/diagnosis/facts.ts'
import { image } from '../../../../src/deploy/diagnosis/image.ts'
import type { KubeObject } from '../../../../src/lib/objects.ts'

const now = Date.parse('2026-01-01T12:00:00Z')
const message = 'failed to resolve image: no match for platform in manifest: not found'

const web: KubeObject = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec: {} }
const pod: KubeObject = {
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web-0', uid: 'one' } },
  spec: { nodeName: 'node', containers: [{ name: 'main', image: 'shop/web:1' }] },
  status: { containerStatuses: [{ name: 'main', image: 'shop/web:1', state: { waiting: { reason: 'ErrImagePull', message } } }] },
}
const node: KubeObject = {
  ...{ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node' } },
  status: { nodeInfo: { operatingSystem: 'linux', architecture: 'arm64' } },
}
const told = (failedAgo: number, nodes: readonly KubeObject[]) => {
  const failed = { reason: 'Failed', message: `Failed to pull image "shop/web:1": ${message}`, from: now - failedAgo }
  const facts = {
    ...{ now, namespace: 'shop', warnings: () => [failed], known: () => nodes },
    hasPassed: (since: number, ms: number) => now - since >= ms,
    where: (object: string) => object,
  }
  const patient = { workload: web, name: 'Deployment/web', pods: [pod], replicaSet: undefined, facts } as unknown
  return image.flatMap((rule) => rule(patient as Patient) ?? []).map((verdict) => verdict.message)
}

test('that an image is for another platform is told with the node’s own, once its list has come (READY-113)', () => {
  expect(told(100, [node])).toEqual(['The image shop/web:1 of Deployment/web is not built for the node (linux/arm64).'])
  expect(told(100, [])).toEqual([])
  expect(told(5000, [])).toEqual(['The image shop/web:1 of Deployment/web is not built for the node.'])
})
