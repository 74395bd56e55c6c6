import { expect, test } from 'vitest'
import { contentsIn, withContentMarks } from '../../../src/deploy/content-marks.ts'
import { nothingObserved, type Observed } from '../../../src/deploy/observed.ts'
import type { KubeObject, Manifest } from '../../../src/lib/objects.ts'

const holder = (kind: string, name: string, data: object = { a: name }, metadata: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: 'shop', ...metadata },
  data,
})
const workload = (kind: string, pod: object, annotations?: Readonly<Record<string, string>>): KubeObject => ({
  apiVersion: kind === 'Job' || kind === 'CronJob' ? 'batch/v1' : 'apps/v1',
  kind,
  metadata: { name: 'web', namespace: 'shop' },
  spec: { template: { metadata: { labels: { app: 'web' }, ...(annotations && { annotations }) }, spec: pod } },
})
const manifestsOf = (objects: readonly KubeObject[]): readonly Manifest[] =>
  objects.map((object) => ({ object, origin: { file: 'k8s/all.yaml', line: 1 } }))
const liveAs = (objects: readonly KubeObject[]): Observed => ({
  get: ({ kind, metadata }) => objects.find((live) => live.kind === kind && live.metadata.name === metadata.name),
})
const markOf = (object: KubeObject): string | undefined =>
  (object as unknown as { spec: { template: { metadata: KubeObject['metadata'] } } }).spec.template.metadata.annotations?.[
    'devkit.dev/content'
  ]
/** The mark of a workload that is new. */
const markFor = (pod: object, objects: readonly KubeObject[], before: Observed = nothingObserved): string | undefined =>
  markOf(withContentMarks(workload('Deployment', pod), contentsIn(manifestsOf(objects), { before }), undefined))

const readsSettings = { containers: [{ name: 'web', envFrom: [{ configMapRef: { name: 'settings' } }] }] }

