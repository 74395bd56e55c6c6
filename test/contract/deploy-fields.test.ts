import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { KubeObject } from '../../src/lib/objects.ts'
import { type ApiRig, openApiRig } from './api-rig.ts'
import { type Project, projectOn } from './program.ts'

// What becomes of fields that the server does not know, and of those that only the server knows.

let rig: ApiRig
let project: Project
const id = `t-fields-${process.pid}`
const group = `fields-${process.pid}.devkit.test`

const lampSchema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        colour: { type: 'string' },
        wiring: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        bulbs: { type: 'array', items: { type: 'object', properties: { watts: { type: 'integer' } } } },
      },
    },
  },
}

beforeAll(async () => {
  rig = await openApiRig()
  project = projectOn(rig, id)
  const crd = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `lamps.${group}` },
    spec: {
      group,
      names: { kind: 'Lamp', plural: 'lamps' },
      scope: 'Namespaced',
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: lampSchema } }],
    },
  }
  rig.kubectl(['apply', '-f', '-'], JSON.stringify(crd))
  rig.kubectl(['wait', '--for=condition=Established', `crd/lamps.${group}`, '--timeout=30s'])
  // moments later its schema is published, which the names of fields come from
  await vi.waitFor(() => rig.kubectl(['explain', 'lamp.spec.colour', `--api-version=${group}/v1`]), 30_000)
})
afterAll(async () => {
  rig.kubectl(['delete', '--ignore-not-found', '--wait=false', `namespace/${id}`, `crd/lamps.${group}`])
  await rig[Symbol.asyncDispose]()
})

const write = (yaml: string): void => writeFileSync(join(project.directory, 'k8s/all.yaml'), yaml)

test('every field that the server does not know is named by line, with the nearest right word, in Kubernetes’ own kinds and others', async () => {
  write(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: first
        image: web:1
      - name: second
        image: web:1
        env:
        - name: A
          valueFrom:
            secretKeyReff: {name: a, key: a}
        readinessProbe:
          httpGet: {path: /, port: 80}
          perodSeconds: 3
---
apiVersion: ${group}/v1
kind: Lamp
metadata: {name: desk}
spec:
  color: red
  bulbs:
  - watts: 1
  - wats: 2
`)
  const { code, problems } = await project.run(['up'])
  expect(code).toBe(2)
  expect(problems).toMatchObject([{ code: 'APPLY-101' }])
  const told = problems[0]?.message ?? ''
  for (const line of [
    /k8s\/all\.yaml:19: Deployment\/web: .*secretKeyReff: unknown field; did you mean 'secretKeyRef'\?/,
    /k8s\/all\.yaml:22: Deployment\/web: .*perodSeconds: unknown field; did you mean 'periodSeconds'\?/,
    /k8s\/all\.yaml:28: Lamp\/desk: spec\.color: unknown field; did you mean 'colour'\?/,
    /k8s\/all\.yaml:31: Lamp\/desk: spec\.bulbs\[1\]\.wats: unknown field; did you mean 'watts'\?/,
  ])
    expect(told).toMatch(line)
  expect(told.match(/Lamp\/desk/g)).toHaveLength(2)
  expect(rig.kubectl(['get', 'namespace', id, '--ignore-not-found'])).toBe('')
}, 60_000)

test('what only the server knows reaches it untouched, and is unchanged afterwards', async () => {
  const wiring = { any: [1, 'two', { deep: true, none: {} }], 'with.dots/and-slashes': 1.5 }
  const lamp: KubeObject = { apiVersion: `${group}/v1`, kind: 'Lamp', metadata: { name: 'desk' }, spec: { wiring } }
  project.write(lamp)
  expect(await project.run(['up'])).toMatchObject({ code: 0, problems: [] })
  const live = JSON.parse(rig.kubectl(['get', `lamps.${group}/desk`, '-n', id, '-o', 'json'])) as KubeObject
  expect(live['spec']).toEqual({ wiring })
  expect((await project.run(['up'])).objects.filter((told) => told.includes('Lamp'))).toEqual(['unchanged Lamp/desk'])
}, 60_000)
