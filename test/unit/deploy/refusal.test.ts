import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { conflictsOf, fieldErrors, isByHand, isImmutable, pathIn, refusal } from '../../../src/deploy/refusal.ts'
import { ApiFailure, type Kube } from '../../../src/kube/kube.ts'
import { manifests } from '../../../src/render/manifests.ts'

const object = {
  metadata: { labels: { 'app.kubernetes.io/name': 'web', app: 'web' } },
  spec: {
    containers: [
      { name: 'first', ports: [{ containerPort: 80 }] },
      { name: 'second', imagee: 'x', ports: [{ containerPort: 90 }, { containerPort: 80 }] },
    ],
  },
}

test.each([
  ['.spec.containers[name="second"].imagee', ['spec', 'containers', 1, 'imagee']],
  [
    '.spec.containers[name="second"].ports[containerPort=80,protocol="TCP"].hostPort',
    ['spec', 'containers', 1, 'ports', 1, 'hostPort'],
  ],
  ['spec.containers[1].name', ['spec', 'containers', 1, 'name']],
  ['.metadata.labels.app.kubernetes.io/name', ['metadata', 'labels', 'app.kubernetes.io/name']],
  ['.spec.nothing.here', ['spec', 'nothing', 'here']],
])('%s stands for its keys', (field, path) => {
  expect(pathIn(object, field)).toEqual(path)
})

test('of a custom resource every unknown field is told, though the server names only the first', async () => {
  const spec = { type: 'object', properties: { colour: {}, bulbs: { type: 'array', items: { properties: { watts: {} } } } } }
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec } } }
  const definition = {
    ...{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name: 'lamps.example.com' } },
    spec: { group: 'example.com', names: { kind: 'Lamp' }, versions: [{ name: 'v1', served: true, schema }] },
  }
  const manifest = {
    object: {
      ...{ apiVersion: 'example.com/v1', kind: 'Lamp', metadata: { name: 'desk' } },
      spec: { color: 'red', bulbs: [{ watts: 1 }, { wats: 2 }] },
    },
    origin: { file: 'k8s/lamp.yaml', line: 1, lineAt: (path: readonly unknown[]) => 10 + path.length },
  }
  const message =
    'failed to create typed patch object (n/desk; example.com/v1, Kind=Lamp): .spec.color: field not declared in schema'
  const tellsOf = (definitions: readonly object[]) => {
    const kube = { list: async () => definitions, fieldsAt: async () => ['colour', 'bulbs'] } as unknown as Kube
    return refusal(kube, new ApiFailure(500, '', message), manifest, new AbortController().signal)
  }
  const first = "k8s/lamp.yaml:12: Lamp/desk: spec.color: unknown field; did you mean 'colour'?"
  const second = "k8s/lamp.yaml:14: Lamp/desk: spec.bulbs[1].wats: unknown field; did you mean 'watts'?"
  expect(await tellsOf([definition])).toMatchObject({ code: 'APPLY-101', message: `${first}\n${second}` })
  expect(await tellsOf([])).toMatchObject({ code: 'APPLY-101', message: first })
})

test('the fields that the server complains of, in each of its ways', () => {
  const failure = (message: string, causes: ApiFailure['causes'] = []) => ({ message, causes })
  expect(
    fieldErrors(
      failure(
        'failed to create typed patch object (t/web; apps/v1, Kind=Deployment): .spec.replicaz: field not declared in schema',
      ),
    ),
  ).toEqual([{ field: '.spec.replicaz', said: 'field not declared in schema' }])
  expect(
    fieldErrors(
      failure(
        'failed to create typed patch object (t/web; apps/v1, Kind=Deployment): errors:\n  .spec.containers[name="a: b"].x: field not declared in schema\n  .metadata.labels.app.kubernetes.io/name: expected string, got &value.valueUnstructured{Value:1}',
      ),
    ),
  ).toEqual([
    { field: '.spec.containers[name="a: b"].x', said: 'field not declared in schema' },
    { field: '.metadata.labels.app.kubernetes.io/name', said: 'expected string, got 1' },
  ])
  expect(fieldErrors(failure('strict decoding error: unknown field "spec.foo"'))).toEqual([
    { field: 'spec.foo', said: 'field not declared in schema' },
  ])
  expect(fieldErrors(failure('invalid', [{ field: 'spec.ports[0].port', message: 'must be between 1 and 65535' }]))).toEqual([
    { field: 'spec.ports[0].port', said: 'must be between 1 and 65535' },
  ])
  expect(fieldErrors(failure('admission webhook "x" denied the request'))).toEqual([
    { field: '', said: 'admission webhook "x" denied the request' },
  ])
})

test('a conflict names its field and owner; hands are told from controllers', () => {
  const failure = new ApiFailure(409, 'Conflict', 'conflicts', [
    {
      reason: 'FieldManagerConflict',
      field: '.spec.replicas',
      message: 'conflict with "kubectl" with subresource "scale" using apps/v1',
    },
    {
      reason: 'FieldManagerConflict',
      field: '.spec.paused',
      message: 'conflict with "vpa-updater" using apps/v1 at 2026-01-01T00:00:00Z',
    },
  ])
  expect(conflictsOf(failure)).toEqual([
    { field: '.spec.replicas', manager: 'kubectl' },
    { field: '.spec.paused', manager: 'vpa-updater' },
  ])
  expect(conflictsOf(failure).map(isByHand)).toEqual([true, false])
  expect(conflictsOf(new ApiFailure(409, 'AlreadyExists', 'exists'))).toEqual([])
})

test('what is fixed for life is told from what is wrong', () => {
  expect(isImmutable(new ApiFailure(422, 'Invalid', 'spec.selector: Invalid value: field is immutable'))).toBe(true)
  expect(
    isImmutable(new ApiFailure(422, 'Invalid', "updates to statefulset spec for fields other than 'replicas' are forbidden")),
  ).toBe(true)
  expect(isImmutable(new ApiFailure(422, 'Invalid', 'spec.ports: Required value'))).toBe(false)
})

test('a manifest knows the lines of its fields, also inside a list', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'devkit-lines-'))
  try {
    writeFileSync(
      join(directory, 'a.yaml'),
      'apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: A\n  metadata:\n    name: a\n  spec:\n    list:\n    - name: x\n    - name: y\n      wrong: 1\n',
    )
    const [a] = await manifests.render(
      'a.yaml',
      { directory, namespace: 'shop', kubernetes: '1.34', apiVersions: [], invents: true },
      { signal: new AbortController().signal },
    )
    expect(a?.origin).toMatchObject({ file: 'a.yaml', line: 4 })
    expect(a?.origin.lineAt?.(['spec', 'list', 1, 'wrong'])).toBe(12)
    expect(a?.origin.lineAt?.(['spec', 'list', 1])).toBe(11)
    expect(a?.origin.lineAt?.(['spec', 'nothing'])).toBe(undefined)
  } finally {
    rmSync(directory, { recursive: true })
  }
})