test('every way to read a ConfigMap or a Secret is found, in every container, and nothing else', () => {
  const names = ['from', 'one', 'init', 'files', 'projected', 'unused']
  const objects = names.flatMap((name) => [holder('ConfigMap', name), holder('Secret', name)])
  const live = objects.map((object) => ({ ...object, metadata: { ...object.metadata, uid: `uid-${object.metadata.name}` } }))
  const pod = {
    containers: [
      { name: 'idle', env: null, envFrom: null },
      {
        name: 'web',
        env: [
          { name: 'A', value: 'unused' },
          { name: 'B', valueFrom: { configMapKeyRef: { name: 'one', key: 'a' } } },
          { name: 'C', valueFrom: { secretKeyRef: { name: 'one', key: 'a' } } },
          { name: 'D', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        ],
        envFrom: [{ configMapRef: { name: 'from' } }, { secretRef: { name: 'from' } }, { configMapRef: { name: 'elsewhere' } }],
      },
    ],
    initContainers: [{ name: 'init', envFrom: [{ configMapRef: { name: 'init' } }, { secretRef: { name: 'init' } }] }],
    volumes: [
      { name: 'a', configMap: { name: 'files' } },
      { name: 'b', secret: { secretName: 'files' } },
      { name: 'c', projected: { sources: [{ configMap: { name: 'projected' } }, { secret: { name: 'projected' } }, {}] } },
      { name: 'd', emptyDir: {} },
    ],
    imagePullSecrets: [{ name: 'unused' }],
  }
  const read = ['files', 'from', 'init', 'one', 'projected']
  expect(markFor(pod, objects, liveAs(live))?.replaceAll(/=[0-9a-f]{16}/g, '')).toBe(
    [...read.map((name) => `ConfigMap/${name}`), ...read.map((name) => `Secret/${name}`)].join(','),
  )
  expect(markFor({ containers: [], volumes: null }, objects)).toBeUndefined()
})

test('the mark goes with the content, however it is written, and with nothing else of the object', () => {
  const mark = markFor(readsSettings, [holder('ConfigMap', 'settings', { a: '1', b: '2' })])
  expect(mark).toMatch(/^ConfigMap\/settings=[0-9a-f]{16}$/)
  expect(markFor(readsSettings, [holder('ConfigMap', 'settings', { b: '2', a: '1' }, { labels: { x: 'y' } })])).toBe(mark)
  expect(markFor(readsSettings, [holder('ConfigMap', 'settings', { a: '1', b: '3' })])).not.toBe(mark)
  expect(markFor(readsSettings, [{ ...holder('ConfigMap', 'settings', { a: '1' }), binaryData: { b: 'Mg==' } }])).not.toBe(mark)
  expect(markFor(readsSettings, [holder('ConfigMap', 'settings', {}, { namespace: 'another' })])).toBeUndefined()
})

test('the mark of a Secret can only be made by who may read it', () => {
  const pod = { containers: [{ name: 'web', envFrom: [{ secretRef: { name: 'pin' } }] }] }
  const secret = holder('Secret', 'pin', { pin: 'MTIzNA==' })
  const under = (uid: string, written = secret): string | undefined =>
    markFor(pod, [written], liveAs([{ ...secret, metadata: { ...secret.metadata, uid, resourceVersion: uid } }]))
  expect(under('one')).toMatch(/^Secret\/pin=[0-9a-f]{16}$/)
  expect(under('one')).not.toBe(under('two'))
  const { data: _, ...bare } = secret
  expect(under('one', { ...bare, stringData: { pin: '1234' } })).toBe(under('one'))
  expect(markFor(pod, [secret])).toBeUndefined()
  const now = liveAs([{ ...secret, metadata: { ...secret.metadata, uid: 'one' } }])
  const made = contentsIn(manifestsOf([secret]), { before: nothingObserved, now })
  expect(markOf(withContentMarks(workload('Deployment', pod), made, undefined))).toBe(under('one'))
})

test('a live workload without a mark is not rolled until what it reads changes', () => {
  const settings = holder('ConfigMap', 'settings', { a: '1' })
  const contents = contentsIn(manifestsOf([settings]), { before: liveAs([settings]) })
  const web = workload('Deployment', readsSettings)
  expect(withContentMarks(web, contents, web)).toBe(web)
  const changed = contentsIn(manifestsOf([settings]), { before: liveAs([holder('ConfigMap', 'settings', { a: '0' })]) })
  const marked = withContentMarks(web, changed, web)
  expect(markOf(marked)).toBeDefined()
  // from then on it stays marked
  expect(withContentMarks(web, contents, marked)).toEqual(marked)
  // one that did not read it is made anew in any case
  expect(withContentMarks(web, contents, workload('Deployment', { containers: [] }))).toEqual(marked)
})

test('only kinds whose pods live on are marked, beside the annotations that they have', () => {
  const contents = contentsIn(manifestsOf([holder('ConfigMap', 'settings')]), { before: nothingObserved })
  for (const kind of ['Deployment', 'StatefulSet', 'DaemonSet']) {
    const web = workload(kind, readsSettings, { theirs: 'x' })
    const mark = markOf(withContentMarks(web, contents, undefined)) ?? ''
    expect(withContentMarks(web, contents, undefined)).toEqual(
      workload(kind, readsSettings, { theirs: 'x', 'devkit.dev/content': mark }),
    )
  }
  const hook = { name: 'web', namespace: 'shop', annotations: { 'helm.sh/hook': 'pre-install' } }
  const others = [
    workload('Job', readsSettings),
    { ...workload('Deployment', readsSettings), metadata: hook },
    { ...workload('CronJob', {}), spec: { jobTemplate: { spec: { template: { spec: readsSettings } } } } },
    { ...workload('Deployment', readsSettings), apiVersion: 'example.com/v1' },
    { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'shop' }, spec: readsSettings },
    holder('ConfigMap', 'settings'),
  ]
  for (const object of others) expect(withContentMarks(object, contents, undefined)).toBe(object)
})
