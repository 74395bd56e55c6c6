import { afterAll, beforeAll, expect, test } from 'vitest'
import { endpointSlices } from '../../src/deploy/endpoints.ts'
import { Live } from '../../src/deploy/live.ts'
import { untilReady } from '../../src/deploy/readiness.ts'
import { type KubeObject, nameOf } from '../../src/lib/objects.ts'
import { Scope } from '../../src/lib/scope.ts'
import { baseImage } from '../lab/recipe.ts'
import { type ApiRig, openApiRig } from './api-rig.ts'

let rig: ApiRig

beforeAll(async () => {
  rig = await openApiRig()
}, 120_000)
afterAll(() => rig?.[Symbol.asyncDispose]())

const workload = (kind: 'Deployment' | 'StatefulSet', namespace: string, replicas: number, round = '1'): KubeObject => {
  const labels = { app: 'web' }
  const container = {
    ...{ name: 'web', image: baseImage, imagePullPolicy: 'Never', command: ['bash', '-c', 'sleep infinity & wait'] },
    ...{ env: [{ name: 'ROUND', value: round }], readinessProbe: { exec: { command: ['true'] }, periodSeconds: 1 } },
  }
  const template = { metadata: { labels }, spec: { terminationGracePeriodSeconds: 1, containers: [container] } }
  const spec = { replicas, selector: { matchLabels: labels }, template, ...(kind === 'StatefulSet' && { serviceName: 'web' }) }
  return { apiVersion: 'apps/v1', kind, metadata: { name: 'web', namespace }, spec }
}
const service = (namespace: string): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace } },
  spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
})

/** Applies and waits, as `up` does. */
async function ready(objects: readonly KubeObject[], live: Live, signal: AbortSignal): Promise<void> {
  const services = objects.filter(({ kind }) => kind === 'Service')
  for (const object of objects) {
    const applied = await rig.kube.apply(object, signal)
    const { namespace = '' } = object.metadata
    const awaited = { workload: nameOf(object), applied, namespace, service: undefined, services, timeoutMs: 60_000 }
    if (object.kind !== 'Service') await untilReady(rig.kube, live, awaited, { signal, say: () => undefined })
  }
}

test.each(['Deployment', 'StatefulSet'] as const)(
  'a %s is ready when its Service leads to a pod of its newest rollout, at first and after a change',
  async (kind) => {
    const namespace = rig.namespace(`t-ready-${kind.toLowerCase()}-${process.pid}`)
    await using scope = new Scope()
    const live = new Live(rig.kube, namespace, scope)
    for (const round of ['1', '2']) {
      await ready([service(namespace), workload(kind, namespace, 1, round)], live, scope.signal)
      const slices = await rig.kube.list({ ...endpointSlices, namespace }, scope.signal)
      const endpoints = slices.flatMap(
        (slice) => slice['endpoints'] as { conditions: { ready: boolean }; targetRef: { name: string } }[],
      )
      const pods = await rig.kube.list({ apiVersion: 'v1', kind: 'Pod', namespace }, scope.signal)
      const pod = pods.find(({ metadata, spec }) => !metadata.deletionTimestamp && JSON.stringify(spec).includes(`"${round}"`))
      const leading = endpoints.filter(({ conditions }) => conditions.ready).map(({ targetRef }) => targetRef.name)
      expect(leading).toContain(pod?.metadata.name)
    }
  },
  120_000,
)
