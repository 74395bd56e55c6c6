import { expect, test } from 'vitest'
import type { Manifest } from '../../../src/lib/objects.ts'
import { profiled, report } from '../../../src/render/transforms/report.ts'
import { deployment, inputFor, manifestOf } from './rig.ts'

test('every field that is not as its source has it is told with the rule that acted', () => {
  const object = deployment({
    spec: { replicas: 3 },
    container: { resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '1' } } },
  })
  const profile = { maxReplicas: 2, cpuLimits: 'drop' as const, services: { web: { replicas: 1, env: { DEBUG: '1' } } } }
  const origins = { maxReplicas: 'dev (shipped)', cpuLimits: 'dev (shipped)', 'services.web.env.DEBUG': 'dev' }
  const input = inputFor(profile, { images: new Map([['x/web', 'x/web:built']]) })
  const container = 'spec.template.spec.containers[web]'
  expect([...report([manifestOf(object)], input, origins)]).toEqual([
    {
      outcome: 'kept',
      manifest: manifestOf(object),
      changes: [
        { rule: 'dev (shipped): maxReplicas', path: 'spec.replicas', before: 3, after: 2 },
        { rule: 'dev (shipped): cpuLimits', path: `${container}.resources.limits.cpu`, before: '1', after: undefined },
        { rule: 'profile: services.web.replicas', path: 'spec.replicas', before: 2, after: 1 },
        {
          rule: 'dev: services.web.env.DEBUG',
          path: `${container}.env`,
          before: undefined,
          after: [{ name: 'DEBUG', value: '1' }],
        },
        { rule: 'devkit: images', path: `${container}.image`, before: 'x/web:1', after: 'x/web:built' },
        { rule: 'devkit: images', path: `${container}.imagePullPolicy`, before: undefined, after: 'IfNotPresent' },
      ],
    },
  ])
})

test('a profile that says nothing changes the namespace only', () => {
  const { metadata, ...rest } = deployment()
  const [told] = report([manifestOf({ ...rest, metadata: { name: 'web' } } as never)], inputFor({}), {})
  expect(metadata.namespace).toBe('shop')
  expect(told).toMatchObject({ changes: [{ rule: 'devkit: namespace', path: 'metadata.namespace', after: 'shop' }] })
})

test('what is left out is told with its reason, once for all that one rule leaves out', () => {
  const named = (kind: string, name: string): Manifest =>
    manifestOf({ apiVersion: 'x/v1', kind, metadata: { name, namespace: 'shop' } })
  const manifests = [named('Job', 'one'), named('Job', 'two'), manifestOf(deployment()), named('Thing', 'three')]
  const input = inputFor({ skip: { Job: 'not here', Thing: true } })
  const origins = { 'skip.Job': 'dev (shipped)', 'skip.Thing': 'dev' }
  expect(profiled(manifests, input, origins).remarks).toEqual([
    'Job/one, Job/two left out: not here (dev (shipped): skip.Job)',
    'Thing/three left out: the profile leaves it out (dev: skip.Thing)',
  ])
  expect([...report(manifests, input, origins)][0]).toEqual({
    outcome: 'left out',
    manifest: manifests[0],
    rule: 'dev (shipped): skip.Job',
    reason: 'not here',
  })
})

test('a rule of one’s own that fits nothing is told; one that ships, or that names nothing, is not', () => {
  const profile = {
    skip: { 'Jbo/seed': true, PodDisruptionBudget: 'one of each' },
    images: { 'x/web': 'y/web', postgress: 'z' },
    hosts: { 'shop.example.com': 'shop.localhost' },
    patches: [{ name: 'workers', select: 'ConfigMap/limits', merge: { data: {} } }],
    maxReplicas: 1,
    storageClasses: { gp3: 'standard' },
  }
  const origins = {
    'skip.PodDisruptionBudget': 'dev (shipped)',
    'skip.Jbo/seed': 'dev',
    'images.postgress': 'dev',
    'hosts.shop.example.com': 'dev',
    'patches.workers': 'dev',
  }
  const ingress = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { rules: [{ host: 'shop.example.org' }] },
  }
  expect(profiled([manifestOf(deployment()), manifestOf(ingress)], inputFor(profile), origins).remarks).toEqual([
    'dev: skip.Jbo/seed fits nothing in the manifests',
    'dev: images.postgress fits nothing in the manifests',
    'dev: hosts.shop.example.com fits nothing in the manifests',
    'dev: patches.workers fits nothing in the manifests',
  ])
})
